//! Keeping freed memory for the next tensor. The C library hands every large block back to the
//! kernel when it is freed and asks for it again at the next operation; the page faults then cost
//! several times what the arithmetic does.
#![allow(unsafe_code, reason = "the C library's allocator is tuned through two C functions")]

/// From here on the allocator keeps what is freed and serves large blocks from it. Call it first
/// thing in `main`, before threads start. Does nothing where the C library is not glibc.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const GIB: libc::c_int = 1 << 30;
        // SAFETY: mallopt takes two integers and touches the allocator's own settings alone, under
        // its lock; a setting it does not know is answered with 0 and changes nothing.
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

/// Returns to the kernel what is free now: after loading, whose buffers no later tensor needs.
pub fn release_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes one integer, locks each heap in turn and releases only pages that
    // hold no live block.
    unsafe {
        libc::malloc_trim(0);
    }
}
