//! What is in a checkpoint, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::Result;
use crate::checkpoint::CheckpointFiles;
use crate::config::Config;
use crate::parameters::{Kind, parameters};

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InspectedTensor {
    /// Official name.
    pub name: String,
    /// Name in the file, where it differs.
    pub file_name: Option<String>,
    /// Stored type.
    pub dtype: String,
    /// Shape.
    pub shape: Vec<usize>,
}

/// What [`inspect`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// Whether nothing is missing, extra, mis-shaped or non-finite.
    pub pass: bool,
    /// Every tensor, sorted by name.
    pub tensors: Vec<InspectedTensor>,
    /// Elements by part: vision, understanding, generation, action, tokenizer, unused, other.
    pub parameters: BTreeMap<String, usize>,
    /// Tensors the configuration wants and the file lacks, with the expected shape.
    pub missing: Vec<String>,
    /// Tensors nobody knows.
    pub extra: Vec<String>,
    /// Tensors of another shape than expected.
    pub misshaped: Vec<String>,
    /// Tensors holding a value that is not finite.
    pub non_finite: Vec<String>,
}

/// Lists a checkpoint and compares it with `against`, when given.
///
/// # Errors
/// The file cannot be read or lies about itself.
pub fn inspect(path: &Path, against: Option<&Config>) -> Result<Inspection> {
    let files = CheckpointFiles::open(path)?;
    let reference = against.cloned().unwrap_or_else(Config::released);
    let specs = parameters(&reference);
    let known: BTreeMap<&str, _> = specs.iter().map(|spec| (spec.name.as_str(), spec)).collect();
    let mut inspection = Inspection {
        pass: true,
        tensors: Vec::new(),
        parameters: BTreeMap::new(),
        missing: Vec::new(),
        extra: Vec::new(),
        misshaped: Vec::new(),
        non_finite: Vec::new(),
    };
    for (name, tensor) in files.tensors() {
        inspection.tensors.push(InspectedTensor {
            name: name.to_string(),
            file_name: (tensor.name != name).then(|| tensor.name.clone()),
            dtype: tensor.dtype.clone(),
            shape: tensor.shape.clone(),
        });
        let part = part_of(name);
        *inspection.parameters.entry(part.to_string()).or_default() += tensor.shape.iter().product::<usize>();
        if !files.is_finite(name) {
            inspection.non_finite.push(name.to_string());
        }
        if against.is_some() {
            match known.get(name) {
                Some(spec) if spec.shape != tensor.shape => inspection
                    .misshaped
                    .push(format!("{name}: expected shape {:?}, found {:?}", spec.shape, tensor.shape)),
                Some(_) => {}
                None if CheckpointFiles::is_foreign(name) => {}
                None => inspection.extra.push(name.to_string()),
            }
        }
    }
    if against.is_some() {
        let held: Vec<&str> = files.tensors().map(|(name, _)| name).collect();
        for spec in specs.iter().filter(|spec| spec.kind == Kind::Parameter) {
            if held.binary_search(&spec.name.as_str()).is_err() {
                inspection.missing.push(format!("{}: expected shape {:?}", spec.name, spec.shape));
            }
        }
    }
    inspection.pass = inspection.missing.is_empty()
        && inspection.extra.is_empty()
        && inspection.misshaped.is_empty()
        && inspection.non_finite.is_empty();
    Ok(inspection)
}

/// The part a name belongs to, whatever the configuration.
fn part_of(name: &str) -> &'static str {
    let unused =
        name.ends_with("gemma_expert.lm_head.weight") || name.ends_with("gemma_wm_expert.lm_head.weight");
    if unused {
        "unused"
    } else if name.contains(".vision_tower.") || name.contains(".multi_modal_projector.") {
        "vision"
    } else if name.contains(".paligemma.") {
        "understanding"
    } else if name.starts_with("model.vae.") {
        "tokenizer"
    } else if name.contains(".gemma_wm_expert.")
        || ["model.wm_", "model.temporal_conv.", "model.lvl_", "model.mask_embedding"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    {
        "generation"
    } else if name.contains(".gemma_expert.")
        || ["model.state_proj.", "model.action_"].iter().any(|prefix| name.starts_with(prefix))
    {
        "action"
    } else {
        "other"
    }
}
