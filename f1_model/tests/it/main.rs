//! One test binary for this crate, one module for each behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says why and stops"
)]

mod checkpoints;
mod configs;
mod foresight;
#[cfg(feature = "cuda")]
mod gpu;
mod policy;
mod prompts;
mod support;
mod variants;
mod without_foresight;
