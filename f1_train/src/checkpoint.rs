//! Checkpoints of a run: the model in the reference layout, and beside it what resuming needs.
//!
//! A checkpoint is a folder, written under another name and renamed when it is whole: whatever
//! stops the machine, the newest folder with its proper name is complete.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use f1_data::mixture::Position;
use f1_model::Config;
use f1_model::weights::Weights;
use f1_robot::statistics::StatisticsFile;
use serde::{Deserialize, Serialize};

use crate::optimizer::Optimizer;
use crate::{Result, TrainError};

/// Where a run stands, beside tensors. Everything random is drawn from the seed and these numbers,
/// so no generator has a state of its own to save.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Updates attempted.
    pub step: u64,
    /// Updates made: fewer when some had no finite gradient.
    pub updates: u64,
    /// Where the data order stands.
    pub position: Position,
    /// Tokenizer training: uses of each code since dead ones were last replaced.
    #[serde(default)]
    pub code_uses: Vec<u64>,
    /// Seed of the run.
    pub seed: u64,
    /// Fingerprint of what must not change between halves of a run.
    pub run: String,
}

/// What goes into a checkpoint.
pub struct Contents<'a> {
    /// Configuration of the model.
    pub config: &'a Config,
    /// Weights in f32.
    pub weights: Weights,
    /// Averaged weights.
    pub average: Option<Weights>,
    /// Statistics of the data sets.
    pub statistics: &'a StatisticsFile,
    /// `tokenizer.json` to copy beside the weights.
    pub prompt_tokenizer: Option<&'a Path>,
}

/// Writes the model's files into `folder`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_model(folder: &Path, contents: &Contents<'_>) -> Result<()> {
    fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
    f1_model::checkpoint::save_with_weights(
        folder,
        contents.config,
        &contents.weights,
        DType::F32,
    )?;
    write_beside(folder, contents)?;
    if let Some(average) = &contents.average {
        let folder = folder.join("average");
        fs::create_dir_all(&folder).map_err(TrainError::io(&folder))?;
        f1_model::checkpoint::save_with_weights(&folder, contents.config, average, DType::F32)?;
        write_beside(&folder, contents)?;
    }
    Ok(())
}

fn write_beside(folder: &Path, contents: &Contents<'_>) -> Result<()> {
    if !contents.statistics.entries.is_empty() {
        contents.statistics.save(&folder.join("stats.json"))?;
    }
    if let Some(tokenizer) = contents.prompt_tokenizer {
        let target = folder.join("tokenizer.json");
        fs::copy(tokenizer, &target).map_err(TrainError::io(&target))?;
    }
    Ok(())
}

/// Folder of all checkpoints of a run.
#[must_use]
pub fn folder(output: &Path) -> PathBuf {
    output.join("checkpoints")
}

/// Writes a whole checkpoint and removes all but the newest `keep`.
///
/// # Errors
/// When the disk refuses; older checkpoints are untouched then.
pub fn save(
    output: &Path,
    contents: &Contents<'_>,
    optimizer: &Optimizer,
    averages: &HashMap<String, Tensor>,
    progress: &Progress,
    keep: usize,
) -> Result<PathBuf> {
    let all = folder(output);
    let target = all.join(format!("step_{:09}", progress.step));
    let partial = all.join(format!("step_{:09}.partial", progress.step));
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(TrainError::io(&partial))?;
    }
    if let Err(fault) = write_partial(&partial, contents, optimizer, averages, progress) {
        // On a full disk half a checkpoint would only be in the way.
        let _ = fs::remove_dir_all(&partial);
        return Err(fault);
    }
    if target.exists() {
        fs::remove_dir_all(&target).map_err(TrainError::io(&target))?;
    }
    fs::rename(&partial, &target).map_err(TrainError::io(&target))?;
    flush(&all)?;
    for old in list(output)?.iter().rev().skip(keep) {
        fs::remove_dir_all(old).map_err(TrainError::io(old))?;
    }
    Ok(target)
}

fn write_partial(
    partial: &Path,
    contents: &Contents<'_>,
    optimizer: &Optimizer,
    averages: &HashMap<String, Tensor>,
    progress: &Progress,
) -> Result<()> {
    write_model(partial, contents)?;
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    for slot in optimizer.slots() {
        tensors.insert(format!("moments.{}", slot.name), slot.moments.clone());
        tensors.insert(format!("value.{}", slot.name), slot.value().clone());
    }
    for (name, average) in averages {
        tensors.insert(format!("average.{name}"), average.clone());
    }
    let path = partial.join("optimizer.safetensors");
    candle_core::safetensors::save(&tensors, &path)
        .map_err(|fault| TrainError::tensors(&path, fault))?;
    let path = partial.join("progress.json");
    let text = serde_json::to_string_pretty(progress)
        .map_err(|fault| TrainError::Stopped(fault.to_string()))?;
    fs::write(&path, text).map_err(TrainError::io(&path))?;
    flush(partial)
}

/// Asks the operating system to bring a folder's files to the disk.
fn flush(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(TrainError::io(folder))? {
        let path = entry.map_err(TrainError::io(folder))?.path();
        if path.is_file() {
            fs::File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(TrainError::io(&path))?;
        }
    }
    Ok(())
}

/// Whole checkpoints of a run, oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(output: &Path) -> Result<Vec<PathBuf>> {
    let all = folder(output);
    if !all.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&all).map_err(TrainError::io(&all))? {
        let path = entry.map_err(TrainError::io(&all))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.starts_with("step_") && !name.ends_with(".partial") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads where a checkpoint stands.
///
/// # Errors
/// When the file is missing or damaged.
pub fn progress(checkpoint: &Path) -> Result<Progress> {
    let path = checkpoint.join("progress.json");
    let text = fs::read_to_string(&path).map_err(TrainError::io(&path))?;
    serde_json::from_str(&text)
        .map_err(|fault| TrainError::Stopped(format!("{}: {fault}", path.display())))
}

/// Puts moments, values and averages of a checkpoint back.
///
/// # Errors
/// When a tensor is missing or mis-shaped.
pub fn restore(
    checkpoint: &Path,
    optimizer: &mut Optimizer,
    averages: &mut HashMap<String, Tensor>,
    device: &Device,
) -> Result<()> {
    let path = checkpoint.join("optimizer.safetensors");
    let tensors = candle_core::safetensors::load(&path, device)?;
    let find = |name: String| {
        tensors.get(&name).cloned().ok_or_else(|| {
            TrainError::Stopped(format!(
                "{}: no tensor `{name}`; the run file has changed",
                path.display()
            ))
        })
    };
    for slot in optimizer.slots_mut() {
        slot.moments = find(format!("moments.{}", slot.name))?;
        let value = find(format!("value.{}", slot.name))?;
        match &slot.master {
            Some(master) => {
                master.set(&value)?;
                slot.variable.set(&value.to_dtype(slot.variable.dtype())?)?;
            }
            None => slot.variable.set(&value)?,
        }
    }
    for (name, average) in averages.iter_mut() {
        *average = find(format!("average.{name}"))?;
    }
    Ok(())
}
