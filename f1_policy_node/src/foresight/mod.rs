//! Foresight: predicting the next image and comparing it with the true one.

pub mod comparison;
mod node;
mod settings;

pub use node::Foresight;
pub use settings::{ForesightSettings, load_options};
