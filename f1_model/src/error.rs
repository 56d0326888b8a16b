//! The errors of this crate. Messages name the cause and, where there is one, the remedy.

use std::path::PathBuf;

/// An error of this crate.
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
        /// The operating system's error. It is part of the message and therefore not the error's
        /// source, which would print it twice.
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
    /// Numbers that a step cannot go on with.
    #[error("{0} are not finite")]
    NotFinite(&'static str),
    /// An input of the wrong size or value.
    #[error("{0}")]
    Input(String),
    /// The language tokenizer failed.
    #[error("prompt tokenizer: {0}")]
    Prompt(String),
    /// The GPU has no memory left.
    #[error(
        "the GPU's memory is full ({0}): nvidia-smi shows which programs use it; bf16 needs half of f32, and --quant fp8 or q8_0 less"
    )]
    DeviceMemory(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(candle_core::Error),
}

impl From<candle_core::Error> for Error {
    fn from(fault: candle_core::Error) -> Self {
        match out_of_memory(&fault) {
            Some(answer) => Self::DeviceMemory(answer),
            None => Self::Tensor(fault),
        }
    }
}

/// The driver's message if it is out of memory. By the name of CUDA's constant in its text, because
/// candle passes the driver's error on in several types, some of which keep the text alone.
fn out_of_memory(fault: &candle_core::Error) -> Option<String> {
    let text = fault.to_string();
    // The following lines are a backtrace, if one is enabled.
    let first = text.lines().next().unwrap_or_default();
    first.contains("OUT_OF_MEMORY").then(|| first.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gpu_has_an_error_of_its_own() {
        let of = |text: &str| Error::from(candle_core::Error::Msg(text.into())).to_string();
        let full = of("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")\n   0: somewhere");
        assert!(
            full.contains("memory is full") && full.contains("bf16") && !full.contains("somewhere"),
            "{full}"
        );
        assert_eq!(of("shapes differ"), "shapes differ");
    }
}
