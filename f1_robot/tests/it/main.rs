//! Behaviours of the robot side, one module each.

mod checker;
mod filter_any_input;
mod filter_harmless;
mod robot_file;
