//! Perception: from camera, joint and instruction messages to one synchronised observation.

pub mod frozen;
pub mod history;
mod intake;
pub mod joints;
pub mod matching;
mod node;
mod settings;
mod silence;
pub mod synchroniser;

pub use node::Perception;
pub use settings::PerceptionSettings;
