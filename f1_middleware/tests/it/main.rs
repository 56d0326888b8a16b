//! What is the same on every back end, and what stands above the back ends.

// Tests fail by panicking, helpers included.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

mod actions;
mod diagnostics;
mod lifecycle;
mod logs;
#[cfg(feature = "dds")]
mod network;
mod pubsub;
mod services;
mod shutdown;
mod sim_time;
mod virtual_time;
mod worker;
