//! Softmax of scaled, masked scores, and attention around it.

use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::{Input, ROW_THREADS, grid, int, room, rows_of, view};

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
