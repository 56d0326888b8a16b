//! Demonstrations: what the expert saw, measured and did, ten times a second.

use std::path::Path;
use std::sync::Arc;

use f1_data::lerobot::{CameraFeature, Features, FormatVersion, ImageEncoding, Writer};
use f1_robot::Robot;
use image::RgbImage;
use rand::Rng;
use rand::seq::IndexedRandom as _;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::arm::ArmError;
use crate::expert::{self, Disturbance, Expert, STEP};
use crate::objects::Kind;
use crate::random::stream;
use crate::{Bench, BenchSettings, CameraId, Outcome, Split, Task};

/// Seconds that a demonstration waits for its instruction while the belt runs: history frames, and
/// the arm at rest. Runs leave these frames out as samples by `full_history`.
pub const LEAD_IN: f64 = 1.5;
/// Frames recorded after success, so that the end of every action chunk is there.
const AFTER: u32 = 5;

/// One frame: an observation and the action taken on it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the fixed camera saw.
    pub fixed: RgbImage,
    /// What the wrist camera saw.
    pub wrist: RgbImage,
    /// Measured joints, robot's joint order, rad or m.
    pub state: Vec<f32>,
    /// Set-points due one step later, robot's joint order, rad or m.
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
    how: &RecordSettings,
) -> Result<Option<Demonstration>, ArmError> {
    let (mix, disturbance) = (how.mix, how.disturbance);
    let draw: f64 = stream(seed, 13).random();
    let task = if draw < mix.bin {
        Task::Bin
    } else if draw < mix.bin + mix.standing {
        Task::Static
    } else {
        Task::Dynamic
    };
    let mut settings = BenchSettings::new(task, Split::Training, seed);
    settings.image = how.image;
    settings.start = Some(expert::start(robot, seed, disturbance));
    settings.lead_in = how.lead_in;
    settings.kind = how.asked.choose(&mut stream(seed, 14)).copied();
    settings.beside.clone_from(&how.beside);
    settings.anywhere = how.anywhere;
    let mut bench = Bench::new(robot.clone(), settings)?;
    let mut expert = Expert::new(&bench, disturbance);
    let mut frames = Vec::new();
    let mut left = AFTER;
    let vector = |joints: &[f64]| -> Vec<f32> { joints.iter().map(|q| *q as f32).collect() };
    while bench.time() < -0.5 * STEP {
        let (fixed, wrist) =
            rayon::join(|| bench.render(CameraId::Fixed), || bench.render(CameraId::Wrist));
        let state = vector(bench.arm().position());
        let action = vector(bench.arm().commanded());
        frames.push(Frame { fixed, wrist, state, action });
        bench.advance(STEP);
    }
    let lead_in = frames.len();
    while left > 0 {
        match bench.outcome() {
            Outcome::Running => {}
            Outcome::Success => left -= 1,
            _ => return Ok(None),
        }
        if how.first.is_some_and(|first| frames.len() as f64 >= lead_in as f64 + first / STEP) {
            // Played to its end, because only a success is a demonstration.
            expert.step(&mut bench)?;
            bench.advance(STEP);
            continue;
        }
        let (fixed, wrist) =
            rayon::join(|| bench.render(CameraId::Fixed), || bench.render(CameraId::Wrist));
        let state = vector(bench.arm().position());
        let action = expert.step(&mut bench)?;
        frames.push(Frame { fixed, wrist, state, action: vector(&action.joints) });
        bench.advance(STEP);
    }
    Ok(Some(Demonstration { instruction: bench.instruction(), frames }))
}

/// What [`write_demonstrations`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Successful episodes, which are in the data set.
    pub episodes: usize,
    /// Frames of all of them.
    pub frames: usize,
    /// Episodes that the expert failed, which are not.
    pub failed: usize,
}

/// Why demonstrations could not be written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RecordError {
    #[error(transparent)]
    Arm(#[from] ArmError),
    #[error(transparent)]
    Data(#[from] f1_data::lerobot::DataError),
}

/// What data set to write.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordSettings {
    /// Episodes to play; numbers `seed` to `seed + episodes - 1`.
    pub episodes: u64,
    /// The first episode's number.
    pub seed: u64,
    /// Shares of the tasks.
    pub mix: Mix,
    /// What is asked for is one of these; empty: any that training may show.
    pub asked: Vec<Kind>,
    /// The one thing beside it is one of these in another colour; empty: one or two of any that
    /// training may show.
    pub beside: Vec<Kind>,
    /// Of three things in a row any may be the one asked for; without it, it is the one in the
    /// middle.
    pub anywhere: bool,
    /// Only so many seconds after the instruction are kept: where what is asked for decides the
    /// motion, before the arm is beside it.
    pub first: Option<f64>,
    /// Pixels of both cameras.
    pub image: [u32; 2],
    /// How images are stored.
    pub encoding: ImageEncoding,
    /// How the expert is disturbed.
    pub disturbance: Disturbance,
    /// Seconds before the instruction, [`LEAD_IN`].
    pub lead_in: f64,
}

/// Episodes played side by side before they are written, in order.
const BATCH: u64 = 32;

/// Plays demonstrations on all cores and writes them as a LeRobot v3.0 data set.
///
/// `progress` gets the number of episodes that are done and of all.
///
/// # Errors
/// A robot that the bench cannot play, or a folder that cannot be written.
pub fn write_demonstrations(
    robot: &Arc<Robot>,
    folder: &Path,
    settings: &RecordSettings,
    mut progress: impl FnMut(u64, u64),
) -> Result<Written, RecordError> {
    let file = robot.file();
    let camera = |wrist: bool| {
        let name = file.cameras.iter().find(|camera| camera.name.contains("wrist") == wrist);
        CameraFeature {
            name: format!(
                "observation.images.{}",
                name.map_or("camera", |camera| camera.name.as_str())
            ),
            width: settings.image[0],
            height: settings.image[1],
            encoding: settings.encoding,
        }
    };
    let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let features = Features {
        flag: None,
        fps: (1.0 / STEP).round() as u32,
        robot_type: file.name.clone(),
        cameras: vec![camera(false), camera(true)],
        state: names.clone(),
        action: names,
    };
    let mut writer = Writer::create(folder, features, FormatVersion::V3_0)?;
    let mut written = Written { episodes: 0, frames: 0, failed: 0 };
    let mut next = 0;
    while next < settings.episodes {
        let end = (next + BATCH).min(settings.episodes);
        let played: Vec<_> = (next..end)
            .into_par_iter()
            .map(|n| demonstrate(robot, settings.seed + n, settings))
            .collect();
        for demonstration in played {
            let Some(demonstration) = demonstration? else {
                written.failed += 1;
                continue;
            };
            for frame in demonstration.frames {
                let images = [frame.fixed, frame.wrist];
                writer.add_frame(
                    &images,
                    &frame.state,
                    &frame.action,
                    &demonstration.instruction,
                )?;
                written.frames += 1;
            }
            writer.finish_episode()?;
            written.episodes += 1;
        }
        next = end;
        progress(next, settings.episodes);
    }
    writer.finish()?;
    Ok(written)
}
