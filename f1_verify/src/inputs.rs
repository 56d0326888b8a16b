//! Checks the inputs of a golden directory against its configuration and names every fault, before
//! anything is computed.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Tensor};
use f1_model::{Config, Error, Result};

/// The allowed sizes of a dimension.
#[derive(Clone, Copy)]
enum Size {
    Exactly(usize),
    AtLeast(usize),
    Within(usize),
    Any,
}

impl Size {
    fn holds(self, size: usize) -> bool {
        match self {
            Self::Exactly(wanted) => size == wanted,
            Self::AtLeast(least) => size >= least,
            Self::Within(most) => size <= most,
            Self::Any => size > 0,
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(size) => write!(f, "{size}"),
            Self::AtLeast(size) => write!(f, "at least {size}"),
            Self::Within(size) => write!(f, "at most {size}"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// Refuses inputs whose shapes do not fit the configuration or whose prompt is outside the
/// vocabulary.
///
/// # Errors
/// Every fault, each naming its tensor.
pub(super) fn check(
    file: &Path,
    inputs: &HashMap<String, Tensor>,
    config: &Config,
    observed: usize,
) -> Result<()> {
    use Size::{Any, AtLeast, Exactly, Within};
    let prompt = inputs
        .get("lang_tokens")
        .ok_or_else(|| Error::input(format!("{}: no lang_tokens", file.display())))?;
    let batch = Exactly(prompt.dims().first().copied().unwrap_or(0));
    let tokens = Exactly(prompt.dims().get(1).copied().unwrap_or(0));
    let chunk = Exactly(config.chunk_size);
    let mut faults = Vec::new();
    let mut expect = |name: &str, sizes: &[Size]| {
        let Some(tensor) = inputs.get(name) else { return };
        let dims = tensor.dims();
        if dims.len() != sizes.len() || !dims.iter().zip(sizes).all(|(&dim, size)| size.holds(dim))
        {
            let sizes: Vec<String> = sizes.iter().map(Size::to_string).collect();
            faults.push(format!("{name} is {dims:?}, expected [{}]", sizes.join(", ")));
        }
    };
    expect("lang_tokens", &[AtLeast(1), Any]);
    expect("lang_masks", &[batch, tokens]);
    expect("state", &[batch, Within(config.max_state_dim)]);
    expect("action", &[batch, chunk, Within(config.max_action_dim)]);
    expect("action_is_pad", &[batch, chunk]);
    expect("noise", &[batch, chunk, Exactly(config.max_action_dim)]);
    expect("train_noise", &[batch, chunk, Exactly(config.max_action_dim)]);
    expect("train_time", &[batch]);
    for name in inputs.keys().filter_map(|name| name.strip_prefix("image")) {
        match name.strip_suffix("_mask") {
            Some(_) => expect(&format!("image{name}"), &[batch]),
            None => expect(&format!("image{name}"), &[batch, Exactly(3), Any, Any]),
        }
    }
    if let Some(side) = config.frame_side() {
        let frame = [batch, AtLeast(observed), Exactly(3), Exactly(side), Exactly(side)];
        expect("history", &frame);
        expect("history_u8", &frame);
    }
    if let Some(largest) =
        largest(prompt)?.filter(|&id| id >= config.understanding.vocab_size as f64)
    {
        faults.push(format!(
            "lang_tokens holds id {largest}, the vocabulary has {}",
            config.understanding.vocab_size
        ));
    }
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort();
    Err(Error::Checkpoint { path: file.to_path_buf(), faults })
}

fn largest(ids: &Tensor) -> Result<Option<f64>> {
    if ids.elem_count() == 0 {
        return Ok(None);
    }
    Ok(Some(ids.to_dtype(DType::F64)?.max_all()?.to_scalar::<f64>()?))
}
