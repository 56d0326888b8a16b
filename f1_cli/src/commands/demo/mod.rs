//! `f1 demo`: the simulated bench, the four nodes with the shipped policy, and the controllers, in
//! one process on topics; leaves images, a recording and a summary.

mod graph;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use f1_middleware::Backend;
use f1_model::LoadOptions;
use f1_robot::Robot;
use f1_sim::demonstrations::LEAD_IN;
use f1_sim::showcase::{quantile, wilson, write_animation, write_latency_plot, write_sheet};
use f1_sim::{BenchSettings, Outcome, Split, Task};
use serde_json::{Value, json};

use super::bench::{DeviceArg, QuantArg};
use f1_robot::share;
use graph::{Played, Stage};

/// Arguments of `f1 demo`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Episodes to play.
    #[arg(long, default_value_t = 20)]
    episodes: u64,
    /// Number of the first episode; the demonstrations used 0 to 999999.
    #[arg(long, default_value_t = 1_000_000)]
    seed: u64,
    /// dynamic (pick from the moving belt), static (from the standing belt) or bin (and drop it
    /// into the bin).
    #[arg(long, default_value = "dynamic")]
    task: Task,
    /// Belt speed in m/s, 0 to 0.3; without it drawn from speeds that training never showed.
    #[arg(long)]
    belt_speed: Option<f64>,
    /// Ask for colour-and-shape pairs that training never showed.
    #[arg(long)]
    new_pairs: bool,
    /// A shipped model's name, or a checkpoint folder.
    #[arg(long, default_value = "f1_bench")]
    model: String,
    /// A shipped robot's name, or a path to a robot file; the bench needs one arm and one gripper.
    #[arg(long, default_value = "bench_arm")]
    robot: String,
    /// What carries the messages: mem (in memory, on a virtual clock, as fast as the machine
    /// allows) or dds (real topics, in real time).
    #[arg(long, default_value = "mem", value_parser = ["mem", "dds"])]
    backend: String,
    /// Where the network runs.
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceArg,
    /// Quantisation of the experts' linear layers, to see what it costs.
    #[arg(long, value_enum)]
    quant: Option<QuantArg>,
    /// Folder for images, recording and summary.
    #[arg(long, default_value = "out/demo")]
    out: PathBuf,
    /// Print the summary as JSON on stdout, and nothing else there.
    #[arg(long)]
    json: bool,
    /// Seconds that the belt runs before an episode begins with its instruction: the policy's
    /// history.
    #[arg(long, default_value_t = LEAD_IN)]
    lead_in: f64,
}

/// Options of `f1 demonstrate` that were options of `f1 demo` before.
const MOVED: [&str; 9] = [
    "--write-demonstrations",
    "--ask-for",
    "--beside",
    "--anywhere",
    "--first",
    "--standing",
    "--bin",
    "--image",
    "--picture",
];

/// Where to find the options of a command line of `f1 demo` that it no longer has; `None` for any
/// other command line.
pub fn moved_options<'a>(mut arguments: impl Iterator<Item = &'a str>) -> Option<String> {
    if arguments.next() != Some("demo") {
        return None;
    }
    let name = |argument: &'a str| argument.split('=').next().unwrap_or(argument);
    let moved = arguments.map(name).find(|name| MOVED.contains(name))?;
    Some(format!(
        "{moved} is no option of `f1 demo`: demonstrations are written by `f1 demonstrate FOLDER`, \
         with the same options"
    ))
}

/// Runs the command.
///
/// # Errors
/// What stops the command.
pub fn run(args: Args) -> Result<()> {
    if args.episodes == 0 {
        bail!("--episodes 0: nothing to play");
    }
    if let Some(speed) = args.belt_speed
        && !(0.0..=0.3).contains(&speed)
    {
        bail!("--belt-speed {speed}: the belt runs at 0 to 0.3 m/s");
    }
    let robot_file = share::robot_file(&args.robot)?;
    let robot = Arc::new(Robot::load(&robot_file)?);
    let backend = match args.backend.as_str() {
        "dds" => Backend::Dds,
        _ => Backend::mem_virtual(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second signal ends the program at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    let model = share::model(&args.model)?;
    let options = LoadOptions {
        device: args.device.choice(),
        quant: args.quant.map(QuantArg::quant),
        cuda_graphs: true,
        ..LoadOptions::default()
    };
    let stage = Stage { backend, options, robot_file, robot, model, stop: stop.clone() };
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("{} cannot be made: choose another --out", args.out.display()))?;
    let mut tally = Tally::default();
    for number in 0..args.episodes {
        let split = if args.new_pairs { Split::NewPairs } else { Split::NewSpeeds };
        let mut settings = BenchSettings::new(args.task, split, args.seed + number);
        settings.speed = args.belt_speed;
        settings.lead_in = args.lead_in;
        let first = number == 0;
        let recording = args.out.join("demo.mcap");
        // On topics in real time the stage is fresh too: each episode is a whole start and a whole
        // end of the graph.
        let stage = Stage { backend: fresh(&stage.backend), ..stage.clone() };
        let played = stage.play(&settings, first.then_some(recording.as_path()), first)?;
        if stop.load(Ordering::Relaxed) && !played.outcome.is_over() {
            eprintln!(
                "stopped in episode {}; what follows counts the {} before it",
                number + 1,
                tally.episodes
            );
            break;
        }
        tally.add(&played);
        if first && !played.foreseen.is_empty() {
            write_sheet(&args.out.join("foresight.png"), &played.foreseen)?;
            write_animation(&args.out.join("episode.gif"), &played.foreseen, 200)?;
        }
        let line = format!(
            "{:>3}/{}  {:<32} {:<11} {:>4.1} s  violations {}  safety events {}",
            number + 1,
            args.episodes,
            played.instruction,
            format!("{:?}", played.outcome),
            played.seconds,
            played.violations,
            played.events.len(),
        );
        // With --json stdout is the summary's alone.
        if args.json {
            eprintln!("{line}")
        } else {
            writeln!(std::io::stdout().lock(), "{line}")?
        }
        if let (true, Some(messages)) = (first && !args.json, played.recorded) {
            println!("         {messages} messages recorded in {}", recording.display());
        }
    }
    write_latency_plot(&args.out.join("latency.svg"), &tally.latency_ms)?;
    let summary = tally.summary();
    let text = serde_json::to_string_pretty(&summary)?;
    std::fs::write(args.out.join("summary.json"), &text)?;
    if args.json {
        println!("{text}");
    } else {
        print!("{}", tally.table(&args));
    }
    Ok(())
}

/// A back end of its own for each episode: the virtual clock starts anew.
fn fresh(backend: &Backend) -> Backend {
    match backend {
        Backend::Mem { .. } => Backend::mem_virtual(),
        other => other.clone(),
    }
}

/// The results of all episodes.
#[derive(Default)]
struct Tally {
    episodes: u64,
    successes: u64,
    violations: u64,
    events: usize,
    starved: u64,
    latency_ms: Vec<f64>,
    foresight: Vec<(f64, f64)>,
    ends: std::collections::BTreeMap<String, u64>,
    rules: std::collections::BTreeMap<String, u64>,
}

impl Tally {
    fn add(&mut self, played: &Played) {
        self.episodes += 1;
        self.successes += u64::from(played.outcome == Outcome::Success);
        self.violations += played.violations;
        self.events += played.events.len();
        self.starved += played.starved;
        self.latency_ms.extend(&played.latency_ms);
        self.foresight.extend(played.foresight.iter().filter(|(psnr, _)| psnr.is_finite()));
        *self.ends.entry(format!("{:?}", played.outcome)).or_default() += 1;
        for event in &played.events {
            *self.rules.entry(event.rule.clone()).or_default() += 1;
        }
    }

    /// Mean PSNR in dB and mean share of equal tokens.
    fn foresight(&self) -> Option<(f64, f64)> {
        let count = self.foresight.len();
        (count > 0).then(|| {
            let sum = self
                .foresight
                .iter()
                .fold((0.0, 0.0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
            (sum.0 / count as f64, sum.1 / count as f64)
        })
    }

    fn latencies(&self) -> (f64, f64) {
        let mut sorted = self.latency_ms.clone();
        sorted.sort_by(f64::total_cmp);
        (quantile(&sorted, 0.5), quantile(&sorted, 0.99))
    }

    fn summary(&self) -> Value {
        let (p50, p99) = self.latencies();
        let foresight = self.foresight();
        json!({
            "episodes": self.episodes,
            "successes": self.successes,
            "success_rate": self.successes as f64 / self.episodes.max(1) as f64,
            "interval": wilson(self.successes, self.episodes),
            "violations": self.violations,
            "latency_ms": {"p50": p50, "p99": p99},
            "foresight": {"psnr": foresight.map(|f| f.0), "token_accuracy": foresight.map(|f| f.1)},
            "safety_events": self.events,
            "starved": self.starved,
            "outcomes": self.ends,
            "safety_rules": self.rules,
        })
    }

    fn table(&self, args: &Args) -> String {
        let [low, high] = wilson(self.successes, self.episodes);
        let (p50, p99) = self.latencies();
        let mut rows = vec![
            (
                "success",
                format!(
                    "{} of {} ({:.0} %, 95 % interval {:.0} to {:.0} %)",
                    self.successes,
                    self.episodes,
                    100.0 * self.successes as f64 / self.episodes.max(1) as f64,
                    100.0 * low,
                    100.0 * high
                ),
            ),
            ("limits broken at the controllers", self.violations.to_string()),
            ("safety events", self.events.to_string()),
            ("chunks used up before the next came", self.starved.to_string()),
            ("latency of a chunk", format!("median {p50:.0} ms, 99 % below {p99:.0} ms")),
        ];
        if let Some((psnr, tokens)) = self.foresight() {
            rows.push((
                "foresight against true images",
                format!("{psnr:.1} dB, {:.0} % of tokens", 100.0 * tokens),
            ));
        }
        rows.push(("images, recording, summary", args.out.display().to_string()));
        let mut table = String::from("\n");
        for (name, value) in rows {
            table.push_str(&format!("  {name:<36} {value}\n"));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::moved_options;

    #[test]
    fn options_that_moved_to_another_command_are_named_with_it() {
        for line in [
            "demo --write-demonstrations data/row --standing 0.8",
            "demo --episodes 9 --standing=0.8 --write-demonstrations data/row",
            "demo --write-demonstrations=data/row",
        ] {
            let message = moved_options(line.split(' ')).unwrap();
            assert!(message.contains("`f1 demonstrate FOLDER`"), "{message}");
        }
        assert_eq!(moved_options("demo --episodes 3 --nonsense".split(' ')), None);
        assert_eq!(moved_options("bench --standing 0.8".split(' ')), None);
    }
}
