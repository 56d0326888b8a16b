//! `f1 demonstrate`: demonstrations of the scripted expert on the bench, as a LeRobot data set.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use f1_data::lerobot::ImageEncoding;
use f1_robot::Robot;
use f1_sim::demonstrations::{LEAD_IN, Mix, RecordSettings, write_demonstrations};
use f1_sim::expert::Disturbance;
use f1_sim::objects::Kind;

use f1_robot::share;

/// Arguments of `f1 demonstrate`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of the new data set (LeRobot v3.0).
    folder: PathBuf,
    /// Episodes to play; those that the expert fails are left out.
    #[arg(long, default_value_t = 20)]
    episodes: u64,
    /// Number of the first episode; `f1 demo` plays numbers from 1000000 on.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A shipped robot's name, or a path to a robot file; the bench needs one arm and one gripper.
    #[arg(long, default_value = "bench_arm")]
    robot: String,
    /// What is asked for is one of these, as "blue cube"; without it any pair that training may
    /// show.
    #[arg(long = "ask-for", value_name = "OBJECT")]
    asked: Vec<Kind>,
    /// One thing lies beside it, one of these in another colour; without it one or two of any that
    /// training may show.
    #[arg(long = "beside", value_name = "OBJECT")]
    beside: Vec<Kind>,
    /// Of three things in a row any may be the one asked for; without it, it is the one in the
    /// middle.
    #[arg(long)]
    anywhere: bool,
    /// Only so many seconds after the instruction are kept, where what is asked for decides the
    /// motion.
    #[arg(long, value_name = "SECONDS")]
    first: Option<f64>,
    /// Share of picks from the standing belt; what this and --bin leave is dynamic.
    #[arg(long, default_value_t = Mix::default().standing)]
    standing: f64,
    /// Share that ends in the bin, from the standing belt.
    #[arg(long, default_value_t = Mix::default().bin)]
    bin: f64,
    /// Seconds that the belt runs before the instruction: the policy's history.
    #[arg(long, default_value_t = LEAD_IN)]
    lead_in: f64,
    /// Width and height of the images, in pixels.
    #[arg(long, alias = "picture", default_value_t = 64)]
    image: u32,
    /// Store images as videos (H.264 in MP4) instead of PNG in the tables.
    #[arg(long)]
    video: bool,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, with the way to go on.
pub fn run(args: Args) -> Result<()> {
    let settings = settings(&args)?;
    let robot = Arc::new(Robot::load(&share::robot_file(&args.robot)?)?);
    write(&robot, &args.folder, &settings)
}

fn settings(args: &Args) -> Result<RecordSettings> {
    if args.episodes == 0 {
        bail!("--episodes 0: nothing to play");
    }
    for (option, share) in [("--standing", args.standing), ("--bin", args.bin)] {
        if !(0.0..=1.0).contains(&share) {
            bail!("{option} {share}: a share is 0 to 1");
        }
    }
    if args.standing + args.bin > 1.0 {
        bail!("--standing {} and --bin {}: together they are at most 1", args.standing, args.bin);
    }
    if let Some(first) = args.first
        && !(first >= f1_sim::expert::STEP && first.is_finite())
    {
        bail!("--first {first}: seconds after the instruction, at least {}", f1_sim::expert::STEP);
    }
    for (option, kinds) in [("--ask-for", &args.asked), ("--beside", &args.beside)] {
        if let Some(hidden) = kinds.iter().find(|kind| !kind.is_trained()) {
            bail!("{option} {}: this pair is kept out of training", hidden.words());
        }
    }
    Ok(RecordSettings {
        episodes: args.episodes,
        seed: args.seed,
        mix: Mix { standing: args.standing, bin: args.bin },
        asked: args.asked.clone(),
        beside: args.beside.clone(),
        anywhere: args.anywhere,
        first: args.first,
        image: [args.image; 2],
        encoding: if args.video { ImageEncoding::Video } else { ImageEncoding::Png },
        disturbance: Disturbance::NOMINAL,
        lead_in: args.lead_in,
    })
}

fn write(robot: &Arc<Robot>, folder: &Path, settings: &RecordSettings) -> Result<()> {
    let written = write_demonstrations(robot, folder, settings, |done, all| {
        eprint!("\r{done} of {all} episodes");
    })?;
    eprintln!();
    println!(
        "{} episodes, {} frames in {} ({} failed)",
        written.episodes,
        written.frames,
        folder.display(),
        written.failed
    );
    Ok(())
}
