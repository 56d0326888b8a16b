//! Three decoder stacks under one attention.
//!
//! In every layer each expert present normalises and projects its own tokens; queries, keys and
//! values are joined along the sequence, rotated, attended once and split again; each expert then
//! applies its own output projection, residual, norm and MLP. [`Block`]s say which keys a row
//! attends to: in every mode of this model consecutive rows attend to the keys from the first one
//! up to a limit, so no mask is needed.

mod cache;
mod layer;
mod rope;

pub use cache::KvCache;
pub use layer::{DecoderLayer, RmsNorm};
pub use rope::{RopeTable, RopeTables};

pub use f1_kernels::Block;

use candle_core::{DType, Device, Tensor};
use f1_kernels::{self as ops, device};

use crate::config::ExpertConfig;
use crate::linear::Quant;
use crate::recorder::Recorder;
use crate::weights::Weights;
use crate::{Error, Result};

/// The experts by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads images and the prompt.
    Understanding,
    /// Predicts the foresight image.
    Generation,
    /// Generates actions.
    Action,
}

impl Role {
    /// Short name, as in golden files.
    pub fn short(self) -> &'static str {
        match self {
            Role::Understanding => "und",
            Role::Generation => "gen",
            Role::Action => "act",
        }
    }
}

/// The rows of a stream whose output is needed; the rest of the last layer is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All rows.
    All,
    /// The last row.
    Last,
    /// Keys and values only.
    Nothing,
}

/// One expert's tokens in a pass.
pub struct Stream {
    /// The expert.
    pub role: Role,
    /// Their embeddings `[batch, tokens, hidden]`.
    pub hidden: Tensor,
    /// The output that is needed.
    pub wanted: Wanted,
}

/// One decoder stack.
#[derive(Clone)]
pub struct Expert {
    layers: Vec<DecoderLayer>,
    norm: RmsNorm,
}

impl Expert {
    /// Reads a stack below `weights`.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(config: &ExpertConfig, quant: Option<Quant>, weights: &Weights) -> Result<Self> {
        let layers = (0..config.layers)
            .map(|index| DecoderLayer::new(config, quant, &weights.pp("layers").pp(index)))
            .collect::<Result<_>>()?;
        Ok(Self {
            layers,
            norm: RmsNorm::new(config.hidden_size, config.rms_norm_eps, &weights.pp("norm"))?,
        })
    }
}

/// The experts of a model.
#[derive(Clone)]
pub struct Experts {
    understanding: Expert,
    generation: Option<Expert>,
    action: Expert,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Experts {
    /// Combines the stacks; `config` is that of any stack, since all have the same heads.
    pub fn new(
        understanding: Expert,
        generation: Option<Expert>,
        action: Expert,
        config: &ExpertConfig,
    ) -> Self {
        Self {
            understanding,
            generation,
            action,
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
        }
    }

    /// Concatenates weights that multiply the same input, where none of them is trained.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn join(&mut self) -> Result<()> {
        let experts =
            [Some(&mut self.understanding), self.generation.as_mut(), Some(&mut self.action)];
        experts
            .into_iter()
            .flatten()
            .flat_map(|expert| &mut expert.layers)
            .try_for_each(DecoderLayer::join)
    }

    /// A cache with capacity for `tokens` tokens; without capacity while weights are trained,
    /// because their keys and values carry a gradient.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn cache(
        &self,
        batch: usize,
        tokens: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<KvCache> {
        let experts = [Some(&self.understanding), self.generation.as_ref(), Some(&self.action)];
        let mut layers = experts.into_iter().flatten().flat_map(|expert| &expert.layers);
        if layers.any(DecoderLayer::is_trained) {
            return Ok(KvCache::default());
        }
        let shape = [batch, tokens, self.kv_heads, self.head_dim];
        KvCache::with_capacity(self.understanding.layers.len(), shape, dtype, device)
    }

    fn expert(&self, role: Role) -> Result<&Expert> {
        match role {
            Role::Understanding => Ok(&self.understanding),
            Role::Generation => self
                .generation
                .as_ref()
                .ok_or_else(|| Error::input("this model has no generation expert")),
            Role::Action => Ok(&self.action),
        }
    }

    /// One pass over the streams in order, after the tokens of `cache`.
    ///
    /// `blocks` cover all rows of all streams in order; `key_bias` `[batch, 1, cached + new]` is
    /// added to the scores. Returns each stream's normed output (`None` where none is needed, one
    /// row where only the last is) and the cache with the new keys and values appended.
    ///
    /// # Errors
    /// A stream's expert is absent, or the blocks do not cover the rows.
    pub fn forward(
        &self,
        mut streams: Vec<Stream>,
        cache: &KvCache,
        rope: &RopeTable,
        blocks: &[Block],
        key_bias: Option<&Tensor>,
        recorder: &mut Recorder,
    ) -> Result<(Vec<Option<Tensor>>, KvCache)> {
        let experts =
            streams.iter().map(|stream| self.expert(stream.role)).collect::<Result<Vec<_>>>()?;
        let lengths = streams
            .iter()
            .map(|stream| stream.hidden.dim(1))
            .collect::<candle_core::Result<Vec<_>>>()?;
        let total: usize = lengths.iter().sum();
        if blocks.iter().map(|block| block.rows).sum::<usize>() != total {
            return Err(Error::input(format!(
                "attention blocks {blocks:?} do not cover {total} rows"
            )));
        }
        let _uploads = device::cache_uploads(rope.angles().device());
        let depth = self.understanding.layers.len();
        // The output of each stream's last MLP, which is not yet added to its residual stream.
        let mut deltas: Vec<Option<Tensor>> = streams.iter().map(|_| None).collect();
        let mut kept = Vec::with_capacity(depth);
        for index in 0..depth {
            let last = index + 1 == depth;
            // Every expert's keys and values first: all rows attend to all streams.
            let (mut normed, mut projected) = (Vec::new(), Vec::new());
            for ((stream, expert), delta) in streams.iter_mut().zip(&experts).zip(&mut deltas) {
                let layer = layer_of(expert, index)?;
                let (hidden, x) = layer.input_norm(&stream.hidden, delta.take().as_ref())?;
                recorder.keep(format_args!("{}.layer{index}.in", stream.role.short()), &hidden);
                let queries = !last || stream.wanted == Wanted::All;
                projected.push(layer.project(
                    &x,
                    queries,
                    [self.heads, self.kv_heads],
                    self.head_dim,
                )?);
                stream.hidden = hidden;
                normed.push(x);
            }
            let (key, value) = cache.extended(index, &mut projected, rope)?;

            let mut start = 0;
            for (at, (stream, expert)) in streams.iter_mut().zip(&experts).enumerate() {
                let length = lengths[at];
                let wanted = if last { stream.wanted } else { Wanted::All };
                let (first, rows) = match wanted {
                    Wanted::All => (0, length),
                    Wanted::Last => (length - 1, 1),
                    Wanted::Nothing => (length, 0),
                };
                if rows > 0 {
                    let layer = layer_of(expert, index)?;
                    let (query, hidden) = match projected[at].query.take() {
                        Some(query) => (query, stream.hidden.clone()),
                        None => {
                            let x = normed[at].narrow(1, first, rows)?;
                            let query = layer.query(&x, self.heads, self.head_dim)?;
                            (query, stream.hidden.narrow(1, first, rows)?)
                        }
                    };
                    let query = match projected[at].turned {
                        true => query,
                        false => ops::rope(&query, rope.rows(start + first, rows)?.angles())?,
                    };
                    let attended =
                        self.attend(&query, &key, &value, start + first, blocks, key_bias)?;
                    let (hidden, delta) = layer.finish(&hidden, &attended)?;
                    (stream.hidden, deltas[at]) = (hidden, Some(delta));
                }
                start += length;
            }
            recorder.keep(format_args!("kv.layer{index}.key"), &key);
            recorder.keep(format_args!("kv.layer{index}.value"), &value);
            kept.push((key, value));
        }

        let mut outputs = Vec::with_capacity(streams.len());
        for ((stream, expert), delta) in streams.iter().zip(&experts).zip(deltas) {
            outputs.push(if stream.wanted == Wanted::Nothing {
                None
            } else {
                let (hidden, out) = expert.norm.forward(&stream.hidden, delta.as_ref())?;
                recorder.keep(format_args!("{}.norm_in", stream.role.short()), &hidden);
                recorder.keep(format_args!("{}.out", stream.role.short()), &out);
                Some(out)
            });
        }
        Ok((outputs, cache.followed_by(kept, total)?))
    }

    /// Attention of the rows `first..` of the pass, block by block.
    fn attend(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        first: usize,
        blocks: &[Block],
        key_bias: Option<&Tensor>,
    ) -> Result<Tensor> {
        let rows = query.dim(1)?;
        let scale = (self.head_dim as f64).powf(-0.5);
        let total = key.dim(1)?;
        let mut of_rows = Vec::new();
        let mut at = 0;
        for block in blocks {
            let (from, to) = (at.max(first), (at + block.rows).min(first + rows));
            at += block.rows;
            if from < to {
                if block.keys > total {
                    return Err(Error::input(format!(
                        "attention block sees {} of {total} keys",
                        block.keys
                    )));
                }
                of_rows.push(Block { rows: to - from, keys: block.keys });
            }
        }
        Ok(ops::attention_in_blocks(query, key, value, key_bias, scale, &of_rows)?)
    }
}

fn layer_of(expert: &Expert, index: usize) -> Result<&DecoderLayer> {
    expert.layers.get(index).ok_or_else(|| Error::input(format!("an expert has no layer {index}")))
}
