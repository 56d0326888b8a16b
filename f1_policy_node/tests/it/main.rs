//! One test binary: one link, one module a subject.

// Helpers of tests may fail loudly, as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod foxglove;
mod pages;
mod recordings;
mod release;
mod unchecked;
mod undeclared;
