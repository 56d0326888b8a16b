//! The one error type of this crate: every variant says what was asked, of which name, and why it
//! failed.

use crate::names::NameError;

/// Anything that can go wrong between a node and its middleware.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A topic, service, node or namespace name that ROS 2 does not allow.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A fault in `--ros-args` or in a parameter file.
    #[error(transparent)]
    Arguments(#[from] crate::args::ArgumentError),
    /// A parameter that is not declared, of the wrong type, or outside its range.
    #[error(transparent)]
    Parameter(#[from] crate::parameters::ParameterError),
    /// A message could not be turned into bytes or back.
    #[error("{topic}: cannot {action} {type_name}: {reason}")]
    Encoding {
        /// The resolved topic or service name.
        topic: String,
        /// `encode` or `decode`.
        action: &'static str,
        /// The ROS type, as `sensor_msgs/msg/Image`.
        type_name: &'static str,
        /// What the encoder said.
        reason: String,
    },
    /// Two endpoints of one name have different types.
    #[error("{name} carries {existing}, not {asked}")]
    TypeMismatch {
        /// The resolved name.
        name: String,
        /// The type that is already there.
        existing: String,
        /// The type that was asked for.
        asked: String,
    },
    /// A name that can exist only once exists already.
    #[error("{what} {name} exists already")]
    AlreadyExists {
        /// What kind of thing: `node`, `service`, `action server`.
        what: &'static str,
        /// The resolved name.
        name: String,
    },
    /// A message larger than this back end sends.
    #[error(
        "{topic}: {size} bytes is more than the {limit} that this back end sends in one message; \
         publish the compressed form (`{topic}/compressed`) or raise the limit with F1_DDS_MAX_RAW_BYTES"
    )]
    TooLarge {
        /// The resolved topic.
        topic: String,
        /// Encoded size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A service call or action goal that was not answered in time.
    #[error("{name}: no answer within {seconds:.3} s")]
    Timeout {
        /// The resolved service or action name.
        name: String,
        /// The time that was allowed, in seconds.
        seconds: f64,
    },
    /// The context is shutting down.
    #[error("the context has been shut down")]
    ShutDown,
    /// A back end that this build does not contain.
    #[error("this build has no `{0}` back end; build with the cargo feature of that name")]
    NoBackend(&'static str),
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
    /// The back end itself failed.
    #[error("{action}: {reason}")]
    Transport {
        /// What was being done, with the name it was done for.
        action: String,
        /// What the back end said.
        reason: String,
    },
    /// A call that the chosen back end or clock does not support.
    #[error("{0}")]
    Unsupported(String),
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
