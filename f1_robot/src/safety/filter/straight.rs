//! Going straight to a place, as home: one motion of all joints from rest to rest, through the
//! checks that every motion passes.

use super::{FilterOutput, SafetyFilter};
use crate::safety::stop::Running;
use crate::safety::{Event, Response, Rule, Verdict, space, verify};
use crate::trajectory::{Motion, Stamp, State, nanoseconds, seconds};

/// Greatest speed, acceleration and jerk of a quintic from rest to rest, for a way and a time of 1.
const PEAKS: [f64; 3] = [1.875, 5.773_502_691_896_258, 60.0];

/// Slack for rounding.
const LONGER: f64 = 1.001;

/// A time is lengthened so often at most until the end effectors are slow enough.
const ROUNDS: usize = 12;

/// No way takes longer, s.
const LONGEST: f64 = 600.0;

impl SafetyFilter {
    /// Moves straight to `target` (rad or m, in the order of the joints) from where the robot
    /// rests, at `scale` times the joints' velocity limits: all joints begin and end together. It
    /// is called after a step at the same instant, whose measured state it starts from. Chunks are
    /// not followed meanwhile unless one is given, which ends the motion as any chunk ends another;
    /// until then only joint states are watched.
    ///
    /// Refused, with an event that names joint or links, where a joint or the straight way is not
    /// allowed, or the robot is not at rest.
    pub fn go_straight(&mut self, now: Stamp, target: &[f64], scale: f64) -> FilterOutput {
        let mut events = Vec::new();
        let motion = self.straight(now, target, scale, &mut events);
        let Some(motion) = motion else {
            return FilterOutput { verdict: Verdict::Rejected, events, trajectories: Vec::new() };
        };
        let running = Running { motion, unclean_until: Stamp::MIN };
        let trajectories = self.release(now, running, true, &mut events);
        let refused = trajectories.is_empty() && !self.controllers.is_empty();
        if !refused {
            self.forget_history();
            (self.straight, self.braking, self.stopped) = (true, false, false);
        }
        let verdict = if refused { Verdict::Rejected } else { Verdict::Accepted };
        FilterOutput { verdict, events, trajectories }
    }

    fn straight(
        &self,
        now: Stamp,
        target: &[f64],
        scale: f64,
        events: &mut Vec<Event>,
    ) -> Option<Motion> {
        let refused = |rule| Event::new(rule, Response::Refused);
        if target.len() != self.names.len() || !(scale > 0.0 && scale <= 1.0) {
            events.push(refused(Rule::Shape).numbers(target.len() as f64, self.names.len() as f64));
            return None;
        }
        if self.latch.latched().is_some() {
            events.extend(self.latch.latched());
            return None;
        }
        let Some((_, first, _, true)) = self.origin(now, true) else {
            events.push(refused(Rule::State));
            return None;
        };
        // Hardware measures a little noise as velocity; what runs is at rest.
        if self.moves(now) {
            events.push(refused(Rule::State));
            return None;
        }
        let first: Vec<State> = first.iter().map(|state| State::rest(state.position)).collect();
        let mut goal = Vec::with_capacity(target.len());
        for (joint, (asked, limits)) in target.iter().zip(&self.joints).enumerate() {
            let (name, bounds) = (&self.names[joint], &self.bounds[joint]);
            let asked = limits.near(*asked, first[joint].position);
            let event = refused(Rule::Position).joint(name);
            if !asked.is_finite() || asked < bounds.lower || asked > bounds.upper {
                let bound = if asked < bounds.lower { bounds.lower } else { bounds.upper };
                events.push(event.numbers(asked, bound));
                return None;
            }
            let way = (asked - first[joint].position).abs();
            if way > 0.0 && !bounds.can_move() {
                events.push(refused(Rule::Velocity).joint(name).numbers(way, 0.0));
                return None;
            }
            goal.push(State::rest(asked));
        }
        let mut duration = self.shortest(&first, &goal, scale);
        for _ in 0..ROUNDS {
            let mut motion = Motion::new(now, &first);
            motion.push(nanoseconds(duration).max(1), goal.iter().copied());
            let excess = self.straight_excess(&motion);
            if excess <= 1.0 {
                return self.allowed(motion, events);
            }
            duration *= excess * LONGER;
            if !(duration <= LONGEST) {
                break;
            }
        }
        events.push(refused(Rule::Unreachable));
        None
    }

    /// The time that the slowest joint takes at this part of its speed, s.
    fn shortest(&self, first: &[State], goal: &[State], scale: f64) -> f64 {
        let joints = first.iter().zip(goal).zip(&self.bounds);
        let times = joints.map(|((first, goal), bounds)| {
            let way = (goal.position - first.position).abs();
            if way == 0.0 {
                return 0.0;
            }
            let [speed, acceleration, jerk] = PEAKS.map(|peak| peak * way);
            (speed / (bounds.velocity * scale))
                .max((acceleration / (bounds.acceleration * scale)).sqrt())
                .max((jerk / (bounds.jerk * scale)).cbrt())
        });
        times.fold(0.01, f64::max) * LONGER
    }

    /// By how much the end effectors are too fast.
    fn straight_excess(&self, motion: &Motion) -> f64 {
        let Some(space) = self.space.as_deref() else { return 1.0 };
        let whole = [motion.end() - motion.start()];
        let speeds = space::speeds(motion, space, self.settings.speed, &whole);
        speeds.excess.into_iter().fold(0.0, f64::max)
    }

    /// The motion, if it keeps the limits, workspace and clearance all the way.
    fn allowed(&self, motion: Motion, events: &mut Vec<Event>) -> Option<Motion> {
        if verify::motion(&motion, &self.bounds).is_err() {
            events.push(Event::new(Rule::Unreachable, Response::Refused));
            return None;
        }
        let space = self.space.as_deref();
        let breach = space.and_then(|space| space::breach(&motion, space, self.settings.clearance));
        let Some(breach) = breach else { return Some(motion) };
        // The joint that has the longest way is the first that a person looks at.
        let ways = motion.knot(0).iter().zip(motion.last());
        let way = |(a, b): (&State, &State)| (b.position - a.position).abs();
        let longest = ways.map(way).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        let joint = longest.map_or("", |(joint, _)| self.names[joint].as_str());
        let share = seconds(breach.time) / seconds(motion.end() - motion.start()).max(1e-9);
        let place = format!("{} ({joint} at {:.0} % of the way)", breach.name, share * 100.0);
        let event = Event::new(breach.rule, Response::Refused).joint(&place);
        events.push(event.numbers(breach.asked, breach.limit));
        None
    }
}
