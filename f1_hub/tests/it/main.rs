//! Against a stand-in of the hub's API on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults;
mod fetching;
mod support;
