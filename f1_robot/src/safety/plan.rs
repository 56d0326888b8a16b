//! From waypoints to a motion that passes [`verify`]: the candidates, from "exactly as asked" to
//! "brake first, then go slowly".

use super::limiters::{acceleration, jerk, position, start_jump, velocity};
use super::settings::{FilterSettings, Mode};
use super::space::{self, Breach, Space, Speeds};
use super::stop::Running;
use super::{Bounds, Event, Response, Rule, verify};
use crate::JointLimits;
use crate::trajectory::quintic::{Hull, stays_within};
use crate::trajectory::spline::{self, End, SHORTEST, TailLimit, Waypoints};
use crate::trajectory::{Motion, SECOND, Stamp, State, seconds, stretch};

/// A waypoint of the chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The chunk's row.
    pub step: usize,
    /// Nanoseconds after the motion's start.
    pub due: i64,
    /// Positions of all joints.
    pub positions: Vec<f64>,
}

/// What the planner knows.
#[derive(Debug)]
pub struct Planner<'a> {
    /// The joints.
    pub joints: &'a [JointLimits],
    /// Their limits.
    pub bounds: &'a [Bounds],
    /// The robot in space, if that is checked.
    pub space: Option<&'a dyn Space>,
    /// The parameters.
    pub settings: &'a FilterSettings,
}

/// A motion that passed every check.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The motion.
    pub running: Running,
    /// Every waypoint is met exactly and on time.
    pub exact: bool,
    /// It counts as an intervention (see [`super::LatchSettings`]).
    pub intervention: bool,
}

/// How waypoints are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The spline of [`spline::through`].
    Spline(End),
    /// Quintics that never leave the box around two neighbouring waypoints.
    Monotone,
}

/// Why a kind of motion does not fit.
enum Misfit {
    /// It leaves the workspace or comes too close.
    Breach(Breach),
    /// Its limits.
    Limits,
}

/// Candidates are lengthened so often at most.
const ROUNDS: usize = 12;

impl Planner<'_> {
    /// The motion from `first` at `start` through `rows` (all due after `start`, in order), or
    /// `None` if there is none that passes. `stop` is how the robot would stop from there. What
    /// was changed and why is added to `events`.
    pub fn plan(
        &self,
        start: Stamp,
        first: &[State],
        mut rows: Vec<Row>,
        stop: impl FnOnce() -> Option<Running>,
        events: &mut Vec<Event>,
    ) -> Option<Planned> {
        let reject = self.settings.mode == Mode::Reject;
        let mut changed = self.limit_positions(first, &mut rows, events);
        let mut intervention = changed;
        if changed && reject {
            return None;
        }
        // Waypoints that are due at once are under way already.
        while rows.len() > 1 && rows[0].due < SHORTEST {
            events.push(Event::new(Rule::Splice, Response::Skipped).step(rows[0].step));
            rows.remove(0);
            changed = true;
        }
        let last = rows.last_mut()?;
        last.due = last.due.max(SHORTEST);
        let done = |running, exact, intervention| Some(Planned { running, exact, intervention });
        let clean = |motion| Running { motion, unclean_until: Stamp::MIN };
        let mut breached = None;
        if self.may_start(first) {
            match self.nominal(start, first, &rows) {
                Ok(motion) => return done(clean(motion), !changed, intervention),
                Err(Misfit::Breach(breach)) => breached = Some(breach),
                Err(Misfit::Limits) => {}
            }
            let said = events.len();
            let early = self.report(start, first, &rows, events);
            let skipped =
                if early { self.skipped(start, first, &rows, said, events) } else { None };
            intervention |=
                skipped.is_none() && events.iter().any(|event| event.rule == Rule::StartJump);
            if let Some(motion) = skipped {
                return done(clean(motion), false, intervention);
            }
        } else {
            self.report_start(first, events);
        }
        if reject {
            if let Some(breach) = breached {
                events.push(cut(&breach, None, Response::Refused));
            }
            return None;
        }
        if self.may_start(first)
            && let Some(motion) =
                self.stretched(start, first, &mut rows, gaps, &mut intervention, events)
        {
            return done(clean(motion), false, intervention);
        }
        // Brake first, then go from rest.
        let stop = stop()?;
        let (rest, at) = (stop.motion.last().to_vec(), stop.motion.end());
        self.hold_immovable(&rest, &mut rows);
        // After the stop the waypoints keep their spacing.
        let after_stop = |rows: &[Row]| {
            let shift =
                (SHORTEST.max(nominal_gap(rows)) - rows.first().map_or(0, |row| row.due)).max(0);
            let mut gaps = gaps(rows);
            gaps.iter_mut().take(1).for_each(|gap| *gap += shift);
            gaps
        };
        let motion = self.stretched(at, &rest, &mut rows, after_stop, &mut intervention, events)?;
        let mut whole = stop.motion.clone();
        whole.append(&motion);
        done(Running { motion: whole, unclean_until: stop.unclean_until }, false, intervention)
    }

    /// Moves waypoints into bounds and holds joints that cannot move; whether anything changed.
    fn limit_positions(&self, first: &[State], rows: &mut [Row], events: &mut Vec<Event>) -> bool {
        let action =
            if self.settings.mode == Mode::Reject { Response::Refused } else { Response::Clamped };
        let mut changed = false;
        for (joint, (bounds, start)) in self.bounds.iter().zip(first).enumerate() {
            let margin = self.settings.margin * (bounds.upper - bounds.lower);
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
    fn hold_immovable(&self, rest: &[State], rows: &mut [Row]) {
        for (joint, (bounds, rest)) in self.bounds.iter().zip(rest).enumerate() {
            if !bounds.can_move() {
                rows.iter_mut().for_each(|row| row.positions[joint] = rest.position);
            }
        }
    }

    /// Whether a motion may start in this state, or has to brake first.
    fn may_start(&self, first: &[State]) -> bool {
        verify_start(first, self.bounds)
    }

    /// The waypoints exactly and on time.
    fn nominal(&self, start: Stamp, first: &[State], rows: &[Row]) -> Result<Motion, Misfit> {
        let durations = gaps(rows);
        let mut misfit = Misfit::Limits;
        let mut tame = Vec::new();
        for end in [End::Tail, End::Rest] {
            match self.exact(Kind::Spline(end), start, first, rows, &durations, &tame) {
                Ok(motion) => return Ok(motion),
                Err(Misfit::Breach(breach)) => misfit = Misfit::Breach(breach),
                Err(Misfit::Limits) => {}
            }
            // A spline swings a little beyond waypoints that lie on a bound, as those of an open
            // gripper do.
            if end == End::Tail
                && let Some(motion) =
                    self.candidate(Kind::Spline(end), start, first, rows, &durations, &[])
            {
                tame = self.beyond(&motion);
                if tame.contains(&true)
                    && let Ok(motion) =
                        self.exact(Kind::Spline(end), start, first, rows, &durations, &tame)
                {
                    return Ok(motion);
                }
            }
        }
        Err(misfit)
    }

    /// Which joints leave their bounds somewhere.
    fn beyond(&self, motion: &Motion) -> Vec<bool> {
        let mut beyond = vec![false; motion.joints()];
        for (_, a, b, duration) in motion.segments() {
            let states = a.iter().zip(b).zip(self.bounds).zip(motion.knot(0));
            for ((((a, b), bounds), start), beyond) in states.zip(&mut beyond) {
                *beyond |= !within(a, b, duration, &bounds.from(start.position));
            }
        }
        beyond
    }

    /// One candidate at given durations, checked.
    fn exact(
        &self,
        kind: Kind,
        start: Stamp,
        first: &[State],
        rows: &[Row],
        durations: &[i64],
        tame: &[bool],
    ) -> Result<Motion, Misfit> {
        let motion =
            self.candidate(kind, start, first, rows, durations, tame).ok_or(Misfit::Limits)?;
        verify::motion(&motion, self.bounds).map_err(|_| Misfit::Limits)?;
        let Some(space) = self.space else { return Ok(motion) };
        if self.speeds(&motion, space, durations).excess.iter().any(|excess| *excess > 1.0) {
            return Err(Misfit::Limits);
        }
        space::breach(&motion, space, self.settings.clearance)
            .map_or(Ok(motion), |breach| Err(Misfit::Breach(breach)))
    }

    fn speeds(&self, motion: &Motion, space: &dyn Space, durations: &[i64]) -> Speeds {
        space::speeds(motion, space, self.settings.speed, &sums(durations))
    }

    fn candidate(
        &self,
        kind: Kind,
        start: Stamp,
        first: &[State],
        rows: &[Row],
        durations: &[i64],
        tame: &[bool],
    ) -> Option<Motion> {
        let positions: Vec<&[f64]> = rows.iter().map(|row| row.positions.as_slice()).collect();
        let waypoints = Waypoints { durations, rows: &positions };
        match kind {
            Kind::Spline(end) => {
                let limit = |bounds: &Bounds| TailLimit {
                    acceleration: bounds.acceleration,
                    jerk: bounds.jerk,
                };
                let tail: Vec<TailLimit> = self.bounds.iter().map(limit).collect();
                spline::through(start, first, &waypoints, end, &tail, tame)
            }
            Kind::Monotone => spline::monotone(start, first, &waypoints),
        }
    }

    /// By how much each interval is too short for the joints' limits (1: not at all).
    fn factors(&self, motion: &Motion, dues: &[i64]) -> Vec<f64> {
        let mut ratios = vec![[1.0_f64; 3]; dues.len()];
        for (segment, a, b, duration) in motion.segments() {
            let end = motion.times()[segment + 1];
            let interval = dues.partition_point(|&due| due < end).min(dues.len().saturating_sub(1));
            for ((a, b), bounds) in a.iter().zip(b).zip(self.bounds) {
                if a == b && a.is_rest() {
                    continue;
                }
                let hull = Hull::between(a, b, duration);
                if exceeds(&hull, bounds) {
                    let worst = &mut ratios[interval];
                    worst[0] = worst[0].max(velocity::excess(&hull, bounds));
                    worst[1] = worst[1].max(acceleration::excess(&hull, bounds));
                    worst[2] = worst[2].max(jerk::excess(&hull, bounds));
                }
            }
        }
        ratios
            .into_iter()
            .map(|[velocity, acceleration, jerk]| stretch::factor(velocity, acceleration, jerk))
            .collect()
    }

    /// The waypoints' path, in as much more time as it needs. What comes after the path leaves what
    /// is allowed in space is cut from `rows`. `gaps` gives the durations asked for.
    fn stretched(
        &self,
        start: Stamp,
        first: &[State],
        rows: &mut Vec<Row>,
        gaps: impl Fn(&[Row]) -> Vec<i64>,
        intervention: &mut bool,
        events: &mut Vec<Event>,
    ) -> Option<Motion> {
        let mut durations = gaps(rows);
        let mut cuts = 0;
        while !rows.is_empty() {
            let asked = gaps(rows);
            let mut fit =
                self.fit(Kind::Spline(End::Rest), start, first, rows, &asked, &mut durations);
            if let Err(Misfit::Limits) = fit {
                durations.clone_from(&asked);
                fit = self.fit(Kind::Monotone, start, first, rows, &asked, &mut durations);
            }
            match fit {
                Ok(motion) => return Some(motion),
                Err(Misfit::Limits) => return None,
                Err(Misfit::Breach(breach)) => {
                    *intervention = true;
                    // The interval of the breach, and after that ever more, so that there are few
                    // attempts.
                    let interval = sums(&durations).partition_point(|&due| due < breach.time);
                    let keep = interval.min(rows.len() - 1).saturating_sub((1 << cuts) - 1);
                    cuts += 1;
                    events.push(cut(&breach, Some(rows[keep].step), Response::Cut));
                    rows.truncate(keep);
                    // The time that was found for what remains is kept.
                    durations.truncate(keep);
                }
            }
        }
        None
    }

    /// Lengthens `durations`, those `asked` for or longer ones, until the motion fits.
    fn fit(
        &self,
        kind: Kind,
        start: Stamp,
        first: &[State],
        rows: &[Row],
        asked: &[i64],
        durations: &mut [i64],
    ) -> Result<Motion, Misfit> {
        let mut tame = Vec::new();
        let longest = seconds(asked.iter().sum()) * self.settings.longest_stretch + 10.0;
        for round in 0..ROUNDS {
            let motion =
                self.candidate(kind, start, first, rows, durations, &tame).ok_or(Misfit::Limits)?;
            if round == 0
                && let Some(space) = self.space
                && let Some(breach) =
                    space::breach_at_knots(&motion, space, self.settings.clearance)
                && sums(durations).contains(&breach.time)
            {
                // A waypoint that is not allowed is none in more time either.
                return Err(Misfit::Breach(breach));
            }
            let mut factors = self.factors(&motion, &sums(durations));
            if factors.iter().all(|factor| *factor <= 1.0 + 1e-6) {
                if verify::motion(&motion, self.bounds).is_ok() {
                    let Some(space) = self.space else { return Ok(motion) };
                    let speeds = self.speeds(&motion, space, durations);
                    if speeds.excess.iter().all(|excess| *excess <= 1.0) {
                        let breach = space::breach(&motion, space, self.settings.clearance);
                        return breach.map_or(Ok(motion), |breach| Err(Misfit::Breach(breach)));
                    }
                    factors
                        .iter_mut()
                        .zip(speeds.excess)
                        .for_each(|(factor, excess)| *factor = factor.max(excess));
                } else {
                    if !self.within_positions(&motion) {
                        if !tame.is_empty() {
                            return Err(Misfit::Limits);
                        }
                        tame = self.beyond(&motion);
                        continue;
                    }
                    factors.iter_mut().for_each(|factor| *factor = 1.01);
                }
            }
            let most = factors.iter().copied().fold(1.0, f64::max);
            if round >= ROUNDS / 2 || (round >= 2 && most < 1.1) {
                // A whole motion from rest that is slowed down keeps its shape: this ends it.
                factors.iter_mut().for_each(|factor| *factor = most);
            }
            stretch::lengthen(durations, &factors);
            if !(seconds(durations.iter().sum()) <= longest) {
                return Err(Misfit::Limits);
            }
        }
        Err(Misfit::Limits)
    }

    /// Whether stretching can help: no position is out of bounds.
    fn within_positions(&self, motion: &Motion) -> bool {
        !self.beyond(motion).contains(&true)
    }

    /// Says what the chunk asks beyond the limits; whether only its first intervals do.
    fn report(&self, start: Stamp, first: &[State], rows: &[Row], events: &mut Vec<Event>) -> bool {
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

    /// Says why a start state cannot be moved on from (see [`verify_start`]) but has to be braked
    /// first.
    fn report_start(&self, first: &[State], events: &mut Vec<Event>) {
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

    /// The chunk without its first waypoints, on time: a small step between two chunks is smoothed
    /// so.
    fn skipped(
        &self,
        start: Stamp,
        first: &[State],
        rows: &[Row],
        said: usize,
        events: &mut Vec<Event>,
    ) -> Option<Motion> {
        let reject = self.settings.mode == Mode::Reject;
        // A strict filter passes over no waypoint but the one that is already under way.
        let under_way = nominal_gap(rows) / 2;
        for skip in 1..rows.len().min(4) {
            let passed = rows[skip - 1].due;
            if passed > if reject { under_way } else { 3 * SECOND / 10 } {
                return None;
            }
            if let Ok(motion) = self.nominal(start, first, &rows[skip..]) {
                // What was exceeded is no longer asked for.
                events.iter_mut().skip(said).for_each(|event| event.action = Response::Skipped);
                events.push(Event::new(Rule::Splice, Response::Skipped).step(rows[skip - 1].step));
                return Some(motion);
            }
        }
        None
    }
}

/// Whether a segment may exceed a limit: its hulls do.
fn exceeds(hull: &Hull, bounds: &Bounds) -> bool {
    let within = |hull: &[f64], limit: f64| hull.iter().all(|x| x.abs() <= limit);
    !(within(&hull.jerk, bounds.jerk)
        && within(&hull.acceleration, bounds.acceleration)
        && within(&hull.velocity, bounds.velocity))
}

/// Whether the quintic from `a` to `b` stays within position bounds, to rounding.
fn within(a: &State, b: &State, duration: f64, bounds: &Bounds) -> bool {
    let hull = Hull::between(a, b, duration);
    stays_within(&hull.position, bounds.lower - 1e-9 - a.position, bounds.upper + 1e-9 - a.position)
}

/// How far a joint that cannot move may be asked to move without a word, rad or m.
const HELD: f64 = 5e-7;

fn cut(breach: &Breach, step: Option<usize>, action: Response) -> Event {
    let event =
        Event::new(breach.rule, action).joint(&breach.name).numbers(breach.asked, breach.limit);
    Event { step, ..event }
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

/// Durations between rows.
fn gaps(rows: &[Row]) -> Vec<i64> {
    let mut before = 0;
    rows.iter()
        .map(|row| (row.due - std::mem::replace(&mut before, row.due)).max(SHORTEST))
        .collect()
}

/// The usual duration between rows.
fn nominal_gap(rows: &[Row]) -> i64 {
    match rows {
        [.., a, b] => b.due - a.due,
        [only] => only.due,
        [] => 0,
    }
}

fn sums(durations: &[i64]) -> Vec<i64> {
    let mut sum = 0;
    durations
        .iter()
        .map(|duration| {
            sum += duration;
            sum
        })
        .collect()
}

/// Whether each joint's speed and acceleration are within limits, and none outside its bounds moves
/// further out.
fn verify_start(first: &[State], bounds: &[Bounds]) -> bool {
    first.iter().zip(bounds).all(|(state, bounds)| {
        state.velocity.abs() <= bounds.velocity * (1.0 + ROUNDING)
            && state.acceleration.abs() <= bounds.acceleration * (1.0 + ROUNDING)
            && !outward(state, bounds)
            && (bounds.can_move() || state.is_rest())
    })
}

/// Rounding that is not held against a start state: a part of the limit.
const ROUNDING: f64 = 1e-6;

/// Outside the bounds and moving further out.
fn outward(state: &State, bounds: &Bounds) -> bool {
    (state.position > bounds.upper && state.velocity > 0.0)
        || (state.position < bounds.lower && state.velocity < 0.0)
}
