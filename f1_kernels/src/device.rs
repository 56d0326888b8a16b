//! The CUDA device that everything in a process shares, and its memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Device, Result};
use parking_lot::Mutex;

/// The GPU that [`cuda`] opens.
static ORDINAL: AtomicUsize = AtomicUsize::new(0);

/// The CUDA device of this process (the first, or the one that [`choose_gpu`] chose), opened once:
/// every call returns the same one.
///
/// One stream serves all threads, so that what one node computed is complete when another reads it.
/// (With a stream for each thread, candle's default, nothing orders work between threads.)
///
/// # Errors
/// There is none, or this build has no CUDA.
pub fn cuda() -> Result<Device> {
    static OPEN: Mutex<Option<Device>> = Mutex::new(None);
    opened_once(&OPEN)
}

/// Chooses the GPU that [`cuda`] opens, by this process's number on its machine. Called before the
/// first [`cuda`], where several processes share a machine.
///
/// # Errors
/// This build has no CUDA, or the driver reports an error.
pub fn choose_gpu(local_rank: usize) -> Result<()> {
    ORDINAL.store(gpu_of(local_rank, visible_gpus()?), Ordering::Relaxed);
    Ok(())
}

/// The GPU of a process among the visible ones. A launcher may show each process its own only.
fn gpu_of(local_rank: usize, visible: usize) -> usize {
    local_rank % visible.max(1)
}

#[cfg(feature = "cuda")]
fn visible_gpus() -> Result<usize> {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::CudaContext;

    Ok(CudaContext::device_count().w()? as usize)
}

#[cfg(not(feature = "cuda"))]
fn visible_gpus() -> Result<usize> {
    // The error of opening one.
    open_cuda().map(|_| 1)
}

/// A second stream of the same GPU, for work that shares no tensor with the rest and runs
/// concurrently with it. Every call returns the same one. On a CPU, the device itself.
///
/// # Errors
/// The device reports one.
pub fn second_stream(device: &Device) -> Result<Device> {
    static OPEN: Mutex<Option<Device>> = Mutex::new(None);
    if device.is_cuda() { opened_once(&OPEN) } else { Ok(device.clone()) }
}

/// The device in `open`: the first call opens it, and it stays open as long as the process runs.
fn opened_once(open: &'static Mutex<Option<Device>>) -> Result<Device> {
    let mut open = open.lock();
    if let Some(device) = open.as_ref() {
        return Ok(device.clone());
    }
    let device = open_cuda()?;
    *open = Some(device.clone());
    Ok(device)
}

#[cfg(not(feature = "cuda"))]
fn open_cuda() -> Result<Device> {
    Device::new_cuda(ORDINAL.load(Ordering::Relaxed))
}

#[cfg(feature = "cuda")]
fn open_cuda() -> Result<Device> {
    let device = candle_core::CudaDevice::new_with_stream(ORDINAL.load(Ordering::Relaxed))?;
    // SAFETY: all work on a tensor goes through the one stream of its device, which runs it in the
    // order of submission; freeing it goes through that stream too.
    #[allow(unsafe_code)]
    unsafe {
        device.disable_event_tracking();
    }
    keep_freed_memory(&device)?;
    give_workspace(&device)?;
    Ok(Device::Cuda(device))
}

/// Gives cuBLAS a workspace. Without one it allocates during the recording of every graph, and sums
/// in an order that depends on what else the GPU does. Each stream has its own handle, and so its
/// own workspace.
#[cfg(feature = "cuda")]
fn give_workspace(device: &candle_core::CudaDevice) -> Result<()> {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::cublas::sys;

    /// NVIDIA's recommendation for GPUs of compute capability 9.0; older ones need 4 MiB.
    const BYTES: usize = 32 << 20;
    // SAFETY: nothing reads the workspace before cuBLAS has written it. It is never freed, as the
    // device is never closed, so it outlives the handle. The handle's stream is never changed
    // (changing it would drop the workspace).
    #[allow(unsafe_code)]
    unsafe {
        let workspace = device.alloc::<u8>(BYTES)?.leak();
        sys::cublasSetWorkspace_v2(*device.cublas_handle().handle(), workspace as *mut _, BYTES)
            .result()
            .w()
    }
}

/// Keeps freed memory in the driver's pool, which otherwise returns it whenever the device is idle.
#[cfg(feature = "cuda")]
fn keep_freed_memory(device: &candle_core::CudaDevice) -> Result<()> {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::{result, sys};

    let stream = device.cuda_stream();
    let context = stream.context();
    if !context.has_async_alloc() {
        return Ok(());
    }
    let mut keep = u64::MAX;
    // SAFETY: the device is the open context's own; the attribute is a 64-bit number.
    #[allow(unsafe_code)]
    unsafe {
        let pool = result::device::get_mem_pool(context.cu_device()).w()?;
        let value = std::ptr::from_mut(&mut keep).cast();
        let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        result::mem_pool::set_attribute(pool, threshold, value).w()
    }
}

/// Returns unused memory of the pool to the driver: after loading, whose peak is above what stays.
///
/// # Errors
/// The device reports one.
pub fn release_freed_memory(device: &Device) -> Result<()> {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device {
        use candle_core::cuda_backend::WrapErr;
        use candle_core::cuda_backend::cudarc::driver::result;

        let stream = device.cuda_stream();
        stream.synchronize().w()?;
        if stream.context().has_async_alloc() {
            // SAFETY: the device is the open context's own.
            #[allow(unsafe_code)]
            unsafe {
                let pool = result::device::get_mem_pool(stream.context().cu_device()).w()?;
                result::mem_pool::trim_to(pool, 0).w()?;
            }
        }
    }
    let _ = device;
    Ok(())
}

/// Bytes of the GPU's memory in use: by this process (which keeps its peak since loading in the
/// pool) and by other processes. None on a CPU.
///
/// # Errors
/// The device reports one.
pub fn memory_in_use(device: &Device) -> Result<Option<u64>> {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device {
        use candle_core::cuda_backend::WrapErr;

        let (free, total) = device.cuda_stream().context().mem_get_info().w()?;
        return Ok(Some(total.saturating_sub(free) as u64));
    }
    let _ = device;
    Ok(None)
}

/// While this value lives, the small arrays that kernels are launched with (shapes and strides) are
/// uploaded once instead of at every launch.
#[must_use]
pub struct UploadCache {
    // Candle does not name its type.
    #[cfg(feature = "cuda")]
    _guard: Option<Box<dyn std::any::Any>>,
}

/// See [`UploadCache`]. Every small array that is uploaded meanwhile stays on the device for the
/// rest of the process: only for passes that upload no new numbers from the host.
pub fn cache_uploads(device: &Device) -> UploadCache {
    #[cfg(not(feature = "cuda"))]
    let _ = device;
    UploadCache {
        #[cfg(feature = "cuda")]
        _guard: match device {
            Device::Cuda(device) => Some(Box::new(device.enable_cuda_graph_htod_cache())),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::gpu_of;

    #[test]
    fn every_process_of_a_machine_has_a_gpu_of_its_own() {
        assert_eq!([0, 1, 2, 3].map(|rank| gpu_of(rank, 4)), [0, 1, 2, 3]);
        // Each process sees its own only.
        assert_eq!([0, 1, 2, 3].map(|rank| gpu_of(rank, 1)), [0; 4]);
    }
}
