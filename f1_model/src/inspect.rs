//! Lists the contents of a checkpoint and its faults.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Tensor};
use serde::Serialize;

use crate::Result;
use crate::checkpoint::{CheckpointFiles, read_pickle};
use crate::config::Config;
use crate::parameters::{Group, Kind, TOKENIZER, parameters};

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

/// The result of [`inspect`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inspection {
    /// Whether nothing is missing, extra, mis-shaped or non-finite.
    pub pass: bool,
    /// Every tensor, sorted by name.
    pub tensors: Vec<InspectedTensor>,
    /// Elements by part: vision, understanding, generation, action, tokenizer, unused, other.
    pub parameters: BTreeMap<String, usize>,
    /// Tensors that the configuration needs and the file lacks, with the expected shape.
    pub missing: Vec<String>,
    /// Tensors with unknown names.
    pub extra: Vec<String>,
    /// Tensors of another shape than expected.
    pub misshaped: Vec<String>,
    /// Tensors holding a value that is not finite.
    pub non_finite: Vec<String>,
}

impl Inspection {
    fn judged(mut self) -> Self {
        self.pass = self.missing.is_empty()
            && self.extra.is_empty()
            && self.misshaped.is_empty()
            && self.non_finite.is_empty();
        self
    }
}

/// Lists a checkpoint and compares it with `against`, when given; a VAR tokenizer `.pth` with its
/// tokenizer alone.
///
/// # Errors
/// The file cannot be read or its header is wrong.
pub fn inspect(path: &Path, against: Option<&Config>) -> Result<Inspection> {
    if path.extension().is_some_and(|extension| extension == "pth") {
        return inspect_pickle(path, against);
    }
    let files = CheckpointFiles::open(path)?;
    let reference = against.cloned().unwrap_or_else(Config::released);
    let specs = parameters(&reference);
    let known: BTreeMap<&str, _> = specs.iter().map(|spec| (spec.name.as_str(), spec)).collect();
    let mut inspection = Inspection::default();
    for (name, tensor) in files.tensors() {
        inspection.tensors.push(InspectedTensor {
            name: name.to_string(),
            file_name: (tensor.name != name).then(|| tensor.name.clone()),
            dtype: tensor.dtype.clone(),
            shape: tensor.shape.clone(),
        });
        let part = part_of(name);
        *inspection.parameters.entry(part.to_string()).or_default() +=
            tensor.shape.iter().product::<usize>();
        if !files.is_finite(name) {
            inspection.non_finite.push(name.to_string());
        }
        if against.is_some() {
            match known.get(name) {
                Some(spec) if spec.shape != tensor.shape => inspection.misshaped.push(format!(
                    "{name}: expected shape {:?}, found {:?}",
                    spec.shape, tensor.shape
                )),
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
    Ok(inspection.judged())
}

fn inspect_pickle(path: &Path, against: Option<&Config>) -> Result<Inspection> {
    let tensors: BTreeMap<String, Tensor> = read_pickle(path)?.into_iter().collect();
    let mut inspection = Inspection::default();
    for (name, tensor) in &tensors {
        inspection.tensors.push(InspectedTensor {
            name: name.clone(),
            file_name: name
                .strip_prefix(TOKENIZER)
                .map(|rest| rest.trim_start_matches('.').to_string()),
            dtype: tensor.dtype().as_str().to_uppercase(),
            shape: tensor.dims().to_vec(),
        });
        *inspection.parameters.entry("tokenizer".to_string()).or_default() += tensor.elem_count();
        let sum = tensor.to_dtype(DType::F32)?.abs()?.sum_all()?.to_scalar::<f32>()?;
        if !sum.is_finite() {
            inspection.non_finite.push(name.clone());
        }
    }
    if let Some(config) = against {
        let specs: Vec<_> =
            parameters(config).into_iter().filter(|spec| spec.group == Group::Tokenizer).collect();
        for spec in &specs {
            match tensors.get(&spec.name) {
                None if spec.kind != Kind::Parameter => {}
                None => inspection
                    .missing
                    .push(format!("{}: expected shape {:?}", spec.name, spec.shape)),
                Some(tensor) if tensor.dims() != spec.shape => inspection.misshaped.push(format!(
                    "{}: expected shape {:?}, found {:?}",
                    spec.name,
                    spec.shape,
                    tensor.dims()
                )),
                Some(_) => {}
            }
        }
        inspection.extra.extend(
            tensors.keys().filter(|name| specs.iter().all(|spec| spec.name != **name)).cloned(),
        );
    }
    Ok(inspection.judged())
}

/// The part that a name belongs to, in any configuration.
fn part_of(name: &str) -> &'static str {
    let unused = name.ends_with("gemma_expert.lm_head.weight")
        || name.ends_with("gemma_wm_expert.lm_head.weight");
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
