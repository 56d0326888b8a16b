//! One module a behaviour.
#![allow(missing_docs)]

mod fixture;
mod frozen;
mod golden_trace;
mod overfit;
mod resume;
mod shipped_runs;
mod trouble;
