//! Angles of joints that turn without end: positions on a circle.

use std::f64::consts::TAU;

/// `angle` moved by whole turns to within half a turn of `reference`, rad. An angle or reference
/// that is not finite gives `angle` as it is.
pub fn nearest_turn(angle: f64, reference: f64) -> f64 {
    let turns = ((angle - reference) / TAU).round();
    if turns.is_finite() { angle - TAU * turns } else { angle }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_turn_is_within_half_a_turn_and_a_whole_number_of_turns_away() {
        for (angle, reference, expected) in [
            (-3.083, 3.3, -3.083 + TAU),
            (3.4, -3.083, 3.4 - TAU),
            (0.1, 0.0, 0.1),
            (0.1, 100.0 * TAU, 0.1 + 100.0 * TAU),
            (-50.0, 1.0, -50.0 + 8.0 * TAU),
        ] {
            assert!((nearest_turn(angle, reference) - expected).abs() < 1e-9, "{angle}");
        }
        assert!(nearest_turn(f64::NAN, 0.0).is_nan());
        assert_eq!(nearest_turn(f64::INFINITY, 0.0), f64::INFINITY);
        assert_eq!(nearest_turn(1.0, f64::NAN), 1.0);
    }
}
