//! The candidates: motions through the waypoints, at the asked times or in more time, each checked.

use super::{Kind, Misfit, Planner, Row, cut, gaps, nominal_gap, sums};
use crate::safety::limiters::{acceleration, jerk, velocity};
use crate::safety::settings::Mode;
use crate::safety::space::{self, Space, Speeds};
use crate::safety::{Bounds, Event, Response, Rule, verify};
use crate::trajectory::quintic::{Hull, stays_within};
use crate::trajectory::spline::{self, End, TailLimit, Waypoints};
use crate::trajectory::{Motion, SECOND, Stamp, State, seconds, stretch};

/// Candidates are lengthened so often at most.
const ROUNDS: usize = 12;

impl Planner<'_> {
    /// The waypoints exactly and on time.
    pub(super) fn nominal(
        &self,
        start: Stamp,
        first: &[State],
        rows: &[Row],
    ) -> Result<Motion, Misfit> {
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

    pub(super) fn speeds(&self, motion: &Motion, space: &dyn Space, durations: &[i64]) -> Speeds {
        space::speeds(motion, space, self.settings.speed, &sums(durations))
    }

    pub(super) fn candidate(
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
    pub(super) fn stretched(
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
    pub(super) fn within_positions(&self, motion: &Motion) -> bool {
        !self.beyond(motion).contains(&true)
    }

    /// The chunk without its first waypoints, on time: a small step between two chunks is smoothed
    /// so.
    pub(super) fn skipped(
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
pub(super) fn exceeds(hull: &Hull, bounds: &Bounds) -> bool {
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
