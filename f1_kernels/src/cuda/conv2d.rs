//! Convolution of the image tokenizer in channels-last memory: patches are gathered, multiplied by
//! the weights in one matrix product, and bias and summand are added in place.
//!
//! Tensors keep the shape `[batch, channels, height, width]`; only their strides are those of
//! channels-last memory. So nothing is transposed between two convolutions.

use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::cuda_backend::cudarc::driver::{DevicePtr, DevicePtrMut, PushKernelArg};
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::{Input, add_bias, add_bias_onto, alloc, grid, int, view};
use crate::conv2d::geometry::{Conv2dGeometry, Sizes};

/// Threads of a block of [`Unfold`].
const THREADS: usize = 256;
/// Most numbers of patches in memory at once (1 GiB in f32), unless a single image has more.
/// Smaller in tests, so that they have several parts.
const MOST: usize = if cfg!(test) { 1 << 12 } else { 1 << 28 };

/// `x` `[batch, channels, height, width]`, enlarged `times` by repeating pixels, convolved
/// with `weight` `[out, channels, kernel, kernel]`, plus `bias` `[out]` and `onto`, which has the
/// shape of the result. `tf32` as in [`crate::Conv2dWeights::new`].
pub(crate) fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    geometry: Conv2dGeometry,
    times: usize,
    onto: Option<&Tensor>,
    tf32: bool,
) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let large = Shape::from((batch, channels, height * times, width * times));
    let sizes = Sizes::new(&large, weight.shape(), geometry)?;
    let images = (MOST / (sizes.pixels() * sizes.depth()).max(1)).max(1);
    if batch > images {
        let part = |first| -> Result<Tensor> {
            let of = |tensor: &Tensor| tensor.narrow(0, first, images.min(batch - first));
            let onto = onto.map(of).transpose()?;
            pixels_first(&conv2d(&of(x)?, weight, bias, geometry, times, onto.as_ref(), tf32)?)
        };
        let parts = (0..batch).step_by(images).map(part).collect::<Result<Vec<_>>>()?;
        return Tensor::cat(&parts, 0)?.permute((0, 3, 1, 2));
    }
    let pixels = pixels_first(x)?;
    let kernel = pixels_first(weight)?.reshape((sizes.out_channels, sizes.depth()))?;
    let rows = batch * sizes.pixels();
    let patches = if sizes.depth() == channels && geometry == Conv2dGeometry::same(0) && times == 1
    {
        pixels
    } else {
        pixels.apply_op1_no_bwd(&Unfold { sizes, times })?
    };
    let patches = patches.reshape((rows, sizes.depth()))?;
    let out = if tf32 && patches.dtype() == DType::F32 {
        patches.apply_op2_no_bwd(&kernel, &Tf32Product)?
    } else {
        patches.matmul(&kernel.t()?)?
    };
    let out = out.reshape((batch, sizes.out_height, sizes.out_width, sizes.out_channels))?;
    let out = match onto {
        Some(onto) => add_bias_onto(out, bias, &onto.permute((0, 2, 3, 1))?)?,
        None => add_bias(out, bias, false)?,
    };
    out.permute((0, 3, 1, 2))
}

/// A tensor as `[first, third, fourth, second]`, contiguous: copied only where it is not channels
/// last already.
pub(crate) fn pixels_first(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 2, 3, 1))?.contiguous()
}

/// `a` `[rows, depth]` times the transpose of `b` `[columns, depth]`, factors rounded to TF32, sums
/// in f32.
struct Tf32Product;

gpu_only!(Tf32Product, "f1-cuda-tf32-product", 2);

impl Tf32Product {
    fn run(&self, [a, b]: [Input; 2]) -> Result<(CudaStorage, Shape)> {
        let ((rows, depth), (columns, also)) = (a.1.shape().dims2()?, b.1.shape().dims2()?);
        if depth != also {
            bail!("product: {:?} and {:?}", a.1.shape(), b.1.shape())
        }
        let device = &a.0.device;
        let (a, b) = (view::<f32>(a)?, view::<f32>(b)?);
        let mut out = alloc::<f32>(device, rows * columns)?;
        if rows * columns * depth == 0 {
            bail!("product without numbers: {rows} x {depth} x {columns}")
        }
        let stream = device.cuda_stream();
        let (m, n, k) = (int(columns)?, int(rows)?, int(depth)?);
        let (one, zero) = (1f32, 0f32);
        let number = sys::cudaDataType_t::CUDA_R_32F;
        {
            let (b, _b) = b.device_ptr(&stream);
            let (a, _a) = a.device_ptr(&stream);
            let (c, _c) = out.device_ptr_mut(&stream);
            // SAFETY: in cuBLAS's column-major order the matrices are the transposes: [depth,
            // columns] transposed, [depth, rows] and [columns, rows]. The buffers have these
            // sizes and belong to the handle's stream; both scalars are on the host and read
            // during the call.
            #[allow(unsafe_code)]
            unsafe {
                result::gemm_strided_batched_ex(
                    *device.cublas_handle().handle(),
                    sys::cublasOperation_t::CUBLAS_OP_T,
                    sys::cublasOperation_t::CUBLAS_OP_N,
                    m,
                    n,
                    k,
                    std::ptr::from_ref(&one).cast(),
                    b as *const _,
                    number,
                    k,
                    0,
                    a as *const _,
                    number,
                    k,
                    0,
                    std::ptr::from_ref(&zero).cast(),
                    c as *mut _,
                    number,
                    m,
                    0,
                    1,
                    sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
                    sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT_TENSOR_OP,
                )
            }
            .w()?;
        }
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), Shape::from((rows, columns))))
    }
}

struct Unfold {
    /// Sizes of the convolution of the enlarged image.
    sizes: Sizes,
    times: usize,
}

gpu_only!(Unfold, "f1-cuda-unfold", 1);

impl Unfold {
    fn run(&self, [x]: [Input; 1]) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = x;
        let Self { sizes, times } = self;
        let (batch, height, width, channels) = layout.shape().dims4()?;
        if (batch, height * times, width * times, channels)
            != (sizes.batch, sizes.height, sizes.width, sizes.in_channels)
        {
            bail!("unfold: {layout:?} for {sizes:?}")
        }
        let shape = Shape::from((batch, sizes.out_height, sizes.out_width, sizes.depth()));
        let at_once = if channels % 4 == 0 && layout.start_offset() % 4 == 0 { 4 } else { 1 };
        // The kernel computes indices in 32 bits.
        let count = int(shape.elem_count() / at_once)?.unsigned_abs();
        let device = &storage.device;
        let out = by_type!(storage, |suffix: T| {
            let x = view::<T>(x)?;
            let out = alloc::<T>(device, shape.elem_count())?;
            if count > 0 {
                let config = grid((count as usize).div_ceil(THREADS), THREADS as u32)?;
                let name = format!("f1_unfold{at_once}_{suffix}");
                let (packs, height, width) = (int(channels / at_once)?, int(height)?, int(width)?);
                let (out_height, out_width) = (int(sizes.out_height)?, int(sizes.out_width)?);
                let (down, across) = (int(sizes.kernel_height)?, int(sizes.kernel_width)?);
                let (stride, times) = (int(sizes.geometry.stride)?, int(*times)?);
                let (top, left) = (int(sizes.geometry.top)?, int(sizes.geometry.left)?);
                launch!(
                    device,
                    CONV2D,
                    name,
                    config,
                    [
                        &x,
                        &out,
                        &count,
                        &packs,
                        &height,
                        &width,
                        &out_height,
                        &out_width,
                        &down,
                        &across,
                        &stride,
                        &top,
                        &left,
                        &times
                    ]
                );
            }
            CudaStorage::wrap_cuda_slice(out, device.clone())
        });
        Ok((out, shape))
    }
}
