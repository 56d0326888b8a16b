//! The fused operations on NVIDIA GPUs: CUDA C++ under `kernels/`, compiled to PTX when the crate
//! is built.
//!
//! They are for inference in f32 and bf16 and have no backward pass: where a gradient is tracked,
//! candle's own operations run.

/// Implements candle's trait of an operation that runs on a GPU only: `run` takes the inputs in
/// order.
macro_rules! gpu_only {
    ($type:ty, $name:literal, 1) => {
        impl candle_core::CustomOp1 for $type {
            fn name(&self) -> &'static str {
                $name
            }
            fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
                bail!(concat!($name, " is a kernel for GPUs"))
            }
            fn cuda_fwd(&self, a: &CudaStorage, la: &Layout) -> Result<(CudaStorage, Shape)> {
                self.run([(a, la)])
            }
        }
    };
    ($type:ty, $name:literal, 2) => {
        impl candle_core::CustomOp2 for $type {
            fn name(&self) -> &'static str {
                $name
            }
            fn cpu_fwd(
                &self,
                _: &CpuStorage,
                _: &Layout,
                _: &CpuStorage,
                _: &Layout,
            ) -> Result<(CpuStorage, Shape)> {
                bail!(concat!($name, " is a kernel for GPUs"))
            }
            fn cuda_fwd(
                &self,
                a: &CudaStorage,
                la: &Layout,
                b: &CudaStorage,
                lb: &Layout,
            ) -> Result<(CudaStorage, Shape)> {
                self.run([(a, la), (b, lb)])
            }
        }
    };
    ($type:ty, $name:literal, 3) => {
        impl candle_core::CustomOp3 for $type {
            fn name(&self) -> &'static str {
                $name
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
                bail!(concat!($name, " is a kernel for GPUs"))
            }
            fn cuda_fwd(
                &self,
                a: &CudaStorage,
                la: &Layout,
                b: &CudaStorage,
                lb: &Layout,
                c: &CudaStorage,
                lc: &Layout,
            ) -> Result<(CudaStorage, Shape)> {
                self.run([(a, la), (b, lb), (c, lc)])
            }
        }
    };
}

/// Runs `$body` with `T` as the storage's type and `$suffix` as the suffix of its kernels' names.
macro_rules! by_type {
    ($storage:expr, |$suffix:ident: $t:ident| $body:expr) => {
        match candle_core::backend::BackendStorage::dtype($storage) {
            DType::F32 => {
                type $t = f32;
                let $suffix = "f32";
                $body
            }
            DType::BF16 => {
                type $t = half::bf16;
                let $suffix = "bf16";
                $body
            }
            other => bail!("no fused kernel for {other:?}"),
        }
    };
}

/// Loads the kernel `$name` from the PTX `$file` and launches it with the arguments. Callers make
/// sure that its accesses stay within the buffers.
macro_rules! launch {
    ($device:expr, $file:ident, $name:expr, $config:expr, [$($argument:expr),* $(,)?]) => {{
        let function =
            $device.get_or_load_custom_func($name.as_ref(), concat!("f1_", stringify!($file)), crate::cuda::ptx::$file)?;
        let mut builder = function.builder();
        $(builder.arg($argument);)*
        // SAFETY: the arguments are those of the kernel. The buffers have the sizes that it
        // accesses: `view`, `span` and the comparisons of shapes before the launch check them.
        #[allow(unsafe_code)]
        unsafe { builder.launch($config) }.w()?;
    }};
}

mod attention;
mod conv2d;
mod cublaslt;
mod fp8;
mod gate;
mod group_norm;
mod heads;
mod images;
mod linear;
mod norm;
mod rope;
mod sampling;
#[cfg(test)]
mod tests;

pub(crate) use attention::{attention_one_key_head, softmax};
pub(crate) use conv2d::{conv2d, pixels_first};
pub(crate) use cublaslt::few_rows as linear_of_few_rows;
pub use fp8::{check as check_fp8, fp8_linear, to_fp8};
pub(crate) use gate::{geglu, geglu_joined};
pub(crate) use group_norm::group_norm;
pub(crate) use heads::attention_of_heads;
pub use images::{FitOp, ShrinkOp};
pub(crate) use linear::{add_bias, add_bias_onto};
pub(crate) use norm::{add_layer_norm, add_rms_norm, layer_norm, rms_norm};
pub(crate) use rope::{rope, rope_joined, write_rows};
pub use sampling::{LONGEST_ROW, draw};

use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DeviceRepr, LaunchConfig};
use candle_core::cuda_backend::{CudaDType, CudaStorage};
use candle_core::{CudaDevice, DType, Layout, Result, Tensor, bail};

/// PTX of each file under `kernels/`, by the file's name.
mod ptx {
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}

/// Threads of a block that handles a row.
const ROW_THREADS: u32 = 256;
/// Threads of a block of an elementwise kernel.
const THREADS: usize = 256;

/// Numbers that a thread handles at a time where alignment allows it, in accesses of 16 bytes.
const EIGHT: usize = 8;

/// How many numbers a thread handles at a time, and the suffix of that kernel's name: eight where
/// all offsets and sizes that decide its accesses, counted in numbers, are multiples of eight.
fn by_eight(all: &[usize]) -> (usize, &'static str) {
    if all.iter().all(|number| number % EIGHT == 0) { (EIGHT, "_8") } else { (1, "") }
}

/// An input of an operation.
type Input<'a> = (&'a CudaStorage, &'a Layout);

/// Whether these kernels take the tensors: all on a GPU and none tracked for a gradient, the first
/// in f32 or bf16, the others of the same type if `same` is set and in f32 otherwise.
pub(crate) fn serves(x: &Tensor, others: &[&Tensor], same: bool) -> bool {
    let wanted = if same { x.dtype() } else { DType::F32 };
    matches!(x.dtype(), DType::F32 | DType::BF16)
        && x.device().is_cuda()
        && !x.track_op()
        && others
            .iter()
            .all(|other| other.device().is_cuda() && other.dtype() == wanted && !other.track_op())
}

/// The numbers of a tensor that the caller has made contiguous.
fn view<'a, T: DeviceRepr + CudaDType>((storage, layout): Input<'a>) -> Result<CudaView<'a, T>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        None => bail!("a fused kernel was given a tensor that is not contiguous: {layout:?}"),
    }
}

/// The range in memory from the first to the last number of a strided tensor, which is not empty.
fn span(layout: &Layout) -> std::ops::Range<usize> {
    let furthest: usize = layout
        .dims()
        .iter()
        .zip(layout.stride())
        .map(|(count, stride)| (count.max(&1) - 1) * stride)
        .sum();
    layout.start_offset()..layout.start_offset() + furthest + 1
}

/// The memory from the first to the last number of a strided tensor, which is not empty.
fn spanned<'a, T: DeviceRepr + CudaDType>((storage, layout): Input<'a>) -> Result<CudaView<'a, T>> {
    Ok(storage.as_cuda_slice::<T>()?.slice(span(layout)))
}

fn int(number: usize) -> Result<i32> {
    i32::try_from(number)
        .map_err(|_| candle_core::Error::Msg(format!("{number} is too many for a kernel")).bt())
}

fn grid(blocks: usize, threads: u32) -> Result<LaunchConfig> {
    let blocks = int(blocks)?.unsigned_abs();
    Ok(LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 })
}

/// One thread for each number.
fn a_thread_each(count: usize) -> Result<LaunchConfig> {
    grid(count.div_ceil(THREADS), THREADS as u32)
}

/// Blocks of threads over the numbers of rows, `some` numbers for each thread: `[rows][blocks of a
/// row]`.
fn over_rows(rows: usize, width: usize, some: usize) -> Result<LaunchConfig> {
    let steps = width.div_ceil(some);
    let threads = steps.next_multiple_of(32).min(THREADS);
    let blocks = int(steps.div_ceil(threads))?.unsigned_abs();
    Ok(LaunchConfig {
        grid_dim: (int(rows)?.unsigned_abs(), blocks, 1),
        block_dim: (threads as u32, 1, 1),
        shared_mem_bytes: 0,
    })
}

/// Threads of a block that handles a row of `width` numbers, `some` numbers for each thread.
fn row_threads(width: usize, some: usize) -> u32 {
    width.div_ceil(some).next_multiple_of(32).min(ROW_THREADS as usize) as u32
}

/// The last dimension and the number of rows.
fn rows_of(layout: &Layout) -> Result<(usize, usize)> {
    let width = layout.shape().dims().last().copied().unwrap_or(0);
    if width == 0 {
        bail!("a fused kernel was given rows without numbers: {:?}", layout.shape())
    }
    Ok((width, layout.shape().elem_count() / width))
}

fn fits(what: &str, layout: &Layout, count: usize) -> Result<()> {
    match layout.shape().elem_count() {
        has if has == count => Ok(()),
        has => bail!("{what}: {has} numbers where {count} belong"),
    }
}

/// Uninitialised memory for a kernel's results.
fn alloc<T: DeviceRepr>(device: &CudaDevice, count: usize) -> Result<CudaSlice<T>> {
    // SAFETY: every kernel writes all of the numbers before anything reads them.
    #[allow(unsafe_code)]
    unsafe {
        device.alloc::<T>(count)
    }
}
