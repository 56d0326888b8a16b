//! `f1 demo`: run the simulated bench, the policy and the safety filter, and leave pictures and a summary.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use f1_model::{F1Policy, LoadOptions};
use f1_robot::Robot;
use f1_robot::statistics::StatisticsFile;
use f1_sim::demonstrations::{Mix, RecordSettings, write_demonstrations};
use f1_sim::episode::{Driver, LoopSettings};
use f1_sim::expert::Disturbance;
use f1_sim::showcase::{psnr, quantile, wilson, write_animation, write_latency_plot, write_sheet};
use f1_sim::{BenchSettings, Outcome, Split, Task};
use serde_json::json;

/// Arguments of `f1 demo`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Episodes to play.
    #[arg(long, default_value_t = 20)]
    episodes: u64,
    /// Number of the first episode.
    #[arg(long, default_value_t = 1_000_000)]
    seed: u64,
    /// dynamic, static or bin.
    #[arg(long, default_value = "dynamic")]
    task: Task,
    /// Belt speed in m/s; drawn from speeds that training never showed without it.
    #[arg(long)]
    belt_speed: Option<f64>,
    /// Ask for colour-and-shape pairs that training never showed.
    #[arg(long)]
    new_pairs: bool,
    /// Folder of the policy.
    #[arg(long, default_value = "models/f1_bench")]
    model: PathBuf,
    /// Robot file.
    #[arg(long, default_value = "config/robots/bench_arm.yaml")]
    robot: PathBuf,
    /// Folder for pictures and summary.
    #[arg(long, default_value = "out/demo")]
    out: PathBuf,
    /// Steps of 0.1 s between two inferences.
    #[arg(long, default_value_t = 2)]
    every: u64,
    /// Print the summary as JSON on stdout.
    #[arg(long)]
    json: bool,
    /// Instead of running the policy, write demonstrations of the scripted expert to this folder (LeRobot v3.0).
    #[arg(long, value_name = "FOLDER")]
    write_demonstrations: Option<PathBuf>,
    /// Pixels of the demonstrations' pictures.
    #[arg(long, default_value_t = 64)]
    picture: u32,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(args: Args) -> anyhow::Result<()> {
    let robot = Arc::new(Robot::load(&args.robot)?);
    if let Some(folder) = &args.write_demonstrations {
        return demonstrate(&robot, folder, &args);
    }
    let policy = F1Policy::load(&args.model, &LoadOptions::default())
        .with_context(|| format!("no policy in {}", args.model.display()))?;
    let statistics = StatisticsFile::load(&args.model.join("stats.json"))?;
    let driver = Driver::new(robot, Arc::new(policy), &statistics)?;
    std::fs::create_dir_all(&args.out)?;
    let split = if args.new_pairs { Split::NewPairs } else { Split::NewSpeeds };
    let (mut successes, mut violations, mut events) = (0, 0, 0);
    let (mut latency, mut ratios, mut accuracy) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..args.episodes {
        let mut settings = BenchSettings::new(args.task, split, args.seed + number);
        settings.speed = args.belt_speed;
        let looped = LoopSettings { every: args.every, keep_foresight: true, ..LoopSettings::default() };
        let report = driver.play(settings, &looped)?;
        successes += u64::from(report.outcome == Outcome::Success);
        violations += report.violations;
        events += report.events.len();
        latency.extend(&report.latency_ms);
        accuracy.extend(report.foreseen.iter().filter_map(|moment| moment.token_accuracy));
        let pairs = report.foreseen.iter().filter_map(|m| Some((m.foreseen.as_ref()?, m.came.as_ref()?)));
        ratios.extend(pairs.map(|(foreseen, came)| psnr(foreseen, came)));
        if number == 0 {
            write_sheet(&args.out.join("foresight.png"), &report.foreseen)?;
            write_animation(&args.out.join("episode.gif"), &report.foreseen, 100 * args.every as u32)?;
        }
        if !args.json {
            let mut out = std::io::stdout().lock();
            writeln!(
                out,
                "{:>3}  {:<32} {:?} after {:.1} s",
                number + 1,
                report.instruction,
                report.outcome,
                report.seconds
            )?;
        }
    }
    write_latency_plot(&args.out.join("latency.svg"), &latency)?;
    latency.sort_by(f64::total_cmp);
    let mean = |values: &[f64]| {
        if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
    };
    let summary = json!({
        "episodes": args.episodes,
        "successes": successes,
        "success_rate": successes as f64 / args.episodes.max(1) as f64,
        "interval": wilson(successes, args.episodes),
        "violations": violations,
        "latency_ms": {"p50": quantile(&latency, 0.5), "p99": quantile(&latency, 0.99)},
        "foresight": {"psnr": mean(&ratios), "token_accuracy": mean(&accuracy)},
        "safety_events": events,
    });
    let text = serde_json::to_string_pretty(&summary)?;
    std::fs::write(args.out.join("summary.json"), &text)?;
    if !args.json {
        let [low, high] = wilson(successes, args.episodes);
        println!(
            "{successes} of {} succeeded (95 % interval {low:.2} to {high:.2}); pictures in {}",
            args.episodes,
            args.out.display()
        );
    }
    println!("{text}");
    Ok(())
}

fn demonstrate(robot: &Arc<Robot>, folder: &Path, args: &Args) -> anyhow::Result<()> {
    let settings = RecordSettings {
        episodes: args.episodes,
        seed: args.seed,
        mix: Mix::default(),
        picture: [args.picture; 2],
        disturbance: Disturbance::NOMINAL,
    };
    let written = write_demonstrations(robot, folder, &settings, |done, all| {
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
