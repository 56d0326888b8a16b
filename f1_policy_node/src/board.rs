//! The one place where the four nodes write how they are; `status` and `/diagnostics` are read from
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::stages::{RateMeter, StageTimes};

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

/// Counters and gauges; everything that status and diagnostics tell.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// Whether resources are loaded.
    pub configured: bool,
    /// Nodes that are active, by name.
    pub active: BTreeMap<&'static str, bool>,
    /// A failure that ends the process, with its reason.
    pub fault: Option<String>,
    /// What keeps the policy from running, by its source (a camera, the joints, the instruction):
    /// a sentence each.
    pub conditions: BTreeMap<String, String>,
    /// What the safety filter does.
    pub motion: MotionState,
    /// Robot, model and instruction, as text.
    pub robot: String,
    /// See [`Board::robot`].
    pub model: String,
    /// See [`Board::robot`].
    pub instruction: Arc<str>,
    /// Epoch, and chunks in it.
    pub epoch: u64,
    /// See [`Board::epoch`].
    pub chunks: u64,
    /// Chunks since activation.
    pub total_chunks: u64,
    /// Observations, chunks, trajectories a second.
    pub observation_rate: RateMeter,
    /// See [`Board::observation_rate`].
    pub chunk_rate: RateMeter,
    /// See [`Board::observation_rate`].
    pub trajectory_rate: RateMeter,
    /// Stage times of the last chunk.
    pub stages: StageTimes,
    /// From the last message of the observation to the published trajectory.
    pub latency: Duration,
    /// The last latencies, newest last, at most 1000.
    pub latencies: std::collections::VecDeque<Duration>,
    /// Stamp of the newest complete observation, ns.
    pub observation_ns: Option<i64>,
    /// Stamp of the newest joint state, ns.
    pub joints_ns: Option<i64>,
    /// The last foresight error: PSNR in dB and token agreement.
    pub foresight: Option<(f64, f64)>,
    /// Frames refused or overtaken before they were used.
    pub dropped_frames: u64,
    /// Observations that a newer one replaced before inference took them.
    pub overtaken: u64,
    /// Interventions of the safety filter.
    pub interventions: u64,
    /// Locks that are closed or silent.
    pub locks: Vec<String>,
}

impl Board {
    /// Notes or clears what keeps the policy from running. Returns whether that changed.
    pub fn condition(&mut self, source: &str, reason: Option<String>) -> bool {
        match reason {
            Some(reason) => {
                let known = self.conditions.get(source);
                // Numbers in a sentence change all the time: the kind of fault is what counts as
                // news.
                let news = known.is_none();
                self.conditions.insert(source.to_owned(), reason);
                news
            }
            None => self.conditions.remove(source).is_some(),
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
        let conditions = || self.conditions.values().cloned().collect::<Vec<_>>().join("; ");
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

    fn ready() -> Board {
        let mut board = Board { configured: true, ..Board::default() };
        for node in ["perception", "foresight", "action", "safety_filter"] {
            board.active.insert(node, true);
        }
        board
    }

    #[test]
    fn the_reason_is_always_there_when_the_robot_does_not_move() {
        let mut board = Board::default();
        assert_eq!(board.state().0, PolicyState::Unconfigured);
        board = ready();
        board.condition("instruction", Some("no instruction".into()));
        assert_eq!(board.state(), (PolicyState::Waiting, "no instruction".into()));
        board.motion = MotionState::Held("observation age 2.1 s".into());
        assert_eq!(
            board.state(),
            (PolicyState::Holding, "observation age 2.1 s: no instruction".into())
        );
        board.motion = MotionState::Latched("10 interventions".into());
        assert_eq!(board.state(), (PolicyState::Stopped, "10 interventions".into()));
        board.active.insert("action", false);
        assert_eq!(board.state(), (PolicyState::Inactive, "not active: action".into()));
        board.fault = Some("node action panicked".into());
        assert_eq!(board.state().0, PolicyState::Fault);
    }

    #[test]
    fn a_condition_is_news_once() {
        let mut board = ready();
        assert!(board.condition("camera front", Some("silent for 1.0 s".into())));
        assert!(!board.condition("camera front", Some("silent for 1.1 s".into())));
        assert!(board.condition("camera front", None));
        assert!(!board.condition("camera front", None));
    }
}
