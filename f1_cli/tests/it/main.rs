//! The command as a user runs it.

// Helpers of tests may fail loudly, as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod doctor;
#[cfg(feature = "mpi")]
#[path = "../../../f1_train/tests/it/fixture.rs"]
#[allow(dead_code)]
mod fixture;
#[cfg(feature = "mpi")]
mod mpi;
mod pipes;
mod process;
