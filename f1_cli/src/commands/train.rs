//! `f1 train`: train from a run file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use f1_train::run_file::DeviceName;
use f1_train::{Launch, Outcome, Ranks, RunFile, Trainer, setup};

use crate::by_name;

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
}

/// Runs the command: alone, or as one of the ranks that mpirun or srun has started.
///
/// # Errors
/// Whatever stops the run, with what to do about it. Where there are several ranks, all of them
/// are ended.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut run = RunFile::load(&args.run, &args.set)?;
    by_name::in_run_file(&mut run)?;
    let Some(launch) = Launch::from_environment()? else { return train(&args, run, None) };
    if run.device == DeviceName::Cuda {
        f1_kernels::device::choose_gpu(launch.local_rank)?;
    }
    let ranks = Ranks::connect(&launch, &setup::device(&run)?)?;
    match train(&args, run, Some(ranks.clone())) {
        Ok(()) => {
            ranks.close();
            Ok(())
        }
        Err(fault) => {
            let fault = fault.context(format!("rank {} of {}", launch.rank, launch.size));
            // Said here: the launcher may end this process before anything else does.
            eprintln!("error: {fault:#}");
            ranks.abort();
            Err(fault)
        }
    }
}

fn train(args: &Args, run: RunFile, ranks: Option<Ranks>) -> anyhow::Result<()> {
    let output = run.output.clone();
    // Rank 0 reports for all.
    let reports = ranks.as_ref().is_none_or(|ranks| ranks.rank() == 0);
    let mut say = |text: &str| {
        if reports {
            eprintln!("{text}");
        }
    };
    // There is nothing to keep yet: a signal ends the program at once, also while the frames'
    // tokens are made, which takes minutes.
    let mut trainer = Trainer::open_on(run, args.resume, ranks, &mut say)?;
    // From here on the first signal asks for a checkpoint and an orderly end, and the second ends
    // the program at once.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("signals cannot be caught")?;
    }
    let outcome = trainer.train(&stop)?;
    match outcome {
        _ if !reports => {}
        Outcome::Finished => println!("{}", output.join("model").display()),
        Outcome::Interrupted => {
            println!("stopped; continue with: f1 train {} --resume", args.run.display());
        }
    }
    Ok(())
}
