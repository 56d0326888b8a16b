//! What stops a training run.

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
    Tensor(candle_core::Error),
    /// The GPU has no memory left.
    #[error(
        "the GPU's memory is full ({0}): lower `batch` and raise `accumulate` by as much (the same \
         update in smaller parts), `freeze` groups, or train adapters (`lora`); docs/gpu.md says \
         what the full network needs"
    )]
    DeviceMemory(String),
    /// A file cannot be read or written.
    #[error("{path}: {source}{}", disk_hint(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The environment or the library by which ranks are started cannot be used.
    #[error("{0}")]
    Launch(String),
    /// Another rank has ended before its time.
    #[error(
        "{} ended before the others: see what it reported, then start all of them again with \
         --resume",
        .rank.map_or("another rank".to_owned(), |rank| format!("rank {rank}"))
    )]
    RankLost {
        /// Which, where it is known.
        rank: Option<usize>,
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
            " (the disk is full, or a limit is reached; the last whole checkpoint is untouched: free \
             some space and continue with --resume)"
        }
        _ => "",
    }
}

impl From<f1_model::Error> for TrainError {
    fn from(fault: f1_model::Error) -> Self {
        match fault {
            f1_model::Error::Io { path, answer } => Self::Io { path, source: answer },
            f1_model::Error::DeviceMemory(answer) => Self::DeviceMemory(answer),
            fault => Self::Model(fault),
        }
    }
}

impl From<candle_core::Error> for TrainError {
    fn from(fault: candle_core::Error) -> Self {
        match f1_model::Error::from(fault) {
            f1_model::Error::Tensor(fault) => Self::Tensor(fault),
            other => other.into(),
        }
    }
}

impl TrainError {
    /// A fault of writing tensors into `path`: a full disk is a fault of its own.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gpu_names_what_makes_a_run_smaller() {
        let fault = candle_core::Error::Msg(
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into(),
        );
        let text = TrainError::from(fault).to_string();
        assert!(text.contains("`batch`") && text.contains("`accumulate`"), "{text}");
        assert!(matches!(
            TrainError::from(candle_core::Error::Msg("other".into())),
            TrainError::Tensor(_)
        ));
    }
}
