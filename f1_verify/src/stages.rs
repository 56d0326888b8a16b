//! Stage I and the joint stages: losses, logits, accuracies, gradients.

use std::collections::{BTreeMap, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};
use f1_model::Result;
use f1_model::checkpoint::CheckpointFiles;
use f1_model::config::Config;
use f1_model::network::F1Network;
use f1_model::padding::Padding;
use f1_model::parameters::Group;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::training::{Batch, JointSettings, LossOutput, LossReduction, hidden_tokens};
use f1_model::weights::ParameterSet;
use serde_json::Value;

use super::compare::{Comparison, GRADIENT, Rule, gradient_floor};
use super::files::GoldenDir;
use super::layout::{
    action_masks, embed, mask, positions, prefix_masks, rows_that_count, rule, tokenise, wm_tables,
};

/// Probabilities of the reference's run: that tokens of a sample are hidden, and that each is.
const HIDE: (f32, f32) = (0.1, 0.15);

pub(super) fn run(golden: &GoldenDir, comparison: &mut Comparison) -> Result<()> {
    if golden.config.generation.is_none() || golden.outputs.is_empty() {
        return Ok(());
    }
    let has = |prefix: &str| golden.outputs.keys().any(|name| name.starts_with(prefix));
    if has("stage1.") || has("stage1_masked.") {
        let stage = stage1(golden, has("stage1_masked."))?;
        compare(golden, "stage1.", &stage.found, &stage.padding, comparison)?;
        norms(golden, "stage1", &stage.found, comparison);
        if let Some(masked) = &stage.masked {
            compare(golden, "stage1_masked.", masked, &stage.padding, comparison)?;
        }
    }
    if has("stage3.") {
        let stage = stage3(golden)?;
        compare(golden, "stage3.", &stage.found, &stage.padding, comparison)?;
        norms(golden, "stage3", &stage.found, comparison);
    }
    Ok(())
}

/// The tensors of a stage, by their names in the files.
pub(super) struct Stage {
    pub(super) found: BTreeMap<String, Tensor>,
    /// Stage I with hidden input tokens.
    pub(super) masked: Option<BTreeMap<String, Tensor>>,
    padding: Padding,
}

/// The configuration of stage I: all scales are predicted.
pub(super) fn stage1_config(config: &Config) -> Config {
    let mut config = config.clone();
    if let Some(generation) = &mut config.generation {
        generation.num_resolutions = generation.scales.len();
    }
    config
}

/// The groups a stage trains.
pub(super) fn trained(stage1: bool) -> impl Fn(Group) -> bool {
    move |group| if stage1 { group == Group::Generation } else { group != Group::Tokenizer }
}

pub(super) fn stage1(golden: &GoldenDir, masked: bool) -> Result<Stage> {
    let config = stage1_config(&golden.config);
    let set = ParameterSet::from_weights(&config, &golden.weights, trained(true))?;
    let network = F1Network::new(&config, &set.weights(), None)?;
    let batch = golden.batch(&network)?;

    let mut recorder = Recorder::on();
    let output = network.stage1_loss(&batch, None, &mut recorder)?;
    let scales = network.foresight()?.heads.scales().len();
    let padding = common(golden, &network, &mut recorder)?;
    recorder.set_prefix("");
    wm_tables(&network, batch.len(), scales, &mut recorder)?;
    let tokens = padding.tokens();
    let count = network.foresight()?.heads.tokens();
    let total = tokens + 2 * count - 1;
    recorder.keep(
        "pass0.attention_mask",
        &mask(&padding, &network.prefix_blocks(tokens, scales), 0, total)?,
    );
    recorder.keep("pass0.position_ids", &positions(&padding.positions(2 * count - 1), 0, total)?);
    let mut found = recorder.into_tensors();
    losses(&output, &batch, &mut found)?;
    gradients(&set, &output.loss.backward()?, &mut found);
    let masked = if masked {
        let of_sample: Vec<f32> = golden.input("mask_rand_batch")?.flatten_all()?.to_vec1()?;
        let of_token: Vec<Vec<f32>> =
            golden.input("mask_rand_token")?.flatten_from(1)?.to_vec2()?;
        let hidden = hidden_tokens(&of_sample, &of_token, HIDE.0, HIDE.1, &golden.device)?;
        let output = network.stage1_loss(&batch, Some(&hidden), &mut Recorder::off())?;
        let mut found = BTreeMap::new();
        losses(&output, &batch, &mut found)?;
        Some(found)
    } else {
        None
    };
    Ok(Stage { found, masked, padding })
}

pub(super) fn stage3(golden: &GoldenDir) -> Result<Stage> {
    let set = ParameterSet::from_weights(&golden.config, &golden.weights, trained(false))?;
    let network = F1Network::new(&golden.config, &set.weights(), None)?;
    let batch = golden.batch(&network)?;
    let mut settings =
        JointSettings { reduction: LossReduction::Released, ..JointSettings::default() };
    let mut recorder = Recorder::on();
    let output = network.joint_loss(&batch, &mut settings, &mut recorder)?;
    let scales = network.foresight()?.config.num_resolutions;
    let padding = common(golden, &network, &mut recorder)?;
    recorder.set_prefix("");
    wm_tables(&network, batch.len(), scales, &mut recorder)?;
    prefix_masks(&network, &padding, scales, &mut recorder)?;
    let prefix = network.perceive_batch(&batch, &mut TokenSource::Greedy, &mut Recorder::on())?;
    action_masks(&network, &prefix, &mut recorder)?;
    let mut found = recorder.into_tensors();
    if let Some(embedded) = found.get(&format!("pass{scales}.embs")).cloned() {
        found.insert("act.embs".to_string(), embedded);
    }
    losses(&output, &batch, &mut found)?;
    gradients(&set, &output.loss.backward()?, &mut found);
    Ok(Stage { found, masked: None, padding })
}

/// Records what both stages have in common: tokenizer tensors, splits, padded targets.
fn common(golden: &GoldenDir, network: &F1Network, recorder: &mut Recorder) -> Result<Padding> {
    let frames = golden.history()?;
    let (batch, count, channels, height, width) = frames.dims5()?;
    recorder.set_prefix("vq.");
    let vectors =
        tokenise(network, &frames.reshape((batch * count, channels, height, width))?, recorder)?;
    let (_, positions, codes) = vectors.dims3()?;
    let vectors = vectors.reshape((batch, count, positions, codes))?;
    recorder.set_prefix("");
    recorder.keep("wm_input_embs", &vectors.narrow(1, 0, golden.observed)?);
    let target = vectors.narrow(1, golden.observed, count - golden.observed)?;
    recorder.keep("wm_output_embs", &target.reshape((batch, (), codes))?);
    recorder.keep("actions_target_padded", &golden.padded("action", golden.config.max_action_dim)?);
    Ok(embed(golden, network, &mut Recorder::off())?.1)
}

/// The scalars and elements of a loss, by their names in the files.
pub(super) fn losses(
    output: &LossOutput,
    batch: &Batch,
    found: &mut BTreeMap<String, Tensor>,
) -> Result<()> {
    let mut put = |name: &str, tensor: &Tensor| {
        found.insert(name.to_string(), tensor.detach());
    };
    put("loss", &output.loss.reshape(1)?);
    let scalar = |value: f64| Tensor::from_vec(vec![value as f32], 1, &Device::Cpu);
    for (name, tensor) in
        [("wm_loss", &output.generation_loss), ("action_loss", &output.action_loss)]
    {
        if let Some(tensor) = tensor {
            put(name, &tensor.reshape(1)?);
        }
    }
    for (name, tensor) in [
        ("logits", &output.logits),
        ("gt_indices", &output.targets),
        ("wm_ce_elem", &output.token_losses),
        ("v_t", &output.velocity),
        ("action_losses_after_forward", &output.action_losses),
    ] {
        if let Some(tensor) = tensor {
            put(name, tensor);
        }
    }
    for (name, value) in
        [("wm_acc_mean", output.token_accuracy), ("wm_acc_tail", output.tail_accuracy)]
    {
        if let Some(value) = value {
            put(name, &scalar(value)?);
        }
    }
    if let Some(elements) = &output.action_losses {
        let (samples, chunk, _) = elements.dims3()?;
        let kept: Vec<f32> = batch
            .action_is_pad
            .iter()
            .flatten()
            .map(|padded| if *padded { 0.0 } else { 1.0 })
            .collect();
        let masked = elements.broadcast_mul(&Tensor::from_vec(
            kept,
            (samples, chunk, 1),
            elements.device(),
        )?)?;
        put("action_losses_after_in_ep_bound", &masked);
        put("action_losses_after_rm_padding", &masked);
    }
    Ok(())
}

/// The gradients of all trained tensors, by their names in the files.
pub(super) fn gradients(
    set: &ParameterSet,
    store: &GradStore,
    found: &mut BTreeMap<String, Tensor>,
) {
    for parameter in set.trained() {
        if let Some(gradient) = store.get(parameter.variable.as_tensor()) {
            found.insert(format!("grad.{}", parameter.spec.name), gradient.clone());
        }
    }
}

fn compare(
    golden: &GoldenDir,
    prefix: &str,
    found: &BTreeMap<String, Tensor>,
    padding: &Padding,
    comparison: &mut Comparison,
) -> Result<()> {
    let floor = gradient_floor(golden.outputs.iter().filter(|(name, _)| name.starts_with(prefix)))?;
    let rule =
        |name: &str| if name.starts_with("grad.") { Rule::Gradient(floor) } else { rule(name) };
    // Either name of a tied tensor may be in the file.
    let expected: HashMap<String, Tensor> = golden
        .outputs
        .iter()
        .map(|(name, tensor)| match name.split_once(".grad.") {
            Some((stage, parameter)) => {
                (format!("{stage}.grad.{}", CheckpointFiles::official(parameter)), tensor.clone())
            }
            None => (name.clone(), tensor.clone()),
        })
        .collect();
    let documented = |name: &str| {
        ["loss", "wm_acc_mean", "wm_acc_tail"].contains(&name)
            || prefix != "stage1_masked."
                && ["logits", "wm_loss", "gt_indices", "wm_ce_elem", "action_loss", "v_t"]
                    .contains(&name)
    };
    comparison.all(
        prefix,
        &expected,
        found,
        rule,
        |name| rows_that_count(name, padding),
        documented,
    )
}

/// Compares the L2 norms of all gradients; only some gradients are in the files in full.
fn norms(
    golden: &GoldenDir,
    stage: &str,
    found: &BTreeMap<String, Tensor>,
    comparison: &mut Comparison,
) {
    let Some(norms) =
        golden.meta.get(stage).and_then(|stage| stage.get("grad_l2")).and_then(Value::as_object)
    else {
        return;
    };
    let largest = norms.values().filter_map(Value::as_f64).fold(0f64, f64::max);
    for (name, value) in norms {
        let Some(expected) = value.as_f64() else { continue };
        let label = format!("{stage}.grad_l2.{name}");
        let norm =
            found.get(&format!("grad.{}", CheckpointFiles::official(name))).and_then(|gradient| {
                gradient
                    .to_dtype(DType::F64)
                    .ok()?
                    .sqr()
                    .ok()?
                    .sum_all()
                    .ok()?
                    .to_scalar::<f64>()
                    .ok()
            });
        match norm {
            // A gradient that is zero up to rounding is compared relative to the largest one.
            Some(norm) => {
                let scale = expected.max(1e-3 * largest);
                comparison.number(
                    &label,
                    expected / scale,
                    norm.sqrt() / scale,
                    Rule::Absolute(GRADIENT),
                );
            }
            None if expected == 0.0 => comparison.number(&label, 0.0, 0.0, Rule::Equal),
            None => comparison.leave(&label),
        }
    }
}
