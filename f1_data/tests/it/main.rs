//! One module a behaviour.

// Helpers of tests may fail loudly, as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(missing_docs)]

mod as_found;
mod lerobot_package;
mod round_trip;
mod videos;
mod written_videos;
