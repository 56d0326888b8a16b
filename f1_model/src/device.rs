//! The device that everything in a process shares, and who may use it when.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use candle_core::Device;

use crate::Result;

/// The first CUDA device, opened once: whoever asks again gets the same one.
///
/// One stream serves all threads, so that what one node computed is there when another reads it. (A
/// stream a thread, candle's default, orders nothing between threads.)
///
/// # Errors
/// There is none, or this build has no CUDA.
pub fn cuda() -> Result<Device> {
    static OPEN: Mutex<Option<Device>> = Mutex::new(None);
    opened_once(&OPEN)
}

/// Makes [`cuda`] open the GPU of the process with this number on its machine, where several
/// processes share it: before anybody has opened one.
///
/// # Errors
/// This build has no CUDA, or the driver reports an error.
pub fn choose_gpu(local_rank: usize) -> Result<()> {
    ORDINAL.store(gpu_of(local_rank, visible_gpus()?), Ordering::Relaxed);
    Ok(())
}

/// The GPU that [`cuda`] opens.
static ORDINAL: AtomicUsize = AtomicUsize::new(0);

/// The GPU of a process among the visible ones. A launcher may show each process its own alone.
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
    // Says what opening one would.
    open_cuda().map(|_| 1)
}

/// A second stream of the same GPU, for work that shares no tensor with the rest: it goes on beside
/// it. Whoever asks again gets the same one. The same device on a CPU.
///
/// # Errors
/// The device reports one.
pub(crate) fn beside(device: &Device) -> Result<Device> {
    static OPEN: Mutex<Option<Device>> = Mutex::new(None);
    if device.is_cuda() { opened_once(&OPEN) } else { Ok(device.clone()) }
}

/// The device in `open`, which is opened by who asks first and stays open as long as the process
/// runs.
fn opened_once(open: &'static Mutex<Option<Device>>) -> Result<Device> {
    let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = open.as_ref() {
        return Ok(device.clone());
    }
    let device = open_cuda()?;
    *open = Some(device.clone());
    Ok(device)
}

#[cfg(not(feature = "cuda"))]
fn open_cuda() -> Result<Device> {
    Ok(Device::new_cuda(ORDINAL.load(Ordering::Relaxed))?)
}

#[cfg(feature = "cuda")]
fn open_cuda() -> Result<Device> {
    let device = candle_core::CudaDevice::new_with_stream(ORDINAL.load(Ordering::Relaxed))?;
    // SAFETY: all work on a tensor goes through the one stream of its device, which runs it in the
    // order it was given; freeing it goes through that stream too.
    #[allow(unsafe_code)]
    unsafe {
        device.disable_event_tracking();
    }
    keep_freed_memory(&device)?;
    give_workspace(&device)?;
    Ok(Device::Cuda(device))
}

/// Gives cuBLAS memory of its own. Otherwise it takes some while a graph is recorded, for each
/// graph anew, and sums in an order that depends on what else the GPU does. Each stream has its own
/// handle, and so its own memory.
#[cfg(feature = "cuda")]
fn give_workspace(device: &candle_core::CudaDevice) -> candle_core::Result<()> {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::cublas::sys;

    /// What NVIDIA recommends for its GPUs of compute capability 9.0; 4 MiB do for those before.
    const BYTES: usize = 32 << 20;
    // SAFETY: nothing reads it before cuBLAS has written it. It is never freed, as the device is
    // never closed, so it outlives the handle. The handle's stream, which cuBLAS would drop the
    // workspace with, is never changed.
    #[allow(unsafe_code)]
    unsafe {
        let workspace = device.alloc::<u8>(BYTES)?.leak();
        sys::cublasSetWorkspace_v2(*device.cublas_handle().handle(), workspace as *mut _, BYTES)
            .result()
            .w()
    }
}

/// Keeps freed memory in the driver's pool, which otherwise gives it back whenever the device has
/// nothing to do.
#[cfg(feature = "cuda")]
fn keep_freed_memory(device: &candle_core::CudaDevice) -> candle_core::Result<()> {
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

/// Gives memory that nothing uses back to the driver: after loading, which needs more for a while
/// than what stays.
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

/// Bytes of the GPU's memory that are taken: by this process, which keeps what it once needed after
/// loading, and by whoever else uses it. None on a CPU.
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

/// While it lives, the shapes that kernels are given as small arrays are uploaded once and not with
/// every launch.
#[must_use]
pub(crate) struct UploadsOnce {
    // Candle does not name its type.
    #[cfg(feature = "cuda")]
    _guard: Option<Box<dyn std::any::Any>>,
}

/// See [`UploadsOnce`]. Whatever small is uploaded meanwhile stays on the device for good: only for
/// passes without new numbers from the host.
pub(crate) fn uploads_once(device: &Device) -> UploadsOnce {
    #[cfg(not(feature = "cuda"))]
    let _ = device;
    UploadsOnce {
        #[cfg(feature = "cuda")]
        _guard: match device {
            Device::Cuda(device) => Some(Box::new(device.enable_cuda_graph_htod_cache())),
            _ => None,
        },
    }
}

/// Who uses the shared stream: many at once, or one alone, while what it starts is recorded as a
/// graph.
#[derive(Default)]
struct Gate {
    users: usize,
    alone: bool,
}

static GATE: Mutex<Gate> = Mutex::new(Gate { users: 0, alone: false });
static CHANGED: Condvar = Condvar::new();

fn gate() -> MutexGuard<'static, Gate> {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of those that use the shared stream, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Using(());

/// Waits until nobody is alone with the stream. May be called by one who uses it already.
pub(crate) fn using() -> Using {
    let mut gate = gate();
    while gate.alone {
        gate = CHANGED.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    gate.users += 1;
    Using(())
}

impl Drop for Using {
    fn drop(&mut self) {
        gate().users -= 1;
        CHANGED.notify_all();
    }
}

/// The only one who uses the shared stream, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Alone(());

/// Waits until nobody uses the stream. Never called by one who does.
#[cfg_attr(not(any(test, feature = "cuda")), expect(dead_code, reason = "graphs are CUDA's"))]
pub(crate) fn alone() -> Alone {
    let mut gate = gate();
    while gate.alone || gate.users > 0 {
        gate = CHANGED.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    gate.alone = true;
    Alone(())
}

impl Drop for Alone {
    fn drop(&mut self) {
        gate().alone = false;
        CHANGED.notify_all();
    }
}

/// What holds memory of the device and is dropped by whatever thread: freeing goes through the
/// shared stream too, so it waits for who is alone with it.
pub(crate) struct Held<T> {
    value: T,
    // Dropped after the value.
    until_freed: Option<Using>,
}

impl<T> Held<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value, until_freed: None }
    }
}

impl<T: Clone> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        self.until_freed = Some(using());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_process_of_a_machine_has_a_gpu_of_its_own() {
        assert_eq!([0, 1, 2, 3].map(|rank| gpu_of(rank, 4)), [0, 1, 2, 3]);
        // Each process sees its own alone.
        assert_eq!([0, 1, 2, 3].map(|rank| gpu_of(rank, 1)), [0; 4]);
    }

    #[test]
    fn who_is_alone_with_the_stream_is_alone_and_what_is_freed_waits() {
        static RECORDING: AtomicBool = AtomicBool::new(false);
        struct Freed;
        impl Drop for Freed {
            fn drop(&mut self) {
                assert!(!RECORDING.load(Ordering::SeqCst), "freed while a graph was recorded");
            }
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let held = Held::new(Freed);
                        let again = (using(), using());
                        assert!(!RECORDING.load(Ordering::SeqCst));
                        drop(again);
                        drop(held);
                    }
                });
            }
            for _ in 0..20 {
                let alone = alone();
                RECORDING.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_micros(200));
                RECORDING.store(false, Ordering::SeqCst);
                drop(alone);
            }
        });
    }
}
