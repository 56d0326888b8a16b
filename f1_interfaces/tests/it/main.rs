//! Claims about the message types and their encoding.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cdr;
mod definitions;
mod generated;
mod hashes;
mod peer;
mod rosidl;
mod table;

/// Cases of a property: `F1_TEST_CASES` when set.
fn cases(default: u64) -> u64 {
    std::env::var("F1_TEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
