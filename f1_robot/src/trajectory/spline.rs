//! A motion through waypoints: a cubic spline with continuous acceleration (piecewise constant
//! jerk, the smoothest jerk that meets waypoints at given times in the least-squares sense of its
//! acceleration), whose first interval, and last one if it ends at rest, have one more knot in the
//! middle, so that position, velocity and acceleration can all be given there.

use super::{Motion, Quintic, SECOND, Stamp, State, seconds};

/// How a motion through waypoints ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At rest at the last waypoint.
    Rest,
    /// With whatever velocity the waypoints suggest (zero acceleration), followed by a straight
    /// braking tail in which all joints slow down together.
    Tail,
}

/// Waypoints: row `i` is `joints` positions, reached `durations[i]` nanoseconds after the one
/// before (or the start).
#[derive(Debug, Clone, Copy)]
pub struct Waypoints<'a> {
    /// Nanoseconds, each at least [`SHORTEST`].
    pub durations: &'a [i64],
    /// As many rows.
    pub rows: &'a [&'a [f64]],
}

/// Intervals between waypoints are at least this long, nanoseconds.
pub const SHORTEST: i64 = 1_000_000;

/// What the tail may use, a joint: acceleration and jerk; 0 for a joint that does not move.
#[derive(Debug, Clone, Copy)]
pub struct TailLimit {
    /// rad/s² or m/s²
    pub acceleration: f64,
    /// rad/s³ or m/s³
    pub jerk: f64,
}

/// Factors of the linear system for the accelerations at waypoints 1 .. n-1; it is the same for all
/// joints.
struct System {
    /// `[lower, upper factor, 1 / pivot]` of each unknown.
    rows: Vec<[f64; 3]>,
}

impl System {
    fn new(h: &[f64], end: End) -> Self {
        let n = h.len();
        let mut rows: Vec<[f64; 3]> = Vec::with_capacity(n.saturating_sub(1));
        for i in 0..n.saturating_sub(1) {
            // Unknown i is the acceleration at waypoint i (0-based): between interval i and
            // interval i + 1.
            let (first, last) = (i == 0, i + 2 == n);
            let before = if first { h[0] / 6.0 } else { h[i] / 3.0 };
            let rest = last && end == End::Rest;
            let after = if rest { h[i + 1] / 6.0 } else { h[i + 1] / 3.0 };
            let lower = if first { 0.0 } else { h[i] / 6.0 };
            let upper = if last { 0.0 } else { h[i + 1] / 6.0 };
            let carried = rows.last().map_or(0.0, |row| row[1]);
            let pivot = 1.0 / (before + after - lower * carried);
            rows.push([lower, upper * pivot, pivot]);
        }
        Self { rows }
    }

    /// Solves for all joints in place; `right` is `[unknown][joint]`, flat.
    fn solve(&self, right: &mut [f64], joints: usize) {
        for (i, [lower, _, pivot]) in self.rows.iter().enumerate() {
            let (before, here) = right.split_at_mut(i * joints);
            let here = &mut here[..joints];
            if i > 0 {
                let before = &before[(i - 1) * joints..];
                here.iter_mut().zip(before).for_each(|(x, before)| *x -= lower * before);
            }
            here.iter_mut().for_each(|x| *x *= pivot);
        }
        for (i, [_, upper, _]) in self.rows.iter().enumerate().rev().skip(1) {
            let (here, after) = right.split_at_mut((i + 1) * joints);
            let (here, after) = (&mut here[i * joints..], &after[..joints]);
            here.iter_mut().zip(after).for_each(|(x, after)| *x -= upper * after);
        }
    }
}

/// The motion from `first` at `start` through the waypoints, ending at rest; `None` without
/// waypoints. Nothing is checked: numbers may overflow and limits may be broken.
///
/// A joint that is `tame` (none is for an empty slice) goes as in [`monotone`]: with more
/// acceleration than the spline, but not beyond its waypoints.
pub fn through(
    start: Stamp,
    first: &[State],
    waypoints: &Waypoints<'_>,
    end: End,
    tail: &[TailLimit],
    tame: &[bool],
) -> Option<Motion> {
    let (n, joints) = (waypoints.rows.len().min(waypoints.durations.len()), first.len());
    if n == 0 {
        return None;
    }
    let h: Vec<f64> = waypoints.durations[..n].iter().map(|&d| seconds(d)).collect();
    let half = h[0] / 2.0;
    // Velocity at waypoint 0 is this plus half / 3 times its acceleration.
    let v1: Vec<f64> = first
        .iter()
        .zip(waypoints.rows[0])
        .map(|(from, p)| {
            from.velocity + (p - from.position - from.velocity * h[0]) / half
                - half / 3.0 * from.acceleration
        })
        .collect();
    // `[waypoint][joint]`: mean velocities from the waypoint before (none leads to the first), and
    // accelerations.
    let mut slopes = vec![0.0; n * joints];
    for i in 1..n {
        let (p, before) = (waypoints.rows[i], waypoints.rows[i - 1]);
        let slopes = &mut slopes[i * joints..(i + 1) * joints];
        slopes
            .iter_mut()
            .zip(p)
            .zip(before)
            .for_each(|((slope, p), before)| *slope = (p - before) / h[i]);
    }
    let mut accelerations = vec![0.0; n * joints];
    for i in 0..n - 1 {
        let before = if i == 0 { v1.as_slice() } else { &slopes[i * joints..(i + 1) * joints] };
        let after = &slopes[(i + 1) * joints..(i + 2) * joints];
        let weight = if i + 2 == n && end == End::Rest { 2.0 } else { 1.0 };
        let right = &mut accelerations[i * joints..(i + 1) * joints];
        right
            .iter_mut()
            .zip(before)
            .zip(after)
            .for_each(|((right, before), after)| *right = weight * after - before);
    }
    System::new(&h, end).solve(&mut accelerations[..(n - 1) * joints], joints);
    // Knot states at the waypoints, and at the middles of the first and the last interval.
    let mut at: Vec<State> = Vec::with_capacity(n * joints);
    for i in 0..n {
        let of = |values: &'_ [f64], joint: usize| values[i * joints + joint];
        at.extend((0..joints).map(|joint| {
            let acceleration = of(&accelerations, joint);
            let velocity = if i == 0 {
                v1[joint] + half / 3.0 * acceleration
            } else {
                let before = accelerations[(i - 1) * joints + joint];
                of(&slopes, joint) + h[i] / 6.0 * before + h[i] / 3.0 * acceleration
            };
            State { position: waypoints.rows[i][joint], velocity, acceleration }
        }));
    }
    if end == End::Rest {
        at[(n - 1) * joints..].iter_mut().for_each(|state| *state = State::rest(state.position));
    }
    let first_middles = n > 1 || end == End::Tail;
    let last_middles = end == End::Rest && n > 1;
    let mut middles = [Vec::with_capacity(joints), Vec::with_capacity(joints)];
    for (joint, from) in first.iter().enumerate() {
        let tame = tame.get(joint).is_some_and(|tame| *tame);
        if tame {
            for i in 0..n {
                at[i * joints + joint] = monotone_at(waypoints, n, joint, from.position, i);
            }
        }
        let halved = |a: &State, b: &State, i: usize| {
            Quintic::between(a, b, h[i]).sample(seconds(waypoints.durations[i] / 2))
        };
        if first_middles {
            let to = &at[joint];
            middles[0].push(if tame { halved(from, to, 0) } else { first_middle(from, to, h[0]) });
        }
        if last_middles {
            let (before, after) = (at[(n - 2) * joints + joint], at[(n - 1) * joints + joint]);
            // The same seen backwards in time.
            let backwards = |s: State| State { velocity: -s.velocity, ..s };
            middles[1].push(if tame {
                halved(&before, &after, n - 1)
            } else {
                backwards(first_middle(&backwards(after), &backwards(before), h[n - 1]))
            });
        }
    }
    let (mut motion, time) = joined(start, first, &waypoints.durations[..n], &at, &middles);
    if end == End::Tail {
        add_tail(&mut motion, time, &at[(n - 1) * joints..], tail);
    }
    Some(motion)
}

/// The motion through states at the waypoints, `[waypoint][joint]`, and where there are any, at the
/// middles of the first and the last interval; with it the time of the last waypoint.
fn joined(
    start: Stamp,
    first: &[State],
    durations: &[i64],
    at: &[State],
    middles: &[Vec<State>; 2],
) -> (Motion, i64) {
    let (n, joints) = (durations.len(), first.len());
    let mut motion = Motion::with_capacity(start, first, n + 4);
    let mut time = 0;
    for (i, duration) in durations.iter().enumerate() {
        let before = time;
        time += duration;
        let of_interval = [(0, &middles[0]), (n - 1, &middles[1])];
        for (_, middle) in of_interval.iter().filter(|(of, middle)| *of == i && !middle.is_empty())
        {
            motion.push(before + duration / 2, middle.iter().copied());
        }
        motion.push(time, at[i * joints..(i + 1) * joints].iter().copied());
    }
    (motion, time)
}

/// The middle of an interval of two constant-jerk halves that starts in `a` and ends at the
/// position and acceleration of `b`.
fn first_middle(a: &State, b: &State, h: f64) -> State {
    let half = h / 2.0;
    let way = b.position - a.position - a.velocity * h;
    let acceleration = way / (half * half) - 5.0 / 6.0 * a.acceleration - b.acceleration / 6.0;
    let jerk = (acceleration - a.acceleration) / half;
    State { acceleration, ..a.after(half, jerk) }
}

/// Slows all joints down together, straight on: velocity falls to zero along two parabolas.
fn add_tail(motion: &mut Motion, time: i64, last: &[State], limits: &[TailLimit]) {
    let needed = last
        .iter()
        .zip(limits)
        .map(|(state, limit)| {
            let speed = state.velocity.abs();
            if speed == 0.0 {
                0.0
            } else {
                (2.0 * speed / limit.acceleration).max(2.0 * (speed / limit.jerk).sqrt())
            }
        })
        .fold(0.0, f64::max);
    // A braking way without end is cut off, and then fails its check.
    let half = ((needed.min(60.0) * 0.5 * 1e3).ceil() as i64 * (SECOND / 1000)).max(SHORTEST);
    let t = seconds(half);
    let middle = last.iter().map(|state| {
        let acceleration = -state.velocity / t;
        State { acceleration, ..state.after(t, acceleration / t) }
    });
    let end = last.iter().map(|state| State::rest(state.position + state.velocity * t));
    if last.iter().any(|state| state.velocity != 0.0) {
        motion.push(time + half, middle.collect::<Vec<_>>());
        motion.push(time + 2 * half, end.collect::<Vec<_>>());
    }
}

/// A slower but tamer motion through waypoints: quintics with zero acceleration at the waypoints
/// and slopes small enough that, from a start at rest, each stays within the box around its two
/// waypoints. Ends at rest. Time scales it: all durations times `k` give velocities through `k`,
/// accelerations through `k²`, jerks through `k³`.
pub fn monotone(start: Stamp, first: &[State], waypoints: &Waypoints<'_>) -> Option<Motion> {
    let n = waypoints.rows.len().min(waypoints.durations.len());
    let mut motion = Motion::new(start, first);
    let mut time = 0;
    for i in 0..n {
        time += waypoints.durations[i];
        let states = first
            .iter()
            .enumerate()
            .map(|(joint, first)| monotone_at(waypoints, n, joint, first.position, i));
        motion.push(time, states.collect::<Vec<_>>());
    }
    (n > 0).then_some(motion)
}

/// The state of a joint at waypoint `i` of `n` in [`monotone`].
fn monotone_at(waypoints: &Waypoints<'_>, n: usize, joint: usize, first: f64, i: usize) -> State {
    let p = |i: usize| waypoints.rows[i][joint];
    let before = (p(i) - if i == 0 { first } else { p(i - 1) }) / seconds(waypoints.durations[i]);
    let after =
        if i + 1 < n { (p(i + 1) - p(i)) / seconds(waypoints.durations[i + 1]) } else { 0.0 };
    // With both slopes at most 5/4 of the mean slope the velocity's hull has one sign.
    let velocity = if before * after > 0.0 {
        let mean = 2.0 * before * after / (before + after);
        mean.abs().min(1.25 * before.abs().min(after.abs())).copysign(mean)
    } else {
        0.0
    };
    State { position: p(i), velocity, acceleration: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: [TailLimit; 2] = [TailLimit { acceleration: 10.0, jerk: 100.0 }; 2];

    fn first() -> Vec<State> {
        vec![
            State { position: 0.1, velocity: 0.3, acceleration: -0.5 },
            State { position: -0.4, velocity: -0.1, acceleration: 0.2 },
        ]
    }

    #[test]
    fn waypoints_are_met_and_acceleration_is_continuous_and_linear() {
        for end in [End::Rest, End::Tail] {
            for n in 1..7 {
                let rows: Vec<Vec<f64>> =
                    (0..n).map(|i| vec![(i as f64 * 0.7).sin(), -0.2 * i as f64]).collect();
                let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
                let durations: Vec<i64> =
                    (0..n).map(|i| 100_000_000 + 20_000_000 * i as i64).collect();
                let motion = through(
                    7,
                    &first(),
                    &Waypoints { durations: &durations, rows: &rows },
                    end,
                    &TAIL,
                    &[],
                )
                .unwrap();
                let mut time = 7;
                for (row, duration) in rows.iter().zip(&durations) {
                    time += duration;
                    for (state, p) in motion.sample(time).iter().zip(*row) {
                        assert!((state.position - p).abs() < 1e-12);
                    }
                }
                assert_eq!(motion.sample(7), first());
                assert!(motion.last().iter().all(State::is_rest));
                // Each quintic is a cubic (one jerk), apart from the single interval that is given
                // at both ends.
                for (_, a, b, t) in
                    motion.segments().take(if n == 1 && end == End::Rest { 0 } else { usize::MAX })
                {
                    for (a, b) in a.iter().zip(b) {
                        let quintic = Quintic::between(a, b, t);
                        assert!((quintic.jerk(0.0) - quintic.jerk(t)).abs() < 1e-6, "{end:?} {n}");
                        assert!((quintic.jerk(0.0) - quintic.jerk(t / 2.0)).abs() < 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn a_tame_motion_stays_between_its_waypoints() {
        let rows = [[0.5], [0.51], [1.0], [-1.0], [-1.0], [0.3]];
        let rows: Vec<&[f64]> = rows.iter().map(|row| row.as_slice()).collect();
        let durations = [100_000_000; 6];
        let motion =
            monotone(0, &[State::rest(0.0)], &Waypoints { durations: &durations, rows: &rows })
                .unwrap();
        for ms in 0..=600 {
            let (at, i) = (motion.sample(ms * 1_000_000)[0].position, (ms / 100).min(5) as usize);
            let (a, b) = (if i == 0 { 0.0 } else { rows[i - 1][0] }, rows[i][0]);
            assert!(at >= a.min(b) - 1e-12 && at <= a.max(b) + 1e-12, "{ms} {at}");
        }
        assert!(motion.last()[0].is_rest());
    }

    #[test]
    fn a_tame_joint_keeps_to_its_waypoints_and_the_others_do_not_notice() {
        let rows: Vec<Vec<f64>> = [0.048, 0.05, 0.0499, 0.05, 0.05, 0.02]
            .iter()
            .enumerate()
            .map(|(i, s)| vec![0.1 * i as f64, *s])
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let waypoints = Waypoints { durations: &[100_000_000; 6], rows: &rows };
        let rest = [State::rest(0.0), State::rest(0.05)];
        for end in [End::Rest, End::Tail] {
            let plain = through(0, &rest, &waypoints, end, &TAIL, &[]).unwrap();
            let tame = through(0, &rest, &waypoints, end, &TAIL, &[false, true]).unwrap();
            let highest = |motion: &Motion| {
                (0..=600).map(|ms| motion.sample(ms * 1_000_000)[1].position).fold(0.0, f64::max)
            };
            assert!(highest(&plain) > 0.05 + 1e-6 && highest(&tame) <= 0.05 + 1e-12, "{end:?}");
            assert!(tame.last().iter().all(State::is_rest));
            for ms in 0..=600 {
                assert_eq!(plain.sample(ms * 1_000_000)[0], tame.sample(ms * 1_000_000)[0]);
            }
            for (i, row) in rows.iter().enumerate() {
                let at = tame.sample(100_000_000 * (i as i64 + 1))[1].position;
                assert!((at - row[1]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn waypoints_on_a_straight_line_from_rest_are_joined_by_that_line() {
        let rows: Vec<Vec<f64>> = [0.1, 0.5, 0.6, 1.0].iter().map(|s| vec![*s, -2.0 * s]).collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let rest = [State::rest(0.0), State::rest(0.0)];
        let motion = through(
            0,
            &rest,
            &Waypoints { durations: &[100_000_000; 4], rows: &rows },
            End::Tail,
            &TAIL,
            &[],
        )
        .unwrap();
        for step in 0..900 {
            let at = motion.sample(step * 1_000_000);
            assert!((at[1].position + 2.0 * at[0].position).abs() < 1e-12);
        }
    }
}
