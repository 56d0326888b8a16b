//! What can go wrong: while starting, and with one request.

use std::path::PathBuf;

/// Why a server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A layout file cannot be read.
    #[error("layout {path}: {source}")]
    ReadLayout {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A layout file is not what it should be; every fault.
    #[error("layout {name}:\n  {}", .faults.join("\n  "))]
    Layout {
        /// The layout's name or file.
        name: String,
        /// Every fault.
        faults: Vec<String>,
    },
    /// The checkpoint does not load.
    #[error("model {folder}: {source}")]
    Model {
        /// The checkpoint folder.
        folder: String,
        /// Why.
        source: f1_model::Error,
    },
    /// The statistics do not fit.
    #[error("statistics {name} of {path}: {source}; `f1 stats DATASET` makes stats.json")]
    Statistics {
        /// The file.
        path: PathBuf,
        /// The entry that the layout names.
        name: String,
        /// Why.
        source: f1_robot::statistics::StatisticsError,
    },
    /// Another address than loopback without a key.
    #[error(
        "{0} can be reached from other machines: give --api-key FILE (or F1_API_KEY), or --insecure \
         if everybody there may use the policy"
    )]
    Exposed(std::net::SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The thread that computes cannot be started.
    #[error("cannot start the thread for inference: {0}")]
    Thread(std::io::Error),
}

/// Why a request gets no actions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The bytes are not a message of the protocol.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// The observation does not fit the layout; every fault.
    #[error("the observation does not fit the layout {layout}: {}", .faults.join("; "))]
    Observation {
        /// The layout's name.
        layout: String,
        /// Every fault.
        faults: Vec<String>,
    },
    /// The model needs a whole history and the connection has not shown one.
    #[error(
        "the history holds {found} of {wanted} frames, and --full-history asks for all of them"
    )]
    History {
        /// Frames so far.
        found: usize,
        /// Frames of the model.
        wanted: usize,
    },
    /// More requests wait than the server takes.
    #[error("the server is busy: {0} requests wait; try again later")]
    Busy(usize),
    /// The network refused or failed.
    #[error("inference failed: {0}")]
    Inference(String),
}
