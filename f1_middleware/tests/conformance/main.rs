//! The same claims for every back end that leaves the process, against the Python peer of `tests/peer`: another DDS,
//! another encoder, another parser of the definitions.
//!
//! `F1_TEST_SECONDS` sets how long the load tests run (2 when unset); with it set, times are held to the promised
//! limits, and without it to ten times as much, because a busy machine that also compiles says little about latency.
#![cfg(any(feature = "dds", feature = "rcl"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod actions;
mod load;
mod pair;
mod parameters;
mod services;
mod topics;
