//! The stop of one joint: three phases of constant jerk that bring velocity and acceleration to
//! zero together, as fast as the limits allow up to the time grid.

#![allow(clippy::neg_cmp_op_on_partial_ord, reason = "a comparison with not-a-number has to fail")]

use super::{Motion, SECOND, Stamp, State, seconds};

/// Knots of stops lie on this grid after the stop's start, nanoseconds: no two joints' knots are
/// closer than this, so no segment is too short to be written exactly in 64 bits.
pub const GRID: i64 = 500_000;

/// A stop that takes longer than this is none.
const LONGEST: f64 = 600.0;

/// A stop of one joint: up to three knots after the start, nanoseconds and states.
pub type Profile = Vec<(i64, State)>;

/// The stop of a joint from `state` with at most `acceleration` and `jerk` (both positive,
/// `|state.acceleration|` within the limit). `None` if there is none within ten minutes or the
/// numbers are not finite.
///
/// In time order: jerk one way until the braking acceleration, that held, jerk the other way until
/// rest. The durations are those of the time-optimal stop rounded up to [`GRID`]; the braking
/// acceleration is then solved for, so that the stop is exact.
pub fn profile(state: &State, acceleration: f64, jerk: f64) -> Option<Profile> {
    if state.is_rest() {
        return Some(Vec::new());
    }
    let grid = seconds(GRID);
    let (v, a) = (state.velocity, state.acceleration);
    // The velocity left over when the acceleration is taken out at once decides which way to brake.
    let left_over = v + a * a.abs() / (2.0 * jerk);
    let sign = if left_over >= 0.0 { 1.0 } else { -1.0 };
    let (v, a) = (sign * v, sign * a);
    let peak = (jerk * v + a * a / 2.0).max(0.0).sqrt().min(acceleration);
    let hold = ((v + a * a / (2.0 * jerk) - peak * peak / jerk) / acceleration).max(0.0);
    let phases = [(a + peak) / jerk, if peak < acceleration { 0.0 } else { hold }, peak / jerk];
    if !phases.iter().all(|phase| phase.is_finite() && *phase < LONGEST) {
        return None;
    }
    let up = |phase: f64| (phase / grid - 1e-6).ceil().max(0.0);
    let mut steps = phases.map(up);
    for _ in 0..16 {
        match braking(v, a, steps, acceleration, jerk) {
            Ok(braking) => return Some(knots(state, sign * braking, steps)),
            Err(phase) => steps[phase] += 1.0,
        }
    }
    // Rounding up leaves more braking than is needed when taking the acceleration out already
    // nearly stops the joint: then it is taken out and the small rest is braked the other way.
    let out = up(a.abs() / jerk);
    for more in 1..=8 {
        for last in (0..12).map(|power| f64::from(1 << power)) {
            let steps = [out + f64::from(more), 0.0, last];
            if let Ok(braking) = braking(v, a, steps, acceleration, jerk) {
                return Some(knots(state, sign * braking, steps));
            }
        }
    }
    None
}

/// The braking acceleration that three phases of so many grid steps need, or the phase that is too
/// short.
fn braking(v: f64, a: f64, steps: [f64; 3], acceleration: f64, jerk: f64) -> Result<f64, usize> {
    let [first, middle, last] = steps.map(|count| count * seconds(GRID));
    let braking = (v + a * first / 2.0) / (first / 2.0 + middle + last / 2.0);
    let tight = 1.0 + 1e-9;
    // Written so that not-a-number is too short.
    if !((a + braking).abs() <= jerk * first * tight) {
        Err(0)
    } else if !(braking.abs() <= jerk * last * tight) {
        Err(2)
    } else if !(braking.abs() <= acceleration * tight) {
        Err(1)
    } else {
        Ok(braking)
    }
}

/// The knots of a stop with `braking` deceleration and phases of whole grid steps.
fn knots(state: &State, braking: f64, steps: [f64; 3]) -> Profile {
    let grid = seconds(GRID);
    let mut knots = Profile::new();
    let (mut time, mut at) = (0, *state);
    for (phase, count) in steps.into_iter().enumerate() {
        if count == 0.0 {
            continue;
        }
        let target = if phase == 2 { 0.0 } else { -braking };
        let duration = count * grid;
        at = at.after(duration, (target - at.acceleration) / duration);
        at.acceleration = target;
        time += count as i64 * GRID;
        knots.push((time, at));
    }
    if let Some((_, end)) = knots.last_mut() {
        // Zero up to rounding: the braking acceleration was solved for it.
        (end.velocity, end.acceleration) = (0.0, 0.0);
    }
    knots
}

/// All joints' stops as one motion, with knots wherever one joint has one. Each element of
/// `profiles` belongs to the same element of `first`, the states at `start`.
pub fn join(start: Stamp, first: &[State], profiles: &[Profile]) -> Motion {
    let mut times: Vec<i64> = profiles.iter().flatten().map(|(time, _)| *time).collect();
    times.sort_unstable();
    times.dedup();
    let mut motion = Motion::new(start, first);
    for time in times {
        let states = first.iter().zip(profiles).map(|(first, profile)| at(first, profile, time));
        motion.push(time, states);
    }
    motion
}

/// A profile's state at a time; the jerk between its knots is constant.
fn at(first: &State, profile: &Profile, time: i64) -> State {
    let next = profile.partition_point(|(knot, _)| *knot < time);
    let (from, before) = match next {
        0 => (0, *first),
        _ => profile[next - 1],
    };
    match profile.get(next) {
        None => State::rest(before.position),
        Some((to, after)) if *to == time => *after,
        Some((to, after)) => {
            let jerk = (after.acceleration - before.acceleration) / seconds(to - from);
            before.after(seconds(time - from), jerk)
        }
    }
}

/// The stop's duration, nanoseconds; 0 at rest.
pub fn duration(profile: &Profile) -> i64 {
    profile.last().map_or(0, |(time, _)| (*time).min(600 * SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// v, a, limits A, J, and the time and distance of the optimal stop computed by hand.
    const TABLE: [(f64, f64, f64, f64, f64, f64); 5] = [
        // Triangle: ap = sqrt(J v), T = 2 sqrt(v/J), d = v T / 2.
        (1.0, 0.0, 100.0, 100.0, 0.2, 0.1),
        // Trapezoid: T = v/A + A/J = 1 + 0.1, d = v T / 2.
        (2.0, 0.0, 2.0, 20.0, 1.1, 1.1),
        (-2.0, 0.0, 2.0, 20.0, 1.1, -1.1),
        // Exactly the acceleration that runs out: v = a^2 / 2J, d = a^3 / 6J^2.
        (0.1, -2.0, 5.0, 20.0, 0.1, 8.0 / 2400.0),
        (0.0, 0.0, 1.0, 1.0, 0.0, 0.0),
    ];

    #[test]
    fn stops_take_the_time_and_the_way_computed_by_hand() {
        for (velocity, acceleration, limit, jerk, time, way) in TABLE {
            let state = State { position: 0.5, velocity, acceleration };
            let profile = profile(&state, limit, jerk).expect("a stop");
            let end = profile.last().map_or(state, |(_, end)| *end);
            assert!(
                (seconds(duration(&profile)) - time).abs() <= 0.0016,
                "{velocity} {acceleration}"
            );
            assert!(
                (end.position - 0.5 - way).abs() <= 0.0016 * velocity.abs() + 1e-9,
                "{}",
                end.position
            );
            assert!(end.is_rest());
        }
    }

    #[test]
    fn stops_from_anywhere_keep_acceleration_and_jerk() {
        let mut seed = 7_u64;
        let mut random = move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 11) as f64 / (1_u64 << 53) as f64
        };
        for _ in 0..20_000 {
            let (limit, jerk) =
                (10_f64.powf(random() * 4.0 - 1.0), 10_f64.powf(random() * 5.0 - 1.0));
            let (velocity, acceleration) = (20.0 * random() - 10.0, limit * (2.0 * random() - 1.0));
            let state = State { position: 0.0, velocity, acceleration };
            let Some(profile) = profile(&state, limit, jerk) else {
                assert!(10.0 / limit + limit / jerk > 100.0, "{state:?} {limit} {jerk}");
                continue;
            };
            let (mut time, mut from) = (0, state);
            for (to, knot) in &profile {
                let duration = seconds(to - time);
                let needed = (knot.acceleration - from.acceleration) / duration;
                assert!(
                    needed.abs() <= jerk * 1.000_01 && knot.acceleration.abs() <= limit * 1.000_01
                );
                let reached = from.after(duration, needed);
                assert!(
                    (reached.velocity - knot.velocity).abs() < 1e-9,
                    "{state:?} {limit} {jerk} {profile:?}"
                );
                assert!((reached.position - knot.position).abs() < 1e-9 * (1.0 + duration));
                (time, from) = (*to, *knot);
            }
            assert!(from.is_rest());
        }
    }

    #[test]
    fn joints_that_stop_at_different_times_share_their_knots() {
        let first = [
            State { position: 0.0, velocity: 1.0, acceleration: 0.0 },
            State { position: 1.0, velocity: -0.2, acceleration: 0.5 },
            State::rest(2.0),
        ];
        let profiles: Vec<_> =
            first.iter().map(|state| profile(state, 5.0, 50.0).expect("a stop")).collect();
        let motion = join(0, &first, &profiles);
        assert!(motion.last().iter().all(State::is_rest));
        assert!(motion.times().windows(2).all(|pair| pair[1] - pair[0] >= GRID));
        for (joint, profile) in profiles.iter().enumerate() {
            let end = profile.last().map_or(first[joint], |(_, end)| *end);
            assert!((motion.last()[joint].position - end.position).abs() < 1e-12);
        }
    }
}
