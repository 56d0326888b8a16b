//! The pi0 layout: the model without its generation expert.

use std::collections::BTreeMap;

use candle_core::Tensor;
use f1_model::Result;
use f1_model::config::Config;
use f1_model::network::F1Network;
use f1_model::padding::Padding;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::training::{JointSettings, LossReduction};
use f1_model::weights::ParameterSet;

use super::compare::{Comparison, Rule, gradient_floor};
use super::files::{GoldenDir, load};
use super::inference::{act, join_state};
use super::layout::{embed, rows_that_count, rule};
use super::stages::{gradients, losses, trained};

/// Compares the model without its generation expert, on the same weights.
pub(super) fn run(golden: &GoldenDir, comparison: &mut Comparison) -> Result<()> {
    let file = golden.path.join("outputs_nowm.safetensors");
    if !file.is_file() {
        return Ok(());
    }
    let expected = load(&file)?;
    let (found, padding) =
        pi0(golden, expected.keys().any(|name| name.starts_with("nowm.train.")))?;
    let floor = gradient_floor(&expected)?;
    let rule = |name: &str| if name.contains("grad.") { Rule::Gradient(floor) } else { rule(name) };
    let documented =
        |name: &str| name == "actions_padded" || name == "prefix.out" || name == "train.loss";
    comparison.all(
        "nowm.",
        &expected,
        &found,
        rule,
        |name| rows_that_count(name, &padding),
        documented,
    )
}

/// Every tensor of the model without its generation expert, by its name in the files.
pub(super) fn pi0(
    golden: &GoldenDir,
    training: bool,
) -> Result<(BTreeMap<String, Tensor>, Padding)> {
    let named = golden.path.join("f1_config_nowm.json");
    let config = if named.is_file() {
        Config::load(&named)?
    } else {
        Config { generation: None, ..golden.config.clone() }
    };
    let network = F1Network::new(&config, &golden.weights, None)?;
    let mut recorder = Recorder::on();
    let (understanding, padding) = embed(golden, &network, &mut recorder)?;
    let prefix = network.perceive(
        &understanding,
        &padding,
        None,
        &mut TokenSource::Greedy,
        &mut recorder,
    )?;
    act(golden, &network, &prefix, &mut recorder)?;
    let mut found = recorder.into_tensors();
    join_state(&network, &mut found, 1)?;
    if let Some(out) = found.get("pass0.und.out").cloned() {
        found.insert("prefix.out".to_string(), out);
    }
    if training {
        train(golden, &config, &mut found)?;
    }
    Ok((found, padding))
}

/// One joint training pass and its gradients.
fn train(golden: &GoldenDir, config: &Config, found: &mut BTreeMap<String, Tensor>) -> Result<()> {
    let set = ParameterSet::from_weights(config, &golden.weights, trained(false))?;
    let network = F1Network::new(config, &set.weights(), None)?;
    let batch = golden.batch(&network)?;
    let mut settings =
        JointSettings { reduction: LossReduction::Released, ..JointSettings::default() };
    // With a recorder, cameras that no sample has are kept, as in the files.
    let mut recorder = Recorder::on();
    let output = network.joint_loss(&batch, &mut settings, &mut recorder)?;
    let mut of_training = BTreeMap::new();
    losses(&output, &batch, &mut of_training)?;
    gradients(&set, &output.loss.backward()?, &mut of_training);
    if let Some(elements) = of_training.get("action_losses_after_forward").cloned() {
        of_training.insert("loss_elem".to_string(), elements);
    }
    found.extend(of_training.into_iter().map(|(name, tensor)| (format!("train.{name}"), tensor)));
    Ok(())
}
