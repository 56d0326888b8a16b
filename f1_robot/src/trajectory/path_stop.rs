//! Stopping along the path: the running motion is played on, slower and slower, until it is at
//! rest. The joints stay on the running motion's path, so what was proved of the path (bounds,
//! clearance, workspace) holds for the stop.

use super::{Motion, Quintic, Stamp, State, nanoseconds, seconds};

/// Knots of the stop are about this far apart, seconds.
const STEP: f64 = 0.008;

/// The stop of `running` from `at`, within `duration` seconds. The speed of play falls from 1 to 0
/// along a cubic with flat ends, so velocity and acceleration start as they are. Nothing is
/// checked.
pub fn along(running: &Motion, at: Stamp, duration: f64) -> Motion {
    let knots = ((duration / STEP).ceil() as i64).clamp(4, 256);
    let step = nanoseconds(duration / knots as f64).max(1);
    let total = seconds(step * knots);
    let first = running.sample(at);
    let mut motion = Motion::new(at, &first);
    for knot in 1..=knots {
        // Rate of play r(u) = 1 - 3u² + 2u³ and its integral and derivative over u = t / total.
        let u = knot as f64 / knots as f64;
        let rate = 1.0 - u * u * (3.0 - 2.0 * u);
        let rate_change = -6.0 * u * (1.0 - u) / total;
        let played = total * u * (1.0 - u * u * (1.0 - 0.5 * u));
        let states = sample_between(running, at, played).into_iter().map(|on_path| {
            if knot == knots {
                return State::rest(on_path.position);
            }
            State {
                position: on_path.position,
                velocity: on_path.velocity * rate,
                acceleration: on_path.acceleration * rate * rate + on_path.velocity * rate_change,
            }
        });
        motion.push(step * knot, states.collect::<Vec<_>>());
    }
    motion
}

/// The running motion `elapsed` seconds after `at`, not rounded to nanoseconds: rounding would show
/// in the jerk.
fn sample_between(running: &Motion, at: Stamp, elapsed: f64) -> Vec<State> {
    let time = seconds(at - running.start()) + elapsed;
    let times = running.times();
    let after = times.partition_point(|&knot| seconds(knot) <= time);
    if after == 0 || after >= times.len() {
        return running.sample(at.saturating_add(nanoseconds(elapsed)));
    }
    let (from, to) = (seconds(times[after - 1]), seconds(times[after]));
    running
        .knot(after - 1)
        .iter()
        .zip(running.knot(after))
        .map(|(a, b)| Quintic::between(a, b, to - from).sample(time - from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stop_stays_on_the_path_and_covers_half_of_what_would_have_been_played() {
        let mut running = Motion::new(0, &[State::rest(0.0), State::rest(1.0)]);
        running.push(1_000_000_000, [State::rest(1.0), State::rest(-1.0)]);
        let stop = along(&running, 400_000_000, 0.2);
        assert_eq!(stop.sample(400_000_000), running.sample(400_000_000));
        assert!(stop.last().iter().all(State::is_rest));
        let end = stop.last()[0].position;
        assert!((end - running.sample(500_000_000)[0].position).abs() < 1e-9);
        for ms in 400..700 {
            let at = stop.sample(ms * 1_000_000);
            assert!((at[1].position - (1.0 - 2.0 * at[0].position)).abs() < 1e-7);
        }
    }
}
