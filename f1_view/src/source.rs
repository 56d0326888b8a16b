//! What a program shows, and what it lets a page do.

use image::RgbImage;
use serde::Deserialize;
use serde_json::Value;

/// What a person on the page asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Stop the robot.
    Stop,
    /// Release a stop.
    Reset,
    /// Follow this instruction; empty: come to rest.
    Instruction {
        /// The instruction.
        text: String,
    },
}

impl Command {
    /// Whether everybody who sees the page may do it, from any machine: what can only end motion.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::Stop
    }
}

/// An image that can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageState {
    /// Its name on the page, unique.
    pub key: String,
    /// Grows with each new image of this name.
    pub sequence: u64,
}

/// A program that can be watched. All functions are called from threads of the page's server and
/// must not wait for long.
pub trait Source: Send + Sync + 'static {
    /// The state, as the page's script reads it (see `docs/view.md`).
    fn state(&self) -> Value;

    /// The images that there are.
    fn images(&self) -> Vec<ImageState>;

    /// An image in its newest state; `None` where it is gone or cannot be decoded.
    fn image(&self, key: &str) -> Option<(u64, RgbImage)>;

    /// Does what a page asks for; the answer is shown there.
    ///
    /// # Errors
    /// Why it is not done.
    fn command(&self, command: &Command) -> Result<String, String>;

    /// So many pages are open now.
    fn pages(&self, _count: usize) {}
}
