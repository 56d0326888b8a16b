//! Joint limits: the stricter of what the URDF and the robot file state.
//!
//! A number that a file format's default made up is not stated: a velocity of zero and an absent
//! bound in the URDF. A joint that turns without end needs no bounds.

use std::f64::consts::{PI, TAU};

use serde::Serialize;
use urdf_rs::JointType;

use crate::angle::nearest_turn;
use crate::robot_file::JointLimit;
use crate::robot_file::reader::Faults;
use crate::urdf::StatedLimits;

/// The limits in force for one commanded joint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JointLimits {
    /// The joint's name.
    pub name: String,
    /// Least position, rad (sliding joints: m); minus infinity for a joint that turns without end.
    pub lower: f64,
    /// Greatest position, rad or m; infinity for a joint that turns without end.
    pub upper: f64,
    /// Greatest speed, rad/s or m/s; 0 holds the joint still.
    pub velocity: f64,
    /// Greatest acceleration, rad/s² or m/s².
    pub acceleration: f64,
    /// Greatest jerk, rad/s³ or m/s³.
    pub jerk: f64,
    /// True: a joint that turns without end (`continuous` in the URDF). Its positions are angles on
    /// a circle: those that differ by whole turns are the same.
    pub continuous: bool,
    /// True: a sliding joint, in metres.
    pub prismatic: bool,
}

impl JointLimits {
    /// `position` moved into the bounds; not a number stays not a number.
    pub fn clamp(&self, position: f64) -> f64 {
        if position < self.lower {
            self.lower
        } else if position > self.upper {
            self.upper
        } else {
            position
        }
    }

    /// The positions that a joint may be thought to have: its bounds, or one turn where it has
    /// none.
    pub fn range(&self) -> (f64, f64) {
        if self.lower.is_finite() && self.upper.is_finite() {
            (self.lower, self.upper)
        } else {
            (self.lower.max(-PI), self.upper.min(PI))
        }
    }

    /// The middle of [`Self::range`].
    pub fn middle(&self) -> f64 {
        let (lower, upper) = self.range();
        0.5 * (lower + upper)
    }

    /// `position` as it compares with `reference`: for a joint that turns without end the nearest
    /// turn, for others the position itself.
    ///
    /// Where bounds are stated and the nearest turn is beyond them by more than what noise and
    /// overshoot make, the nearest turn within them is taken if there is one: the joint cannot be
    /// elsewhere.
    pub fn near(&self, position: f64, reference: f64) -> f64 {
        if !self.continuous {
            return position;
        }
        let near = nearest_turn(position, reference);
        let inside = if near > self.upper + BEYOND {
            near - TAU * ((near - self.upper) / TAU).ceil()
        } else if near < self.lower - BEYOND {
            near + TAU * ((self.lower - near) / TAU).ceil()
        } else {
            return near;
        };
        if (self.lower..=self.upper).contains(&inside) { inside } else { near }
    }
}

/// An angle that is no further beyond a bound than this may still be there, rad.
const BEYOND: f64 = 0.1;

/// Where a limit in force comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    /// The URDF's `<limit>`.
    Urdf,
    /// The URDF's `<safety_controller>`: a soft limit.
    SafetyController,
    /// The robot file's `joint_limits`.
    RobotFile,
    /// None: a joint that turns without end has no bound there.
    Unbounded,
}

/// Where the limits of one joint come from, and what the URDF does not state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitSources {
    /// Of the least position.
    pub lower: LimitSource,
    /// Of the greatest position.
    pub upper: LimitSource,
    /// Of the velocity.
    pub velocity: LimitSource,
    /// Of the acceleration.
    pub acceleration: LimitSource,
    /// Of the jerk.
    pub jerk: LimitSource,
    /// The limits whose URDF value counts as not stated, because a default made it up: a velocity
    /// of 0, an absent bound.
    pub not_stated: Vec<&'static str>,
}

/// A limit with its source.
type Sourced = Option<(f64, LimitSource)>;

/// The stricter of two limits.
fn stricter(one: Sourced, other: Sourced, wins: fn(f64, f64) -> bool) -> Sourced {
    match (one, other) {
        (Some((a, _)), Some((b, _))) if wins(b, a) => other,
        (Some(_), _) => one,
        (None, _) => other,
    }
}

/// The bounds that the URDF states, if it does: the stricter of hard and soft limits.
pub(crate) fn bounds(joint: &urdf_rs::Joint, stated: &StatedLimits) -> Option<(f64, f64)> {
    let (lower, upper) = urdf_bounds(joint, stated);
    Some((lower?.0, upper?.0))
}

fn urdf_bounds(joint: &urdf_rs::Joint, stated: &StatedLimits) -> (Sourced, Sourced) {
    if joint.joint_type == JointType::Continuous {
        return (None, None);
    }
    let hard = |bound: Option<f64>| bound.map(|bound| (bound, LimitSource::Urdf));
    let soft = |bound: Option<f64>| bound.map(|bound| (bound, LimitSource::SafetyController));
    (
        stricter(hard(stated.lower), soft(stated.soft_lower), |a, b| a > b),
        stricter(hard(stated.upper), soft(stated.soft_upper), |a, b| a < b),
    )
}

/// Joins the two sources; a limit that neither states is a fault.
pub(crate) fn join(
    joint: &urdf_rs::Joint,
    stated: &StatedLimits,
    file: Option<&JointLimit>,
    faults: &mut Faults,
) -> Option<(JointLimits, LimitSources)> {
    let name = &joint.name;
    let at = format!("joint_limits.{name}");
    let continuous = joint.joint_type == JointType::Continuous;
    let own = |pick: fn(&JointLimit) -> Option<f64>| {
        file.and_then(pick).map(|limit| (limit, LimitSource::RobotFile))
    };
    let urdf = |limit: Option<f64>| limit.map(|limit| (limit, LimitSource::Urdf));
    let (urdf_lower, urdf_upper) = urdf_bounds(joint, stated);
    let unbounded = |bound: f64| continuous.then_some((bound, LimitSource::Unbounded));
    let lower =
        stricter(own(|file| file.lower), urdf_lower, |a, b| a > b).or(unbounded(f64::NEG_INFINITY));
    let upper =
        stricter(own(|file| file.upper), urdf_upper, |a, b| a < b).or(unbounded(f64::INFINITY));
    let less = |own, stated| stricter(own, urdf(stated), |a, b| a < b);
    let velocity = less(own(|file| file.velocity), stated.velocity);
    let acceleration = less(own(|file| file.acceleration), stated.acceleration);
    let jerk = less(own(|file| file.jerk), stated.jerk);
    for (key, limit) in [
        ("lower", &lower),
        ("upper", &upper),
        ("velocity", &velocity),
        ("acceleration", &acceleration),
        ("jerk", &jerk),
    ] {
        if limit.is_none() {
            let why = match key {
                "velocity" if stated.zero_velocity => " (its velocity=\"0\" counts as not stated)",
                _ => "",
            };
            faults.add(
                format!("{at}.{key}"),
                format!(
                    "missing: neither the robot file nor the URDF states it for joint `{name}`{why}"
                ),
            );
        }
    }
    let mut not_stated = Vec::new();
    if stated.zero_velocity {
        not_stated.push("velocity");
    }
    if !continuous {
        not_stated.extend(stated.lower.is_none().then_some("lower"));
        not_stated.extend(stated.upper.is_none().then_some("upper"));
    }
    let ((lower, of_lower), (upper, of_upper)) = (lower?, upper?);
    let ((velocity, of_velocity), (acceleration, of_acceleration)) = (velocity?, acceleration?);
    let (jerk, of_jerk) = jerk?;
    if lower > upper {
        faults.add(
            &at,
            format!("of URDF and robot file together, lower {lower} is greater than upper {upper}"),
        );
        return None;
    }
    for (key, value) in [("velocity", velocity), ("acceleration", acceleration), ("jerk", jerk)] {
        if value < 0.0 {
            faults.add(format!("{at}.{key}"), format!("{value} is negative"));
        }
    }
    let prismatic = joint.joint_type == JointType::Prismatic;
    let name = name.clone();
    Some((
        JointLimits { name, lower, upper, velocity, acceleration, jerk, continuous, prismatic },
        LimitSources {
            lower: of_lower,
            upper: of_upper,
            velocity: of_velocity,
            acceleration: of_acceleration,
            jerk: of_jerk,
            not_stated,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(lower: f64, upper: f64) -> JointLimits {
        JointLimits {
            name: "joint".into(),
            lower,
            upper,
            velocity: 1.0,
            acceleration: 1.0,
            jerk: 1.0,
            continuous: true,
            prismatic: false,
        }
    }

    #[test]
    fn an_angle_is_the_nearest_turn_or_the_one_within_the_bounds() {
        let free = circle(f64::NEG_INFINITY, f64::INFINITY);
        assert!((free.near(3.4, -3.083) - (3.4 - TAU)).abs() < 1e-12);
        // From 2.8 the near way to -2.8 leads through the gap between the bounds.
        let narrow = circle(-2.9, 2.9);
        assert!((narrow.near(-2.8, 2.8) - -2.8).abs() < 1e-12);
        assert!((narrow.near(-2.8 + TAU, 2.8) - -2.8).abs() < 1e-12);
        // A little beyond a bound is noise, not the other end of the range.
        let all_but_nothing = circle(-3.13, 3.13);
        assert_eq!(all_but_nothing.near(3.15, 3.139), 3.15);
        assert!((all_but_nothing.near(-3.139, 3.139) - (TAU - 3.139)).abs() < 1e-12);
        let wide = circle(-10.0, 10.0);
        assert!((wide.near(0.1, 6.2) - (0.1 + TAU)).abs() < 1e-12);
        assert!((wide.near(1.0, 13.0) - (1.0 + TAU)).abs() < 1e-12);
        let revolute = JointLimits { continuous: false, ..circle(-10.0, 10.0) };
        assert_eq!(revolute.near(0.1, 6.2), 0.1);
    }

    #[test]
    fn the_range_of_a_joint_without_bounds_is_one_turn() {
        assert_eq!(circle(f64::NEG_INFINITY, f64::INFINITY).range(), (-PI, PI));
        assert_eq!(circle(f64::NEG_INFINITY, f64::INFINITY).middle(), 0.0);
        assert_eq!(circle(-1.0, 2.0).range(), (-1.0, 2.0));
    }
}
