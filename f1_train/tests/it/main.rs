//! One module a behaviour.

// Helpers of tests may fail loudly, as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(missing_docs)]

mod fixture;
mod frozen;
mod golden_data;
mod golden_trace;
mod kept_frames;
mod mixture;
mod overfit;
mod ranks;
mod resume;
mod shipped_runs;
mod trouble;
