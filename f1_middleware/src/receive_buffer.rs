//! The kernel's limit for the receive buffers of sockets, which large messages need to be high.

/// What three raw 640x480 cameras need of the limit, in bytes.
pub const RECOMMENDED_RECEIVE_BUFFER: u64 = 4 * 1024 * 1024;

/// The kernel's limit for receive buffers in bytes (`net.core.rmem_max`); `None` if it cannot be
/// read.
#[must_use]
pub fn receive_buffer_limit() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/net/core/rmem_max").ok()?.trim().parse().ok()
}

#[cfg(feature = "dds")]
pub(crate) fn warn_if_small() {
    if let Some(limit) = receive_buffer_limit()
        && limit < RECOMMENDED_RECEIVE_BUFFER
    {
        tracing::warn!(
            limit,
            "net.core.rmem_max is too small for raw camera images: frames will be lost. \
             Fix: sudo sysctl -w net.core.rmem_max={RECOMMENDED_RECEIVE_BUFFER}"
        );
    }
}
