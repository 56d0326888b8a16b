//! Row normalisations, optionally of a sum.

use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::{Input, alloc, by_eight, fits, grid, int, row_threads, rows_of, view};

/// As [`crate::rms_norm`].
pub(crate) fn rms_norm(x: &Tensor, scale: &Tensor, eps: f64) -> Result<Tensor> {
    let op = Norm { kernel: "f1_rms_norm", weights: 1, eps: eps as f32 };
    x.contiguous()?.apply_op2_no_bwd(&scale.contiguous()?, &op)
}

/// As [`crate::layer_norm`]; `affine` `[2, width]` are its weights, then its biases.
pub(crate) fn layer_norm(x: &Tensor, affine: &Tensor, eps: f64) -> Result<Tensor> {
    let op = Norm { kernel: "f1_layer_norm", weights: 2, eps: eps as f32 };
    x.contiguous()?.apply_op2_no_bwd(&affine.contiguous()?, &op)
}

/// As [`crate::add_rms_norm`].
pub(crate) fn add_rms_norm(
    x: &Tensor,
    delta: &Tensor,
    scale: &Tensor,
    eps: f64,
) -> Result<(Tensor, Tensor)> {
    both(x, delta, scale, &Norm { kernel: "f1_rms_norm", weights: 1, eps: eps as f32 })
}

/// `x + delta`, and [`layer_norm`] of that.
pub(crate) fn add_layer_norm(
    x: &Tensor,
    delta: &Tensor,
    affine: &Tensor,
    eps: f64,
) -> Result<(Tensor, Tensor)> {
    both(x, delta, affine, &Norm { kernel: "f1_layer_norm", weights: 2, eps: eps as f32 })
}

fn both(x: &Tensor, delta: &Tensor, weights: &Tensor, op: &Norm) -> Result<(Tensor, Tensor)> {
    let out = x.contiguous()?.apply_op3_no_bwd(&delta.contiguous()?, &weights.contiguous()?, op)?;
    Ok((out.get(0)?, out.get(1)?))
}

struct Norm {
    kernel: &'static str,
    /// Parameters for each number of a row: one for RMSNorm, two for LayerNorm.
    weights: usize,
    eps: f32,
}

gpu_only!(Norm, "f1-cuda-norm", 2);
gpu_only!(Norm, "f1-cuda-add-norm", 3);

impl Norm {
    /// `[x, weights]` or `[x, delta, weights]`.
    fn run<const N: usize>(&self, inputs: [Input; N]) -> Result<(CudaStorage, Shape)> {
        let ((storage, layout), weights) = (inputs[0], inputs[N - 1]);
        let (width, rows) = rows_of(layout)?;
        fits("the weights of a norm", weights.1, self.weights * width)?;
        let delta = if N == 3 { Some(inputs[1]) } else { None };
        let mut dims = layout.dims().to_vec();
        if let Some((_, other)) = delta {
            if other.shape() != layout.shape() {
                bail!("a norm of {:?} plus {:?}", layout.shape(), other.shape())
            }
            dims.insert(0, 2);
        }
        let shape = Shape::from(dims);
        let device = &storage.device;
        let starts = inputs.map(|(_, layout)| layout.start_offset());
        let (some, eights) = by_eight(&[&starts[..], &[width]].concat());
        let out = by_type!(storage, |suffix: T| {
            let (x, weights) = (view::<T>(inputs[0])?, view::<f32>(weights)?);
            let delta: Option<CudaView<T>> = delta.map(view::<T>).transpose()?;
            let out = alloc::<T>(device, shape.elem_count())?;
            if rows > 0 {
                let name = format!("{}{eights}_{suffix}", self.kernel);
                let config = grid(rows, row_threads(width, some))?;
                let (width, none) = (int(width)?, 0_u64);
                match &delta {
                    Some(delta) => {
                        launch!(
                            device,
                            NORM,
                            name,
                            config,
                            [&x, delta, &weights, &out, &width, &self.eps]
                        )
                    }
                    None => {
                        launch!(
                            device,
                            NORM,
                            name,
                            config,
                            [&x, &none, &weights, &out, &width, &self.eps]
                        )
                    }
                }
            }
            CudaStorage::wrap_cuda_slice(out, device.clone())
        });
        Ok((out, shape))
    }
}
