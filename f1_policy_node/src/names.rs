//! The names of the four nodes.

/// Matches messages to observations.
pub const PERCEPTION: &str = "perception";
/// Turns observations into prefixes and foreseen images.
pub const FORESIGHT: &str = "foresight";
/// Turns prefixes into chunks.
pub const ACTION: &str = "action";
/// Turns chunks into checked trajectories.
pub const SAFETY_FILTER: &str = "safety_filter";
