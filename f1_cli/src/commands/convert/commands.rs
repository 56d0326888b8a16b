//! Where the robot was sent at any moment, and how a data set writes it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use f1_interfaces::f1_msgs::msg::ActionChunk;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_robot::robot_file::{
    ActionPart, AngleUnit, DeltaFrame, DeltaReference, JointUnits, RotationFormat, StatePart,
};
use f1_robot::state::write_rotation;
use f1_robot::{JointLimits, Robot};

use super::episodes::nearest;
use super::observations::Observed;
use super::recorded::Recorded;
use super::{Form, Source};

/// Motions whose start is looked up in the one before: each is usually well under way when the next
/// takes over.
const DEEPEST: usize = 8;

/// A motion of some joints that was sent at one moment.
struct Motion {
    received_ns: i64,
    start_ns: i64,
    /// Indices into the robot's joints.
    joints: Vec<usize>,
    /// When each point is due, ns; grows.
    due_ns: Vec<i64>,
    /// `[point][joint]`.
    positions: Vec<Vec<f64>>,
    /// `[point][joint]`; empty where the sender gave none.
    velocities: Vec<Vec<f64>>,
}

/// Set-points of all joints over time.
pub(super) struct Commands {
    /// Motions of each joint, by receipt: index of the motion and the joint's column in it.
    of_joint: Vec<Vec<(usize, usize)>>,
    /// The robot's joints.
    limits: Vec<JointLimits>,
    motions: Vec<Motion>,
    measured: Vec<(i64, Vec<f64>)>,
    stamps: Vec<i64>,
    /// When a person took the robot, ns: what was sent before has ended there.
    taken: Vec<i64>,
    /// What of the messages was not used, and why.
    pub notes: Vec<String>,
}

/// Why a message is no motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unusable {
    NoJoint,
    Velocities,
    Contradiction,
}

impl Unusable {
    fn text(self) -> &'static str {
        match self {
            Self::NoJoint => "name no joint of the robot file",
            Self::Velocities => "have points with velocities only, which say no position",
            Self::Contradiction => {
                "contradict themselves (numbers of joints and positions, order of times, not finite)"
            }
        }
    }
}

/// What was not used of the messages of one kind.
#[derive(Default)]
struct Leftovers {
    unusable: BTreeMap<Unusable, usize>,
    unknown: BTreeMap<String, usize>,
}

impl Leftovers {
    /// Indices of the message's joints: column in the message, index in the robot.
    fn known(&mut self, robot: &Robot, names: &[String]) -> Vec<(usize, usize)> {
        let mut known = Vec::new();
        let mut unknown = BTreeSet::new();
        for (column, name) in names.iter().enumerate() {
            match robot.joint_index(name) {
                Some(index) => known.push((column, index)),
                None => {
                    unknown.insert(name);
                }
            }
        }
        for name in unknown {
            *self.unknown.entry(name.clone()).or_default() += 1;
        }
        known
    }

    fn notes(&self, what: &str) -> Vec<String> {
        let unknown = self.unknown.iter().map(|(joint, count)| {
            format!("{count} {what} name the joint `{joint}`, which the robot file does not know; it is left out")
        });
        let unusable = self.unusable.iter();
        unknown
            .chain(unusable.map(|(why, count)| format!("{count} {what} {}", why.text())))
            .collect()
    }
}

impl Commands {
    pub fn new(
        recorded: &Recorded,
        observed: &Observed,
        robot: &Robot,
        source: Source,
    ) -> Result<Self> {
        let mut leftovers = Leftovers::default();
        let read: Vec<std::result::Result<Motion, Unusable>> = match source {
            Source::Trajectories => recorded
                .trajectories
                .iter()
                .map(|(at, message)| of_trajectory(robot, *at, message, &mut leftovers))
                .collect(),
            Source::Chunks => recorded
                .chunks
                .iter()
                .map(|(at, message)| of_chunk(robot, *at, message, &mut leftovers))
                .collect(),
            Source::Measured => Vec::new(),
        };
        let count = read.len();
        let mut motions = Vec::new();
        for motion in read {
            match motion {
                Ok(motion) => motions.push(motion),
                Err(why) => *leftovers.unusable.entry(why).or_default() += 1,
            }
        }
        let what = if source == Source::Chunks { "chunks" } else { "trajectories" };
        let notes = leftovers.notes(what);
        if motions.is_empty() && source != Source::Measured {
            let place = match source {
                Source::Chunks => String::new(),
                _ => format!(" on {}", recorded.trajectory_topics.join(" or ")),
            };
            let found = match (source, count) {
                (Source::Chunks, 0) => "no chunk of the policy".to_owned(),
                (_, 0) => format!("no trajectory{place}"),
                _ => format!("none of {count} {what}{place} can be used ({})", notes.join("; ")),
            };
            bail!(
                "{found}: take the action from elsewhere with --commands (trajectories, chunks, measured)"
            );
        }
        let mut of_joint = vec![Vec::new(); robot.dof()];
        for (index, motion) in motions.iter().enumerate() {
            for (column, joint) in motion.joints.iter().enumerate() {
                of_joint[*joint].push((index, column));
            }
        }
        let measured = observed.measured.clone();
        let stamps = measured.iter().map(|(stamp, _)| *stamp).collect();
        let limits = robot.joints().to_vec();
        let taken = recorded.takeovers.iter().flatten();
        let taken = taken.filter(|(_, taken)| *taken).map(|(at, _)| *at).collect();
        Ok(Self { of_joint, limits, motions, measured, stamps, taken, notes })
    }

    /// Where every joint is sent at a time, rad or m; a joint that was sent nowhere yet is where it
    /// was measured.
    pub fn at(&self, time_ns: i64) -> Vec<f64> {
        (0..self.of_joint.len()).map(|joint| self.joint_at(joint, time_ns)).collect()
    }

    fn joint_at(&self, joint: usize, time_ns: i64) -> f64 {
        // What a person does through the controllers' own topics is there; what goes another way is
        // measured.
        let since = self.taken.iter().rfind(|at| **at <= time_ns).copied().unwrap_or(i64::MIN);
        let motions = &self.of_joint[joint];
        let first = motions.partition_point(|(index, _)| self.motions[*index].received_ns < since);
        self.among(&motions[first..], joint, time_ns, DEEPEST)
    }

    /// Position by the newest of some motions that has begun; one that begins later leaves the one
    /// before it in force.
    fn among(&self, motions: &[(usize, usize)], joint: usize, time_ns: i64, deepest: usize) -> f64 {
        let begun = motions.iter().rposition(|(index, _)| {
            let motion = &self.motions[*index];
            motion.received_ns <= time_ns && motion.start_ns <= time_ns
        });
        match begun {
            Some(place) if deepest > 0 => {
                let (index, column) = motions[place];
                let motion = &self.motions[index];
                // Where it starts is where the one before it had come to.
                motion.at(column, time_ns, |first| {
                    let start = self.among(&motions[..place], joint, motion.start_ns, deepest - 1);
                    self.limits[joint].near(start, first)
                })
            }
            _ => self.measured_at(joint, time_ns),
        }
    }

    fn measured_at(&self, joint: usize, time_ns: i64) -> f64 {
        self.measured[nearest(&self.stamps, time_ns)].1[joint]
    }
}

impl Motion {
    /// Position of a joint; `before` gives it at the motion's start, which has no point of its own,
    /// on the turn of the first point.
    fn at(&self, column: usize, time_ns: i64, before: impl Fn(f64) -> f64) -> f64 {
        let after = self.due_ns.partition_point(|due| *due <= time_ns);
        if after == self.due_ns.len() {
            return self.positions[after - 1][column];
        }
        let to = self.positions[after][column];
        if after == 0 {
            let (from, span) = (before(to), self.due_ns[0] - self.start_ns);
            return from
                + (to - from)
                    * ((time_ns - self.start_ns) as f64 / span.max(1) as f64).clamp(0.0, 1.0);
        }
        let from = self.positions[after - 1][column];
        let span = (self.due_ns[after] - self.due_ns[after - 1]) as f64 * 1e-9;
        let share = (time_ns - self.due_ns[after - 1]) as f64 * 1e-9 / span;
        match (self.velocities.get(after - 1), self.velocities.get(after)) {
            // The cubic that a trajectory controller follows between points with velocities.
            (Some(start), Some(end)) => {
                let (square, cube) = (share * share, share * share * share);
                from * (2.0 * cube - 3.0 * square + 1.0)
                    + start[column] * span * (cube - 2.0 * square + share)
                    + to * (3.0 * square - 2.0 * cube)
                    + end[column] * span * (cube - square)
            }
            _ => from + (to - from) * share,
        }
    }
}

fn of_trajectory(
    robot: &Robot,
    received_ns: i64,
    message: &JointTrajectory,
    leftovers: &mut Leftovers,
) -> std::result::Result<Motion, Unusable> {
    let stamp = message.header.stamp.nanoseconds();
    let start_ns = if stamp == 0 { received_ns } else { stamp };
    let points = &message.points;
    if points.iter().any(|point| point.positions.is_empty() && !point.velocities.is_empty()) {
        return Err(Unusable::Velocities);
    }
    let due_ns: Vec<i64> =
        points.iter().map(|point| start_ns + point.time_from_start.nanoseconds()).collect();
    let count = message.joint_names.len();
    let known = leftovers.known(robot, &message.joint_names);
    let positions = columns(points.iter().map(|point| point.positions.as_slice()), count, &known);
    let velocities = columns(points.iter().map(|point| point.velocities.as_slice()), count, &known);
    let positions = positions.ok_or(Unusable::Contradiction)?;
    let joints = known.iter().map(|(_, joint)| *joint).collect();
    let velocities = velocities.unwrap_or_default();
    motion(Motion { received_ns, start_ns, joints, due_ns, positions, velocities })
}

fn of_chunk(
    robot: &Robot,
    received_ns: i64,
    message: &ActionChunk,
    leftovers: &mut Leftovers,
) -> std::result::Result<Motion, Unusable> {
    let start_ns = message.header.stamp.nanoseconds();
    let count = message.joint_names.len();
    let known = leftovers.known(robot, &message.joint_names);
    let positions = columns(message.positions.chunks(count.max(1)), count, &known);
    let positions = positions.ok_or(Unusable::Contradiction)?;
    let due_ns = (0..positions.len())
        .map(|row| f1_robot::decode::due(start_ns, row, message.rate))
        .collect();
    let joints = known.iter().map(|(_, joint)| *joint).collect();
    motion(Motion { received_ns, start_ns, joints, due_ns, positions, velocities: Vec::new() })
}

/// The known columns of rows that must each have `count` values.
fn columns<'a>(
    rows: impl Iterator<Item = &'a [f64]>,
    count: usize,
    known: &[(usize, usize)],
) -> Option<Vec<Vec<f64>>> {
    rows.map(|row| {
        (row.len() == count).then(|| known.iter().map(|(column, _)| row[*column]).collect())
    })
    .collect()
}

/// A motion, unless it holds nothing or contradicts itself (a controller would refuse it).
fn motion(motion: Motion) -> std::result::Result<Motion, Unusable> {
    if motion.joints.is_empty() {
        return Err(Unusable::NoJoint);
    }
    let finite = motion.positions.iter().flatten().all(|value| value.is_finite());
    if finite && motion.due_ns.is_sorted() && !motion.positions.is_empty() {
        Ok(motion)
    } else {
        Err(Unusable::Contradiction)
    }
}

/// How an action row is made of set-points.
pub(super) struct Layout<'a> {
    robot: &'a Robot,
    form: Form,
}

impl<'a> Layout<'a> {
    pub fn new(robot: &'a Robot, form: Form) -> Result<Self> {
        let from_start = |part: &ActionPart| matches!(part, ActionPart::EndEffectorDelta(part) if part.reference == DeltaReference::ChunkStart);
        if form == Form::Layout && robot.file().action.parts.iter().any(from_start) {
            bail!(
                "the action layout counts end-effector deltas from a chunk's start, which a frame alone does not have: \
                 use --action joints"
            );
        }
        Ok(Self { robot, form })
    }

    /// Names of the action's dimensions.
    pub fn names(&self) -> Vec<String> {
        if self.form == Form::Joints {
            return self.robot.joints().iter().map(|joint| joint.name.clone()).collect();
        }
        let mut out = Vec::new();
        for part in &self.robot.file().action.parts {
            match part {
                ActionPart::JointPositions(part) => out.extend(part.joints.iter().cloned()),
                ActionPart::JointDeltas(part) => out.extend(part.joints.iter().cloned()),
                ActionPart::EndEffectorDelta(part) => {
                    out.extend(
                        ["dx", "dy", "dz", "drx", "dry", "drz"]
                            .map(|axis| format!("{}_{axis}", part.arm)),
                    );
                }
                ActionPart::Gripper(part) => out.push(part.gripper.clone()),
                ActionPart::Padding(part) => {
                    out.extend((0..part.width).map(|index| format!("padding_{index}")))
                }
            }
        }
        out
    }

    /// A set-point as it compares with the state that a data set writes for `now`.
    fn near_state(&self, joint: usize, now: f64, next: f64) -> f64 {
        let limits = &self.robot.joints()[joint];
        limits.near(next, self.robot.canonical(&limits.name, now))
    }

    /// The action that leads from the set-points `now` to those one step later.
    pub fn action(&self, now: &[f64], next: &[f64]) -> Vec<f32> {
        if self.form == Form::Joints {
            let positions = next.iter().zip(now).enumerate();
            return positions
                .map(|(joint, (next, now))| self.near_state(joint, *now, *next) as f32)
                .collect();
        }
        let mut out: Vec<f64> = Vec::new();
        // Positions as the action layout writes them, near the state's: angles of joints that turn
        // without end on the same turn.
        let joints = |names: &[String], units: AngleUnit, scale: &[f64], offset: &[f64]| {
            let written = names.iter().enumerate().filter_map(|(place, name)| {
                let index = self.robot.joint_index(name)?;
                let joint = &self.robot.joints()[index];
                let units = JointUnits::new(units, joint.prismatic, scale, offset, place);
                Some(units.write(self.near_state(index, now[index], next[index])))
            });
            written.collect::<Vec<f64>>()
        };
        let kinematics = self.robot.kinematics();
        for part in &self.robot.file().action.parts {
            match part {
                ActionPart::JointPositions(part) => {
                    out.extend(joints(&part.joints, part.units, &part.scale, &part.offset))
                }
                ActionPart::JointDeltas(part) => {
                    out.extend(joints(&part.joints, part.units, &part.scale, &[]))
                }
                ActionPart::EndEffectorDelta(part) => {
                    let Some(arm) = kinematics.arm(&part.arm) else { continue };
                    let (from, to) =
                        (kinematics.end_effector(arm, now), kinematics.end_effector(arm, next));
                    let position = to.translation.vector - from.translation.vector;
                    let (position, rotation) = match part.frame {
                        DeltaFrame::Base => (position, to.rotation * from.rotation.inverse()),
                        DeltaFrame::Tool => (
                            from.rotation.inverse() * position,
                            from.rotation.inverse() * to.rotation,
                        ),
                    };
                    let format = match part.rotation {
                        RotationFormat::Rpy => RotationFormat::Rpy,
                        _ => RotationFormat::AxisAngle,
                    };
                    out.extend(position.iter().map(|value| value / part.position_scale));
                    out.extend(
                        write_rotation(&rotation, format)
                            .iter()
                            .map(|value| value / part.rotation_scale),
                    );
                }
                ActionPart::Gripper(part) => {
                    let gripper = self.robot.file().gripper(&part.gripper);
                    let position = gripper.and_then(|gripper| {
                        Some(
                            gripper
                                .action_of_position(next[self.robot.joint_index(&gripper.joint)?]),
                        )
                    });
                    out.push(position.unwrap_or(0.0));
                }
                ActionPart::Padding(part) => out.extend(std::iter::repeat_n(0.0, part.width)),
            }
        }
        out.into_iter().map(|value| value as f32).collect()
    }
}

/// Names of the state's dimensions.
pub(super) fn state_names(robot: &Robot) -> Vec<String> {
    let mut out = Vec::new();
    for part in &robot.file().state.parts {
        match part {
            StatePart::JointPositions(part) => out.extend(part.joints.iter().cloned()),
            StatePart::EndEffectorPose(part) => {
                let width = 3 + part.rotation.width();
                let axes = ["x", "y", "z", "r0", "r1", "r2", "r3"];
                out.extend(axes[..width].iter().map(|axis| format!("{}_{axis}", part.arm)));
            }
            StatePart::Gripper(part) => out.push(part.gripper.clone()),
            StatePart::Padding(part) => {
                out.extend((0..part.width).map(|index| format!("padding_{index}")))
            }
        }
    }
    out
}
