//! Scaling in time: intervals between waypoints are made longer where limits are exceeded, for all
//! joints together, so that the path through the waypoints keeps its shape.

/// How much too short an interval is, from how far velocity, acceleration and jerk exceed their
/// limits: the factor by which the interval's duration is to be multiplied (1 if nothing is
/// exceeded). Scaling time by `k` divides them by `k`, `k²` and `k³`.
pub fn factor(velocity_ratio: f64, acceleration_ratio: f64, jerk_ratio: f64) -> f64 {
    let factor = velocity_ratio.max(acceleration_ratio.sqrt()).max(jerk_ratio.cbrt());
    if factor.is_nan() { f64::INFINITY } else { factor.max(1.0) }
}

/// Lengthens each interval by its own factor; neighbours take part of it, so that no jerk comes
/// from the change. Durations stay below an hour.
pub fn lengthen(durations: &mut [i64], factors: &[f64]) {
    let n = durations.len().min(factors.len());
    let mut spread: Vec<f64> = factors[..n].iter().map(|factor| factor.max(1.0)).collect();
    for i in 1..n {
        spread[i] = spread[i].max(spread[i - 1].sqrt());
    }
    for i in (1..n).rev() {
        spread[i - 1] = spread[i - 1].max(spread[i].sqrt());
    }
    for (duration, factor) in durations.iter_mut().zip(spread) {
        let stretched = *duration as f64
            * if factor > 1.0 { factor * (1.0 + 0.02_f64.min(factor - 1.0)) } else { 1.0 };
        *duration = stretched.min(3.6e12) as i64;
    }
}

/// The shortest rest-to-rest motion over a distance by the quintic with zero velocity and
/// acceleration at both ends, in seconds: its peaks are 15/8 d/T, 10/√3 d/T² and 60 d/T³. Infinite
/// if a limit is zero and the distance is not.
pub fn rest_to_rest(distance: f64, velocity: f64, acceleration: f64, jerk: f64) -> f64 {
    if distance == 0.0 {
        return 0.0;
    }
    let d = distance.abs();
    let by_velocity = 1.875 * d / velocity;
    let by_acceleration = (10.0 / 3.0_f64.sqrt() * d / acceleration).sqrt();
    let by_jerk = (60.0 * d / jerk).cbrt();
    by_velocity.max(by_acceleration).max(by_jerk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_the_roots_that_scaling_needs() {
        for (ratios, expected) in [
            ([0.5, 0.9, 1.0], 1.0),
            ([2.0, 1.0, 1.0], 2.0),
            ([1.0, 9.0, 1.0], 3.0),
            ([1.0, 1.0, 64.0], 4.0),
            ([f64::NAN, 1.0, 1.0], 1.0),
        ] {
            assert_eq!(factor(ratios[0], ratios[1], ratios[2]), expected, "{ratios:?}");
        }
        assert_eq!(factor(f64::INFINITY, f64::NAN, 0.0), f64::INFINITY);
    }

    #[test]
    fn rest_to_rest_takes_what_the_tightest_limit_needs() {
        for (d, v, a, j, t) in
            [(1.0, 1.875, 1e9, 1e9, 1.0), (-8.0, 1e9, 1e9, 60.0, 2.0), (0.0, 0.0, 0.0, 0.0, 0.0)]
        {
            assert!((rest_to_rest(d, v, a, j) - t).abs() < 1e-12);
        }
        assert_eq!(rest_to_rest(0.1, 0.0, 1.0, 1.0), f64::INFINITY);
    }
}
