//! The page's state as JSON. A number that is not there or not finite is `null`.

use std::time::Duration;

use f1_interfaces::Message;
use f1_interfaces::f1_msgs::msg::{ActionChunk, SafetyEvent};
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use serde_json::{Value, json};

use super::Past;
use super::feed::{Feed, Followed};
use crate::core::Core;
use crate::status::PolicyState;

/// An input that is older counts as silent, s.
const SILENT: f64 = 1.0;
/// Events in the page's table.
const ROWS: usize = 30;

/// State, reason, instruction and times.
pub(super) fn of_status(core: &Core, now_ns: i64) -> Value {
    // A copy: nothing is computed under the lock of the path to motion.
    let mut status = core.status.lock().clone();
    let (state, reason) = status.state();
    // A policy server has no stages of its own here, and a local policy no network in between.
    let stages: Vec<Value> = (status.stages.rows().iter())
        .filter(|(_, took)| !took.is_zero())
        .map(|(name, took)| json!([name, took.as_secs_f64()]))
        .collect();
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let rates = format!(
        "Message to trajectory {:.1} ms (median {:.1}, 99 % {:.1}). Observations {:.1} Hz, chunks {:.1} Hz, \
         trajectories {:.1} Hz, interventions {}.",
        ms(status.latency),
        ms(status.latency_quantile(0.5)),
        ms(status.latency_quantile(0.99)),
        status.observation_rate.rate(now_ns),
        status.chunk_rate.rate(now_ns),
        status.trajectory_rate.rate(now_ns),
        status.interventions,
    );
    json!({
        "program": "f1_policy",
        "robot": status.robot,
        "model": status.model,
        "instruction": &*status.instruction,
        "state": word(state),
        "reason": reason,
        "stages": stages,
        "rates": rates,
    })
}

/// A state as the page's script names it.
fn word(state: PolicyState) -> &'static str {
    match state {
        PolicyState::Unconfigured => "unconfigured",
        PolicyState::Inactive => "inactive",
        PolicyState::Waiting => "waiting",
        PolicyState::Running => "running",
        PolicyState::Holding => "holding",
        PolicyState::Stopped => "stopped",
        PolicyState::Fault => "fault",
    }
}

/// Adds events, newest first, and errors of foresight.
pub(super) fn of_past(value: &mut Value, past: &Past) {
    let events: Vec<Value> = past.events.iter().rev().take(ROWS).map(event).collect();
    value["events"] = events.into();
    value["errors"] = past.errors.iter().map(|error| json!(error)).collect();
}

fn event(event: &SafetyEvent) -> Value {
    json!({
        "time": time_of_day(event.header.stamp.nanoseconds()),
        "rule": event.rule,
        "subject": event.subject,
        "value": event.value,
        "limit": event.limit,
        "unit": event.unit,
        "action": action(event.action),
        "message": event.message,
    })
}

fn action(action: u8) -> &'static str {
    match action {
        SafetyEvent::ACTION_NOTED => "noted",
        SafetyEvent::ACTION_CLAMPED => "clamped",
        SafetyEvent::ACTION_SCALED => "scaled",
        SafetyEvent::ACTION_REJECTED => "rejected",
        SafetyEvent::ACTION_STOPPED => "stopped",
        SafetyEvent::ACTION_LATCHED => "latched",
        SafetyEvent::ACTION_RELEASED => "released",
        _ => "",
    }
}

/// A ROS time as the time of its day, UTC.
fn time_of_day(stamp_ns: i64) -> String {
    let ms = stamp_ns.div_euclid(1_000_000).rem_euclid(86_400_000);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Each commanded joint within its limits: what was measured, asked for, and sent.
pub(super) fn joints(feed: &Feed, now_ns: i64) -> Value {
    let states: Vec<_> = feed.joints.iter().filter_map(Followed::message).collect();
    let chunk = feed.chunk.message();
    let sent: Vec<_> = feed.trajectories.iter().filter_map(Followed::message).collect();
    let measured = |joint: &str| {
        states.iter().find_map(|state| {
            let index = state.name.iter().position(|name| name == joint)?;
            state.position.get(index).copied()
        })
    };
    let rows = feed.robot().joints().iter().map(|joint| {
        let (lower, upper) = joint.range();
        let sent =
            sent.iter().find_map(|trajectory| sent_position(trajectory, &joint.name, now_ns));
        json!({
            "name": joint.name,
            "unit": if joint.prismatic { "m" } else { "rad" },
            "lower": lower,
            "upper": upper,
            "measured": measured(&joint.name),
            "asked": chunk.as_ref().and_then(|chunk| asked_position(chunk, &joint.name, now_ns)),
            "sent": sent,
        })
    });
    rows.collect()
}

/// What the chunk asks of a joint now.
fn asked_position(chunk: &ActionChunk, joint: &str, now_ns: i64) -> Option<f64> {
    let width = chunk.joint_names.len();
    let column = chunk.joint_names.iter().position(|name| name == joint)?;
    let elapsed = (now_ns - chunk.header.stamp.nanoseconds()) as f64 * 1e-9;
    let row = (elapsed * chunk.rate).clamp(0.0, f64::from(chunk.rows.checked_sub(1)?)) as usize;
    chunk.positions.get(row * width + column).copied()
}

/// Where a trajectory has a joint now.
fn sent_position(trajectory: &JointTrajectory, joint: &str, now_ns: i64) -> Option<f64> {
    let column = trajectory.joint_names.iter().position(|name| name == joint)?;
    let begin = trajectory.header.stamp.nanoseconds();
    let due = |index: usize| begin + trajectory.points[index].time_from_start.nanoseconds();
    let next = (0..trajectory.points.len()).find(|index| due(*index) >= now_ns);
    let at = |index: usize| trajectory.points.get(index)?.positions.get(column).copied();
    match next {
        None => at(trajectory.points.len().checked_sub(1)?),
        Some(0) => at(0),
        Some(next) => {
            let (from, to) = (due(next - 1), due(next));
            let share = (now_ns - from) as f64 / (to - from).max(1) as f64;
            Some(at(next - 1)? * (1.0 - share) + at(next)? * share)
        }
    }
}

/// The end effector's path of the newest chunk, for each arm, m.
pub(super) fn paths(feed: &Feed) -> Value {
    let path = |one: &Followed<f1_interfaces::nav_msgs::msg::Path>| {
        let message = one.message()?;
        let points: Vec<[f64; 3]> = message
            .poses
            .iter()
            .map(|pose| &pose.pose.position)
            .map(|point| [point.x, point.y, point.z])
            .collect();
        let arm = one.name.trim_start_matches("action/path").trim_matches('/');
        Some(json!({"arm": arm, "points": points}))
    };
    feed.paths.iter().filter_map(path).collect()
}

/// Each input: whether it is received.
pub(super) fn publishers(feed: &Feed, steady: Duration) -> Value {
    let mut rows = Vec::new();
    add(&mut rows, &feed.cameras, steady);
    add(&mut rows, &feed.compressed, steady);
    add(&mut rows, &feed.joints, steady);
    add(&mut rows, &feed.locks, steady);
    rows.into()
}

fn add<T: Message>(rows: &mut Vec<Value>, topics: &[Followed<T>], steady: Duration) {
    for topic in topics {
        let (rate, age) = topic.pace(steady);
        let state = match age {
            Some(age) if age < SILENT => "received",
            Some(_) => "silent",
            None => "nothing received",
        };
        rows.push(json!({"topic": topic.name, "state": state, "rate": rate, "age": age}));
    }
}

#[cfg(test)]
mod tests {
    use f1_interfaces::builtin_interfaces::msg::{Duration as WireDuration, Time};
    use f1_interfaces::std_msgs::msg::Header;
    use f1_interfaces::trajectory_msgs::msg::JointTrajectoryPoint;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn header(seconds: i32) -> Header {
        Header { stamp: Time { sec: seconds, nanosec: 0 }, frame_id: String::new() }
    }

    #[test]
    fn what_is_asked_is_the_row_that_is_due() {
        let chunk = ActionChunk {
            header: header(10),
            rate: 2.0,
            rows: 3,
            joint_names: vec!["a".into(), "b".into()],
            positions: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            ..ActionChunk::default()
        };
        let asked = |joint: &str, now| asked_position(&chunk, joint, now);
        assert_eq!(asked("b", 9 * SECOND), Some(1.0));
        assert_eq!(asked("b", 10 * SECOND + SECOND / 2), Some(3.0));
        assert_eq!(asked("a", 99 * SECOND), Some(4.0));
        assert_eq!(asked("c", 10 * SECOND), None);
    }

    #[test]
    fn what_is_sent_lies_between_the_points() {
        let point = |seconds, position| JointTrajectoryPoint {
            positions: vec![position],
            time_from_start: WireDuration { sec: seconds, nanosec: 0 },
            ..JointTrajectoryPoint::default()
        };
        let trajectory = JointTrajectory {
            header: header(10),
            joint_names: vec!["a".into()],
            points: vec![point(0, 0.0), point(2, 1.0)],
        };
        let sent = |now| sent_position(&trajectory, "a", now);
        assert_eq!(sent(5 * SECOND), Some(0.0));
        assert_eq!(sent(11 * SECOND), Some(0.5));
        assert_eq!(sent(20 * SECOND), Some(1.0));
        assert_eq!(sent_position(&JointTrajectory::default(), "a", 0), None);
    }

    #[test]
    fn times_of_the_day_are_of_the_stamp() {
        assert_eq!(time_of_day(86_400 * SECOND * 3 + 3_723 * SECOND + 4_000_000), "01:02:03.004");
    }
}
