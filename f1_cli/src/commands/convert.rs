//! `f1 convert`: turn a recording into a LeRobot data set.
//!
//! A frame is the newest observation that the policy would have made at that moment, by the code
//! and the rules of the node `perception`, with the action that followed: the set-points that the
//! robot was sent for one step later.

mod clocks;
mod commands;
mod episodes;
mod observations;
mod recorded;
#[cfg(test)]
mod tests;
mod unfinished;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use f1_data::lerobot::{CameraFeature, Features, FormatVersion, ImageEncoding, Writer};
use f1_policy_node::perception::PerceptionSettings;
use f1_policy_node::recording::Bag;
use f1_robot::{Robot, share};
use image::RgbImage;

use commands::Commands;
use episodes::Episode;
use observations::{Observation, Observed};
use recorded::Recorded;
use unfinished::Unfinished;

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
    /// An episode ends where a camera or a joint is silent for longer than this, in seconds.
    #[arg(long, default_value_t = 0.5)]
    gap: f64,
    /// The policy's parameter sync_slop: the largest distance of the stamps in one observation, in
    /// seconds.
    #[arg(long, default_value_t = 0.05)]
    sync_slop: f64,
    /// The policy's parameter joint_age: joints of one observation were measured at most so far
    /// apart, in seconds.
    #[arg(long, default_value_t = 0.25)]
    joint_age: f64,
    /// Which times messages of cameras and joints have.
    #[arg(long, value_enum, default_value_t = Stamps::Header)]
    stamps: Stamps,
    /// Shorter episodes are left out, in frames.
    #[arg(long, default_value_t = 10)]
    min_frames: usize,
}

impl Args {
    fn encoding(&self) -> ImageEncoding {
        match (self.video, self.jpeg) {
            (true, _) => ImageEncoding::Video,
            (_, true) => ImageEncoding::Jpeg { quality: 95 },
            _ => ImageEncoding::Png,
        }
    }
}

/// Where actions come from.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The trajectories sent to the controllers, after the safety filter.
    Trajectories,
    /// The policy's chunks, before the safety filter.
    Chunks,
    /// The measured joints one step later: for a robot that was guided by hand or by
    /// another program.
    Measured,
}

/// Which times messages of cameras and joints have.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    /// The stamps that the drivers gave them, as for the policy.
    Header,
    /// When they were received: for drivers that give no stamps, or those of a wrong clock.
    Receipt,
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

/// The column that says whether a person moved the robot in a frame.
const INTERVENTION: &str = "intervention";

/// Runs the command.
///
/// # Errors
/// What stops the command, with how to go on.
pub fn run(args: Args) -> Result<()> {
    let robot = Arc::new(Robot::load(&share::robot_file(&args.robot)?)?);
    let summary = convert(&args, &robot)?;
    for note in &summary.notes {
        println!("note: {note}");
    }
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
    /// What was found on the way: offsets of clocks, messages that were not used, why episodes end.
    notes: Vec<String>,
}

fn convert(args: &Args, robot: &Arc<Robot>) -> Result<Summary> {
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
    let seconds = [args.gap, args.sync_slop, args.joint_age];
    if fps == 0 || seconds.iter().any(|seconds| seconds.is_nan() || *seconds <= 0.0) {
        bail!("--fps, --gap, --sync-slop and --joint-age must be positive");
    }
    let ns = |seconds: f64| (seconds * 1e9).round() as i64;
    let settings = PerceptionSettings {
        slop_ns: ns(args.sync_slop),
        joint_age_ns: ns(args.joint_age),
        ..PerceptionSettings::offline()
    };
    let layout = commands::Layout::new(robot, args.action)?;
    let unfinished = Unfinished::beside(&args.output)?;
    let bag = Arc::new(Bag::open(&args.from)?);
    let file = args.from.display().to_string();
    let mut recorded = Recorded::read(&bag, robot, &args.namespace, args.task.as_deref())
        .with_context(|| file.clone())?;
    let mut notes = clocks::align(&mut recorded, args.stamps);
    let observed = Observed::of(&recorded, robot, &settings).map_err(|error| {
        anyhow::anyhow!(
            "{file}: {}",
            [vec![error.to_string()], notes.clone()].concat().join("\n  ")
        )
    })?;
    notes.extend(observed.notes.iter().cloned());
    let commands =
        Commands::new(&recorded, &observed, robot, args.commands).with_context(|| file.clone())?;
    notes.extend(commands.notes.iter().cloned());
    let (whole, short): (Vec<Episode>, Vec<Episode>) =
        episodes::split(&recorded.instructions, &observed, fps, args.gap)
            .into_iter()
            .partition(|episode| episode.frames.len() >= args.min_frames.max(1));
    if whole.is_empty() {
        let longest = short.iter().map(|episode| episode.frames.len()).max().unwrap_or(0);
        let mut text = format!(
            "{file}: no episode of {} frames at {fps} Hz; the longest has {longest}",
            args.min_frames
        );
        for note in &notes {
            text.push_str(&format!("\n  {note}"));
        }
        bail!(text);
    }
    let features = Features {
        flag: recorded.takeovers.as_ref().map(|_| INTERVENTION.to_owned()),
        fps,
        robot_type: robot.file().name.clone(),
        cameras: cameras(
            &recorded,
            &observed.list[whole[0].frames[0].observation],
            args.encoding(),
        )?,
        state: commands::state_names(robot),
        action: layout.names(),
    };
    let mut writer = Writer::create(unfinished.path(), features, version)?;
    let step_ns = 1_000_000_000 / i64::from(fps);
    let mut written = Vec::new();
    for episode in whole {
        let mut last: Option<(usize, Vec<RgbImage>)> = None;
        for frame in &episode.frames {
            let observation = &observed.list[frame.observation];
            // Where frames come faster than images, an observation is used again.
            let images = match last.take().filter(|(used, _)| *used == frame.observation) {
                Some((_, images)) => images,
                None => images(&recorded, observation)?,
            };
            let at_ns = observation.stamp_ns;
            let (now, next) = (commands.at(at_ns), commands.at(at_ns + step_ns));
            let action = layout.action(&now, &next);
            writer.flag(recorded.is_taken(at_ns));
            writer.add_frame(&images, &observation.state, &action, &episode.task)?;
            last = Some((frame.observation, images));
        }
        writer.finish_episode()?;
        if let Some(reason) = &episode.ended {
            notes.push(format!("episode {} ends early: {reason}", written.len()));
        }
        written.push((episode.frames.len(), episode.task));
    }
    writer.finish()?;
    unfinished.finish()?;
    Ok(Summary { episodes: written, short: short.len(), notes })
}

fn images(recorded: &Recorded, observation: &Observation) -> Result<Vec<RgbImage>> {
    let numbers = observation.images.iter().enumerate();
    numbers.map(|(camera, number)| recorded.cameras[camera].image(*number)).collect()
}

/// The cameras of the data set, by the images of its first frame.
fn cameras(
    recorded: &Recorded,
    first: &Observation,
    encoding: ImageEncoding,
) -> Result<Vec<CameraFeature>> {
    let images = images(recorded, first)?;
    let cameras = recorded.cameras.iter().zip(images).map(|(camera, image)| CameraFeature {
        name: format!("observation.images.{}", camera.name),
        width: image.width(),
        height: image.height(),
        encoding,
    });
    Ok(cameras.collect())
}

fn whole(rate: f64) -> Option<u32> {
    ((rate - rate.round()).abs() < 1e-6 && rate >= 1.0).then(|| rate.round() as u32)
}
