//! The operations the network is made of: the kernels of this crate, and what is thin enough to
//! stand here.
//!
//! Every operation is differentiable and runs on every device.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, D, Layout, Result, Shape, Tensor};

use crate::kernels;
pub use crate::kernels::{
    add_layer_norm, add_rms_norm, attention, attention_in_blocks, geglu, geglu_joined, gelu_tanh,
    group_norm, layer_norm, rms_norm, rope, rope_joined, silu, with_gradients, write_rows,
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
    if let Some(bias) = bias
        && !kernels::is_fast(x)
        && bias.dtype() == x.dtype()
        && [x, weight, bias].into_iter().any(Tensor::track_op)
    {
        // The product before the bias is not kept.
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

/// Of input, weight and bias, where they are wanted.
fn linear_gradients([x, weight, bias]: [&Tensor; 3], grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
    let (output, input) = weight.dims2()?;
    let rows = x.elem_count() / input.max(1);
    let grad = grad.reshape((rows, output))?.contiguous()?;
    let [of_x, of_weight] = product_gradients(&x.reshape((rows, input))?, weight, &grad)?;
    let of_bias = if bias.track_op() { Some(grad.sum(0)?) } else { None };
    Ok([of_x.map(|of_x| of_x.reshape(x.shape())).transpose()?, of_weight, of_bias])
}

/// Of `x` `[rows, in]` and `weight` `[out, in]`, where they are wanted, from `grad` `[rows, out]`.
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
        if kernels::adds_bias(&out, bias) {
            return kernels::add_bias(out, bias, true);
        }
    }
    gelu_tanh(&linear(x, weight, Some(bias))?)
}

/// `x W^T` with a backward pass that computes only the gradients somebody asked for.
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
                && let Some(out) = kernels::linear_of_few_rows((x, x_layout), (w, w_layout))?
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

/// Softmax over the last dimension.
///
/// # Errors
/// The tensor operation fails.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if x.track_op() {
        candle_nn::ops::softmax(x, D::Minus1)
    } else {
        candle_nn::ops::softmax_last_dim(x)
    }
}

/// Numbers that one block of threads sums in [`sum_in_parts`].
const PART: usize = 4096;

/// Sum of all numbers, a scalar. On a GPU in two steps: candle's own has a single block of threads
/// for a whole tensor.
///
/// # Errors
/// The tensor operation fails.
pub fn sum_in_parts(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.sum_all() } else { sum_of_parts(x) }
}

fn sum_of_parts(x: &Tensor) -> Result<Tensor> {
    let flat = x.flatten_all()?;
    let count = flat.elem_count();
    let rest = count % PART;
    if rest == count {
        return flat.sum_all();
    }
    let sum = flat.narrow(0, 0, count - rest)?.reshape(((), PART))?.sum(1)?.sum_all()?;
    if rest == 0 { Ok(sum) } else { sum + flat.narrow(0, count - rest, rest)?.sum_all()? }
}

/// Sum of scalars in f32, added in f64 in their order. The host waits for the device once.
///
/// # Errors
/// The tensor operation fails, or the scalars are on several devices.
pub fn sum_on_host(scalars: &[Tensor]) -> Result<f64> {
    if scalars.is_empty() {
        return Ok(0.0);
    }
    Ok(Tensor::stack(scalars, 0)?.to_vec1::<f32>()?.into_iter().map(f64::from).sum())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn parts_add_up_to_the_sum() {
        for shape in [(1, 1), (3, 1000), (2, PART), (7, PART / 2), (5, PART + 3)] {
            // Whole numbers below 2^24: every order gives the same sum.
            let values = Tensor::arange(0f32, (shape.0 * shape.1) as f32, &Device::Cpu).unwrap();
            let values = (values.reshape(shape).unwrap() / 8.0)
                .unwrap()
                .floor()
                .unwrap()
                .clamp(0f32, 500f32);
            let values = values.unwrap();
            let sums = [sum_in_parts(&values).unwrap(), sum_of_parts(&values).unwrap()];
            let [whole, parts] = sums.each_ref().map(|sum| sum.to_scalar::<f32>().unwrap());
            assert_eq!(whole, parts, "{shape:?}");
            assert_eq!(sum_on_host(&sums).unwrap(), 2.0 * f64::from(whole));
        }
        assert_eq!(sum_on_host(&[]).unwrap(), 0.0);
    }
}
