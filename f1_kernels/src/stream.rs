//! The read and write lock of the GPU's shared stream.
//!
//! All threads of a process compute on one stream. While one of them records a CUDA graph, nothing
//! else may use the stream: the operation would become part of the graph or break the recording.
//! So a thread that computes, uploads or frees tensors holds a read lock, and a thread that records
//! holds the write lock. On a CPU no lock is needed.

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static STREAM: RwLock<()> = RwLock::new(());

/// Permission to use the shared stream beside others.
pub type ReadLock = RwLockReadGuard<'static, ()>;

/// Permission to use the shared stream alone.
pub type WriteLock = RwLockWriteGuard<'static, ()>;

/// Waits until no graph is being recorded. A thread that holds a read lock may take another.
pub fn read_lock() -> ReadLock {
    STREAM.read_recursive()
}

/// Waits until no thread uses the stream. A thread that holds a read lock must release it first.
pub fn write_lock() -> WriteLock {
    STREAM.write()
}

/// A value that owns memory of the device. It is freed under a read lock, because freeing goes
/// through the shared stream too. Never dropped by a thread that holds the write lock.
pub struct OnDevice<T> {
    value: ManuallyDrop<T>,
}

impl<T> OnDevice<T> {
    /// Takes ownership of `value`.
    pub fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value) }
    }
}

impl<T: Clone> Clone for OnDevice<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone() }
    }
}

impl<T> Deref for OnDevice<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for OnDevice<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for OnDevice<T> {
    fn drop(&mut self) {
        let _lock = read_lock();
        // SAFETY: the value is dropped here and nowhere else, and `self` is not used afterwards.
        #[allow(unsafe_code)]
        unsafe {
            ManuallyDrop::drop(&mut self.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn nothing_uses_or_frees_device_memory_while_the_write_lock_is_held() {
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
                        let value = OnDevice::new(Freed);
                        let locks = (read_lock(), read_lock());
                        assert!(!RECORDING.load(Ordering::SeqCst));
                        drop(locks);
                        drop(value);
                    }
                });
            }
            for _ in 0..20 {
                let lock = write_lock();
                RECORDING.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_micros(200));
                RECORDING.store(false, Ordering::SeqCst);
                drop(lock);
            }
        });
    }

    #[test]
    fn a_value_is_dropped_once() {
        let value = std::sync::Arc::new(());
        let held = OnDevice::new(value.clone());
        let copy = held.clone();
        assert_eq!(std::sync::Arc::strong_count(&value), 3);
        drop((held, copy));
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    }
}
