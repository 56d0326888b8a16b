//! `f1 convert`: turn a recording into a LeRobot data set.
//!
//! A frame is what the policy would have seen at that moment (each camera's newest image, the
//! measured joints) with the action that followed: the set-points that the robot was sent for one
//! step later.

mod commands;
mod episodes;
mod recorded;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use f1_data::lerobot::{CameraFeature, Features, FormatVersion, ImageEncoding, Writer};
use f1_policy_node::recording::Bag;
use f1_robot::Robot;

use crate::share;
use commands::Commands;
use episodes::Episode;
use recorded::Recorded;

/// Arguments of `f1 convert`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Recording of f1 record or ros2 bag: a file (MCAP or .db3, also compressed with zstd) or a
    /// folder.
    #[arg(long, value_name = "RECORDING")]
    from: PathBuf,
    /// Folder of the new data set.
    output: PathBuf,
    /// A shipped robot's name, or a path to a robot file: it says which topics are what.
    #[arg(long, default_value = "bench_arm")]
    robot: String,
    /// Namespace of the robot's topics.
    #[arg(long, default_value = "f1")]
    namespace: String,
    /// Layout of the data set: v2.1 or v3.0.
    #[arg(long, default_value = "v3.0")]
    layout: String,
    /// Frames a second; the robot file's rate of actions without it.
    #[arg(long)]
    fps: Option<u32>,
    /// Where actions come from.
    #[arg(long, value_enum, default_value_t = Source::Trajectories)]
    commands: Source,
    /// How actions are written.
    #[arg(long, value_enum, default_value_t = Form::Layout)]
    action: Form,
    /// The instruction of the whole recording, instead of those in it.
    #[arg(long, value_name = "SENTENCE")]
    task: Option<String>,
    /// Store images as JPEG of quality 95 instead of PNG.
    #[arg(long)]
    jpeg: bool,
    /// Store images as videos (H.264 in MP4), with the LeRobot package's layout of files.
    #[arg(long, conflicts_with = "jpeg")]
    video: bool,
    /// An episode ends where a camera or the joints are silent for longer than this, in seconds.
    #[arg(long, default_value_t = 0.5)]
    gap: f64,
    /// Shorter episodes are left out, in frames.
    #[arg(long, default_value_t = 10)]
    min_frames: usize,
}

/// Where actions come from.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The trajectories sent to the controllers, after the safety filter.
    Trajectories,
    /// The policy's chunks, before the safety filter.
    Chunks,
    /// The measured joints one step later: for a robot that was led by hand or by another program.
    Measured,
}

/// How actions are written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the robot file's action layout says; parts that are joints (or their deltas) as absolute
    /// set-points, which a run file's `delta_actions: true` turns into differences.
    Layout,
    /// Set-points of all joints, rad or m.
    Joints,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(args: Args) -> Result<()> {
    let robot = Arc::new(Robot::load(&share::robot_file(&args.robot)?)?);
    let summary = convert(&args, &robot)?;
    for (number, (frames, task)) in summary.episodes.iter().enumerate() {
        println!("episode {number}: {frames} frames, \"{task}\"");
    }
    if summary.short > 0 {
        println!("{} shorter than {} frames left out", summary.short, args.min_frames);
    }
    println!("{}", args.output.display());
    Ok(())
}

/// What was written.
#[derive(Debug)]
struct Summary {
    /// Frames and instruction of each episode.
    episodes: Vec<(usize, String)>,
    /// Episodes that were too short.
    short: usize,
}

fn convert(args: &Args, robot: &Robot) -> Result<Summary> {
    let version = match FormatVersion::parse(&args.layout) {
        Some(version) if version != FormatVersion::V2_0 => version,
        _ => bail!("--layout {}: v2.1 and v3.0 can be written", args.layout),
    };
    let fps = match args.fps {
        Some(fps) => fps,
        None => whole(robot.rate_hz()).with_context(|| {
            format!("the robot's rate is {} Hz; give a whole --fps", robot.rate_hz())
        })?,
    };
    if fps == 0 || args.gap.is_nan() || args.gap <= 0.0 {
        bail!("--fps and --gap must be positive");
    }
    let bag = Bag::open(&args.from)?;
    let place = args.from.display();
    let recorded = Recorded::read(&bag, robot, &args.namespace, args.task.as_deref())
        .with_context(|| place.to_string())?;
    let commands =
        Commands::new(&recorded, robot, args.commands).with_context(|| place.to_string())?;
    let (whole, short): (Vec<Episode>, Vec<Episode>) = episodes::split(&recorded, fps, args.gap)
        .into_iter()
        .partition(|episode| episode.frames.len() >= args.min_frames.max(1));
    if whole.is_empty() {
        let longest = short.iter().map(|episode| episode.frames.len()).max().unwrap_or(0);
        bail!(
            "{place}: no episode of {} frames at {fps} Hz; the longest has {longest}",
            args.min_frames
        );
    }
    let layout = commands::Layout::new(robot, args.action)?;
    let mut cameras = Vec::new();
    for (number, camera) in recorded.cameras.iter().enumerate() {
        let first = recorded.image(&bag, number, whole[0].frames[0].images[number])?;
        let encoding = match (args.video, args.jpeg) {
            (true, _) => ImageEncoding::Video,
            (_, true) => ImageEncoding::Jpeg { quality: 95 },
            _ => ImageEncoding::Png,
        };
        let name = format!("observation.images.{}", camera.name);
        cameras.push(CameraFeature {
            name,
            width: first.width(),
            height: first.height(),
            encoding,
        });
    }
    let features = Features {
        fps,
        robot_type: robot.file().name.clone(),
        cameras,
        state: commands::state_names(robot),
        action: layout.names(),
    };
    let mut writer = Writer::create(&args.output, features, version)?;
    let step_ns = 1_000_000_000 / i64::from(fps);
    let mut written = Vec::new();
    for episode in whole {
        for frame in &episode.frames {
            let images = (0..recorded.cameras.len())
                .map(|camera| recorded.image(&bag, camera, frame.images[camera]))
                .collect::<Result<Vec<_>>>()?;
            let joints = &recorded.joints[frame.joints];
            let state: Vec<f32> = joints.state.iter().map(|value| *value as f32).collect();
            let (now, next) = (commands.at(frame.time_ns), commands.at(frame.time_ns + step_ns));
            let action = layout.action(&now, &next);
            writer.add_frame(&images, &state, &action, &episode.task)?;
        }
        writer.finish_episode()?;
        written.push((episode.frames.len(), episode.task));
    }
    writer.finish()?;
    Ok(Summary { episodes: written, short: short.len() })
}

fn whole(rate: f64) -> Option<u32> {
    ((rate - rate.round()).abs() < 1e-6 && rate >= 1.0).then(|| rate.round() as u32)
}
