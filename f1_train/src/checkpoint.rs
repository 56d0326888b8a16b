//! Checkpoints of a run: the model in the reference layout, and beside it what resuming needs.
//!
//! A checkpoint is a folder, written under another name and renamed when it is whole: whatever
//! stops the machine, the newest folder named `step_*` is complete.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use f1_data::mixture::Position;
use f1_model::Config;
use f1_model::weights::Weights;
use f1_robot::statistics::StatisticsFile;
use safetensors::tensor::Metadata;
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
    /// Fingerprint of what must not change between two parts of a run.
    pub run: String,
    /// Samples of an update, on all ranks together.
    pub samples_per_update: u64,
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

/// Writes a whole checkpoint and removes all but the newest `keep`. `state` holds the trained
/// tensors in f32 (`value.*`), their moments (`moments.*`, `[2, elements]`) and averages
/// (`average.*`).
///
/// # Errors
/// When the disk refuses; older checkpoints are untouched then.
pub fn save(
    output: &Path,
    contents: &Contents<'_>,
    state: &HashMap<String, Tensor>,
    progress: &Progress,
    keep: usize,
) -> Result<PathBuf> {
    let all = folder(output);
    let target = all.join(format!("step_{:09}", progress.step));
    let partial = all.join(format!("step_{:09}.partial", progress.step));
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(TrainError::io(&partial))?;
    }
    if let Err(fault) = write_partial(&partial, contents, state, progress) {
        // A partial checkpoint only takes space on a full disk.
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
    state: &HashMap<String, Tensor>,
    progress: &Progress,
) -> Result<()> {
    write_model(partial, contents)?;
    let path = partial.join("optimizer.safetensors");
    candle_core::safetensors::save(state, &path)
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

/// Puts moments, values and averages of a checkpoint back: the parts that the slots own.
///
/// # Errors
/// When a tensor is missing or mis-shaped.
pub fn restore(
    checkpoint: &Path,
    optimizer: &mut Optimizer,
    averages: &mut HashMap<String, Tensor>,
) -> Result<()> {
    let mut state = StateFile::open(&checkpoint.join("optimizer.safetensors"))?;
    for slot in optimizer.slots_mut() {
        let device = slot.variable.device().clone();
        let (elements, owned) = (slot.variable.elem_count(), slot.owned.clone());
        let value = state.read(&format!("value.{}", slot.name), elements, 0..elements)?;
        slot.set_value(&Tensor::from_vec(value, elements, &device)?)?;
        let name = format!("moments.{}", slot.name);
        let mut moments = state.read(&name, 2 * elements, owned.clone())?;
        let second = elements + owned.start..elements + owned.end;
        moments.extend(state.read(&name, 2 * elements, second)?);
        slot.moments = Tensor::from_vec(moments, (2, owned.len()), &device)?;
        if let Some(average) = averages.get_mut(&slot.name) {
            let part = state.read(&format!("average.{}", slot.name), elements, owned)?;
            *average = Tensor::from_vec(part, average.shape(), &device)?;
        }
    }
    Ok(())
}

/// A safetensors file of f32 of which parts of tensors are read: with its share of the optimizer's
/// state, a rank does not read the rest.
struct StateFile {
    path: PathBuf,
    file: fs::File,
    metadata: Metadata,
    /// Where the tensors begin.
    start: u64,
}

impl StateFile {
    fn open(path: &Path) -> Result<Self> {
        let mut file = fs::File::open(path).map_err(TrainError::io(path))?;
        let mut header = vec![0; 8];
        file.read_exact(&mut header).map_err(TrainError::io(path))?;
        let length = u64::from_le_bytes(header[..8].try_into().unwrap_or_default());
        let longest = file.metadata().map_err(TrainError::io(path))?.len();
        header.resize(8 + length.min(longest) as usize, 0);
        file.read_exact(&mut header[8..]).map_err(TrainError::io(path))?;
        let metadata = serde_json::from_slice(&header[8..])
            .map_err(|fault| TrainError::Stopped(format!("{}: {fault}", path.display())))?;
        Ok(Self { path: path.to_path_buf(), file, metadata, start: 8 + length })
    }

    /// Elements `range` of a flattened tensor that has `elements` of them.
    fn read(&mut self, name: &str, elements: usize, range: Range<usize>) -> Result<Vec<f32>> {
        let info = self.metadata.info(name).filter(|info| {
            info.dtype == safetensors::Dtype::F32
                && info.shape.iter().product::<usize>() == elements
        });
        let Some(info) = info else {
            return Err(TrainError::Stopped(format!(
                "{}: no tensor `{name}` of {elements} elements; the run file has changed",
                self.path.display()
            )));
        };
        let begin = self.start + (info.data_offsets.0 + 4 * range.start) as u64;
        let mut values = vec![0.0f32; range.len()];
        self.file
            .seek(SeekFrom::Start(begin))
            .and_then(|_| self.file.read_exact(bytemuck::cast_slice_mut(&mut values)))
            .map_err(TrainError::io(&self.path))?;
        Ok(values)
    }
}
