//! One decoder layer of one expert (Gemma layout), cut where the shared attention goes through it.

use candle_core::Tensor;

use crate::config::ExpertConfig;
use crate::linear::{Linear, Quant};
use crate::weights::Weights;
use crate::{Result, ops};

/// RMSNorm that multiplies by one plus its weight, in f32.
#[derive(Clone)]
pub struct RmsNorm {
    weight: Tensor,
    /// One plus the weight, when the weight is not being trained.
    scale: Option<Tensor>,
    epsilon: f64,
}

impl RmsNorm {
    /// Reads the weight below `weights`.
    ///
    /// # Errors
    /// It is missing or mis-shaped.
    pub fn new(width: usize, epsilon: f64, weights: &Weights) -> Result<Self> {
        let weight = weights.get(width, "weight")?;
        let scale =
            if weight.track_op() { None } else { Some((weight.to_dtype(candle_core::DType::F32)? + 1.0)?) };
        Ok(Self { weight, scale, epsilon })
    }

    /// Normalises the last dimension.
    ///
    /// # Errors
    /// The width does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.scale {
            Some(scale) => Ok(ops::rms_norm(x, scale, self.epsilon)?),
            None => Ok(ops::rms_norm(x, &(&self.weight + 1.0)?, self.epsilon)?),
        }
    }
}

/// One decoder layer.
#[derive(Clone)]
pub struct DecoderLayer {
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl DecoderLayer {
    /// Reads the layer below `weights`.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(config: &ExpertConfig, quant: Option<Quant>, weights: &Weights) -> Result<Self> {
        let (hidden, mlp) = (config.hidden_size, config.intermediate_size);
        let (query, key) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        let attention = weights.pp("self_attn");
        let gated = weights.pp("mlp");
        let linear = |output, input, weights: &Weights| Linear::without_bias(output, input, quant, weights);
        Ok(Self {
            input_layernorm: RmsNorm::new(hidden, config.rms_norm_eps, &weights.pp("input_layernorm"))?,
            post_attention_layernorm: RmsNorm::new(
                hidden,
                config.rms_norm_eps,
                &weights.pp("post_attention_layernorm"),
            )?,
            q_proj: linear(query, hidden, &attention.pp("q_proj"))?,
            k_proj: linear(key, hidden, &attention.pp("k_proj"))?,
            v_proj: linear(key, hidden, &attention.pp("v_proj"))?,
            o_proj: linear(hidden, query, &attention.pp("o_proj"))?,
            gate_proj: linear(mlp, hidden, &gated.pp("gate_proj"))?,
            up_proj: linear(mlp, hidden, &gated.pp("up_proj"))?,
            down_proj: linear(hidden, mlp, &gated.pp("down_proj"))?,
        })
    }

    /// The normed input of the attention.
    pub(super) fn input_norm(&self, hidden: &Tensor) -> Result<Tensor> {
        self.input_layernorm.forward(hidden)
    }

    /// Keys and values, `[batch, tokens, kv_heads, head_dim]`, not rotated.
    pub(super) fn key_value(&self, x: &Tensor, heads: usize, width: usize) -> Result<(Tensor, Tensor)> {
        let (batch, tokens, _) = x.dims3()?;
        let shape = (batch, tokens, heads, width);
        Ok((self.k_proj.forward(x)?.reshape(shape)?, self.v_proj.forward(x)?.reshape(shape)?))
    }

    /// Queries, `[batch, tokens, heads, head_dim]`, not rotated.
    pub(super) fn query(&self, x: &Tensor, heads: usize, width: usize) -> Result<Tensor> {
        let (batch, tokens, _) = x.dims3()?;
        Ok(self.q_proj.forward(x)?.reshape((batch, tokens, heads, width))?)
    }

    /// Everything after the attention: output projection, residual, norm, MLP, residual.
    pub(super) fn finish(&self, hidden: &Tensor, attended: &Tensor) -> Result<Tensor> {
        let hidden = (hidden + self.o_proj.forward(attended)?)?;
        let x = self.post_attention_layernorm.forward(&hidden)?;
        let gated = ops::geglu(&self.gate_proj.forward(&x)?, &self.up_proj.forward(&x)?)?;
        Ok((hidden + self.down_proj.forward(&gated)?)?)
    }
}
