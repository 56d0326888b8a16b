//! Action: from the prefix to a chunk of joint waypoints, and the path that its end effectors would
//! take.

mod node;
mod settings;

pub use node::Action;
pub use settings::{ActionSettings, Joining};
