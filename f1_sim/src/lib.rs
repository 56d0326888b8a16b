//! The bench: a simulated arm at a moving belt, on the same topics as a real robot.
//!
//! [`Bench`] is a pure machine: seed in, images and joints out, trajectories obeyed as
//! ros2_control's `JointTrajectoryController` obeys them. [`expert`] plays it with knowledge that a
//! policy does not have and so makes demonstrations.

pub mod arm;
pub mod bench;
pub mod demonstrations;
pub mod detector;
pub mod disturb;
pub mod episode;
pub mod expert;
mod ik;
pub mod jtc;
pub mod kinds;
pub mod layout;
pub mod node;
pub mod objects;
mod random;
pub mod render;
mod scenery;
pub mod score;
pub mod settings;
pub mod showcase;
pub mod task;
pub mod world;

pub use bench::{Bench, JointReading, Visible};
pub use disturb::{Disturb, Disturbed};
pub use settings::{BenchSettings, CameraId};
pub use task::{Outcome, Split, Task};
