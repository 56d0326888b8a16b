//! The workspace box of an end effector.

/// How far a point is outside a box: the greatest distance along one axis, m, at least 0; with the
/// axis, the coordinate and the limit it passes.
pub fn outside(point: [f64; 3], min: [f64; 3], max: [f64; 3]) -> (f64, Option<(usize, f64, f64)>) {
    let mut worst = (0.0, None);
    for axis in 0..3 {
        let x = point[axis];
        for (distance, limit) in [(min[axis] - x, min[axis]), (x - max[axis], max[axis])] {
            if distance > worst.0 || distance.is_nan() {
                worst = (
                    if distance.is_nan() { f64::INFINITY } else { distance },
                    Some((axis, x, limit)),
                );
            }
        }
    }
    worst
}

/// Whether a point may be reached that is `outside` by so much when the start was outside by
/// `start`: inside, or at least not further out.
pub fn allows(outside: f64, start: f64) -> bool {
    outside <= start.max(0.0) + 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_to_the_box() {
        let (min, max) = ([-1.0, -1.0, 0.0], [1.0, 1.0, 0.5]);
        for (point, expected, axis) in [
            ([0.0, 0.0, 0.1], 0.0, None),
            ([1.0, -1.0, 0.5], 0.0, None),
            ([1.25, 0.0, 0.1], 0.25, Some(0)),
            ([1.25, -3.0, 0.1], 2.0, Some(1)),
            ([0.0, 0.0, -0.5], 0.5, Some(2)),
            ([f64::NAN, 0.0, 0.1], f64::INFINITY, Some(0)),
        ] {
            let (distance, broken) = outside(point, min, max);
            assert_eq!(distance, expected);
            assert_eq!(broken.map(|(axis, ..)| axis), axis);
        }
        assert!(allows(0.0, 0.0) && !allows(0.1, 0.0) && allows(0.1, 0.2) && !allows(0.3, 0.2));
    }
}
