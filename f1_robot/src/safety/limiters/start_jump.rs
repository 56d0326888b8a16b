//! Start jump: the first waypoint against where the robot is.

use super::super::Bounds;

/// How far the first waypoint is from `start` beyond what the velocity limit covers in `time`
/// seconds: the jump and the limit, rad or m. `None`: within reach.
pub fn check(asked: f64, start: f64, time: f64, bounds: &Bounds) -> Option<(f64, f64)> {
    let (jump, reach) = ((asked - start).abs(), bounds.velocity * time.max(0.0));
    // A hair of rounding is no jump.
    (jump > reach * (1.0 + 1e-9) + 1e-9).then_some((jump, reach))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_what_the_velocity_limit_does_not_cover() {
        let bounds =
            Bounds { lower: -9.0, upper: 9.0, velocity: 2.0, acceleration: 1.0, jerk: 1.0 };
        for (asked, start, time, expected) in [
            (0.1, 0.0, 0.1, None),
            (0.2, 0.0, 0.1, None),
            (0.3, 0.0, 0.1, Some((0.3, 0.2))),
            (-1.0, 1.0, 0.5, Some((2.0, 1.0))),
            (1.0, 1.0, 0.0, None),
            (1.1, 1.0, -1.0, Some((0.1, 0.0))),
        ] {
            let got = check(asked, start, time, &bounds);
            assert_eq!(got.is_some(), expected.is_some(), "{asked} {start} {time}");
            if let (Some(got), Some(expected)) = (got, expected) {
                assert!((got.0 - expected.0).abs() < 1e-12 && (got.1 - expected.1).abs() < 1e-12);
            }
        }
    }
}
