//! What is reported of a chunk before it is changed: waypoints out of bounds, limits that the
//! motion as asked would break, start states that have to be braked first.

use super::candidates::exceeds;
use super::{Kind, Planner, ROUNDING, Row, gaps, outward, sums};
use crate::safety::limiters::{acceleration, jerk, position, start_jump, velocity};
use crate::safety::settings::Mode;
use crate::safety::{Bounds, Event, Response, Rule};
use crate::trajectory::quintic::Hull;
use crate::trajectory::spline::End;
use crate::trajectory::{Stamp, State, seconds};

/// How far a joint that cannot move may be asked to move without a word, rad or m.
const HELD: f64 = 5e-7;

impl Planner<'_> {
    /// Moves waypoints into bounds and holds joints that cannot move; whether anything changed.
    pub(super) fn limit_positions(
        &self,
        first: &[State],
        rows: &mut [Row],
        events: &mut Vec<Event>,
    ) -> bool {
        let action =
            if self.settings.mode == Mode::Reject { Response::Refused } else { Response::Clamped };
        let mut changed = false;
        for (joint, (bounds, start)) in self.bounds.iter().zip(first).enumerate() {
            let margin = bounds.margin(self.settings.margin);
            let mut worst: Option<(f64, Event)> = None;
            for row in rows.iter_mut() {
                let asked = row.positions[joint];
                let (allowed, rule, limit, action) = if bounds.can_move() {
                    let clamped = position::clamp(asked, start.position, bounds, margin);
                    let Some((rule, limit)) = clamped.broken else { continue };
                    (clamped.position, rule, limit, action)
                } else {
                    if (asked - start.position).abs() <= HELD {
                        row.positions[joint] = start.position;
                        continue;
                    }
                    (start.position, immovable_by(bounds), 0.0, Response::Held)
                };
                row.positions[joint] = allowed;
                let off = (asked - allowed).abs();
                if worst.as_ref().is_none_or(|(most, _)| off > *most) {
                    let event = Event::new(rule, action).joint(&self.joints[joint].name);
                    worst = Some((off, event.step(row.step).numbers(asked, limit)));
                }
            }
            if let Some((_, event)) = worst {
                changed = true;
                events.push(event);
            }
        }
        changed
    }

    /// Joints that cannot move stay where they are.
    pub(super) fn hold_immovable(&self, rest: &[State], rows: &mut [Row]) {
        for (joint, (bounds, rest)) in self.bounds.iter().zip(rest).enumerate() {
            if !bounds.can_move() {
                rows.iter_mut().for_each(|row| row.positions[joint] = rest.position);
            }
        }
    }

    /// Reports what the chunk asks beyond the limits; returns whether only its first intervals do.
    pub(super) fn report(
        &self,
        start: Stamp,
        first: &[State],
        rows: &[Row],
        events: &mut Vec<Event>,
    ) -> bool {
        let reject = self.settings.mode == Mode::Reject;
        let action = if reject { Response::Refused } else { Response::Scaled };
        for (joint, (bounds, from)) in self.bounds.iter().zip(first).enumerate() {
            let time = seconds(rows[0].due);
            let jump = start_jump::check(rows[0].positions[joint], from.position, time, bounds);
            if let Some((asked, limit)) = jump {
                let event = Event::new(Rule::StartJump, action).joint(&self.joints[joint].name);
                events.push(event.step(rows[0].step).numbers(asked, limit));
            }
        }
        let durations = gaps(rows);
        let Some(motion) =
            self.candidate(Kind::Spline(End::Rest), start, first, rows, &durations, &[])
        else {
            return false;
        };
        let dues = sums(&durations);
        // For each joint and rule the worst: excess, interval and value.
        let mut worst = vec![[(1.0 + 1e-6, 0, 0.0); 3]; self.bounds.len()];
        for (segment, a, b, duration) in motion.segments() {
            let end = motion.times()[segment + 1];
            let interval = dues.partition_point(|&due| due < end).min(dues.len().saturating_sub(1));
            for (joint, (a, b)) in a.iter().zip(b).enumerate() {
                if a == b && a.is_rest() {
                    continue;
                }
                let (hull, bounds) = (Hull::between(a, b, duration), &self.bounds[joint]);
                if !exceeds(&hull, bounds) {
                    continue;
                }
                let found = [
                    (velocity::excess(&hull, bounds), interval, velocity::peak(&hull)),
                    (acceleration::excess(&hull, bounds), interval, acceleration::peak(&hull)),
                    (jerk::excess(&hull, bounds), interval, jerk::peak(&hull)),
                ];
                for (worst, found) in worst[joint].iter_mut().zip(found) {
                    if found.0 > worst.0 {
                        *worst = found;
                    }
                }
            }
        }
        let mut latest = 0;
        let before = events.len();
        for (joint, worst) in worst.iter().enumerate() {
            let bounds = &self.bounds[joint];
            for ((rule, limit), (_, interval, asked)) in [
                (Rule::Velocity, bounds.velocity),
                (Rule::Acceleration, bounds.acceleration),
                (Rule::Jerk, bounds.jerk),
            ]
            .into_iter()
            .zip(worst)
            {
                if *asked > 0.0 {
                    latest = latest.max(*interval);
                    let event = Event::new(rule, action).joint(&self.joints[joint].name);
                    events.push(event.step(rows[*interval].step).numbers(*asked, limit));
                }
            }
        }
        if let Some(space) = self.space {
            let speeds = self.speeds(&motion, space, &durations);
            if let Some((excess, arm, interval, speed, limit)) = speeds.fastest
                && excess > 1.0
            {
                latest = latest.max(interval);
                let event = Event::new(Rule::EndEffectorSpeed, action).joint(space.arm(arm));
                events.push(event.step(rows[interval].step).numbers(speed, limit));
            }
        }
        if events.len() == before && !self.within_positions(&motion) {
            // Between waypoints that are all inside, the motion would swing outside.
            events.push(Event::new(Rule::Position, action));
        }
        latest <= 1
    }

    /// Reports why a start state cannot be moved on from (see `verify_start`) but has to be braked
    /// first.
    pub(super) fn report_start(&self, first: &[State], events: &mut Vec<Event>) {
        let reject = self.settings.mode == Mode::Reject;
        let action = if reject { Response::Refused } else { Response::Scaled };
        for ((state, bounds), joint) in first.iter().zip(self.bounds).zip(self.joints) {
            let mut say = |rule, asked, limit| {
                events.push(Event::new(rule, action).joint(&joint.name).numbers(asked, limit));
            };
            if !bounds.can_move() && !state.is_rest() {
                say(immovable_by(bounds), state.velocity, 0.0);
            } else if state.velocity.abs() > bounds.velocity * (1.0 + ROUNDING) {
                say(Rule::Velocity, state.velocity.abs(), bounds.velocity);
            } else if state.acceleration.abs() > bounds.acceleration * (1.0 + ROUNDING) {
                say(Rule::Acceleration, state.acceleration.abs(), bounds.acceleration);
            } else if outward(state, bounds) {
                let limit = if state.velocity > 0.0 { bounds.upper } else { bounds.lower };
                say(Rule::Position, state.position, limit);
            }
        }
    }
}

fn immovable_by(bounds: &Bounds) -> Rule {
    if !bounds.can_stop() && bounds.acceleration < bounds.jerk {
        Rule::Acceleration
    } else if !bounds.can_stop() {
        Rule::Jerk
    } else {
        Rule::Velocity
    }
}
