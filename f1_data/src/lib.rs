//! LeRobot data sets, normalisation, and the sample pipeline shared by the training stages.
//!
//! - [`lerobot`]: reading data sets v2.0, v2.1 and v3.0 from disk, writing v2.1 and v3.0.
//! - [`statistics`]: computing, aggregating, checking and saving normalisation statistics.
//! - [`window`]: which frames and actions belong to one training sample.
//! - [`mixture`]: several data sets mixed by weight, in an order that a seed decides and a number
//!   resumes.
//! - [`augment`]: image augmentation for the understanding expert, random crops for the history.
//! - [`loader`]: samples decoded in parallel, ahead of the step that consumes them.

pub mod augment;
pub mod lerobot;
pub mod loader;
pub mod mixture;
pub mod statistics;
pub mod window;
