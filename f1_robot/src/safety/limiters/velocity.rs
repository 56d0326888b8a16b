//! Velocity of a segment against its limit.

use super::super::Bounds;
use super::ratio;
use crate::trajectory::quintic::{Hull, range, stays_within};

/// The greatest velocity of a segment, rad/s, from above by a few percent of its change at most.
pub fn peak(hull: &Hull) -> f64 {
    let (least, greatest) = range(&hull.velocity);
    greatest.max(-least)
}

/// How many times the limit the segment's velocity is.
pub fn excess(hull: &Hull, bounds: &Bounds) -> f64 {
    ratio(peak(hull), bounds.velocity)
}

/// Whether the segment's velocity stays within `limit` both ways, exactly.
pub fn keeps(hull: &Hull, limit: f64) -> bool {
    stays_within(&hull.velocity, -limit, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::State;

    #[test]
    fn peaks_and_ratios_of_known_segments() {
        let bounds =
            Bounds { lower: -9.0, upper: 9.0, velocity: 0.5, acceleration: 1.0, jerk: 1.0 };
        // From rest to rest over d in T the peak is 15/8 d/T; at constant velocity it is the
        // velocity.
        for (a, b, t, expected) in [
            (State::rest(0.0), State::rest(0.8), 3.0, 0.5),
            (State::rest(0.8), State::rest(0.0), 3.0, 0.5),
            (
                State { position: 0.0, velocity: 2.0, acceleration: 0.0 },
                State { position: 1.0, velocity: 2.0, acceleration: 0.0 },
                0.5,
                2.0,
            ),
            (State::rest(1.0), State::rest(1.0), 0.1, 0.0),
        ] {
            let hull = Hull::between(&a, &b, t);
            assert!((peak(&hull) - expected).abs() < 0.02 * expected + 1e-12, "{}", peak(&hull));
            assert!((excess(&hull, &bounds) - expected / 0.5).abs() < 0.05 * expected + 1e-12);
            assert!(
                keeps(&hull, expected + 1e-6)
                    && (expected == 0.0 || !keeps(&hull, expected - 1e-6))
            );
        }
    }

    #[test]
    fn a_limit_of_zero_allows_standing_still_and_nothing_else() {
        let bounds =
            Bounds { lower: -9.0, upper: 9.0, velocity: 0.0, acceleration: 0.0, jerk: 0.0 };
        assert_eq!(excess(&Hull::between(&State::rest(1.0), &State::rest(1.0), 0.1), &bounds), 0.0);
        assert_eq!(
            excess(&Hull::between(&State::rest(1.0), &State::rest(1.1), 0.1), &bounds),
            f64::INFINITY
        );
    }
}
