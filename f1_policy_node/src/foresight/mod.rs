//! Foresight: predicting the next image and comparing it with the true one.

mod compare;
pub mod comparison;
mod mode;
mod node;
mod settings;

pub use mode::{MODES, Mode};
pub use node::Foresight;
pub use settings::{ForesightSettings, SIGNALS, ServerOptions, Signal, load_options};
