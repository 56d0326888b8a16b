//! The status of the four nodes in one place; the topics `status` and `/diagnostics` are made from
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::ForesightError;

use crate::condition::{Condition, Source};
use crate::stages::{ProcessorTimes, RateMeter, StageTimes};

/// The policy's state, as on the topic `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyState {
    /// No model is loaded.
    #[default]
    Unconfigured,
    /// Loaded, silent.
    Inactive,
    /// Active, but something is missing.
    Waiting,
    /// Sending motion.
    Running,
    /// Decelerating or at rest because of a watchdog or a lock; resumes by itself.
    Holding,
    /// Stopped and latched.
    Stopped,
    /// A node failed.
    Fault,
}

/// What the safety filter last decided about motion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MotionState {
    /// Nothing was sent yet, or the motion ended.
    #[default]
    Rest,
    /// A checked trajectory runs.
    Moving,
    /// Held by a watchdog or a lock, for this reason.
    Held(String),
    /// Latched, for this reason.
    Latched(String),
}

/// Counters and gauges: all that the topics `status` and `/diagnostics` contain.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Whether resources are loaded.
    pub configured: bool,
    /// Nodes that are active, by name.
    pub active: BTreeMap<&'static str, bool>,
    /// A failure that ends the process, with its reason.
    pub fault: Option<String>,
    /// What keeps the policy from running, by its source.
    pub conditions: BTreeMap<Source, Condition>,
    /// What the safety filter does.
    pub motion: MotionState,
    /// Robot, model and instruction, as text.
    pub robot: String,
    /// See [`Status::robot`].
    pub model: String,
    /// See [`Status::robot`].
    pub instruction: Arc<str>,
    /// Whether the policy foresees.
    pub foresees: bool,
    /// Epoch, and chunks in it.
    pub epoch: u64,
    /// See [`Status::epoch`].
    pub chunks: u64,
    /// Chunks since activation.
    pub total_chunks: u64,
    /// Observations, chunks, trajectories a second.
    pub observation_rate: RateMeter,
    /// See [`Status::observation_rate`].
    pub chunk_rate: RateMeter,
    /// See [`Status::observation_rate`].
    pub trajectory_rate: RateMeter,
    /// Stage times of the last chunk.
    pub stages: StageTimes,
    /// What the policy has cost.
    pub processor: ProcessorTimes,
    /// From the last message of the observation to the published trajectory.
    pub latency: Duration,
    /// The last latencies, newest last, at most 1000.
    pub latencies: std::collections::VecDeque<Duration>,
    /// Stamp of the newest complete observation, ns.
    pub observation_ns: Option<i64>,
    /// Stamp of the newest joint state, ns.
    pub joints_ns: Option<i64>,
    /// The last foresight error.
    pub foresight: Option<ForesightError>,
    /// Frames refused or overtaken before they were used.
    pub dropped_frames: u64,
    /// Observations that a newer one replaced before inference took them.
    pub overtaken: u64,
    /// Interventions of the safety filter.
    pub interventions: u64,
    /// Locks that are closed or silent.
    pub locks: Vec<String>,
    /// Whose distances nothing checks: [`f1_robot::clearance::Clearance::not_checked`].
    pub unchecked: Vec<String>,
}

impl Status {
    /// Sets a condition, in place of the one that its source had. Whether the source had none:
    /// numbers in a text change all the time, the kind of fault is the news.
    pub fn raise(&mut self, condition: Condition) -> bool {
        self.conditions.insert(condition.source(), condition).is_none()
    }

    /// Whether this condition holds now.
    #[must_use]
    pub fn has(&self, condition: &Condition) -> bool {
        self.conditions.get(&condition.source()) == Some(condition)
    }

    /// Removes the condition of a source. Whether it had one.
    pub fn clear(&mut self, source: &Source) -> bool {
        self.conditions.remove(source).is_some()
    }

    /// Sets or removes the condition of a source. Whether there is one now and was none, or the
    /// other way round.
    pub fn set(&mut self, source: &Source, condition: Option<Condition>) -> bool {
        match condition {
            Some(condition) => self.raise(condition),
            None => self.clear(source),
        }
    }

    /// Notes the latency of a chunk that went out.
    pub fn note_latency(&mut self, latency: Duration) {
        self.latency = latency;
        self.latencies.push_back(latency);
        while self.latencies.len() > 1000 {
            self.latencies.pop_front();
        }
    }

    /// The latency that this share of the last chunks stayed within; zero before the first.
    #[must_use]
    pub fn latency_quantile(&self, share: f64) -> Duration {
        let mut sorted: Vec<Duration> = self.latencies.iter().copied().collect();
        sorted.sort();
        let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or_default()
    }

    /// State and reason, by the first of: a fault, no model, not active, latched, held, waiting,
    /// running.
    #[must_use]
    pub fn state(&self) -> (PolicyState, String) {
        if let Some(fault) = &self.fault {
            return (PolicyState::Fault, fault.clone());
        }
        let texts = |of: fn(&Source) -> bool| {
            let wanted = self.conditions.iter().filter(|(source, _)| of(source));
            wanted.map(|(_, condition)| condition.to_string()).collect::<Vec<_>>().join("; ")
        };
        // Before every node is configured nothing else can be put right.
        let faults = texts(|source| matches!(source, Source::Configuration | Source::Node(_)));
        let conditions = || if faults.is_empty() { texts(|_| true) } else { faults.clone() };
        if !self.configured {
            return (PolicyState::Unconfigured, conditions());
        }
        if self.active.is_empty() || self.active.values().any(|active| !active) {
            let silent: Vec<&str> =
                self.active.iter().filter(|(_, active)| !**active).map(|(name, _)| *name).collect();
            let reason = if silent.is_empty() {
                "no node is active".into()
            } else {
                format!("not active: {}", silent.join(", "))
            };
            let reason = if faults.is_empty() { reason } else { format!("{reason}; {faults}") };
            return (PolicyState::Inactive, reason);
        }
        match &self.motion {
            MotionState::Latched(reason) => (PolicyState::Stopped, reason.clone()),
            MotionState::Held(reason) => {
                let why = conditions();
                (
                    PolicyState::Holding,
                    if why.is_empty() { reason.clone() } else { format!("{reason}: {why}") },
                )
            }
            MotionState::Moving if self.conditions.is_empty() => {
                (PolicyState::Running, String::new())
            }
            _ if !self.conditions.is_empty() => (PolicyState::Waiting, conditions()),
            MotionState::Rest if self.total_chunks > 0 => (PolicyState::Running, String::new()),
            _ => (PolicyState::Waiting, "the first chunk is not there yet".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{Check, Sensor};

    fn ready() -> Status {
        let mut status = Status { configured: true, ..Status::default() };
        for node in ["perception", "foresight", "action", "safety_filter"] {
            status.active.insert(node, true);
        }
        status
    }

    #[test]
    fn the_reason_is_always_there_when_the_robot_does_not_move() {
        let mut status = Status::default();
        assert_eq!(status.state().0, PolicyState::Unconfigured);
        status = ready();
        status.raise(Condition::NoInstruction);
        assert_eq!(status.state(), (PolicyState::Waiting, "no instruction".into()));
        status.motion = MotionState::Held("observation age 2.1 s".into());
        assert_eq!(
            status.state(),
            (PolicyState::Holding, "observation age 2.1 s: no instruction".into())
        );
        status.motion = MotionState::Latched("10 interventions".into());
        assert_eq!(status.state(), (PolicyState::Stopped, "10 interventions".into()));
        status.active.insert("action", false);
        assert_eq!(status.state(), (PolicyState::Inactive, "not active: action".into()));
        status.fault = Some("node action panicked".into());
        assert_eq!(status.state().0, PolicyState::Fault);
    }

    #[test]
    fn a_condition_is_news_once() {
        let mut status = ready();
        let sensor = Sensor::Camera("front".into());
        let silent = |seconds| Condition::Silent { sensor: sensor.clone(), seconds };
        assert!(status.raise(silent(1.0)));
        assert!(!status.raise(silent(1.1)));
        assert_eq!(status.state().1, "camera front: nothing received for 1.1 s");
        assert!(status.clear(&sensor.source(Check::Silence)));
        assert!(!status.clear(&sensor.source(Check::Silence)));
    }

    #[test]
    fn each_source_has_a_condition_of_its_own() {
        let mut status = ready();
        let camera = |name: &str| Sensor::Camera(name.into());
        for sensor in [camera("front"), camera("wrist"), Sensor::Joints] {
            status.raise(Condition::Silent { sensor: sensor.clone(), seconds: 1.0 });
            status.raise(Condition::StampPast { sensor, seconds: 2.0 });
        }
        status.raise(Condition::NoInstruction);
        assert_eq!(status.conditions.len(), 7);
        status.conditions.retain(|source, _| !source.is_of_perception());
        assert_eq!(status.state().1, "no instruction");
    }
}
