//! The network as a robot uses it: load, perceive, act, and make the foresight image.

mod act;
mod batch;
mod load;
mod observe;
mod options;
mod perceive;
mod types;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use candle_core::Device;
use f1_kernels::graphs::StageGraphs;
use f1_kernels::stream::{self, OnDevice, ReadLock};

pub use batch::{BatchAnswer, BatchItem};
pub use options::{DeviceChoice, Dtype, LoadOptions};
pub use types::{ActRequest, CameraInput, Embedded, FrameInput, HistoryFrame, PolicyInput, Prefix};

use crate::checkpoint::LoadReport;
use crate::config::Config;
use crate::image_prep::ImageUploader;
use crate::network::F1Network;
use crate::prompt::PromptEncoder;
use crate::tokenizer::Painter;
use crate::{Error, Result};

/// A loaded policy. Share it by `Arc`: every method takes `&self`. Dropping it waits while another
/// policy records a CUDA graph.
///
/// ```
/// use f1_model::{ActRequest, F1Policy, LoadOptions, PolicyInput};
/// use image::RgbImage;
///
/// # fn main() -> f1_model::Result<()> {
/// let policy = F1Policy::load("../models/f1_bench".as_ref(), &LoadOptions::default())?;
/// let image = RgbImage::new(320, 240);
/// let input = PolicyInput {
///     cameras: vec![Some(policy.prepare_camera(&image)?)],
///     prompt: policy.encode_prompt("pick up the red cube")?,
///     history: vec![policy.encode_frame(&image)?],
/// };
/// let prefix = policy.perceive(&input, 0)?;
/// let state = vec![0.0; policy.config().max_state_dim];
/// let chunk = policy.act(&prefix, &state, &ActRequest::default())?;
/// assert_eq!(chunk.len(), policy.config().chunk_size);
/// # Ok(())
/// # }
/// ```
pub struct F1Policy {
    network: OnDevice<Arc<F1Network>>,
    /// Makes the foresight image, and its device: on a GPU a second stream.
    painter: Option<(OnDevice<Arc<Painter>>, Device)>,
    stages: OnDevice<Stages>,
    images: OnDevice<ImageUploader>,
    prompts: Option<PromptEncoder>,
    report: LoadReport,
    /// Passes of the generation expert, an image each.
    generations: AtomicU64,
}

impl F1Policy {
    /// On a GPU, the lock that is held while work is submitted or results are read.
    fn read_lock(&self) -> Option<ReadLock> {
        self.network.device().is_cuda().then(stream::read_lock)
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        self.network.config()
    }

    /// The network underneath.
    pub fn network(&self) -> &F1Network {
        &self.network
    }

    /// The report of loading.
    pub fn report(&self) -> &LoadReport {
        &self.report
    }
}

/// The recorded graphs of each stage.
struct Stages {
    /// Camera images to understanding tokens.
    images: StageGraphs,
    /// History frames to their tokens and vectors.
    frame: StageGraphs,
    /// Understanding and foresight.
    prefix: StageGraphs,
    /// The chunk of actions.
    flow: StageGraphs,
    /// The foresight image.
    foresight: StageGraphs,
}

impl Stages {
    fn new(record: bool) -> Self {
        let of = |name| StageGraphs::new(name, record);
        Self {
            images: of("images"),
            frame: of("frame"),
            prefix: of("prefix"),
            flow: of("flow"),
            foresight: of("foresight"),
        }
    }
}

/// The results of a stage, checked for their number.
fn of_stage<T, const N: usize>(outputs: Vec<T>) -> Result<[T; N]> {
    outputs.try_into().map_err(|other: Vec<T>| {
        Error::input(format!("{} results of a stage that has {N}", other.len()))
    })
}
