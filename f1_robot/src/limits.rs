//! Joint limits: the stricter of the URDF's and the robot file's.

use serde::Serialize;
use urdf_rs::{JointLimit as UrdfLimit, JointType};

use crate::robot_file::JointLimit;
use crate::robot_file::reader::Faults;

/// The limits in force for one commanded joint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JointLimits {
    /// The joint's name.
    pub name: String,
    /// Least position, rad (sliding joints: m).
    pub lower: f64,
    /// Greatest position, rad or m.
    pub upper: f64,
    /// Greatest speed, rad/s or m/s; 0 holds the joint still.
    pub velocity: f64,
    /// Greatest acceleration, rad/s² or m/s².
    pub acceleration: f64,
    /// Greatest jerk, rad/s³ or m/s³.
    pub jerk: f64,
    /// True: a joint that turns without end. Its bounds come from the robot file and count turns,
    /// so a measured angle is not wrapped.
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

    /// The middle of the bounds.
    pub fn middle(&self) -> f64 {
        0.5 * (self.lower + self.upper)
    }
}

/// The limits that the URDF states, as far as it does.
fn stated(kind: &JointType, urdf: &UrdfLimit) -> JointLimit {
    let all_zero = urdf.lower == 0.0 && urdf.upper == 0.0 && urdf.velocity == 0.0;
    let finite = |value: f64| value.is_finite().then_some(value);
    if all_zero {
        // urdf-rs fills a missing <limit> with zeros.
        return JointLimit {
            lower: None,
            upper: None,
            velocity: None,
            acceleration: None,
            jerk: None,
        };
    }
    let bounded = *kind != JointType::Continuous;
    JointLimit {
        lower: finite(urdf.lower).filter(|_| bounded),
        upper: finite(urdf.upper).filter(|_| bounded),
        velocity: finite(urdf.velocity),
        acceleration: finite(urdf.acceleration.min(urdf.deceleration)),
        jerk: finite(urdf.jerk),
    }
}

/// The bounds that the URDF states, if it does.
pub(crate) fn bounds(joint: &urdf_rs::Joint) -> Option<(f64, f64)> {
    let limits = stated(&joint.joint_type, &joint.limit);
    limits.lower.zip(limits.upper)
}

/// Joins the two sources; a limit that neither states is a fault.
pub(crate) fn join(
    joint: &urdf_rs::Joint,
    file: Option<&JointLimit>,
    faults: &mut Faults,
) -> Option<JointLimits> {
    let name = &joint.name;
    let at = format!("joint_limits.{name}");
    let urdf = stated(&joint.joint_type, &joint.limit);
    let mut pick = |key: &str,
                    urdf: Option<f64>,
                    file: Option<f64>,
                    stricter: fn(f64, f64) -> f64| match (urdf, file) {
        (Some(a), Some(b)) => Some(stricter(a, b)),
        (one, other) => one.or(other).or_else(|| {
            faults.add(
                format!("{at}.{key}"),
                "missing: neither the robot file nor the URDF states it",
            );
            None
        }),
    };
    let lower = pick("lower", urdf.lower, file.and_then(|f| f.lower), f64::max);
    let upper = pick("upper", urdf.upper, file.and_then(|f| f.upper), f64::min);
    let velocity = pick("velocity", urdf.velocity, file.and_then(|f| f.velocity), f64::min);
    let acceleration =
        pick("acceleration", urdf.acceleration, file.and_then(|f| f.acceleration), f64::min);
    let jerk = pick("jerk", urdf.jerk, file.and_then(|f| f.jerk), f64::min);
    let limits = JointLimits {
        name: name.clone(),
        lower: lower?,
        upper: upper?,
        velocity: velocity?,
        acceleration: acceleration?,
        jerk: jerk?,
        continuous: joint.joint_type == JointType::Continuous,
        prismatic: joint.joint_type == JointType::Prismatic,
    };
    if limits.lower > limits.upper {
        let (lower, upper) = (limits.lower, limits.upper);
        faults.add(
            &at,
            format!("of URDF and robot file together, lower {lower} is greater than upper {upper}"),
        );
        return None;
    }
    for (key, value) in [
        ("velocity", limits.velocity),
        ("acceleration", limits.acceleration),
        ("jerk", limits.jerk),
    ] {
        if value < 0.0 {
            faults.add(format!("{at}.{key}"), format!("{value} is negative"));
        }
    }
    Some(limits)
}
