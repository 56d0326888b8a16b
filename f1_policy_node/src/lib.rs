//! Perception, foresight, action and safety filter: four ROS 2 nodes in one process.
//!
//! [`process::PolicyProcess`] composes them on any back end; the programs `f1_policy_node` and `f1`
//! only parse arguments. The life of one observation: [`perception`] matches messages to an
//! [`observation::Observation`], [`foresight`] hands it to the [`policy::Policy`], [`action`] gets
//! a chunk of it, [`safety`] makes motion of that. Values cross from node to node through a
//! [`port::Port`], in process, by `Arc`. [`topics`] lists what the nodes subscribe to, publish and
//! offer.

pub mod action;
mod by_name;
pub mod condition;
pub mod core;
pub mod error;
pub mod foresight;
mod foxglove;
pub mod instruction;
pub mod measured;
pub mod names;
pub mod observation;
pub mod pacer;
pub mod perception;
pub mod policy;
pub mod port;
pub mod process;
pub mod recording;
pub mod resources;
pub mod run;
pub mod safety;
pub mod seed;
pub mod stages;
pub mod status;
pub mod task;
pub mod threads;
pub mod topics;
mod view;

pub use self::foxglove::FoxgloveSession;
pub use error::{NodeError, NodeResult};
