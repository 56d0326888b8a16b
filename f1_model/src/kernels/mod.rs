//! Fused kernels, for CPUs in f32 and (with the feature `cuda`) for NVIDIA GPUs in f32 and bf16, of
//! what candle's own operations leave slow, each a function on tensors that is differentiable,
//! falls back to candle's operations for other types and devices, and is tested against them.
//!
//! Instruction sets are chosen at run time through `pulp`; work is shared by `rayon`, whose thread
//! count (`RAYON_NUM_THREADS`) candle's matrix products obey too.

mod activation;
mod attention;
mod conv2d;
mod conv2d_backward;
mod conv2d_weight_gradient;
#[cfg(feature = "cuda")]
mod cuda;
mod group_norm;
mod memory;
mod microkernel;
mod norm;
#[cfg(target_arch = "x86_64")]
mod q8;
mod recomputed;
mod rope;
pub(crate) mod simd;
#[cfg(test)]
mod tests;
mod winograd;

pub use activation::{geglu, geglu_joined, gelu_tanh, silu};
pub use attention::{Block, attention, attention_in_blocks, attention_plain};
pub use conv2d::{Conv2dGeometry, Conv2dWeights, conv2d, conv2d_plain};
#[cfg(feature = "cuda")]
pub(crate) use cuda::{
    FitOp, LONGEST_ROW, ShrinkOp, add_bias, check_fp8, draw, fp8_linear, linear_of_few_rows, to_fp8,
};
pub use group_norm::{group_norm, group_norm_plain};
pub use memory::{keep_freed_memory, release_freed_memory};
pub use norm::{
    LayerNormWeights, add_layer_norm, add_rms_norm, layer_norm, layer_norm_plain, rms_norm,
    rms_norm_plain,
};
#[cfg(target_arch = "x86_64")]
pub use q8::Q8Matrix;
use recomputed::recomputed;
pub use recomputed::with_gradients;
pub use rope::{rope, rope_joined, rope_plain, write_rows};

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor};

/// Numbers that one task of an elementwise kernel handles.
pub(crate) const ELEMENTS_PER_TASK: usize = 1 << 14;

/// Rows of `width` numbers that one task handles.
pub(crate) fn rows_per_task(width: usize) -> usize {
    (ELEMENTS_PER_TASK / width.max(1)).max(1)
}

/// Whether the fused kernels serve this tensor: f32 on a CPU.
pub(crate) fn is_fast(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Whether [`add_bias`] serves: both on a GPU, of one type, and no gradient is wanted.
#[cfg(feature = "cuda")]
pub(crate) fn adds_bias(x: &Tensor, bias: &Tensor) -> bool {
    cuda::serves(x, &[bias], true)
}

/// The numbers of a CPU tensor that the caller has made contiguous.
pub(crate) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let values = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => candle_core::bail!(
            "a fused kernel was given a tensor that is not contiguous: {layout:?}"
        ),
    }
}

/// Calls `f` with the numbers of a CPU tensor in row-major order.
pub(crate) fn values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(contiguous(storage, layout)?),
        _ => candle_core::bail!("a fused CPU kernel was given a tensor of another device"),
    }
}

/// Sums `x` `[batch, channels, ..]` over everything but the channels; in the order of the memory,
/// so that the result does not depend on the number of threads.
pub(crate) fn channel_sums(x: &Tensor) -> Result<Tensor> {
    let channels = x.dim(1)?;
    let plane = x.dims().iter().skip(2).product::<usize>().max(1);
    let mut sums = vec![0f32; channels];
    values(x, |x| {
        for (i, plane) in x.chunks_exact(plane).enumerate() {
            sums[i % channels] += simd::arch().dispatch(Sum(plane));
        }
        Ok(())
    })?;
    Tensor::from_vec(sums, channels, x.device())
}

struct Sum<'a>(&'a [f32]);

impl pulp::WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f32 {
        simd::sum_map(
            simd,
            self.0,
            #[inline(always)]
            |v| v,
        )
    }
}
