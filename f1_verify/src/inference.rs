//! One call of the policy: every intermediate tensor, then bf16 and the model without a world
//! model.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use f1_model::checkpoint::{self, LoadPrecision};
use f1_model::config::Config;
use f1_model::linear::Quant;
use f1_model::network::{F1Network, PrefixState};
use f1_model::padding::Padding;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::{Error, Result, experts};

use super::compare::{Comparison, F32, IMAGE, Rule, gradient_floor};
use super::files::{GoldenDir, load};

/// Loose bound of actions and velocities in bf16.
const BF16_ACTIONS: f64 = 0.2;
/// Loose bound of the first scale's logits in bf16.
const BF16_LOGITS: f64 = 0.1;
/// That of the scales after it, whose inputs are rounded again at every scale.
const BF16_LATER_LOGITS: f64 = 0.3;

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
    bf16(golden, comparison)?;
    without_world_model(golden, comparison)
}

/// How a tensor of the inference or of a stage is compared.
pub(super) fn rule(name: &str) -> Rule {
    let integer = ["indices", "attention_mask", "position_ids", "pad_masks", "att_masks"]
        .iter()
        .any(|end| name.ends_with(end))
        || name.starts_with("vq.idx");
    if integer {
        Rule::Equal
    } else if name == "vq.f" || name.ends_with("image") {
        Rule::Absolute(IMAGE)
    } else {
        Rule::Absolute(F32)
    }
}

/// Rows of padded understanding tokens are a matter of arithmetic and influence nothing.
pub(super) fn rows_that_count(name: &str, padding: &Padding) -> Option<Vec<Vec<bool>>> {
    (name.contains(".und.") || name.contains(".kv.") || name == "prefix.out")
        .then(|| padding.rows().to_vec())
}

/// Whether the layout documents a tensor of the inference: its absence from the files is then worth
/// a count.
fn documented(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        ["pixel_values" | "siglip" | "prefix" | "wm" | "gen" | "foresight", ..] => true,
        ["actions" | "actions_padded"] | ["vq", "f" | "var_input"] | ["vq", "idx", _] => true,
        ["act", step, "x_t" | "time" | "v_t"] => step.starts_with("step"),
        ["act", "embs" | "att_masks" | "pad_masks" | "prefix_pad_masks"] => true,
        ["pass0", ..] => true,
        [pass, "gen" | "act", "out"] | [pass, "attention_mask" | "position_ids"] => {
            pass.starts_with("pass")
        }
        _ => false,
    }
}

/// Everything of one inference, under the names of the files.
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

/// Understanding tokens of the inputs, no camera left out.
pub(super) fn embed(
    golden: &GoldenDir,
    network: &F1Network,
    recorder: &mut Recorder,
) -> Result<(Tensor, Padding)> {
    let mut parts = Vec::new();
    let (ids, prompt_valid) = golden.prompt()?;
    let mut rows = vec![Vec::new(); prompt_valid.len()];
    for (index, images, valid) in golden.cameras()? {
        recorder.set_prefix("");
        recorder.keep(format_args!("pixel_values.{index}"), &images);
        recorder.set_prefix(format!("siglip.{index}."));
        let tokens = network.embed_images(&images, recorder)?;
        for (row, flag) in rows.iter_mut().zip(&valid) {
            row.extend(std::iter::repeat_n(*flag, tokens.dim(1)?));
        }
        parts.push(tokens);
    }
    parts.push(network.embed_prompt(&ids)?);
    for (row, flags) in rows.iter_mut().zip(&prompt_valid) {
        row.extend(flags);
    }
    let embedded = Tensor::cat(&parts, 1)?;
    recorder.set_prefix("prefix.");
    recorder.keep("embs", &embedded);
    recorder.keep("pad_masks", &bytes(&rows)?);
    recorder.keep(
        "att_masks",
        &Tensor::zeros((rows.len(), embedded.dim(1)?), DType::I64, &Device::Cpu)?,
    );
    Ok((embedded, Padding::new(rows)?))
}

/// Features, tokens and next-scale vectors of frames, kept under the recorder's prefix.
pub(super) fn tokenise(
    network: &F1Network,
    frames: &Tensor,
    recorder: &mut Recorder,
) -> Result<Tensor> {
    let tokenizer = &network.foresight()?.tokenizer;
    let features = tokenizer.features(frames, &mut Recorder::off())?;
    recorder.keep("f", &features);
    let tokens = tokenizer.quantizer().tokens(&features, recorder)?;
    let vectors = tokenizer.quantizer().next_scale_input(&tokens)?;
    recorder.keep("var_input", &vectors);
    Ok(vectors)
}

/// Flags and the position table as the reference lays them out.
pub(super) fn wm_tables(
    network: &F1Network,
    batch: usize,
    scales: usize,
    recorder: &mut Recorder,
) -> Result<()> {
    let heads = &network.foresight()?.heads;
    let table = heads.output_table()?;
    let zeros = Tensor::zeros((1, heads.tokens() - 1, table.dim(2)?), DType::F32, table.device())?;
    recorder.keep("wm.pos_lvl_embs", &Tensor::cat(&[&zeros, &table], 1)?);
    let mut flags = vec![0i64; heads.tokens() - 1];
    for side in heads.scales().iter().take(scales) {
        flags.push(1);
        flags.extend(std::iter::repeat_n(0, side * side - 1));
    }
    let count = flags.len();
    recorder.keep(
        "wm.att_masks",
        &Tensor::from_vec(flags.repeat(batch), (batch, count), &Device::Cpu)?,
    );
    recorder.keep("wm.pad_masks", &Tensor::ones((batch, count), DType::U8, &Device::Cpu)?);
    Ok(())
}

/// Masks and positions of the prefix passes.
pub(super) fn prefix_masks(
    network: &F1Network,
    padding: &Padding,
    scales: usize,
    recorder: &mut Recorder,
) -> Result<()> {
    let tokens = padding.tokens();
    let heads = &network.foresight()?.heads;
    let blocks = network.prefix_blocks(tokens, scales);
    let of_scales = blocks.len() - (scales - 1);
    let keys = tokens + heads.tokens();
    recorder.keep("pass0.attention_mask", &mask(padding, &blocks[..of_scales], 0, keys)?);
    recorder.keep("pass0.position_ids", &positions(&padding.positions(heads.tokens()), 0, keys)?);
    let mut first = keys;
    for (index, block) in blocks[of_scales..].iter().enumerate() {
        let pass = index + 1;
        recorder.keep(
            format_args!("pass{pass}.attention_mask"),
            &mask(padding, &[*block], first, block.keys)?,
        );
        let all = padding.positions(block.keys - tokens);
        recorder
            .keep(format_args!("pass{pass}.position_ids"), &positions(&all, first, block.rows)?);
        first = block.keys;
    }
    Ok(())
}

fn act(
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

/// Flags, masks and positions of the action pass.
pub(super) fn action_masks(
    network: &F1Network,
    prefix: &PrefixState,
    recorder: &mut Recorder,
) -> Result<()> {
    let chunk = network.config().chunk_size;
    let batch = prefix.padding.batch();
    let mut flags = vec![0f32; chunk + 1];
    flags[..2].fill(1.0);
    recorder.set_prefix("");
    recorder.keep(
        "act.att_masks",
        &Tensor::from_vec(flags.repeat(batch), (batch, chunk + 1), &Device::Cpu)?,
    );
    recorder.keep("act.pad_masks", &Tensor::ones((batch, chunk + 1), DType::U8, &Device::Cpu)?);
    let keys = prefix.cache.len();
    let mut rows = prefix.padding.rows().to_vec();
    rows.iter_mut().for_each(|row| row.resize(keys, true));
    recorder.keep("act.prefix_pad_masks", &bytes(&rows)?);
    let pass = prefix.tokens.len().max(1);
    let blocks = network.action_blocks(prefix);
    recorder.keep(
        format_args!("pass{pass}.attention_mask"),
        &mask(&prefix.padding, &blocks, keys, keys + 1 + chunk)?,
    );
    let all = prefix.padding.positions(prefix.following + 1 + chunk);
    recorder.keep(format_args!("pass{pass}.position_ids"), &positions(&all, keys, 1 + chunk)?);
    Ok(())
}

/// The reference runs the state with the chunk in every step, this network in the first alone: puts
/// its row in front of the others.
fn join_state(
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

/// Relative RMS error of quantised actions against the file's, with the file's foresight tokens
/// held fixed.
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

/// The published half-precision conversion. Later scales see other tokens once one flips, so the
/// tokens of the file are held fixed; then every number has a bound.
fn bf16(golden: &GoldenDir, comparison: &mut Comparison) -> Result<()> {
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
            // The file may hold the first samples only; the tokens of the others decide nothing
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
            BF16_ACTIONS
        } else if short == "gen.scale0.logits" {
            BF16_LOGITS
        } else if short.ends_with("logits") {
            BF16_LATER_LOGITS
        } else {
            comparison.leave(&format!("bf16.{name}"));
            continue;
        };
        match found.get(short) {
            Some(tensor) => {
                // Looser where numbers are larger than those the bounds were stated for.
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

/// The pi0 layout on the same weights.
fn without_world_model(golden: &GoldenDir, comparison: &mut Comparison) -> Result<()> {
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

/// Everything of the model without its generation expert, under the names of the files.
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
        super::stages::without_world_model(golden, &config, &mut found)?;
    }
    Ok((found, padding))
}

fn bytes(rows: &[Vec<bool>]) -> Result<Tensor> {
    let width = rows.first().map_or(0, Vec::len);
    let values: Vec<u8> = rows.iter().flatten().map(|flag| u8::from(*flag)).collect();
    Ok(Tensor::from_vec(values, (rows.len(), width), &Device::Cpu)?)
}

pub(super) fn mask(
    padding: &Padding,
    blocks: &[experts::Block],
    first: usize,
    keys: usize,
) -> Result<Tensor> {
    let dense = padding.dense_mask(blocks, first, keys);
    let rows = blocks.iter().map(|block| block.rows).sum::<usize>();
    let values: Vec<u8> = dense.iter().flatten().flatten().map(|flag| u8::from(*flag)).collect();
    Ok(Tensor::from_vec(values, (padding.batch(), rows, keys), &Device::Cpu)?)
}

pub(super) fn positions(all: &[Vec<i64>], first: usize, rows: usize) -> Result<Tensor> {
    let values: Vec<i64> = all.iter().flat_map(|row| row[first..first + rows].to_vec()).collect();
    Ok(Tensor::from_vec(values, (all.len(), rows), &Device::Cpu)?)
}
