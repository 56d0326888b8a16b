//! `f1_sim_node`: the simulated bench as a ROS 2 node, for `ros2 launch` or a shell.
//!
//! Options before `--ros-args`: none but `--help`, which lists the parameters.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use f1_middleware::parameters::Descriptor;
use f1_middleware::{Backend, Context, ContextOptions, NodeOptions, RosArgs};
use f1_robot::{Robot, share};
use f1_sim::demonstrations::LEAD_IN;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::objects::Kind;
use f1_sim::{BenchSettings, Split, Task};

const HELP: &str = "\
f1_sim_node [--ros-args -p NAME:=VALUE ...]

The simulated bench as a robot on topics: joint states, two cameras, a trajectory controller; one episode after the other.

  robot_file   a shipped robot's name, or a path to a robot file (bench_arm)
  task         dynamic, static or bin (dynamic)
  object       what is to be picked, as \"red cube\"; empty: drawn anew in each episode (empty)
  seed         fixes everything that is drawn (0)
  belt_speed   m/s; negative: drawn (-1)
  lead_in      seconds that the belt runs before an episode's clock starts (1.5)
  camera_rate  frames a second (20)
  joint_rate   joint states a second (100)";

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (args, rest) = RosArgs::from_env()?;
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        // A reader that has gone is no fault.
        let _ = writeln!(std::io::stdout(), "{HELP}");
        return Ok(());
    }
    if let Some(unknown) = rest.first() {
        return Err(format!(
            "unknown argument {unknown}: everything is a ROS parameter (-p name:=value after --ros-args)"
        )
        .into());
    }
    let backend = Backend::from_name(Backend::DEFAULT_NAME)?;
    let context = Context::new(ContextOptions { backend, args })?;
    context.shutdown_on_signals()?;
    let node = context.create_node_with("bench_settings", NodeOptions::in_namespace("/f1"))?;
    let parameters = node.parameters();
    let text = |name: &str, default: &str, description: &str| {
        parameters.declare(name, default.to_owned(), Descriptor::new(description).read_only())
    };
    let robot_file =
        text("robot_file", "bench_arm", "A shipped robot's name, or a path to a robot file.")?;
    let task = text("task", "dynamic", "dynamic, static or bin.")?.parse::<Task>()?;
    let object = text("object", "", "What is to be picked, as \"red cube\"; empty: drawn.")?;
    let seed = parameters.declare(
        "seed",
        0_i64,
        Descriptor::new("Fixes everything that is drawn.").read_only(),
    )?;
    let speed = parameters.declare(
        "belt_speed",
        -1.0,
        Descriptor::new("Belt speed, m/s; negative: drawn.").read_only(),
    )?;
    let lead_in = parameters.declare(
        "lead_in",
        LEAD_IN,
        Descriptor::new("Seconds that the belt runs before an episode's clock starts.")
            .doubles(0.0, 10.0)
            .read_only(),
    )?;
    let camera_rate = parameters.declare(
        "camera_rate",
        20.0,
        Descriptor::new("Frames a second, Hz.").doubles(1.0, 120.0).read_only(),
    )?;
    let joint_rate = parameters.declare(
        "joint_rate",
        100.0,
        Descriptor::new("Joint states a second, Hz.").doubles(10.0, 1000.0).read_only(),
    )?;
    let robot = Arc::new(Robot::load(&share::robot_file(&robot_file)?)?);
    let mut settings =
        BenchSettings::new(task, Split::NewSpeeds, u64::from_ne_bytes(seed.to_ne_bytes()));
    settings.speed = (speed >= 0.0).then_some(speed);
    settings.kind = if object.is_empty() { None } else { Some(object.parse::<Kind>()?) };
    settings.lead_in = lead_in;
    let options = SimOptions { camera_rate, joint_rate, endless: true, ..SimOptions::default() };
    let sim = SimNode::start(&context, &robot, settings, &options)?;
    tracing::info!(instruction = sim.instruction(), "the bench runs");
    context.spin();
    context.join();
    Ok(())
}

fn main() -> ExitCode {
    f1_middleware::log::init("info", f1_middleware::log::Spans::Silent);
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no other place to report it where stderr is closed.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
