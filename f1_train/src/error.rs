//! What can stop a training run.

use std::path::{Path, PathBuf};

/// A fault of a run.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The run file cannot be used.
    #[error("{place}: {}", faults.join("; "))]
    Run {
        /// The run file.
        place: String,
        /// Every fault.
        faults: Vec<String>,
    },
    /// A data set cannot be used.
    #[error(transparent)]
    Data(#[from] f1_data::lerobot::DataError),
    /// Statistics cannot be used.
    #[error(transparent)]
    Statistics(#[from] f1_robot::statistics::StatisticsError),
    /// The model refused.
    #[error(transparent)]
    Model(#[from] f1_model::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A file cannot be read or written.
    #[error("{path}: {source}{}", disk_hint(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Training cannot go on.
    #[error("{0}")]
    Stopped(String),
}

fn disk_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull => {
            " (the disk is full; the last whole checkpoint is untouched: free some space and continue with --resume)"
        }
        _ => "",
    }
}

impl TrainError {
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, TrainError>;
