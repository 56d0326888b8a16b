//! One call of the policy in bf16, the published half-precision conversion.

use candle_core::{DType, Tensor};
use f1_model::Result;
use f1_model::checkpoint::{self, LoadPrecision};
use f1_model::network::F1Network;
use f1_model::sampling::TokenSource;

use super::compare::{Comparison, Rule};
use super::files::{GoldenDir, load};
use super::inference::infer;

/// Tolerance of actions and velocities.
const ACTIONS: f64 = 0.2;
/// Tolerance of the first scale's logits.
const LOGITS: f64 = 0.1;
/// Tolerance of later scales' logits, whose inputs are rounded again at every scale.
const LATER_LOGITS: f64 = 0.3;

/// Compares the policy in bf16. A token that differs changes the input of all later scales, so the
/// tokens of the file are used; then every number has a bound.
pub(super) fn run(golden: &GoldenDir, comparison: &mut Comparison) -> Result<()> {
    let file = golden.path.join("outputs_bf16.safetensors");
    if !file.is_file() || golden.config.generation.is_none() {
        return Ok(());
    }
    let expected = load(&file)?;
    let precision = LoadPrecision { dtype: DType::BF16, allow_missing: false };
    let (weights, _) = checkpoint::load(&golden.path, &golden.config, precision, &golden.device)?;
    let network = F1Network::new(&golden.config, &weights, None)?;
    let mut source = match expected.get("infer.gen.all_indices") {
        Some(ids) => {
            // The file may hold the first samples only. The tokens of the others influence nothing
            // that is compared.
            let batch = golden.input("lang_tokens")?.dim(0)?;
            let ids = ids.to_dtype(DType::U32)?.to_device(&golden.device)?;
            let missing = batch.saturating_sub(ids.dim(0)?);
            let rows = vec![ids.narrow(0, 0, 1)?; missing];
            TokenSource::Fixed(Tensor::cat(&[vec![ids], rows].concat(), 0)?)
        }
        None => TokenSource::Greedy,
    };
    let (found, _) = infer(golden, &network, &mut source)?;
    let mut names: Vec<&String> = expected.keys().collect();
    names.sort();
    for name in names {
        let short = name.strip_prefix("infer.").unwrap_or(name);
        let bound = if short.starts_with("actions") || short.ends_with(".v_t") {
            ACTIONS
        } else if short == "gen.scale0.logits" {
            LOGITS
        } else if short.ends_with("logits") {
            LATER_LOGITS
        } else {
            comparison.leave(&format!("bf16.{name}"));
            continue;
        };
        match found.get(short) {
            Some(tensor) => {
                // The bounds are for numbers up to 8 and grow with them.
                let largest =
                    expected[name].to_dtype(DType::F32)?.abs()?.max_all()?.to_scalar::<f32>()?;
                let bound = bound * (f64::from(largest) / 8.0).max(1.0);
                comparison.tensor(
                    &format!("bf16.{name}"),
                    &expected[name],
                    tensor,
                    Rule::Absolute(bound),
                    None,
                )?;
            }
            None => comparison.leave(&format!("bf16.{name}")),
        }
    }
    Ok(())
}
