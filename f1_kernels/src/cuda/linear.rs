//! Elementwise operations after a matrix product, in place.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::{
    CpuStorage, CudaStorage, DType, InplaceOp2, InplaceOp3, Layout, Result, Tensor, bail,
};

use super::{Input, by_eight, fits, int, over_rows, rows_of, view};

/// Adds `bias` `[width]` to each row of `x`, whose memory nothing else uses, and applies the tanh
/// form of GELU if `gelu` is set.
pub(crate) fn add_bias(x: Tensor, bias: &Tensor, gelu: bool) -> Result<Tensor> {
    x.inplace_op2(&bias.contiguous()?, &AddBias { gelu })?;
    Ok(x)
}

/// Adds `bias` `[width]` and `onto`, which has the shape of `x`, to `x`, whose memory nothing else
/// uses.
pub(crate) fn add_bias_onto(x: Tensor, bias: &Tensor, onto: &Tensor) -> Result<Tensor> {
    if x.shape() != onto.shape() {
        bail!("{:?} onto {:?}", x.shape(), onto.shape())
    }
    x.inplace_op3(&bias.contiguous()?, &onto.contiguous()?, &AddBias { gelu: false })?;
    Ok(x)
}

struct AddBias {
    gelu: bool,
}

impl AddBias {
    fn run(
        &self,
        (x, lx): (&mut CudaStorage, &Layout),
        bias: Input,
        onto: Option<Input>,
    ) -> Result<()> {
        let (width, rows) = rows_of(lx)?;
        fits("a bias", bias.1, width)?;
        let device = x.device.clone();
        let Some((start, end)) = lx.contiguous_offsets() else {
            bail!("a bias for rows that are not contiguous: {lx:?}")
        };
        let behind = onto.map_or(0, |(_, layout)| layout.start_offset());
        let (some, eights) = by_eight(&[width, start, bias.1.start_offset(), behind]);
        by_type!(&*x, |suffix: T| {
            let bias = view::<T>(bias)?;
            let onto = onto.map(view::<T>).transpose()?;
            let mut x = x.as_cuda_slice_mut::<T>()?.slice_mut(start..end);
            if rows > 0 {
                let (name, config) =
                    (format!("f1_add_bias{eights}_{suffix}"), over_rows(rows, width, some)?);
                let (width, gelu, none) = (int(width)?, i32::from(self.gelu), 0_u64);
                match &onto {
                    Some(onto) => {
                        launch!(device, LINEAR, name, config, [&mut x, &bias, onto, &width, &gelu]);
                    }
                    None => {
                        launch!(
                            device,
                            LINEAR,
                            name,
                            config,
                            [&mut x, &bias, &none, &width, &gelu]
                        );
                    }
                }
            }
        });
        Ok(())
    }
}

impl InplaceOp2 for AddBias {
    fn name(&self) -> &'static str {
        "f1-cuda-add-bias"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        bail!("f1-cuda-add-bias is a kernel for GPUs")
    }

    fn cuda_fwd(
        &self,
        x: &mut CudaStorage,
        lx: &Layout,
        bias: &CudaStorage,
        lb: &Layout,
    ) -> Result<()> {
        self.run((x, lx), (bias, lb), None)
    }
}

impl InplaceOp3 for AddBias {
    fn name(&self) -> &'static str {
        "f1-cuda-add-bias-onto"
    }

    fn cpu_fwd(
        &self,
        _: &mut CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<()> {
        bail!("f1-cuda-add-bias-onto is a kernel for GPUs")
    }

    fn cuda_fwd(
        &self,
        x: &mut CudaStorage,
        lx: &Layout,
        bias: &CudaStorage,
        lb: &Layout,
        onto: &CudaStorage,
        lo: &Layout,
    ) -> Result<()> {
        self.run((x, lx), (bias, lb), Some((onto, lo)))
    }
}
