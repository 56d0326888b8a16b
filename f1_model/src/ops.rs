//! The operations the network is made of: the kernels of this crate, and what is thin enough to stand here.
//!
//! Every operation is differentiable and runs on every device.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, D, Layout, Result, Shape, Tensor};

#[cfg(feature = "cuda")]
use crate::kernels;
pub use crate::kernels::{
    add_layer_norm, add_rms_norm, attention, geglu, geglu_joined, gelu_tanh, group_norm, layer_norm,
    rms_norm, rope, silu, write_rows,
};

/// `x W^T + b` over the last dimension: x `[.., in]`, weight `[out, in]`, bias `[out]`.
///
/// Weights of another type than `x` (bf16 weights under f32 activations) are widened for the call.
///
/// # Errors
/// The widths do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let widened;
    let weight = if weight.dtype() == x.dtype() {
        weight
    } else {
        widened = weight.to_dtype(x.dtype())?;
        &widened
    };
    let mut shape = x.dims().to_vec();
    let input = shape.pop().unwrap_or(1);
    let rows: usize = shape.iter().product();
    shape.push(weight.dim(0)?);
    let flat = x.reshape((rows, input))?.contiguous()?;
    let out = flat.apply_op2(weight, LinearOp)?.reshape(shape)?;
    #[cfg(feature = "cuda")]
    if let Some(bias) = bias
        && kernels::adds_bias(&out, bias)
    {
        return kernels::add_bias(out, bias, false);
    }
    match bias {
        Some(bias) if bias.dtype() == out.dtype() => out.broadcast_add(bias),
        Some(bias) => out.broadcast_add(&bias.to_dtype(out.dtype())?),
        None => Ok(out),
    }
}

/// [`gelu_tanh`] of [`linear`] with a bias.
///
/// # Errors
/// The widths do not fit.
pub fn linear_gelu(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    {
        let out = linear(x, weight, None)?;
        if kernels::adds_bias(&out, bias) {
            return kernels::add_bias(out, bias, true);
        }
    }
    gelu_tanh(&linear(x, weight, Some(bias))?)
}

/// `x W^T` with a backward pass that computes only the gradients somebody asked for.
struct LinearOp;

impl LinearOp {
    fn forward<S: BackendStorage>(x: &S, x_layout: &Layout, w: &S, w_layout: &Layout) -> Result<(S, Shape)> {
        let (rows, input) = x_layout.shape().dims2()?;
        let (output, w_input) = w_layout.shape().dims2()?;
        if input != w_input {
            candle_core::bail!("linear: input width {input}, weight [{output}, {w_input}]");
        }
        let transposed = w_layout.transpose(0, 1)?;
        let out = x.matmul(w, (1, rows, output, input), x_layout, &transposed)?;
        Ok((out, Shape::from((rows, output))))
    }
}

impl CustomOp2 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::forward(x, x_layout, w, w_layout)
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        w: &CudaStorage,
        w_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Self::forward(x, x_layout, w, w_layout)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let for_x = if x.track_op() { Some(grad.matmul(w)?) } else { None };
        let for_w = if w.track_op() { Some(grad.t()?.matmul(x)?) } else { None };
        Ok((for_x, for_w))
    }
}

/// Softmax over the last dimension.
///
/// # Errors
/// The tensor operation fails.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if x.track_op() { candle_nn::ops::softmax(x, D::Minus1) } else { candle_nn::ops::softmax_last_dim(x) }
}
