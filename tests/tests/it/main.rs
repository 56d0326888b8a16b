//! One test binary for all checks that cross rooms: one link, one module a subject.

// Helpers of tests may fail loudly, as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abilities;
mod closed_loop;
mod copies;
mod faults;
mod kit;
mod launch_files;
mod over_dds;
mod puppet;
mod replay;
mod ros_packages;
mod sampler;
mod soak;
mod spans;
mod wrapper;
