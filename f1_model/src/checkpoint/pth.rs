//! The VAR tokenizer as published: a pickle. Only its tensors are read, and nothing is executed.

use std::collections::HashMap;
use std::path::Path;

use candle_core::pickle::PthTensors;
use candle_core::{DType, Device, Tensor};

use crate::config::Config;
use crate::parameters::{Group, Kind, TOKENIZER, parameters};
use crate::{Error, Result};

/// Every tensor of a VAR tokenizer `.pth` under its official name (`model.vae.*`), as stored.
///
/// # Errors
/// The file is not such a pickle.
pub(crate) fn read_pickle(path: &Path) -> Result<HashMap<String, Tensor>> {
    std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
    // The library that parses pickles may panic on a damaged file: that becomes an error.
    let read = std::panic::catch_unwind(|| -> candle_core::Result<_> {
        let file = PthTensors::new(path, None)?;
        let mut tensors = HashMap::new();
        for name in file.tensor_infos().keys() {
            if let Some(tensor) = file.get(name)? {
                tensors.insert(format!("{TOKENIZER}.{name}"), tensor);
            }
        }
        Ok(tensors)
    });
    let fault = |fault: String| Error::Checkpoint { path: path.to_path_buf(), faults: vec![fault] };
    match read {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(fault(format!("not a pickle of tensors: {error}"))),
        Err(_) => Err(fault("not a pickle of tensors".to_string())),
    }
}

/// Reads a VAR tokenizer `.pth` under official names (`model.vae.*`), in f32.
///
/// # Errors
/// The file is not such a pickle, or a tensor is missing, extra, mis-shaped or not finite; every
/// fault is listed.
pub fn load_var_tokenizer(
    path: &Path,
    config: &Config,
    device: &Device,
) -> Result<HashMap<String, Tensor>> {
    let found = read_pickle(path)?;
    let fault = |faults: Vec<String>| Error::Checkpoint { path: path.to_path_buf(), faults };

    let mut faults = Vec::new();
    let mut tensors = HashMap::new();
    let specs: Vec<_> =
        parameters(config).into_iter().filter(|spec| spec.group == Group::Tokenizer).collect();
    for spec in &specs {
        match found.get(&spec.name) {
            None if spec.kind == Kind::Buffer => {}
            None => faults.push(format!("{}: missing, expected shape {:?}", spec.name, spec.shape)),
            Some(tensor) if tensor.dims() != spec.shape => faults.push(format!(
                "{}: expected shape {:?}, found {:?}",
                spec.name,
                spec.shape,
                tensor.dims()
            )),
            Some(tensor) => {
                let tensor = tensor.to_dtype(DType::F32)?;
                let sum = tensor.abs()?.sum_all()?.to_scalar::<f32>()?;
                if !sum.is_finite() {
                    faults.push(format!("{}: holds a value that is not finite", spec.name));
                }
                tensors.insert(spec.name.clone(), tensor.to_device(device)?);
            }
        }
    }
    for (name, tensor) in &found {
        if !specs.iter().any(|spec| &spec.name == name) {
            faults.push(format!("{name}: extra, shape {:?}", tensor.dims()));
        }
    }
    faults.sort_unstable();
    if faults.is_empty() { Ok(tensors) } else { Err(fault(faults)) }
}
