//! One group's tensors out of a checkpoint whose other tensors may be of another model.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::{CheckpointFiles, derivable, target_type};
use crate::config::Config;
use crate::parameters::{Group, used_parameters};
use crate::weights::initial_tensor;
use crate::{Error, Result};

/// Reads the tensors of `group` that `config` uses, by official name; whatever else the checkpoint
/// holds is left alone.
///
/// # Errors
/// A tensor of the group is missing, mis-shaped or not finite; every fault is listed by name.
pub fn load_group(
    path: &Path,
    config: &Config,
    group: Group,
    dtype: DType,
    device: &Device,
) -> Result<Vec<(String, Tensor)>> {
    let files = CheckpointFiles::open(path)?;
    let (mut loaded, mut faults) = (Vec::new(), Vec::new());
    for spec in used_parameters(config).into_iter().filter(|spec| spec.group == group) {
        let dtype = target_type(&spec, dtype);
        let found = files.tensors.get(&spec.name).map(|(_, found)| found);
        match found {
            Some(found) if found.shape != spec.shape => faults.push(format!(
                "{}: expected shape {:?}, found {:?}",
                spec.name, spec.shape, found.shape
            )),
            Some(_) => match files.read(&spec.name, dtype, device) {
                Ok(tensor) => loaded.push((spec.name, tensor)),
                Err(fault) => faults.push(format!("{}: {fault}", spec.name)),
            },
            None if derivable(&spec) => {
                let tensor = initial_tensor(&spec, config, 0, dtype, device)?;
                loaded.push((spec.name, tensor));
            }
            None => faults.push(format!("{}: missing, expected shape {:?}", spec.name, spec.shape)),
        }
    }
    match faults.is_empty() {
        true => Ok(loaded),
        false => Err(Error::Checkpoint { path: files.path, faults }),
    }
}
