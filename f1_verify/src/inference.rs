//! One call of the policy: every intermediate tensor.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use f1_model::linear::Quant;
use f1_model::network::{F1Network, PrefixState};
use f1_model::padding::Padding;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::{Error, Result};

use super::compare::{Comparison, IMAGE, Rule};
use super::files::GoldenDir;
use super::layout::{
    action_masks, documented, embed, prefix_masks, rows_that_count, rule, tokenise, wm_tables,
};

pub(super) fn run(golden: &GoldenDir, comparison: &mut Comparison) -> Result<()> {
    let wanted = golden.outputs.keys().any(|name| name.starts_with("infer."));
    if golden.config.generation.is_some() && wanted {
        let network = F1Network::new(&golden.config, &golden.weights, None)?;
        let (found, padding) = infer(golden, &network, &mut TokenSource::Greedy)?;
        let valid = |name: &str| rows_that_count(name, &padding);
        comparison.all("infer.", &golden.outputs, &found, rule, valid, documented)?;
        if golden.outputs.keys().any(|name| name.starts_with("recon.")) {
            let recon = reconstruct(golden, &network)?;
            comparison.all(
                "recon.",
                &golden.outputs,
                &recon,
                |_| Rule::Absolute(IMAGE),
                |_| None,
                |_| false,
            )?;
        }
    }
    Ok(())
}

/// Every tensor of one inference, by its name in the files.
pub(super) fn infer(
    golden: &GoldenDir,
    network: &F1Network,
    source: &mut TokenSource,
) -> Result<(BTreeMap<String, Tensor>, Padding)> {
    let mut recorder = Recorder::on();
    let (understanding, padding) = embed(golden, network, &mut recorder)?;
    let foresight = network.foresight()?;
    let frames = golden.history()?.narrow(1, 0, golden.observed)?;
    let (batch, count, channels, height, width) = frames.dims5()?;
    let flat = frames.reshape((batch * count, channels, height, width))?;
    recorder.set_prefix("vq.");
    let vectors = tokenise(network, &flat, &mut recorder)?;
    let (_, positions, codes) = vectors.dims3()?;
    let history = vectors.reshape((batch, count, positions, codes))?;

    let prefix =
        network.perceive(&understanding, &padding, Some(&history), source, &mut recorder)?;
    recorder.set_prefix("gen.");
    recorder.keep("all_logits", &Tensor::cat(&prefix.logits, 1)?);
    recorder.keep("all_indices", &Tensor::cat(&prefix.tokens, 1)?);
    if let Some(f_hat) = &prefix.f_hat {
        recorder.set_prefix("");
        recorder.keep("foresight.image", &foresight.tokenizer.decode(f_hat)?);
    }
    recorder.set_prefix("");
    wm_tables(network, batch, foresight.config.num_resolutions, &mut recorder)?;
    prefix_masks(network, &padding, foresight.config.num_resolutions, &mut recorder)?;
    act(golden, network, &prefix, &mut recorder)?;
    let mut found = recorder.into_tensors();
    join_state(network, &mut found, prefix.tokens.len().max(1))?;
    Ok((found, padding))
}

/// The actions and every step toward them.
pub(super) fn act(
    golden: &GoldenDir,
    network: &F1Network,
    prefix: &PrefixState,
    recorder: &mut Recorder,
) -> Result<()> {
    let config = network.config();
    let state = golden.padded("state", config.max_state_dim)?;
    let noise = golden.input("noise")?.to_dtype(DType::F32)?;
    let actions = network.act(prefix, &state, &noise, None, recorder)?;
    recorder.set_prefix("");
    recorder.keep("actions_padded", &actions);
    if let Some(expected) = golden.outputs.get("infer.actions") {
        let width = expected.dim(2)?.min(config.max_action_dim);
        recorder.keep("actions", &actions.narrow(2, 0, width)?);
    }
    let batch = prefix.padding.batch();
    for (step, time) in network.actions().times().iter().enumerate() {
        recorder
            .keep(format_args!("act.step{step}.time"), &Tensor::full(*time, batch, &Device::Cpu)?);
    }
    action_masks(network, prefix, recorder)
}

/// Puts the state's row in front of every step's rows: the reference runs the state with the chunk
/// in every step, this network only in the first one.
pub(super) fn join_state(
    network: &F1Network,
    found: &mut BTreeMap<String, Tensor>,
    base: usize,
) -> Result<()> {
    let first = format!("pass{base}.act.");
    let rows: Vec<(String, Tensor)> = found
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(&first)?.to_string(), tensor)))
        .map(|(name, tensor)| Ok((name, tensor.narrow(1, 0, 1)?)))
        .collect::<Result<_>>()?;
    for step in 1..network.actions().times().len() {
        for (name, row) in &rows {
            if let Some(rest) = found.get_mut(&format!("pass{}.act.{name}", base + step)) {
                *rest = Tensor::cat(&[row, rest], 1)?;
            }
        }
    }
    if let (Some(state), Some(actions)) = (found.get("act.state"), found.get("act.step0.embs")) {
        let joined = Tensor::cat(&[state, actions], 1)?;
        found.insert("act.embs".to_string(), joined);
    }
    Ok(())
}

pub(super) fn reconstruct(
    golden: &GoldenDir,
    network: &F1Network,
) -> Result<BTreeMap<String, Tensor>> {
    let foresight = network.foresight()?;
    let tokenizer = &foresight.tokenizer;
    let frames = golden.history()?;
    let (batch, count, channels, height, width) = frames.dims5()?;
    let flat = frames.reshape((batch * count, channels, height, width))?;
    let mut wanted = 1;
    for (_, tensor) in golden.outputs.iter().filter(|(name, _)| name.starts_with("recon.")) {
        wanted = wanted.max(tensor.dims().first().copied().unwrap_or(1));
    }
    let flat = flat.narrow(0, 0, wanted.min(batch * count))?;
    let features = tokenizer.features(&flat, &mut Recorder::off())?;
    let tokens = tokenizer.quantizer().tokens(&features, &mut Recorder::off())?;
    let mut found = BTreeMap::new();
    found.insert("from_continuous_f".to_string(), tokenizer.decode(&features)?);
    for scale in 0..foresight.config.scales.len() {
        if golden.outputs.contains_key(&format!("recon.image_scale{scale}")) {
            let image = tokenizer.decode(&tokenizer.quantizer().accumulate(&tokens, scale + 1)?)?;
            found.insert(format!("image_scale{scale}"), image);
        }
    }
    let all = tokenizer.quantizer().accumulate(&tokens, foresight.config.scales.len())?;
    found.insert("image_last".to_string(), tokenizer.decode(&all)?);
    Ok(found)
}

/// Relative RMS error of quantised actions against the file's, given the file's foresight tokens.
pub(super) fn quantisation_error(golden: &GoldenDir, quant: Quant) -> Result<f64> {
    let network = F1Network::new(&golden.config, &golden.weights, Some(quant))?;
    let expected = |name: &str| {
        golden.outputs.get(name).ok_or_else(|| Error::input(format!("the outputs hold no {name}")))
    };
    let ids = expected("infer.gen.all_indices")?.to_dtype(DType::U32)?;
    let (found, _) = infer(golden, &network, &mut TokenSource::Fixed(ids))?;
    let wanted = expected("infer.actions_padded")?;
    let actions = found.get("actions_padded").ok_or_else(|| Error::input("no actions"))?;
    let mean = |tensor: Tensor| -> Result<f64> {
        Ok(f64::from(tensor.sqr()?.mean_all()?.to_scalar::<f32>()?))
    };
    Ok((mean((actions - wanted)?)? / mean(wanted.clone())?).sqrt())
}
