//! Clearance: distances of the robot to itself and to the scene.

/// Whether a distance may be had when the least is `least` and the start had `start`: far enough,
/// or at least not closer than the start (a robot that is too close may move away).
pub fn allows(distance: f64, least: f64, start: f64) -> bool {
    distance >= least.min(start) - 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_close_is_allowed_only_away() {
        for (distance, least, start, allowed) in [
            (0.02, 0.01, 0.5, true),
            (0.005, 0.01, 0.5, false),
            (0.005, 0.01, 0.004, true),
            (0.003, 0.01, 0.004, false),
            (-0.1, 0.01, -0.2, true),
            (f64::NAN, 0.01, 0.5, false),
        ] {
            assert_eq!(allows(distance, least, start), allowed, "{distance} {start}");
        }
    }
}
