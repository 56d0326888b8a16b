//! One joint between two knots: the quintic that ros2_control's JointTrajectoryController
//! interpolates when both points give position, velocity and acceleration
//! (`Trajectory::interpolate_between_points`).

/// A joint's position (rad or m), velocity and acceleration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// rad or m
    pub position: f64,
    /// rad/s or m/s
    pub velocity: f64,
    /// rad/s² or m/s²
    pub acceleration: f64,
}

impl State {
    /// At rest.
    pub const fn rest(position: f64) -> Self {
        Self { position, velocity: 0.0, acceleration: 0.0 }
    }

    /// Whether velocity and acceleration are exactly zero.
    pub fn is_rest(&self) -> bool {
        self.velocity == 0.0 && self.acceleration == 0.0
    }

    /// Whether all three are finite.
    pub fn is_finite(&self) -> bool {
        self.position.is_finite() && self.velocity.is_finite() && self.acceleration.is_finite()
    }

    /// The state `t` seconds later under a constant jerk.
    pub fn after(&self, t: f64, jerk: f64) -> Self {
        Self {
            position: self.position
                + t * (self.velocity + t * (self.acceleration / 2.0 + t * jerk / 6.0)),
            velocity: self.velocity + t * (self.acceleration + t * jerk / 2.0),
            acceleration: self.acceleration + t * jerk,
        }
    }
}

/// A quintic segment.
#[derive(Debug, Clone, Copy)]
pub struct Quintic {
    /// Coefficients of rising powers of time; the position's is relative to nothing.
    coefficients: [f64; 6],
}

impl Quintic {
    /// The quintic from `a` to `b` over `duration` seconds (positive).
    pub fn between(a: &State, b: &State, duration: f64) -> Self {
        let t = duration;
        let (v0, v1) = (a.velocity * t, b.velocity * t);
        let (a0, a1) = (a.acceleration * t * t, b.acceleration * t * t);
        let d = b.position - a.position;
        let c3 = (20.0 * d - 3.0 * a0 + a1 - 12.0 * v0 - 8.0 * v1) / 2.0;
        let c4 = (-30.0 * d + 3.0 * a0 - 2.0 * a1 + 16.0 * v0 + 14.0 * v1) / 2.0;
        let c5 = (12.0 * d - a0 + a1 - 6.0 * v0 - 6.0 * v1) / 2.0;
        let t3 = t * t * t;
        Self {
            coefficients: [
                a.position,
                a.velocity,
                a.acceleration / 2.0,
                c3 / t3,
                c4 / (t3 * t),
                c5 / (t3 * t * t),
            ],
        }
    }

    /// The state `t` seconds after the first knot.
    pub fn sample(&self, t: f64) -> State {
        let c = &self.coefficients;
        State {
            position: c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5])))),
            velocity: c[1]
                + t * (2.0 * c[2] + t * (3.0 * c[3] + t * (4.0 * c[4] + t * 5.0 * c[5]))),
            acceleration: 2.0 * c[2] + t * (6.0 * c[3] + t * (12.0 * c[4] + t * 20.0 * c[5])),
        }
    }

    /// The jerk `t` seconds after the first knot.
    pub fn jerk(&self, t: f64) -> f64 {
        let c = &self.coefficients;
        6.0 * c[3] + t * (24.0 * c[4] + t * 60.0 * c[5])
    }
}

/// A segment in Bernstein form: the polynomial and its derivatives lie within the hulls of these
/// numbers.
#[derive(Debug, Clone, Copy)]
pub struct Hull {
    /// Position, relative to the first knot's (so that small motions far from zero keep their
    /// digits).
    pub position: [f64; 6],
    /// Velocity.
    pub velocity: [f64; 5],
    /// Acceleration.
    pub acceleration: [f64; 4],
    /// Jerk.
    pub jerk: [f64; 3],
}

impl Hull {
    /// The hulls of the quintic from `a` to `b` over `duration` seconds (positive).
    pub fn between(a: &State, b: &State, duration: f64) -> Self {
        let t = duration;
        let d = b.position - a.position;
        let p1 = a.velocity * t / 5.0;
        let p2 = 2.0 * p1 + a.acceleration * t * t / 20.0;
        let q1 = b.velocity * t / 5.0;
        let position = [0.0, p1, p2, d - 2.0 * q1 + b.acceleration * t * t / 20.0, d - q1, d];
        let per_second = 1.0 / t;
        let velocity = derivative(&position, 5.0 * per_second);
        let acceleration = derivative(&velocity, 4.0 * per_second);
        let jerk = derivative(&acceleration, 3.0 * per_second);
        Self { position, velocity, acceleration, jerk }
    }
}

/// Bernstein coefficients of the derivative: `scale` is the degree over the duration.
fn derivative<const N: usize, const M: usize>(b: &[f64; N], scale: f64) -> [f64; M] {
    std::array::from_fn(|i| (b[i + 1] - b[i]) * scale)
}

/// How often a hull is halved before its polynomial counts as outside.
const HALVINGS: u32 = 12;

/// Whether a polynomial in Bernstein form stays within `[lower, upper]`: exactly, up to a 2^-24
/// part of its hull's width (a hull's distance to its curve falls to a quarter at each halving).
/// Not-a-number is outside.
pub fn stays_within<const N: usize>(b: &[f64; N], lower: f64, upper: f64) -> bool {
    within(b, lower, upper, HALVINGS)
}

fn within<const N: usize>(b: &[f64; N], lower: f64, upper: f64, halvings: u32) -> bool {
    let inside = |x: &f64| *x >= lower && *x <= upper;
    if b.iter().all(inside) {
        return true;
    }
    // The end coefficients are the polynomial's own values.
    if halvings == 0 || !inside(&b[0]) || !inside(&b[N - 1]) {
        return false;
    }
    let (left, right) = halves(b);
    within(&left, lower, upper, halvings - 1) && within(&right, lower, upper, halvings - 1)
}

/// De Casteljau at the middle.
pub fn halves<const N: usize>(b: &[f64; N]) -> ([f64; N], [f64; N]) {
    let (mut left, mut right, mut work) = ([0.0; N], [0.0; N], *b);
    for level in 0..N {
        left[level] = work[0];
        right[N - 1 - level] = work[N - 1 - level];
        for i in 0..N - 1 - level {
            work[i] = (work[i] + work[i + 1]) / 2.0;
        }
    }
    (left, right)
}

/// The least and greatest value of a polynomial in Bernstein form, from above by a few percent of
/// its variation at most: the hulls of its quarters.
pub fn range<const N: usize>(b: &[f64; N]) -> (f64, f64) {
    let (left, right) = halves(b);
    let (a, b) = halves(&left);
    let (c, d) = halves(&right);
    let mut range = (f64::INFINITY, f64::NEG_INFINITY);
    for x in [a, b, c, d].iter().flatten() {
        range = (range.0.min(*x), range.1.max(*x));
    }
    range
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(position: f64, velocity: f64, acceleration: f64) -> State {
        State { position, velocity, acceleration }
    }

    #[test]
    fn a_segment_meets_both_of_its_knots() {
        let (a, b) = (state(0.3, -0.2, 1.1), state(0.7, 0.9, -0.4));
        let quintic = Quintic::between(&a, &b, 0.37);
        for (at, knot) in [(0.0, a), (0.37, b)] {
            let got = quintic.sample(at);
            assert!((got.position - knot.position).abs() < 1e-12);
            assert!((got.velocity - knot.velocity).abs() < 1e-12);
            assert!((got.acceleration - knot.acceleration).abs() < 1e-11);
        }
    }

    #[test]
    fn rest_to_rest_has_the_peaks_of_the_minimum_jerk_motion() {
        // Flash & Hogan 1985: velocity 15/8 d/T, jerk 60 d/T^3 at the ends.
        let hull = Hull::between(&State::rest(1.0), &State::rest(2.0), 2.0);
        let (_, velocity) = range(&hull.velocity);
        assert!((velocity - 15.0 / 16.0).abs() < 0.02, "{velocity}");
        assert!((hull.jerk[0] - 7.5).abs() < 1e-12);
        assert!(stays_within(&hull.velocity, 0.0, 15.0 / 16.0 + 1e-6));
        assert!(!stays_within(&hull.velocity, 0.0, 15.0 / 16.0 - 1e-6));
    }

    #[test]
    fn the_hull_and_the_coefficients_are_one_polynomial() {
        let (a, b) = (state(-1.3, 0.4, -2.0), state(-1.1, -0.6, 3.0));
        let (quintic, hull) = (Quintic::between(&a, &b, 0.5), Hull::between(&a, &b, 0.5));
        let (left, _) = halves(&hull.position);
        assert!((quintic.sample(0.25).position - (left[5] - 1.3)).abs() < 1e-12);
        let (left, _) = halves(&hull.jerk);
        assert!((quintic.jerk(0.25) - left[2]).abs() < 1e-9);
        assert!((quintic.jerk(0.5) - hull.jerk[2]).abs() < 1e-9);
    }

    #[test]
    fn not_a_number_is_never_within() {
        assert!(!stays_within(&[0.0, f64::NAN, 0.0], -1.0, 1.0));
        assert!(!stays_within(&[f64::NAN; 3], f64::NEG_INFINITY, f64::INFINITY));
    }
}
