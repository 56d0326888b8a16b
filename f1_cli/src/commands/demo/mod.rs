//! `f1 demo`: the simulated bench, the four nodes with the shipped policy, and the controllers, in
//! one process on topics; leaves images, a recording and a summary.

pub mod graph;
mod listener;
pub mod tally;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use f1_middleware::Backend;
use f1_model::LoadOptions;
use f1_policy_node::foresight::{MODES, SIGNALS};
use f1_robot::Robot;
use f1_sim::demonstrations::LEAD_IN;
use f1_sim::showcase::{write_animation, write_latency_plot, write_sheet};
use f1_sim::{BenchSettings, Disturb, Split, Task};

use super::bench::{DeviceArg, QuantArg};
use super::server_args::ServerArgs;
use crate::by_name;
use crate::live::{FoxgloveArgs, ViewArgs};
use f1_robot::share;
use graph::Stage;
use tally::Tally;

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
    /// Draw belt speeds from those that training showed.
    #[arg(long, conflicts_with_all = ["belt_speed", "new_pairs"])]
    training_speeds: bool,
    /// What happens 1 to 4 s after the instruction, drawn from the seed, to an object in view:
    /// speed (the belt's, by 40 to 100 %), swap (another colour at the same place; not of what is
    /// asked for) or push (2 to 6 cm along the belt).
    #[arg(long)]
    disturb: Option<Disturb>,
    /// How foresight is used: on, cached (that of an earlier observation is used again until it is
    /// too old or was wrong) or off (for models trained for it).
    #[arg(long, default_value = MODES[0], value_parser = MODES)]
    foresight: String,
    /// PSNR of foresight below which the next observation is inferred at once, dB; 0: never.
    #[arg(long, default_value_t = 0.0)]
    replan_psnr: f64,
    /// Over which pixels that PSNR is: whole (the image), changed, or worst (the worst square).
    #[arg(long, default_value = SIGNALS[0], value_parser = SIGNALS)]
    replan_signal: String,
    /// Ask for colour-and-shape pairs that training never showed.
    #[arg(long)]
    new_pairs: bool,
    /// A shipped model's name, a checkpoint folder, or a policy server: ws://HOST:PORT or
    /// wss://HOST:PORT.
    #[arg(long, default_value = "f1_bench")]
    model: String,
    #[command(flatten)]
    server: ServerArgs,
    /// A shipped robot's name, or a path to a robot file; the bench needs one arm and one gripper.
    #[arg(long, default_value = "bench_arm")]
    robot: String,
    /// What carries the messages: mem (in memory, on a virtual clock, as fast as the machine
    /// allows) or dds (real topics, in real time).
    #[arg(long, default_value = "mem", value_parser = ["mem", "dds"])]
    backend: String,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    viewers: FoxgloveArgs,
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

impl Args {
    /// Parameters of the nodes: node, name, value.
    fn parameters(&self) -> Vec<(&'static str, &'static str, String)> {
        vec![
            ("foresight", "mode", format!("\"{}\"", self.foresight)),
            ("foresight", "replan_psnr", format!("{:?}", self.replan_psnr)),
            ("foresight", "replan_signal", format!("\"{}\"", self.replan_signal)),
        ]
    }

    /// Episode number `number` of this run.
    fn episode(&self, number: u64) -> BenchSettings {
        let split = match (self.new_pairs, self.training_speeds) {
            (true, _) => Split::NewPairs,
            (false, true) => Split::Training,
            (false, false) => Split::NewSpeeds,
        };
        let mut settings = BenchSettings::new(self.task, split, self.seed + number);
        settings.speed = self.belt_speed;
        settings.lead_in = self.lead_in;
        settings.disturb = self.disturb;
        settings
    }
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
    let stands = !args.task.belt_moves() || args.belt_speed == Some(0.0);
    if args.disturb == Some(Disturb::Speed) && stands {
        bail!("--disturb speed: the belt stands, so it has no speed to change");
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
    let model = by_name::policy(&args.model)?;
    let server = args.server.options()?;
    let options = LoadOptions {
        device: args.device.choice(),
        quant: args.quant.map(QuantArg::quant),
        cuda_graphs: true,
        ..LoadOptions::default()
    };
    let (view, foxglove) = (args.view.settings()?, args.viewers.foxglove);
    if (view.is_some() || foxglove.is_some()) && args.backend != "dds" {
        bail!(
            "--view, --foxglove: a page cannot follow the virtual clock of the back end mem; add \
             --backend dds"
        );
    }
    let parameters = args.parameters();
    let stage = Stage {
        backend,
        options,
        server,
        robot_file,
        robot,
        model,
        parameters,
        stop: stop.clone(),
        view,
        foxglove,
    };
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("{} cannot be made: choose another --out", args.out.display()))?;
    let mut tally = Tally::default();
    for number in 0..args.episodes {
        let settings = args.episode(number);
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
        print!("{}", tally.table(&args.out));
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
