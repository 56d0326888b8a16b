//! The reference's layout of the files: names, masks, positions, and inputs as it joins them.

use candle_core::{DType, Device, Tensor};
use f1_model::network::{F1Network, PrefixState};
use f1_model::padding::Padding;
use f1_model::recorder::Recorder;
use f1_model::{Result, experts};

use super::compare::{F32, IMAGE, Rule};
use super::files::GoldenDir;

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

/// The rows of a tensor that are compared, none for all. Rows of padded understanding tokens
/// influence nothing and depend on the order of sums.
pub(super) fn rows_that_count(name: &str, padding: &Padding) -> Option<Vec<Vec<bool>>> {
    (name.contains(".und.") || name.contains(".kv.") || name == "prefix.out")
        .then(|| padding.rows().to_vec())
}

/// Whether the layout documents a tensor of the inference. If the files lack it, it is counted as
/// not compared.
pub(super) fn documented(name: &str) -> bool {
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

/// Understanding tokens of the inputs; cameras that no sample has are included.
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

/// Next-scale vectors of frames. They, features and tokens are recorded below the current prefix.
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

/// Attention flags and the position table of condition and scales.
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
