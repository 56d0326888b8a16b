//! Grippers behind an action: a checked trajectory becomes goals, each sent when its moment has
//! come.

use std::sync::Arc;

use f1_interfaces::control_msgs::action::{
    GripperCommand, GripperCommandGoal, ParallelGripperCommand, ParallelGripperCommandGoal,
};
use f1_interfaces::sensor_msgs::msg::JointState;
use f1_middleware::action::GoalEvent;
use f1_middleware::{ActionClient, Node, Result};
use f1_robot::safety::{CheckedPoint, CheckedTrajectory};
use parking_lot::Mutex;

use super::controllers::Answers;
use crate::topics::{GRIPPER_COMMAND, PARALLEL_GRIPPER_COMMAND};

enum GripperClient {
    Command(ActionClient<GripperCommand>),
    Parallel(ActionClient<ParallelGripperCommand>),
}

/// The trajectory that the gripper follows and the position of its last goal.
#[derive(Default)]
struct State {
    trajectory: Option<CheckedTrajectory>,
    last: Option<f64>,
}

/// Sends where a gripper's checked trajectory is about to go as a goal, when that changes.
pub(super) struct GripperGoals {
    client: GripperClient,
    effort: f64,
    /// A change smaller than this while it moves is none, rad or m.
    coarse: f64,
    answers: Answers,
    state: Arc<Mutex<State>>,
}

/// A change smaller than this is none, rad or m: a gripper action restarts its controller.
const SAME: f64 = 1e-4;

/// A stretch of motion that begins within this is commanded now, s: about a period of the filter.
const BEGINS: f64 = 0.04;

/// The end of a stretch of motion is looked for no further ahead than this, s: what lies beyond may
/// be replaced before its moment.
const AHEAD: f64 = 0.5;

impl GripperGoals {
    /// `effort`: the greatest effort, N or Nm; `None` leaves it to the controller (0 in
    /// `GripperCommand`). `range`: of the joint, rad or m.
    pub(super) fn open(
        node: &Node,
        controller: &str,
        parallel: bool,
        effort: Option<f64>,
        range: f64,
        answers: Answers,
    ) -> Result<Self> {
        let client = if parallel {
            let name = PARALLEL_GRIPPER_COMMAND.named(controller);
            GripperClient::Parallel(node.create_action_client(&name)?)
        } else {
            GripperClient::Command(node.create_action_client(&GRIPPER_COMMAND.named(controller))?)
        };
        let coarse = (0.05 * range).max(SAME);
        Ok(Self { client, effort: effort.unwrap_or(0.0), coarse, answers, state: Arc::default() })
    }

    /// From now on this trajectory is followed.
    pub(super) fn follow(&self, trajectory: &CheckedTrajectory, now_ns: i64) -> Result<()> {
        self.state.lock().trajectory = Some(trajectory.clone());
        self.tick(now_ns)
    }

    /// Follows nothing any more, and no longer knows where the gripper was sent last.
    pub(super) fn forget(&self) {
        *self.state.lock() = State::default();
    }

    /// Sends a goal if the gripper is to go elsewhere than its last goal says.
    pub(super) fn tick(&self, now_ns: i64) -> Result<()> {
        let (target, names) = {
            let mut state = self.state.lock();
            let Some(trajectory) = &state.trajectory else { return Ok(()) };
            let now = (now_ns - trajectory.stamp()) as f64 * 1e-9;
            let Some((target, ends)) = target(trajectory.points(), now) else { return Ok(()) };
            let change = if ends { SAME } else { self.coarse };
            if state.last.is_some_and(|last| (last - target).abs() < change) {
                return Ok(());
            }
            let names = trajectory.joint_names().to_vec();
            state.last = Some(target);
            (target, names)
        };
        match &self.client {
            GripperClient::Command(client) => {
                let mut goal = GripperCommandGoal::default();
                goal.command.position = target;
                goal.command.max_effort = self.effort;
                let report = self.report(target);
                client.send(goal, move |event| report(answer(&event)))?;
            }
            GripperClient::Parallel(client) => {
                let command = JointState {
                    name: names,
                    position: vec![target],
                    effort: if self.effort > 0.0 { vec![self.effort] } else { Vec::new() },
                    ..JointState::default()
                };
                let report = self.report(target);
                let goal = ParallelGripperCommandGoal { command };
                client.send(goal, move |event| report(answer(&event)))?;
            }
        }
        Ok(())
    }

    /// What to do with the answer: a goal that was not accepted is sent again.
    fn report(&self, target: f64) -> impl Fn(Option<Answer>) + Send + 'static {
        let (state, answers) = (self.state.clone(), self.answers.clone());
        move |answer| match answer {
            None => {}
            Some(Answer::Accepted) => answers.accepted(),
            Some(Answer::Refused(reason)) => {
                {
                    let mut state = state.lock();
                    if state.last == Some(target) {
                        state.last = None;
                    }
                }
                answers.refused(reason);
            }
        }
    }
}

/// What a gripper's controller answers to a goal.
enum Answer {
    Accepted,
    Refused(String),
}

/// The answer in an event; `None`: the event brings none. That a gripper does not reach its goal is
/// no fault: it holds something.
fn answer<A: f1_interfaces::Action>(event: &GoalEvent<A>) -> Option<Answer> {
    match event {
        GoalEvent::Accepted => Some(Answer::Accepted),
        GoalEvent::Rejected => Some(Answer::Refused("the gripper command was rejected".into())),
        GoalEvent::Failed(error) => {
            Some(Answer::Refused(format!("the gripper command was not answered: {error}")))
        }
        GoalEvent::Feedback(_) | GoalEvent::Ended(_) => None,
    }
}

/// Where the gripper is to go at `now` (s after the trajectory's stamp), and whether its motion
/// ends there: the end of the stretch along which it moves in one direction, at most [`AHEAD`]; its
/// place when it does not move.
fn target(points: &[CheckedPoint], now: f64) -> Option<(f64, bool)> {
    let place = |point: &CheckedPoint| point.position.first().copied();
    let at = |time: f64| -> Option<f64> {
        let after = points.partition_point(|point| point.t <= time);
        let before = points.get(after.saturating_sub(1)).or(points.first())?;
        let (from, Some(next)) = (place(before)?, points.get(after)) else { return place(before) };
        if next.t <= before.t || time <= before.t {
            return Some(from);
        }
        let to = place(next)?;
        Some(from + (to - from) * (time - before.t) / (next.t - before.t))
    };
    let here = at(now)?;
    let direction = at(now + BEGINS)? - here;
    if direction.abs() < SAME * 0.01 {
        return Some((here, true));
    }
    let mut reached = at(now + BEGINS)?;
    for point in points.iter().filter(|point| point.t > now + BEGINS) {
        let next = place(point)?;
        if (next - reached) * direction <= 0.0 {
            return Some((reached, true));
        }
        if point.t > now + AHEAD {
            return Some((at(now + AHEAD)?, false));
        }
        reached = next;
    }
    Some((reached, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(knots: &[(f64, f64)]) -> Vec<CheckedPoint> {
        let point = |&(t, position): &(f64, f64)| CheckedPoint {
            t,
            position: vec![position],
            velocity: vec![0.0],
            acceleration: vec![0.0],
        };
        knots.iter().map(point).collect()
    }

    #[test]
    fn a_gripper_closes_when_its_moment_comes_and_not_when_the_chunk_does() {
        let chunk =
            points(&[(0.0, 0.05), (1.0, 0.05), (1.1, 0.02), (1.2, 0.0), (2.0, 0.0), (2.1, 0.05)]);
        assert_eq!(target(&chunk, 0.0), Some((0.05, true)));
        assert_eq!(target(&chunk, 0.9), Some((0.05, true)));
        assert_eq!(target(&chunk, 0.98), Some((0.0, true)));
        assert_eq!(target(&chunk, 1.1), Some((0.0, true)));
        assert_eq!(target(&chunk, 1.5), Some((0.0, true)));
        assert_eq!(target(&chunk, 1.99), Some((0.05, true)));
        assert_eq!(target(&chunk, 9.0), Some((0.05, true)));
    }

    #[test]
    fn a_slow_motion_is_followed_half_a_second_ahead() {
        let chunk = points(&[(0.0, 0.0), (1.0, 0.5), (2.0, 1.0)]);
        let (place, ends) = target(&chunk, 0.5).unwrap();
        assert!((place - 0.5).abs() < 1e-12 && !ends, "{place}");
        assert_eq!(target(&chunk, 1.8), Some((1.0, true)));
        assert_eq!(target(&[], 0.0), None);
    }
}
