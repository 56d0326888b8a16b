//! Measured states: reading them, and comparing them with the running motion.

use super::super::bounds::{GREATEST_ANGLE, GREATEST_POSITION, GREATEST_VELOCITY};
use super::{MeasuredState, SETTLED, SafetyFilter};
use crate::safety::{Event, Response, Rule};
use crate::trajectory::{SECOND, Stamp, State, nanoseconds, seconds};

/// What the filter last knew of the joints.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) stamp: Stamp,
    pub(super) states: Vec<State>,
    /// Of which joints the velocity was measured; that of the others counts as zero.
    velocity_known: Vec<bool>,
}

impl Measured {
    /// Where the joints are a little after they were measured, if they went on as they did.
    pub(super) fn at(&self, now: Stamp) -> Vec<State> {
        let age = seconds(now.saturating_sub(self.stamp));
        self.states
            .iter()
            .map(|state| State { position: state.position + age * state.velocity, ..*state })
            .collect()
    }
}

/// What a joint's set-points went through.
#[derive(Debug, Clone, Copy)]
struct Range {
    position: (f64, f64),
    velocity: (f64, f64),
}

impl Default for Range {
    fn default() -> Self {
        let none = (f64::INFINITY, f64::NEG_INFINITY);
        Self { position: none, velocity: none }
    }
}

/// How far `x` is outside a range.
fn beyond(x: f64, (least, greatest): (f64, f64)) -> f64 {
    (least - x).max(x - greatest).max(0.0)
}

impl SafetyFilter {
    /// Takes over a measured state; whether a good one is there, no older than the watchdog allows.
    pub(super) fn take_state(
        &mut self,
        now: Stamp,
        state: Option<&MeasuredState>,
        events: &mut Vec<Event>,
    ) -> bool {
        if let Some(state) = state {
            match self.read_state(now, state) {
                Ok((states, velocity_known)) => {
                    let stamp = state.stamp;
                    self.measured = Some(Measured { stamp, states, velocity_known });
                    self.seen.joint_state = Some(state.stamp);
                }
                Err(event) => {
                    events.push(event);
                    return false;
                }
            }
        }
        let age =
            self.measured.as_ref().map(|measured| seconds(now.saturating_sub(measured.stamp)));
        age.is_some_and(|age| age <= self.settings.joint_state_age)
    }

    /// The joints' states, and of which of them the velocity was measured.
    ///
    /// A velocity that is not a number, and one that the list is too short for, was not measured:
    /// hardware that measures positions only sends either.
    fn read_state(
        &self,
        now: Stamp,
        state: &MeasuredState,
    ) -> Result<(Vec<State>, Vec<bool>), Event> {
        let refused = |rule| Event::new(rule, Response::Refused);
        let count = state.names.len();
        for given in [state.positions.len(), state.velocities.len().max(count)] {
            if given != count {
                return Err(refused(Rule::State).numbers(given as f64, count as f64));
            }
        }
        let ahead = seconds(state.stamp.saturating_sub(now));
        if ahead > 1e-3 {
            return Err(refused(Rule::State).numbers(ahead, 1e-3));
        }
        // Angles of joints that turn without end are brought to the turn of what was sent, or of
        // what was measured before.
        let expected = self.sent_at(state.stamp);
        let before = expected.as_ref().or(self.measured.as_ref().map(|measured| &measured.states));
        self.joints
            .iter()
            .enumerate()
            .map(|(joint, limits)| {
                let name = &limits.name;
                let mut places = state.names.iter().enumerate().filter(|(_, other)| *other == name);
                let (Some((place, _)), None) = (places.next(), places.next()) else {
                    return Err(refused(Rule::Names).joint(name));
                };
                let position = state.positions[place];
                let velocity = state.velocities.get(place).copied().filter(|v| !v.is_nan());
                let (velocity, known) = (velocity.unwrap_or(0.0), velocity.is_some());
                // Written so that not-a-number is refused.
                let most = if limits.continuous { GREATEST_ANGLE } else { GREATEST_POSITION };
                if !(position.abs() <= most) {
                    return Err(refused(Rule::Finite).joint(name).numbers(position, most));
                }
                let before = before.map_or(position, |before| before[joint].position);
                let position = limits.near(position, before);
                if !(velocity.abs() <= GREATEST_VELOCITY) {
                    return Err(refused(Rule::Finite)
                        .joint(name)
                        .numbers(velocity, GREATEST_VELOCITY));
                }
                Ok((State { position, velocity, acceleration: 0.0 }, known))
            })
            .collect()
    }

    /// Compares the measured state with the running motion; whether the measured state has to
    /// replace it.
    ///
    /// A robot follows its set-points with a delay, so a measured state agrees if it lies, but for
    /// the tolerance, in the range that the set-points went through during the last
    /// `tracking_delay`.
    pub(super) fn compare(&mut self, state_is_good: bool, events: &mut Vec<Event>) -> bool {
        let (Some(running), Some(measured)) = (&self.running, &self.measured) else { return false };
        let Some(expected) = self.sent_at(measured.stamp).filter(|_| state_is_good) else {
            return false;
        };
        let resting = self.stopped && running.motion.is_at_rest(measured.stamp);
        // Most states agree with the very instant; only for others the range is looked up.
        let mut ranges: Option<[Vec<Range>; 2]> = None;
        let mut disagree = false;
        for (joint, (expected, found)) in expected.iter().zip(&measured.states).enumerate() {
            let (name, tolerance) = (&self.names[joint], self.tolerances[joint]);
            let resume = resting && !tolerance.gripper;
            let near = if resume {
                self.settings.resume_tolerance.min(tolerance.position)
            } else {
                tolerance.position
            };
            let known = measured.velocity_known[joint];
            let off = (found.position - expected.position).abs();
            let expected_velocity = expected.velocity * self.scale;
            let too_fast = if known { (found.velocity - expected_velocity).abs() } else { 0.0 };
            if off <= near && too_fast <= tolerance.velocity {
                continue;
            }
            let ranges = ranges
                .get_or_insert_with(|| [1, SETTLED].map(|n| self.recently(measured.stamp, n)));
            let [range, settling] = [ranges[0][joint], ranges[1][joint]];
            let off = beyond(found.position, range.position);
            let too_fast = if known { beyond(found.velocity, range.velocity) } else { 0.0 };
            let moved = beyond(found.position, settling.position);
            let event = if off > tolerance.position {
                Event::new(Rule::Disagreement, Response::Restarted).numbers(off, tolerance.position)
            } else if too_fast > tolerance.velocity {
                Event::new(Rule::Disagreement, Response::Restarted)
                    .numbers(too_fast, tolerance.velocity)
            } else if resume && moved > self.settings.resume_tolerance {
                Event::new(Rule::Resume, Response::Restarted)
                    .numbers(moved, self.settings.resume_tolerance)
            } else {
                continue;
            };
            disagree = true;
            events.push(event.joint(name));
        }
        disagree
    }

    /// The set-points at an instant, if they are still known.
    fn sent_at(&self, at: Stamp) -> Option<Vec<State>> {
        let running = self.running.as_ref()?;
        if at >= running.motion.start() {
            return Some(running.motion.sample(at));
        }
        let (motion, _) =
            self.trail.iter().find(|(motion, until)| at >= motion.start() && at < *until)?;
        Some(motion.sample(at))
    }

    /// The ranges of the set-points in `delays` times [`FilterSettings::tracking_delay`] before
    /// `at`.
    fn recently(&self, at: Stamp, delays: i64) -> Vec<Range> {
        let (window, step) = (delays * nanoseconds(self.settings.tracking_delay), SECOND / 200);
        let mut ranges = vec![Range::default(); self.names.len()];
        for back in 0..=window / step {
            let Some(states) = self.sent_at(at - back * step) else { break };
            for (range, state) in ranges.iter_mut().zip(states) {
                let widen =
                    |range: &mut (f64, f64), x: f64| *range = (range.0.min(x), range.1.max(x));
                widen(&mut range.position, state.position);
                widen(&mut range.velocity, state.velocity);
                widen(&mut range.velocity, state.velocity * self.scale);
            }
        }
        ranges
    }
}
