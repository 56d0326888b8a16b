//! The three-stage recipe, tokenizer training and the paper's measurements.
//!
//! - [`run_file`]: one YAML a run; [`setup`] opens what it names.
//! - [`trainer`]: the loop; [`batch`] turns samples into network input, [`tokens`] keeps frame
//!   tokens.
//! - [`optimizer`], [`schedule`]: AdamW over groups, learning rates.
//! - [`parallel`]: several processes that average their gradients.
//! - [`checkpoint`], [`journal`]: what a run leaves behind, and how it resumes.

pub mod batch;
pub mod checkpoint;
mod codebook;
pub mod disturbance;
mod error;
pub mod evaluate;
mod event_file;
pub mod journal;
#[cfg(feature = "nccl")]
mod nccl;
pub mod optimizer;
pub mod parallel;
pub mod parameters;
pub mod run_file;
pub mod schedule;
pub mod setup;
pub mod tokens;
pub mod trainer;

pub use error::{Result, TrainError};
pub use run_file::RunFile;
pub use trainer::{Outcome, Trainer};
