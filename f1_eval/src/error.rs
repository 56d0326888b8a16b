//! Why a checkpoint cannot be measured.

use std::path::PathBuf;

use f1_train::TrainError;

/// A checkpoint cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The checkpoint has no statistics of its data.
    #[error(
        "{} is missing: actions cannot be normalised; make it with `f1 stats {} --output {}`",
        .stats.display(), .dataset.display(), .stats.display()
    )]
    NoStatistics {
        /// Where `stats.json` should be.
        stats: PathBuf,
        /// The data set that is measured on.
        dataset: PathBuf,
    },
    /// The statistics are of several data sets.
    #[error(
        "{} has several entries ({}): choose one with --entry",
        .stats.display(), .entries.join(", ")
    )]
    SeveralEntries {
        /// The file.
        stats: PathBuf,
        /// Names of its entries.
        entries: Vec<String>,
    },
    /// The settings do not make a run file.
    #[error("the data cannot be described as a source of a run file: {0}")]
    Settings(#[from] serde_json::Error),
    /// Data or model cannot be opened or read.
    #[error(transparent)]
    Open(#[from] TrainError),
}

impl From<f1_model::Error> for EvalError {
    fn from(fault: f1_model::Error) -> Self {
        Self::Open(fault.into())
    }
}

impl From<candle_core::Error> for EvalError {
    fn from(fault: candle_core::Error) -> Self {
        Self::Open(fault.into())
    }
}

impl From<f1_data::lerobot::DataError> for EvalError {
    fn from(fault: f1_data::lerobot::DataError) -> Self {
        Self::Open(fault.into())
    }
}

impl From<f1_robot::statistics::StatisticsError> for EvalError {
    fn from(fault: f1_robot::statistics::StatisticsError) -> Self {
        Self::Open(fault.into())
    }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, EvalError>;
