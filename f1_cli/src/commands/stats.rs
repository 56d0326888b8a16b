//! `f1 stats`: compute normalisation statistics of a data set.

use std::path::PathBuf;

use anyhow::Context as _;
use candle_core::Device;
use f1_data::lerobot::{Columns, Dataset};
use f1_data::statistics::{TurnJumps, of_dataset, share_outside};
use f1_model::{Config, PromptEncoder, check_tasks};
use f1_robot::statistics::{MIN_SPREAD, StatisticsFile, VectorStatistics};
use f1_train::{Launch, Ranks};

use crate::by_name;
use f1_robot::{Circles, Robot, share};

/// Arguments of `f1 stats`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Data sets.
    #[arg(required = true)]
    datasets: Vec<PathBuf>,
    /// Name of each data set's entry; the folder's name without it.
    #[arg(long)]
    name: Vec<String>,
    /// Write (or extend) this stats.json.
    #[arg(long)]
    output: Option<PathBuf>,
    /// A shipped robot's name or a robot file: angles of its joints that turn without end are
    /// brought to one turn, as the policy has them.
    #[arg(long)]
    robot: Option<String>,
    /// With --robot: actions are set-points where the robot's layout has changes of joints, as in
    /// data sets of `f1 convert`; a run file's `delta_actions` makes the differences.
    #[arg(long, requires = "robot")]
    delta_actions: bool,
    /// A shipped model's name, or a folder with config.json and tokenizer.json: its tokenizer says
    /// which instructions are longer than the model reads.
    #[arg(long)]
    model: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, with what to do about it.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Some(launch) = Launch::from_environment()? else { return compute(&args, None) };
    let ranks = Ranks::connect(&launch, &Device::Cpu)?;
    match compute(&args, Some(&ranks)) {
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

/// State and action of every frame of a data set, in order, by columns.
type Rows = (Vec<Vec<f32>>, Vec<Vec<f32>>);

/// Reads a data set; of several ranks each reads its part of the episodes, and all get all rows.
fn rows(
    dataset: &Dataset,
    circles: Option<&Circles>,
    ranks: Option<&Ranks>,
) -> anyhow::Result<Rows> {
    let columns = Columns { circles: circles.cloned(), ..Columns::usual(&[]) };
    let (rank, size) = ranks.map_or((0, 1), |ranks| (ranks.rank(), ranks.size()));
    let (mut state, mut action) = (Vec::new(), Vec::new());
    for episode in dataset.episodes().iter().skip(rank).step_by(size) {
        let table = dataset.read_episode(episode.index, &columns)?;
        state.extend(table.state);
        action.extend(table.action);
    }
    let Some(ranks) = ranks else { return Ok((state, action)) };
    let in_order = |own: &[Vec<f32>]| -> anyhow::Result<Vec<Vec<f32>>> {
        let mut parts: Vec<_> = ranks.gather_rows(own)?.into_iter().map(Vec::into_iter).collect();
        let episodes = dataset.episodes().iter().enumerate();
        Ok(episodes
            .flat_map(|(index, episode)| {
                parts[index % size].by_ref().take(episode.length).collect::<Vec<_>>()
            })
            .collect())
    };
    Ok((in_order(&state)?, in_order(&action)?))
}

fn compute(args: &Args, ranks: Option<&Ranks>) -> anyhow::Result<()> {
    // Rank 0 reports for all.
    let reports = ranks.is_none_or(|ranks| ranks.rank() == 0);
    let mut file = match &args.output {
        Some(path) if path.exists() => StatisticsFile::load(path)?,
        _ => StatisticsFile::default(),
    };
    let encoder = args.model.as_deref().map(prompt_encoder).transpose()?;
    let circles = match &args.robot {
        Some(robot) => {
            let circles = Robot::load(&share::robot_file(robot)?)?.circles();
            Some(if args.delta_actions { circles.of_set_points() } else { circles })
        }
        None => None,
    };
    let mut entries = Vec::new();
    for (index, path) in args.datasets.iter().enumerate() {
        let dataset = Dataset::open(by_name::dataset(path)?)?;
        let folder = path
            .file_name()
            .map_or_else(|| "dataset".into(), |name| name.to_string_lossy().into_owned());
        let name = args.name.get(index).cloned().unwrap_or(folder);
        check_widths(&dataset, circles.as_ref())?;
        let (state, action) = rows(&dataset, circles.as_ref(), ranks)?;
        if !reports {
            continue;
        }
        let entry = of_dataset(&state, &action);
        let info = dataset.info();
        println!(
            "{name}: {} episodes, {} frames at {} Hz, {} tasks, layout {}",
            info.total_episodes,
            info.total_frames,
            info.fps,
            dataset.tasks().len(),
            info.codebase_version
        );
        if let Some(missing) = dataset.missing_episodes() {
            println!("  no episode {missing}: the others keep their numbers");
        }
        if let Some(encoder) = &encoder {
            let checked = check_tasks(encoder, dataset.tasks().iter())
                .with_context(|| path.display().to_string())?;
            let (long, all) = (checked.warnings.len(), dataset.tasks().len());
            println!("  {long} of {all} instructions are longer than the model reads");
            checked.warnings.iter().for_each(|warning| println!("    {warning}"));
        }
        if let Some(warning) = jumps(&dataset, &state).filter(|_| circles.is_none()) {
            println!("  {warning}: give --robot");
        }
        for (feature, rows, statistics) in
            [("observation.state", &state, &entry.state), ("action", &action, &entry.action)]
        {
            let names = info.feature(path, feature)?.dimension_names();
            table(feature, names.as_deref(), rows, statistics);
        }
        entry.check(info.state_dim(), info.action_dim())?;
        entries.push(entry.clone());
        file.entries.insert(name, entry);
    }
    if !reports {
        return Ok(());
    }
    if entries.len() > 1
        && entries.iter().all(|entry| entry.state.dims() == entries[0].state.dims())
    {
        let all = f1_data::statistics::aggregate_datasets(&entries);
        println!(
            "all {} data sets: {} frames",
            entries.len(),
            all.state.count.first().copied().unwrap_or(0)
        );
    }
    match &args.output {
        Some(path) => {
            file.save(path)?;
            println!("{}", path.display());
        }
        None => println!("{}", serde_json::to_string_pretty(&file)?),
    }
    Ok(())
}

/// Refuses a robot whose vectors are not those of the data set.
fn check_widths(dataset: &Dataset, circles: Option<&Circles>) -> anyhow::Result<()> {
    let Some((state, action)) = circles.map(Circles::widths) else { return Ok(()) };
    let (own_state, own_action) = (dataset.info().state_dim(), dataset.info().action_dim());
    anyhow::ensure!(
        (state, action) == (own_state, own_action),
        "{}: state and action have {own_state} and {own_action} entries, those of the robot \
         {state} and {action}",
        dataset.root().display()
    );
    Ok(())
}

/// What is said of states that jump by a turn.
fn jumps(dataset: &Dataset, state: &[Vec<f32>]) -> Option<String> {
    let (mut jumps, mut rest) = (TurnJumps::default(), state);
    for episode in dataset.episodes() {
        let (rows, others) = rest.split_at_checked(episode.length)?;
        jumps.count(rows);
        rest = others;
    }
    jumps.warning()
}

/// The prompt encoder of a model.
fn prompt_encoder(model: &str) -> anyhow::Result<PromptEncoder> {
    let folder = by_name::model(model)?;
    let config = Config::load(&folder)?;
    let path = folder.join("tokenizer.json");
    Ok(PromptEncoder::load(&path, config.prompt_length, config.understanding.vocab_size)?)
}

fn table(
    feature: &str,
    names: Option<&[String]>,
    rows: &[Vec<f32>],
    statistics: &VectorStatistics,
) {
    println!(
        "{feature:<24}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}{:>9}",
        "mean", "std", "min", "max", "q01", "q99", "outside"
    );
    let outside = share_outside(rows, statistics);
    for (dim, outside) in outside.iter().enumerate().take(statistics.dims()) {
        let name =
            names.and_then(|names| names.get(dim)).cloned().unwrap_or_else(|| format!("[{dim}]"));
        println!(
            "  {name:<22}{:>11.4}{:>11.4}{:>11.4}{:>11.4}{:>11.4}{:>11.4}{:>8.1}%{}",
            statistics.mean[dim],
            statistics.std[dim],
            statistics.min[dim],
            statistics.max[dim],
            statistics.q01[dim],
            statistics.q99[dim],
            100.0 * outside,
            if statistics.std[dim] < MIN_SPREAD {
                "  never moves: list it in ignored_state or ignored_action"
            } else {
                ""
            }
        );
    }
}
