//! What follows a matrix product.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::{CpuStorage, CudaStorage, DType, InplaceOp2, Layout, Result, Tensor, bail};

use super::{a_thread_each, fits, int, rows_of, view};

/// Adds `bias` `[width]` to each row of `x`, which nobody else holds, and puts that through the tanh form of GELU if `gelu` says so.
pub(crate) fn add_bias(x: Tensor, bias: &Tensor, gelu: bool) -> Result<Tensor> {
    x.inplace_op2(&bias.contiguous()?, &AddBias { gelu })?;
    Ok(x)
}

struct AddBias {
    gelu: bool,
}

impl InplaceOp2 for AddBias {
    fn name(&self) -> &'static str {
        "f1-cuda-add-bias"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        bail!("f1-cuda-add-bias is a kernel for GPUs")
    }

    fn cuda_fwd(&self, x: &mut CudaStorage, lx: &Layout, bias: &CudaStorage, lb: &Layout) -> Result<()> {
        let (width, rows) = rows_of(lx)?;
        fits("a bias", lb, width)?;
        let (device, count) = (x.device.clone(), rows * width);
        let Some((start, end)) = lx.contiguous_offsets() else {
            bail!("a bias for rows that are not contiguous: {lx:?}")
        };
        by_type!(&*x, |suffix: T| {
            let bias = view::<T>((bias, lb))?;
            let mut x = x.as_cuda_slice_mut::<T>()?.slice_mut(start..end);
            if count > 0 {
                let (width, gelu) = (int(width)?, i32::from(self.gelu));
                let (name, config) = (format!("f1_add_bias_{suffix}"), a_thread_each(count)?);
                launch!(device, LINEAR, name, config, [&mut x, &bias, &count, &width, &gelu]);
            }
        });
        Ok(())
    }
}
