//! Matrix products by cuBLASLt, with one plan for each size: products of 8-bit floats, which only
//! it computes, and products of few rows, for which it divides the inner dimension among
//! multiprocessors that would otherwise be idle.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::c_void;
use std::sync::{LazyLock, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaStorage;
use candle_core::cuda_backend::cudarc::cublaslt::{result, sys};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DevicePtr, DeviceRepr};
use candle_core::{CudaDevice, DType, Error, Layout, Result, bail};
use half::bf16;

use super::{alloc, view};

/// Size of the library's workspace: NVIDIA's recommendation for GPUs with 8-bit floats.
const WORKSPACE: usize = 32 << 20;
/// Alignment of matrices that the library may assume, in bytes.
const ALIGNMENT: u64 = 256;
/// Most rows of a product of few rows.
const FEW_ROWS: usize = 128;

/// `x` `[rows, input]` times the transposed `weight` `[output, input]`, both contiguous and of one
/// type; none where there are too many rows or the library has no algorithm.
pub(crate) fn few_rows(
    (x, of_x): (&CudaStorage, &Layout),
    (weight, of_weight): (&CudaStorage, &Layout),
) -> Result<Option<CudaStorage>> {
    let ((rows, input), (output, _)) = (of_x.shape().dims2()?, of_weight.shape().dims2()?);
    let serves = matches!(x.dtype(), DType::F32 | DType::BF16)
        && weight.dtype() == x.dtype()
        && (1..=FEW_ROWS).contains(&rows)
        && input % 8 == 0
        && output % 8 == 0
        && of_x.is_contiguous()
        && of_weight.is_contiguous();
    if !serves {
        return Ok(None);
    }
    let (device, sizes) = (&x.device, Sizes { output, rows, input });
    by_type!(x, |_suffix: T| {
        let (x, weight) = (view::<T>((x, of_x))?, view::<T>((weight, of_weight))?);
        let out = alloc::<T>(device, rows * output)?;
        let done = product(device, sizes, &weight, &x, &out, None)?;
        Ok(done.then(|| CudaStorage::wrap_cuda_slice(out, device.clone())))
    })
}

/// Sizes of a product of `x` `[rows, input]` and weights `[output, input]` to `[rows, output]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sizes {
    pub(super) output: usize,
    pub(super) rows: usize,
    pub(super) input: usize,
}

/// The number types of factors and product.
pub(super) trait Factor: DeviceRepr {
    type Product: DeviceRepr;
    const KINDS: Kinds;
}

/// The library's names of the types of factors and product.
type Kinds = [sys::cudaDataType_t; 2];

impl Factor for f32 {
    type Product = f32;
    const KINDS: Kinds = [sys::cudaDataType_t::CUDA_R_32F; 2];
}

impl Factor for bf16 {
    type Product = bf16;
    const KINDS: Kinds = [sys::cudaDataType_t::CUDA_R_16BF; 2];
}

/// Bytes are 8-bit floats (E4M3).
impl Factor for u8 {
    type Product = bf16;
    const KINDS: Kinds = [sys::cudaDataType_t::CUDA_R_8F_E4M3, sys::cudaDataType_t::CUDA_R_16BF];
}

/// Starts a product; `scales` are the device addresses of the scales of weights and inputs, if they
/// have scales. Returns whether it was started: without scales the library may have no algorithm.
///
/// # Errors
/// The buffers do not have the sizes, or the library refuses the product.
pub(super) fn product<T: Factor>(
    device: &CudaDevice,
    sizes: Sizes,
    weight: &CudaView<T>,
    x: &CudaView<T>,
    out: &CudaSlice<T::Product>,
    scales: Option<[u64; 2]>,
) -> Result<bool> {
    let Sizes { output, rows, input } = sizes;
    if weight.len() != output * input || x.len() != rows * input || out.len() != rows * output {
        bail!("{sizes:?}: {} weights, {} inputs, {} outputs", weight.len(), x.len(), out.len())
    }
    let stream = device.cuda_stream();
    let (w, x, d) =
        (weight.device_ptr(&stream).0, x.device_ptr(&stream).0, out.device_ptr(&stream).0);
    // A scale is stored behind the numbers of its matrix, at any alignment.
    if scales.is_none() && [w, x, d].iter().any(|at| at % ALIGNMENT != 0) {
        return Ok(false);
    }
    let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
    let of_stream = stream.cu_stream() as usize;
    let library = match libraries.entry(of_stream) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(Library::new(device)?),
    };
    let workspace = library.workspace.device_ptr(&stream).0;
    let Some(plan) = library.plan(T::KINDS, sizes, scales)? else { return Ok(false) };
    let (one, none) = (1f32, 0f32);
    let number = |number: &f32| std::ptr::from_ref(number).cast::<c_void>();
    // SAFETY: the plan's layouts are those of the buffers, whose sizes were checked above. Weights
    // and scales live until the stream has used them, because freeing goes through it too.
    #[allow(unsafe_code)]
    unsafe {
        result::matmul(
            library.handle,
            plan.product,
            number(&one),
            number(&none),
            w as *const c_void,
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
    Ok(true)
}

fn refused(error: result::CublasError) -> Error {
    Error::Msg(format!("cuBLASLt refuses a product: {error}")).bt()
}

/// Sets an attribute of a product's description.
///
/// # Safety
/// `value` has the type of the attribute.
#[allow(unsafe_code)]
unsafe fn set<T>(
    product: sys::cublasLtMatmulDesc_t,
    attribute: sys::cublasLtMatmulDescAttributes_t,
    value: &T,
) -> Result<()> {
    // SAFETY: the caller guarantees the type; the library copies the value.
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

/// Sets the device addresses of the scales of weights and inputs.
fn set_scales(product: sys::cublasLtMatmulDesc_t, [weight, x]: [u64; 2]) -> Result<()> {
    use sys::cublasLtMatmulDescAttributes_t as Of;
    // SAFETY: both attributes are addresses.
    #[allow(unsafe_code)]
    unsafe {
        set(product, Of::CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &weight)?;
        set(product, Of::CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &x)
    }
}

/// The library, opened once for each stream of the process's device, by the address of the stream's
/// driver handle: products of two streams run concurrently and must not share a workspace.
static LIBRARIES: LazyLock<Mutex<HashMap<usize, Library>>> = LazyLock::new(Mutex::default);

struct Library {
    handle: sys::cublasLtHandle_t,
    /// Keeps the stream alive, so that no other stream gets its address.
    workspace: CudaSlice<u8>,
    /// None where the library has no algorithm.
    plans: HashMap<(u32, Sizes), Option<Plan>>,
}

// SAFETY: the handles are pointers of the library, used by one thread at a time under the mutex.
#[allow(unsafe_code)]
unsafe impl Send for Library {}

/// The description of a product of one size; never freed, since there are few.
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
        Ok(Self { handle, workspace: alloc(device, WORKSPACE)?, plans: HashMap::new() })
    }

    /// The plan for a product of these sizes, with the current addresses of the scales.
    fn plan(
        &mut self,
        kinds: Kinds,
        sizes: Sizes,
        scales: Option<[u64; 2]>,
    ) -> Result<Option<Plan>> {
        let key = (kinds[0] as u32, sizes);
        if let Some(plan) = self.plans.get(&key) {
            if let (Some(plan), Some(scales)) = (plan, scales) {
                set_scales(plan.product, scales)?;
            }
            return Ok(*plan);
        }
        let plan = match Plan::new(self.handle, kinds, sizes, scales) {
            Ok(plan) => Some(plan),
            // Candle computes the product instead.
            Err(error) if scales.is_none() => {
                tracing::debug!(?sizes, %error, "a product without cuBLASLt");
                None
            }
            Err(error) => return Err(error),
        };
        self.plans.insert(key, plan);
        Ok(plan)
    }
}

impl Plan {
    /// In the library's column-major order: weights `[input, output]`, transposed, times `x`
    /// `[input, rows]`. It takes 8-bit floats only in this form.
    fn new(
        handle: sys::cublasLtHandle_t,
        [factors, products]: Kinds,
        Sizes { output, rows, input }: Sizes,
        scales: Option<[u64; 2]>,
    ) -> Result<Self> {
        use sys::cublasLtMatmulDescAttributes_t as Of;
        use sys::cublasLtMatmulPreferenceAttributes_t as Wish;
        use sys::cublasLtReductionScheme_t as Reduction;
        let layout = |kind, rows: usize, columns: usize| {
            result::create_matrix_layout(kind, rows as u64, columns as u64, rows as i64)
                .map_err(refused)
        };
        let product = result::create_matmul_desc(
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cudaDataType_t::CUDA_R_32F,
        )
        .map_err(refused)?;
        let weight = layout(factors, input, output)?;
        let x = layout(factors, input, rows)?;
        let out = layout(products, output, rows)?;
        if let Some(scales) = scales {
            // Set before an algorithm is chosen, because the choice may depend on it.
            set_scales(product, scales)?;
            // Sums stay in the tensor cores' accumulators, with 14 bits of fraction, which is
            // faster than adding them up in f32 every few steps. The factors have three
            // bits. SAFETY: the attribute is an 8-bit number.
            #[allow(unsafe_code)]
            unsafe {
                set(product, Of::CUBLASLT_MATMUL_DESC_FAST_ACCUM, &1_i8)?
            }
        }
        let wish = result::create_matmul_pref().map_err(refused)?;
        // SAFETY: everything was created above; transposition and reduction scheme are 32-bit
        // numbers, the workspace size a 64-bit one.
        #[allow(unsafe_code)]
        let way = unsafe {
            set(product, Of::CUBLASLT_MATMUL_DESC_TRANSA, &1_i32)?;
            set(product, Of::CUBLASLT_MATMUL_DESC_TRANSB, &0_i32)?;
            let attribute = Wish::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
            let bytes = std::ptr::from_ref(&WORKSPACE).cast();
            result::set_matmul_pref_attribute(wish, attribute, bytes, size_of::<usize>())
                .map_err(refused)?;
            if scales.is_none() {
                // Parts of a divided inner dimension are added in f32, in a fixed order.
                let added = Reduction::CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE as u32;
                let attribute = Wish::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK;
                let bytes = std::ptr::from_ref(&added).cast();
                result::set_matmul_pref_attribute(wish, attribute, bytes, size_of::<u32>())
                    .map_err(refused)?;
            }
            let way = result::get_matmul_algo_heuristic(handle, product, weight, x, out, out, wish);
            result::destroy_matmul_pref(wish).map_err(refused)?;
            way.map_err(refused)?
        };
        Ok(Self { product, weight, x, out, way })
    }
}
