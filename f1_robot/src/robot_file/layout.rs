//! The layouts of state and action: what the network's vectors are made of.

use super::reader::{kinds, section, words};

section! {
    /// The state vector: its parts, one after the other.
    pub struct StateLayout {
        /// The parts.
        pub parts: Vec<StatePart>,
    }
}

kinds! {
    /// One part of the state vector.
    pub enum StatePart {
        /// Measured joint positions.
        JointPositions(StateJoints) = "joint_positions",
        /// An end effector's pose.
        EndEffectorPose(StatePose) = "end_effector_pose",
        /// A gripper's opening.
        Gripper(StateGripper) = "gripper",
        /// Zeros.
        Padding(Padding) = "padding",
    }
}

section! {
    /// Joint positions in the state.
    pub struct StateJoints {
        /// The joints, in order.
        pub joints: Vec<String>,
        /// Their unit in the state vector.
        pub units: AngleUnit = AngleUnit::Radians,
        /// A factor for each joint (a mirrored finger has -1); empty: all 1.
        pub scale: Vec<f64> = Vec::new(),
        /// What is added to each joint after unit and scale; empty: nothing.
        pub offset: Vec<f64> = Vec::new(),
    }
}

section! {
    /// An end effector's pose in the state: x, y, z and then the rotation, in the arm's base frame.
    pub struct StatePose {
        /// The arm.
        pub arm: String,
        /// How the rotation is written.
        pub rotation: RotationFormat,
    }
}

section! {
    /// A gripper in the state: one number.
    pub struct StateGripper {
        /// The gripper.
        pub gripper: String,
        /// As the joint's position, or in the convention of the action.
        pub convention: GripperConvention,
    }
}

section! {
    /// Entries without meaning: zero in the state, ignored in the action.
    pub struct Padding {
        /// How many.
        pub width: usize,
    }
}

words! {
    /// How a gripper is written in the state.
    pub enum GripperConvention {
        /// The joint's position, rad or m.
        Joint = "joint",
        /// As in the action: `action_range`, with `inverted`.
        Action = "action",
        /// 0 closed, 1 open.
        Opening = "opening",
        /// 0 open, 1 closed.
        Closing = "closing",
    }
}

words! {
    /// How a rotation is written.
    pub enum RotationFormat {
        /// Three numbers: the axis times the angle.
        AxisAngle = "axis_angle",
        /// Three numbers: roll, pitch, yaw about the fixed x, y, z axes.
        Rpy = "rpy",
        /// Four numbers: x, y, z, w.
        QuaternionXyzw = "quaternion_xyzw",
        /// Four numbers: w, x, y, z.
        QuaternionWxyz = "quaternion_wxyz",
    }
}

impl RotationFormat {
    /// How many numbers the rotation takes.
    pub fn width(self) -> usize {
        match self {
            Self::AxisAngle | Self::Rpy => 3,
            Self::QuaternionXyzw | Self::QuaternionWxyz => 4,
        }
    }
}

words! {
    /// The unit of a rotary joint in a vector (a sliding joint is always in metres).
    pub enum AngleUnit {
        /// rad
        Radians = "radians",
        /// degrees
        Degrees = "degrees",
    }
}

/// How one joint is written in a vector: `position / unit * scale + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointUnits {
    /// Vector units in one radian or metre.
    pub factor: f64,
    /// What is added.
    pub offset: f64,
}

impl JointUnits {
    /// The units of the joint at `index` of a part. A sliding joint is in metres whatever `units`
    /// say.
    pub fn new(
        units: AngleUnit,
        sliding: bool,
        scale: &[f64],
        offset: &[f64],
        index: usize,
    ) -> Self {
        let unit = if sliding { 1.0 } else { units.radians() };
        Self {
            factor: scale.get(index).copied().unwrap_or(1.0) / unit,
            offset: offset.get(index).copied().unwrap_or(0.0),
        }
    }

    /// A position, rad or m, as the vector's number.
    pub fn write(&self, position: f64) -> f64 {
        position * self.factor + self.offset
    }

    /// The position, rad or m, that the vector's number stands for.
    pub fn read(&self, number: f64) -> f64 {
        (number - self.offset) / self.factor
    }
}

impl AngleUnit {
    /// Radians in one unit.
    pub fn radians(self) -> f64 {
        match self {
            Self::Radians => 1.0,
            Self::Degrees => std::f64::consts::PI / 180.0,
        }
    }
}

section! {
    /// A row of an action chunk: its rate and its parts, one after the other.
    pub struct ActionLayout {
        /// Rows per second, Hz: the rate of the data set that the policy was trained on.
        pub rate_hz: f64,
        /// The parts.
        pub parts: Vec<ActionPart>,
    }
}

kinds! {
    /// One part of an action row.
    pub enum ActionPart {
        /// Absolute joint positions.
        JointPositions(ActionJoints) = "joint_positions",
        /// Changes of joint positions.
        JointDeltas(ActionJointDeltas) = "joint_deltas",
        /// A change of an end effector's pose: x, y, z, then the rotation.
        EndEffectorDelta(EndEffectorDelta) = "end_effector_delta",
        /// A gripper: one number in its convention.
        Gripper(ActionGripper) = "gripper",
        /// Numbers that are ignored.
        Padding(Padding) = "padding",
    }
}

section! {
    /// Absolute joint positions in the action.
    pub struct ActionJoints {
        /// The joints, in order.
        pub joints: Vec<String>,
        /// Their unit.
        pub units: AngleUnit = AngleUnit::Radians,
        /// A factor for each joint, as in the state; empty: all 1.
        pub scale: Vec<f64> = Vec::new(),
        /// What is added to each joint after unit and scale; empty: nothing.
        pub offset: Vec<f64> = Vec::new(),
    }
}

section! {
    /// Joint deltas in the action.
    pub struct ActionJointDeltas {
        /// The joints, in order.
        pub joints: Vec<String>,
        /// Their unit.
        pub units: AngleUnit = AngleUnit::Radians,
        /// A factor for each joint, as in the state; empty: all 1.
        pub scale: Vec<f64> = Vec::new(),
        /// What each delta is added to.
        pub reference: DeltaReference,
    }
}

section! {
    /// An end-effector delta in the action: six numbers, position and then rotation.
    pub struct EndEffectorDelta {
        /// The arm.
        pub arm: String,
        /// The frame in which position and rotation are expressed.
        pub frame: DeltaFrame,
        /// What each delta is added to.
        pub reference: DeltaReference,
        /// How the rotation is written: `axis_angle` or `rpy`.
        pub rotation: RotationFormat,
        /// Metres per unit of action.
        pub position_scale: f64 = 1.0,
        /// Radians per unit of action.
        pub rotation_scale: f64 = 1.0,
    }
}

section! {
    /// A gripper in the action.
    pub struct ActionGripper {
        /// The gripper.
        pub gripper: String,
    }
}

words! {
    /// What a delta is added to.
    pub enum DeltaReference {
        /// The row before; the first row's is the state at the chunk's start.
        Chained = "chained",
        /// The state at the chunk's start, for every row.
        ChunkStart = "chunk_start",
    }
}

words! {
    /// The frame of an end-effector delta.
    pub enum DeltaFrame {
        /// The arm's base link: the rotation is applied from the left.
        Base = "base",
        /// The end effector itself: the rotation is applied from the right.
        Tool = "tool",
    }
}

impl StatePart {
    /// How many entries of the state vector the part takes.
    pub fn width(&self) -> usize {
        match self {
            Self::JointPositions(part) => part.joints.len(),
            Self::EndEffectorPose(part) => 3 + part.rotation.width(),
            Self::Gripper(_) => 1,
            Self::Padding(part) => part.width,
        }
    }
}

impl ActionPart {
    /// How many entries of an action row the part takes.
    pub fn width(&self) -> usize {
        match self {
            Self::JointPositions(part) => part.joints.len(),
            Self::JointDeltas(part) => part.joints.len(),
            Self::EndEffectorDelta(_) => 6,
            Self::Gripper(_) => 1,
            Self::Padding(part) => part.width,
        }
    }
}
