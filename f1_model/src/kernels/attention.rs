//! Softmax attention with few key/value heads: a tile of queries at a time, so that the scores of the whole sequence
//! are never in memory at once, and key panels that the mask hides from a whole tile are never multiplied.

use super::microkernel::{multiply, multiply_rows, pack_columns, pack_rows, packed_rows_len, panel_columns};
use super::simd::{AlignedBuffer, MICRO_ROWS, PANEL_VECTORS, arch, exp, sum_map};
use super::{contiguous, is_fast};
use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Storage, Tensor, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Queries of one head that one task handles.
const TILE_ROWS: usize = 32;
/// A mask value at or below this hides its key.
const HIDDEN: f32 = -1e4;

/// Attention over grouped heads.
///
/// - `q` `[batch, queries, heads, width]`, `k` and `v` `[batch, keys, kv_heads, width]`; query head h reads key head
///   `h / (heads / kv_heads)`.
/// - `mask` `[batch or 1, queries or 1, keys]`, f32, added to the scaled scores: 0 where a query sees a key, a large negative
///   number where it does not. A query that sees no key at all gets an unspecified finite row.
/// - `scale` multiplies the scores.
///
/// Returns `[batch, queries, heads * width]`. Differentiable in `q`, `k` and `v`.
///
/// # Errors
/// Shapes that do not fit, or whatever the back end reports.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, scale: f64) -> Result<Tensor> {
    let sizes = Sizes::new(q.shape(), k.shape(), v.shape(), mask)?;
    let fast = is_fast(q) && is_fast(k) && is_fast(v) && mask.is_none_or(|mask| mask.dtype() == DType::F32);
    if !fast {
        return attention_plain(q, k, v, mask, scale);
    }
    let mask = mask.map(Tensor::contiguous).transpose()?;
    let op = Attention { mask, scale };
    let out = with_rows(q)?.apply_op3(&with_rows(k)?, &with_rows(v)?, op)?;
    out.reshape((sizes.batch, sizes.queries, sizes.heads * sizes.width))
}

/// The same by candle's own operations; scores and softmax in f32.
///
/// # Errors
/// As [`attention`].
pub fn attention_plain(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
) -> Result<Tensor> {
    let sizes = Sizes::new(q.shape(), k.shape(), v.shape(), mask)?;
    let probabilities = probabilities(&sizes, q, k, mask, scale)?;
    let v = v.transpose(1, 2)?.contiguous()?;
    let out = probabilities.to_dtype(v.dtype())?.matmul(&v)?;
    let out = out.reshape((sizes.batch, sizes.heads, sizes.queries, sizes.width))?;
    out.transpose(1, 2)?.reshape((sizes.batch, sizes.queries, sizes.heads * sizes.width))
}

/// `[batch, kv_heads, group * queries, keys]`, f32.
fn probabilities(sizes: &Sizes, q: &Tensor, k: &Tensor, mask: Option<&Tensor>, scale: f64) -> Result<Tensor> {
    let Sizes { batch, queries, keys, heads, kv_heads, width } = *sizes;
    let group = heads / kv_heads;
    let q = q.transpose(1, 2)?.contiguous()?.reshape((batch, kv_heads, group * queries, width))?;
    let k = k.transpose(1, 2)?.contiguous()?;
    let scores = (q.matmul(&k.transpose(2, 3)?)?.to_dtype(DType::F32)? * scale)?;
    let scores = match mask {
        Some(mask) => {
            let scores = scores.reshape((batch, heads, queries, keys))?;
            let scores = scores.broadcast_add(&mask.to_dtype(DType::F32)?.unsqueeze(1)?)?;
            scores.reshape((batch, kv_heads, group * queries, keys))?
        }
        None => scores,
    };
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?;
    let weights = shifted.exp()?;
    weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)
}

/// The tensor itself when its heads are rows without gaps, whatever the order of the other dimensions; else a copy.
fn with_rows(x: &Tensor) -> Result<Tensor> {
    if x.stride().last() == Some(&1) { Ok(x.clone()) } else { x.contiguous() }
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    batch: usize,
    queries: usize,
    keys: usize,
    heads: usize,
    kv_heads: usize,
    width: usize,
}

impl Sizes {
    fn new(q: &Shape, k: &Shape, v: &Shape, mask: Option<&Tensor>) -> Result<Self> {
        let (batch, queries, heads, width) = q.dims4()?;
        let (k_batch, keys, kv_heads, k_width) = k.dims4()?;
        let mask_fits = match mask {
            None => true,
            Some(mask) => {
                let (mask_batch, mask_queries, mask_keys) = mask.dims3()?;
                (mask_batch == 1 || mask_batch == batch)
                    && (mask_queries == 1 || mask_queries == queries)
                    && mask_keys == keys
            }
        };
        let heads_fit = kv_heads > 0 && heads % kv_heads == 0;
        if k != v || k_batch != batch || k_width != width || !heads_fit || keys == 0 || !mask_fits {
            bail!("attention: q {q:?}, k {k:?}, v {v:?}, mask {:?} do not fit", mask.map(Tensor::shape))
        }
        Ok(Self { batch, queries, keys, heads, kv_heads, width })
    }
}

/// Query, key or value heads `[batch, tokens, heads, width]` as they lie in memory.
#[derive(Clone, Copy)]
struct Heads<'a> {
    values: &'a [f32],
    start: usize,
    batch_stride: usize,
    token_stride: usize,
    head_stride: usize,
}

impl<'a> Heads<'a> {
    fn new(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let &[batch_stride, token_stride, head_stride, 1] = layout.stride() else {
            bail!("attention: a head is not a row in {layout:?}")
        };
        let values = storage.as_slice::<f32>()?;
        Ok(Self { values, start: layout.start_offset(), batch_stride, token_stride, head_stride })
    }

    /// Everything from one token of one head on; tokens are `token_stride` apart.
    fn from(&self, batch: usize, token: usize, head: usize) -> &'a [f32] {
        let at = batch * self.batch_stride + token * self.token_stride + head * self.head_stride;
        &self.values[self.start + at..]
    }
}

/// An additive mask `[batch or 1, queries or 1, keys]`.
#[derive(Clone, Copy)]
struct Mask<'a> {
    values: &'a [f32],
    batch: usize,
    queries: usize,
}

impl<'a> Mask<'a> {
    /// The rows for queries `first..first + count`: that many, or one that serves all.
    fn rows(&self, batch: usize, first: usize, count: usize, keys: usize) -> &'a [f32] {
        let batch = if self.batch == 1 { 0 } else { batch };
        let (first, count) =
            if self.queries == 1 { (batch, 1) } else { (batch * self.queries + first, count) };
        &self.values[first * keys..(first + count) * keys]
    }
}

struct Attention {
    mask: Option<Tensor>,
    scale: f64,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "f1-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = Sizes::new(lq.shape(), lk.shape(), lv.shape(), self.mask.as_ref())?;
        let (q, k, v) = (Heads::new(q, lq)?, Heads::new(k, lk)?, Heads::new(v, lv)?);
        let mut out = vec![0f32; lq.shape().elem_count()];
        match &self.mask {
            None => forward(&sizes, q, k, v, None, self.scale as f32, &mut out),
            Some(mask) => {
                let (storage, layout) = mask.storage_and_layout();
                let Storage::Cpu(storage) = &*storage else {
                    bail!("attention: the mask is on another device")
                };
                let (batch, queries, _) = layout.shape().dims3()?;
                let mask = Mask { values: contiguous(storage, layout)?, batch, queries };
                forward(&sizes, q, k, v, Some(mask), self.scale as f32, &mut out);
            }
        }
        Ok((CpuStorage::F32(out), lq.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes = Sizes::new(q.shape(), k.shape(), v.shape(), self.mask.as_ref())?;
        let Sizes { batch, queries, heads, kv_heads, width, .. } = sizes;
        let (q, k, v) = (q.detach(), k.detach(), v.detach());
        let rows = |x: &Tensor| -> Result<Tensor> {
            let x = x.detach().transpose(1, 2)?.contiguous()?;
            x.reshape((batch, kv_heads, heads / kv_heads * queries, width))
        };
        let p = probabilities(&sizes, &q, &k, self.mask.as_ref(), self.scale)?;
        let (q_rows, out_rows, grad_rows) = (rows(&q)?, rows(out)?, rows(grad)?);
        let (k_rows, v_rows) = (k.transpose(1, 2)?.contiguous()?, v.transpose(1, 2)?.contiguous()?);
        let dv = p.transpose(2, 3)?.matmul(&grad_rows)?;
        let dp = grad_rows.matmul(&v_rows.transpose(2, 3)?)?;
        let row_sums = (&grad_rows * &out_rows)?.sum_keepdim(D::Minus1)?;
        let ds = ((p * dp.broadcast_sub(&row_sums)?)? * self.scale)?;
        let dq = ds.matmul(&k_rows)?.reshape((batch, heads, queries, width))?;
        let dk = ds.transpose(2, 3)?.matmul(&q_rows)?;
        Ok((
            Some(dq.transpose(1, 2)?.contiguous()?),
            Some(dk.transpose(1, 2)?.contiguous()?),
            Some(dv.transpose(1, 2)?.contiguous()?),
        ))
    }
}

/// Keys and values of one key/value head of one batch row, packed once and read by all query tiles.
struct PackedHead {
    /// `[key panel][width][columns]`.
    keys: AlignedBuffer,
    /// `[value panel][keys][columns]`.
    values: AlignedBuffer,
}

struct PackHead<'a> {
    sizes: &'a Sizes,
    k: Heads<'a>,
    v: Heads<'a>,
    batch: usize,
    head: usize,
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

/// One tile: `TILE_ROWS` queries of one head.
struct Tile<'a> {
    batch: usize,
    head: usize,
    first: usize,
    rows: Vec<&'a mut [f32]>,
}

fn forward(sizes: &Sizes, q: Heads, k: Heads, v: Heads, mask: Option<Mask>, scale: f32, out: &mut [f32]) {
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
    let score_stride = keys.div_ceil(64) * 64 + 64;
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
        let Self { sizes, q, query_stride, head, mask, scale, rows, packed_queries, scores, score_stride } =
            self;
        let Sizes { keys, width, .. } = *sizes;
        let columns = panel_columns::<S>();
        let count = rows.len();
        pack_rows(q, count, width, query_stride, 1, scale, packed_queries);
        let (key_panels, _) = S::as_simd_f32s(head.keys.as_slice());
        let (key_panels, _) = key_panels.as_chunks::<PANEL_VECTORS>();
        let (value_panels, _) = S::as_simd_f32s(head.values.as_slice());
        let (value_panels, _) = value_panels.as_chunks::<PANEL_VECTORS>();

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

        let blocks = count.div_ceil(MICRO_ROWS);
        for &(from, to) in &runs {
            for first in (from..to).step_by(columns) {
                let used = columns.min(to - first);
                let panel = first / columns;
                let b = &key_panels[panel * width..(panel + 1) * width];
                for block in 0..blocks {
                    let (a, _) = packed_queries[block * MICRO_ROWS * width..(block + 1) * MICRO_ROWS * width]
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

/// Columns `first..first + used` of the output rows: the weighted sum of the values over all runs of keys.
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

#[inline(always)]
fn store<S: Simd, const V: usize>(simd: S, values: &[S::f32s; V], out: &mut [f32]) {
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
