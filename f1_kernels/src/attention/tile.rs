//! Shared by forward and backward: packed heads, and the weights of one tile of queries.

use super::super::microkernel::{multiply, pack_columns, panel_columns};
use super::super::simd::{AlignedBuffer, MICRO_ROWS, PANEL_VECTORS, exp, sum_map};
use super::{Heads, Sizes};
use pulp::{Simd, WithSimd};

/// Queries of one head in one task.
pub(super) const TILE_ROWS: usize = 32;
/// A mask value at or below this hides its key.
const HIDDEN: f32 = -1e4;

/// Floats from one query's weights to the next: whole panels and one line more, so that rows fall
/// on different cache sets.
pub(super) fn score_stride(keys: usize) -> usize {
    keys.div_ceil(64) * 64 + 16
}

/// Keys and values of one key/value head of one batch row, packed once and read by all query tiles.
pub(super) struct PackedHead {
    /// `[key panel][width][columns]`.
    pub keys: AlignedBuffer,
    /// `[value panel][keys][columns]`.
    pub values: AlignedBuffer,
}

pub(super) struct PackHead<'a> {
    pub sizes: &'a Sizes,
    pub k: Heads<'a>,
    pub v: Heads<'a>,
    pub batch: usize,
    pub head: usize,
}

impl WithSimd for PackHead<'_> {
    type Output = PackedHead;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> PackedHead {
        let Sizes { keys, width, .. } = *self.sizes;
        let columns = panel_columns::<S>();
        let (k, v) = (self.k.from(self.batch, 0, self.head), self.v.from(self.batch, 0, self.head));
        let (k_row, v_row) = (self.k.token_stride, self.v.token_stride);
        let mut packed = PackedHead {
            keys: AlignedBuffer::zeroed(keys.div_ceil(columns) * columns * width),
            values: AlignedBuffer::zeroed(width.div_ceil(columns) * columns * keys),
        };
        pack_columns(k, width, keys, 1, k_row, columns, packed.keys.as_mut_slice());
        pack_columns(v, keys, width, v_row, 1, columns, packed.values.as_mut_slice());
        packed
    }
}

/// The attention weights of one tile, not yet divided by their sums, in `scores`
/// `[query][score_stride]`, within the runs of keys that some query sees; and the inverse of each
/// query's sum.
pub(super) struct Weights {
    pub runs: Vec<(usize, usize)>,
    pub inverse: [f32; TILE_ROWS],
}

/// Scores, mask and exponentials of one tile of `count` scaled queries packed by [`MICRO_ROWS`].
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "one inlined step of a tile")]
pub(super) fn tile_weights<S: Simd>(
    simd: S,
    sizes: &Sizes,
    packed_queries: &[f32],
    count: usize,
    packed_keys: &AlignedBuffer,
    mask: Option<&[f32]>,
    scores: &mut [f32],
    score_stride: usize,
) -> Weights {
    let Sizes { keys, width, .. } = *sizes;
    let columns = panel_columns::<S>();
    let (key_panels, _) = S::as_simd_f32s(packed_keys.as_slice());
    let (key_panels, _) = key_panels.as_chunks::<PANEL_VECTORS>();
    let blocks = count.div_ceil(MICRO_ROWS);

    // Runs of keys that some query of the tile sees, in whole panels.
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for first in (0..keys).step_by(columns) {
        let last = (first + columns).min(keys);
        let seen = mask.is_none_or(|mask| {
            mask.chunks_exact(keys).any(|row| row[first..last].iter().any(|&value| value > HIDDEN))
        });
        match runs.last_mut() {
            Some(run) if seen && run.1 == first => run.1 = last,
            _ if seen => runs.push((first, last)),
            _ => {}
        }
    }
    if runs.is_empty() {
        runs.push((0, keys));
    }

    for &(from, to) in &runs {
        for first in (from..to).step_by(columns) {
            let used = columns.min(to - first);
            let panel = first / columns;
            let b = &key_panels[panel * width..(panel + 1) * width];
            for block in 0..blocks {
                let (a, _) = packed_queries
                    [block * MICRO_ROWS * width..(block + 1) * MICRO_ROWS * width]
                    .as_chunks::<MICRO_ROWS>();
                let acc = multiply::<S, PANEL_VECTORS>(
                    simd,
                    a,
                    b,
                    [[simd.splat_f32s(0.0); PANEL_VECTORS]; MICRO_ROWS],
                );
                for (r, acc) in acc.iter().enumerate() {
                    let at = (block * MICRO_ROWS + r) * score_stride + first;
                    store(simd, acc, &mut scores[at..at + used]);
                }
            }
        }
    }

    let mut inverse = [0f32; TILE_ROWS];
    for (r, inverse) in inverse.iter_mut().enumerate().take(count) {
        let row = &mut scores[r * score_stride..][..keys];
        let mut top = f32::NEG_INFINITY;
        for &(from, to) in &runs {
            let part = &mut row[from..to];
            if let Some(mask) = mask {
                let row = if mask.len() == keys { 0 } else { r * keys };
                add_assign(simd, &mask[row + from..row + to], part);
            }
            top = top.max(maximum(simd, part));
        }
        let mut sum = 0f32;
        for &(from, to) in &runs {
            sum += exponentials(simd, top, &mut row[from..to]);
        }
        *inverse = 1.0 / sum;
    }
    Weights { runs, inverse }
}

#[inline(always)]
pub(super) fn store<S: Simd, const V: usize>(simd: S, values: &[S::f32s; V], out: &mut [f32]) {
    for (part, &value) in out.chunks_mut(S::F32_LANES).zip(values) {
        simd.partial_store_f32s(part, value);
    }
}

#[inline(always)]
fn add_assign<S: Simd>(simd: S, source: &[f32], out: &mut [f32]) {
    let (source, source_tail) = S::as_simd_f32s(source);
    let (out, out_tail) = S::as_mut_simd_f32s(out);
    for (out, &source) in out.iter_mut().zip(source) {
        *out = simd.add_f32s(*out, source);
    }
    for (out, source) in out_tail.iter_mut().zip(source_tail) {
        *out += source;
    }
}

#[inline(always)]
fn maximum<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (body, tail) = S::as_simd_f32s(x);
    let mut top = simd.splat_f32s(f32::NEG_INFINITY);
    for &v in body {
        top = simd.max_f32s(top, v);
    }
    tail.iter().fold(simd.reduce_max_f32s(top), |top, &v| top.max(v))
}

/// Replaces `x` by `e^(x - top)` and returns the sum.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, top: f32, x: &mut [f32]) -> f32 {
    let top = simd.splat_f32s(top);
    {
        let (body, tail) = S::as_mut_simd_f32s(x);
        for v in body {
            *v = exp(simd, simd.sub_f32s(*v, top));
        }
        if !tail.is_empty() {
            let value = exp(simd, simd.sub_f32s(simd.partial_load_f32s(tail), top));
            simd.partial_store_f32s(tail, value);
        }
    }
    sum_map(
        simd,
        x,
        #[inline(always)]
        |v| v,
    )
}
