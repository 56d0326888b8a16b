//! Handing the robot to a person and taking it back.

use std::time::Duration;

use f1_interfaces::f1_msgs::msg::SafetyEvent;
use f1_interfaces::std_msgs::msg::Bool;
use f1_robot::safety::{FilterOutput, Verdict};

use super::super::takeover::Takeover;
use super::{Guarded, Shared};
use crate::status::MotionState;

impl Shared {
    /// A message of the source of takeovers came. What it changes acts at once.
    pub fn takeover(&self, receive: impl FnOnce(&mut Takeover, Duration)) {
        let changed = {
            let mut guarded = self.guarded.lock();
            let before = guarded.takeover.is_taken();
            receive(&mut guarded.takeover, self.clock.steady());
            guarded.takeover.is_taken() != before
        };
        if changed {
            self.tick();
        }
    }

    pub(super) fn report_taken(&self, taken: bool) {
        if let Err(error) = self.reports.taken.publish(Bool { data: taken }) {
            tracing::warn!(%error, "takeover not published");
        }
    }

    /// Hands the robot to a person who has taken over, once what was sent has come to rest, and
    /// takes it back when the person has handed back. Whether it was taken back.
    pub(super) fn hand_over(&self, guarded: &mut Guarded, now_ns: i64) -> bool {
        let taken = guarded.takeover.is_taken();
        let moves = guarded.filter.moves(now_ns) || self.outputs.is_streaming();
        if taken == guarded.handed_over || (taken && moves) {
            return false;
        }
        guarded.handed_over = taken;
        guarded.filter.hand_over();
        if !taken {
            // Until the policy has begun anew no chunk is followed that it made of what it saw
            // meanwhile: no chunk is of this epoch.
            guarded.filter.restart(u64::MAX);
        }
        guarded.state = None;
        guarded.watchdog = None;
        guarded.unknown = false;
        self.outputs.forget();
        self.report_taken(taken);
        let (action, text) = if taken {
            (SafetyEvent::ACTION_STOPPED, "a person moves the robot")
        } else {
            (SafetyEvent::ACTION_RELEASED, "a person handed back")
        };
        tracing::info!("{text}");
        let message = guarded.log.note(now_ns, "takeover", action, text);
        self.publish(message);
        !taken
    }

    /// The step of a filter whose robot a person moves: nothing.
    pub(super) fn step_aside(&self, guarded: &mut Guarded, now_ns: i64) -> FilterOutput {
        guarded.state = None;
        let demands = self.demands(guarded, now_ns);
        self.core.follow(None);
        let mut status = self.core.status.lock();
        status.locks = demands.locks.iter().filter_map(|event| event.joint.clone()).collect();
        status.motion = demands.stop_state().unwrap_or(MotionState::Held(demands.reason()));
        FilterOutput { verdict: Verdict::Stopped, events: Vec::new(), trajectories: Vec::new() }
    }
}
