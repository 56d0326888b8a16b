//! Which rank keeps the optimizer state of which elements, and which gradients travel together.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};

use crate::Result;

/// Least size of a bucket's gradients. Smaller messages cost a network more than their bytes;
/// larger ones leave when more of the backward pass is over.
pub const BUCKET_BYTES: usize = 8 << 20;

/// Trained tensors whose gradients travel in one message: neighbours in the order of the slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The tensors, by their place among the slots.
    pub slots: Range<usize>,
    /// Where each of them begins in the bucket.
    pub starts: Vec<usize>,
    /// Elements of all of them.
    pub elements: usize,
    /// Elements of each rank's share: equal shares, so that the last may be longer than what is
    /// left for it.
    pub share: usize,
}

/// The division of a run's trained tensors between ranks (ZeRO stage 1): every rank keeps moments,
/// and f32 values of bf16 tensors, of an equal part of every bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Buckets in the order of the slots.
    pub buckets: Vec<Bucket>,
    /// The rank whose shares these are.
    pub rank: usize,
    /// How many ranks there are.
    pub size: usize,
    /// By slot: the elements of the flattened tensor that this rank updates.
    owned: Vec<Range<usize>>,
}

impl Layout {
    /// Divides tensors, given by elements and number type; a bucket holds tensors of one type and
    /// at least `bytes` of f32 gradients, unless the type changes or the tensors end.
    #[must_use]
    pub fn new(tensors: &[(usize, DType)], rank: usize, size: usize, bytes: usize) -> Self {
        let mut buckets: Vec<Bucket> = Vec::new();
        let mut full = true;
        for (index, (elements, dtype)) in tensors.iter().enumerate() {
            if full || tensors[index - 1].1 != *dtype {
                buckets.push(Bucket {
                    slots: index..index,
                    starts: Vec::new(),
                    elements: 0,
                    share: 0,
                });
            }
            let Some(bucket) = buckets.last_mut() else { continue };
            bucket.starts.push(bucket.elements);
            bucket.elements += elements;
            bucket.slots.end += 1;
            full = bucket.elements * DType::F32.size_in_bytes() >= bytes;
        }
        let mut owned = Vec::with_capacity(tensors.len());
        for bucket in &mut buckets {
            // Even, so that shares of two-byte numbers are whole words.
            bucket.share = bucket.elements.div_ceil(size).next_multiple_of(2);
            let mine = rank * bucket.share..(rank + 1) * bucket.share;
            for (slot, start) in bucket.slots.clone().zip(&bucket.starts) {
                let end = start + tensors[slot].0;
                let from = mine.start.clamp(*start, end);
                let to = mine.end.clamp(*start, end);
                owned.push(from - start..to - start);
            }
        }
        Self { buckets, rank, size, owned }
    }

    /// The elements of a slot's flattened tensor that this rank updates.
    #[must_use]
    pub fn owned(&self, slot: usize) -> Range<usize> {
        self.owned[slot].clone()
    }

    /// Bytes of optimizer state in this rank's shares: two moments, and the f32 value of a tensor
    /// that is not f32.
    #[must_use]
    pub fn state_bytes(&self, tensors: &[(usize, DType)]) -> usize {
        let of = |(owned, (_, dtype)): (&Range<usize>, &(usize, DType))| {
            owned.len() * if *dtype == DType::F32 { 8 } else { 12 }
        };
        self.owned.iter().zip(tensors).map(of).sum()
    }
}

impl Bucket {
    /// Elements of all shares: what a message has.
    #[must_use]
    pub fn padded(&self, size: usize) -> usize {
        self.share * size
    }

    /// Elements of the slot at a place in the bucket.
    #[must_use]
    pub fn length(&self, place: usize) -> usize {
        self.starts.get(place + 1).unwrap_or(&self.elements) - self.starts[place]
    }

    /// A rank's share as a message: the owned elements of its slots and zeros up to the share's
    /// length. `part` gives a slot's owned elements, flat.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn share_of(
        &self,
        layout: &Layout,
        dtype: DType,
        device: &Device,
        part: impl Fn(usize) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut parts = Vec::new();
        for slot in self.slots.clone().filter(|slot| !layout.owned(*slot).is_empty()) {
            parts.push(part(slot)?.to_dtype(dtype)?.to_device(device)?);
        }
        let filled: usize = parts.iter().map(Tensor::elem_count).sum();
        if filled < self.share {
            parts.push(Tensor::zeros(self.share - filled, dtype, device)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// A slot's elements, flat, in the shares of all ranks.
    ///
    /// # Errors
    /// When the shares are shorter than the bucket.
    pub fn tensor(&self, gathered: &Tensor, slot: usize) -> Result<Tensor> {
        let place = slot - self.slots.start;
        Ok(gathered.narrow(0, self.starts[place], self.length(place))?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_element_has_one_owner_and_shares_are_equal(
            sizes in proptest::collection::vec((1usize..3000, any::<bool>()), 1..40),
            size in 1usize..9,
            bytes in 1usize..20_000,
        ) {
            let tensors: Vec<(usize, DType)> = sizes
                .iter()
                .map(|(elements, half)| (*elements, if *half { DType::BF16 } else { DType::F32 }))
                .collect();
            let all: Vec<Layout> =
                (0..size).map(|rank| Layout::new(&tensors, rank, size, bytes)).collect();
            for (slot, (elements, _)) in tensors.iter().enumerate() {
                let mut next = 0;
                for layout in &all {
                    let owned = layout.owned(slot);
                    if owned.is_empty() {
                        continue;
                    }
                    prop_assert_eq!(owned.start, next);
                    next = owned.end;
                }
                prop_assert_eq!(next, *elements);
            }
            let buckets = &all[0].buckets;
            prop_assert!(all.iter().all(|layout| &layout.buckets == buckets));
            let mut next = 0;
            for (index, bucket) in buckets.iter().enumerate() {
                prop_assert_eq!(bucket.slots.start, next);
                next = bucket.slots.end;
                let dtype = tensors[bucket.slots.start].1;
                prop_assert!(tensors[bucket.slots.clone()].iter().all(|tensor| tensor.1 == dtype));
                let more = tensors.get(bucket.slots.end).is_some_and(|tensor| tensor.1 == dtype);
                prop_assert!(!more || bucket.elements * 4 >= bytes, "bucket {}", index);
                prop_assert!(bucket.padded(size) >= bucket.elements && bucket.share % 2 == 0);
                prop_assert!(bucket.padded(size) - bucket.elements <= 2 * size);
            }
            prop_assert_eq!(next, tensors.len());
        }
    }

    #[test]
    fn state_is_divided_by_the_number_of_ranks() {
        let tensors = [(1000, DType::BF16), (4000, DType::BF16), (600, DType::F32)];
        let alone = Layout::new(&tensors, 0, 1, 1).state_bytes(&tensors);
        assert_eq!(alone, 5000 * 12 + 600 * 8);
        for rank in 0..4 {
            assert_eq!(Layout::new(&tensors, rank, 4, 1).state_bytes(&tensors) * 4, alone);
        }
    }
}
