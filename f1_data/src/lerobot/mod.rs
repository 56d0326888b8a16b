//! LeRobot data sets on disk.
//!
//! Three published layouts are read, the two newer ones are written:
//!
//! | version | frames | episodes and tasks | statistics |
//! |---|---|---|---|
//! | v2.0 | one parquet file an episode | `episodes.jsonl`, `tasks.jsonl` | `stats.json` |
//! | v2.1 | as v2.0 | as v2.0 | `episodes_stats.jsonl` |
//! | v3.0 | many episodes a file | `meta/episodes/**.parquet`, `tasks.parquet` | `stats.json` |
//!
//! The crate `re_lerobot` was looked at first: it turns an episode into chunks of Rerun's viewer
//! store and brings that store (some hundred crates) with it; it neither writes nor decodes. The
//! tables are read with `parquet` itself instead.

mod advice;
mod columns;
mod dataset;
mod episodes;
mod error;
mod frame_image;
mod info;
mod rows;
mod stats_file;
mod table;
mod tasks;
mod video;
mod writer;

pub use columns::{ColumnSlice, Columns};
pub use dataset::{Dataset, EpisodeTable};
pub use episodes::{Episode, VideoSpan};
pub use error::DataError;
pub use frame_image::FrameImage;
pub use info::{Feature, FormatVersion, Info};
pub use tasks::Tasks;
pub use video::VideoFile;
pub use writer::{CameraFeature, Features, ImageEncoding, Writer};

/// Column of the robot's own state, as every LeRobot data set names it.
pub const STATE: &str = "observation.state";
/// Column of the commanded action.
pub const ACTION: &str = "action";
/// What the names of all cameras begin with.
pub const CAMERA_PREFIX: &str = "observation.image";
