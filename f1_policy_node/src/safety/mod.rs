//! The node `safety_filter`: the only owner of publishers to controllers.

mod controllers;
mod events;
mod goals;
mod gripper;
pub mod home;
mod markers;
mod motion;
mod node;
mod outputs;
mod scaling;
mod scene;
mod settings;
mod stream;
mod takeover;

pub use home::{HomeEnd, HomeRequest};
pub use node::{SafetyFilterNode, Stopper, WeakStopper};
pub use settings::{SafetySettings, SceneSettings};
pub use takeover::{Buttons, TakeoverFrom};
