//! `f1 filter`: pass chunks through the safety filter, one request a line.

use std::fs::File;
use std::io::{BufReader, ErrorKind, LineWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use f1_robot::Robot;
use f1_robot::safety::{FilterSettings, Mode, SafetyFilter, Speed};

use self::limits::limits;
use self::requests::Server;
use f1_robot::share;

mod limits;
mod requests;
#[cfg(test)]
mod tests;

/// What a line holds, for `--help`.
const LINES: &str = "\
A request is one line of JSON:
  {\"now\": s, \"joint_names\": [..], \"position\": [..], \"velocity\": [..], \"chunk\": [[..]..] or null, \"chunk_stamp\": s, \"lock\": bool}
Times are seconds on one clock; positions are rad (m for sliding joints), velocities per second. The chunk's columns are the joints in the
order of `joint_names`, which is that of `action_layout` in --limits; its row i is due at chunk_stamp + (i + 1) / rate_hz. `lock` true: stop.
`reset` true opens a latch. State carries over from line to line, as on a robot.

The answer is one line:
  {\"verdict\": \"accepted|modified|rejected|stopped\", \"events\": [{rule, joint, step, asked, limit, action}..],
   \"trajectories\": [{controller, joint_names, points: [{t, position, velocity, acceleration}..]}..]}
`t` is seconds after `now`. No trajectories: what was sent before goes on. A line that is no request gets {\"error\": ..}.

docs/safety.md says what is promised and what each rule means.";

/// Arguments of `f1 filter`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = LINES, after_help = "`f1 filter --help` shows what requests and answers look like.")]
pub struct Args {
    /// A shipped robot's name, or a path to a robot file.
    #[arg(long)]
    robot: String,
    /// Requests, one JSON object a line; `-`: standard input.
    #[arg(long = "in")]
    input: Option<PathBuf>,
    /// Answers, one JSON object a line; `-`: standard output.
    #[arg(long = "out")]
    output: Option<PathBuf>,
    /// What happens to a chunk that breaks a limit.
    #[arg(long, value_parser = words::<Mode>(Mode::WORDS), default_value = FilterSettings::default().mode.word())]
    mode: Mode,
    /// Which of the robot file's end-effector speeds holds.
    #[arg(long, value_parser = words::<Speed>(Speed::WORDS), default_value = FilterSettings::default().speed.word())]
    speed: Speed,
    /// Do not check clearance to the robot itself and the scene.
    #[arg(long)]
    no_clearance: bool,
    /// Latch a stop after so many interventions within ten seconds, until a request says `"reset":
    /// true`; 0: never. A robot's filter latches after ten: the requests of a file are often
    /// trials of their own.
    #[arg(long, default_value_t = 0)]
    latch: usize,
    /// Print the limits in force and nothing else.
    #[arg(long)]
    limits: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// A parser of the words that a parameter of the filter takes.
fn words<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// Runs the command.
///
/// # Errors
/// What stops the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let robot = Arc::new(Robot::load(&share::robot_file(&args.robot)?)?);
    let settings = FilterSettings {
        mode: args.mode,
        speed: args.speed,
        clearance: !args.no_clearance,
        latch_count: args.latch,
        ..FilterSettings::default()
    };
    if args.limits {
        let filter = SafetyFilter::new(robot.clone(), settings);
        println!("{}", serde_json::to_string_pretty(&limits(&robot, &filter))?);
        return Ok(());
    }
    let (Some(input), Some(output)) = (&args.input, &args.output) else {
        bail!("give --in and --out (`-` for standard input and output), or --limits");
    };
    let to_stdout = is_dash(output);
    if let (Ok(a), Ok(b)) = (input.canonicalize(), output.canonicalize())
        && a == b
        && a.is_file()
    {
        bail!(
            "--in and --out are the same file, {}: name another for the answers",
            input.display()
        );
    }
    let reader: Box<dyn Read> = if is_dash(input) {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(input).with_context(|| format!("{} cannot be read", input.display()))?)
    };
    let writer: Box<dyn Write> = if to_stdout {
        Box::new(std::io::stdout())
    } else {
        Box::new(
            File::create(output)
                .with_context(|| format!("{} cannot be written", output.display()))?,
        )
    };
    let mut server = Server::new(robot, settings);
    // Line by line: someone may be waiting at the other end of a pipe, and an interrupted run
    // leaves whole lines.
    let served = server.serve(BufReader::new(reader), LineWriter::new(writer));
    let summary = match served {
        Ok(summary) => summary,
        // The reader of the answers has gone.
        Err(error) if to_stdout && error.kind() == ErrorKind::BrokenPipe => return Ok(()),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("from {} to {}", input.display(), output.display()));
        }
    };
    let text = if args.json {
        serde_json::to_string(&summary)?
    } else {
        format!(
            "{} requests: {} accepted, {} modified, {} rejected, {} stopped, {} malformed",
            summary.requests,
            summary.accepted,
            summary.modified,
            summary.rejected,
            summary.stopped,
            summary.errors
        )
    };
    if to_stdout {
        eprintln!("{text}")
    } else {
        println!("{text}")
    }
    Ok(())
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}
