//! The same tests for every back end that leaves the process, against the Python peer of
//! `tests/peer`: another DDS, another encoder, another parser of the definitions.
//!
//! `F1_TEST_SECONDS` sets how long the load tests run (2 when unset); with it latencies, the time
//! until a peer is found again and the losses of best-effort images are asserted. Without it they
//! are printed, because a busy machine may miss them; reliable messages lose nothing either way.
#![cfg(any(feature = "dds", feature = "rcl"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod actions;
mod load;
mod pair;
mod parameters;
mod services;
mod topics;
