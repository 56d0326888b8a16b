//! Keeps freed memory for the next tensor. The C library returns every large block to the kernel
//! when it is freed and requests it again at the next operation; the page faults then cost several
//! times as much as the arithmetic.
#![allow(unsafe_code, reason = "the C library's allocator is tuned through two C functions")]

/// From now on the allocator keeps freed memory and takes large blocks from it. Call it at the
/// start of `main`, before threads start. Does nothing where the C library is not glibc.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const GIB: libc::c_int = 1 << 30;
        // SAFETY: mallopt takes two integers and changes only the allocator's settings, under its
        // lock; it returns 0 for an unknown setting and changes nothing.
        unsafe {
            // Blocks below this size come from the heap, which is kept, not from mappings, which
            // are returned.
            libc::mallopt(libc::M_MMAP_THRESHOLD, GIB);
            // The heap's free end is kept up to this size.
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            // One heap for all threads: a block that one thread frees serves another's next tensor.
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
}

/// Returns free memory to the kernel: after loading, whose buffers no later tensor needs.
pub fn release_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes one integer, locks each heap in turn and releases only pages that
    // hold no live block.
    unsafe {
        libc::malloc_trim(0);
    }
}
