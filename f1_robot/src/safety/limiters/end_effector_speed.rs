//! End-effector speed against the limit of the speed mode.

use super::ratio;

/// What speed is planned for: a little below the limit, because speed is sampled, not computed
/// everywhere.
pub const PLANNED: f64 = 0.98;

/// How many times the planned speed `speed` (m/s) is, where `start` is the end effector's speed at
/// the motion's start: one that is already faster may go on slowing down.
pub fn excess(speed: f64, limit: f64, start: f64) -> f64 {
    ratio(speed, (limit * PLANNED).max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_measured_against_the_limit_or_the_start() {
        for (speed, limit, start, over) in [
            (0.24, 0.25, 0.0, false),
            (0.26, 0.25, 0.0, true),
            (0.26, 0.25, 0.3, false),
            (0.31, 0.25, 0.3, true),
            (0.0, 0.0, 0.0, false),
            (0.1, 0.0, 0.0, true),
        ] {
            assert_eq!(excess(speed, limit, start) > 1.0, over, "{speed} {limit} {start}");
        }
    }
}
