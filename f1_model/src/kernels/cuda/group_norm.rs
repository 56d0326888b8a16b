//! Group normalisation of the image tokenizer.

use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::{Input, ROW_THREADS, fits, grid, int, room, view};

/// Blocks that are enough to fill a device.
const BLOCKS: usize = 1024;
/// Numbers that a block has at least.
const LEAST: usize = 4096;

/// As [`crate::kernels::group_norm`].
pub(crate) fn group_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
    silu: bool,
) -> Result<Tensor> {
    let op = GroupNorm { groups, eps: eps as f32, silu };
    x.contiguous()?.apply_op3_no_bwd(&weight.contiguous()?, &bias.contiguous()?, &op)
}

struct GroupNorm {
    groups: usize,
    eps: f32,
    silu: bool,
}

gpu_only!(GroupNorm, "f1-cuda-group-norm", 3);

impl GroupNorm {
    fn run(&self, [x, weight, bias]: [Input; 3]) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = x;
        let (batch, channels) = match layout.dims() {
            [batch, channels, ..] if channels % self.groups == 0 => (*batch, *channels),
            dims => bail!("group norm: {dims:?} in {} groups", self.groups),
        };
        fits("the weights of a group norm", weight.1, channels)?;
        fits("the biases of a group norm", bias.1, channels)?;
        let count = layout.shape().elem_count();
        let rows = batch * self.groups;
        let (size, plane) = (count / rows.max(1), count / (batch * channels).max(1));
        let parts = BLOCKS.div_ceil(rows.max(1)).min(size / LEAST).max(1);
        let device = &storage.device;
        let out = by_type!(storage, |suffix: T| {
            let (x, weight, bias) = (view::<T>(x)?, view::<f32>(weight)?, view::<f32>(bias)?);
            let (moments, out) = (room::<f32>(device, 2 * rows * parts)?, room::<T>(device, count)?);
            if count > 0 {
                let config = grid(rows * parts, ROW_THREADS)?;
                let (parts, groups, silu) = (int(parts)?, int(self.groups)?, i32::from(self.silu));
                let name = format!("f1_group_moments_{suffix}");
                launch!(device, GROUP_NORM, name, config, [&x, &moments, &size, &parts]);
                let name = format!("f1_group_norm_{suffix}");
                launch!(
                    device,
                    GROUP_NORM,
                    name,
                    config,
                    [&x, &moments, &weight, &bias, &out, &size, &plane, &parts, &groups, &self.eps, &silu]
                );
            }
            CudaStorage::wrap_cuda_slice(out, device.clone())
        });
        Ok((out, layout.shape().clone()))
    }
}
