//! The exact check of a motion: position, velocity, acceleration and jerk of every quintic against
//! the limits.

use super::Bounds;
use super::limiters::{acceleration, jerk, velocity};
use crate::trajectory::quintic::{Hull, stays_within};
use crate::trajectory::{Motion, State};

/// Rounding that is not held against a motion: a part of the limit...
const PART: f64 = 1e-6;
/// ...and of position, rad or m.
const POSITION: f64 = 1e-9;
/// Positions near 3 rad over the shortest segment (see `trajectory::brake::GRID`) carry this much
/// jerk by rounding alone.
const JERK: f64 = 1e-3;

/// Why a motion does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The joint's index.
    pub joint: usize,
    /// The segment's index.
    pub segment: usize,
}

/// Checks that a motion keeps every limit, everywhere, and ends at rest within the bounds.
///
/// A joint that starts outside its bounds may move inward only, and rests no further out than it
/// was. A joint that starts faster than its limit does not pass: it is stopped first (see
/// [`stop`]).
///
/// # Errors
/// The first fault.
pub fn motion(motion: &Motion, bounds: &[Bounds]) -> Result<(), Fault> {
    let first = motion.knot(0);
    if bounds.len() != motion.joints() || !motion.last().iter().all(State::is_rest) {
        return Err(Fault { joint: 0, segment: 0 });
    }
    let mut limits = Vec::with_capacity(bounds.len());
    for (joint, (bounds, start)) in bounds.iter().zip(first).enumerate() {
        let limit = Limit {
            inside: bounds.contains(start.position),
            wide: bounds.from(start.position),
            dynamic: dynamic(bounds),
        };
        let (velocity, acceleration, _) = limit.dynamic;
        if !start.is_finite()
            || start.velocity.abs() > velocity
            || start.acceleration.abs() > acceleration
        {
            return Err(Fault { joint, segment: 0 });
        }
        limits.push(limit);
    }
    for (segment, a, b, duration) in motion.segments() {
        for (joint, ((a, b), limit)) in a.iter().zip(b).zip(&limits).enumerate() {
            if a == b && a.is_rest() {
                continue;
            }
            let hull = Hull::between(a, b, duration);
            let (lower, upper) = (
                limit.wide.lower - POSITION - a.position,
                limit.wide.upper + POSITION - a.position,
            );
            let kept = stays_within(&hull.position, lower, upper)
                && velocity::keeps(&hull, limit.dynamic.0)
                && acceleration::keeps(&hull, limit.dynamic.1)
                && jerk::keeps(&hull, limit.dynamic.2)
                && (limit.inside || moves_inward(a, &hull, &bounds[joint]));
            if !kept {
                return Err(Fault { joint, segment });
            }
        }
    }
    Ok(())
}

/// One joint's limits as a motion from its start is held to them.
struct Limit {
    /// Whether the start is within the bounds.
    inside: bool,
    /// The bounds, or as far out as the start.
    wide: Bounds,
    /// Velocity, acceleration and jerk.
    dynamic: (f64, f64, f64),
}

/// Velocity, acceleration and jerk limits with the rounding that is allowed; zero limits allow
/// none.
fn dynamic(bounds: &Bounds) -> (f64, f64, f64) {
    let jerk = if bounds.jerk > 0.0 { JERK.min(bounds.jerk * 5e-3) } else { 0.0 };
    (
        bounds.velocity * (1.0 + PART),
        bounds.acceleration * (1.0 + PART),
        bounds.jerk * (1.0 + PART) + jerk,
    )
}

/// A segment that is partly outside has no velocity further out.
fn moves_inward(a: &State, hull: &Hull, bounds: &Bounds) -> bool {
    let below = !stays_within(&hull.position, bounds.lower - a.position, f64::INFINITY);
    let above = !stays_within(&hull.position, f64::NEG_INFINITY, bounds.upper - a.position);
    (!below || stays_within(&hull.velocity, -POSITION, f64::INFINITY))
        && (!above || stays_within(&hull.velocity, f64::NEG_INFINITY, POSITION))
}

/// Checks a stop that starts from a state that may break limits (a measured one): acceleration and
/// jerk are kept, speed never grows beyond the limit or what it is, and the end is rest. Where it
/// ends cannot be chosen.
///
/// # Errors
/// The first fault.
pub fn stop(motion: &Motion, bounds: &[Bounds]) -> Result<(), Fault> {
    let first = motion.knot(0);
    if bounds.len() != motion.joints() || !motion.last().iter().all(State::is_rest) {
        return Err(Fault { joint: 0, segment: 0 });
    }
    for (joint, (bounds, start)) in bounds.iter().zip(first).enumerate() {
        let (velocity_limit, acceleration_limit, jerk_limit) = dynamic(bounds);
        let fastest = start.velocity.abs() * (1.0 + PART);
        for (segment, a, b, duration) in motion.segments() {
            let (a, b) = (&a[joint], &b[joint]);
            if a == b && a.is_rest() {
                continue;
            }
            let hull = Hull::between(a, b, duration);
            let kept = velocity::keeps(&hull, velocity_limit.max(fastest))
                && acceleration::keeps(&hull, acceleration_limit)
                && jerk::keeps(&hull, jerk_limit);
            if !kept {
                return Err(Fault { joint, segment });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::SECOND;

    const BOUNDS: Bounds =
        Bounds { lower: -1.0, upper: 1.0, velocity: 1.0, acceleration: 4.0, jerk: 40.0 };

    fn passes(start: State, knots: &[(f64, State)]) -> bool {
        let mut motion_ = Motion::new(0, &[start]);
        for (time, state) in knots {
            motion_.push((time * SECOND as f64) as i64, [*state]);
        }
        motion(&motion_, &[BOUNDS]).is_ok()
    }

    #[test]
    fn motions_pass_up_to_each_limit_and_not_beyond() {
        let rest = State::rest;
        let moving = |position, velocity| State { position, velocity, acceleration: 0.0 };
        for (start, knots, expected) in [
            (rest(0.0), vec![], true),
            (rest(0.0), vec![(1.0, rest(0.5))], true),
            (rest(0.0), vec![(0.9, rest(0.5))], false),
            (rest(-1.0), vec![(4.0, rest(1.0))], true),
            (rest(-1.0), vec![(4.0, rest(1.001))], false),
            // Does not end at rest.
            (rest(0.0), vec![(2.0, moving(0.5, 0.1))], false),
            // Overshoots between knots that are inside.
            (moving(0.9, 0.9), vec![(0.6, rest(0.95))], false),
            // Outside: inward, standing and back out.
            (rest(1.5), vec![(2.0, rest(0.9))], true),
            (rest(1.5), vec![(2.0, rest(1.5))], true),
            (rest(1.5), vec![(2.0, rest(1.2)), (4.0, rest(1.3))], false),
            (rest(1.5), vec![(2.0, rest(1.6))], false),
            // Faster than allowed at the start.
            (moving(0.0, 1.1), vec![(1.0, rest(0.4))], false),
            (rest(f64::NAN), vec![], false),
        ] {
            assert_eq!(passes(start, &knots), expected, "{start:?} {knots:?}");
        }
    }
}
