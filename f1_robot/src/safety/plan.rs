//! From waypoints to a motion that passes [`super::verify`]: the candidates, from "exactly as
//! asked" to "brake first, then go slowly".

mod candidates;
mod report;

use super::settings::{FilterSettings, Mode};
use super::space::{Breach, Space};
use super::stop::Running;
use super::{Bounds, Event, Response, Rule};
use crate::JointLimits;
use crate::trajectory::spline::{End, SHORTEST};
use crate::trajectory::{Stamp, State};

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
    /// The chunk was changed so that it counts as an intervention (see [`super::latch::Latch`]).
    pub intervention: bool,
}

/// How waypoints are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The spline of [`crate::trajectory::spline::through`].
    Spline(End),
    /// Quintics that never leave the box around two neighbouring waypoints.
    Monotone,
}

/// Why a kind of motion does not fit.
enum Misfit {
    /// The motion leaves the workspace, or links come too close.
    Breach(Breach),
    /// A joint limit is exceeded.
    Limits,
}

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

    /// Whether a motion may start in this state, or has to brake first.
    fn may_start(&self, first: &[State]) -> bool {
        verify_start(first, self.bounds)
    }
}

fn cut(breach: &Breach, step: Option<usize>, action: Response) -> Event {
    let event =
        Event::new(breach.rule, action).joint(&breach.name).numbers(breach.asked, breach.limit);
    Event { step, ..event }
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
