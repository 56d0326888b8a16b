//! `f1 eval`: measure a checkpoint on a data set.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use f1_train::evaluate::{
    EvalSettings, Evaluator, Example, Report, Series, TAUS, correlation, scatter, sheet,
};
use f1_train::run_file::NormalisationName;

/// Arguments of `f1 eval`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Data set.
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
    /// Write a picture: rows of history, foreseen (orange), what came (green).
    #[arg(long)]
    sheet: Option<PathBuf>,
    /// Rows of the picture.
    #[arg(long, default_value_t = 8)]
    examples: usize,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(args: Args) -> anyhow::Result<()> {
    let normalisation: NormalisationName = serde_json::from_value(serde_json::json!(args.normalisation))
        .with_context(|| format!("--normalisation {}", args.normalisation))?;
    let mut reports = Vec::new();
    let mut last: Vec<Example> = Vec::new();
    for model in &args.model {
        let evaluator = Evaluator::open(EvalSettings {
            dataset: args.dataset.clone(),
            model: model.clone(),
            entry: args.entry.clone(),
            normalisation,
            cameras: args.cameras.clone(),
            history_camera: args.history_camera.clone(),
            samples: args.samples,
            batch: args.batch,
            seed: args.seed,
            examples: if args.sheet.is_some() { args.examples } else { 0 },
        })?;
        let (report, examples) = evaluator.run(|done, all| eprint!("\r{done}/{all} "))?;
        eprintln!();
        print!("{}", report.table());
        reports.push(report);
        last = examples;
    }
    let correlations = correlations(&reports);
    for (name, value) in &correlations {
        println!("correlation of token accuracy and {name} over {} checkpoints: {value:.3}", reports.len());
    }
    if let Some(path) = &args.json {
        let all = serde_json::json!({"reports": reports, "correlations": correlations});
        write(path, serde_json::to_string_pretty(&all)?.as_bytes())?;
    }
    if let Some(path) = &args.csv {
        let text: String = reports.iter().enumerate().map(|(index, report)| report.csv(index == 0)).collect();
        write(path, text.as_bytes())?;
    }
    if let Some(path) = &args.plot {
        write(path, plot(&reports).as_bytes())?;
    }
    if let Some(path) = &args.sheet {
        sheet(&last).save(path).with_context(|| path.display().to_string())?;
    }
    Ok(())
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
                .filter_map(|report| Some((*report.all.get("token_accuracy")?, *report.all.get(&name)?)))
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
    scatter(&format!("Foresight and action over {of}"), "image token accuracy", "action accuracy", &series)
}
