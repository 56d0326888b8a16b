//! Softmax of scaled, masked scores, and attention around it.

use candle_core::cuda_backend::cudarc::driver::{LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;

use super::{Input, ROW_THREADS, grid, int, room, rows_of, span, view};

/// Softmax over the last dimension of `scale * scores`, in the type of the scores.
pub(crate) fn softmax(scores: &Tensor, scale: f64) -> Result<Tensor> {
    scores.contiguous()?.apply_op1_no_bwd(&Softmax { scale: scale as f32, heads: 1 })
}

/// As [`crate::kernels::attention`] with one key and value head: the queries of all heads are rows of one matrix as they lie in memory, so
/// nothing is transposed and nothing copied.
pub(crate) fn attention_one_key_head(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
) -> Result<Tensor> {
    if let Some(out) = few_rows(q, k, v, mask, scale)? {
        return Ok(out);
    }
    let (batch, queries, heads, width) = q.dims4()?;
    let (k, v) = (k.squeeze(2)?, v.squeeze(2)?);
    let rows = q.contiguous()?.reshape((batch, queries * heads, width))?;
    let scores = rows.matmul(&k.transpose(1, 2)?)?;
    let op = Softmax { scale: scale as f32, heads };
    let probabilities = match mask {
        None => scores.apply_op1_no_bwd(&op)?,
        Some(mask) => scores.apply_op2_no_bwd(&mask.contiguous()?, &op)?,
    };
    probabilities.matmul(&v)?.reshape((batch, queries, heads * width))
}

/// Rows up to which [`few_rows`] is taken: beyond it, products of the whole matrices keep the device busy.
const FEW_ROWS: usize = 2048;
/// Rows of a block, and keys that it takes at a time; as in `attention.cu`.
const BLOCK_ROWS: usize = 64;
const BLOCK_KEYS: usize = 32;
/// Blocks to aim at: about one for each multiprocessor.
const BLOCKS: usize = 128;

/// As [`attention_one_key_head`] without scores in memory, for bf16 and few rows; none where it does not serve.
fn few_rows(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, scale: f64) -> Result<Option<Tensor>> {
    let (batch, queries, heads, width) = q.dims4()?;
    let keys = k.dim(1)?;
    // In 16-byte steps.
    let steps = |tensor: &Tensor| match *tensor.stride() {
        [batch, token, _, 1] => [batch, token, tensor.layout().start_offset()].iter().all(|at| at % 8 == 0),
        _ => false,
    };
    let serves = q.dtype() == DType::BF16
        && matches!(width, 16 | 32 | 64 | 128 | 256)
        && (1..=FEW_ROWS).contains(&(queries * heads))
        && keys > 0
        && steps(k)
        && steps(v);
    if !serves {
        return Ok(None);
    }
    let op = FewRows { mask: mask.map(Tensor::contiguous).transpose()?, scale: scale as f32 };
    let out = q.contiguous()?.apply_op3_no_bwd(k, v, &op)?;
    Ok(Some(out.reshape((batch, queries, heads * width))?))
}

struct FewRows {
    mask: Option<Tensor>,
    scale: f32,
}

gpu_only!(FewRows, "f1-cuda-attention", 3);

impl FewRows {
    fn run(&self, [q, k, v]: [Input; 3]) -> Result<(CudaStorage, Shape)> {
        match &self.mask {
            None => self.attend([q, k, v], None),
            Some(mask) => {
                let (storage, layout) = mask.storage_and_layout();
                match &*storage {
                    Storage::Cuda(storage) => self.attend([q, k, v], Some((storage, layout))),
                    _ => bail!("attention: the mask is on another device"),
                }
            }
        }
    }

    fn attend(&self, [q, k, v]: [Input; 3], mask: Option<Input>) -> Result<(CudaStorage, Shape)> {
        let shape = q.1.shape().clone();
        let (batch, queries, heads, width) = shape.dims4()?;
        let (rows, keys) = (queries * heads, k.1.shape().dims4()?.1);
        let (&[key_batch, key_token, ..], &[value_batch, value_token, ..]) = (k.1.stride(), v.1.stride())
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
        let sums = room::<f32>(device, batch * parts * rows * width)?;
        let stats = room::<f32>(device, batch * parts * rows * 2)?;
        let out = room::<bf16>(device, shape.elem_count())?;
        let count = |number: usize| Ok::<u32, candle_core::Error>(int(number)?.unsigned_abs());
        let config = LaunchConfig {
            grid_dim: (count(blocks)?, count(parts)?, count(batch)?),
            block_dim: (2 * BLOCK_ROWS as u32, 1, 1),
            shared_mem_bytes: 0,
        };
        let name = format!("f1_attention_{width}");
        let (rows_, keys, part_keys, heads) = (int(rows)?, int(keys)?, int(part_keys)?, int(heads)?);
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
                        &mask_query
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

/// Scores `[batch, queries * heads, keys]` (a query's heads side by side), mask `[batch or 1, queries or 1, keys]`.
struct Softmax {
    scale: f32,
    heads: usize,
}

gpu_only!(Softmax, "f1-cuda-softmax", 1);
gpu_only!(Softmax, "f1-cuda-masked-softmax", 2);

impl Softmax {
    /// Of scores, or of scores and mask.
    fn run<const N: usize>(&self, inputs: [Input; N]) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = inputs[0];
        let mask = if N == 2 { Some(inputs[N - 1]) } else { None };
        let (keys, rows) = rows_of(layout)?;
        let dims = layout.shape().dims();
        let rows_a_batch = if dims.len() > 2 { dims[1..dims.len() - 1].iter().product() } else { rows };
        let (mut mask_batch, mut mask_query) = (0, 0);
        if let Some((_, layout)) = mask {
            let (batches, queries, width) = layout.shape().dims3()?;
            let wanted = rows_a_batch / self.heads.max(1);
            let batch = rows / rows_a_batch.max(1);
            if width != keys || (queries != 1 && queries != wanted) || (batches != 1 && batches != batch) {
                bail!("softmax: mask {:?} for {dims:?} with {} heads", layout.shape(), self.heads)
            }
            mask_batch = if batches > 1 { queries * keys } else { 0 };
            mask_query = if queries > 1 { keys } else { 0 };
        }
        let device = &storage.device;
        let out = by_type!(storage, |suffix: T| {
            let scores = view::<T>(inputs[0])?;
            let mask = mask.map(view::<f32>).transpose()?;
            let out = room::<T>(device, rows * keys)?;
            if rows > 0 {
                let (keys, rows_a_batch, heads) = (int(keys)?, int(rows_a_batch)?, int(self.heads)?);
                let (name, config) = (format!("f1_softmax_{suffix}"), grid(rows, ROW_THREADS)?);
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
                                scale,
                                &rows_a_batch,
                                &heads,
                                &mask_batch,
                                &mask_query
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
