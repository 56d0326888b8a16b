//! One test binary for this crate, one module for each behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says why and stops"
)]

mod goldens;
#[cfg(all(feature = "cuda", not(feature = "cudnn")))]
mod gpu;
mod support;
