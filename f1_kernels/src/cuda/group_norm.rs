//! Group normalisation of the image tokenizer.

use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::conv2d::pixels_first;
use super::{Input, ROW_THREADS, a_thread_each, alloc, fits, grid, int, view};

/// Blocks that fill a device.
const BLOCKS: usize = 1024;
/// Least numbers of a block.
const LEAST: usize = 4096;
/// Least pixels of a block in channels-last memory.
const LEAST_PIXELS: usize = 32;

/// As [`crate::group_norm`]. A channels-last tensor has a channels-last result.
pub(crate) fn group_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
    silu: bool,
) -> Result<Tensor> {
    let op = GroupNorm { groups, eps: eps as f32, silu };
    if x.rank() == 4 && !x.is_contiguous() && x.permute((0, 2, 3, 1))?.is_contiguous() {
        let op = PixelNorm(op);
        let out =
            pixels_first(x)?.apply_op3_no_bwd(&weight.contiguous()?, &bias.contiguous()?, &op)?;
        return out.permute((0, 3, 1, 2));
    }
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
            let (moments, out) =
                (alloc::<f32>(device, 2 * rows * parts)?, alloc::<T>(device, count)?);
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
                    [
                        &x, &moments, &weight, &bias, &out, &size, &plane, &parts, &groups,
                        &self.eps, &silu
                    ]
                );
            }
            CudaStorage::wrap_cuda_slice(out, device.clone())
        });
        Ok((out, layout.shape().clone()))
    }
}

/// Group normalisation of `[batch, height, width, channels]`.
struct PixelNorm(GroupNorm);

gpu_only!(PixelNorm, "f1-cuda-pixel-norm", 3);

impl PixelNorm {
    fn run(&self, [x, weight, bias]: [Input; 3]) -> Result<(CudaStorage, Shape)> {
        let GroupNorm { groups, eps, silu } = self.0;
        let (storage, layout) = x;
        let (batch, height, width, channels) = layout.shape().dims4()?;
        if channels == 0 || channels % groups != 0 {
            bail!("group norm: {:?} in {groups} groups", layout.shape())
        }
        fits("the weights of a group norm", weight.1, channels)?;
        fits("the biases of a group norm", bias.1, channels)?;
        let (pixels, count) = (height * width, layout.shape().elem_count());
        let parts = BLOCKS.div_ceil(batch.max(1)).min(pixels / LEAST_PIXELS).max(1);
        let device = &storage.device;
        let out = by_type!(storage, |suffix: T| {
            let (x, weight, bias) = (view::<T>(x)?, view::<f32>(weight)?, view::<f32>(bias)?);
            let moments = alloc::<f32>(device, 2 * batch * parts * channels)?;
            let statistics = alloc::<f32>(device, 2 * batch * groups)?;
            let out = alloc::<T>(device, count)?;
            if count > 0 {
                // A thread for each channel, up to the threads of a block.
                let threads = int(channels.next_multiple_of(32).min(1024))?.unsigned_abs();
                let (each, all) =
                    (grid(batch * parts, threads)?, grid(batch * groups, ROW_THREADS)?);
                let (channels, parts, groups) = (int(channels)?, int(parts)?, int(groups)?);
                let name = format!("f1_channel_moments_{suffix}");
                launch!(device, GROUP_NORM, name, each, [&x, &moments, &pixels, &channels, &parts]);
                launch!(
                    device,
                    GROUP_NORM,
                    "f1_group_statistics",
                    all,
                    [&moments, &statistics, &pixels, &channels, &parts, &groups, &eps]
                );
                let (name, config) = (format!("f1_pixel_norm_{suffix}"), a_thread_each(count)?);
                let silu = i32::from(silu);
                launch!(
                    device,
                    GROUP_NORM,
                    name,
                    config,
                    [
                        &x,
                        &statistics,
                        &weight,
                        &bias,
                        &out,
                        &count,
                        &pixels,
                        &channels,
                        &groups,
                        &silu
                    ]
                );
            }
            CudaStorage::wrap_cuda_slice(out, device.clone())
        });
        Ok((out, layout.shape().clone()))
    }
}
