//! From the network's normalised chunk to joint waypoints.
//!
//! A chunk is `[horizon][max_action_dim]`; the first `action_dim` entries of a row are the robot's,
//! the rest is the network's padding. Nothing is checked or limited here: that is the safety
//! filter's work.

use std::sync::Arc;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

use crate::Robot;
use crate::kinematics::{InverseOptions, condition_number, singularity_scale};
use crate::robot_file::{
    ActionPart, AngleUnit, DeltaFrame, DeltaReference, EndEffectorDelta, Gripper, JointUnits,
    RotationFormat,
};
use crate::statistics::{DatasetStatistics, Normaliser, StatisticsError};
use crate::trajectory::{SECOND, Stamp};

/// A chunk in joint units, exactly as the policy asks for it: nothing about it is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct RawChunk {
    /// The moment of the observation behind the chunk, nanoseconds: row i is due at `stamp + (i +
    /// 1) / rate_hz`.
    pub stamp: Stamp,
    /// Counts chunks within an epoch.
    pub sequence: u64,
    /// Counts resets; a chunk of an older epoch is void.
    pub epoch: u64,
    /// The columns' joints.
    pub joint_names: Vec<String>,
    /// Rows per second, Hz.
    pub rate_hz: f64,
    /// `[horizon][joint]`, rad (sliding joints: m).
    pub rows: Vec<Vec<f64>>,
}

impl RawChunk {
    /// When row `row` is due, nanoseconds.
    pub fn due(&self, row: usize) -> Stamp {
        due(self.stamp, row, self.rate_hz)
    }
}

/// When row `row` of a chunk of `stamp` is due, nanoseconds.
pub fn due(stamp: Stamp, row: usize, rate_hz: f64) -> Stamp {
    stamp.saturating_add(((row as f64 + 1.0) * SECOND as f64 / rate_hz).round() as i64)
}

/// When and where in the run a chunk belongs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ChunkStamp {
    /// See [`RawChunk::stamp`].
    pub stamp: Stamp,
    /// See [`RawChunk::sequence`].
    pub sequence: u64,
    /// See [`RawChunk::epoch`].
    pub epoch: u64,
}

/// A chunk that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The chunk has no rows.
    #[error("the chunk has no rows")]
    Empty,
    /// A row is too short.
    #[error("row {row} of the chunk has {found} entries; the action layout needs {needed}")]
    Width {
        /// The row.
        row: usize,
        /// Its length.
        found: usize,
        /// The layout's.
        needed: usize,
    },
    /// The start is not a joint vector.
    #[error("the start has {found} joints, the robot {needed}")]
    Start {
        /// The start's length.
        found: usize,
        /// The robot's.
        needed: usize,
    },
}

/// Something about a decoded chunk that its user should know.
#[derive(Debug, Clone, PartialEq)]
pub enum DecodeWarning {
    /// A step was shortened near a singularity.
    Slowed {
        /// The row.
        row: usize,
        /// The arm.
        arm: String,
        /// The condition number.
        condition: f64,
        /// The share of the step that was taken.
        scale: f64,
    },
    /// The asked pose is out of reach; the nearest was taken.
    Unreached {
        /// The row.
        row: usize,
        /// The arm.
        arm: String,
        /// What is left, m.
        position_error: f64,
        /// What is left, rad.
        rotation_error: f64,
    },
}

/// A decoded chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The chunk.
    pub chunk: RawChunk,
    /// What happened on the way.
    pub warnings: Vec<DecodeWarning>,
}

/// Decodes chunks for one robot and one data set's statistics.
#[derive(Debug, Clone)]
pub struct ChunkDecoder {
    robot: Arc<Robot>,
    normaliser: Normaliser,
    names: Vec<String>,
    /// Least and greatest position of the joints that are grippers.
    grip: Vec<Option<[f64; 2]>>,
    inverse: InverseOptions,
}

impl ChunkDecoder {
    /// For a robot and the statistics that its file names.
    ///
    /// # Errors
    /// Statistics that do not fit the robot's action layout or cannot be divided by.
    pub fn new(robot: Arc<Robot>, statistics: &DatasetStatistics) -> Result<Self, StatisticsError> {
        let parts = &robot.file().action.parts;
        let ignored: Vec<bool> = parts
            .iter()
            .flat_map(|part| vec![matches!(part, ActionPart::Padding(_)); part.width()])
            .collect();
        let kind = robot.file().statistics.action;
        let normaliser = Normaliser::new(&statistics.action, kind, &ignored, "action")?;
        Ok(Self::with(robot, normaliser))
    }

    /// For chunks that are in the units of the action layout already: of a policy that keeps its
    /// statistics to itself.
    pub fn in_robot_units(robot: Arc<Robot>) -> Self {
        let normaliser = Normaliser::identity(&vec![false; robot.file().action_dim()]);
        Self::with(robot, normaliser)
    }

    fn with(robot: Arc<Robot>, normaliser: Normaliser) -> Self {
        let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
        let grip = names.iter().map(|name| {
            let gripper = robot.file().grippers.iter().find(|gripper| gripper.joint == *name)?;
            Some([gripper.open.min(gripper.closed), gripper.open.max(gripper.closed)])
        });
        let grip = grip.collect();
        Self { robot, normaliser, names, grip, inverse: InverseOptions::tracking() }
    }

    /// The robot.
    pub fn robot(&self) -> &Arc<Robot> {
        &self.robot
    }

    /// Normalised rows to the units of the action layout: `[horizon][action_dim]`.
    ///
    /// # Errors
    /// An empty chunk or a short row.
    pub fn denormalise(&self, chunk: &[Vec<f32>]) -> Result<Vec<Vec<f64>>, DecodeError> {
        let needed = self.normaliser.dims();
        if chunk.is_empty() {
            return Err(DecodeError::Empty);
        }
        chunk
            .iter()
            .enumerate()
            .map(|(row, values)| {
                if values.len() < needed {
                    return Err(DecodeError::Width { row, found: values.len(), needed });
                }
                let mut values: Vec<f64> =
                    values[..needed].iter().map(|value| f64::from(*value)).collect();
                self.normaliser.denormalise(&mut values);
                Ok(values)
            })
            .collect()
    }

    /// Rows in the units of the action layout to normalised rows: the inverse of
    /// [`Self::denormalise`].
    pub fn normalise(&self, rows: &[Vec<f64>]) -> Vec<Vec<f32>> {
        rows.iter()
            .map(|row| {
                let mut row = row.clone();
                self.normaliser.normalise(&mut row);
                row.into_iter().map(|value| value as f32).collect()
            })
            .collect()
    }

    /// Decodes a chunk. `start` is the joint vector from which deltas count: measured, or where the
    /// running motion will be at the splice. Numbers that are not finite come out as such (in
    /// every row that depends on them).
    ///
    /// # Errors
    /// An empty chunk, a short row, a start of the wrong length.
    pub fn decode(
        &self,
        chunk: &[Vec<f32>],
        start: &[f64],
        stamp: ChunkStamp,
    ) -> Result<Decoded, DecodeError> {
        let rows = self.denormalise(chunk)?;
        self.waypoints(&rows, start, stamp)
    }

    /// As [`Self::decode`], for rows that are in the units of the action layout already.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn waypoints(
        &self,
        rows: &[Vec<f64>],
        start: &[f64],
        stamp: ChunkStamp,
    ) -> Result<Decoded, DecodeError> {
        let (found, needed) = (start.len(), self.robot.dof());
        if found != needed {
            return Err(DecodeError::Start { found, needed });
        }
        if rows.is_empty() {
            return Err(DecodeError::Empty);
        }
        let width = self.normaliser.dims();
        if let Some(row) = rows.iter().position(|row| row.len() < width) {
            return Err(DecodeError::Width { row, found: rows[row].len(), needed: width });
        }
        let file = self.robot.file();
        let mut out = vec![start.to_vec(); rows.len()];
        let mut warnings = Vec::new();
        let (mut from, mut to) = (0, 0);
        for part in &file.action.parts {
            match part {
                ActionPart::JointPositions(part) => {
                    for (row, out) in rows.iter().zip(&mut out) {
                        for i in 0..part.joints.len() {
                            let units =
                                self.units(to + i, part.units, &part.scale, &part.offset, i);
                            out[to + i] = self.saturated(to + i, units.read(row[from + i]));
                        }
                    }
                    to += part.joints.len();
                }
                ActionPart::JointDeltas(part) => {
                    for i in 0..part.joints.len() {
                        let units = self.units(to + i, part.units, &part.scale, &[], i);
                        let mut position = start[to + i];
                        for (row, out) in rows.iter().zip(&mut out) {
                            let delta = units.read(row[from + i]);
                            let asked = match part.reference {
                                DeltaReference::Chained => position + delta,
                                DeltaReference::ChunkStart => start[to + i] + delta,
                            };
                            position = self.saturated(to + i, asked);
                            out[to + i] = position;
                        }
                    }
                    to += part.joints.len();
                }
                ActionPart::EndEffectorDelta(part) => {
                    if let Some(arm) = self.robot.kinematics().arm(&part.arm) {
                        self.follow(part, arm, rows, from, &mut out, &mut warnings);
                        to += self.robot.kinematics().arms()[arm].joints.len();
                    }
                }
                ActionPart::Gripper(part) => {
                    if let Some(gripper) = file.gripper(&part.gripper) {
                        for (row, out) in rows.iter().zip(&mut out) {
                            out[to] = Gripper::position_of_action(gripper, row[from]);
                        }
                        to += 1;
                    }
                }
                ActionPart::Padding(_) => {}
            }
            from += part.width();
        }
        let ChunkStamp { stamp, sequence, epoch } = stamp;
        let rate_hz = self.robot.rate_hz();
        let chunk = RawChunk {
            stamp,
            sequence,
            epoch,
            joint_names: self.names.clone(),
            rate_hz,
            rows: out,
        };
        Ok(Decoded { chunk, warnings })
    }

    /// A gripper that is asked to open wider than open, or to close further than closed, is asked
    /// for that, whatever part of the layout it is in: a policy's noise around either is no
    /// fault.
    fn saturated(&self, joint: usize, position: f64) -> f64 {
        match self.grip.get(joint) {
            Some(Some([least, greatest])) => position.clamp(*least, *greatest),
            _ => position,
        }
    }

    /// How the part's joint at `index`, the robot's joint `joint`, is written.
    fn units(
        &self,
        joint: usize,
        units: AngleUnit,
        scale: &[f64],
        offset: &[f64],
        index: usize,
    ) -> JointUnits {
        JointUnits::new(units, self.robot.joints()[joint].prismatic, scale, offset, index)
    }

    /// End-effector deltas to an arm's joints, row after row.
    fn follow(
        &self,
        part: &EndEffectorDelta,
        arm: usize,
        rows: &[Vec<f64>],
        from: usize,
        out: &mut [Vec<f64>],
        warnings: &mut Vec<DecodeWarning>,
    ) {
        let kinematics = self.robot.kinematics();
        let joints = kinematics.arms()[arm].joints.clone();
        let mut vector = match out.first() {
            Some(first) => first.clone(),
            None => return,
        };
        let start = kinematics.end_effector(arm, &vector);
        let (mut target, mut lost) = (start, false);
        let mut condition = condition_number(&kinematics.jacobian(arm, &vector).1);
        for (index, (row, out)) in rows.iter().zip(out).enumerate() {
            let delta = &row[from..from + 6];
            let finite = delta.iter().all(|value| value.is_finite())
                && vector.iter().all(|value| value.is_finite());
            lost = !finite || (lost && part.reference == DeltaReference::Chained);
            if lost {
                joints.iter().for_each(|joint| out[*joint] = f64::NAN);
                continue;
            }
            let reference =
                if part.reference == DeltaReference::Chained { &target } else { &start };
            target = moved(reference, delta, part);
            let solution =
                kinematics.inverse(arm, &target, &vector, self.robot.joints(), &self.inverse);
            let mut next = vector.clone();
            for (joint, position) in joints.iter().zip(&solution.positions) {
                next[*joint] = *position;
            }
            let mut ahead = condition_number(&kinematics.jacobian(arm, &next).1);
            let worst = condition.max(ahead);
            let scale = singularity_scale(worst, ahead > condition);
            if scale < 1.0 {
                let name = part.arm.clone();
                warnings.push(DecodeWarning::Slowed {
                    row: index,
                    arm: name,
                    condition: worst,
                    scale,
                });
                for joint in &joints {
                    next[*joint] = vector[*joint] + scale * (next[*joint] - vector[*joint]);
                }
                // What was not done is given up, or it would be caught up with later in one jump.
                target = kinematics.end_effector(arm, &next);
                ahead = condition_number(&kinematics.jacobian(arm, &next).1);
            } else if !solution.converged {
                warnings.push(DecodeWarning::Unreached {
                    row: index,
                    arm: part.arm.clone(),
                    position_error: solution.position_error,
                    rotation_error: solution.rotation_error,
                });
                target = kinematics.end_effector(arm, &next);
            }
            condition = ahead;
            vector = next;
            joints.iter().for_each(|joint| out[*joint] = vector[*joint]);
        }
    }
}

/// `pose` moved by a delta of six numbers.
fn moved(pose: &Isometry3<f64>, delta: &[f64], part: &EndEffectorDelta) -> Isometry3<f64> {
    let position = Vector3::new(delta[0], delta[1], delta[2]) * part.position_scale;
    let angles = Vector3::new(delta[3], delta[4], delta[5]) * part.rotation_scale;
    let rotation = match part.rotation {
        RotationFormat::Rpy => UnitQuaternion::from_euler_angles(angles.x, angles.y, angles.z),
        _ => UnitQuaternion::from_scaled_axis(angles),
    };
    let (position, rotation) = match part.frame {
        DeltaFrame::Base => (pose.translation.vector + position, rotation * pose.rotation),
        DeltaFrame::Tool => {
            (pose.translation.vector + pose.rotation * position, pose.rotation * rotation)
        }
    };
    Isometry3::from_parts(Translation3::from(position), rotation)
}
