//! The same fused operations on NVIDIA GPUs: CUDA C++ under `kernels/`, compiled to PTX when the crate is built.
//!
//! They serve inference in f32 and bf16. Where a gradient is wanted candle's own operations do, because these have no backward pass.

use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaView, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, CudaStorage, WrapErr};
use candle_core::{
    CpuStorage, CudaDevice, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail,
};

/// PTX of each file under `kernels/`, by the file's name.
mod ptx {
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}

/// Threads of a block that goes over a row.
const ROW_THREADS: u32 = 256;
/// Threads of a block of an elementwise kernel.
const THREADS: u32 = 256;

/// Whether these kernels serve `tensors`: all on a GPU and none of them part of a gradient, the first in f32 or bf16, the others
/// in f32 unless `same` says that they have the first one's type.
pub(crate) fn serves(x: &Tensor, others: &[&Tensor], same: bool) -> bool {
    let wanted = if same { x.dtype() } else { DType::F32 };
    matches!(x.dtype(), DType::F32 | DType::BF16)
        && x.device().is_cuda()
        && !x.track_op()
        && others.iter().all(|other| other.device().is_cuda() && other.dtype() == wanted && !other.track_op())
}

/// As [`super::rms_norm`].
pub(crate) fn rms_norm(x: &Tensor, scale: &Tensor, eps: f64) -> Result<Tensor> {
    x.contiguous()?.apply_op2_no_bwd(&scale.contiguous()?, &RmsNorm(eps as f32))
}

/// As [`super::layer_norm`].
pub(crate) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    x.contiguous()?.apply_op3_no_bwd(&weight.contiguous()?, &bias.contiguous()?, &LayerNorm(eps as f32))
}

/// As [`super::rope`].
pub(crate) fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op3_no_bwd(&cos.contiguous()?, &sin.contiguous()?, &Rope)
}

/// As [`super::geglu`].
pub(crate) fn geglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2_no_bwd(&up.contiguous()?, &GeGlu)
}

/// Softmax over the last dimension of `scale * scores`, in the type of the scores.
pub(crate) fn softmax(scores: &Tensor, scale: f64) -> Result<Tensor> {
    scores.contiguous()?.apply_op1_no_bwd(&Softmax { scale: scale as f32, heads: 1 })
}

/// As [`super::attention`] with one key and value head: the queries of all heads are rows of one matrix as they lie in memory, so
/// nothing is transposed and nothing copied.
pub(crate) fn attention_one_key_head(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
) -> Result<Tensor> {
    let (batch, queries, heads, width) = q.dims4()?;
    let (k, v) = (k.squeeze(2)?, v.squeeze(2)?);
    let rows = q.contiguous()?.reshape((batch, queries * heads, width))?;
    let scores = rows.matmul(&k.transpose(1, 2)?)?;
    let op = Softmax { scale: scale as f32, heads };
    let probabilities = match mask {
        None => scores.apply_op1_no_bwd(&op)?,
        Some(mask) => scores.apply_op2_no_bwd(&mask.contiguous()?, &op)?,
    };
    probabilities.matmul(&v)?.reshape((batch, queries, heads * width))
}

/// The numbers of a tensor that the caller has made contiguous.
fn view<'a, T: DeviceRepr + CudaDType>(storage: &'a CudaStorage, layout: &Layout) -> Result<CudaView<'a, T>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        None => bail!("a fused kernel was given a tensor that is not contiguous: {layout:?}"),
    }
}

fn int(number: usize) -> Result<i32> {
    i32::try_from(number)
        .map_err(|_| candle_core::Error::Msg(format!("{number} is too many for a kernel")).bt())
}

fn grid(blocks: usize, threads: u32) -> Result<LaunchConfig> {
    let blocks = int(blocks)?.unsigned_abs();
    Ok(LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 })
}

/// The last dimension and the number of rows.
fn rows_of(layout: &Layout) -> Result<(usize, usize)> {
    let width = layout.shape().dims().last().copied().unwrap_or(0);
    if width == 0 {
        bail!("a fused kernel was given rows without numbers: {:?}", layout.shape())
    }
    Ok((width, layout.shape().elem_count() / width))
}

/// Runs `$body` with `T` as the storage's type and `$suffix` as the kernels' ending for it; its slice becomes the storage returned.
macro_rules! by_type {
    ($storage:expr, $layout:expr, |$suffix:ident: $t:ident| $body:expr) => {{
        let device = $storage.device.clone();
        let out = match candle_core::backend::BackendStorage::dtype($storage) {
            DType::F32 => {
                type $t = f32;
                let $suffix = "f32";
                CudaStorage::wrap_cuda_slice($body, device)
            }
            DType::BF16 => {
                type $t = half::bf16;
                let $suffix = "bf16";
                CudaStorage::wrap_cuda_slice($body, device)
            }
            other => bail!("no fused kernel for {other:?}"),
        };
        Ok((out, $layout.shape().clone()))
    }};
}

/// Room for a kernel's results.
fn room<T: DeviceRepr>(device: &CudaDevice, count: usize) -> Result<CudaSlice<T>> {
    // SAFETY: every kernel of this file writes each of the numbers before anything reads them.
    #[allow(unsafe_code)]
    unsafe {
        device.alloc::<T>(count)
    }
}

/// Loads `$name` from the PTX `$file`, gives it the arguments and starts it. `$why` says what keeps its accesses within the buffers.
macro_rules! launch {
    ($device:expr, $file:ident, $name:expr, $config:expr, [$($argument:expr),* $(,)?]) => {{
        let function = $device.get_or_load_custom_func(&$name, concat!("f1_", stringify!($file)), ptx::$file)?;
        let mut builder = function.builder();
        $(builder.arg($argument);)*
        // SAFETY: the argument list is the kernel's; the callers give buffers of `rows * width` (`count`, `pairs`) numbers, checked
        // by `view`, and the kernels index by block and thread below these.
        #[allow(unsafe_code)]
        unsafe { builder.launch($config) }.w()?;
    }};
}

/// What only runs on a GPU says so on a CPU.
fn not_here<R>(name: &str) -> Result<R> {
    bail!("{name} is a kernel for GPUs")
}

struct RmsNorm(f32);

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "f1-cuda-rms-norm"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here(self.name())
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (width, rows) = rows_of(lx)?;
        fits("rms norm", lw, width)?;
        by_type!(x, lx, |suffix: T| {
            let device = &x.device;
            let (x, scale) = (view::<T>(x, lx)?, view::<f32>(w, lw)?);
            let out = room::<T>(device, rows * width)?;
            let width = int(width)?;
            launch!(
                device,
                NORM,
                format!("f1_rms_norm_{suffix}"),
                grid(rows, ROW_THREADS)?,
                [&x, &scale, &out, &width, &self.0]
            );
            out
        })
    }
}

struct LayerNorm(f32);

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "f1-cuda-layer-norm"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        not_here(self.name())
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
        b: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (width, rows) = rows_of(lx)?;
        fits("layer norm", lw, width)?;
        fits("layer norm", lb, width)?;
        by_type!(x, lx, |suffix: T| {
            let device = &x.device;
            let (x, weight, bias) = (view::<T>(x, lx)?, view::<f32>(w, lw)?, view::<f32>(b, lb)?);
            let out = room::<T>(device, rows * width)?;
            let width = int(width)?;
            launch!(
                device,
                NORM,
                format!("f1_layer_norm_{suffix}"),
                grid(rows, ROW_THREADS)?,
                [&x, &weight, &bias, &out, &width, &self.0]
            );
            out
        })
    }
}

fn fits(what: &str, layout: &Layout, width: usize) -> Result<()> {
    match layout.shape().elem_count() {
        count if count == width => Ok(()),
        count => bail!("{what}: {count} weights for width {width}"),
    }
}

struct Rope;

impl CustomOp3 for Rope {
    fn name(&self) -> &'static str {
        "f1-cuda-rope"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        not_here(self.name())
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        cos: &CudaStorage,
        lc: &Layout,
        sin: &CudaStorage,
        ls: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (_, _, heads, width) = lx.shape().dims4()?;
        let angles = lc.shape().dims().iter().rev().skip(1).product::<usize>();
        fits("rope", lc, angles * (width / 2))?;
        fits("rope", ls, angles * (width / 2))?;
        let count = lx.shape().elem_count();
        by_type!(x, lx, |suffix: T| {
            let device = &x.device;
            let (x, cos, sin) = (view::<T>(x, lx)?, view::<f32>(cos, lc)?, view::<f32>(sin, ls)?);
            let out = room::<T>(device, count)?;
            let pairs = count / 2;
            if pairs > 0 {
                let (heads, half, angles) = (int(heads)?, int(width / 2)?, int(angles)?);
                let config = grid(pairs.div_ceil(THREADS as usize), THREADS)?;
                launch!(
                    device,
                    ROPE,
                    format!("f1_rope_{suffix}"),
                    config,
                    [&x, &cos, &sin, &out, &pairs, &heads, &half, &angles]
                );
            }
            out
        })
    }
}

struct GeGlu;

impl CustomOp2 for GeGlu {
    fn name(&self) -> &'static str {
        "f1-cuda-geglu"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here(self.name())
    }

    fn cuda_fwd(
        &self,
        gate: &CudaStorage,
        lg: &Layout,
        up: &CudaStorage,
        lu: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let count = lg.shape().elem_count();
        if lg.shape() != lu.shape() {
            bail!("geglu: gate {:?} and up {:?} differ", lg.shape(), lu.shape())
        }
        by_type!(gate, lg, |suffix: T| {
            let device = &gate.device;
            let (gate, up) = (view::<T>(gate, lg)?, view::<T>(up, lu)?);
            let out = room::<T>(device, count)?;
            if count > 0 {
                let config = grid(count.div_ceil(THREADS as usize), THREADS)?;
                launch!(device, GATE, format!("f1_geglu_{suffix}"), config, [&gate, &up, &out, &count]);
            }
            out
        })
    }
}

/// Scores `[batch, queries * heads, keys]` (a query's heads side by side), mask `[batch or 1, queries or 1, keys]`.
struct Softmax {
    scale: f32,
    heads: usize,
}

impl Softmax {
    fn run(
        &self,
        scores: &CudaStorage,
        layout: &Layout,
        mask: Option<(&CudaStorage, &Layout)>,
    ) -> Result<(CudaStorage, Shape)> {
        let (keys, rows) = rows_of(layout)?;
        let dims = layout.shape().dims();
        let rows_a_batch = if dims.len() > 2 { dims[1..dims.len() - 1].iter().product() } else { rows };
        let (mut mask_batch, mut mask_query) = (0, 0);
        if let Some((_, layout)) = mask {
            let (batches, queries, width) = layout.shape().dims3()?;
            let wanted = rows_a_batch / self.heads.max(1);
            let batch = rows / rows_a_batch.max(1);
            if width != keys || (queries != 1 && queries != wanted) || (batches != 1 && batches != batch) {
                bail!("softmax: mask {:?} for {dims:?} with {} heads", layout.shape(), self.heads)
            }
            mask_batch = if batches > 1 { queries * keys } else { 0 };
            mask_query = if queries > 1 { keys } else { 0 };
        }
        by_type!(scores, layout, |suffix: T| {
            let device = &scores.device;
            let scores = view::<T>(scores, layout)?;
            let mask = mask.map(|(mask, layout)| view::<f32>(mask, layout)).transpose()?;
            let out = room::<T>(device, rows * keys)?;
            if rows > 0 {
                let (keys, rows_a_batch, heads) = (int(keys)?, int(rows_a_batch)?, int(self.heads)?);
                let (name, config) = (format!("f1_softmax_{suffix}"), grid(rows, ROW_THREADS)?);
                match &mask {
                    Some(mask) => launch!(
                        device,
                        SOFTMAX,
                        name,
                        config,
                        [
                            &scores,
                            mask,
                            &out,
                            &keys,
                            &self.scale,
                            &rows_a_batch,
                            &heads,
                            &mask_batch,
                            &mask_query
                        ]
                    ),
                    None => {
                        let none = 0_u64;
                        launch!(
                            device,
                            SOFTMAX,
                            name,
                            config,
                            [
                                &scores,
                                &none,
                                &out,
                                &keys,
                                &self.scale,
                                &rows_a_batch,
                                &heads,
                                &mask_batch,
                                &mask_query
                            ]
                        );
                    }
                }
            }
            out
        })
    }
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "f1-cuda-softmax"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here(CustomOp1::name(self))
    }

    fn cuda_fwd(&self, scores: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        self.run(scores, layout, None)
    }
}

impl CustomOp2 for Softmax {
    fn name(&self) -> &'static str {
        "f1-cuda-masked-softmax"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here(CustomOp2::name(self))
    }

    fn cuda_fwd(
        &self,
        scores: &CudaStorage,
        layout: &Layout,
        mask: &CudaStorage,
        lm: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.run(scores, layout, Some((mask, lm)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::super::{
        attention, attention_plain, geglu, layer_norm, layer_norm_plain, rms_norm, rms_norm_plain, rope,
        rope_plain,
    };

    /// These tests run where the feature `cuda` is built: on a machine with a GPU. Without one they fail, as the programs do.
    fn gpu() -> Device {
        Device::new_cuda(0).expect("a GPU")
    }

    fn random(shape: &[usize], device: &Device) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap().to_device(device).unwrap()
    }

    fn distance(a: &Tensor, b: &Tensor) -> f32 {
        let wide = |tensor: &Tensor| tensor.to_device(&Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
        (wide(a) - wide(b)).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    /// For f32 and bf16: the type and how far the fused result may be from candle's own operations.
    const TYPES: [(DType, f32); 2] = [(DType::F32, 1e-5), (DType::BF16, 3e-2)];

    #[test]
    fn norms_are_candles() {
        let device = gpu();
        for (dtype, tolerance) in TYPES {
            for width in [7, 128, 2048] {
                let x = random(&[3, 5, width], &device).to_dtype(dtype).unwrap();
                let (scale, bias) = (random(&[width], &device), random(&[width], &device));
                let near = |a: Tensor, b: Tensor| assert!(distance(&a, &b) <= tolerance, "{dtype:?} {width}");
                near(rms_norm(&x, &scale, 1e-6).unwrap(), rms_norm_plain(&x, &scale, 1e-6).unwrap());
                near(
                    layer_norm(&x, &scale, &bias, 1e-5).unwrap(),
                    layer_norm_plain(&x, &scale, &bias, 1e-5).unwrap(),
                );
            }
        }
    }

    #[test]
    fn rope_is_candles_with_shared_and_with_own_angles() {
        let device = gpu();
        for (dtype, tolerance) in TYPES {
            for angles in [1, 2] {
                let x = random(&[2, 9, 3, 16], &device).to_dtype(dtype).unwrap();
                let (cos, sin) = (random(&[angles, 9, 8], &device), random(&[angles, 9, 8], &device));
                let fused = rope(&x, &cos, &sin).unwrap();
                assert!(distance(&fused, &rope_plain(&x, &cos, &sin).unwrap()) <= tolerance, "{dtype:?}");
                // A part of a longer table, as a pass over the last rows has it.
                let (x, cos, sin) =
                    (x.narrow(1, 4, 5).unwrap(), cos.narrow(1, 4, 5).unwrap(), sin.narrow(1, 4, 5).unwrap());
                let fused = rope(&x, &cos, &sin).unwrap();
                assert!(distance(&fused, &rope_plain(&x, &cos, &sin).unwrap()) <= tolerance, "{dtype:?}");
            }
        }
    }

    #[test]
    fn the_gate_is_candles() {
        let device = gpu();
        for (dtype, tolerance) in TYPES {
            let (gate, up) = (random(&[3, 700], &device), random(&[3, 700], &device));
            let (gate, up) = (gate.to_dtype(dtype).unwrap(), up.to_dtype(dtype).unwrap());
            let plain = gate.gelu().unwrap().mul(&up).unwrap();
            assert!(distance(&geglu(&gate, &up).unwrap(), &plain) <= 2.0 * tolerance, "{dtype:?}");
        }
    }

    #[test]
    fn attention_is_candles_with_one_and_with_many_key_heads() {
        let device = gpu();
        for (dtype, tolerance) in TYPES {
            for (batch, kv_heads) in [(1, 1), (2, 1), (2, 4)] {
                let of = |tokens: usize, heads: usize| {
                    random(&[batch, tokens, heads, 16], &device).to_dtype(dtype).unwrap()
                };
                let (q, k, v) = (of(6, 4), of(37, kv_heads), of(37, kv_heads));
                let hidden = |queries: usize| {
                    let values: Vec<f32> = (0..batch * queries * 37)
                        .map(|i| if i % 37 > 0 && i % 3 == 0 { -1e30 } else { 0.0 })
                        .collect();
                    Tensor::from_vec(values, (batch, queries, 37), &device).unwrap()
                };
                for mask in [None, Some(hidden(1)), Some(hidden(6))] {
                    let fused = attention(&q, &k, &v, mask.as_ref(), 0.25).unwrap();
                    let plain = attention_plain(&q, &k, &v, mask.as_ref(), 0.25).unwrap();
                    assert!(distance(&fused, &plain) <= tolerance, "{dtype:?} {batch} {kv_heads}");
                }
                // Keys that are the first rows of a cache with room.
                let (k, v) = (k.narrow(1, 0, 20).unwrap(), v.narrow(1, 0, 20).unwrap());
                let fused = attention(&q, &k, &v, None, 0.25).unwrap();
                let plain = attention_plain(&q, &k, &v, None, 0.25).unwrap();
                assert!(distance(&fused, &plain) <= tolerance, "{dtype:?} {batch} {kv_heads} narrowed");
            }
        }
    }
}
