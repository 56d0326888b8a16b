//! One joint's limits as the filter computes with them.

use crate::JointLimits;

/// Limits below these cannot be distinguished from zero by a controller that computes in 64 bits:
/// the joint is held still.
const LEAST_VELOCITY: f64 = 1e-5;
const LEAST_ACCELERATION: f64 = 1e-3;
const LEAST_JERK: f64 = 0.1;

/// Positions beyond this are refused as implausible, rad or m; also the bound of joints that have
/// none.
pub const GREATEST_POSITION: f64 = 1e3;
/// Angles of a joint that turns without end beyond this are refused: what is left of them after
/// whole turns are taken away is no longer exact, rad.
pub const GREATEST_ANGLE: f64 = 1e6;
/// Velocities beyond this are refused as implausible, rad/s or m/s.
pub const GREATEST_VELOCITY: f64 = 1e3;

/// One joint's limits: `lower <= upper`, infinite for a joint that turns without end; the others
/// finite and at least 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Least position, rad or m.
    pub lower: f64,
    /// Greatest position, rad or m.
    pub upper: f64,
    /// Greatest speed, rad/s or m/s.
    pub velocity: f64,
    /// Greatest acceleration, rad/s² or m/s².
    pub acceleration: f64,
    /// Greatest jerk, rad/s³ or m/s³.
    pub jerk: f64,
}

impl Bounds {
    /// The bounds of a joint. Limits that are not numbers, or negative, count as zero: the joint is
    /// held.
    pub fn new(limits: &JointLimits) -> Self {
        let size = |x: f64| if x > 0.0 { x.min(1e9) } else { 0.0 };
        // A joint that turns without end may turn as often as it likes.
        let most = if limits.continuous { f64::INFINITY } else { GREATEST_POSITION };
        let lower = if limits.lower.is_nan() { 0.0 } else { limits.lower.max(-most) };
        let upper = if limits.upper.is_nan() { 0.0 } else { limits.upper.min(most) };
        Self {
            lower: lower.min(upper),
            upper: upper.max(lower),
            velocity: size(limits.velocity),
            acceleration: size(limits.acceleration),
            jerk: size(limits.jerk),
        }
    }

    /// Whether the joint can start to move.
    pub fn can_move(&self) -> bool {
        self.can_stop() && self.velocity >= LEAST_VELOCITY
    }

    /// Whether the joint's velocity can be changed.
    pub fn can_stop(&self) -> bool {
        self.acceleration >= LEAST_ACCELERATION && self.jerk >= LEAST_JERK
    }

    /// The width of a margin that is `part` of the joint's range, rad or m; 0 without bounds.
    pub fn margin(&self, part: f64) -> f64 {
        let range = self.upper - self.lower;
        if range.is_finite() { part * range } else { 0.0 }
    }

    /// Whether a position is within the bounds.
    pub fn contains(&self, position: f64) -> bool {
        position >= self.lower && position <= self.upper
    }

    /// The bounds of a motion that starts at `position`: never further out than it is.
    #[must_use]
    pub fn from(&self, position: f64) -> Self {
        Self { lower: self.lower.min(position), upper: self.upper.max(position), ..*self }
    }
}
