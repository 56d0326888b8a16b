//! The robot file: everything about one robot that is data, in one YAML file
//! (`config/robots/*.yaml`).
//!
//! Lengths are metres, angles radians, times seconds unless a key says otherwise. Unknown keys are
//! refused. The file alone is read here ([`RobotFile::parse`]); [`crate::Robot::load`] reads the
//! URDF it names as well and checks the two against each other.

use std::collections::BTreeMap;

pub(crate) mod check;
mod layout;
pub(crate) mod reader;
mod topics;

pub use layout::{
    ActionGripper, ActionJointDeltas, ActionJoints, ActionLayout, ActionPart, AngleUnit,
    DeltaFrame, DeltaReference, EndEffectorDelta, GripperConvention, JointUnits, Padding,
    RotationFormat, StateGripper, StateJoints, StateLayout, StatePart, StatePose,
};
pub use reader::Fault;
use reader::{Faults, Read, section, words};
pub use topics::Topics;

/// The largest robot file or URDF that is read, in bytes; anything larger is a mistake or an
/// attack.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// The longest list in a robot file, state vector and action row.
pub const MAX_ENTRIES: usize = 1024;

/// A robot file or its URDF that cannot be used: all faults at once.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", describe(.file, .faults))]
pub struct RobotFileError {
    /// The file that was asked for (empty when the text was given directly).
    pub file: String,
    /// Every fault found.
    pub faults: Vec<Fault>,
}

fn describe(file: &str, faults: &[Fault]) -> String {
    let mut text = format!(
        "robot file {file}: {} fault{}",
        faults.len(),
        if faults.len() == 1 { "" } else { "s" }
    );
    for fault in faults {
        text.push_str("\n  ");
        text.push_str(&fault.to_string());
    }
    text
}

section! {
    /// One robot: cameras, layouts of state and action, arms, grippers, controllers, limits,
    /// surroundings.
    pub struct RobotFile {
        /// The robot's name.
        pub name: String,
        /// The URDF, relative to the robot file.
        pub urdf: String,
        /// The topics of the measured joints, relative to the robot's namespace: one, or one for
        /// each driver. Joints are taken by name, whichever topic they come on.
        pub joint_states: Topics = Topics::from("joint_states"),
        /// The cameras, in the order in which the network takes them.
        pub cameras: Vec<Camera>,
        /// The arms: kinematic chains with an end effector.
        pub arms: Vec<Arm>,
        /// The grippers and their conventions.
        pub grippers: Vec<Gripper> = Vec::new(),
        /// What the network's state vector is made of.
        pub state: StateLayout,
        /// What a row of the network's action chunk is made of.
        pub action: ActionLayout,
        /// Normalisation statistics.
        pub statistics: StatisticsSource,
        /// Who moves which joints.
        pub controllers: Vec<Controller>,
        /// Limits by joint name. The URDF's limits hold too; the stricter wins, a missing one is a
        /// fault.
        pub joint_limits: BTreeMap<String, JointLimit>,
        /// The end effector's speed limits.
        pub end_effector_speed: EndEffectorSpeed = EndEffectorSpeed::default(),
        /// The boxes that the end effectors stay in, one an arm at most.
        pub workspace: Vec<Workspace> = Vec::new(),
        /// Fixed obstacles.
        pub scene: Vec<Obstacle> = Vec::new(),
        /// Clearances that are kept.
        pub clearance: ClearanceSettings = ClearanceSettings::default(),
        /// Collision shapes by link, in place of the URDF's: where its meshes are not at hand, or
        /// to have them closer or simpler.
        pub collision_shapes: BTreeMap<String, Vec<CollisionShape>> = BTreeMap::new(),
        /// Links that may be without a collision shape: their distances are not checked.
        pub unchecked_links: Vec<String> = Vec::new(),
        /// A rest posture, by joint name: rad or m. Every commanded joint has a value; a joint that
        /// is not commanded is held there (0 if it has none).
        pub home: BTreeMap<String, f64>,
    }
}

section! {
    /// One camera.
    pub struct Camera {
        /// The camera's name: also the key of its image in a data set.
        pub name: String,
        /// The topic, relative to the robot's namespace.
        pub topic: String,
        /// True: the topic carries `CompressedImage`; false: `Image`.
        pub compressed: bool = false,
        /// What the network uses the image for.
        pub roles: Vec<CameraRole>,
        /// False: the slot exists in the network's input but stays empty and masked (the robot has
        /// no such camera).
        pub mask: bool = true,
        /// The optical frame, a link of the URDF, if the description has one.
        pub frame: Option<String> = None,
    }
}

words! {
    /// What a camera's image is used for.
    pub enum CameraRole {
        /// Seen by the understanding expert.
        Und = "und",
        /// Its past frames condition the foresight. Exactly one camera has this role.
        History = "history",
    }
}

section! {
    /// An arm: the chain of moving joints from `base` to `tip`.
    pub struct Arm {
        /// The arm's name.
        pub name: String,
        /// The link in which the end-effector pose is expressed (`frame: base`).
        pub base: String,
        /// The end-effector link.
        pub tip: String,
        /// The moving joints from `base` to `tip`, in the chain's order.
        pub joints: Vec<String>,
    }
}

section! {
    /// A gripper driven by one joint, with its conventions; nothing about them is guessed.
    pub struct Gripper {
        /// The gripper's name.
        pub name: String,
        /// The URDF joint that is commanded (rad or m); joints that mimic it follow.
        pub joint: String,
        /// The joint position when open.
        pub open: f64,
        /// The joint position when closed.
        pub closed: f64,
        /// The least and the greatest value of the policy's (unnormalised) gripper action.
        pub action_range: [f64; 2],
        /// False: the greatest action opens. True: the greatest action closes.
        pub inverted: bool,
        /// How an action becomes fully open or fully closed; `none` passes values between through.
        pub binarise: Binarise,
        /// The greatest effort, N or Nm, for gripper actions that take one.
        pub max_effort: Option<f64> = None,
    }
}

/// Whether and where a gripper action is made fully open or fully closed.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(into = "serde_json::Value")]
pub enum Binarise {
    /// Values between open and closed pass through.
    None,
    /// At or above this value of `action_range` counts as the greatest action, below as the least.
    At(f64),
}

impl From<Binarise> for serde_json::Value {
    fn from(binarise: Binarise) -> Self {
        match binarise {
            Binarise::None => "none".into(),
            Binarise::At(threshold) => threshold.into(),
        }
    }
}

impl Read for Binarise {
    fn placeholder() -> Self {
        Self::None
    }

    fn read(value: &serde_json::Value, path: &str, faults: &mut Faults) -> Self {
        match (value.as_str(), value.as_f64()) {
            (Some("none"), _) => Self::None,
            (_, Some(threshold)) if threshold.is_finite() => Self::At(threshold),
            _ => reader::expected("`none` or a threshold", value, path, faults),
        }
    }
}

section! {
    /// Where the normalisation statistics are and how they are used.
    pub struct StatisticsSource {
        /// The entry's name in `stats.json`.
        pub name: String,
        /// A `stats.json` beside the checkpoint's, relative to the robot file; empty: the
        /// checkpoint's own.
        pub path: Option<String> = None,
        /// How the state is normalised.
        pub state: Normalisation,
        /// How the action is normalised.
        pub action: Normalisation,
    }
}

words! {
    /// A normalisation. Divisors have 1e-8 added.
    pub enum Normalisation {
        /// (x - mean) / std.
        MeanStd = "mean_std",
        /// (x - min) / (max - min): 0 to 1.
        MinMax = "min_max",
        /// 2 (x - q01) / (q99 - q01) - 1: -1 to 1, not clipped.
        Quantile = "quantile",
        /// x itself.
        None = "none",
    }
}

section! {
    /// A controller of the robot and the joints it moves.
    pub struct Controller {
        /// The controller's name; one that begins with `/` is absolute.
        pub name: String,
        /// The namespace of the controller: relative to the robot's, or absolute (`/`, `/left`);
        /// empty: the robot's own.
        pub namespace: String = String::new(),
        /// The joints, in the order in which the controller names them.
        pub joints: Vec<String>,
        /// How it is commanded.
        pub interface: ControllerInterface,
        /// Positions a second, Hz, for `position_stream`: 50 to 1000.
        pub rate: Option<f64> = None,
        /// True: the controller may be sent a trajectory whose last velocity is not zero.
        pub allow_nonzero_velocity_at_end: bool = false,
    }
}

words! {
    /// How a controller is commanded.
    pub enum ControllerInterface {
        /// `trajectory_msgs/JointTrajectory` on `<controller>/joint_trajectory`.
        JointTrajectory = "joint_trajectory",
        /// The action `control_msgs/FollowJointTrajectory`.
        FollowJointTrajectory = "follow_joint_trajectory",
        /// `std_msgs/Float64MultiArray` on `<controller>/commands`: the checked trajectory,
        /// sampled.
        PositionStream = "position_stream",
        /// The action `control_msgs/GripperCommand`.
        GripperCommand = "gripper_command",
        /// The action `control_msgs/ParallelGripperCommand`.
        ParallelGripperCommand = "parallel_gripper_command",
    }
}

section! {
    /// The limits of one joint. What is left out comes from the URDF.
    pub struct JointLimit {
        /// Least position, rad or m.
        pub lower: Option<f64> = None,
        /// Greatest position, rad or m.
        pub upper: Option<f64> = None,
        /// Greatest speed, rad/s or m/s.
        pub velocity: Option<f64> = None,
        /// Greatest acceleration, rad/s² or m/s².
        pub acceleration: Option<f64> = None,
        /// Greatest jerk, rad/s³ or m/s³.
        pub jerk: Option<f64> = None,
    }
}

section! {
    /// Speed limits of the end effectors' origins, m/s.
    pub struct EndEffectorSpeed {
        /// At full speed.
        pub full: f64 = 1.0,
        /// In teach mode.
        pub teach: f64 = 0.25,
    }
}

impl Default for EndEffectorSpeed {
    fn default() -> Self {
        Self { full: 1.0, teach: 0.25 }
    }
}

section! {
    /// The box that an arm's end effector stays in, in the URDF's root frame, metres.
    pub struct Workspace {
        /// The arm.
        pub arm: String,
        /// The least x, y, z.
        pub min: [f64; 3],
        /// The greatest x, y, z.
        pub max: [f64; 3],
    }
}

section! {
    /// A fixed box in the URDF's root frame.
    pub struct Obstacle {
        /// The obstacle's name.
        pub name: String,
        /// The box's centre, m.
        pub center: [f64; 3],
        /// The box's full lengths, m.
        pub size: [f64; 3],
        /// Roll, pitch, yaw about the fixed axes, rad.
        pub rpy: [f64; 3] = [0.0; 3],
        /// Links that may touch the obstacle (what the robot is mounted on is left out by itself).
        pub allow: Vec<String> = Vec::new(),
    }
}

section! {
    /// Clearances between the robot's collision shapes and to obstacles.
    pub struct ClearanceSettings {
        /// Least distance between links of the robot, m.
        pub self_distance: f64 = 0.01,
        /// Least distance to obstacles, m.
        pub scene_distance: f64 = 0.01,
        /// Pairs of links that are not checked against each other.
        pub ignore: Vec<Vec<String>> = Vec::new(),
    }
}

impl Default for ClearanceSettings {
    fn default() -> Self {
        Self { self_distance: 0.01, scene_distance: 0.01, ignore: Vec::new() }
    }
}

section! {
    /// A convex collision shape: the hull of some points, grown by a radius. One point makes a
    /// sphere, two make a capsule.
    pub struct CollisionShape {
        /// The points in the link's frame, m.
        pub points: Vec<[f64; 3]>,
        /// The radius, m.
        pub radius: f64 = 0.0,
    }
}

/// A name below a namespace; an absolute name stands for itself.
pub(crate) fn full_name(namespace: &str, name: &str) -> String {
    match namespace {
        _ if name.starts_with('/') => name.into(),
        "" => name.into(),
        namespace => format!("{}/{name}", namespace.trim_end_matches('/')),
    }
}

impl RobotFile {
    /// Reads a robot file's text and checks it for itself (not against its URDF).
    ///
    /// # Errors
    /// All faults at once, each with its path in the file. Text that is not YAML is one fault.
    pub fn parse(text: &str) -> Result<Self, RobotFileError> {
        let mut faults = Faults::default();
        match Self::read_text(text, &mut faults) {
            Some(file) if faults.list.is_empty() => Ok(file),
            _ => Err(RobotFileError { file: String::new(), faults: faults.list }),
        }
    }

    /// Reads and checks; with faults the file is returned all the same, for further checks. `None`:
    /// not YAML, or far too long.
    pub(crate) fn read_text(text: &str, faults: &mut Faults) -> Option<Self> {
        // A number that is not finite is a fault of its key, not of the file.
        let options = serde_saphyr::options! {
            non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        };
        match serde_saphyr::from_str_with_options::<serde_json::Value>(text, options) {
            Ok(value) => {
                let file = <Self as Read>::read(&value, "", faults);
                // Lists are bounded one by one; a file whose parts are too long together is not
                // looked at further.
                if !check::sizes(&file, faults) {
                    return None;
                }
                check::check(&file, faults);
                Some(file)
            }
            Err(error) => {
                faults.add("", format!("not a YAML file: {error}"));
                None
            }
        }
    }

    /// The arm called `name`.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// The gripper called `name`.
    pub fn gripper(&self, name: &str) -> Option<&Gripper> {
        self.grippers.iter().find(|gripper| gripper.name == name)
    }

    /// The length of the state vector.
    pub fn state_dim(&self) -> usize {
        self.state.parts.iter().map(StatePart::width).fold(0, usize::saturating_add)
    }

    /// The length of an action row, as the network gives it.
    pub fn action_dim(&self) -> usize {
        self.action.parts.iter().map(ActionPart::width).fold(0, usize::saturating_add)
    }

    /// The commanded joints in the order of the action layout, grippers included: the columns of a
    /// decoded chunk. An end-effector part stands for its arm's joints.
    pub fn action_joints(&self) -> Vec<String> {
        let mut joints = Vec::new();
        for part in &self.action.parts {
            match part {
                ActionPart::JointPositions(part) => joints.extend(part.joints.iter().cloned()),
                ActionPart::JointDeltas(part) => joints.extend(part.joints.iter().cloned()),
                ActionPart::EndEffectorDelta(part) => {
                    joints.extend(
                        self.arm(&part.arm).into_iter().flat_map(|arm| arm.joints.iter().cloned()),
                    );
                }
                ActionPart::Gripper(part) => {
                    joints.extend(self.gripper(&part.gripper).map(|gripper| gripper.joint.clone()));
                }
                ActionPart::Padding(_) => {}
            }
        }
        joints
    }
}
