//! Five AdamW steps of stage I and of the joint stage, by the optimizer that trains.

use std::collections::HashMap;

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use f1_model::checkpoint::CheckpointFiles;
use f1_model::network::F1Network;
use f1_model::parameters::Group;
use f1_model::recorder::Recorder;
use f1_model::training::{JointSettings, LossReduction};
use f1_model::weights::ParameterSet;
use f1_model::{Error, Result};
use f1_train::TrainError;
use f1_train::optimizer::{AdamW, Optimizer, Slot};
use serde_json::Value;

use super::compare::{Comparison, F32, Rule};
use super::files::{GoldenDir, json, load};
use super::stages::{stage1_config, trained};

/// Relative tolerance of losses and gradient norms along the way.
const LOSS: f64 = 1e-3;
/// Entries whose gradient was this small in some step are not compared: Adam divides by the size of
/// the gradient, so they are dominated by rounding.
const VANISHING: f32 = 1e-5;
/// The same bound relative to the tensor's largest gradient, whose rounding affects all entries.
const DROWNED: f32 = 2e-4;

pub(super) fn run(golden: &GoldenDir, comparison: &mut Comparison) -> Result<()> {
    let file = golden.path.join("train_trace.json");
    if !file.is_file() || golden.config.generation.is_none() {
        return Ok(());
    }
    let trace = json(&file)?;
    let tensors = golden.path.join("train_trace.safetensors");
    let expected = if tensors.is_file() { load(&tensors)? } else { HashMap::new() };
    for stage in ["stage1", "stage3"] {
        if let Some(steps) = trace.get(stage) {
            run_stage(golden, stage, steps, &trace, &expected, comparison)?;
        }
    }
    for name in
        expected.keys().filter(|name| !name.starts_with("stage1.") && !name.starts_with("stage3."))
    {
        comparison.leave(name);
    }
    Ok(())
}

fn number(value: &Value, pointer: &str) -> Result<f64> {
    value
        .pointer(pointer)
        .and_then(Value::as_f64)
        .ok_or_else(|| Error::input(format!("train_trace.json holds no number at {pointer}")))
}

fn run_stage(
    golden: &GoldenDir,
    stage: &str,
    steps: &Value,
    trace: &Value,
    expected: &HashMap<String, Tensor>,
    comparison: &mut Comparison,
) -> Result<()> {
    let first = stage == "stage1";
    let config = if first { stage1_config(&golden.config) } else { golden.config.clone() };
    let set = ParameterSet::from_weights(&config, &golden.weights, trained(first))?;
    let network = F1Network::new(&config, &set.weights(), None)?;
    let batch = golden.batch(&network)?;
    groups(&set, steps, stage, comparison);

    let rates: HashMap<Group, f64> = [
        (Group::Vision, "vision_encoder_lr"),
        (Group::Understanding, "und_expert_lr"),
        (Group::Generation, "gen_expert_lr"),
        (Group::Action, "act_expert_lr"),
    ]
    .into_iter()
    .map(|(group, key)| Ok((group, number(trace, &format!("/hyper/{key}"))?)))
    .collect::<Result<_>>()?;
    let settings = AdamW {
        betas: [number(trace, "/hyper/betas/0")?, number(trace, "/hyper/betas/1")?],
        eps: number(trace, "/hyper/eps")?,
        weight_decay: number(trace, "/hyper/weight_decay")?,
        clip_norm: number(trace, "/hyper/clip_grad_norm")?,
    };
    let mut optimizer = Optimizer::new(settings, slots(&set)?);
    let losses = steps.get("losses").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut smallest = Smallest::new();
    for (index, wanted) in losses.iter().enumerate() {
        // With a recorder, cameras that no sample has are kept, as in the files.
        let output = if first {
            network.stage1_loss(&batch, None, &mut Recorder::on())?
        } else {
            let mut settings =
                JointSettings { reduction: LossReduction::Released, ..JointSettings::default() };
            network.joint_loss(&batch, &mut settings, &mut Recorder::on())?
        };
        let parts = [
            ("loss", Some(&output.loss)),
            ("wm_loss", output.generation_loss.as_ref()),
            ("action_loss", output.action_loss.as_ref()),
        ];
        for (name, tensor) in parts {
            if let (Some(wanted), Some(tensor)) = (wanted.get(name).and_then(Value::as_f64), tensor)
            {
                let found = f64::from(tensor.to_scalar::<f32>()?);
                comparison.number(
                    &format!("train_trace.{stage}.{name}"),
                    wanted,
                    found,
                    Rule::Relative(LOSS),
                );
            }
        }
        let mut gradients = output.loss.backward()?;
        keep_smallest(&set, &gradients, &mut smallest)?;
        let gradients = optimizer.collect(&mut gradients);
        let norm = optimizer
            .update(&gradients, |group| rates.get(&group).copied().unwrap_or(0.0))
            .map_err(model_error)?;
        if let Some(wanted) =
            steps.pointer(&format!("/grad_norm_before_clip/{index}")).and_then(Value::as_f64)
        {
            let label = format!("train_trace.{stage}.grad_norm_before_clip");
            comparison.number(&label, wanted, norm, Rule::Relative(LOSS));
        }
    }

    compare_parameters(stage, losses.len(), &set, &smallest, expected, comparison)
}

/// The smallest absolute gradient of each entry in any step, by tensor.
type Smallest = HashMap<String, Vec<f32>>;

/// Lowers `smallest` to these gradients; those that are below their tensor's rounding count as
/// zero.
fn keep_smallest(set: &ParameterSet, gradients: &GradStore, smallest: &mut Smallest) -> Result<()> {
    for parameter in set.trained() {
        let Some(gradient) = gradients.get(parameter.variable.as_tensor()) else { continue };
        let values: Vec<f32> = gradient.abs()?.flatten_all()?.to_vec1()?;
        let largest = values.iter().copied().fold(0f32, f32::max);
        let values: Vec<f32> =
            values.into_iter().map(|v| if v > DROWNED * largest { v } else { 0.0 }).collect();
        let kept = smallest.entry(parameter.spec.name.clone()).or_insert_with(|| values.clone());
        kept.iter_mut().zip(&values).for_each(|(kept, value)| *kept = kept.min(*value));
    }
    Ok(())
}

/// Compares the parameters after `steps` steps.
fn compare_parameters(
    stage: &str,
    steps: usize,
    set: &ParameterSet,
    smallest: &Smallest,
    expected: &HashMap<String, Tensor>,
    comparison: &mut Comparison,
) -> Result<()> {
    let prefix = format!("{stage}.after{}.", steps);
    for (name, tensor) in expected.iter().filter(|(name, _)| name.starts_with(&format!("{stage}.")))
    {
        let Some(parameter) = name.strip_prefix(&prefix) else {
            comparison.leave(&format!("train_trace.{name}"));
            continue;
        };
        let official = CheckpointFiles::official(parameter);
        match (set.get(&official), smallest.get(&official)) {
            (Some(found), Some(smallest)) => {
                let keep: Vec<f32> = smallest
                    .iter()
                    .map(|value| if *value > VANISHING { 1.0 } else { 0.0 })
                    .collect();
                let keep = Tensor::from_vec(keep, found.dims(), found.device())?;
                let (wanted, found) =
                    ((tensor.to_device(found.device())? * &keep)?, (found.detach() * &keep)?);
                let label = format!("train_trace.{name}");
                comparison.tensor(&label, &wanted, &found, Rule::Absolute(F32), None)?;
            }
            _ => comparison.leave(&format!("train_trace.{name}")),
        }
    }
    Ok(())
}

/// The trained tensors as the optimizer takes them.
fn slots(set: &ParameterSet) -> Result<Vec<Slot>> {
    set.trained()
        .map(|trained| {
            let spec = trained.spec;
            let variable = trained.variable.clone();
            Slot::new(spec.name.clone(), spec.group, spec.decay, variable).map_err(model_error)
        })
        .collect()
}

fn model_error(error: TrainError) -> Error {
    match error {
        TrainError::Model(error) => error,
        TrainError::Tensor(error) => error.into(),
        error => Error::input(error.to_string()),
    }
}

/// Compares the group and the weight decay of every parameter with the reference's optimiser.
fn groups(set: &ParameterSet, steps: &Value, stage: &str, comparison: &mut Comparison) {
    let ours: HashMap<&str, (Group, bool)> = set
        .trained()
        .map(|trained| (trained.spec.name.as_str(), (trained.spec.group, trained.spec.decay)))
        .collect();
    let lists = steps.get("param_groups").and_then(Value::as_array).cloned().unwrap_or_default();
    let order = [Group::Vision, Group::Understanding, Group::Generation, Group::Action];
    let mut wrong = 0;
    for (index, list) in lists.iter().enumerate() {
        // Each group has two lists: with and without weight decay.
        let (Some(group), decayed) = (order.get(index / 2), index % 2 == 0) else { continue };
        for name in list
            .get("params")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let official = CheckpointFiles::official(name);
            let unused = official != f1_model::parameters::TEXT_EMBEDDING
                && official.ends_with(".lm_head.weight");
            if !unused && ours.get(official.as_str()) != Some(&(*group, decayed)) {
                tracing::warn!(parameter = name, "another group or decay than the reference");
                wrong += 1;
            }
        }
    }
    if !lists.is_empty() {
        comparison.number(
            &format!("train_trace.{stage}.param_groups"),
            0.0,
            f64::from(wrong),
            Rule::Equal,
        );
    }
}
