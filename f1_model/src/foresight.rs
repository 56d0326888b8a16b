//! What surrounds the generation expert: temporal convolution, embeddings, positions, head.

use candle_core::{DType, Tensor};
use f1_kernels::{self as ops, LayerNormWeights};

use crate::config::GenerationConfig;
use crate::linear::Linear;
use crate::recorder::Recorder;
use crate::weights::Weights;
use crate::{Error, Result};

/// LayerNorm epsilon of the head.
const HEAD_EPSILON: f64 = 1e-5;

/// What makes condition tokens of the whole code maps of the history.
///
/// The convolution over time goes to the expert's width and not to that of a code: the released
/// layout's leaves of four frames as many numbers as one frame has.
#[derive(Clone)]
struct FullMap {
    weight: Tensor,
    bias: Tensor,
    positions: Tensor,
    tokens: usize,
}

/// Embeddings and head of the generation expert.
#[derive(Clone)]
pub struct ForesightHeads {
    temporal_weight: Tensor,
    temporal_bias: Tensor,
    kernel: usize,
    stride: usize,
    wm_embeddings: Linear,
    wm_hist_pos_embs: Tensor,
    wm_sos_token_embs: Tensor,
    wm_cond_pos_embs: Tensor,
    wm_output_position_embedding: Tensor,
    lvl_embed: Tensor,
    lvl_1l: Tensor,
    mask_embedding: Tensor,
    full_map: Option<FullMap>,
    norm: LayerNormWeights,
    wm_out_proj: Linear,
    /// What the continuous map has beyond the expected codes.
    wm_map_proj: Option<Linear>,
    tokens: usize,
    scales: Vec<usize>,
}

impl ForesightHeads {
    /// Reads the heads below `weights` (`model`).
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(config: &GenerationConfig, weights: &Weights) -> Result<Self> {
        let (width, codes, tokens) =
            (config.expert.hidden_size, config.tokenizer.z_channels, config.total_tokens());
        let kernel = config.temporal_kernel;
        let levels: Vec<u32> = config
            .scales
            .iter()
            .enumerate()
            .flat_map(|(index, side)| std::iter::repeat_n(index as u32, side * side))
            .collect();
        let lvl_embed = weights.get((config.scales.len(), width), "lvl_embed.weight")?;
        Ok(Self {
            temporal_weight: weights.get((codes, codes, kernel), "temporal_conv.conv.weight")?,
            temporal_bias: weights.get(codes, "temporal_conv.conv.bias")?,
            kernel,
            stride: config.temporal_stride,
            wm_embeddings: Linear::new(width, codes, &weights.pp("wm_embeddings"))?,
            wm_hist_pos_embs: weights.get((1, tokens - 1, codes), "wm_hist_pos_embs")?,
            wm_sos_token_embs: weights.get((1, 1, width), "wm_sos_token_embs")?,
            wm_cond_pos_embs: weights.get((1, tokens, width), "wm_cond_pos_embs")?,
            wm_output_position_embedding: weights
                .get((1, tokens, width), "wm_output_position_embedding")?,
            lvl_1l: Tensor::from_vec(levels, tokens, lvl_embed.device())?,
            lvl_embed,
            mask_embedding: weights.get((1, 1, codes), "mask_embedding")?,
            full_map: match config.full_map_tokens() {
                0 => None,
                tokens => Some(FullMap {
                    weight: weights.get((width, codes, kernel), "full_map_conv.conv.weight")?,
                    bias: weights.get(width, "full_map_conv.conv.bias")?,
                    positions: weights.get((1, tokens, width), "wm_full_map_pos_embs")?,
                    tokens,
                }),
            },
            norm: LayerNormWeights::new(
                weights.get(width, "wm_out_layer_norm.weight")?,
                weights.get(width, "wm_out_layer_norm.bias")?,
            )?,
            wm_out_proj: Linear::new(
                config.tokenizer.vocab_size,
                width,
                &weights.pp("wm_out_proj"),
            )?,
            wm_map_proj: match config.continuous_map {
                true => Some(Linear::new(codes, width, &weights.pp("wm_map_proj"))?),
                false => None,
            },
            tokens,
            scales: config.scales.clone(),
        })
    }

    /// Condition tokens: those of the whole code map, where there are any, then one for each token
    /// of all scales.
    pub fn condition_tokens(&self) -> usize {
        self.tokens + self.full_map.as_ref().map_or(0, |map| map.tokens)
    }

    /// Tokens of all scales.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Side of each scale.
    pub fn scales(&self) -> &[usize] {
        &self.scales
    }

    /// The fixed vector that stands for a hidden input token, `[1, 1, codes]`.
    pub fn mask_embedding(&self) -> &Tensor {
        &self.mask_embedding
    }

    /// Output positions plus scale embeddings, `[1, tokens, width]`.
    ///
    /// # Errors
    /// The tensor operation fails.
    pub fn output_table(&self) -> Result<Tensor> {
        let levels = self.lvl_embed.index_select(&self.lvl_1l, 0)?.unsqueeze(0)?;
        Ok((&self.wm_output_position_embedding + levels)?)
    }

    /// Condition tokens `[batch, condition tokens, width]` of a history `[batch, frames, vectors,
    /// codes]` (see [`crate::tokenizer::Quantizer::history_vectors`]), the output table not yet
    /// added to the last.
    ///
    /// # Errors
    /// The history does not reduce to one step.
    pub fn condition(&self, history: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        let (batch, frames, vectors, codes) = history.dims4()?;
        let positions = self.tokens - 1;
        let wanted = self.condition_tokens() - 1;
        if vectors != wanted {
            return Err(Error::input(format!(
                "a history of {vectors} vectors a frame, the condition takes {wanted}"
            )));
        }
        if frames < self.kernel || (frames - self.kernel) / self.stride != 0 {
            return Err(Error::input(format!(
                "a history of {frames} frames with kernel {} and stride {} does not reduce to one step",
                self.kernel, self.stride
            )));
        }
        // One output step sees the first `kernel` frames.
        let joined = history.narrow(1, 0, self.kernel)?.transpose(1, 2)?.reshape((
            batch,
            vectors,
            self.kernel * codes,
        ))?;
        let of_scales = match self.full_map {
            Some(_) => joined.narrow(1, 0, positions)?.contiguous()?,
            None => joined.clone(),
        };
        let merged = over_time(&of_scales, &self.temporal_weight, &self.temporal_bias)?;
        recorder.keep("wm.temporal", &merged.unsqueeze(1)?);
        let merged = merged.broadcast_add(&self.wm_hist_pos_embs)?;
        let embedded = self.wm_embeddings.forward(&merged)?;
        let start = self.wm_sos_token_embs.broadcast_as((batch, 1, embedded.dim(2)?))?;
        let condition = Tensor::cat(&[&start.contiguous()?, &embedded], 1)?
            .broadcast_add(&self.wm_cond_pos_embs)?;
        let Some(full_map) = &self.full_map else { return Ok(condition) };
        let maps = joined.narrow(1, positions, full_map.tokens)?.contiguous()?;
        let maps = over_time(&maps, &full_map.weight, &full_map.bias)?
            .broadcast_add(&full_map.positions)?;
        Ok(Tensor::cat(&[&maps, &condition], 1)?)
    }

    /// Adds the first row of the output table to the last condition token: it predicts the first
    /// scale.
    ///
    /// # Errors
    /// The tensor operation fails.
    pub fn open_first_scale(&self, condition: &Tensor, table: &Tensor) -> Result<Tensor> {
        let last = self.condition_tokens() - 1;
        let opened = condition.narrow(1, last, 1)?.broadcast_add(&table.narrow(1, 0, 1)?)?;
        Ok(Tensor::cat(&[&condition.narrow(1, 0, last)?, &opened], 1)?)
    }

    /// Input tokens `[batch, n, width]` from map vectors `[batch, n, codes]` that start at token
    /// `offset` of the output table.
    ///
    /// # Errors
    /// The table is shorter.
    pub fn scale_input(&self, vectors: &Tensor, table: &Tensor, offset: usize) -> Result<Tensor> {
        let rows = table.narrow(1, offset, vectors.dim(1)?)?;
        Ok(self.wm_embeddings.forward(vectors)?.broadcast_add(&rows)?)
    }

    /// Embeds map vectors without positions.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn embed(&self, vectors: &Tensor) -> Result<Tensor> {
        self.wm_embeddings.forward(vectors)
    }

    /// Expert outputs `[batch, n, width]` normalised for the heads, in f32.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn normed(&self, out: &Tensor) -> Result<Tensor> {
        Ok(ops::layer_norm(&out.to_dtype(DType::F32)?, &self.norm, HEAD_EPSILON)?)
    }

    /// Logits `[batch, n, vocabulary]` in f32 of [`ForesightHeads::normed`] outputs.
    ///
    /// # Errors
    /// The widths do not fit.
    pub fn logits(&self, normed: &Tensor) -> Result<Tensor> {
        self.wm_out_proj.forward(normed)
    }

    /// What the continuous map has beyond the expected codes of the last scale, `[batch, codes,
    /// side, side]`, of [`ForesightHeads::normed`] outputs `[batch, side^2, width]`; none in models
    /// without it.
    ///
    /// # Errors
    /// The outputs are not those of the last scale.
    pub fn map_beyond_codes(&self, normed: &Tensor) -> Result<Option<Tensor>> {
        let Some(head) = &self.wm_map_proj else { return Ok(None) };
        let rows = head.forward(normed)?;
        let side = self.scales.last().copied().unwrap_or(1);
        let (batch, _, codes) = rows.dims3()?;
        Ok(Some(rows.transpose(1, 2)?.contiguous()?.reshape((batch, codes, side, side))?))
    }
}

/// A convolution over time with one output step: `joined` `[batch, n, time * in]` with frames
/// joined along their channels, `weight` `[out, in, time]`.
fn over_time(joined: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (out, input, time) = weight.dims3()?;
    // As [out, time * in]. Made here and not once, because a weight in training changes under a
    // copy.
    let weight = weight.permute((0, 2, 1))?.reshape((out, time * input))?;
    Ok(ops::linear(joined, &weight, Some(bias))?)
}
