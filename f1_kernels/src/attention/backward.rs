//! The backward pass. Attention weights are computed again tile by tile, so nothing of the size of
//! the scores is kept.
//!
//! With P the weights, G the gradient of the output O: dV = P^T G, dP = G V^T, dS = P (dP -
//! rowsum(G O)), dQ = s dS K, dK = s dS^T Q.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::tile::{PackHead, TILE_ROWS, Weights, score_stride, store, tile_weights};
use super::{Heads, Mask, Sizes};
use crate::microkernel::{
    multiply, multiply_rows, multiply_strided, pack_columns, pack_rows, packed_rows_len,
    panel_columns,
};
use crate::simd::{AlignedBuffer, MICRO_ROWS, PANEL_VECTORS, arch};

/// The inputs of the backward pass; `out` and `grad` have the layout of `q`.
pub(super) struct Arguments<'a> {
    pub sizes: Sizes,
    pub q: Heads<'a>,
    pub k: Heads<'a>,
    pub v: Heads<'a>,
    pub out: Heads<'a>,
    pub grad: Heads<'a>,
    pub scale: f32,
}

/// Gradients of queries, keys and values, each contiguous.
pub(super) fn backward(arguments: &Arguments, mask: Option<Mask>) -> [Vec<f32>; 3] {
    let Sizes { batch, queries, keys, heads, kv_heads, width } = arguments.sizes;
    let parts: Vec<HeadGradients> = (0..batch * kv_heads)
        .into_par_iter()
        .map(|i| {
            let (batch, head) = (i / kv_heads, i % kv_heads);
            arch().dispatch(BackwardHead { arguments, mask, batch, head })
        })
        .collect();
    let mut dq = vec![0f32; batch * queries * heads * width];
    let mut dk = vec![0f32; batch * keys * kv_heads * width];
    let mut dv = vec![0f32; batch * keys * kv_heads * width];
    let group = heads / kv_heads;
    for (i, part) in parts.iter().enumerate() {
        let (b, head) = (i / kv_heads, i % kv_heads);
        for (j, row) in part.queries.chunks_exact(width).enumerate() {
            let (member, query) = (j / queries, j % queries);
            let at = ((b * queries + query) * heads + head * group + member) * width;
            dq[at..at + width].copy_from_slice(row);
        }
        for (target, source) in [(&mut dk, &part.keys), (&mut dv, &part.values)] {
            for (key, row) in source.chunks_exact(width).enumerate() {
                let at = ((b * keys + key) * kv_heads + head) * width;
                target[at..at + width].copy_from_slice(row);
            }
        }
    }
    [dq, dk, dv]
}

/// Gradients of one key/value head of one batch row.
struct HeadGradients {
    /// `[member of the group][query][width]`.
    queries: Vec<f32>,
    /// `[key][width]`.
    keys: Vec<f32>,
    /// `[key][width]`.
    values: Vec<f32>,
}

struct BackwardHead<'a> {
    arguments: &'a Arguments<'a>,
    mask: Option<Mask<'a>>,
    batch: usize,
    head: usize,
}

impl WithSimd for BackwardHead<'_> {
    type Output = HeadGradients;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> HeadGradients {
        let Self { arguments, mask, batch, head } = self;
        let Arguments { sizes, q, k, v, out, grad, scale } = arguments;
        let Sizes { queries, keys, heads, kv_heads, width, .. } = *sizes;
        let columns = panel_columns::<S>();
        let group = heads / kv_heads;
        // Keys and values once as panels over keys (for products with queries) and keys as panels
        // over the width.
        let over_keys = PackHead { sizes, k: *k, v: *k, batch, head }.with_simd(simd);
        let mut packed_values = AlignedBuffer::zeroed(keys.div_ceil(columns) * columns * width);
        let values = v.from(batch, 0, head);
        pack_columns(values, width, keys, 1, v.token_stride, columns, packed_values.as_mut_slice());

        let stride = score_stride(keys);
        let tile_len = packed_rows_len(TILE_ROWS, width);
        let panels_len = width.div_ceil(columns) * columns * TILE_ROWS;
        let mut packed_rows = AlignedBuffer::zeroed(tile_len);
        let mut weights = AlignedBuffer::zeroed(TILE_ROWS * stride);
        let mut slopes = AlignedBuffer::zeroed(TILE_ROWS * stride);
        let mut query_panels = AlignedBuffer::zeroed(panels_len);
        let mut grad_panels = AlignedBuffer::zeroed(panels_len);
        let mut gradients = HeadGradients {
            queries: vec![0f32; group * queries * width],
            keys: vec![0f32; keys * width],
            values: vec![0f32; keys * width],
        };
        for member in 0..group {
            let query_head = head * group + member;
            for first in (0..queries).step_by(TILE_ROWS) {
                let count = TILE_ROWS.min(queries - first);
                let q_rows = q.from(batch, first, query_head);
                let grad_rows = grad.from(batch, first, query_head);
                let out_rows = out.from(batch, first, query_head);
                pack_rows(
                    q_rows,
                    count,
                    width,
                    q.token_stride,
                    1,
                    *scale,
                    packed_rows.as_mut_slice(),
                );
                let mask = mask.map(
                    #[inline(always)]
                    |mask| mask.rows(batch, first, count, keys),
                );
                let rows = packed_rows.as_slice();
                let scores = weights.as_mut_slice();
                let Weights { runs, inverse } =
                    tile_weights(simd, sizes, rows, count, &over_keys.keys, mask, scores, stride);
                for (row, inverse) in scores.chunks_exact_mut(stride).zip(inverse).take(count) {
                    for &(from, to) in &runs {
                        row[from..to].iter_mut().for_each(|weight| *weight *= inverse);
                    }
                }

                let tile = Tile { sizes, count, stride, runs: &runs };

                // dP = G V^T into `slopes`, then dS = P (dP - rowsum(G O)) in place.
                let packed = packed_rows.as_mut_slice();
                pack_rows(grad_rows, count, width, grad.token_stride, 1, 1.0, packed);
                tile.product_over_keys(simd, packed, &packed_values, slopes.as_mut_slice());
                let dot = |row: usize| -> f32 {
                    let grad = &grad_rows[row * grad.token_stride..][..width];
                    let out = &out_rows[row * out.token_stride..][..width];
                    grad.iter().zip(out).map(|(a, b)| a * b).sum()
                };
                tile.score_gradients(weights.as_slice(), slopes.as_mut_slice(), dot);

                // dQ = s dS K.
                let dq =
                    &mut gradients.queries[(member * queries + first) * width..][..count * width];
                tile.query_gradients(simd, slopes.as_slice(), &over_keys.values, *scale, dq);

                // dV += P^T G and dK += s dS^T Q.
                let used = width.div_ceil(columns) * columns * count;
                for (rows, row_stride, panels) in [
                    (q_rows, q.token_stride, &mut query_panels),
                    (grad_rows, grad.token_stride, &mut grad_panels),
                ] {
                    let panels = &mut panels.as_mut_slice()[..used];
                    pack_columns(rows, count, width, row_stride, 1, columns, panels);
                }
                let (values, keys) = (&mut gradients.values, &mut gradients.keys);
                tile.add_transposed(simd, weights.as_slice(), grad_panels.as_slice(), 1.0, values);
                tile.add_transposed(simd, slopes.as_slice(), query_panels.as_slice(), *scale, keys);
            }
        }
        gradients
    }
}

/// One tile of `count` query rows. Its scratch has a row of `stride` numbers, one for each key, for
/// each query; only those within `runs` of keys are used.
struct Tile<'a> {
    sizes: &'a Sizes,
    count: usize,
    stride: usize,
    runs: &'a [(usize, usize)],
}

impl Tile<'_> {
    /// `out[r][key] = rows[r] . keys[key]`.
    #[inline(always)]
    fn product_over_keys<S: Simd>(
        &self,
        simd: S,
        rows: &[f32],
        packed: &AlignedBuffer,
        out: &mut [f32],
    ) {
        let width = self.sizes.width;
        let columns = panel_columns::<S>();
        let (panels, _) = S::as_simd_f32s(packed.as_slice());
        let (panels, _) = panels.as_chunks::<PANEL_VECTORS>();
        for &(from, to) in self.runs {
            for first in (from..to).step_by(columns) {
                let used = columns.min(to - first);
                let b = &panels[first / columns * width..(first / columns + 1) * width];
                for block in 0..self.count.div_ceil(MICRO_ROWS) {
                    let rows = &rows[block * MICRO_ROWS * width..(block + 1) * MICRO_ROWS * width];
                    let (a, _) = rows.as_chunks::<MICRO_ROWS>();
                    let zero = [[simd.splat_f32s(0.0); PANEL_VECTORS]; MICRO_ROWS];
                    let acc = multiply::<S, PANEL_VECTORS>(simd, a, b, zero);
                    for (r, acc) in acc.iter().enumerate() {
                        let at = (block * MICRO_ROWS + r) * self.stride + first;
                        store(simd, acc, &mut out[at..at + used]);
                    }
                }
            }
        }
    }

    /// `slopes[r][key] = weights[r][key] * (slopes[r][key] - dot(r))`.
    #[inline(always)]
    fn score_gradients(&self, weights: &[f32], slopes: &mut [f32], dot: impl Fn(usize) -> f32) {
        for row in 0..self.count {
            let dot = dot(row);
            for &(from, to) in self.runs {
                let slopes = &mut slopes[row * self.stride..][from..to];
                let weights = &weights[row * self.stride..][from..to];
                for (slope, weight) in slopes.iter_mut().zip(weights) {
                    *slope = weight * (*slope - dot);
                }
            }
        }
    }

    /// `dq[r] = scale * sum_key slopes[r][key] * keys[key]`; `packed` holds the keys as panels over
    /// the width.
    #[inline(always)]
    fn query_gradients<S: Simd>(
        &self,
        simd: S,
        slopes: &[f32],
        packed: &AlignedBuffer,
        scale: f32,
        dq: &mut [f32],
    ) {
        let Sizes { keys, width, .. } = *self.sizes;
        let columns = panel_columns::<S>();
        let (panels, _) = S::as_simd_f32s(packed.as_slice());
        let (panels, _) = panels.as_chunks::<PANEL_VECTORS>();
        for block in 0..self.count.div_ceil(MICRO_ROWS) {
            let mut a: [&[f32]; MICRO_ROWS] = [&[]; MICRO_ROWS];
            for (r, a) in a.iter_mut().enumerate() {
                *a = &slopes[(block * MICRO_ROWS + r) * self.stride..][..keys];
            }
            for (panel, b) in panels.chunks_exact(keys).enumerate() {
                let mut acc = [[simd.splat_f32s(0.0); PANEL_VECTORS]; MICRO_ROWS];
                for &(from, to) in self.runs {
                    acc = multiply_rows::<S, PANEL_VECTORS>(simd, &a, from, &b[from..to], acc);
                }
                let column = panel * columns;
                let used = columns.min(width - column);
                let rows = dq.chunks_exact_mut(width).skip(block * MICRO_ROWS);
                for (row, mut acc) in rows.zip(acc) {
                    for value in &mut acc {
                        *value = simd.mul_f32s(*value, simd.splat_f32s(scale));
                    }
                    store(simd, &acc, &mut row[column..column + used]);
                }
            }
        }
    }

    /// `target[key] += factor * sum_r weights[r][key] * rows[r]`; `panels` are the packed rows.
    #[inline(always)]
    fn add_transposed<S: Simd>(
        &self,
        simd: S,
        weights: &[f32],
        panels: &[f32],
        factor: f32,
        target: &mut [f32],
    ) {
        let width = self.sizes.width;
        let columns = panel_columns::<S>();
        let factor = simd.splat_f32s(factor);
        let (panels, _) = S::as_simd_f32s(panels);
        let (panels, _) = panels.as_chunks::<PANEL_VECTORS>();
        for &(from, to) in self.runs {
            for first in (from..to).step_by(MICRO_ROWS) {
                let keys = MICRO_ROWS.min(to - first);
                let panels = panels.chunks_exact(self.count).take(width.div_ceil(columns));
                for (panel, b) in panels.enumerate() {
                    let zero = [[simd.splat_f32s(0.0); PANEL_VECTORS]; MICRO_ROWS];
                    let weights = &weights[first..];
                    let acc =
                        multiply_strided::<S, PANEL_VECTORS>(simd, weights, self.stride, b, zero);
                    let column = panel * columns;
                    let used = columns.min(width - column);
                    let rows =
                        target[first * width..(first + keys) * width].chunks_exact_mut(width);
                    for (row, acc) in rows.zip(acc) {
                        let parts = row[column..column + used].chunks_mut(S::F32_LANES);
                        for (part, acc) in parts.zip(acc) {
                            let sum = simd.mul_add_f32s(acc, factor, simd.partial_load_f32s(part));
                            simd.partial_store_f32s(part, sum);
                        }
                    }
                }
            }
        }
    }
}
