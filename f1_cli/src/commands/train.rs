//! `f1 train`: train from a run file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use f1_train::parallel::Place;
use f1_train::{Outcome, RunFile, Trainer};

/// Arguments of `f1 train`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Run file (see config/train).
    run: PathBuf,
    /// Continue from the newest checkpoint of the run's output.
    #[arg(long)]
    resume: bool,
    /// Replace a value of the run file: key.key=value (may be given several times).
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Train together with other processes, started alike with another rank: how many there are.
    /// Each takes `batch` samples in every update, so that the whole batch is this many times
    /// as large.
    #[arg(long, requires_all = ["rank", "meet"])]
    world: Option<usize>,
    /// Which of them this is: 0, which writes the checkpoints, to world - 1.
    #[arg(long, requires = "world")]
    rank: Option<usize>,
    /// Where process 0 listens and the others find it.
    #[arg(long, requires = "world", value_name = "HOST:PORT")]
    meet: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(args: Args) -> anyhow::Result<()> {
    let run = RunFile::load(&args.run, &args.set)?;
    let output = run.output.clone();
    // The first signal asks for a checkpoint and an orderly end; the second ends at once.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("signals cannot be caught")?;
    }
    let place = match (args.world, args.rank, args.meet) {
        (Some(world), Some(rank), Some(meet)) => Some(Place { rank, world, meet }),
        _ => None,
    };
    let mut trainer = Trainer::open_part(run, args.resume, place, &mut |text| eprintln!("{text}"))?;
    match trainer.train(&stop)? {
        Outcome::Finished => println!("{}", output.join("model").display()),
        Outcome::Interrupted => {
            println!("stopped; continue with: f1 train {} --resume", args.run.display())
        }
    }
    Ok(())
}
