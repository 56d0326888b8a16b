//! The robot side without ROS: robot files, kinematics, action decoding, splice and the safety
//! filter.
//!
//! [`Robot::load`] reads a robot file and its URDF and checks them against each other; everything
//! else works on the [`Robot`]. Joint vectors have the order of [`Robot::joints`].

pub mod angle;
mod circles;
pub mod clearance;
pub mod decode;
mod gripper;
pub mod kinematics;
mod limits;
mod robot;
pub mod robot_file;
pub mod safety;
pub mod share;
pub mod splice;
pub mod state;
pub mod statistics;
pub mod trajectory;
mod urdf;

pub use circles::Circles;
pub use decode::{ChunkDecoder, RawChunk};
pub use limits::{JointLimits, LimitSource, LimitSources};
pub use robot::{ControllerJoints, PolicyShape, Robot};
pub use robot_file::{Fault, RobotFile, RobotFileError};
