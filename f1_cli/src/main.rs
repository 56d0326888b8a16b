//! `f1`: a foresight vision-language-action policy for real robots, from one command.

#[macro_use]
mod output;

mod assembly;
mod by_name;
mod commands;
#[cfg(test)]
mod documents;
mod live;

use clap::{Parser, Subcommand};

/// Foresight vision-language-action policy for ROS 2 robots.
///
/// README.md and the folder docs explain it; `f1 COMMAND --help` lists a command's options.
#[derive(Parser, Debug)]
#[command(name = "f1", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Time the stages of the policy on this machine.
    Bench(commands::bench::Args),
    /// Convert a recording (MCAP, ros2 bag) into a LeRobot data set.
    Convert(commands::convert::Args),
    /// Run the simulated bench, the policy and the safety filter, and leave images and numbers.
    Demo(commands::demo::Args),
    /// Write demonstrations of the bench's scripted expert as a LeRobot data set.
    Demonstrate(commands::demonstrate::Args),
    /// Check what commonly breaks and say how to fix it.
    Doctor(commands::doctor::Args),
    /// Measure a checkpoint on a data set.
    Eval(commands::eval::Args),
    /// Fetch a model or a data set of the Hugging Face hub by its name.
    Fetch(commands::fetch::Args),
    /// Pass chunks through the safety filter, one request a line.
    Filter(commands::filter::Args),
    /// List a checkpoint's tensors and what is wrong with them.
    Inspect(commands::inspect::Args),
    /// Record everything in and out as MCAP.
    Record(commands::record::Args),
    /// Run the four nodes from a shell.
    Run(commands::run::Args),
    /// Serve a policy to openpi's and vla-eval's clients.
    Serve(commands::serve::Args),
    /// Compute normalisation statistics of a data set.
    Stats(commands::stats::Args),
    /// Play many episodes of the bench and fill a table: foresight, disturbances, modes, worth.
    Study(commands::study::Args),
    /// Train from a run file.
    Train(commands::train::Args),
    /// Compare the network with golden numbers.
    Verify(commands::verify::Args),
}

fn main() -> std::process::ExitCode {
    // Tensors are large and short-lived: paging each in anew costs more than computing it.
    f1_kernels::keep_freed_memory();
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        if let Some(message) = commands::demo::moved_options(arguments.iter().map(String::as_str)) {
            eprintln!("error: {message}");
            std::process::exit(2);
        }
        error.exit()
    });
    // Logs go to stderr, results to stdout; `RUST_LOG` selects what is logged. The demo prints its
    // own lines, which those of the nodes would hide; messages that arrive after the end of its
    // recording are expected.
    let default = if matches!(cli.command, Command::Demo(_) | Command::Study(_)) {
        "error,f1_policy_node::recording=off"
    } else {
        "warn,f1=info"
    };
    f1_middleware::log::init(default, f1_middleware::log::Spans::Silent);
    let outcome = match cli.command {
        Command::Bench(args) => commands::bench::run(args),
        Command::Convert(args) => commands::convert::run(args),
        Command::Demo(args) => commands::demo::run(args),
        Command::Demonstrate(args) => commands::demonstrate::run(args),
        Command::Doctor(args) => commands::doctor::run(args),
        Command::Eval(args) => commands::eval::run(args),
        Command::Fetch(args) => commands::fetch::run(args),
        Command::Filter(args) => commands::filter::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Record(args) => commands::record::run(args),
        Command::Run(args) => commands::run::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Stats(args) => commands::stats::run(args),
        Command::Study(args) => commands::study::run(args),
        Command::Train(args) => commands::train::run(args),
        Command::Verify(args) => commands::verify::run(args),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) if reader_is_gone(&error) => output::CLOSED.into(),
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            std::process::ExitCode::FAILURE
        }
    }
}

/// Whether a command failed because its output is not read any more.
fn reader_is_gone(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// An error with its causes; those that a message names already are not said twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::sentence;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow!("no such file").context("a/b: no such file").context("data set");
        assert_eq!(sentence(&error), "data set: a/b: no such file");
    }
}
