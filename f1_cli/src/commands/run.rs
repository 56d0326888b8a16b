//! `f1 run`: run the four nodes from a shell, with a live status line, or replay a recording
//! through them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use f1_middleware::{Backend, ClockKind, Context, ContextOptions, MemBus, RosArgs};
use f1_policy_node::FoxgloveSession;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::recording::{Bag, Instructions, RecordSession, Replay};
use f1_policy_node::run::{spin_until_shutdown, status_line};
use f1_robot::Robot;

use f1_robot::share;

use super::server_args::ServerArgs;
use crate::live::{FoxgloveArgs, ViewArgs};
use crate::{assembly, by_name};

/// Arguments of `f1 run`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A shipped robot's name, or a path to a robot file.
    #[arg(long, default_value = "bench_arm")]
    robot: String,
    /// A shipped model's name, a checkpoint folder, hf://OWNER/NAME, or a policy server:
    /// ws://HOST:PORT or wss://HOST:PORT.
    #[arg(long, default_value = "f1_bench")]
    model: String,
    /// tokenizer.json, a folder with it, or hf://OWNER/NAME, where the model has none.
    #[arg(long, value_name = "PATH_OR_NAME")]
    tokenizer: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// What to do. Without one the robot waits for the topic `instruction`; a replay takes those of
    /// the recording.
    #[arg(long, default_value = "")]
    instruction: String,
    /// What carries the messages: dds (no ROS needed) or rcl (a sourced ROS 2).
    #[arg(long, default_value = Backend::DEFAULT_NAME)]
    backend: String,
    /// Where the network runs.
    #[arg(long, default_value = "cpu", value_parser = ["cpu", "cuda"])]
    device: String,
    /// Type of weights and activations; left out: f32 on a CPU, bf16 on a GPU.
    #[arg(long, value_parser = ["f32", "bf16"])]
    dtype: Option<String>,
    /// Quantisation of the experts' linear layers at load.
    #[arg(long, value_parser = ["q8_0", "q4k", "fp8"])]
    quant: Option<String>,
    /// Namespace of all nodes and topics.
    #[arg(long, default_value = "f1")]
    namespace: String,
    /// Replay this recording through the whole graph on the virtual clock instead of joining a
    /// network.
    #[arg(long, value_name = "FILE.mcap")]
    bag: Option<PathBuf>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    viewers: FoxgloveArgs,
    /// Record everything in and out.
    #[arg(long, value_name = "FILE.mcap")]
    record: Option<PathBuf>,
    /// ROS arguments, after `--`: `-- --ros-args -p speed:=teach -r
    /// front/image_raw:=/camera/color/image_raw`.
    #[arg(last = true)]
    ros_args: Vec<String>,
}

impl Args {
    /// The options as ROS arguments; what stands behind `--` comes last and wins.
    fn ros_args(&self, robot: &Path, model: &str, tokenizer: Option<&Path>) -> Result<RosArgs> {
        let mut all: Vec<String> = ["f1", "--ros-args"].map(String::from).to_vec();
        let mut parameter = |node: &str, name: &str, value: &str| {
            // Quoted: a YAML value that looks like a number or a list stays text.
            all.extend([
                "-p".into(),
                // In whatever namespace the node is.
                format!(
                    "/**/{node}:{name}:=\"{}\"",
                    value.replace('\\', "\\\\").replace('"', "\\\"")
                ),
            ]);
        };
        parameter("foresight", "robot_file", &robot.display().to_string());
        parameter("foresight", "model", model);
        let server = self.server.options()?;
        let file =
            |file: Option<&Path>| file.map_or_else(String::new, |file| file.display().to_string());
        parameter("foresight", "tokenizer", &file(tokenizer));
        parameter("foresight", "server_layout", &server.layout);
        parameter("foresight", "server_key", &file(server.key_file.as_deref()));
        parameter("foresight", "server_ca", &file(server.authorities.as_deref()));
        parameter("foresight", "device", &self.device);
        parameter("foresight", "dtype", self.dtype.as_deref().unwrap_or_default());
        parameter("foresight", "quant", self.quant.as_deref().unwrap_or_default());
        parameter("perception", "instruction", &self.instruction);
        let mut number = |name: &str, value: Duration| {
            let value = format!("/**/foresight:{name}:={:?}", value.as_secs_f64());
            all.extend(["-p".into(), value]);
        };
        number("server_timeout", server.timeout);
        number("server_wait", server.wait);
        // The first rule for a name holds, here and in an installed ROS 2, which reads the command
        // line itself.
        let names = ["__ns:=", "__node:=", "__name:="];
        if let Some(rule) =
            self.ros_args.iter().find(|argument| names.iter().any(|name| argument.contains(name)))
        {
            bail!(
                "{rule}: the four nodes keep their names, and their namespace is given by --namespace"
            );
        }
        all.extend([
            "-r".into(),
            format!("__ns:=/{}", self.namespace.trim_matches('/')),
            "--".into(),
        ]);
        all.extend(self.ros_args.iter().cloned());
        let (parsed, rest) = RosArgs::parse(all)?;
        if let Some(unknown) = rest.get(1) {
            bail!("{unknown}: only ROS arguments (--ros-args ...) may stand behind --");
        }
        Ok(parsed)
    }
}

/// How long a replay goes on after the last message: what it set off comes to its end.
const TAIL: Duration = Duration::from_secs(1);

/// Runs the command.
///
/// # Errors
/// What stops the command.
pub fn run(args: Args) -> Result<()> {
    let robot_file = share::robot_file(&args.robot)?;
    let model = by_name::policy(&args.model)?;
    let tokenizer = args.tokenizer.as_deref().map(by_name::tokenizer).transpose()?;
    let ros_args = args.ros_args(&robot_file, &model, tokenizer.as_deref())?;
    let robot = Arc::new(Robot::load(&robot_file)?);
    match &args.bag {
        Some(_) if args.view.settings()?.is_some() || args.viewers.foxglove.is_some() => {
            bail!(
                "--view, --foxglove: a page cannot follow a replay, which runs on a virtual clock"
            )
        }
        Some(bag) => replay(&args, bag, &robot, ros_args),
        None => live(&args, &robot, ros_args),
    }
}

fn live(args: &Args, robot: &Robot, ros_args: RosArgs) -> Result<()> {
    let backend = Backend::from_name(&args.backend)?;
    let context = Context::new(ContextOptions { backend, args: ros_args })?;
    context.shutdown_on_signals()?;
    let options = ProcessOptions { view: args.view.settings()?, ..ProcessOptions::default() };
    let process = PolicyProcess::compose(&context, assembly::load_from_parameters(), &options)?;
    process.stop_on_panic();
    if let Some(address) = process.view_address() {
        eprintln!("live page at http://{address}");
    }
    let recording = args
        .record
        .as_ref()
        .map(|path| RecordSession::start(&context, robot, &args.namespace, &process.locks(), path))
        .transpose()?;
    let viewers = args
        .viewers
        .foxglove
        .map(|port| {
            FoxgloveSession::start(&context, robot, &args.namespace, &process.locks(), port)
        })
        .transpose()?;
    if let Some(viewers) = &viewers {
        eprintln!("Foxglove: ws://{}", viewers.address());
    }
    let status = context.create_node("f1_run")?;
    let (core, clock) = (process.core().clone(), status.clock());
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let mut last = String::new();
    let _timer = status.create_timer(Duration::from_millis(500), ClockKind::Steady, move || {
        let line = status_line(&mut core.status.lock(), clock.now().nanoseconds());
        if terminal {
            // The whole line is written anew over the old one.
            eprint!("\r\x1b[2K{line}");
        } else if line != last {
            eprintln!("{line}");
        }
        last = line;
    });
    spin_until_shutdown(&context);
    if terminal {
        eprintln!();
    }
    if let (Some(recording), Some(path)) = (recording, &args.record) {
        eprintln!("{} messages in {}", recording.finish()?, path.display());
    }
    match process.status().fault {
        Some(fault) => bail!("{fault}"),
        None => Ok(()),
    }
}

fn replay(args: &Args, path: &Path, robot: &Robot, ros_args: RosArgs) -> Result<()> {
    let bag = Bag::open(path).context("the recording cannot be replayed")?;
    let start = Replay::start_of(&bag)?;
    let backend = Backend::Mem { bus: MemBus::new(), virtual_start: Some(start) };
    let context = Context::new(ContextOptions { backend, args: ros_args })?;
    let load = assembly::load_from_parameters();
    let process = PolicyProcess::compose(&context, load, &ProcessOptions::default())?;
    let recording = args
        .record
        .as_ref()
        .map(|path| RecordSession::start(&context, robot, &args.namespace, &process.locks(), path))
        .transpose()?;
    // Loading is inline on a virtual clock: the nodes are up before time moves.
    context.executor().spin_once(Duration::ZERO);
    if !process.is_started() {
        bail!("the policy could not be started: {}", process.status().state().1);
    }
    let instructions = if args.instruction.trim().is_empty() {
        Instructions::Recorded
    } else {
        Instructions::Given
    };
    let (namespace, locks) = (&args.namespace, process.locks());
    let replay = Replay::open(&context, robot, namespace, &locks, &bag, instructions)?;
    if replay.is_empty() {
        bail!(
            "{} holds none of the robot's inputs in namespace {}",
            path.display(),
            args.namespace
        );
    }
    if instructions == Instructions::Recorded && !replay.is_instructed() {
        bail!(
            "{} holds no instruction, neither on topics nor in the policy's status: give it with \
             --instruction",
            path.display()
        );
    }
    replay.play(&context, TAIL)?;
    let mut status = process.status();
    println!("{}", status_line(&mut status, context.clock().now().nanoseconds()));
    if let (Some(recording), Some(path)) = (recording, &args.record) {
        eprintln!("{} messages in {}", recording.finish()?, path.display());
    }
    Ok(())
}
