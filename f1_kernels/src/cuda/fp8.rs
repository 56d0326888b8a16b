//! Products of 8-bit floats (E4M3) by cuBLASLt, for GPUs of compute capability 8.9 and up.

use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute as Attribute;
use candle_core::cuda_backend::cudarc::driver::{DevicePtr, PushKernelArg};
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Tensor, bail};
use half::bf16;

use super::cublaslt::{Sizes, product};
use super::{Input, alloc, by_eight, grid, int, row_threads, rows_of, view};

/// Bytes of the scale, which is stored behind the numbers.
const SCALE: usize = size_of::<f32>();

/// Whether the device multiplies 8-bit floats.
///
/// # Errors
/// It does not, or is not a GPU.
pub fn check(device: &Device) -> Result<()> {
    let Device::Cuda(device) = device else { bail!("8-bit floats are multiplied by GPUs only") };
    let context = device.cuda_stream();
    let of = |attribute| context.context().attribute(attribute).w();
    let major = of(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = of(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    if (major, minor) < (8, 9) {
        bail!(
            "8-bit floats (fp8) need a GPU of compute capability 8.9 or newer and this one has {major}.{minor}: \
             load without quantisation, or with q8_0"
        )
    }
    Ok(())
}

/// `x` `[rows, width]` as 8-bit floats with one scale: `[rows * width]` numbers, then the scale's
/// four bytes.
///
/// # Errors
/// An error of the device.
pub fn to_fp8(x: &Tensor) -> Result<Tensor> {
    let x = x.contiguous()?;
    let most = x.apply_op1_no_bwd(&RowMax)?;
    x.apply_op2_no_bwd(&most, &Round)
}

/// Rows `first..first + output` of weights `[.., input]` of [`to_fp8`], times `x` `[.., input]`:
/// `[.., output]` in bf16.
///
/// # Errors
/// Sizes that do not fit, or an error of the device.
pub fn fp8_linear(x: &Tensor, weight: &Tensor, first: usize, output: usize) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let input = dims.pop().unwrap_or(1);
    let rows = dims.iter().product();
    dims.push(output);
    let op = Product { first, output, input, rows };
    weight.apply_op2_no_bwd(&to_fp8(&x.reshape((rows, input))?)?, &op)?.reshape(dims)
}

struct RowMax;

gpu_only!(RowMax, "f1-cuda-row-max", 1);

impl RowMax {
    fn run(&self, [x]: [Input; 1]) -> Result<(CudaStorage, Shape)> {
        let (width, rows) = rows_of(x.1)?;
        let device = &x.0.device;
        let most = alloc::<f32>(device, rows)?;
        let (some, eights) = by_eight(&[width, x.1.start_offset()]);
        let config = grid(rows, row_threads(width, some))?;
        by_type!(x.0, |suffix: T| {
            let (x, width) = (view::<T>(x)?, int(width)?);
            if rows > 0 {
                let name = format!("f1_row_max{eights}_{suffix}");
                launch!(device, FP8, name, config, [&x, &most, &width]);
            }
        });
        Ok((CudaStorage::wrap_cuda_slice(most, device.clone()), Shape::from(rows)))
    }
}

struct Round;

gpu_only!(Round, "f1-cuda-fp8-round", 2);

impl Round {
    fn run(&self, [x, most]: [Input; 2]) -> Result<(CudaStorage, Shape)> {
        let (width, rows) = rows_of(x.1)?;
        if width % 16 != 0 || rows == 0 {
            bail!("8-bit floats: {rows} rows of {width} numbers; a multiple of 16 is needed")
        }
        let device = &x.0.device;
        let count = rows * width + SCALE;
        let out = alloc::<u8>(device, count)?;
        let (some, eights) = by_eight(&[width, x.1.start_offset()]);
        by_type!(x.0, |suffix: T| {
            let (x, most) = (view::<T>(x)?, view::<f32>(most)?);
            let (config, rows, width) =
                (grid(rows, row_threads(width, some))?, int(rows)?, int(width)?);
            let name = format!("f1_fp8_round{eights}_{suffix}");
            launch!(device, FP8, name, config, [&x, &most, &out, &rows, &width]);
        });
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), Shape::from(count)))
    }
}

/// The product of weights and inputs in 8-bit floats.
struct Product {
    first: usize,
    output: usize,
    input: usize,
    rows: usize,
}

gpu_only!(Product, "f1-cuda-fp8-product", 2);

impl Product {
    fn run(&self, [weight, x]: [Input; 2]) -> Result<(CudaStorage, Shape)> {
        let &Self { first, output, input, rows } = self;
        let device = &weight.0.device;
        let (weight, x) = (view::<u8>(weight)?, view::<u8>(x)?);
        let (of_weight, of_x) = (weight.len() - SCALE, x.len() - SCALE);
        if (first + output) * input > of_weight || rows * input != of_x || output % 16 != 0 {
            bail!(
                "8-bit floats: rows {first}.. ({output}) of {of_weight} weights, {rows} of {of_x} inputs"
            )
        }
        let out = alloc::<bf16>(device, rows * output)?;
        let stream = device.cuda_stream();
        let scales = [
            weight.device_ptr(&stream).0 + of_weight as u64,
            x.device_ptr(&stream).0 + of_x as u64,
        ];
        let weight = weight.slice(first * input..(first + output) * input);
        if !product(
            device,
            Sizes { output, rows, input },
            &weight,
            &x.slice(..of_x),
            &out,
            Some(scales),
        )? {
            bail!("cuBLASLt knows no way to multiply 8-bit floats")
        }
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), Shape::from((rows, output))))
    }
}
