//! The command as a user runs it.

// Helpers of tests may fail loudly, as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod circles;
mod collisions;
mod data_commands;
mod doctor;
#[cfg(feature = "mpi")]
#[path = "../../../f1_train/tests/it/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of f1_train, which use all of it")]
mod fixture;
mod hub;
mod load;
#[cfg(feature = "mpi")]
mod mpi;
mod own_robot;
mod pipes;
mod process;
mod remote;
mod serve;
mod view;
