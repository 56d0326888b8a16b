//! Proof: the network against numbers of the reference, tensor by tensor.
//!
//! A golden directory holds `config.json` or `f1_config.json`, `model.safetensors`,
//! `inputs.safetensors`, `outputs.safetensors`, `meta.json`, and optionally bf16 outputs, outputs
//! without the world model and a training trace. Every size is read from it. A parent may also hold
//! `utils/` and `vae_debug/`. Tensors that are not compared are counted and listed.

mod bf16;
mod compare;
mod files;
mod inference;
mod inputs;
mod layout;
mod pi0;
mod report;
mod stages;
#[cfg(test)]
mod tests;
mod trace;
mod utils;
mod vae;

use std::path::{Path, PathBuf};

use candle_core::Device;

use compare::Comparison;
use f1_model::{Error, Quant, Result};
use files::GoldenDir;
pub use report::{Family, Report};

/// Runs everything in a golden directory, or in the golden directories below a parent.
///
/// ```no_run
/// let report = f1_verify::verify("tests/goldens".as_ref())?;
/// println!("{} of {} families", report.families.iter().filter(|family| family.pass).count(),
///     report.families.len());
/// # Ok::<(), f1_model::Error>(())
/// ```
///
/// # Errors
/// The directory holds nothing to compare, or a file in it cannot be used. A wrong number is not an
/// error but a failed verdict.
pub fn verify(dir: &Path) -> Result<Report> {
    verify_on(dir, &Device::Cpu)
}

/// Least absolute tolerance in f32 on a GPU, which sums in another order.
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
        bf16::run(&golden, &mut comparison)?;
        pi0::run(&golden, &mut comparison)?;
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

/// Relative RMS error of a quantised model's actions in a golden directory, given the directory's
/// foresight tokens.
///
/// # Errors
/// The directory cannot be used.
pub fn quantisation_error(dir: &Path, quant: Quant) -> Result<f64> {
    inference::quantisation_error(&GoldenDir::open(dir, &Device::Cpu)?, quant)
}

/// Whether a directory is meant as a golden one; [`GoldenDir::open`] reports the files it lacks.
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
