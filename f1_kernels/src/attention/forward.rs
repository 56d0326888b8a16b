//! The forward pass: tiles of queries against the packed keys and values of their head.

use super::super::microkernel::{multiply_rows, pack_rows, packed_rows_len, panel_columns};
use super::super::simd::{AlignedBuffer, MICRO_ROWS, PANEL_VECTORS, arch};
use super::tile::{PackHead, PackedHead, TILE_ROWS, Weights, score_stride, store, tile_weights};
use super::{Heads, Mask, Sizes};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// One tile: `TILE_ROWS` queries of one head.
struct Tile<'a> {
    batch: usize,
    head: usize,
    first: usize,
    rows: Vec<&'a mut [f32]>,
}

pub(super) fn forward(
    sizes: &Sizes,
    q: Heads,
    k: Heads,
    v: Heads,
    mask: Option<Mask>,
    scale: f32,
    out: &mut [f32],
) {
    let Sizes { batch, queries, keys, heads, kv_heads, width } = *sizes;
    if out.is_empty() {
        return;
    }
    let packed: Vec<PackedHead> = (0..batch * kv_heads)
        .into_par_iter()
        .map(|i| arch().dispatch(PackHead { sizes, k, v, batch: i / kv_heads, head: i % kv_heads }))
        .collect();
    let tiles_per_head = queries.div_ceil(TILE_ROWS);
    let mut tiles: Vec<Tile> = (0..batch * heads * tiles_per_head)
        .map(|i| Tile {
            batch: i / (heads * tiles_per_head),
            head: i / tiles_per_head % heads,
            first: i % tiles_per_head * TILE_ROWS,
            rows: Vec::with_capacity(TILE_ROWS),
        })
        .collect();
    for (i, row) in out.chunks_exact_mut(width).enumerate() {
        let (token, head) = (i / heads, i % heads);
        let (b, query) = (token / queries, token % queries);
        tiles[(b * heads + head) * tiles_per_head + query / TILE_ROWS].rows.push(row);
    }
    let score_stride = score_stride(keys);
    tiles.par_iter_mut().for_each_init(
        || {
            let queries = AlignedBuffer::zeroed(packed_rows_len(TILE_ROWS, width));
            (queries, AlignedBuffer::zeroed(TILE_ROWS * score_stride))
        },
        |(packed_queries, scores), tile| {
            let head = &packed[tile.batch * kv_heads + tile.head / (heads / kv_heads)];
            let query_stride = q.token_stride;
            let q = q.from(tile.batch, tile.first, tile.head);
            let mask = mask.map(|mask| mask.rows(tile.batch, tile.first, tile.rows.len(), keys));
            arch().dispatch(AttendTile {
                sizes,
                q,
                query_stride,
                head,
                mask,
                scale,
                rows: &mut tile.rows,
                packed_queries: packed_queries.as_mut_slice(),
                scores: scores.as_mut_slice(),
                score_stride,
            });
        },
    );
}

struct AttendTile<'a, 'b> {
    sizes: &'a Sizes,
    /// The tile's first query; the next ones are `query_stride` apart.
    q: &'a [f32],
    query_stride: usize,
    head: &'a PackedHead,
    mask: Option<&'a [f32]>,
    scale: f32,
    rows: &'a mut [&'b mut [f32]],
    packed_queries: &'a mut [f32],
    scores: &'a mut [f32],
    score_stride: usize,
}

impl WithSimd for AttendTile<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            sizes,
            q,
            query_stride,
            head,
            mask,
            scale,
            rows,
            packed_queries,
            scores,
            score_stride,
        } = self;
        let Sizes { keys, width, .. } = *sizes;
        let columns = panel_columns::<S>();
        let count = rows.len();
        pack_rows(q, count, width, query_stride, 1, scale, packed_queries);
        let (value_panels, _) = S::as_simd_f32s(head.values.as_slice());
        let (value_panels, _) = value_panels.as_chunks::<PANEL_VECTORS>();

        let Weights { runs, inverse } = tile_weights(
            simd,
            sizes,
            packed_queries,
            count,
            &head.keys,
            mask,
            scores,
            score_stride,
        );
        let blocks = count.div_ceil(MICRO_ROWS);
        for block in 0..blocks {
            let mut a: [&[f32]; MICRO_ROWS] = [&[]; MICRO_ROWS];
            for (r, a) in a.iter_mut().enumerate() {
                *a = &scores[(block * MICRO_ROWS + r) * score_stride..][..keys];
            }
            for first in (0..width).step_by(columns) {
                let panel = first / columns;
                let used = columns.min(width - first);
                let b = &value_panels[panel * keys..(panel + 1) * keys];
                let first_row = block * MICRO_ROWS;
                let last_row = (first_row + MICRO_ROWS).min(count);
                let out = &mut rows[first_row..last_row];
                let inverse = &inverse[first_row..last_row];
                match used.div_ceil(S::F32_LANES) {
                    1 => weigh::<S, 1>(simd, &a, b, &runs, inverse, out, first, used),
                    2 => weigh::<S, 2>(simd, &a, b, &runs, inverse, out, first, used),
                    _ => weigh::<S, 3>(simd, &a, b, &runs, inverse, out, first, used),
                }
            }
        }
    }
}

/// Columns `first..first + used` of the output rows: the weighted sum of the values over all runs
/// of keys.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "one inlined step of the tile above")]
fn weigh<S: Simd, const V: usize>(
    simd: S,
    weights: &[&[f32]; MICRO_ROWS],
    values: &[[S::f32s; PANEL_VECTORS]],
    runs: &[(usize, usize)],
    inverse: &[f32],
    out: &mut [&mut [f32]],
    first: usize,
    used: usize,
) {
    let mut acc = [[simd.splat_f32s(0.0); V]; MICRO_ROWS];
    for &(from, to) in runs {
        acc = multiply_rows::<S, V>(simd, weights, from, &values[from..to], acc);
    }
    for ((out, acc), &inverse) in out.iter_mut().zip(acc).zip(inverse) {
        let inverse = simd.splat_f32s(inverse);
        let mut scaled = acc;
        for value in &mut scaled {
            *value = simd.mul_f32s(*value, inverse);
        }
        store(simd, &scaled, &mut out[first..first + used]);
    }
}
