//! `f1_policy_node`: one process, four ROS 2 nodes.
//!
//! Everything is a ROS parameter; `f1_policy_node --print-parameters` prints the page of them,
//! `--print-topics` that of topics, services and actions.

#[macro_use]
#[path = "../output.rs"]
mod output;
#[path = "../assembly.rs"]
mod assembly;

use std::process::ExitCode;

use f1_middleware::{Backend, Context, ContextOptions, RosArgs};
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::run::{parameter_page, spin_until_shutdown};

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (args, rest) = RosArgs::from_env()?;
    match rest.first().map(String::as_str) {
        None => {}
        Some("--print-parameters") => {
            print!("{}", parameter_page()?);
            return Ok(());
        }
        Some("--print-topics") => {
            print!("{}", f1_policy_node::topics::page());
            return Ok(());
        }
        Some("--help" | "-h") => {
            println!(
                "f1_policy_node [--print-parameters | --print-topics] [--ros-args ...]\n\n\
                 One process with the managed nodes perception, foresight, action and safety_filter.\n\
                 Set at least -p robot_file:=FILE and -p model:=FOLDER (or ws://HOST:PORT); -p autostart:=false leaves the nodes unconfigured."
            );
            return Ok(());
        }
        Some(unknown) => return Err(format!("unknown argument {unknown}; see --help").into()),
    }
    let backend = Backend::from_name(Backend::DEFAULT_NAME)?;
    let context = Context::new(ContextOptions { backend, args })?;
    context.shutdown_on_signals()?;
    let load = assembly::load_from_parameters();
    let process = PolicyProcess::compose(&context, load, &ProcessOptions::default())?;
    process.stop_on_panic();
    spin_until_shutdown(&context);
    Ok(())
}

fn main() -> ExitCode {
    // A stage's time is printed when its span closes, with RUST_LOG=f1_policy_node=debug.
    f1_middleware::log::init("info", f1_middleware::log::Spans::Timed);
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
