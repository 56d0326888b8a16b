//! What demands that the robot stands still.

use std::time::Duration;

use f1_robot::safety::Event;

use crate::status::MotionState;
use crate::topics::RESET_FILTER;

/// What demands that the robot stands still, beside the filter's own watchdogs.
#[derive(Default)]
pub(super) struct Demands {
    /// Only a reset or an activation takes it back.
    pub stop: Option<String>,
    /// Reasons that end by themselves.
    pub holds: Vec<String>,
    /// The locks' events.
    pub locks: Vec<Event>,
    /// The joint that was measured longest ago while the robot moves, and how long ago, on the
    /// steady clock.
    pub silent: Option<(String, Duration)>,
}

impl Demands {
    pub fn any(&self) -> bool {
        self.stop.is_some() || !self.holds.is_empty() || self.silent.is_some()
    }

    /// The state of a robot that only a reset lets move again.
    pub fn stop_state(&self) -> Option<MotionState> {
        let released = |reason| format!("{reason}; {} releases it", RESET_FILTER.name);
        self.stop.as_ref().map(|reason| MotionState::Latched(released(reason)))
    }

    pub fn reason(&self) -> String {
        let silent = self.silent.as_ref().map(|(joint, age)| {
            format!("joint states are silent for {:.2} s ({joint})", age.as_secs_f64())
        });
        self.stop.iter().chain(&self.holds).chain(&silent).cloned().collect::<Vec<_>>().join("; ")
    }
}
