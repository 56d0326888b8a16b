//! Keys and values of the tokens of earlier passes.

use candle_core::{DType, Device, Tensor};
use f1_kernels as ops;

use super::layer::Projected;
use super::rope::RopeTable;
use crate::{Error, Result};

/// Rotated keys and values of earlier passes, a pair for each layer, `[batch, tokens, kv_heads,
/// head_dim]`.
#[derive(Clone, Default)]
pub struct KvCache {
    layers: Vec<(Tensor, Tensor)>,
    /// Tokens held; the tensors may have capacity for more.
    filled: usize,
    /// The memory of all layers, if they are views of one block: `[2 layers, batch, capacity,
    /// kv_heads, head_dim]`.
    block: Option<Tensor>,
}

impl KvCache {
    /// Empty, with capacity for the tokens of `shape` `[batch, tokens, kv_heads, head_dim]`. Passes
    /// write new keys and values in place where they fit, instead of copying the earlier ones;
    /// those that carry a gradient are always copied.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn with_capacity(
        layers: usize,
        shape: [usize; 4],
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let [batch, tokens, heads, width] = shape;
        let block = Tensor::zeros((2 * layers, batch, tokens, heads, width), dtype, device)?;
        Self::of_block(block, 0)
    }

    /// A cache in a block as of [`KvCache::block`], whose first `filled` tokens are held.
    pub(crate) fn of_block(block: Tensor, filled: usize) -> Result<Self> {
        let layers = (0..block.dim(0)? / 2)
            .map(|layer| Ok((block.get(2 * layer)?, block.get(2 * layer + 1)?)));
        Ok(Self { layers: layers.collect::<Result<_>>()?, filled, block: Some(block) })
    }

    /// The memory of all layers, if it is one block, `[2 layers, batch, capacity, kv_heads,
    /// head_dim]`.
    pub(crate) fn block(&self) -> Option<&Tensor> {
        self.block.as_ref()
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// A copy with capacity for `tokens` more.
    ///
    /// Several passes after the same copy write to the same memory: the caches that they return all
    /// hold the last pass's tokens. For the steps of the flow, whose caches are not kept.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn with_capacity_for(&self, tokens: usize) -> Result<Self> {
        let Some((key, _)) = self.layers.first() else {
            return Err(Error::input("a cache without layers has no capacity to extend"));
        };
        let (batch, _, heads, width) = key.dims4()?;
        let shape = [batch, self.filled + tokens, heads, width];
        let copy = Self::with_capacity(self.layers.len(), shape, key.dtype(), key.device())?;
        copy.copy_from(self)?;
        Ok(Self { filled: self.filled, ..copy })
    }

    /// Copies the tokens of `other` over the first tokens of this cache.
    ///
    /// # Errors
    /// The capacity is too small.
    pub fn copy_from(&self, other: &Self) -> Result<()> {
        match (&self.block, &other.block) {
            (Some(block), Some(from)) if from.dim(2)? == other.filled => {
                Ok(block.slice_set(from, 2, 0)?)
            }
            _ => {
                for ((key, value), (from_key, from_value)) in self.layers.iter().zip(&other.layers)
                {
                    key.slice_set(&from_key.narrow(1, 0, other.filled)?.contiguous()?, 1, 0)?;
                    value.slice_set(&from_value.narrow(1, 0, other.filled)?.contiguous()?, 1, 0)?;
                }
                Ok(())
            }
        }
    }

    /// Whether the next `tokens` tokens, of which `key` has some, are written in place.
    fn writes(&self, tokens: usize, key: &Tensor) -> Result<bool> {
        match &self.block {
            Some(block) => Ok(!key.track_op() && self.filled + tokens <= block.dim(2)?),
            None => Ok(false),
        }
    }

    /// Keys and values of layer `index`: those held, then those of the new tokens, one stream after
    /// another. Queries that come from one product with their keys are rotated with them.
    pub(super) fn extended(
        &self,
        index: usize,
        new: &mut [Projected],
        rope: &RopeTable,
    ) -> Result<(Tensor, Tensor)> {
        let lengths =
            new.iter().map(|new| new.key.dim(1)).collect::<candle_core::Result<Vec<_>>>()?;
        let total: usize = lengths.iter().sum();
        let held = self.layers.get(index);
        if let Some((key, value)) = held
            && new
                .iter()
                .try_fold(true, |all, new| Ok::<_, Error>(all && self.writes(total, &new.key)?))?
        {
            let mut first = 0;
            for (new, tokens) in new.iter_mut().zip(lengths) {
                let angles = rope.rows(first, tokens)?;
                let (at, angles) = (self.filled + first, angles.angles());
                match (&self.block, new.all.take(), &new.query) {
                    (Some(block), Some(all), Some(query)) => {
                        let layer = block.narrow(0, 2 * index, 2)?;
                        let query = ops::rope_joined(&all, query.dim(2)?, &layer, at, angles)?;
                        (new.query, new.turned) = (Some(query), true);
                    }
                    _ => {
                        ops::write_rows(key, at, &new.key, Some(angles))?;
                        ops::write_rows(value, at, &new.value, None)?;
                    }
                }
                first += tokens;
            }
            let all = self.filled + total;
            return Ok((key.narrow(1, 0, all)?, value.narrow(1, 0, all)?));
        }
        let join_of = |part: fn(&Projected) -> &Tensor| {
            join(&new.iter().map(|new| part(new).clone()).collect::<Vec<_>>(), 1)
        };
        let key = ops::rope(&join_of(|new| &new.key)?, rope.angles())?;
        let value = join_of(|new| &new.value)?;
        let behind = |old: &Tensor, new: Tensor| -> Result<Tensor> {
            match self.filled {
                0 => Ok(new),
                filled => Ok(Tensor::cat(&[&old.narrow(1, 0, filled)?, &new], 1)?),
            }
        };
        match held {
            Some((old_key, old_value)) => Ok((behind(old_key, key)?, behind(old_value, value)?)),
            None => Ok((key, value)),
        }
    }

    /// The cache after a pass that added `tokens`; `layers` are its keys and values.
    pub(super) fn followed_by(&self, layers: Vec<(Tensor, Tensor)>, tokens: usize) -> Result<Self> {
        let filled = self.filled + tokens;
        // When they were written in place, the layers are still views of the same memory.
        match &self.block {
            Some(block)
                if filled <= block.dim(2)? && !layers.iter().any(|(key, _)| key.track_op()) =>
            {
                Self::of_block(block.clone(), filled)
            }
            _ => Ok(Self { layers, filled, block: None }),
        }
    }

    /// The first `tokens` tokens; a pass after them overwrites the memory behind.
    ///
    /// # Errors
    /// It holds fewer.
    pub fn first(&self, tokens: usize) -> Result<Self> {
        if tokens > self.filled {
            return Err(Error::input(format!(
                "the first {tokens} of {} cached tokens",
                self.filled
            )));
        }
        match &self.block {
            Some(block) => Self::of_block(block.clone(), tokens),
            None => {
                let first = |tensor: &Tensor| tensor.narrow(1, 0, tokens);
                let layers =
                    self.layers.iter().map(|(key, value)| Ok((first(key)?, first(value)?)));
                Ok(Self { layers: layers.collect::<Result<_>>()?, filled: tokens, block: None })
            }
        }
    }

    /// These tokens, and behind them those of `other` from the token `first` on, in memory of their
    /// own.
    ///
    /// # Errors
    /// `other` has another shape or fewer tokens.
    pub fn followed_by_tail(&self, other: &Self, first: usize) -> Result<Self> {
        let tail = other.filled.checked_sub(first).ok_or_else(|| {
            Error::input(format!("the tokens from {first} on of {} cached ones", other.filled))
        })?;
        let joined = self.with_capacity_for(tail)?;
        for ((key, value), (from_key, from_value)) in joined.layers.iter().zip(&other.layers) {
            key.slice_set(&from_key.narrow(1, first, tail)?.contiguous()?, 1, self.filled)?;
            value.slice_set(&from_value.narrow(1, first, tail)?.contiguous()?, 1, self.filled)?;
        }
        Ok(Self { filled: self.filled + tail, ..joined })
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys and values of each layer.
    ///
    /// # Errors
    /// The tensor operation fails.
    pub fn layers(&self) -> Result<Vec<(Tensor, Tensor)>> {
        let held = |tensor: &Tensor| tensor.narrow(1, 0, self.filled);
        self.layers.iter().map(|(key, value)| Ok((held(key)?, held(value)?))).collect()
    }
}

/// Concatenation without a copy for a single part.
pub(super) fn join(parts: &[Tensor], dim: usize) -> Result<Tensor> {
    match parts {
        [single] => Ok(single.clone()),
        parts => Ok(Tensor::cat(parts, dim)?),
    }
}
