//! Measured joints, taken by name, to joint vectors and to the network's state vector.

use std::f64::consts::TAU;

use nalgebra::UnitQuaternion;

use crate::Robot;
use crate::robot_file::{JointUnits, RotationFormat, StatePart};
use crate::statistics::{DatasetStatistics, Normaliser, StatisticsError};

/// A measurement that cannot be used: every reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("joint states: {}", describe(.missing, .not_finite, .lengths))]
pub struct MeasurementError {
    /// Joints that are not in the message.
    pub missing: Vec<String>,
    /// Joints whose position is not a finite number.
    pub not_finite: Vec<String>,
    /// The numbers of names and positions, where they differ.
    pub lengths: Option<(usize, usize)>,
}

fn describe(missing: &[String], not_finite: &[String], lengths: &Option<(usize, usize)>) -> String {
    let mut parts = Vec::new();
    if let Some((names, positions)) = lengths {
        parts.push(format!("{names} names but {positions} positions"));
    }
    if !missing.is_empty() {
        parts.push(format!("missing: {}", missing.join(", ")));
    }
    if !not_finite.is_empty() {
        parts.push(format!("not finite: {}", not_finite.join(", ")));
    }
    parts.join("; ")
}

/// Picks `wanted` out of a message by name. `mimics` gives (joint, driver, multiplier, offset) for
/// joints that can be computed when the message leaves them out.
fn pick(
    wanted: &[String],
    names: &[String],
    positions: &[f64],
    mimics: &[(String, String, f64, f64)],
) -> Result<Vec<f64>, MeasurementError> {
    let mut error = MeasurementError { missing: Vec::new(), not_finite: Vec::new(), lengths: None };
    if names.len() != positions.len() {
        error.lengths = Some((names.len(), positions.len()));
    }
    let find = |name: &str| {
        names.iter().position(|known| known == name).and_then(|i| positions.get(i).copied())
    };
    let mut picked = Vec::with_capacity(wanted.len());
    for name in wanted {
        let value = find(name).or_else(|| {
            let (_, driver, multiplier, offset) =
                mimics.iter().find(|(joint, ..)| joint == name)?;
            Some(multiplier * find(driver)? + offset)
        });
        match value {
            None => error.missing.push(name.clone()),
            Some(value) if !value.is_finite() => error.not_finite.push(name.clone()),
            Some(value) => picked.push(value),
        }
    }
    if error.lengths.is_none() && error.missing.is_empty() && error.not_finite.is_empty() {
        Ok(picked)
    } else {
        Err(error)
    }
}

impl Robot {
    /// The joint vector (order of [`Robot::joints`]) out of measured joints, taken by name; further
    /// joints in `names` are passed over.
    ///
    /// # Errors
    /// Joints that are missing or not finite, and lists of different lengths.
    pub fn joint_vector(
        &self,
        names: &[String],
        positions: &[f64],
    ) -> Result<Vec<f64>, MeasurementError> {
        let wanted: Vec<String> = self.joints().iter().map(|joint| joint.name.clone()).collect();
        pick(&wanted, names, positions, self.mimics())
    }
}

/// Makes the network's state vector from measured joints.
#[derive(Debug, Clone)]
pub struct StateEncoder {
    robot: std::sync::Arc<Robot>,
    normaliser: Normaliser,
    circles: Vec<Circle>,
}

/// An entry of the state vector that is an angle of a joint that turns without end.
#[derive(Debug, Clone)]
struct Circle {
    entry: usize,
    /// A whole turn in the vector's unit.
    turn: f64,
    /// Least and greatest value in the data set.
    range: (f64, f64),
}

impl Circle {
    /// Those of a robot's state layout.
    fn of(robot: &Robot, statistics: &DatasetStatistics) -> Vec<Self> {
        let circles = robot.circles();
        let known = circles.state().iter().filter_map(|angle| {
            let range =
                (*statistics.state.min.get(angle.entry)?, *statistics.state.max.get(angle.entry)?);
            let turn = (TAU * angle.units.factor).abs();
            Some(Self { entry: angle.entry, turn, range })
        });
        known.collect()
    }

    /// The value on the turn that the data set was recorded on: a value outside its range is moved
    /// by whole turns if that brings it inside.
    fn as_recorded(&self, value: f64) -> f64 {
        let (least, greatest) = self.range;
        let inside = |value: f64| value >= least && value <= greatest;
        let middle = 0.5 * (least + greatest);
        let moved = value + self.turn * ((middle - value) / self.turn).round();
        if !inside(value) && inside(moved) { moved } else { value }
    }
}

impl StateEncoder {
    /// For a robot and the statistics that its file names.
    ///
    /// # Errors
    /// Statistics that do not fit the robot's state layout or cannot be divided by.
    pub fn new(
        robot: std::sync::Arc<Robot>,
        statistics: &DatasetStatistics,
    ) -> Result<Self, StatisticsError> {
        let ignored: Vec<bool> = robot
            .file()
            .state
            .parts
            .iter()
            .flat_map(|part| vec![matches!(part, StatePart::Padding(_)); part.width()])
            .collect();
        let kind = robot.file().statistics.state;
        let normaliser = Normaliser::new(&statistics.state, kind, &ignored, "observation.state")?;
        let circles = Circle::of(&robot, statistics);
        Ok(Self { robot, normaliser, circles })
    }

    /// One that leaves the state in the units of the state layout: for a policy that normalises
    /// what it gets itself.
    pub fn in_robot_units(robot: std::sync::Arc<Robot>) -> Self {
        let normaliser = Normaliser::identity(&vec![false; robot.file().state_dim()]);
        Self { robot, normaliser, circles: Vec::new() }
    }

    /// The normalised state vector, `[state_dim]`.
    ///
    /// # Errors
    /// Joints that are missing or not finite.
    pub fn encode(
        &self,
        names: &[String],
        positions: &[f64],
    ) -> Result<Vec<f32>, MeasurementError> {
        let mut state = raw_state(&self.robot, names, positions)?;
        for circle in &self.circles {
            state[circle.entry] = circle.as_recorded(state[circle.entry]);
        }
        self.normaliser.normalise(&mut state);
        Ok(state.into_iter().map(|value| value as f32).collect())
    }
}

/// The state vector in the units of the state layout, not normalised: what a data set records.
/// `[state_dim]`.
///
/// # Errors
/// Joints that are missing or not finite.
pub fn raw_state(
    robot: &Robot,
    names: &[String],
    positions: &[f64],
) -> Result<Vec<f64>, MeasurementError> {
    let vector = robot.joint_vector(names, positions)?;
    let mut state = Vec::with_capacity(robot.file().state_dim());
    for part in &robot.file().state.parts {
        match part {
            StatePart::JointPositions(part) => {
                let picked = pick(&part.joints, names, positions, robot.mimics())?;
                for (i, (position, name)) in picked.into_iter().zip(&part.joints).enumerate() {
                    let sliding = robot.is_sliding(name);
                    let units = JointUnits::new(part.units, sliding, &part.scale, &part.offset, i);
                    state.push(units.write(robot.canonical(name, position)));
                }
            }
            StatePart::EndEffectorPose(part) => {
                let Some(arm) = robot.kinematics().arm(&part.arm) else { continue };
                let pose = robot.kinematics().end_effector(arm, &vector);
                state.extend(pose.translation.vector.iter());
                state.extend(write_rotation(&pose.rotation, part.rotation));
            }
            StatePart::Gripper(part) => {
                let Some(gripper) = robot.file().gripper(&part.gripper) else { continue };
                let Some(joint) = robot.joint_index(&gripper.joint) else { continue };
                state.push(gripper.in_convention(part.convention, vector[joint]));
            }
            StatePart::Padding(part) => state.extend(std::iter::repeat_n(0.0, part.width)),
        }
    }
    Ok(state)
}

/// A rotation as the numbers of a format. Quaternions have w >= 0.
pub fn write_rotation(rotation: &UnitQuaternion<f64>, format: RotationFormat) -> Vec<f64> {
    let sign = if rotation.w < 0.0 { -1.0 } else { 1.0 };
    let [x, y, z, w] = [rotation.i, rotation.j, rotation.k, rotation.w].map(|value| value * sign);
    match format {
        RotationFormat::AxisAngle => rotation.scaled_axis().iter().copied().collect(),
        RotationFormat::Rpy => {
            let (roll, pitch, yaw) = rotation.euler_angles();
            vec![roll, pitch, yaw]
        }
        RotationFormat::QuaternionXyzw => vec![x, y, z, w],
        RotationFormat::QuaternionWxyz => vec![w, x, y, z],
    }
}
