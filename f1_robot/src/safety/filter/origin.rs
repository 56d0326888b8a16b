//! Where a new motion starts, and how the robot comes to rest from there.

use super::SafetyFilter;
use super::measured::Measured;
use crate::safety::stop::{self, Running};
use crate::safety::{Event, Response, Rule};
use crate::trajectory::brake::GRID;
use crate::trajectory::{Motion, Stamp, State, nanoseconds, seconds};

/// The running motion's part before a takeover and what follows it.
pub(super) fn join(before: Option<Motion>, next: Running) -> Running {
    match before {
        None => next,
        Some(mut motion) => {
            motion.append(&next.motion);
            Running { motion, ..next }
        }
    }
}

impl SafetyFilter {
    /// The instant at which a new motion may take over from the running one, and the running one's
    /// part until then.
    fn takeover(&self, now: Stamp) -> (Stamp, Option<Motion>) {
        let Some(running) = &self.running else { return (now, None) };
        let motion = &running.motion;
        let at = now.saturating_add(nanoseconds(self.settings.lead).max(0));
        if at <= now && motion.begin() <= now {
            return (now, None);
        }
        let at = at.max(motion.begin());
        let knot = motion
            .times()
            .iter()
            .map(|time| motion.start() + time)
            .find(|knot| (knot - at).abs() < GRID);
        let at = knot.unwrap_or(at).max(now);
        (at, Some(motion.piece(now, at, GRID)))
    }

    /// The start of a new motion: instant, states, the running motion's part before it, whether it
    /// is measured.
    pub(super) fn origin(
        &self,
        now: Stamp,
        restart: bool,
    ) -> Option<(Stamp, Vec<State>, Option<Motion>, bool)> {
        // A state that is too old does not tell where the robot is now.
        let age = |measured: &&Measured| seconds(now.saturating_sub(measured.stamp));
        let measured = self
            .measured
            .as_ref()
            .filter(|measured| age(measured) <= self.settings.joint_state_age);
        match (&self.running, measured) {
            (_, Some(measured)) if restart || self.running.is_none() => {
                Some((now, measured.at(now), None, true))
            }
            (Some(running), _) => {
                let (at, before) = self.takeover(now);
                Some((at, running.motion.sample(at), before, false))
            }
            (None, _) => None,
        }
    }

    /// The stop from an origin.
    pub(super) fn stop_from(
        &self,
        at: Stamp,
        first: &[State],
        measured: bool,
    ) -> Result<Running, usize> {
        match &self.running {
            Some(running) if !measured => Ok(stop::running(running, at, &self.bounds)),
            _ => stop::measured(at, first, &self.bounds),
        }
    }

    /// Brings the robot to rest; nothing if it is at rest or already braking.
    pub(super) fn stop(
        &mut self,
        now: Stamp,
        restart: bool,
        events: &mut Vec<Event>,
    ) -> Option<Running> {
        let (at, first, before, measured) = self.origin(now, restart)?;
        if !restart && self.braking && self.running.is_some() {
            return None;
        }
        if !measured && !self.moves(now) {
            return None;
        }
        if measured && self.running.is_none() && first.iter().all(|state| state.velocity == 0.0) {
            // Nothing of ours runs and nothing moves.
            return None;
        }
        match self.stop_from(at, &first, measured) {
            Ok(stop) => {
                self.braking = true;
                Some(join(before, stop))
            }
            Err(joint) => {
                self.unstoppable(joint, &first, events);
                // What the controllers were given can be stopped at least.
                let running = self.running.as_ref().filter(|_| !self.braking && self.moves(now))?;
                let (at, before) = self.takeover(now);
                let stop = stop::running(running, at, &self.bounds);
                self.braking = true;
                Some(join(before, stop))
            }
        }
    }

    /// A joint was measured moving that cannot be stopped within its limits: nothing harmless
    /// starts from there.
    pub(super) fn unstoppable(&self, joint: usize, first: &[State], events: &mut Vec<Event>) {
        let (velocity, limit) = (first[joint].velocity, self.bounds[joint].acceleration);
        let event = Event::new(Rule::Unstoppable, Response::Reported).joint(&self.names[joint]);
        // So it replaces nothing.
        let replaced = |event: &&mut Event| matches!(event.rule, Rule::Disagreement | Rule::Resume);
        events.iter_mut().filter(replaced).for_each(|event| event.action = Response::Reported);
        events.push(event.numbers(velocity, limit));
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::Robot;
    use crate::safety::FilterSettings;
    use crate::trajectory::SECOND;

    #[test]
    fn before_its_first_knot_a_running_motion_is_not_at_rest() {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
        let robot = Arc::new(Robot::load(&path).unwrap());
        let settings = FilterSettings { lead: 0.0, ..FilterSettings::default() };
        let mut filter = SafetyFilter::new(robot.clone(), settings);
        let rest: Vec<State> = robot.home().iter().map(|home| State::rest(*home)).collect();
        let mut whole = Motion::new(0, &rest);
        let moving = rest.iter().map(|state| State { velocity: 0.01, ..*state });
        whole.push(SECOND / 10, moving.collect::<Vec<_>>());
        whole.push(SECOND, rest.clone());
        // What is left 0.3 ms before a knot begins at that knot.
        let (now, knot) = (SECOND / 10 - 300_000, SECOND / 10);
        let piece = whole.piece(now, whole.end(), GRID);
        assert_eq!((piece.start(), piece.begin()), (now, knot));
        filter.running = Some(Running { motion: piece, unclean_until: Stamp::MIN });
        let (at, first, before, measured) = filter.origin(now, false).unwrap();
        assert!(!measured);
        assert_eq!(at, knot);
        assert!(first.iter().all(|state| state.velocity == 0.01));
        let before = before.unwrap();
        assert_eq!((before.start(), before.begin(), before.end()), (now, knot, knot));
        assert_eq!(before.last(), first);
    }
}
