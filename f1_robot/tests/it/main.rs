//! Behaviours of the robot side, one module each.

// A test's helpers may fail as loudly as the test itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checker;
mod clearance;
mod continuous;
mod decode;
mod documentation;
mod filter_any_input;
mod filter_behaviour;
mod filter_harmless;
mod filter_measured;
mod filter_shipped;
mod forward_kinematics;
mod inverse_kinematics;
mod limits;
mod meshes;
mod pairs;
mod robot_file;
mod scenes;
mod shipped;
mod state;
mod statistics;
mod units;
