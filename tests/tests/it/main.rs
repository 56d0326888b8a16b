//! One test binary for all checks that cross crates: one link, one module a subject.

// Helpers of tests may fail loudly, as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abilities;
mod closed_loop;
mod copies;
mod documents;
mod fake_robot;
mod faults;
mod features;
mod foresight_modes;
mod kit;
mod launch_files;
mod loading;
mod over_dds;
mod peer_scene;
mod replay;
mod ros_packages;
mod sampler;
mod scene_faults;
mod soak;
mod sources;
mod spans;
mod stacks;
mod takeover;
mod words;
mod wrapper;
