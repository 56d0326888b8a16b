//! One decoder layer of one expert (Gemma layout), in two parts: before and after the shared
//! attention.

use candle_core::Tensor;
use f1_kernels as ops;

use crate::Result;
use crate::config::ExpertConfig;
use crate::linear::{Linear, Quant};
use crate::weights::Weights;

/// RMSNorm that multiplies by one plus its weight, in f32.
#[derive(Clone)]
pub struct RmsNorm {
    weight: Tensor,
    /// One plus the weight, if the weight is not trained.
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
        let scale = if weight.track_op() {
            None
        } else {
            Some((weight.to_dtype(candle_core::DType::F32)? + 1.0)?)
        };
        Ok(Self { weight, scale, epsilon })
    }

    /// `x` plus `delta` of the layer before, if there is one, and the norm of the sum over the last
    /// dimension.
    ///
    /// # Errors
    /// The width does not fit.
    pub fn forward(&self, x: &Tensor, delta: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let of_now;
        let scale = match &self.scale {
            Some(scale) => scale,
            None => {
                of_now = (self.weight.to_dtype(candle_core::DType::F32)? + 1.0)?;
                &of_now
            }
        };
        Ok(match delta {
            Some(delta) => ops::add_rms_norm(x, delta, scale, self.epsilon)?,
            None => (x.clone(), ops::rms_norm(x, scale, self.epsilon)?),
        })
    }
}

/// Queries, keys and values of one expert's tokens, not rotated, `[batch, tokens, heads or
/// kv_heads, head_dim]`.
pub(super) struct Projected {
    /// None where they are not needed.
    pub(super) query: Option<Tensor>,
    /// Whether the queries are already rotated.
    pub(super) turned: bool,
    /// All three as the result of one product, `[batch, tokens, heads + 2 kv_heads, head_dim]`, if
    /// they come from one.
    pub(super) all: Option<Tensor>,
    pub(super) key: Tensor,
    pub(super) value: Tensor,
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
    joined: Option<Joined>,
    /// Whether weights on a GPU become 8-bit floats when they are joined.
    fp8: bool,
}

/// Concatenated weights that multiply the same input.
#[derive(Clone)]
struct Joined {
    query_key_value: Linear,
    gate_up: Linear,
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
        let linear =
            |output, input, weights: &Weights| Linear::without_bias(output, input, quant, weights);
        Ok(Self {
            input_layernorm: RmsNorm::new(
                hidden,
                config.rms_norm_eps,
                &weights.pp("input_layernorm"),
            )?,
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
            joined: None,
            fp8: quant == Some(Quant::Fp8),
        })
    }

    /// Concatenates weights that multiply the same input: one product instead of three, one instead
    /// of two. For weights that are not trained; quantised ones stay unchanged.
    pub(super) fn join(&mut self) -> Result<()> {
        let (Some(mut query_key_value), Some(mut gate_up)) = (
            Linear::join([&mut self.q_proj, &mut self.k_proj, &mut self.v_proj])?,
            Linear::join([&mut self.gate_proj, &mut self.up_proj])?,
        ) else {
            return Ok(());
        };
        if self.fp8 {
            query_key_value.make_fp8([&mut self.q_proj, &mut self.k_proj, &mut self.v_proj])?;
            gate_up.make_fp8([&mut self.gate_proj, &mut self.up_proj])?;
            self.o_proj.make_fp8([])?;
            self.down_proj.make_fp8([])?;
        }
        self.joined = Some(Joined { query_key_value, gate_up });
        Ok(())
    }

    /// Whether any weight is tracked for a gradient.
    pub(super) fn is_trained(&self) -> bool {
        let linears = [
            &self.q_proj,
            &self.k_proj,
            &self.v_proj,
            &self.o_proj,
            &self.gate_proj,
            &self.up_proj,
            &self.down_proj,
        ];
        self.input_layernorm.weight.track_op()
            || self.post_attention_layernorm.weight.track_op()
            || linears.into_iter().any(Linear::is_trained)
    }

    /// The layer's input (`hidden` plus the `delta` of the layer before) and its norm, the input of
    /// the attention.
    pub(super) fn input_norm(
        &self,
        hidden: &Tensor,
        delta: Option<&Tensor>,
    ) -> Result<(Tensor, Tensor)> {
        self.input_layernorm.forward(hidden, delta)
    }

    /// Keys and values of all tokens, and with `queries` their queries.
    pub(super) fn project(
        &self,
        x: &Tensor,
        queries: bool,
        heads: [usize; 2],
        width: usize,
    ) -> Result<Projected> {
        let (batch, tokens, _) = x.dims3()?;
        let [heads, kv_heads] = heads;
        if let (Some(joined), true) = (&self.joined, queries) {
            let all = joined.query_key_value.forward(x)?;
            let all = all.reshape((batch, tokens, heads + 2 * kv_heads, width))?;
            return Ok(Projected {
                query: Some(all.narrow(2, 0, heads)?),
                turned: false,
                key: all.narrow(2, heads, kv_heads)?,
                value: all.narrow(2, heads + kv_heads, kv_heads)?,
                all: Some(all),
            });
        }
        let of = |linear: &Linear| -> Result<Tensor> {
            Ok(linear.forward(x)?.reshape((batch, tokens, kv_heads, width))?)
        };
        Ok(Projected {
            query: if queries { Some(self.query(x, heads, width)?) } else { None },
            turned: false,
            all: None,
            key: of(&self.k_proj)?,
            value: of(&self.v_proj)?,
        })
    }

    /// Queries alone, `[batch, tokens, heads, head_dim]`, not rotated.
    pub(super) fn query(&self, x: &Tensor, heads: usize, width: usize) -> Result<Tensor> {
        let (batch, tokens, _) = x.dims3()?;
        Ok(self.q_proj.forward(x)?.reshape((batch, tokens, heads, width))?)
    }

    /// The part after the attention: output projection, residual, norm, MLP. Returns the residual
    /// stream and the MLP's output, which the next norm adds.
    pub(super) fn finish(&self, hidden: &Tensor, attended: &Tensor) -> Result<(Tensor, Tensor)> {
        let (hidden, x) =
            self.post_attention_layernorm.forward(hidden, Some(&self.o_proj.forward(attended)?))?;
        let gated = match &self.joined {
            Some(joined) => ops::geglu_joined(&joined.gate_up.forward(&x)?)?,
            None => ops::geglu(&self.gate_proj.forward(&x)?, &self.up_proj.forward(&x)?)?,
        };
        Ok((hidden, self.down_proj.forward(&gated)?))
    }
}
