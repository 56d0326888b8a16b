//! The filter's decisions as messages: one that stays the same is sent once a second.

use std::collections::BTreeMap;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::f1_msgs::msg::SafetyEvent;
use f1_interfaces::std_msgs::msg::Header;
use f1_robot::Robot;
use f1_robot::safety::{Event, Response, Rule};

/// Turns events into messages and leaves repetitions out.
#[derive(Debug, Default)]
pub struct EventLog {
    sequence: u64,
    sent: BTreeMap<(Rule, Option<String>, u8), i64>,
}

/// The same event is sent again after this long, ns.
const REPEAT_NS: i64 = 1_000_000_000;

impl EventLog {
    /// The messages for these events; `chunk` is (sequence, epoch) of the chunk that they concern,
    /// `demand` says in words what asked for a stop that has no rule of its own.
    pub fn messages(
        &mut self,
        events: &[Event],
        robot: &Robot,
        now_ns: i64,
        chunk: Option<(u64, u64)>,
        demand: &str,
    ) -> Vec<SafetyEvent> {
        let mut messages = Vec::new();
        for event in events {
            let action = if event.rule == Rule::Latch {
                SafetyEvent::ACTION_LATCHED
            } else {
                action_of(event.action)
            };
            let key = (event.rule, event.joint.clone(), action);
            // An event about a chunk is sent every time: chunks are few.
            let repeated = chunk.is_none()
                && self.sent.get(&key).is_some_and(|at| (0..REPEAT_NS).contains(&(now_ns - at)));
            if repeated {
                continue;
            }
            self.sent.insert(key, now_ns);
            self.sequence += 1;
            let mut message = self.message(event, robot, now_ns, chunk, action);
            if event.rule == Rule::Lock && event.joint.is_none() && !demand.is_empty() {
                message.message = format!("{demand}: stopped");
            }
            messages.push(message);
        }
        self.sent.retain(|_, at| (0..REPEAT_NS).contains(&(now_ns - *at)));
        messages
    }

    /// A decision that is not the filter's own.
    pub fn note(&mut self, now_ns: i64, rule: &str, action: u8, message: &str) -> SafetyEvent {
        self.sequence += 1;
        SafetyEvent {
            header: Header {
                stamp: WireTime::saturating_from_nanoseconds(now_ns),
                frame_id: String::new(),
            },
            sequence: self.sequence,
            rule: rule.to_owned(),
            row: -1,
            value: f64::NAN,
            limit: f64::NAN,
            action,
            message: message.to_owned(),
            ..SafetyEvent::default()
        }
    }

    fn message(
        &self,
        event: &Event,
        robot: &Robot,
        now_ns: i64,
        chunk: Option<(u64, u64)>,
        action: u8,
    ) -> SafetyEvent {
        let (chunk_sequence, chunk_epoch) = chunk.unwrap_or_default();
        SafetyEvent {
            header: Header {
                stamp: WireTime::saturating_from_nanoseconds(now_ns),
                frame_id: String::new(),
            },
            sequence: self.sequence,
            chunk_known: chunk.is_some(),
            chunk_sequence,
            chunk_epoch,
            rule: rule_name(event.rule),
            subject: event.joint.clone().unwrap_or_default(),
            row: event.step.and_then(|row| i32::try_from(row).ok()).unwrap_or(-1),
            value: event.asked.unwrap_or(f64::NAN),
            limit: event.limit.unwrap_or(f64::NAN),
            unit: unit_of(event, robot).to_owned(),
            action,
            message: sentence(event, robot),
        }
    }
}

/// The rule's name as in `f1 filter` and the documentation: snake case.
#[must_use]
pub fn rule_name(rule: Rule) -> String {
    match serde_json::to_value(rule) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{rule:?}"),
    }
}

fn action_of(response: Response) -> u8 {
    match response {
        Response::Reported | Response::Skipped | Response::Restarted => SafetyEvent::ACTION_NOTED,
        Response::Clamped | Response::Held | Response::Cut => SafetyEvent::ACTION_CLAMPED,
        Response::Scaled => SafetyEvent::ACTION_SCALED,
        Response::Refused => SafetyEvent::ACTION_REJECTED,
        Response::Stopped => SafetyEvent::ACTION_STOPPED,
    }
}

fn unit_of(event: &Event, robot: &Robot) -> &'static str {
    let sliding = event.joint.as_deref().is_some_and(|joint| robot.is_sliding(joint));
    let pick = |revolute: &'static str, prismatic: &'static str| {
        if sliding { prismatic } else { revolute }
    };
    match event.rule {
        Rule::Position | Rule::Margin | Rule::StartJump | Rule::Disagreement | Rule::Resume => {
            pick("rad", "m")
        }
        Rule::Velocity => pick("rad/s", "m/s"),
        Rule::Acceleration => pick("rad/s^2", "m/s^2"),
        Rule::Jerk => pick("rad/s^3", "m/s^3"),
        Rule::EndEffectorSpeed => "m/s",
        Rule::Workspace | Rule::SelfClearance | Rule::SceneClearance => "m",
        Rule::Age
        | Rule::Clock
        | Rule::Lock
        | Rule::ObservationAge
        | Rule::JointStateAge
        | Rule::InferenceAge
        | Rule::State => "s",
        _ => "",
    }
}

/// One event in words, with its numbers.
#[must_use]
pub fn sentence(event: &Event, robot: &Robot) -> String {
    let mut text = rule_name(event.rule).replace('_', " ");
    if let Some(joint) = &event.joint {
        text.push_str(&format!(" of {joint}"));
    }
    if let Some(step) = event.step {
        text.push_str(&format!(" at row {step}"));
    }
    let unit = unit_of(event, robot);
    match (event.asked, event.limit) {
        (Some(asked), Some(limit)) => {
            text.push_str(&format!(": {asked:.4} against {limit:.4} {unit}"))
        }
        (Some(asked), None) => text.push_str(&format!(": {asked:.4} {unit}")),
        _ => {}
    }
    let done = format!("{:?}", event.action).to_lowercase();
    format!("{}: {done}", text.trim_end())
}
