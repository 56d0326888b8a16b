//! Checkpoints under official names: memory-mapped, strictly checked, and written so that the
//! reference code can read them.

mod group;
mod header;
mod map;
mod names;
mod pth;
mod save;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};

pub use group::load_group;
pub use header::FileTensor;
pub use pth::load_var_tokenizer;
pub(crate) use pth::read_pickle;
pub use save::{save, save_with_weights};

use crate::config::Config;
use crate::parameters::{Kind, ParameterSpec, parameters};
use crate::weights::{Weights, initial_tensor};
use crate::{Error, Result};
use map::MappedFile;

/// The report of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors read.
    pub loaded: usize,
    /// Tensors missing in the file and initialised instead, sorted.
    pub initialised: Vec<String>,
    /// Tensors of the file that are not used: unused heads, other tools' buffers, parts that the
    /// configuration leaves out.
    pub ignored: Vec<String>,
}

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct LoadPrecision {
    /// With BF16, tensors that are bf16 in the published files are bf16, the others f32; with F32
    /// all are f32.
    pub dtype: DType,
    /// Initialise missing tensors instead of refusing the file.
    pub allow_missing: bool,
}

impl Default for LoadPrecision {
    fn default() -> Self {
        Self { dtype: DType::F32, allow_missing: false }
    }
}

/// One or several safetensors files with one set of names.
pub struct CheckpointFiles {
    path: PathBuf,
    files: Vec<MappedFile>,
    /// File index and tensor by official name.
    tensors: BTreeMap<String, (usize, FileTensor)>,
}

impl CheckpointFiles {
    /// Opens a `.safetensors` file, a `model.safetensors.index.json`, or a directory holding
    /// either.
    ///
    /// # Errors
    /// A file is missing or truncated, or its header is wrong; every fault is listed.
    pub fn open(path: &Path) -> Result<Self> {
        let located = locate(path)?;
        let paths = if located.extension().is_some_and(|extension| extension == "json") {
            shards(&located)?
        } else {
            vec![located.clone()]
        };
        let mut files = Vec::new();
        let mut tensors: BTreeMap<String, (usize, FileTensor)> = BTreeMap::new();
        let mut faults = Vec::new();
        for path in paths {
            let file = MappedFile::open(&path)?;
            match header::read(&file) {
                Ok(found) => {
                    for tensor in found {
                        let name = names::official(&tensor.name);
                        let index = files.len();
                        if let Some((_, old)) = tensors.get(&name) {
                            // The two names of a tied tensor may both be saved; they hold the same
                            // values.
                            if old.shape != tensor.shape {
                                faults.push(format!(
                                    "{} and {} are one tensor, with shapes {:?} and {:?}",
                                    old.name, tensor.name, old.shape, tensor.shape
                                ));
                            }
                            continue;
                        }
                        tensors.insert(name, (index, tensor));
                    }
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| named(&file, &fault))),
            }
            files.push(file);
        }
        if faults.is_empty() {
            Ok(Self { path: located, files, tensors })
        } else {
            Err(Error::Checkpoint { path: located, faults })
        }
    }

    /// The official name of a name found in a file.
    pub fn official(name: &str) -> String {
        names::official(name)
    }

    /// Whether a name belongs to another tool and is not used here.
    pub fn is_foreign(name: &str) -> bool {
        names::foreign(name)
    }

    /// Official names and their tensors in the files, sorted.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &FileTensor)> {
        self.tensors.iter().map(|(name, (_, tensor))| (name.as_str(), tensor))
    }

    /// The file or index this was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a tensor holds a value that is not a finite number; integers are always finite.
    pub fn is_finite(&self, name: &str) -> bool {
        let Some((index, tensor)) = self.tensors.get(name) else { return true };
        let Some(file) = self.files.get(*index) else { return true };
        let mut finite = true;
        let size = header::element_size(&tensor.dtype).unwrap_or(1);
        file.read(tensor.start, tensor.end, size, |bytes| {
            finite &= match tensor.dtype.as_str() {
                "F32" => bytes
                    .chunks_exact(4)
                    .all(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite()),
                "BF16" => {
                    bytes.chunks_exact(2).all(|b| bf16::from_le_bytes([b[0], b[1]]).is_finite())
                }
                "F16" => {
                    bytes.chunks_exact(2).all(|b| f16::from_le_bytes([b[0], b[1]]).is_finite())
                }
                "F64" => bytes.chunks_exact(8).all(|b| {
                    f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]).is_finite()
                }),
                _ => true,
            };
        });
        finite
    }

    /// Reads one tensor as `dtype` (F32, BF16 or I64).
    fn read(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Tensor, String> {
        let (index, tensor) = self.tensors.get(name).ok_or("missing")?;
        let file = self.files.get(*index).ok_or("missing")?;
        let count: usize = tensor.shape.iter().product();
        let size = header::element_size(&tensor.dtype).unwrap_or(1);
        let shape = tensor.shape.as_slice();
        let made = match (dtype, tensor.dtype.as_str()) {
            (DType::I64, "I64") => {
                let mut values = Vec::with_capacity(count);
                file.read(tensor.start, tensor.end, size, |bytes| {
                    let parts = bytes.chunks_exact(8);
                    values.extend(parts.map(|b| {
                        i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
                    }));
                });
                Tensor::from_vec(values, shape, device)
            }
            (DType::BF16, "BF16") => {
                let mut values: Vec<bf16> = Vec::with_capacity(count);
                file.read(tensor.start, tensor.end, size, |bytes| {
                    values.extend(bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]])));
                });
                if values.iter().any(|value| !value.is_finite()) {
                    return Err("holds a value that is not finite".to_string());
                }
                Tensor::from_vec(values, shape, device)
            }
            (_, found @ ("F32" | "BF16" | "F16" | "F64")) => {
                let mut values: Vec<f32> = Vec::with_capacity(count);
                file.read(tensor.start, tensor.end, size, |bytes| widen(bytes, found, &mut values));
                if values.iter().any(|value| !value.is_finite()) {
                    return Err("holds a value that is not finite".to_string());
                }
                Tensor::from_vec(values, shape, device).and_then(|tensor| tensor.to_dtype(dtype))
            }
            (_, found) => return Err(format!("is {found}, expected {dtype:?}")),
        };
        made.map_err(|error| error.to_string())
    }

    /// Reads every tensor the configuration uses.
    ///
    /// # Errors
    /// Anything missing (unless allowed), extra, mis-shaped or not finite; every fault is listed by
    /// name.
    pub fn load(
        &self,
        config: &Config,
        precision: LoadPrecision,
        device: &Device,
    ) -> Result<(Weights, LoadReport)> {
        let specs = parameters(config);
        let mut report = LoadReport::default();
        let mut faults = self.extra(&specs, config, &mut report);
        let mut loaded = HashMap::new();
        for spec in specs.iter().filter(|spec| spec.kind != Kind::Unused) {
            let dtype = target_type(spec, precision.dtype);
            match self.tensors.get(&spec.name) {
                // A model with other scales keeps all tensors but its positions.
                Some((_, found))
                    if found.shape != spec.shape
                        && precision.allow_missing
                        && of_positions(spec) =>
                {
                    report.initialised.push(spec.name.clone());
                    loaded
                        .insert(spec.name.clone(), initial_tensor(spec, config, 0, dtype, device)?);
                }
                Some((_, found)) if found.shape != spec.shape => faults.push(format!(
                    "{}: expected shape {:?}, found {:?}",
                    found.name, spec.shape, found.shape
                )),
                Some((_, found)) => match self.read(&spec.name, dtype, device) {
                    Ok(tensor) => {
                        report.loaded += 1;
                        loaded.insert(spec.name.clone(), tensor);
                    }
                    Err(fault) => faults.push(format!("{}: {fault}", found.name)),
                },
                None if precision.allow_missing || derivable(spec) => {
                    if !derivable(spec) {
                        report.initialised.push(spec.name.clone());
                    }
                    loaded
                        .insert(spec.name.clone(), initial_tensor(spec, config, 0, dtype, device)?);
                }
                None => {
                    faults.push(format!("{}: missing, expected shape {:?}", spec.name, spec.shape))
                }
            }
        }
        if !faults.is_empty() {
            return Err(Error::Checkpoint { path: self.path.clone(), faults });
        }
        report.initialised.sort_unstable();
        Ok((Weights::new(loaded), report))
    }

    /// Unknown names; tensors that are known but not used go to the report.
    fn extra(
        &self,
        specs: &[ParameterSpec],
        config: &Config,
        report: &mut LoadReport,
    ) -> Vec<String> {
        let known: HashMap<&str, Kind> =
            specs.iter().map(|spec| (spec.name.as_str(), spec.kind)).collect();
        let mut faults = Vec::new();
        for (name, (_, tensor)) in &self.tensors {
            match known.get(name.as_str()) {
                Some(Kind::Unused) => report.ignored.push(name.clone()),
                Some(_) => {}
                None if names::foreign(name) => report.ignored.push(name.clone()),
                None if config.generation.is_none() && of_generation(name) => {
                    report.ignored.push(name.clone())
                }
                None => faults.push(format!("{}: extra, shape {:?}", tensor.name, tensor.shape)),
            }
        }
        faults
    }
}

/// Loads a checkpoint for `config`.
///
/// # Errors
/// See [`CheckpointFiles::open`] and [`CheckpointFiles::load`].
pub fn load(
    path: &Path,
    config: &Config,
    precision: LoadPrecision,
    device: &Device,
) -> Result<(Weights, LoadReport)> {
    CheckpointFiles::open(path)?.load(config, precision, device)
}

/// Freshly initialised weights of every used tensor.
///
/// # Errors
/// The device refuses the memory.
pub fn random(config: &Config, seed: u64, dtype: DType, device: &Device) -> Result<Weights> {
    let mut tensors = HashMap::new();
    for spec in parameters(config).iter().filter(|spec| spec.kind != Kind::Unused) {
        tensors.insert(
            spec.name.clone(),
            initial_tensor(spec, config, seed, target_type(spec, dtype), device)?,
        );
    }
    Ok(Weights::new(tensors))
}

/// The type a tensor has in memory.
fn target_type(spec: &ParameterSpec, wanted: DType) -> DType {
    match (spec.stored, wanted) {
        (DType::I64, _) => DType::I64,
        (DType::BF16, DType::BF16) => DType::BF16,
        _ => DType::F32,
    }
}

/// Tensors with one row for each token of all scales.
fn of_positions(spec: &ParameterSpec) -> bool {
    [
        "wm_hist_pos_embs",
        "wm_cond_pos_embs",
        "wm_full_map_pos_embs",
        "wm_output_position_embedding",
        "lvl_1L",
    ]
    .iter()
    .any(|name| spec.name.ends_with(name))
}

/// Buffers that follow from the configuration or are not used: a file may lack them.
fn derivable(spec: &ParameterSpec) -> bool {
    spec.name.ends_with("lvl_1L") || spec.name.ends_with("ema_vocab_hit_SV")
}

/// Tensors of the generation expert, for a configuration that leaves it out.
fn of_generation(name: &str) -> bool {
    [
        "model.vae.",
        "model.wm_",
        "model.temporal_conv.",
        "model.full_map_conv.",
        "model.lvl_",
        "model.mask_embedding",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
        || name.contains(".gemma_wm_expert.")
}

fn widen(bytes: &[u8], dtype: &str, values: &mut Vec<f32>) {
    match dtype {
        "F32" => values
            .extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        "BF16" => {
            values.extend(bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()))
        }
        "F16" => {
            values.extend(bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()))
        }
        _ => {
            values.extend(bytes.chunks_exact(8).map(|b| {
                f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
            }))
        }
    }
}

fn named(file: &MappedFile, fault: &str) -> String {
    match file.path().file_name() {
        Some(name) => format!("{}: {fault}", name.to_string_lossy()),
        None => fault.to_string(),
    }
}

fn locate(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let index = path.join("model.safetensors.index.json");
    let single = path.join("model.safetensors");
    if single.is_file() {
        Ok(single)
    } else if index.is_file() {
        Ok(index)
    } else {
        Err(Error::Checkpoint {
            path: path.to_path_buf(),
            faults: vec![
                "neither model.safetensors nor model.safetensors.index.json is here".to_string(),
            ],
        })
    }
}

/// The files an index names.
fn shards(index: &Path) -> Result<Vec<PathBuf>> {
    let fault =
        |fault: String| Error::Checkpoint { path: index.to_path_buf(), faults: vec![fault] };
    let text = std::fs::read_to_string(index).map_err(|source| Error::io(index, source))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| fault(format!("not JSON: {error}")))?;
    let map = value.get("weight_map").and_then(serde_json::Value::as_object).ok_or_else(|| {
        fault("it holds no weight_map: not the index of a sharded checkpoint".to_string())
    })?;
    let mut names: Vec<&str> = Vec::new();
    for (tensor, file) in map {
        let name =
            file.as_str().ok_or_else(|| fault(format!("{tensor}: its file is not a name")))?;
        if name.contains(['/', '\\']) || name == ".." {
            return Err(fault(format!("{tensor}: {name} is not a file beside the index")));
        }
        names.push(name);
    }
    names.sort_unstable();
    names.dedup();
    let folder = index.parent().unwrap_or(Path::new("."));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
