//! What passes between the nodes of this process.

use std::sync::Arc;
use std::time::Duration;

use f1_model::CameraInput;
use image::RgbImage;

use crate::policy::{PastFrame, Perceived};
use crate::stages::StageTimes;

/// One decoded camera frame.
#[derive(Debug, Clone)]
pub struct CameraFrame {
    /// Stamp of the message, ns of ROS time.
    pub stamp_ns: i64,
    /// The message's frame_id: the optical frame.
    pub frame_id: Arc<str>,
    /// The pixels.
    pub image: Arc<RgbImage>,
    /// How long decoding took.
    pub decode: Duration,
    /// When the message arrived, on the steady clock.
    pub arrived: Duration,
}

/// Measured joints.
#[derive(Debug, Clone)]
pub struct JointSample {
    /// Stamp of the message, ns of ROS time.
    pub stamp_ns: i64,
    /// Positions in the order of the robot's joints, rad (m for sliding joints).
    pub positions: Vec<f64>,
    /// The policy's state: normalised for the network of this process, in the units of the robot
    /// file's state layout for a policy server.
    pub state: Vec<f32>,
    /// When the message arrived, on the steady clock.
    pub arrived: Duration,
}

/// The instruction, which the policy is ready for.
#[derive(Debug, Clone)]
pub struct Instruction {
    /// The text as given.
    pub text: Arc<str>,
    /// Grows with every instruction and every restart of the policy's memory.
    pub epoch: u64,
}

/// One synchronised observation.
#[derive(Clone)]
pub struct Observation {
    /// The moment it stands for: the oldest stamp of its required cameras, ns of ROS time.
    pub stamp_ns: i64,
    /// The robot file's cameras in order; `None` where an optional one is absent.
    pub cameras: Vec<Option<CameraFrame>>,
    /// History frames with their stamps, oldest first; empty without a world model.
    pub history: Vec<(i64, PastFrame)>,
    /// Past images of the history camera, fitted for the understanding expert, oldest first; empty
    /// for a policy that is not shown them.
    pub past: Vec<CameraInput>,
    /// The joints nearest to the stamp.
    pub joints: JointSample,
    /// What to do.
    pub instruction: Instruction,
    /// When its last message arrived, on the steady clock.
    pub arrived: Duration,
    /// Decode and history times so far.
    pub times: StageTimes,
}

/// An observation with what the policy made of it.
#[derive(Clone)]
pub struct Foreseen {
    /// The observation.
    pub observation: Arc<Observation>,
    /// What the chunk and the foreseen image come from.
    pub perceived: Arc<dyn Perceived>,
    /// Stamp of the observation that the foresight is of, ns: an earlier one's where it is used
    /// again; none without foresight.
    pub foresight_ns: Option<i64>,
    /// The seed of every draw for this observation.
    pub seed: u64,
    /// Times so far.
    pub times: StageTimes,
}

/// A chunk on its way to the safety filter.
#[derive(Debug, Clone)]
pub struct PolicyChunk {
    /// The waypoints in joint space; nothing about them is checked.
    pub chunk: f1_robot::RawChunk,
    /// How it joins the chunk before it.
    pub joining: crate::action::Joining,
    /// When its observation's last message arrived, on the steady clock.
    pub arrived: Duration,
    /// Times so far.
    pub times: StageTimes,
}
