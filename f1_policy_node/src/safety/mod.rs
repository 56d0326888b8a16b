//! The node `safety_filter`: the only owner of publishers to controllers.

mod events;
mod goals;
mod gripper;
mod motion;
mod node;
mod output;
mod settings;

pub use node::{NAME, SafetyFilterNode, Stopper};
pub use settings::SafetySettings;
