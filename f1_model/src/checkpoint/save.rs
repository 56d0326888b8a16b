//! Writes a checkpoint that the reference code can load.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use candle_core::{DType, Tensor};
use half::bf16;
use serde_json::{Map, json};

use crate::config::Config;
use crate::parameters::used_parameters;
use crate::weights::{ParameterSet, Weights};
use crate::{Error, Result};

/// Writes `model.safetensors` and `config.json` into `folder`.
///
/// `dtype` F32 keeps every value; with BF16, tensors that are bf16 in the published files are
/// stored so. Each file is written under another name and renamed, so that no reader gets half a
/// file.
///
/// # Errors
/// The folder cannot be written, or a tensor is missing.
pub fn save(folder: &Path, config: &Config, parameters: &ParameterSet, dtype: DType) -> Result<()> {
    save_with_weights(folder, config, &parameters.weights(), dtype)
}

/// As [`save`], from weights by official name.
///
/// # Errors
/// The folder cannot be written, or a tensor is missing.
pub fn save_with_weights(
    folder: &Path,
    config: &Config,
    weights: &Weights,
    dtype: DType,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let text = serde_json::to_string_pretty(&config.to_json())
        .map_err(|error| Error::input(error.to_string()))?;
    replace(&folder.join("config.json"), |file| file.write_all(text.as_bytes()))?;

    let specs = used_parameters(config);
    let mut header = Map::new();
    header.insert("__metadata__".to_string(), json!({"format": "pt"}));
    let mut offset = 0usize;
    let mut entries: Vec<(&Tensor, DType)> = Vec::with_capacity(specs.len());
    for spec in &specs {
        let tensor = weights
            .tensor(&spec.name)
            .ok_or_else(|| Error::input(format!("{}: missing, nothing to write", spec.name)))?;
        let stored = match (spec.stored, dtype) {
            (DType::I64, _) => DType::I64,
            (DType::BF16, DType::BF16) => DType::BF16,
            _ => DType::F32,
        };
        let name = match stored {
            DType::I64 => "I64",
            DType::BF16 => "BF16",
            _ => "F32",
        };
        let bytes = tensor.elem_count() * stored.size_in_bytes();
        let entry = json!({"dtype": name, "shape": tensor.dims(), "data_offsets": [offset, offset + bytes]});
        header.insert(spec.name.clone(), entry);
        offset += bytes;
        entries.push((tensor, stored));
    }
    let mut text =
        serde_json::to_string(&header).map_err(|error| Error::input(error.to_string()))?;
    // The data starts at a multiple of eight bytes, as readers expect.
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    let mut failed = None;
    replace(&folder.join("model.safetensors"), |file| {
        file.write_all(&(text.len() as u64).to_le_bytes())?;
        file.write_all(text.as_bytes())?;
        for (tensor, stored) in &entries {
            match bytes(tensor, *stored) {
                Ok(bytes) => file.write_all(&bytes)?,
                Err(error) => {
                    failed = Some(error);
                    return Err(std::io::Error::other("a tensor could not be read"));
                }
            }
        }
        Ok(())
    })
    .map_err(|error| failed.map_or(error, Error::from))
}

fn bytes(tensor: &Tensor, dtype: DType) -> candle_core::Result<Vec<u8>> {
    let flat = tensor.to_device(&candle_core::Device::Cpu)?.to_dtype(dtype)?.flatten_all()?;
    Ok(match dtype {
        DType::I64 => flat.to_vec1::<i64>()?.into_iter().flat_map(i64::to_le_bytes).collect(),
        DType::BF16 => flat.to_vec1::<bf16>()?.into_iter().flat_map(bf16::to_le_bytes).collect(),
        _ => flat.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect(),
    })
}

fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<()> {
    let beside = path.with_extension("part");
    let attempt = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&beside)?);
        write(&mut file)?;
        file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
        std::fs::rename(&beside, path)
    };
    attempt().map_err(|source| Error::io(path, source))
}
