//! What every back end must do alike, and what stands above them.

// A test that meets the unexpected must fail, helpers included.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

mod actions;
mod diagnostics;
mod lifecycle;
#[cfg(feature = "dds")]
mod network;
mod pubsub;
mod services;
mod shutdown;
mod sim_time;
mod virtual_time;
mod worker;
