//! Three decoder stacks under one attention.
//!
//! In every layer each expert present normalises and projects its own tokens; queries, keys and values are joined
//! along the sequence, rotated, attended once and split again; each expert then applies its own output projection,
//! residual, norm and MLP. Who sees whom is given as [`Block`]s: in every mode of this model a run of rows sees a
//! run of keys that starts at the first key, so no mask is ever built.

mod layer;
mod rope;

pub use layer::{DecoderLayer, RmsNorm};
pub use rope::RopeTable;

use candle_core::Tensor;

use crate::config::ExpertConfig;
use crate::linear::Quant;
use crate::recorder::Recorder;
use crate::weights::Weights;
use crate::{Error, Result, ops};

/// The experts by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sees and reads.
    Understanding,
    /// Foresees.
    Generation,
    /// Acts.
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

/// Which rows of a stream are wanted after the last layer; the rest of the last layer is skipped.
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
    /// Whose tokens.
    pub role: Role,
    /// Their embeddings `[batch, tokens, hidden]`.
    pub hidden: Tensor,
    /// What is wanted of them.
    pub wanted: Wanted,
}

/// A run of query rows that sees the keys `0..keys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Number of rows, following those of the previous block.
    pub rows: usize,
    /// Keys seen, counted from the first of the cache.
    pub keys: usize,
}

/// Rotated keys and values of earlier passes, a pair for each layer, `[batch, tokens, kv_heads, head_dim]`.
#[derive(Clone, Default)]
pub struct KvCache {
    layers: Vec<(Tensor, Tensor)>,
    /// Tokens held; the tensors may have room for more.
    filled: usize,
}

impl KvCache {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// A copy with room for `tokens` more, which passes after it write in place instead of copying everything behind it anew.
    ///
    /// Of several passes that follow the same cache with room only the last one's tokens stay, in every cache that they returned: for
    /// the steps of the flow, whose caches nobody keeps.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn with_room(&self, tokens: usize) -> Result<Self> {
        let roomy = |tensor: &Tensor| -> Result<Tensor> {
            let (batch, _, heads, width) = tensor.dims4()?;
            let shape = (batch, self.filled + tokens, heads, width);
            let room = Tensor::zeros(shape, tensor.dtype(), tensor.device())?;
            room.slice_set(&tensor.narrow(1, 0, self.filled)?.contiguous()?, 1, 0)?;
            Ok(room)
        };
        let layers = self.layers.iter().map(|(key, value)| Ok((roomy(key)?, roomy(value)?)));
        Ok(Self { layers: layers.collect::<Result<_>>()?, filled: self.filled })
    }

    /// Keys and values of layer `index` with the new tokens behind those held.
    fn extended(&self, index: usize, key: Tensor, value: Tensor) -> Result<(Tensor, Tensor)> {
        let Some((old_key, old_value)) = self.layers.get(index) else { return Ok((key, value)) };
        let extend = |old: &Tensor, new: Tensor| -> Result<Tensor> {
            let tokens = new.dim(1)?;
            if old.dim(1)? < self.filled + tokens {
                return Ok(Tensor::cat(&[&old.narrow(1, 0, self.filled)?, &new], 1)?);
            }
            old.slice_set(&new.contiguous()?, 1, self.filled)?;
            Ok(old.narrow(1, 0, self.filled + tokens)?)
        };
        Ok((extend(old_key, key)?, extend(old_value, value)?))
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys and values of each layer.
    pub fn layers(&self) -> &[(Tensor, Tensor)] {
        &self.layers
    }
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
        Ok(Self { layers, norm: RmsNorm::new(config.hidden_size, config.rms_norm_eps, &weights.pp("norm"))? })
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
    /// Joins the stacks; `config` is any of theirs, since heads are shared.
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

    fn expert(&self, role: Role) -> Result<&Expert> {
        match role {
            Role::Understanding => Ok(&self.understanding),
            Role::Generation => {
                self.generation.as_ref().ok_or_else(|| Error::input("this model has no generation expert"))
            }
            Role::Action => Ok(&self.action),
        }
    }

    /// One pass over the streams in order, after the tokens of `cache`.
    ///
    /// `blocks` cover all rows of all streams in order; `key_bias` `[batch, 1, cached + new]` is added to the scores.
    /// Returns each stream's normed output (`None` where nothing was wanted, one row where the last was) and the
    /// cache with the new keys and values appended.
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
        let experts = streams.iter().map(|stream| self.expert(stream.role)).collect::<Result<Vec<_>>>()?;
        let lengths =
            streams.iter().map(|stream| stream.hidden.dim(1)).collect::<candle_core::Result<Vec<_>>>()?;
        let total: usize = lengths.iter().sum();
        if blocks.iter().map(|block| block.rows).sum::<usize>() != total {
            return Err(Error::input(format!("attention blocks {blocks:?} do not cover {total} rows")));
        }
        let depth = self.understanding.layers.len();
        let mut kept = Vec::with_capacity(depth);
        for index in 0..depth {
            let last = index + 1 == depth;
            // Every expert's keys and values first: all rows attend to all streams.
            let mut normed = Vec::with_capacity(streams.len());
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (stream, expert) in streams.iter().zip(&experts) {
                recorder.keep(format_args!("{}.layer{index}.in", stream.role.short()), &stream.hidden);
                let layer = layer_of(expert, index)?;
                let x = layer.input_norm(&stream.hidden)?;
                let (key, value) = layer.key_value(&x, self.kv_heads, self.head_dim)?;
                keys.push(key);
                values.push(value);
                normed.push(x);
            }
            let key = ops::rope(&join(&keys, 1)?, &rope.cos, &rope.sin)?;
            let value = join(&values, 1)?;
            let (key, value) = cache.extended(index, key, value)?;

            let mut start = 0;
            for (((stream, expert), x), &length) in
                streams.iter_mut().zip(&experts).zip(&normed).zip(&lengths)
            {
                let wanted = if last { stream.wanted } else { Wanted::All };
                let (first, rows) = match wanted {
                    Wanted::All => (0, length),
                    Wanted::Last => (length - 1, 1),
                    Wanted::Nothing => (length, 0),
                };
                if rows > 0 {
                    let layer = layer_of(expert, index)?;
                    let (x, hidden) = if rows < length {
                        (x.narrow(1, first, rows)?, stream.hidden.narrow(1, first, rows)?)
                    } else {
                        (x.clone(), stream.hidden.clone())
                    };
                    let query = layer.query(&x, self.heads, self.head_dim)?;
                    let (cos, sin) =
                        (rope.cos.narrow(1, start + first, rows)?, rope.sin.narrow(1, start + first, rows)?);
                    let query = ops::rope(&query, &cos, &sin)?;
                    let attended = self.attend(&query, &key, &value, start + first, blocks, key_bias)?;
                    stream.hidden = layer.finish(&hidden, &attended)?;
                }
                start += length;
            }
            recorder.keep(format_args!("kv.layer{index}.key"), &key);
            recorder.keep(format_args!("kv.layer{index}.value"), &value);
            kept.push((key, value));
        }

        let mut outputs = Vec::with_capacity(streams.len());
        for (stream, expert) in streams.iter().zip(&experts) {
            outputs.push(if stream.wanted == Wanted::Nothing {
                None
            } else {
                recorder.keep(format_args!("{}.norm_in", stream.role.short()), &stream.hidden);
                let out = expert.norm.forward(&stream.hidden)?;
                recorder.keep(format_args!("{}.out", stream.role.short()), &out);
                Some(out)
            });
        }
        Ok((outputs, KvCache { layers: kept, filled: cache.filled + total }))
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
        let mut parts = Vec::new();
        let mut at = 0;
        for block in blocks {
            let (from, to) = (at.max(first), (at + block.rows).min(first + rows));
            at += block.rows;
            if from >= to {
                continue;
            }
            if block.keys > total {
                return Err(Error::input(format!("attention block sees {} of {total} keys", block.keys)));
            }
            let query =
                if to - from == rows { query.clone() } else { query.narrow(1, from - first, to - from)? };
            let (key, value, bias) = if block.keys == total {
                (key.clone(), value.clone(), key_bias.cloned())
            } else {
                (
                    key.narrow(1, 0, block.keys)?,
                    value.narrow(1, 0, block.keys)?,
                    key_bias.map(|bias| bias.narrow(2, 0, block.keys)).transpose()?,
                )
            };
            parts.push(ops::attention(&query, &key, &value, bias.as_ref(), scale)?);
        }
        join(&parts, 1)
    }
}

fn layer_of(expert: &Expert, index: usize) -> Result<&DecoderLayer> {
    expert.layers.get(index).ok_or_else(|| Error::input(format!("an expert has no layer {index}")))
}

/// Concatenation that costs nothing for a single part.
fn join(parts: &[Tensor], dim: usize) -> Result<Tensor> {
    match parts {
        [single] => Ok(single.clone()),
        parts => Ok(Tensor::cat(parts, dim)?),
    }
}
