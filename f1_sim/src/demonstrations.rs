//! Demonstrations: what the expert saw, measured and did, ten times a second.

use std::sync::Arc;

use f1_robot::Robot;
use image::RgbImage;
use rand::Rng;

use crate::arm::ArmError;
use crate::bench::stream;
use crate::expert::{self, Disturbance, Expert, STEP};
use crate::{Bench, BenchSettings, CameraId, Outcome, Split, Task};

/// Frames recorded after success, so that the end of every action chunk is there.
const AFTER: u32 = 5;

/// One frame: an observation and the action taken on it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the fixed camera saw.
    pub fixed: RgbImage,
    /// What the wrist camera saw.
    pub wrist: RgbImage,
    /// Measured arm joints (rad), then the gripper's opening (0 closed, 1 open).
    pub state: Vec<f32>,
    /// Set-points due one step later: arm joints (rad), then the gripper's opening.
    pub action: Vec<f32>,
}

/// One successful episode.
#[derive(Clone, Debug)]
pub struct Demonstration {
    /// The sentence.
    pub instruction: String,
    /// Frames, [`STEP`] seconds apart.
    pub frames: Vec<Frame>,
}

/// Which share of the episodes is of which task; the rest is dynamic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Share of picks from the standing belt.
    pub standing: f64,
    /// Share of episodes that end in the bin.
    pub bin: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Mix { standing: 0.25, bin: 0.0 }
    }
}

/// Plays episode number `seed`; `None` if the expert failed.
///
/// # Errors
/// A robot that the bench cannot play, or a refused trajectory.
pub fn demonstrate(
    robot: &Arc<Robot>,
    seed: u64,
    mix: Mix,
    picture: [u32; 2],
    disturbance: Disturbance,
) -> Result<Option<Demonstration>, ArmError> {
    let draw: f64 = stream(seed, 13).random();
    let task = if draw < mix.bin {
        Task::Bin
    } else if draw < mix.bin + mix.standing {
        Task::Static
    } else {
        Task::Dynamic
    };
    let mut settings = BenchSettings::new(task, Split::Training, seed);
    settings.picture = picture;
    settings.start = Some(expert::start(robot, seed, disturbance));
    let mut bench = Bench::new(robot.clone(), settings)?;
    let mut expert = Expert::new(&bench, disturbance);
    let mut frames = Vec::new();
    let mut left = AFTER;
    let gripper = bench.arm().gripper();
    let open = expert::open(robot);
    let vector = |joints: &[f64], grip: f64| -> Vec<f32> {
        let arm = joints.iter().enumerate().filter(|(joint, _)| *joint != gripper).map(|(_, q)| *q as f32);
        arm.chain([grip as f32]).collect()
    };
    while left > 0 {
        match bench.outcome() {
            Outcome::Running => {}
            Outcome::Success => left -= 1,
            _ => return Ok(None),
        }
        let (fixed, wrist) = rayon::join(|| bench.render(CameraId::Fixed), || bench.render(CameraId::Wrist));
        let state = vector(bench.arm().position(), bench.arm().half_opening() / open);
        let action = expert.step(&mut bench)?;
        frames.push(Frame { fixed, wrist, state, action: vector(&action.joints, action.grip) });
        bench.advance(STEP);
    }
    Ok(Some(Demonstration { instruction: bench.instruction(), frames }))
}
