//! What can go wrong in this room, each case named with what mends it.

use std::path::PathBuf;

/// Every failure of this crate.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// A configuration that cannot be built; all faults at once.
    #[error("{origin}: {} fault(s) in the configuration:\n  - {}", faults.len(), faults.join("\n  - "))]
    Config {
        /// File or preset the configuration came from.
        origin: String,
        /// Every fault found, each with its key.
        faults: Vec<String>,
    },
    /// A file that cannot be opened, read or written.
    #[error("{}: {answer}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer; part of the message, so no source of its own that would say it twice.
        answer: std::io::Error,
    },
    /// A checkpoint that does not fit or cannot be trusted; all faults at once.
    #[error("{}: {} fault(s):\n  - {}", path.display(), faults.len(), shorten(faults))]
    Checkpoint {
        /// The file or directory.
        path: PathBuf,
        /// Every fault found, each naming its tensor.
        faults: Vec<String>,
    },
    /// An input of the wrong size or value.
    #[error("{0}")]
    Input(String),
    /// The language tokenizer failed.
    #[error("prompt tokenizer: {0}")]
    Prompt(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An input error from anything printable.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    /// An I/O error with its file.
    pub fn io(path: impl Into<PathBuf>, answer: std::io::Error) -> Self {
        Self::Io { path: path.into(), answer }
    }
}

/// The first faults in full, the rest as a count: a file of the wrong model has a thousand.
fn shorten(faults: &[String]) -> String {
    const SHOWN: usize = 40;
    let mut text = faults.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n  - ");
    if faults.len() > SHOWN {
        text.push_str(&format!("\n  ... and {} more", faults.len() - SHOWN));
    }
    text
}
