//! `f1 inspect`: list a checkpoint's tensors and what is wrong with them.

use std::path::PathBuf;

use f1_model::Config;

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
pub fn run(args: Args) -> anyhow::Result<()> {
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
    if args.json {
        println!("{}", serde_json::to_string(&inspection)?);
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
        if config.is_none() {
            println!("no configuration to compare with: give one with --against");
        }
    }
    anyhow::ensure!(inspection.pass, "the checkpoint is faulty");
    Ok(())
}
