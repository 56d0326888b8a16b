//! Kinematics of a robot on its URDF: forward, Jacobian, inverse.
//!
//! Joint vectors have the order of [`crate::Robot::joints`], in rad (sliding joints: m). Poses are
//! in the URDF's root frame unless an item says otherwise.

mod inverse;
mod model;
mod tree;

pub use inverse::{
    InverseOptions, InverseSolution, SLOW_CONDITION, STOP_CONDITION, condition_number,
    singularity_scale,
};
pub use model::{ArmChain, Kinematics};
pub(crate) use tree::{Tree, TreeLink, isometry, moves};
