//! Fused tensor operations for CPUs in f32 and (with the feature `cuda`) for NVIDIA GPUs in f32 and
//! bf16, where candle's own operations are slow.
//!
//! Each is a function of tensors. Unless its documentation says otherwise it is differentiable. For
//! other types and devices it uses candle's operations, and it is tested against them.
//!
//! Instruction sets are chosen at run time by `pulp`, and threads by `rayon`, whose
//! `RAYON_NUM_THREADS` bounds candle's matrix products too. [`device`] opens the GPU that all
//! threads share, [`stream`] orders its users, and [`graphs`] records CUDA graphs.

mod activation;
mod attention;
mod conv2d;
mod cross_entropy;
#[cfg(feature = "cuda")]
mod cuda;
pub mod device;
mod fp8;
pub mod graphs;
mod group_norm;
mod linear;
mod memory;
mod microkernel;
mod norm;
#[cfg(not(f1_portable))]
mod q8_x86;
mod quantised;
mod recomputed;
mod rope;
mod simd;
pub mod stream;
mod sums;
#[cfg(test)]
mod tests;

pub use activation::{geglu, geglu_joined, gelu_tanh, silu};
pub use attention::{Block, attention, attention_in_blocks, attention_plain};
pub use conv2d::{Conv2dGeometry, Conv2dWeights, conv2d, conv2d_plain};
pub use cross_entropy::{cross_entropy, softmax};
#[cfg(feature = "cuda")]
pub use cuda::{FitOp, LONGEST_ROW, ShrinkOp, check_fp8, draw, fp8_linear, to_fp8};
pub use fp8::fp8_rounded;
pub use group_norm::{group_norm, group_norm_plain};
pub use linear::{linear, linear_gelu};
pub use memory::{keep_freed_memory, release_freed_memory};
pub use norm::{
    LayerNormWeights, add_layer_norm, add_rms_norm, layer_norm, layer_norm_plain, rms_norm,
    rms_norm_plain,
};
pub use quantised::QuantisedMatrix;
use recomputed::recomputed;
pub use recomputed::with_gradients;
pub use rope::{rope, rope_joined, rope_plain, write_rows};
pub use simd::arch;
pub use sums::{sum_in_parts, sum_on_host};

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor};

/// Numbers in one task of an elementwise kernel.
pub(crate) const ELEMENTS_PER_TASK: usize = 1 << 14;

/// Rows of `width` numbers in one task.
pub(crate) fn rows_per_task(width: usize) -> usize {
    (ELEMENTS_PER_TASK / width.max(1)).max(1)
}

/// Whether the fused CPU kernels take this tensor: f32 on a CPU.
pub(crate) fn is_fast(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Whether the bias can be added in place: both on a GPU, of one type, and without a gradient.
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

/// Sums `x` `[batch, channels, ..]` over all dimensions but the channels, in the order of the
/// memory: the result does not depend on the number of threads.
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
