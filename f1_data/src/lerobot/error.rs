//! What can be wrong with a data set, with what a person needs to put it right.

use std::path::{Path, PathBuf};

/// A fault while reading or writing a data set.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The operating system refused.
    #[error("{path}: {source}{}", disk_hint(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its message.
        source: std::io::Error,
    },
    /// A JSON file does not hold what its place promises.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, column and fault.
        source: serde_json::Error,
    },
    /// A parquet file cannot be read or written.
    #[error("{path}: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The reader's message.
        source: parquet::errors::ParquetError,
    },
    /// An image cannot be decoded or encoded.
    #[error("{what}: {source}")]
    Image {
        /// Data set, episode, frame and camera.
        what: String,
        /// The codec's message.
        source: image::ImageError,
    },
    /// A video cannot be read.
    #[error("{path}: {what}")]
    Video {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
    /// A video of a kind that is not decoded.
    #[error("{path}: {what}")]
    UnsupportedVideo {
        /// The file.
        path: PathBuf,
        /// Its kind.
        what: String,
    },
    /// The data set contradicts itself or lacks something.
    #[error("{path}: {what}")]
    Content {
        /// The file or data set.
        path: PathBuf,
        /// The fault and, where known, what to do.
        what: String,
    },
    /// The caller asked for something the data set cannot give.
    #[error("{0}")]
    Usage(String),
}

/// A full disk is the one fault worth a hint of its own.
fn disk_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull => " (the disk is full: free some space and continue)",
        _ => "",
    }
}

impl DataError {
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn json(path: impl AsRef<Path>) -> impl FnOnce(serde_json::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Json { path, source }
    }

    pub(crate) fn parquet(
        path: impl AsRef<Path>,
    ) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Parquet { path, source }
    }

    pub(crate) fn content(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::Content { path: path.as_ref().to_path_buf(), what: what.into() }
    }
}
