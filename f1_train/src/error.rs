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
    Model(f1_model::Error),
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
        std::io::ErrorKind::StorageFull
        | std::io::ErrorKind::FileTooLarge
        | std::io::ErrorKind::QuotaExceeded => {
            " (the disk is full, or a limit is reached; the last whole checkpoint is untouched: free some space and continue with --resume)"
        }
        _ => "",
    }
}

impl From<f1_model::Error> for TrainError {
    fn from(fault: f1_model::Error) -> Self {
        match fault {
            f1_model::Error::Io { path, answer } => Self::Io { path, source: answer },
            fault => Self::Model(fault),
        }
    }
}

impl TrainError {
    /// A fault of writing tensors into `path`: what the disk refuses is told apart from the rest.
    pub(crate) fn tensors(path: &Path, fault: candle_core::Error) -> Self {
        match fault {
            candle_core::Error::SafeTensor(safetensors::SafeTensorError::IoError(source))
            | candle_core::Error::Io(source) => Self::Io { path: path.to_path_buf(), source },
            fault => Self::Tensor(fault),
        }
    }

    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, TrainError>;
