//! The node `safety_filter`: the only owner of publishers to controllers.

mod controllers;
mod events;
mod goals;
pub mod home;
mod gripper;
mod motion;
mod node;
mod outputs;
mod scaling;
mod settings;
mod stream;
mod takeover;

pub use home::{HomeEnd, HomeRequest};
pub use node::{SafetyFilterNode, Stopper, WeakStopper};
pub use settings::SafetySettings;
pub use takeover::{Buttons, TakeoverFrom};
