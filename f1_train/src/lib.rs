//! The three-stage recipe, and tokenizer training.
//!
//! - [`run_file`]: one YAML a run; [`setup`] opens what it names.
//! - [`trainer`]: the loop; [`batch`] turns samples into network input, [`tokens`] keeps frame
//!   tokens.
//! - [`optimizer`], [`schedule`]: AdamW over groups, learning rates.
//! - [`ranks`]: several processes that make the same updates from parts of a batch.
//! - [`checkpoint`], [`journal`]: what a run leaves behind, and how it resumes.

pub mod batch;
pub mod checkpoint;
mod codebook;
pub mod disturbance;
mod error;
mod event_file;
pub mod journal;
pub mod optimizer;
pub mod parameters;
pub mod ranks;
pub mod run_file;
pub mod schedule;
pub mod setup;
pub mod tokens;
pub mod trainer;

pub use error::{Result, TrainError};
pub use ranks::{Launch, Ranks};
pub use run_file::RunFile;
pub use trainer::{Outcome, Trainer};
