//! `f1 study`: many episodes through the four nodes, and the table that they fill.

mod disturbances;
mod grid;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail};
use f1_middleware::Backend;
use f1_model::LoadOptions;
use f1_policy_node::foresight::SIGNALS;
use f1_robot::{Robot, share};
use f1_sim::Task;
use serde_json::Value;

use super::demo::graph::Stage;
use super::server_args::ServerArgs;
use crate::by_name;

/// Arguments of `f1 study`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// foresight (foreseen images beside the newest frame repeated, by task), disturbances (a
    /// threshold for the foresight error, what it notices, what replanning by it is worth), modes
    /// (foresight on, cached and off: success and processor time) or worth (several models beside
    /// each other, on moving, standing and disturbed belts).
    #[arg(value_enum)]
    table: Table,
    /// Shipped models' names, checkpoint folders or policy servers (ws://HOST:PORT); several for
    /// `worth`.
    #[arg(long, default_value = "f1_bench", num_args = 1..)]
    model: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// Episodes of each cell.
    #[arg(long, default_value_t = 200)]
    episodes: u64,
    /// Number of the first episode; training used 0 to 999999.
    #[arg(long, default_value_t = 5_000_000)]
    seed: u64,
    /// Episodes on which the threshold is calibrated, with numbers of their own.
    #[arg(long, default_value_t = 100)]
    calibration: u64,
    /// Number of the first of these.
    #[arg(long, default_value_t = 2_000_000)]
    calibration_seed: u64,
    /// False alarms a minute that the threshold may give on undisturbed episodes.
    #[arg(long, default_value_t = 0.5)]
    false_alarms: f64,
    /// Task of the disturbed episodes.
    #[arg(long, default_value = "dynamic")]
    task: Task,
    /// Threshold of the foresight error for the modes, dB (foresight's replan_psnr); 0: none.
    #[arg(long, default_value_t = 0.0)]
    replan_psnr: f64,
    /// Over which pixels it is.
    #[arg(long, default_value = SIGNALS[0], value_parser = SIGNALS)]
    replan_signal: String,
    /// A shipped robot's name, or a path to a robot file.
    #[arg(long, default_value = "bench_arm")]
    robot: String,
    /// Write all numbers as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is measured.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Foresight,
    Disturbances,
    Modes,
    Worth,
}

impl Args {
    /// Where episodes of a model are played.
    fn stage(&self, model: &str) -> Result<Stage> {
        let robot_file = share::robot_file(&self.robot)?;
        let robot = Arc::new(Robot::load(&robot_file)?);
        Ok(Stage {
            backend: Backend::mem_virtual(),
            options: LoadOptions::default(),
            robot_file,
            robot,
            model: by_name::policy(model)?,
            server: self.server.options()?,
            parameters: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
            view: None,
            foxglove: None,
        })
    }

    /// The only model.
    fn single(&self) -> Result<Stage> {
        match self.model.as_slice() {
            [model] => self.stage(model),
            _ => bail!("--model: this table is of one model"),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// What stops the command.
pub fn run(args: Args) -> Result<()> {
    if args.episodes == 0 || args.calibration == 0 {
        bail!("--episodes and --calibration: at least one episode is needed");
    }
    let numbers: Value = match args.table {
        Table::Foresight => tables::foresight(&args.single()?, &args)?,
        Table::Modes => tables::modes(&args.single()?, &args)?,
        Table::Worth => {
            let models: Vec<(String, Stage)> = args
                .model
                .iter()
                .map(|model| Ok((model.clone(), args.stage(model)?)))
                .collect::<Result<_>>()?;
            tables::worth(&models, &args)?
        }
        Table::Disturbances => disturbances::study(&args.single()?, &args)?,
    };
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&numbers)?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
