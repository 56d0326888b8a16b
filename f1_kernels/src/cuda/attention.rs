//! Attention with one key head, and softmax of scaled, masked scores.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;

use super::{EIGHT, Input, alloc, by_eight, grid, int, row_threads, rows_of, span, view};
use crate::Block;

/// Softmax over the last dimension of `scale * scores`, in the type of the scores.
pub(crate) fn softmax(scores: &Tensor, scale: f64) -> Result<Tensor> {
    let keys = scores.dim(candle_core::D::Minus1)?;
    scores.contiguous()?.apply_op1_no_bwd(&Softmax {
        scale: scale as f32,
        heads: 1,
        keys,
        early: None,
    })
}

/// As [`crate::attention`] with one key and value head: in memory the queries of all heads are rows
/// of one matrix, so nothing is transposed or copied. The first queries, those of `early`, attend
/// to fewer keys than the others.
pub(crate) fn attention_one_key_head(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
    early: Option<Block>,
) -> Result<Tensor> {
    let (batch, queries, heads, width) = q.dims4()?;
    let op =
        OneKeyHead { mask: mask.map(Tensor::contiguous).transpose()?, scale: scale as f32, early };
    let dense = |x: &Tensor| match *x.stride() {
        [_, token, _, 1] if token == width => Ok(x.clone()),
        _ => x.contiguous(),
    };
    let out = q.contiguous()?.apply_op3_no_bwd(&dense(k)?, &dense(v)?, &op)?;
    out.reshape((batch, queries, heads * width))
}

/// Rows up to which the kernel without scores in memory is used: with more, products of the whole
/// matrices fill the device.
const FEW_ROWS: usize = 2048;
/// Rows of a block, and keys that it handles at a time; as in `attention.cu`.
const BLOCK_ROWS: usize = 64;
const BLOCK_KEYS: usize = 32;
/// Wanted number of blocks: about one for each multiprocessor.
const BLOCKS: usize = 128;

struct OneKeyHead {
    mask: Option<Tensor>,
    scale: f32,
    early: Option<Block>,
}

gpu_only!(OneKeyHead, "f1-cuda-attention", 3);

impl OneKeyHead {
    fn run(&self, qkv: [Input; 3]) -> Result<(CudaStorage, Shape)> {
        let Some(mask) = &self.mask else { return self.attend(qkv, None) };
        let (storage, layout) = mask.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => self.attend(qkv, Some((storage, layout))),
            _ => bail!("attention: the mask is on another device"),
        }
    }

    fn attend(&self, [q, k, v]: [Input; 3], mask: Option<Input>) -> Result<(CudaStorage, Shape)> {
        let (_, queries, heads, width) = q.1.shape().dims4()?;
        // Accesses are 16 bytes wide.
        let steps = |layout: &Layout| {
            [layout.stride()[0], layout.stride()[1], layout.start_offset()]
                .iter()
                .all(|at| at % EIGHT == 0)
        };
        let few = q.0.dtype() == DType::BF16
            && matches!(width, 16 | 32 | 64 | 128 | 256)
            && (1..=FEW_ROWS).contains(&(queries * heads))
            && k.1.shape().dims4()?.1 > 0
            && [q.1, k.1, v.1].into_iter().all(steps);
        if few { self.few_rows([q, k, v], mask) } else { self.many_rows([q, k, v], mask) }
    }

    /// Two products of whole matrices with the softmax between them.
    fn many_rows(
        &self,
        [q, k, v]: [Input; 3],
        mask: Option<Input>,
    ) -> Result<(CudaStorage, Shape)> {
        let shape = q.1.shape().clone();
        let (batch, queries, heads, width) = shape.dims4()?;
        let (rows, keys) = (queries * heads, k.1.shape().dims4()?.1);
        // Products are faster when rows of scores begin at multiples of 16 bytes. So the memory
        // behind the keys (other tokens of a cache, or zeros) is multiplied too, and the softmax
        // gives it no weight.
        let enough = [k, v]
            .iter()
            .all(|(storage, layout)| holds(storage, layout, keys.next_multiple_of(EIGHT)));
        let stride = if enough { keys.next_multiple_of(EIGHT) } else { keys };
        let rows_of_keys = |layout: &Layout| {
            let dims = Shape::from((batch, stride, width));
            Layout::new(dims, vec![layout.stride()[0], width, 1], layout.start_offset())
        };
        let of_q = Layout::contiguous_with_offset((batch, rows, width), q.1.start_offset());
        let scores = q.0.matmul(
            k.0,
            (batch, rows, stride, width),
            &of_q,
            &rows_of_keys(k.1).transpose(1, 2)?,
        )?;
        let of_scores = Layout::contiguous((batch, rows, stride));
        let softmax = Softmax { scale: self.scale, heads, keys, early: self.early };
        let (weights, _) = softmax.masked((&scores, &of_scores), mask)?;
        let out =
            weights.matmul(v.0, (batch, rows, width, stride), &of_scores, &rows_of_keys(v.1))?;
        Ok((out, shape))
    }

    /// One kernel that keeps the scores in the multiprocessor.
    fn few_rows(&self, [q, k, v]: [Input; 3], mask: Option<Input>) -> Result<(CudaStorage, Shape)> {
        let shape = q.1.shape().clone();
        let (batch, queries, heads, width) = shape.dims4()?;
        let (rows, keys) = (queries * heads, k.1.shape().dims4()?.1);
        let (&[key_batch, key_token, ..], &[value_batch, value_token, ..]) =
            (k.1.stride(), v.1.stride())
        else {
            bail!("attention: keys {:?}, values {:?}", k.1, v.1)
        };
        let (mut mask_batch, mut mask_query) = (0, 0);
        if let Some((_, layout)) = mask {
            let (batches, of_queries, each) = layout.shape().dims3()?;
            if each != keys
                || (of_queries != 1 && of_queries != queries)
                || (batches != 1 && batches != batch)
            {
                bail!("attention: mask {:?} for {shape:?} and {keys} keys", layout.shape())
            }
            mask_batch = if batches > 1 { of_queries * keys } else { 0 };
            mask_query = if of_queries > 1 { keys } else { 0 };
        }
        let device = &q.0.device;
        let blocks = rows.div_ceil(BLOCK_ROWS);
        let wanted = (BLOCKS / (blocks * batch).max(1)).clamp(1, keys.div_ceil(2 * BLOCK_KEYS));
        let part_keys = keys.div_ceil(wanted).next_multiple_of(BLOCK_KEYS);
        let parts = keys.div_ceil(part_keys);
        let query = view::<bf16>(q)?;
        let key = k.0.as_cuda_slice::<bf16>()?.slice(span(k.1));
        let value = v.0.as_cuda_slice::<bf16>()?.slice(span(v.1));
        let mask = mask.map(view::<f32>).transpose()?;
        // The kernel computes positions in it as 32-bit numbers.
        int(mask.as_ref().map_or(0, |mask| mask.len()))?;
        let (early_rows, early_keys) = early(self.early, heads)?;
        let sums = alloc::<f32>(device, batch * parts * rows * width)?;
        let stats = alloc::<f32>(device, batch * parts * rows * 2)?;
        let out = alloc::<bf16>(device, shape.elem_count())?;
        let count = |number: usize| Ok::<u32, candle_core::Error>(int(number)?.unsigned_abs());
        let config = LaunchConfig {
            grid_dim: (count(blocks)?, count(parts)?, count(batch)?),
            block_dim: (2 * BLOCK_ROWS as u32, 1, 1),
            shared_mem_bytes: 0,
        };
        let name = format!("f1_attention_{width}");
        let (rows_, keys, part_keys, heads) =
            (int(rows)?, int(keys)?, int(part_keys)?, int(heads)?);
        macro_rules! with_mask {
            ($mask:expr) => {
                launch!(
                    device,
                    ATTENTION,
                    name,
                    config,
                    [
                        &query,
                        &key,
                        &value,
                        $mask,
                        &sums,
                        &stats,
                        &rows_,
                        &keys,
                        &part_keys,
                        &self.scale,
                        &heads,
                        &key_batch,
                        &key_token,
                        &value_batch,
                        &value_token,
                        &mask_batch,
                        &mask_query,
                        &early_rows,
                        &early_keys
                    ]
                )
            };
        }
        match &mask {
            Some(mask) => with_mask!(mask),
            None => with_mask!(&0_u64),
        }
        let (parts, width) = (int(parts)?, int(width)?);
        let config = grid(batch * rows, width.unsigned_abs().next_multiple_of(32))?;
        launch!(
            device,
            ATTENTION,
            "f1_attention_join",
            config,
            [&sums, &stats, &out, &rows_, &parts, &width]
        );
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), shape))
    }
}

/// Whether there is memory for `tokens` tokens from the first of each batch element on.
fn holds(storage: &CudaStorage, layout: &Layout, tokens: usize) -> bool {
    let len = match storage.dtype() {
        DType::F32 => storage.as_cuda_slice::<f32>().map(|slice| slice.len()),
        _ => storage.as_cuda_slice::<bf16>().map(|slice| slice.len()),
    };
    let (dims, stride) = (layout.dims(), layout.stride());
    let end = layout.start_offset() + dims[0].saturating_sub(1) * stride[0] + tokens * stride[1];
    len.is_ok_and(|len| end <= len)
}

/// Rows of the queries that attend to fewer keys, and how many those are, as the kernels take them.
fn early(early: Option<Block>, heads: usize) -> Result<(i32, i32)> {
    match early {
        Some(Block { rows, keys }) => Ok((int(rows * heads)?, int(keys)?)),
        None => Ok((0, 0)),
    }
}

/// Softmax of scores `[batch, queries * heads, keys or more]` (the heads of a query are
/// consecutive) with a mask `[batch or 1, queries or 1, keys]`.
struct Softmax {
    scale: f32,
    heads: usize,
    /// Scores behind these have weight zero.
    keys: usize,
    /// Queries that attend to fewer keys.
    early: Option<Block>,
}

gpu_only!(Softmax, "f1-cuda-softmax", 1);

impl Softmax {
    fn run(&self, [scores]: [Input; 1]) -> Result<(CudaStorage, Shape)> {
        self.masked(scores, None)
    }

    fn masked(&self, scores: Input, mask: Option<Input>) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = scores;
        let (stride, rows) = rows_of(layout)?;
        let keys = self.keys;
        let dims = layout.shape().dims();
        let rows_a_batch =
            if dims.len() > 2 { dims[1..dims.len() - 1].iter().product() } else { rows };
        if keys > stride || self.early.is_some_and(|early| early.keys > keys) {
            bail!("softmax: {keys} keys, early {:?}, in rows of {stride}", self.early)
        }
        let (mut mask_batch, mut mask_query) = (0, 0);
        if let Some((_, layout)) = mask {
            let (batches, queries, width) = layout.shape().dims3()?;
            let wanted = rows_a_batch / self.heads.max(1);
            let batch = rows / rows_a_batch.max(1);
            if width != keys
                || (queries != 1 && queries != wanted)
                || (batches != 1 && batches != batch)
            {
                bail!("softmax: mask {:?} for {dims:?} with {} heads", layout.shape(), self.heads)
            }
            mask_batch = if batches > 1 { queries * keys } else { 0 };
            mask_query = if queries > 1 { keys } else { 0 };
        }
        let (early_rows, early_keys) = early(self.early, self.heads)?;
        let device = &storage.device;
        let (some, eights) = by_eight(&[stride, layout.start_offset()]);
        let out = by_type!(storage, |suffix: T| {
            let scores = view::<T>(scores)?;
            let mask = mask.map(view::<f32>).transpose()?;
            let out = alloc::<T>(device, rows * stride)?;
            if rows > 0 {
                let config = grid(rows, row_threads(stride, some))?;
                let (keys, stride) = (int(keys)?, int(stride)?);
                let (rows_a_batch, heads) = (int(rows_a_batch)?, int(self.heads)?);
                let name = format!("f1_softmax{eights}_{suffix}");
                let (scale, none) = (&self.scale, 0_u64);
                macro_rules! with_mask {
                    ($mask:expr) => {
                        launch!(
                            device,
                            SOFTMAX,
                            name,
                            config,
                            [
                                &scores,
                                $mask,
                                &out,
                                &keys,
                                &stride,
                                scale,
                                &rows_a_batch,
                                &heads,
                                &mask_batch,
                                &mask_query,
                                &early_rows,
                                &early_keys
                            ]
                        )
                    };
                }
                match &mask {
                    Some(mask) => with_mask!(mask),
                    None => with_mask!(&none),
                }
            }
            CudaStorage::wrap_cuda_slice(out, device.clone())
        });
        Ok((out, layout.shape().clone()))
    }
}
