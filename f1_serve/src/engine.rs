//! The network on a thread of its own, for all connections: requests wait in one bounded queue and
//! are served in the order they came. A connection has one request at a time, so that everybody
//! gets the same share.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use candle_core::Device;
use f1_model::image_prep::{prepare_frame, to_image};
use f1_model::{ActRequest, F1Policy, HistoryFrame, LoadOptions, PolicyInput, Prompt, RtcGuidance};
use f1_robot::statistics::{Normaliser, StatisticsError, StatisticsFile};
use image::RgbImage;
use tokio::sync::{mpsc, oneshot};

use crate::layout::Layout;
use crate::session::HistorySettings;
use crate::{RequestError, ServeError};

/// Requests that may wait at once.
const QUEUE: usize = 256;

/// A frame of the history camera: encoded when a history first needs it, and once.
#[derive(Clone)]
pub struct Frame {
    image: Arc<RgbImage>,
    encoded: Arc<OnceLock<HistoryFrame>>,
}

impl Frame {
    /// A frame that nothing has needed yet.
    #[must_use]
    pub fn new(image: RgbImage) -> Self {
        Self { image: Arc::new(image), encoded: Arc::default() }
    }

    fn encoded(&self, policy: &F1Policy) -> Result<HistoryFrame, f1_model::Error> {
        if let Some(frame) = self.encoded.get() {
            return Ok(frame.clone());
        }
        let frame = policy.encode_frame(&self.image)?;
        Ok(self.encoded.get_or_init(|| frame).clone())
    }
}

/// One observation, ready for the network.
pub struct Job {
    /// Images of the understanding expert's cameras, in order.
    pub cameras: Vec<Option<RgbImage>>,
    /// The instruction.
    pub prompt: String,
    /// The state, raw, in the data set's units.
    pub state: Vec<f64>,
    /// The history, oldest first, the newest frame last; empty for a network without one.
    pub history: Vec<Frame>,
    /// Seed of tokens and noise.
    pub seed: u64,
    /// First actions that are held fixed, in the data set's units.
    pub frozen: Vec<Vec<f64>>,
    /// Whether the foreseen image is wanted.
    pub foresight: bool,
}

/// Outcome of one observation.
pub struct Answer {
    /// `[horizon][width]`, in the data set's units.
    pub actions: Vec<Vec<f64>>,
    /// The newest image as the network sees its history.
    pub view: Option<RgbImage>,
    /// The foreseen image, where it was asked for and the network foresees.
    pub foreseen: Option<RgbImage>,
    /// Time of the computation.
    pub infer: Duration,
}

struct Waiting {
    job: Job,
    reply: oneshot::Sender<Result<Answer, RequestError>>,
}

/// The policy with what its layout adds: statistics and widths.
pub struct Model {
    policy: Arc<F1Policy>,
    state: Normaliser,
    action: Normaliser,
    width: usize,
}

impl Model {
    /// Loads a checkpoint folder for a layout.
    ///
    /// # Errors
    /// The checkpoint, its statistics, or a layout that does not fit them, with every fault.
    pub fn load(folder: &Path, layout: &Layout, options: &LoadOptions) -> Result<Self, ServeError> {
        let path = folder.join("stats.json");
        let statistics = StatisticsFile::load(&path)
            .and_then(|file| file.get(&layout.statistics.name).cloned())
            .map_err(|source| wrong_statistics(&path, layout, source))?;
        let policy = F1Policy::load(folder, options)
            .map_err(|source| ServeError::Model { folder: folder.display().to_string(), source })?;
        let faults = mismatches(layout, &policy);
        if !faults.is_empty() {
            return Err(ServeError::Layout { name: layout.name.clone(), faults });
        }
        let named = &layout.statistics;
        let normaliser = |vector, kind, width: usize, name| {
            Normaliser::new(vector, kind, &vec![false; width], name)
                .map_err(|source| wrong_statistics(&path, layout, source))
        };
        let state = normaliser(&statistics.state, named.state, layout.state_width(), "state")?;
        let action = normaliser(&statistics.action, named.action, layout.action.width, "action")?;
        Ok(Self { policy: Arc::new(policy), state, action, width: layout.action.width })
    }

    /// The network.
    #[must_use]
    pub fn policy(&self) -> &F1Policy {
        &self.policy
    }

    /// Frames and stride of the network's history; one frame for a network that does not foresee.
    #[must_use]
    pub fn history(&self) -> HistorySettings {
        let run = &self.policy.config().run;
        let frames = if self.foresees() { run.history_frames } else { 1 };
        HistorySettings { frames, stride: run.obs_img_stride }
    }

    /// Whether the network foresees.
    #[must_use]
    pub fn foresees(&self) -> bool {
        self.policy.config().generation.is_some()
    }

    /// Computes one answer.
    ///
    /// # Errors
    /// What the network refuses.
    pub fn infer(&self, job: &Job) -> Result<Answer, RequestError> {
        let begin = Instant::now();
        let failed = |error: f1_model::Error| RequestError::Inference(error.to_string());
        let policy = &self.policy;
        let prepare = |image: &Option<RgbImage>| {
            image.as_ref().map(|image| policy.prepare_camera(image)).transpose()
        };
        let cameras: Result<Vec<_>, _> = job.cameras.iter().map(prepare).collect();
        let prompt: Prompt = policy.encode_prompt(&job.prompt).map_err(failed)?;
        let frames = if self.foresees() { job.history.as_slice() } else { &[] };
        let history: Result<Vec<_>, _> = frames.iter().map(|frame| frame.encoded(policy)).collect();
        let history = history.map_err(failed)?;
        let input = PolicyInput { cameras: cameras.map_err(failed)?, prompt, history };
        let prefix = policy.perceive(&input, job.seed).map_err(failed)?;
        let mut state = job.state.clone();
        self.state.normalise(&mut state);
        let state: Vec<f32> = state.iter().map(|value| *value as f32).collect();
        let request = ActRequest { seed: job.seed, guidance: self.guidance(&job.frozen)? };
        let chunk = policy.act(&prefix, &state, &request).map_err(failed)?;
        let actions = chunk.iter().map(|row| self.raw(row)).collect();
        let (mut foreseen, mut view) = (None, None);
        if let (true, Some(newest)) = (job.foresight, frames.last()) {
            foreseen = Some(policy.imagine(&prefix).map_err(failed)?);
            view = Some(self.view(&newest.image).map_err(failed)?);
        }
        Ok(Answer { actions, view, foreseen, infer: begin.elapsed() })
    }

    /// An action of the network in the data set's units.
    fn raw(&self, row: &[f32]) -> Vec<f64> {
        let mut raw: Vec<f64> = row.iter().take(self.width).map(|v| f64::from(*v)).collect();
        self.action.denormalise(&mut raw);
        raw
    }

    /// The image as the network sees its history.
    fn view(&self, image: &RgbImage) -> Result<RgbImage, f1_model::Error> {
        let config = self.policy.config();
        let side = config.frame_side().unwrap_or(1);
        to_image(&prepare_frame(image, side, config.run.crop_ratio, &Device::Cpu)?)
    }

    fn guidance(&self, frozen: &[Vec<f64>]) -> Result<Option<RtcGuidance>, RequestError> {
        if frozen.is_empty() {
            return Ok(None);
        }
        let chunk = self.policy.config().chunk_size;
        if frozen.len() > chunk {
            return Err(RequestError::Inference(format!(
                "{} actions are to be held fixed, the chunk has {chunk}",
                frozen.len()
            )));
        }
        let mut previous: Vec<Vec<f32>> = frozen
            .iter()
            .map(|row| {
                let mut row = row.clone();
                self.action.normalise(&mut row);
                row.iter().map(|value| *value as f32).collect()
            })
            .collect();
        previous.resize(chunk, Vec::new());
        let weights = (0..chunk).map(|step| if step < frozen.len() { 1.0 } else { 0.0 }).collect();
        Ok(Some(RtcGuidance { previous, weights }))
    }
}

fn wrong_statistics(path: &Path, layout: &Layout, source: StatisticsError) -> ServeError {
    ServeError::Statistics { path: path.to_owned(), name: layout.statistics.name.clone(), source }
}

fn mismatches(layout: &Layout, policy: &F1Policy) -> Vec<String> {
    let config = policy.config();
    let mut faults = Vec::new();
    if layout.state_width() > config.max_state_dim {
        faults.push(format!(
            "state: {} numbers, the network takes {}",
            layout.state_width(),
            config.max_state_dim
        ));
    }
    if layout.action.width > config.max_action_dim {
        faults.push(format!(
            "action.width: {}, the network takes {}",
            layout.action.width, config.max_action_dim
        ));
    }
    if config.generation.is_some() && layout.history_camera().is_none() {
        faults.push("cameras: the network foresees, but no camera has history: true".into());
    }
    if config.run.history_in_understanding {
        faults.push(
            "f1.history_in_understanding: a model for comparisons, which cannot be served".into(),
        );
    }
    faults
}

/// Hands requests to the thread that computes. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    sender: mpsc::Sender<Waiting>,
    waiting: Arc<AtomicUsize>,
}

impl Engine {
    /// Starts the thread; it ends when the last handle is dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(model: Arc<Model>) -> Result<Self, ServeError> {
        let (sender, mut receiver) = mpsc::channel::<Waiting>(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let count = waiting.clone();
        let run = move || {
            while let Some(Waiting { job, reply }) = receiver.blocking_recv() {
                count.fetch_sub(1, Ordering::Relaxed);
                // A client that has gone needs no answer.
                if !reply.is_closed() {
                    let _ = reply.send(model.infer(&job));
                }
            }
        };
        std::thread::Builder::new()
            .name("inference".into())
            .spawn(run)
            .map_err(ServeError::Thread)?;
        Ok(Self { sender, waiting })
    }

    /// One answer, after those that waited before it.
    ///
    /// # Errors
    /// [`RequestError::Busy`] when the queue is full; what the network refuses.
    pub async fn infer(&self, job: Job) -> Result<Answer, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.sender.try_send(Waiting { job, reply }).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(RequestError::Busy(QUEUE));
        }
        let ended = || RequestError::Inference("the thread that computes has ended".into());
        answer.await.map_err(|_| ended())?
    }

    /// Requests that wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}
