//! The gate of the MLPs.

use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::{Input, alloc, by_eight, int, over_rows, rows_of, view};

/// As [`crate::geglu`].
pub(crate) fn geglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2_no_bwd(&up.contiguous()?, &GeGlu)
}

/// As [`crate::geglu_joined`].
pub(crate) fn geglu_joined(both: &Tensor) -> Result<Tensor> {
    both.contiguous()?.apply_op1_no_bwd(&GeGlu)
}

struct GeGlu;

gpu_only!(GeGlu, "f1-cuda-geglu-joined", 1);
gpu_only!(GeGlu, "f1-cuda-geglu", 2);

impl GeGlu {
    /// `[gate, up]`, or one tensor with rows that hold both.
    fn run<const N: usize>(&self, inputs: [Input; N]) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = inputs[0];
        let (stride, rows) = rows_of(layout)?;
        let width = if N == 1 { stride / 2 } else { stride };
        if N == 1 && stride % 2 != 0
            || inputs.iter().any(|(_, other)| other.shape() != layout.shape())
        {
            bail!("geglu of {:?}", inputs.map(|(_, layout)| layout.shape().clone()))
        }
        let mut dims = layout.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = width;
        }
        let device = &storage.device;
        let (some, eights) =
            by_eight(&[width, inputs[0].1.start_offset(), inputs[N - 1].1.start_offset()]);
        let out = by_type!(storage, |suffix: T| {
            let gate = view::<T>(inputs[0])?;
            let up = if N == 1 {
                gate.slice(width.min(gate.len())..)
            } else {
                view::<T>(inputs[N - 1])?
            };
            let out = alloc::<T>(device, rows * width)?;
            if rows * width > 0 {
                let config = over_rows(rows, width, some)?;
                let (width, stride) = (int(width)?, int(stride)?);
                let name = format!("f1_geglu{eights}_{suffix}");
                launch!(device, GATE, name, config, [&gate, &up, &out, &width, &stride]);
            }
            CudaStorage::wrap_cuda_slice(out, device.clone())
        });
        Ok((out, Shape::from(dims)))
    }
}
