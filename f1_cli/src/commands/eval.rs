//! `f1 eval`: measure a checkpoint on a data set.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use f1_eval::{
    EvalSettings, Evaluator, Example, Judge, Report, Series, TAUS, Verdict, correlation, scatter,
    sheet,
};
use f1_train::RunFile;
use f1_train::run_file::{NormalisationName, SourceSection};

use crate::by_name;

/// A root mean square error of actions, in normalised units, that no model of these actions has.
const FAR: f64 = 5.0;

/// Arguments of `f1 eval`.
#[derive(clap::Args, Debug)]
#[command(override_usage = "f1 eval <DATASET> --model <MODEL>... [OPTIONS]")]
pub struct Args {
    /// Data set; stands before the options, because --model and --cameras take several values.
    dataset: PathBuf,
    /// Checkpoint folder; several give the correlation of foresight and action over them.
    #[arg(long, required = true, num_args = 1..)]
    model: Vec<PathBuf>,
    /// Entry of the checkpoint's stats.json, when it has several.
    #[arg(long)]
    entry: Option<String>,
    /// Normalisation the model was trained with: mean_std, min_max, quantile or none.
    #[arg(long, default_value = "mean_std")]
    normalisation: String,
    /// The model was trained on differences of actions.
    #[arg(long)]
    delta_actions: bool,
    /// Read the data set as this run file does its source (the one named by --entry, when it has
    /// several): columns, cameras, normalisation, differences.
    #[arg(long, value_name = "RUN.yaml", conflicts_with_all = ["normalisation", "delta_actions"])]
    run: Option<PathBuf>,
    /// Cameras of the understanding expert, in order; all of them without it.
    #[arg(long, num_args = 1..)]
    cameras: Option<Vec<String>>,
    /// Camera of history and foresight; the first without it.
    #[arg(long)]
    history_camera: Option<String>,
    /// Samples measured.
    #[arg(long, default_value_t = 256)]
    samples: usize,
    /// Samples a batch.
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Seed of the choice of samples and of the noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write all numbers as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write all numbers as CSV.
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Draw action accuracy over token accuracy (SVG): a point a task, or a point a checkpoint.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Write an image: rows of history, foreseen (orange), true image (green).
    #[arg(long)]
    sheet: Option<PathBuf>,
    /// Rows of the image, and examples the judge sees.
    #[arg(long, default_value_t = 8)]
    examples: usize,
    /// Ask an OpenAI-compatible vision endpoint (http://host:port) for the paper's three scores of
    /// the last checkpoint; a key is read from F1_JUDGE_KEY.
    #[arg(long, value_name = "URL")]
    judge: Option<String>,
    /// Model the endpoint is asked for.
    #[arg(long, default_value = "Qwen/Qwen2.5-VL-32B-Instruct")]
    judge_model: String,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, with what to do about it.
pub fn run(args: Args) -> anyhow::Result<()> {
    let normalisation: NormalisationName =
        serde_json::from_value(serde_json::json!(args.normalisation))
            .with_context(|| format!("--normalisation {}", args.normalisation))?;
    let source = match &args.run {
        Some(path) => Some(source_of(path, args.entry.as_deref())?),
        None => None,
    };
    let images = args.sheet.is_some() || args.judge.is_some();
    let mut reports = Vec::new();
    let mut last: Vec<Example> = Vec::new();
    let dataset = by_name::dataset(&args.dataset)?;
    for model in &args.model {
        let model = by_name::model_path(model)?;
        let evaluator = Evaluator::open(EvalSettings {
            dataset: dataset.clone(),
            model,
            entry: args.entry.clone(),
            normalisation,
            cameras: args.cameras.clone(),
            history_camera: args.history_camera.clone(),
            delta_actions: args.delta_actions,
            source: source.clone(),
            samples: args.samples,
            batch: args.batch,
            seed: args.seed,
            examples: if images { args.examples } else { 0 },
        })?;
        let (report, examples) = evaluator.run(|done, all| eprint!("\r{done}/{all} "))?;
        eprintln!();
        print!("{}", report.table());
        if let Some(error) = report.all.get("action_rmse").filter(|error| **error > FAR) {
            eprintln!(
                "the actions are {error:.1} deviations from the model's: it seems to have been trained on others; see \
                 --run, --delta-actions and --normalisation"
            );
        }
        reports.push(report);
        last = examples;
    }
    let correlations = correlations(&reports);
    for (name, value) in &correlations {
        println!(
            "correlation of token accuracy and {name} over {} checkpoints: {value:.3}",
            reports.len()
        );
    }
    // A judge that fails must not cost what was measured: its fault is reported once everything
    // else is written.
    let mut verdicts = Vec::new();
    let judged = match &args.judge {
        Some(url) => judge(url, &args.judge_model, &last, &mut verdicts),
        None => Ok(()),
    };
    if let Some(path) = &args.json {
        let all = serde_json::json!({"reports": reports, "correlations": correlations, "judge": verdicts});
        write(path, serde_json::to_string_pretty(&all)?.as_bytes())?;
    }
    if let Some(path) = &args.csv {
        let text: String =
            reports.iter().enumerate().map(|(index, report)| report.csv(index == 0)).collect();
        write(path, text.as_bytes())?;
    }
    if let Some(path) = &args.plot {
        write(path, plot(&reports).as_bytes())?;
    }
    if let Some(path) = &args.sheet {
        sheet(&last).save(path).with_context(|| path.display().to_string())?;
    }
    judged
}

/// Has the examples judged and prints the share of each score.
fn judge(
    url: &str,
    model: &str,
    examples: &[Example],
    verdicts: &mut Vec<Verdict>,
) -> anyhow::Result<()> {
    if examples.is_empty() {
        anyhow::bail!(
            "--judge: there is no foresight to judge (--examples 0, or a checkpoint without foresight)"
        );
    }
    let judge = Judge::new(url, model, std::env::var("F1_JUDGE_KEY").ok());
    for (index, example) in examples.iter().enumerate() {
        eprint!("\rjudged {index}/{} ", examples.len());
        let verdict = judge
            .score(example)
            .with_context(|| format!("example {} of {}", index + 1, examples.len()))?;
        verdicts.push(verdict);
    }
    eprintln!();
    let share = |pick: fn(&Verdict) -> bool| {
        verdicts.iter().filter(|verdict| pick(verdict)).count() as f64 / verdicts.len() as f64
    };
    println!(
        "judge ({} examples): scene {:.2}, object {:.2}, progress {:.2}",
        verdicts.len(),
        share(|verdict| verdict.scene),
        share(|verdict| verdict.object),
        share(|verdict| verdict.progress)
    );
    Ok(())
}

/// How a run file reads its source.
fn source_of(path: &Path, entry: Option<&str>) -> anyhow::Result<SourceSection> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    // The data set's own path is not needed, so that the variables it is made of need not be set.
    let known = |name: &str| Some(std::env::var(name).unwrap_or_else(|_| name.to_lowercase()));
    let mut sources =
        RunFile::parse_with(&text, &path.display().to_string(), &[], known)?.data.sources;
    let names: Vec<String> = sources.keys().cloned().collect();
    let name = match (entry, names.as_slice()) {
        (Some(entry), _) => entry.to_owned(),
        (None, [only]) => only.clone(),
        _ => anyhow::bail!(
            "{} has several sources ({}): choose one with --entry",
            path.display(),
            names.join(", ")
        ),
    };
    sources.remove(&name).with_context(|| {
        format!("{} has no source `{name}`; there are {}", path.display(), names.join(", "))
    })
}

fn write(path: &PathBuf, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

fn correlations(reports: &[Report]) -> Vec<(String, f64)> {
    TAUS.iter()
        .filter_map(|tau| {
            let name = format!("action_accuracy_{tau}");
            let pairs: Vec<(f64, f64)> = reports
                .iter()
                .filter_map(|report| {
                    Some((*report.all.get("token_accuracy")?, *report.all.get(&name)?))
                })
                .collect();
            Some((name, correlation(&pairs)?))
        })
        .collect()
}

/// Figure 10 of the paper: action accuracy over token accuracy.
fn plot(reports: &[Report]) -> String {
    let point = |values: &std::collections::BTreeMap<String, f64>, name: &str| {
        Some((*values.get("token_accuracy")?, *values.get(name)?))
    };
    let series: Vec<Series> = TAUS
        .iter()
        .map(|tau| {
            let name = format!("action_accuracy_{tau}");
            let points = match reports {
                [only] => only.tasks.values().filter_map(|values| point(values, &name)).collect(),
                many => many.iter().filter_map(|report| point(&report.all, &name)).collect(),
            };
            Series { name: format!("tau {tau}"), points }
        })
        .collect();
    let of = if reports.len() == 1 { "tasks" } else { "checkpoints" };
    scatter(
        &format!("Foresight and action over {of}"),
        "image token accuracy",
        "action accuracy",
        &series,
    )
}
