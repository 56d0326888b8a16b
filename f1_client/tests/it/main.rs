//! The client against a stand-in server of the test's own.

// Helpers of tests may fail loudly, as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod encrypted;
mod faults;
mod requests;
mod stand_in;
