//! Linear layers: `x W^T + b`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor};

#[cfg(feature = "cuda")]
use super::{adds_bias, cuda};
use super::{gelu_tanh, is_fast, with_gradients};

/// `x W^T + b` over the last dimension: x `[.., in]`, weight `[out, in]`, bias `[out]`.
///
/// Weights of another type than `x` (bf16 weights under f32 activations) are widened for the call.
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// # fn main() -> candle_core::Result<()> {
/// let x = Tensor::new(&[[1f32, 2.0]], &Device::Cpu)?;
/// let weight = Tensor::new(&[[3f32, 4.0]], &Device::Cpu)?;
/// let bias = Tensor::new(&[0.5f32], &Device::Cpu)?;
/// assert_eq!(f1_kernels::linear(&x, &weight, Some(&bias))?.to_vec2::<f32>()?, [[11.5]]);
/// # Ok(())
/// # }
/// ```
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
    if let Some(bias) = bias
        && !is_fast(x)
        && bias.dtype() == x.dtype()
        && [x, weight, bias].into_iter().any(Tensor::track_op)
    {
        // An operation of its own, so that the product before the bias is not kept.
        let forward = |[x, weight, bias]: [&Tensor; 3]| linear(x, weight, Some(bias));
        return with_gradients([x, weight, bias], forward, linear_gradients);
    }
    let mut shape = x.dims().to_vec();
    let input = shape.pop().unwrap_or(1);
    let rows: usize = shape.iter().product();
    shape.push(weight.dim(0)?);
    let flat = x.reshape((rows, input))?.contiguous()?;
    let out = flat.apply_op2(weight, LinearOp)?.reshape(shape)?;
    #[cfg(feature = "cuda")]
    if let Some(bias) = bias
        && adds_bias(&out, bias)
    {
        return cuda::add_bias(out, bias, false);
    }
    match bias {
        Some(bias) if bias.dtype() == out.dtype() => out.broadcast_add(bias),
        Some(bias) => out.broadcast_add(&bias.to_dtype(out.dtype())?),
        None => Ok(out),
    }
}

/// Gradients of input, weight and bias, where they are tracked.
fn linear_gradients([x, weight, bias]: [&Tensor; 3], grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
    let (output, input) = weight.dims2()?;
    let rows = x.elem_count() / input.max(1);
    let grad = grad.reshape((rows, output))?.contiguous()?;
    let [of_x, of_weight] = product_gradients(&x.reshape((rows, input))?, weight, &grad)?;
    let of_bias = if bias.track_op() { Some(grad.sum(0)?) } else { None };
    Ok([of_x.map(|of_x| of_x.reshape(x.shape())).transpose()?, of_weight, of_bias])
}

/// Gradients of `x` `[rows, in]` and `weight` `[out, in]`, where they are tracked, from `grad`
/// `[rows, out]`.
fn product_gradients(x: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
    let of_x = if x.track_op() { Some(grad.matmul(&weight.detach())?) } else { None };
    let of_weight = if weight.track_op() { Some(grad.t()?.matmul(&x.detach())?) } else { None };
    Ok([of_x, of_weight])
}

/// [`gelu_tanh`] of [`linear`] with a bias.
///
/// # Errors
/// The widths do not fit.
pub fn linear_gelu(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    {
        let out = linear(x, weight, None)?;
        if adds_bias(&out, bias) {
            return cuda::add_bias(out, bias, true);
        }
    }
    gelu_tanh(&linear(x, weight, Some(bias))?)
}

/// `x W^T` with a backward pass that computes only the gradients of tracked tensors.
struct LinearOp;

impl LinearOp {
    fn forward<S: BackendStorage>(
        x: &S,
        x_layout: &Layout,
        w: &S,
        w_layout: &Layout,
    ) -> Result<(S, Shape)> {
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
        #[cfg(feature = "cuda")]
        {
            let ((rows, input), (output, w_input)) =
                (x_layout.shape().dims2()?, w_layout.shape().dims2()?);
            if input == w_input
                && let Some(out) = cuda::linear_of_few_rows((x, x_layout), (w, w_layout))?
            {
                return Ok((out, Shape::from((rows, output))));
            }
        }
        Self::forward(x, x_layout, w, w_layout)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok(product_gradients(x, w, &grad.contiguous()?)?.into())
    }
}
