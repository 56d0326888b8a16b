//! `f1 inspect`: list a checkpoint's tensors and what is wrong with them.

use std::path::{Path, PathBuf};

use f1_model::{Config, PromptEncoder};
use f1_robot::statistics::StatisticsFile;

use crate::by_name;

/// Arguments of `f1 inspect`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A `.safetensors` file, a `model.safetensors.index.json`, a directory holding either, or a
    /// VAR tokenizer `.pth`.
    checkpoint: PathBuf,
    /// A configuration (file, directory, or preset: released, released-2, released-4, released-6,
    /// released-10, pi0) to compare names and shapes with; without it, the `config.json`
    /// beside the checkpoint when there is one.
    #[arg(long, value_name = "CONFIG")]
    against: Option<String>,
    /// Print one JSON object on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, and any fault of the checkpoint.
pub fn run(mut args: Args) -> anyhow::Result<()> {
    args.checkpoint = by_name::model_path(&args.checkpoint)?;
    let config = match &args.against {
        Some(name) if !PathBuf::from(name).exists() && !name.contains(['/', '.']) => {
            Some(Config::preset(name)?)
        }
        Some(path) => Some(Config::load(path.as_ref())?),
        None => {
            let folder = if args.checkpoint.is_dir() {
                Some(args.checkpoint.as_path())
            } else {
                args.checkpoint.parent()
            };
            let beside =
                folder.map(|folder| folder.join("config.json")).filter(|file| file.is_file());
            beside.map(|file| Config::load(&file)).transpose()?
        }
    };
    let inspection = f1_model::inspect::inspect(&args.checkpoint, config.as_ref())?;
    let companions = companion_faults(&args.checkpoint, config.as_ref());
    if args.json {
        let mut object = serde_json::to_value(&inspection)?;
        object["pass"] = (inspection.pass && companions.is_empty()).into();
        object["companions"] = companions.clone().into();
        println!("{object}");
    } else {
        for tensor in &inspection.tensors {
            let name = tensor
                .file_name
                .as_deref()
                .map(|name| format!("  (in the file: {name})"))
                .unwrap_or_default();
            println!(
                "{:5} {:20} {}{name}",
                tensor.dtype,
                format!("{:?}", tensor.shape),
                tensor.name
            );
        }
        println!();
        for (part, count) in &inspection.parameters {
            println!("{part:14} {:>14} parameters", count);
        }
        for (what, list) in [
            ("missing", &inspection.missing),
            ("extra", &inspection.extra),
            ("mis-shaped", &inspection.misshaped),
            ("not finite", &inspection.non_finite),
        ] {
            for name in list {
                println!("{what}: {name}");
            }
        }
        companions.iter().for_each(|fault| println!("{fault}"));
        if config.is_none() {
            println!("no configuration to compare with: give one with --against");
        }
    }
    anyhow::ensure!(inspection.pass, "the checkpoint is faulty");
    anyhow::ensure!(companions.is_empty(), "{}", companions.join("; "));
    Ok(())
}

/// What a robot needs beside the weights of a folder and does not find there.
fn companion_faults(checkpoint: &Path, config: Option<&Config>) -> Vec<String> {
    if !checkpoint.is_dir() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let (tokenizer, stats) = (checkpoint.join("tokenizer.json"), checkpoint.join("stats.json"));
    if !tokenizer.is_file() {
        faults.push(format!(
            "missing: {} (PaliGemma's: --tokenizer hf://google/paligemma-3b-pt-224)",
            tokenizer.display()
        ));
    } else if let Some(config) = config
        && let Err(fault) =
            PromptEncoder::load(&tokenizer, config.prompt_length, config.understanding.vocab_size)
    {
        faults.push(fault.to_string());
    }
    if !stats.is_file() {
        faults.push(format!("missing: {0} (f1 stats DATASET --output {0})", stats.display()));
    } else if let Err(fault) = StatisticsFile::load(&stats) {
        faults.push(fault.to_string());
    }
    faults
}
