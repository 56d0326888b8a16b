//! Products of 8-bit floats (E4M3) by cuBLASLt, for GPUs of compute capability 8.9 and up.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::cublaslt::{result, sys};
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute as Attribute;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, PushKernelArg};
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CpuStorage, CudaDevice, DType, Device, Error, Layout, Result, Shape, Tensor, bail};
use half::bf16;

use super::{Input, ROW_THREADS, grid, int, room, rows_of, view};

/// Bytes behind the numbers: their scale.
const SCALE: usize = size_of::<f32>();
/// What the library may use beside the matrices; what its makers advise for the GPUs with these units.
const WORKSPACE: usize = 32 << 20;

/// Whether the device multiplies 8-bit floats.
///
/// # Errors
/// It does not, or is no GPU.
pub(crate) fn check(device: &Device) -> Result<()> {
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

/// Rows of 8-bit floats with one scale: `[rows * width]` numbers, then the scale's four bytes.
pub(crate) fn to_fp8(x: &Tensor) -> Result<Tensor> {
    let x = x.contiguous()?;
    let most = x.apply_op1_no_bwd(&RowMax)?;
    x.apply_op2_no_bwd(&most, &Round)
}

/// Rows `first..first + output` of weights `[.., input]` that [`to_fp8`] made, times `x` `[.., input]`: `[.., output]` in bf16.
pub(crate) fn fp8_linear(x: &Tensor, weight: &Tensor, first: usize, output: usize) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let input = dims.pop().unwrap_or(1);
    let rows = dims.iter().product();
    dims.push(output);
    let product = Product { first, output, input, rows };
    weight.apply_op2_no_bwd(&to_fp8(&x.reshape((rows, input))?)?, &product)?.reshape(dims)
}

struct RowMax;

gpu_only!(RowMax, "f1-cuda-row-max", 1);

impl RowMax {
    fn run(&self, [x]: [Input; 1]) -> Result<(CudaStorage, Shape)> {
        let (width, rows) = rows_of(x.1)?;
        let device = &x.0.device;
        let most = room::<f32>(device, rows)?;
        by_type!(x.0, |suffix: T| {
            let (x, width) = (view::<T>(x)?, int(width)?);
            if rows > 0 {
                let name = format!("f1_row_max_{suffix}");
                launch!(device, FP8, name, grid(rows, ROW_THREADS)?, [&x, &most, &width]);
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
        let out = room::<u8>(device, count)?;
        by_type!(x.0, |suffix: T| {
            let (x, most) = (view::<T>(x)?, view::<f32>(most)?);
            let (config, rows, width) = (grid(rows, ROW_THREADS)?, int(rows)?, int(width)?);
            launch!(device, FP8, format!("f1_fp8_round_{suffix}"), config, [&x, &most, &out, &rows, &width]);
        });
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), Shape::from(count)))
    }
}

/// Of weights and inputs in 8-bit floats.
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
            bail!("8-bit floats: rows {first}.. ({output}) of {of_weight} weights, {rows} of {of_x} inputs")
        }
        let out = room::<bf16>(device, rows * output)?;
        let stream = device.cuda_stream();
        let mut library = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
        let library = match &mut *library {
            Some(library) => library,
            none => none.insert(Library::new(device)?),
        };
        let workspace = library.workspace.device_ptr(&stream).0;
        let (w, x, d) = (weight.device_ptr(&stream).0, x.device_ptr(&stream).0, out.device_ptr(&stream).0);
        let plan = library.plan([output, rows, input], [w + of_weight as u64, x + of_x as u64])?;
        let (one, none) = (1f32, 0f32);
        let number = |number: &f32| std::ptr::from_ref(number).cast::<c_void>();
        // SAFETY: the plan's layouts are those of the buffers, whose sizes were compared above; weights and scales stay until the stream has
        // used them, because freeing goes through it too.
        #[allow(unsafe_code)]
        unsafe {
            result::matmul(
                library.handle,
                plan.product,
                number(&one),
                number(&none),
                (w + (first * input) as u64) as *const c_void,
                plan.weight,
                x as *const c_void,
                plan.x,
                d as *const c_void,
                plan.out,
                d as *mut c_void,
                plan.out,
                &raw const plan.way.algo,
                workspace as *mut c_void,
                WORKSPACE,
                stream.cu_stream().cast(),
            )
            .map_err(refused)?;
        }
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), Shape::from((rows, output))))
    }
}

fn refused(error: result::CublasError) -> Error {
    Error::Msg(format!("cuBLASLt refuses a product of 8-bit floats: {error}")).bt()
}

/// Sets what a product is described by.
///
/// # Safety
/// `value` has the type of the attribute.
#[allow(unsafe_code)]
unsafe fn set<T>(
    product: sys::cublasLtMatmulDesc_t,
    attribute: sys::cublasLtMatmulDescAttributes_t,
    value: &T,
) -> Result<()> {
    // SAFETY: the caller's; the library copies the value.
    unsafe {
        result::set_matmul_desc_attribute(
            product,
            attribute,
            std::ptr::from_ref(value).cast(),
            size_of::<T>(),
        )
        .map_err(refused)
    }
}

/// Says where the scales of weights and inputs lie.
fn set_scales(product: sys::cublasLtMatmulDesc_t, [weight, x]: [u64; 2]) -> Result<()> {
    use sys::cublasLtMatmulDescAttributes_t as Of;
    // SAFETY: both are addresses.
    #[allow(unsafe_code)]
    unsafe {
        set(product, Of::CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &weight)?;
        set(product, Of::CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &x)
    }
}

/// The library, opened once for the one device of a process.
static LIBRARY: Mutex<Option<Library>> = Mutex::new(None);

struct Library {
    handle: sys::cublasLtHandle_t,
    workspace: CudaSlice<u8>,
    /// By outputs, rows and inputs.
    plans: HashMap<[usize; 3], Plan>,
}

// SAFETY: the handles are the library's own pointers, used by one thread at a time behind the mutex.
#[allow(unsafe_code)]
unsafe impl Send for Library {}

/// What a product of one size is described by; kept for good, since there are few.
#[derive(Clone, Copy)]
struct Plan {
    product: sys::cublasLtMatmulDesc_t,
    weight: sys::cublasLtMatrixLayout_t,
    x: sys::cublasLtMatrixLayout_t,
    out: sys::cublasLtMatrixLayout_t,
    way: sys::cublasLtMatmulHeuristicResult_t,
}

impl Library {
    fn new(device: &CudaDevice) -> Result<Self> {
        let handle = result::create_handle().map_err(refused)?;
        Ok(Self { handle, workspace: room(device, WORKSPACE)?, plans: HashMap::new() })
    }

    /// What describes a product of these sizes, with where the scales of weights and inputs lie now.
    fn plan(&mut self, sizes: [usize; 3], scales: [u64; 2]) -> Result<Plan> {
        if let Some(plan) = self.plans.get(&sizes) {
            set_scales(plan.product, scales)?;
            return Ok(*plan);
        }
        let plan = Plan::new(self.handle, sizes, scales)?;
        self.plans.insert(sizes, plan);
        Ok(plan)
    }
}

impl Plan {
    /// In the library's terms, whose matrices lie column after column: weights `[input, output]`, transposed, times `x` `[input, rows]`. It
    /// takes 8-bit floats in no other way.
    fn new(
        handle: sys::cublasLtHandle_t,
        [output, rows, input]: [usize; 3],
        scales: [u64; 2],
    ) -> Result<Self> {
        use sys::cublasLtMatmulDescAttributes_t as Of;
        use sys::cublasLtMatmulPreferenceAttributes_t as Wish;
        let layout = |kind, rows: usize, columns: usize| {
            result::create_matrix_layout(kind, rows as u64, columns as u64, rows as i64).map_err(refused)
        };
        let product = result::create_matmul_desc(
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cudaDataType_t::CUDA_R_32F,
        )
        .map_err(refused)?;
        let weight = layout(sys::cudaDataType_t::CUDA_R_8F_E4M3, input, output)?;
        let x = layout(sys::cudaDataType_t::CUDA_R_8F_E4M3, input, rows)?;
        let out = layout(sys::cudaDataType_t::CUDA_R_16BF, output, rows)?;
        // Before the library is asked for a way, which may depend on there being any.
        set_scales(product, scales)?;
        let wish = result::create_matmul_pref().map_err(refused)?;
        // SAFETY: everything was created above; transposition is a 32-bit number, the workspace a 64-bit one.
        #[allow(unsafe_code)]
        let way = unsafe {
            set(product, Of::CUBLASLT_MATMUL_DESC_TRANSA, &1_i32)?;
            set(product, Of::CUBLASLT_MATMUL_DESC_TRANSB, &0_i32)?;
            let attribute = Wish::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
            let bytes = std::ptr::from_ref(&WORKSPACE).cast();
            result::set_matmul_pref_attribute(wish, attribute, bytes, size_of::<usize>()).map_err(refused)?;
            let way = result::get_matmul_algo_heuristic(handle, product, weight, x, out, out, wish);
            result::destroy_matmul_pref(wish).map_err(refused)?;
            way.map_err(refused)?
        };
        Ok(Self { product, weight, x, out, way })
    }
}
