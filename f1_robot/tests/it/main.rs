//! Behaviours of the robot side, one module each.

mod robot_file;
