//! `f1 record`: record everything in and out as MCAP.

use std::path::PathBuf;

use anyhow::Result;
use f1_middleware::{Backend, Context, ContextOptions, RosArgs};
use f1_policy_node::recording::RecordSession;
use f1_policy_node::run::spin_until_shutdown;
use f1_robot::Robot;

use f1_robot::share;

/// Arguments of `f1 record`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A shipped robot's name, or a path to a robot file: it says which topics there are.
    #[arg(long, default_value = "bench_arm")]
    robot: String,
    /// Namespace of the robot's topics.
    #[arg(long, default_value = "f1")]
    namespace: String,
    /// What carries the messages: dds (no ROS needed) or rcl (a sourced ROS 2).
    #[arg(long, default_value = Backend::DEFAULT_NAME)]
    backend: String,
    /// Also record this lock of the safety filter (std_msgs/Bool); may be given several times.
    #[arg(long = "lock", value_name = "TOPIC")]
    locks: Vec<String>,
    /// The file to write; an existing one is replaced.
    #[arg(long, value_name = "FILE.mcap")]
    out: PathBuf,
}

/// Runs the command: records until SIGINT or SIGTERM.
///
/// # Errors
/// What stops the command.
pub fn run(args: Args) -> Result<()> {
    let robot = Robot::load(&share::robot_file(&args.robot)?)?;
    let context = Context::new(ContextOptions {
        backend: Backend::from_name(&args.backend)?,
        args: RosArgs::none(),
    })?;
    context.shutdown_on_signals()?;
    let session = RecordSession::start(&context, &robot, &args.namespace, &args.locks, &args.out)?;
    eprintln!("recording into {}; Ctrl-C ends it", args.out.display());
    spin_until_shutdown(&context);
    println!("{} messages in {}", session.finish()?, args.out.display());
    Ok(())
}
