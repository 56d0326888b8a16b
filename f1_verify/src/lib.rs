//! Proof: the network against numbers of the reference, tensor by tensor.

//!
//! A golden directory holds `config.json` or `f1_config.json`, `model.safetensors`,
//! `inputs.safetensors`, `outputs.safetensors`, `meta.json`, and optionally bf16 outputs, outputs
//! without the world model and a training trace. Every size is read from it. A parent may also hold
//! `utils/` and `vae_debug/`. What is not compared is counted, never passed.

mod compare;
mod files;
mod inference;
mod inputs;
mod stages;
#[cfg(test)]
mod tests;
mod trace;
mod utils;
mod vae;

use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::Serialize;

pub use compare::Comparison;
use f1_model::{Error, Quant, Result};
use files::GoldenDir;

/// Verdict on one family of tensors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// Name, digits replaced by `#`.
    pub name: String,
    /// Largest error; relative to the tensor's maximum in families of gradients.
    pub max_abs_err: f64,
    /// Largest error allowed.
    pub tolerance: f64,
    /// Whether every tensor of the family is within its tolerance.
    pub pass: bool,
    /// Tensors compared.
    pub tensors: usize,
}

/// Verdict on a directory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Whether every family passes and something was compared.
    pub pass: bool,
    /// Tensors compared.
    pub compared: usize,
    /// Tensors in the files that were not compared.
    pub not_compared: usize,
    /// Families, sorted by name.
    pub families: Vec<Family>,
    /// Names of the tensors not compared.
    pub left: Vec<String>,
}

/// Runs everything in a golden directory, or in the golden directories below a parent.
///
/// # Errors
/// The directory holds nothing to compare, or a file in it cannot be used. A number that is off is
/// no error but a failed verdict.
pub fn verify(dir: &Path) -> Result<Report> {
    verify_on(dir, &Device::Cpu)
}

/// Absolute tolerances in f32 on a GPU, whose sums have another order.
const GPU: f64 = 1e-3;

/// As [`verify`] with the network on `device`; on a GPU no absolute tolerance is below 1e-3.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(dir: &Path, device: &Device) -> Result<Report> {
    if dir.is_file() {
        return Err(Error::input(format!(
            "{}: a file; give the directory that holds it",
            dir.display()
        )));
    }
    let mut comparison = Comparison::at_least(if device.is_cpu() { 0.0 } else { GPU });
    let mut directories = Vec::new();
    if is_golden(dir) {
        directories.push(dir.to_path_buf());
    } else {
        directories.extend(subdirectories(dir)?.into_iter().filter(|path| is_golden(path)));
    }
    let prefixed = directories.len() > 1;
    for path in &directories {
        if prefixed {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            comparison.set_group(format!("{name}/"));
        }
        let golden = GoldenDir::open(path, device)?;
        inference::run(&golden, &mut comparison)?;
        stages::run(&golden, &mut comparison)?;
        trace::run(&golden, &mut comparison)?;
    }
    comparison.set_group(String::new());
    let utils = dir.join("utils");
    if utils.join("utils.safetensors").is_file() {
        utils::run(&utils, &mut comparison)?;
    }
    let debug = dir.join("vae_debug");
    if debug.join("activations.safetensors").is_file() {
        vae::run(&debug, &directories, device, &mut comparison)?;
    }
    if dir.join("utils.safetensors").is_file() {
        utils::run(dir, &mut comparison)?;
    }
    let report = comparison.finish();
    if report.compared == 0 {
        return Err(Error::input(format!(
            "{}: nothing to compare: no golden directory (inputs, outputs, model and meta.json), no utils, no vae_debug",
            dir.display()
        )));
    }
    Ok(report)
}

/// Relative RMS error of a quantised model's actions in a golden directory, its foresight tokens
/// held fixed.
///
/// # Errors
/// The directory cannot be used.
pub fn quantisation_error(dir: &Path, quant: Quant) -> Result<f64> {
    inference::quantisation_error(&GoldenDir::open(dir, &Device::Cpu)?, quant)
}

/// Whether a directory means to be a golden one; what it lacks is then an error of
/// [`GoldenDir::open`].
fn is_golden(path: &Path) -> bool {
    let has = |name: &str| path.join(name).is_file();
    has("inputs.safetensors")
        || has("outputs.safetensors")
        || has("meta.json") && has("model.safetensors")
}

fn subdirectories(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(|source| Error::io(dir, source))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    paths.sort();
    Ok(paths)
}
