//! Jerk of a segment against its limit.

use super::super::Bounds;
use super::ratio;
use crate::trajectory::quintic::{Hull, stays_within};

/// The greatest jerk of a segment, rad/s³ or m/s³, exactly: a parabola's ends and its vertex.
pub fn peak(hull: &Hull) -> f64 {
    let [a, b, c] = hull.jerk;
    let bend = a - 2.0 * b + c;
    let vertex = (a - b) / bend;
    let at_vertex = if vertex > 0.0 && vertex < 1.0 { a - (a - b) * vertex } else { 0.0 };
    if bend.is_nan() { f64::INFINITY } else { a.abs().max(c.abs()).max(at_vertex.abs()) }
}

/// How many times the limit the segment's jerk is.
pub fn excess(hull: &Hull, bounds: &Bounds) -> f64 {
    ratio(peak(hull), bounds.jerk)
}

/// Whether the segment's jerk stays within `limit` both ways, exactly.
pub fn keeps(hull: &Hull, limit: f64) -> bool {
    stays_within(&hull.jerk, -limit, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::State;

    #[test]
    fn peaks_and_ratios_of_known_segments() {
        let bounds =
            Bounds { lower: -9.0, upper: 9.0, velocity: 1.0, acceleration: 1.0, jerk: 30.0 };
        // From rest to rest over d in T the peak is 60 d/T³, at the ends; in the middle it is -30
        // d/T³.
        for (a, b, t, expected) in [
            (State::rest(0.0), State::rest(1.0), 1.0, 60.0),
            (State::rest(1.0), State::rest(0.0), 2.0, 7.5),
            (State::rest(1.0), State::rest(1.0).after(0.5, 12.0), 0.5, 12.0),
            (State::rest(1.0), State::rest(1.0), 0.1, 0.0),
        ] {
            let hull = Hull::between(&a, &b, t);
            assert!((peak(&hull) - expected).abs() < 1e-9, "{}", peak(&hull));
            assert!((excess(&hull, &bounds) - expected / 30.0).abs() < 1e-9);
            assert!(
                keeps(&hull, expected + 1e-6)
                    && (expected == 0.0 || !keeps(&hull, expected - 1e-6))
            );
        }
    }

    #[test]
    fn the_vertex_counts() {
        // j(u) = -1 + 8u - 8u² has its greatest value 1 at u = 1/2; Bernstein coefficients -1, 3,
        // -1.
        let hull = Hull {
            position: [0.0; 6],
            velocity: [0.0; 5],
            acceleration: [0.0; 4],
            jerk: [-1.0, 5.0, -1.0],
        };
        assert!((peak(&hull) - 2.0).abs() < 1e-12);
        let broken = Hull { jerk: [f64::NAN; 3], ..hull };
        assert_eq!(peak(&broken), f64::INFINITY);
    }
}
