//! Motion as a JointTrajectoryController executes it: knots with position, velocity and
//! acceleration, joined by quintics, ending at rest.
//!
//! Times are whole nanoseconds, so that what is planned is exactly what a ROS message carries.
//! Positions are in rad (m for sliding joints), velocities per second, and so on.

pub mod brake;
pub mod path_stop;
pub mod quintic;
pub mod spline;
pub mod stretch;

pub use quintic::{Quintic, State};

/// An instant on the clock that is passed in, nanoseconds.
pub type Stamp = i64;

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

/// Seconds of a span of nanoseconds.
pub fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// Nanoseconds of a span of seconds, rounded; not-a-number counts as 0 and what does not fit
/// saturates.
pub fn nanoseconds(seconds: f64) -> i64 {
    // Computed apart, because the product of a time of today and 1e9 is only good to 256
    // nanoseconds.
    let (whole, part) = (seconds.trunc() as i64, (seconds.fract() * 1e9).round() as i64);
    whole.saturating_mul(SECOND).saturating_add(part)
}

/// A motion of all joints: knots at increasing times and one quintic a joint between neighbours.
/// After the last knot the joints hold its position, before the first knot they hold the first.
///
/// ```
/// use f1_robot::trajectory::{Motion, SECOND, State};
///
/// let mut motion = Motion::new(0, &[State::rest(0.0)]);
/// motion.push(2 * SECOND, [State::rest(1.0)]);
/// // From rest to rest a quintic is symmetric: half the way at half the time.
/// let half = motion.sample(SECOND)[0];
/// assert!((half.position - 0.5).abs() < 1e-12);
/// assert!(motion.is_at_rest(2 * SECOND));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Motion {
    start: Stamp,
    joints: usize,
    /// Nanoseconds after `start`, increasing, the first usually 0.
    times: Vec<i64>,
    /// `[knot][joint]`, flat.
    states: Vec<State>,
}

impl Motion {
    /// A motion of one knot.
    pub fn new(start: Stamp, first: &[State]) -> Self {
        Self { start, joints: first.len(), times: vec![0], states: first.to_vec() }
    }

    /// As [`Motion::new`], with memory reserved for so many knots.
    fn with_capacity(start: Stamp, first: &[State], knots: usize) -> Self {
        let (mut times, mut states) =
            (Vec::with_capacity(knots), Vec::with_capacity(knots * first.len()));
        times.push(0);
        states.extend_from_slice(first);
        Self { start, joints: first.len(), times, states }
    }

    /// Holding still at `positions` from `start` on.
    pub fn hold(start: Stamp, positions: impl IntoIterator<Item = f64>) -> Self {
        let first: Vec<_> = positions.into_iter().map(State::rest).collect();
        Self::new(start, &first)
    }

    /// Adds a knot `time` nanoseconds after the start. A time that does not come after the last
    /// knot's is left out: two knots at one instant have no quintic between them.
    pub fn push(&mut self, time: i64, states: impl IntoIterator<Item = State>) {
        if self.times.last().is_none_or(|&last| time > last) {
            self.times.push(time);
            self.states.extend(states);
            self.states.resize(self.times.len() * self.joints, State::rest(0.0));
        }
    }

    /// The same motion, later by so many nanoseconds.
    pub fn delay(&mut self, by: i64) {
        self.start = self.start.saturating_add(by);
    }

    /// The instant of the first knot's zero.
    pub fn start(&self) -> Stamp {
        self.start
    }

    /// The instant of the first knot: a motion that goes on with another one may have it a little
    /// after its start (see [`Motion::piece`]). Until then the other one is under way.
    pub fn begin(&self) -> Stamp {
        self.start.saturating_add(self.times.first().copied().unwrap_or(0))
    }

    /// The instant of the last knot.
    pub fn end(&self) -> Stamp {
        self.start.saturating_add(self.times.last().copied().unwrap_or(0))
    }

    /// How many joints.
    pub fn joints(&self) -> usize {
        self.joints
    }

    /// The knots' times, nanoseconds after the start.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// The joints' states at knot `knot`.
    pub fn knot(&self, knot: usize) -> &[State] {
        self.states.get(knot * self.joints..(knot + 1) * self.joints).unwrap_or(&[])
    }

    /// The states at the last knot.
    pub fn last(&self) -> &[State] {
        self.knot(self.times.len().saturating_sub(1))
    }

    /// The intervals between knots: index, states before, states after, duration in seconds.
    pub fn segments(&self) -> impl Iterator<Item = (usize, &[State], &[State], f64)> {
        (1..self.times.len()).map(|knot| {
            let duration = seconds(self.times[knot] - self.times[knot - 1]);
            (knot - 1, self.knot(knot - 1), self.knot(knot), duration)
        })
    }

    /// The states at an instant.
    pub fn sample(&self, at: Stamp) -> Vec<State> {
        let mut states = Vec::with_capacity(self.joints);
        self.sample_into(at, &mut states);
        states
    }

    /// As [`Motion::sample`], into a buffer that is cleared first.
    pub fn sample_into(&self, at: Stamp, states: &mut Vec<State>) {
        states.clear();
        let time = at.saturating_sub(self.start);
        let after = self.times.partition_point(|&knot| knot <= time);
        if after == 0 {
            states.extend(self.knot(0).iter().map(|state| State::rest(state.position)));
        } else if after == self.times.len() {
            // Exactly at the last knot the state is the knot's; later it is rest there.
            let exact = self.times.last() == Some(&time);
            states.extend(
                self.last()
                    .iter()
                    .map(|state| if exact { *state } else { State::rest(state.position) }),
            );
        } else {
            let (before, after) = (after - 1, after);
            let duration = seconds(self.times[after] - self.times[before]);
            let elapsed = seconds(time - self.times[before]);
            states.extend(
                self.knot(before)
                    .iter()
                    .zip(self.knot(after))
                    .map(|(a, b)| Quintic::between(a, b, duration).sample(elapsed)),
            );
        }
    }

    /// Whether nothing moves at `at` or later.
    pub fn is_at_rest(&self, at: Stamp) -> bool {
        if at >= self.end() {
            return true;
        }
        let time = at.saturating_sub(self.start);
        let from = self.times.partition_point(|&knot| knot <= time).saturating_sub(1);
        let hold = self.knot(from);
        hold.iter().all(State::is_rest)
            && (from + 1..self.times.len()).all(|knot| self.knot(knot) == hold)
    }

    /// The part of the motion from `from` to `to`, with a knot at both: the same polynomials, cut.
    /// The piece starts at the first knot when `from` lies less than `shortest` before it,
    /// because a quintic over a very short time cannot be written exactly in 64 bits.
    pub fn piece(&self, from: Stamp, to: Stamp, shortest: i64) -> Self {
        let at = |&knot: &usize| self.start.saturating_add(self.times[knot]);
        let inside: Vec<usize> =
            (0..self.times.len()).filter(|knot| at(knot) > from && at(knot) < to).collect();
        let mut piece =
            Self { start: from, joints: self.joints, times: Vec::new(), states: Vec::new() };
        let first = inside.first().map_or(to.max(from), at);
        if first - from >= shortest || first == from {
            piece.times.push(0);
            piece.states.extend(self.sample(from));
        }
        for knot in inside {
            piece.times.push(at(&knot) - from);
            piece.states.extend_from_slice(self.knot(knot));
        }
        if to > from {
            piece.times.push(to - from);
            piece.states.extend(self.sample(to));
        }
        piece
    }

    /// Appends a motion that starts where this one ends, in time and in state.
    pub fn append(&mut self, next: &Motion) {
        let end = self.end();
        for (knot, &time) in next.times.iter().enumerate() {
            let at = next.start.saturating_add(time);
            if at > end {
                self.times.push(at - self.start);
                self.states.extend_from_slice(next.knot(knot));
            }
        }
    }
}
