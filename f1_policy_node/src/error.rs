//! Why a node cannot be made, configured or activated.

/// Why a node cannot be made, configured or activated.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The middleware refuses.
    #[error(transparent)]
    Middleware(#[from] f1_middleware::Error),
    /// A parameter is not as declared.
    #[error(transparent)]
    Declaration(#[from] f1_middleware::parameters::ParameterError),
    /// Parameters that do not fit the robot or each other.
    #[error("parameter {0}")]
    Parameter(String),
    /// Robot, model or statistics cannot be loaded.
    #[error(transparent)]
    Resources(#[from] crate::resources::ResourceError),
    /// Activated before it was configured.
    #[error("node {0} is not configured")]
    NotConfigured(&'static str),
    /// The live page cannot be served.
    #[error(transparent)]
    View(#[from] f1_view::ViewError),
    /// A recording cannot be written or read.
    #[error(transparent)]
    Recording(#[from] crate::recording::RecordingError),
}

/// What the nodes' functions return.
pub type NodeResult<T> = Result<T, NodeError>;
