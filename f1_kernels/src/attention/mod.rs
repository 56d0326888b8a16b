//! Softmax attention with few key/value heads: a tile of queries at a time, so that the scores of
//! the whole sequence are never in memory at once, and key panels that the mask hides from a whole
//! tile are never multiplied.

mod backward;
mod forward;
mod tile;

#[cfg(feature = "cuda")]
use super::cuda;
use super::{contiguous, is_fast, recomputed};
use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Storage, Tensor, bail};

/// Consecutive query rows that attend to the keys `0..keys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Number of rows, following those of the previous block.
    pub rows: usize,
    /// Keys attended to, counted from the first of the cache.
    pub keys: usize,
}

/// [`attention`] of queries in `blocks`, which together cover all queries in order. On a GPU two
/// blocks are one operation.
///
/// # Errors
/// The blocks do not cover the queries or attend to more keys than there are, or as [`attention`].
pub fn attention_in_blocks(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
    blocks: &[Block],
) -> Result<Tensor> {
    let (rows, keys) = (q.dim(1)?, k.dim(1)?);
    if blocks.iter().map(|block| block.rows).sum::<usize>() != rows
        || blocks.iter().any(|block| block.keys > keys || block.keys == 0)
    {
        bail!("attention: {blocks:?} for {rows} queries and {keys} keys")
    }
    #[cfg(feature = "cuda")]
    if let &[early, last] = blocks
        && last.keys == keys
        && Sizes::new(q.shape(), k.shape(), v.shape(), mask)?.kv_heads == 1
        && cuda::serves(q, &[k, v], true)
        && mask.is_none_or(|mask| cuda::serves(q, &[mask], false))
    {
        return cuda::attention_one_key_head(q, k, v, mask, scale, Some(early));
    }
    let mut parts = Vec::with_capacity(blocks.len());
    let mut first = 0;
    for block in blocks {
        let seen = |x: &Tensor, dim: usize| match block.keys == keys {
            true => Ok(x.clone()),
            false => x.narrow(dim, 0, block.keys),
        };
        let own = |x: &Tensor| {
            if block.rows == rows { Ok(x.clone()) } else { x.narrow(1, first, block.rows) }
        };
        let mask = match mask {
            Some(mask) if mask.dim(1)? == 1 => Some(seen(mask, 2)?),
            Some(mask) => Some(seen(&own(mask)?, 2)?),
            None => None,
        };
        parts.push(attention(&own(q)?, &seen(k, 1)?, &seen(v, 1)?, mask.as_ref(), scale)?);
        first += block.rows;
    }
    match parts.as_slice() {
        [single] => Ok(single.clone()),
        parts => Tensor::cat(parts, 1),
    }
}

/// Attention over grouped heads.
///
/// - `q` `[batch, queries, heads, width]`, `k` and `v` `[batch, keys, kv_heads, width]`; query head
///   h reads key head `h / (heads / kv_heads)`.
/// - `mask` `[batch or 1, queries or 1, keys]`, f32, added to the scaled scores: 0 where a query
///   sees a key, a large negative number where it does not. A query that sees no key at all gets an
///   unspecified finite row.
/// - `scale` multiplies the scores.
///
/// Returns `[batch, queries, heads * width]`. Differentiable in `q`, `k` and `v`.
///
/// # Errors
/// Shapes that do not fit, or an error of the device.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
) -> Result<Tensor> {
    let sizes = Sizes::new(q.shape(), k.shape(), v.shape(), mask)?;
    #[cfg(feature = "cuda")]
    if sizes.kv_heads == 1
        && cuda::serves(q, &[k, v], true)
        && mask.is_none_or(|mask| cuda::serves(q, &[mask], false))
    {
        return cuda::attention_one_key_head(q, k, v, mask, scale, None);
    }
    #[cfg(feature = "cuda")]
    if sizes.kv_heads == sizes.heads
        && sizes.queries == sizes.keys
        && mask.is_none()
        && cuda::serves(q, &[k, v], true)
    {
        return cuda::attention_of_heads(q, k, v, scale);
    }
    let fast = is_fast(q)
        && is_fast(k)
        && is_fast(v)
        && mask.is_none_or(|mask| mask.dtype() == DType::F32);
    if !fast && [q, k, v].into_iter().any(Tensor::track_op) {
        let of_mask = mask.cloned();
        let forward = |[q, k, v]: [&Tensor; 3]| attention(q, k, v, mask, scale);
        let plain =
            move |[q, k, v]: [&Tensor; 3]| attention_plain(q, k, v, of_mask.as_ref(), scale);
        return recomputed([q, k, v], forward, plain);
    }
    if !fast {
        return by_candle(&sizes, q, k, v, mask, scale, true);
    }
    let mask = mask.map(Tensor::contiguous).transpose()?;
    let op = Attention { mask, scale };
    let out = with_rows(q)?.apply_op3(&with_rows(k)?, &with_rows(v)?, op)?;
    out.reshape((sizes.batch, sizes.queries, sizes.heads * sizes.width))
}

/// [`attention`] by candle's own operations; scores and softmax in f32.
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
    by_candle(&sizes, q, k, v, mask, scale, false)
}

/// Two matrix products with the softmax between them; with `fused` by a kernel where there is one.
fn by_candle(
    sizes: &Sizes,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
    fused: bool,
) -> Result<Tensor> {
    let probabilities = probabilities(sizes, q, k, mask, scale, fused)?;
    let v = v.transpose(1, 2)?.contiguous()?;
    let out = probabilities.to_dtype(v.dtype())?.matmul(&v)?;
    let out = out.reshape((sizes.batch, sizes.heads, sizes.queries, sizes.width))?;
    out.transpose(1, 2)?.reshape((sizes.batch, sizes.queries, sizes.heads * sizes.width))
}

/// `[batch, kv_heads, group * queries, keys]`, f32.
fn probabilities(
    sizes: &Sizes,
    q: &Tensor,
    k: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
    fused: bool,
) -> Result<Tensor> {
    let Sizes { batch, queries, keys, heads, kv_heads, width } = *sizes;
    let group = heads / kv_heads;
    let q = q.transpose(1, 2)?.contiguous()?.reshape((batch, kv_heads, group * queries, width))?;
    let k = k.transpose(1, 2)?.contiguous()?;
    let scores = q.matmul(&k.transpose(2, 3)?)?;
    #[cfg(not(feature = "cuda"))]
    let _ = fused;
    #[cfg(feature = "cuda")]
    if fused && mask.is_none() && cuda::serves(&scores, &[], true) {
        return cuda::softmax(&scores, scale);
    }
    let scores = (scores.to_dtype(DType::F32)? * scale)?;
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

/// The tensor itself when the numbers of each head are contiguous, in any order of the other
/// dimensions; otherwise a contiguous copy.
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
            bail!(
                "attention: q {q:?}, k {k:?}, v {v:?}, mask {:?} do not fit",
                mask.map(Tensor::shape)
            )
        }
        Ok(Self { batch, queries, keys, heads, kv_heads, width })
    }
}

/// Query, key or value heads `[batch, tokens, heads, width]` with their strides.
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

    fn of(
        (storage, layout): &'a (impl std::ops::Deref<Target = Storage>, &'a Layout),
    ) -> Result<Self> {
        match &**storage {
            Storage::Cpu(storage) => Self::new(storage, layout),
            _ => bail!("attention: a tensor is on another device"),
        }
    }

    /// The numbers from one token of one head on; tokens are `token_stride` apart.
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
    /// The rows for queries `first..first + count`: that many, or one for all.
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

impl Attention {
    /// Calls `f` with the numbers of the mask.
    fn with_mask<R>(&self, f: impl FnOnce(Option<Mask>) -> Result<R>) -> Result<R> {
        let Some(mask) = &self.mask else { return f(None) };
        let (storage, layout) = mask.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            bail!("attention: the mask is on another device")
        };
        let (batch, queries, _) = layout.shape().dims3()?;
        f(Some(Mask { values: contiguous(storage, layout)?, batch, queries }))
    }
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
        self.with_mask(|mask| {
            forward::forward(&sizes, q, k, v, mask, self.scale as f32, &mut out);
            Ok(())
        })?;
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
        let (out, grad) = (out.contiguous()?, grad.contiguous()?);
        let [q, k, v, out, grad] = [q, k, v, &out, &grad].map(Tensor::storage_and_layout);
        let arguments = backward::Arguments {
            sizes,
            q: Heads::of(&q)?,
            k: Heads::of(&k)?,
            v: Heads::of(&v)?,
            out: Heads::of(&out)?,
            grad: Heads::of(&grad)?,
            scale: self.scale as f32,
        };
        let [dq, dk, dv] = self.with_mask(|mask| Ok(backward::backward(&arguments, mask)))?;
        let device = candle_core::Device::Cpu;
        let Sizes { batch, queries, keys, heads, kv_heads, width } = sizes;
        let keys_shape = (batch, keys, kv_heads, width);
        Ok((
            Some(Tensor::from_vec(dq, (batch, queries, heads, width), &device)?),
            Some(Tensor::from_vec(dk, keys_shape, &device)?),
            Some(Tensor::from_vec(dv, keys_shape, &device)?),
        ))
    }
}
