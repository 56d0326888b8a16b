//! The error type: every variant says what was asked, of which name, and why it failed.

/// What can go wrong between a process and the network.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An environment variable with a value that is not allowed.
    #[error("{variable}={value}: {reason}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// A node of this name is part of this participant already.
    #[error("node {0} exists already")]
    NodeExists(String),
    /// A message larger than [`crate::Settings::max_message_bytes`].
    #[error(
        "{topic}: {size} bytes is more than the {limit} that are sent in one message; publish the \
         compressed form or raise the limit with F1_DDS_MAX_RAW_BYTES"
    )]
    TooLarge {
        /// The topic.
        topic: String,
        /// Encoded size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A sample that is not what its topic or service says.
    #[error("{name}: cannot decode a sample: {reason}")]
    Decode {
        /// The topic or service.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// RustDDS or the operating system refused.
    #[error("cannot {action}: {reason}")]
    Network {
        /// What was being done, with the name it was done for.
        action: String,
        /// What RustDDS or the system said.
        reason: String,
    },
}

impl Error {
    pub(crate) fn network(action: impl Into<String>, reason: impl std::fmt::Debug) -> Error {
        Error::Network { action: action.into(), reason: format!("{reason:?}") }
    }
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
