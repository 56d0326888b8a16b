//! Rotary position embedding, into new memory or into rows of a cache.

use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{
    CpuStorage, CudaDevice, DType, InplaceOp2, InplaceOp3, Layout, Result, Shape, Tensor, bail,
};

use super::{Input, a_thread_each, alloc, by_eight, int, span, view};

/// As [`crate::rope`]; the heads of a token must be consecutive in memory, tokens may have any
/// strides. `angles` `[2, batch or 1, tokens, width / 2]` are the cosines, then the sines.
pub(crate) fn rope(x: &Tensor, angles: &Tensor) -> Result<Tensor> {
    with_heads(x)?.apply_op2_no_bwd(angles, &Rope)
}

/// Writes `x` `[batch, tokens, heads, width]`, rotated if `angles` are given, over `rows`, a part
/// of a cache with the shape of `x`.
pub(crate) fn write_rows(rows: &Tensor, x: &Tensor, angles: Option<&Tensor>) -> Result<()> {
    if rows.shape() != x.shape() {
        bail!("rows {:?} of a cache for {:?}", rows.shape(), x.shape())
    }
    match angles {
        Some(angles) => rows.inplace_op3(&with_heads(x)?, angles, &Rope),
        None => rows.inplace_op2(&with_heads(x)?, &Rope),
    }
}

/// The tensor itself when the heads of a token are consecutive; otherwise a contiguous copy.
fn with_heads(x: &Tensor) -> Result<Tensor> {
    let (_, _, _, width) = x.dims4()?;
    if heads_lie(x.layout(), width) { Ok(x.clone()) } else { x.contiguous() }
}

fn heads_lie(layout: &Layout, width: usize) -> bool {
    matches!(layout.stride(), [_, _, head, 1] if *head == width || layout.dims()[2] == 1)
}

/// As [`crate::rope_joined`].
pub(crate) fn rope_joined(
    all: &Tensor,
    heads: usize,
    rows: &Tensor,
    angles: &Tensor,
) -> Result<Tensor> {
    all.contiguous()?.apply_op3_no_bwd(angles, rows, &RopeJoined { heads })
}

/// Takes queries, keys and values of one product, the angles, and `[2, batch, tokens, kv_heads,
/// width]` of a cache, which is written.
struct RopeJoined {
    heads: usize,
}

gpu_only!(RopeJoined, "f1-cuda-rope-joined", 3);

impl RopeJoined {
    fn run(&self, [x, angles, rows]: [Input; 3]) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = x;
        let (batch, tokens, all, width) = layout.shape().dims4()?;
        let (two, held_batch, held_tokens, kv_heads, held_width) = rows.1.shape().dims5()?;
        let dense =
            matches!(rows.1.stride(), [_, _, _, head, 1] if *head == width || kv_heads == 1);
        if (two, held_batch, held_tokens, held_width) != (2, batch, tokens, width)
            || all != self.heads + 2 * kv_heads
            || width % 2 != 0
            || !dense
        {
            bail!("rope: {layout:?} with {} heads into {:?}", self.heads, rows.1)
        }
        let shape = Shape::from((batch, tokens, self.heads, width));
        let pairs = batch * tokens * all * (width / 2);
        let starts = [layout, angles.1, rows.1].map(Layout::start_offset);
        let places = [&starts[..], &rows.1.stride()[..3], &[width / 2]].concat();
        let (some, eights) = by_eight(&places);
        let device = &storage.device;
        let out = by_type!(storage, |suffix: T| {
            let all = view::<T>(x)?;
            let q = alloc::<T>(device, shape.elem_count())?;
            if pairs > 0 {
                let angles = Angles::new(angles, batch, tokens, width / 2)?;
                let [parts, batch_stride, token_stride, ..] = *rows.1.stride() else {
                    bail!("rope: into {:?}", rows.1)
                };
                // Written through a shared borrow: this is memory of the device, whose accesses the
                // stream orders.
                let held = rows.0.as_cuda_slice::<T>()?.slice(span(rows.1));
                let (key, value) = (held.slice(..), held.slice(parts..));
                let (tokens, heads, kv_heads, half) =
                    (int(tokens)?, int(self.heads)?, int(kv_heads)?, int(width / 2)?);
                let steps = int(pairs / some)?;
                let (name, config) =
                    (format!("f1_rope_joined{eights}_{suffix}"), a_thread_each(pairs / some)?);
                launch!(
                    device,
                    ROPE,
                    name,
                    config,
                    [
                        &all,
                        &angles.cos,
                        &angles.sin,
                        &q,
                        &key,
                        &value,
                        &steps,
                        &tokens,
                        &heads,
                        &kv_heads,
                        &half,
                        &angles.batch,
                        &batch_stride,
                        &token_stride
                    ]
                );
            }
            CudaStorage::wrap_cuda_slice(q, device.clone())
        });
        Ok((out, shape))
    }
}

/// Cosines and sines as a kernel takes them.
struct Angles<'a> {
    cos: CudaView<'a, f32>,
    sin: CudaView<'a, f32>,
    /// Stride of batch elements: 0 where all have the same angles.
    batch: usize,
}

impl<'a> Angles<'a> {
    fn new((storage, layout): Input<'a>, batch: usize, tokens: usize, half: usize) -> Result<Self> {
        let (two, rows, each, columns) = layout.shape().dims4()?;
        let dense = matches!(layout.stride(), [_, _, token, 1] if *token == half || tokens == 1);
        if (two, each, columns) != (2, tokens, half) || (rows != 1 && rows != batch) || !dense {
            bail!("rope: angles {layout:?} for {batch} times {tokens} tokens")
        }
        let all = storage.as_cuda_slice::<f32>()?.slice(span(layout));
        Ok(Self {
            cos: all.slice(..),
            sin: all.slice(layout.stride()[0]..),
            batch: if rows == 1 { 0 } else { layout.stride()[1] },
        })
    }
}

struct Rope;

gpu_only!(Rope, "f1-cuda-rope", 2);

impl Rope {
    fn run(&self, [x, angles]: [Input; 2]) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = x;
        let (shape, device) = (layout.shape().clone(), storage.device.clone());
        let target = Layout::contiguous(&shape);
        let out = by_type!(storage, |suffix: T| {
            let mut out = alloc::<T>(&device, shape.elem_count())?;
            turn::<T>(suffix, &device, &mut out, &target, x, Some(angles))?;
            CudaStorage::wrap_cuda_slice(out, device.clone())
        });
        Ok((out, shape))
    }
}

/// Rotates (or copies) `x` to the place `target` in `out`.
fn turn<T>(
    suffix: &str,
    device: &CudaDevice,
    out: &mut candle_core::cuda_backend::cudarc::driver::CudaSlice<T>,
    target: &Layout,
    (storage, layout): Input,
    angles: Option<Input>,
) -> Result<()>
where
    T: candle_core::cuda_backend::cudarc::driver::DeviceRepr + candle_core::cuda_backend::CudaDType,
{
    let (batch, tokens, heads, width) = layout.shape().dims4()?;
    let pairs = batch * tokens * heads * (width / 2);
    if layout.shape() != target.shape()
        || width % 2 != 0
        || !heads_lie(layout, width)
        || !heads_lie(target, width)
    {
        bail!("rope: {layout:?} to {target:?}")
    }
    if pairs == 0 {
        return Ok(());
    }
    let x = storage.as_cuda_slice::<T>()?.slice(span(layout));
    let mut out = out.slice_mut(span(target));
    let (x_batch, x_token) = (layout.stride()[0], layout.stride()[1]);
    let (out_batch, out_token) = (target.stride()[0], target.stride()[1]);
    let (tokens_, heads, half) = (int(tokens)?, int(heads)?, int(width / 2)?);
    let of_angles = angles.map_or(0, |(_, layout)| layout.start_offset());
    let starts = [layout.start_offset(), target.start_offset(), of_angles];
    let (some, eights) =
        by_eight(&[&starts[..], &[width / 2, x_batch, x_token, out_batch, out_token]].concat());
    let steps = int(pairs / some)?;
    let (name, config) = (format!("f1_rope{eights}_{suffix}"), a_thread_each(pairs / some)?);
    let Some(angles) = angles else {
        let (none, alike) = (0_u64, 0_usize);
        launch!(
            device,
            ROPE,
            name,
            config,
            [
                &x, &none, &none, &mut out, &steps, &tokens_, &heads, &half, &alike, &x_batch,
                &x_token, &out_batch, &out_token
            ]
        );
        return Ok(());
    };
    let angles = Angles::new(angles, batch, tokens, width / 2)?;
    launch!(
        device,
        ROPE,
        name,
        config,
        [
            &x,
            &angles.cos,
            &angles.sin,
            &mut out,
            &steps,
            &tokens_,
            &heads,
            &half,
            &angles.batch,
            &x_batch,
            &x_token,
            &out_batch,
            &out_token
        ]
    );
    Ok(())
}

impl InplaceOp3 for Rope {
    fn name(&self) -> &'static str {
        "f1-cuda-write-rotated"
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
        bail!("f1-cuda-write-rotated is a kernel for GPUs")
    }

    fn cuda_fwd(
        &self,
        rows: &mut CudaStorage,
        target: &Layout,
        x: &CudaStorage,
        lx: &Layout,
        angles: &CudaStorage,
        la: &Layout,
    ) -> Result<()> {
        let device = rows.device.clone();
        by_type!(&*rows, |suffix: T| turn::<T>(
            suffix,
            &device,
            rows.as_cuda_slice_mut::<T>()?,
            target,
            (x, lx),
            Some((angles, la))
        ))
    }
}

impl InplaceOp2 for Rope {
    fn name(&self) -> &'static str {
        "f1-cuda-write-rows"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        bail!("f1-cuda-write-rows is a kernel for GPUs")
    }

    fn cuda_fwd(
        &self,
        rows: &mut CudaStorage,
        target: &Layout,
        x: &CudaStorage,
        lx: &Layout,
    ) -> Result<()> {
        let device = rows.device.clone();
        by_type!(&*rows, |suffix: T| turn::<T>(
            suffix,
            &device,
            rows.as_cuda_slice_mut::<T>()?,
            target,
            (x, lx),
            None
        ))
    }
}
