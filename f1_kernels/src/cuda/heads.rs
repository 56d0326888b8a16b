//! Attention with as many key heads as query heads. The products need the tokens of a head to be
//! consecutive in memory, the layers around it the heads of a token.

use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::{Input, a_thread_each, alloc, by_eight, int, softmax, spanned};

/// As [`crate::attention`] with queries, keys and values `[batch, tokens, heads, width]` of one
/// shape and no mask; scores have the type of the queries.
pub(crate) fn attention_of_heads(q: &Tensor, k: &Tensor, v: &Tensor, scale: f64) -> Result<Tensor> {
    let (batch, tokens, heads, width) = q.dims4()?;
    // Views of one product's result, which have the same strides, are used without a copy.
    let alike = [k, v].iter().all(|x| x.stride() == q.stride())
        && matches!(q.stride(), [.., head, 1] if *head == width || heads == 1);
    let apart = if alike {
        q.apply_op3_no_bwd(k, v, &Apart)?
    } else {
        q.contiguous()?.apply_op3_no_bwd(&k.contiguous()?, &v.contiguous()?, &Apart)?
    };
    let [q, k, v] = [apart.get(0)?, apart.get(1)?, apart.get(2)?];
    let weights = softmax(&q.matmul(&k.transpose(2, 3)?)?, scale)?;
    let out = weights.matmul(&v)?.apply_op1_no_bwd(&Together)?;
    out.reshape((batch, tokens, heads * width))
}

/// Queries, keys and values `[batch, tokens, heads, width]` to `[3, batch, heads, tokens, width]`.
struct Apart;

/// `[batch, heads, tokens, width]` to `[batch, tokens, heads, width]`.
struct Together;

gpu_only!(Apart, "f1-cuda-heads-apart", 3);
gpu_only!(Together, "f1-cuda-heads-together", 1);

impl Apart {
    fn run(&self, qkv: [Input; 3]) -> Result<(CudaStorage, Shape)> {
        let (batch, tokens, heads, width) = qkv[0].1.shape().dims4()?;
        let &[of_batch, of_token, of_head, 1] = qkv[0].1.stride() else {
            bail!("heads that are not contiguous: {:?}", qkv[0].1)
        };
        let to = [tokens * heads * width, width, tokens * width];
        let out = reorder(qkv, [batch, tokens, heads, width], [of_batch, of_token, of_head], to)?;
        Ok((out, Shape::from((3, batch, heads, tokens, width))))
    }
}

impl Together {
    fn run(&self, x: [Input; 1]) -> Result<(CudaStorage, Shape)> {
        let (batch, heads, tokens, width) = x[0].1.shape().dims4()?;
        let &[of_batch, of_head, of_token, 1] = x[0].1.stride() else {
            bail!("heads that are not contiguous: {:?}", x[0].1)
        };
        let to = [tokens * heads * width, heads * width, width];
        let out = reorder(x, [batch, tokens, heads, width], [of_batch, of_token, of_head], to)?;
        Ok((out, Shape::from((batch, tokens, heads, width))))
    }
}

/// Copies one to three tensors of the same strides to consecutive memory in another order. Orders
/// are the strides of batch elements, tokens and heads.
fn reorder<const N: usize>(
    inputs: [Input; N],
    [batch, tokens, heads, width]: [usize; 4],
    from: [usize; 3],
    to: [usize; 3],
) -> Result<CudaStorage> {
    let ((storage, layout), last) = (inputs[0], inputs[N - 1]);
    if inputs
        .iter()
        .any(|(_, other)| other.shape() != layout.shape() || other.stride() != layout.stride())
    {
        bail!("heads with different strides: {:?}", inputs.map(|(_, layout)| layout.clone()))
    }
    let device = &storage.device;
    let starts = inputs.map(|(_, layout)| layout.start_offset());
    let (some, eights) = by_eight(&[&starts[..], &from, &to, &[width]].concat());
    let part = batch * tokens * heads * width;
    Ok(by_type!(storage, |suffix: T| {
        let out = alloc::<T>(device, N * part)?;
        if part > 0 {
            let [first, second, third] =
                [spanned::<T>(inputs[0])?, spanned::<T>(inputs[N / 2])?, spanned::<T>(last)?];
            let mut config = a_thread_each(part / some)?;
            config.grid_dim.1 = int(N)?.unsigned_abs();
            let (steps, tokens, heads, width) =
                (int(part / some)?, int(tokens)?, int(heads)?, int(width)?);
            let name = format!("f1_heads{eights}_{suffix}");
            launch!(
                device,
                HEADS,
                name,
                config,
                [
                    &first, &second, &third, &out, &steps, &tokens, &heads, &width, &from[0],
                    &from[1], &from[2], &to[0], &to[1], &to[2], &part
                ]
            );
        }
        CudaStorage::wrap_cuda_slice(out, device.clone())
    }))
}
