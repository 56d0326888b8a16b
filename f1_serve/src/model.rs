//! The network with what a layout adds: statistics, widths, and answers in the data set's units.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use candle_core::Device;
use f1_model::image_prep::{prepare_frame, to_image};
use f1_model::{
    ActRequest, BatchItem, F1Policy, HistoryFrame, LoadOptions, PolicyInput, RtcGuidance,
};
use f1_robot::statistics::{Normaliser, StatisticsError, StatisticsFile};
use image::RgbImage;

use crate::layout::Layout;
use crate::session::HistorySettings;
use crate::{RequestError, ServeError};

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
        Self::load_with(folder, None, layout, options)
    }

    /// As [`Self::load`], with a `tokenizer.json` from elsewhere.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(
        folder: &Path,
        tokenizer: Option<&Path>,
        layout: &Layout,
        options: &LoadOptions,
    ) -> Result<Self, ServeError> {
        let path = folder.join("stats.json");
        let statistics = StatisticsFile::load(&path)
            .and_then(|file| file.get(&layout.statistics.name).cloned())
            .map_err(|source| wrong_statistics(&path, layout, source))?;
        let refused = |source| ServeError::Model { folder: folder.display().to_string(), source };
        let mut policy = F1Policy::load(folder, options).map_err(refused)?;
        if let Some(tokenizer) = tokenizer {
            policy.set_tokenizer(tokenizer).map_err(refused)?;
        }
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
        let policy = &self.policy;
        let input = self.input(job)?;
        let prefix = policy.perceive(&input, job.seed).map_err(failed)?;
        let request = ActRequest { seed: job.seed, guidance: self.guidance(&job.frozen)? };
        let chunk = policy.act(&prefix, &self.state(job), &request).map_err(failed)?;
        let image = || policy.imagine(&prefix);
        self.answer(job, &chunk, image, begin)
    }

    /// Computes several answers together, each but for rounding as [`Self::infer`] alone. Jobs with
    /// actions that are held fixed are computed alone, and all of them where the network refuses
    /// any, so that a fault is its own job's.
    #[must_use]
    pub fn infer_batch(&self, jobs: &[&Job]) -> Vec<Result<Answer, RequestError>> {
        let together: Vec<usize> =
            (0..jobs.len()).filter(|index| jobs[*index].frozen.is_empty()).collect();
        let mut answers: Vec<Option<Result<Answer, RequestError>>> = Vec::new();
        answers.resize_with(jobs.len(), || None);
        if together.len() > 1 {
            let chosen: Vec<&Job> = together.iter().map(|index| jobs[*index]).collect();
            match self.infer_together(&chosen) {
                Ok(of_batch) => {
                    for (index, answer) in together.into_iter().zip(of_batch) {
                        answers[index] = Some(answer);
                    }
                }
                Err(error) => tracing::debug!("a batch is computed one by one: {error}"),
            }
        }
        let each = answers.into_iter().zip(jobs);
        each.map(|(answer, job)| answer.unwrap_or_else(|| self.infer(job))).collect()
    }

    fn infer_together(
        &self,
        jobs: &[&Job],
    ) -> Result<Vec<Result<Answer, RequestError>>, RequestError> {
        let begin = Instant::now();
        let items = jobs.iter().map(|job| {
            Ok(BatchItem { input: self.input(job)?, state: self.state(job), seed: job.seed })
        });
        let items = items.collect::<Result<Vec<_>, RequestError>>()?;
        let computed = self.policy.infer_batch(&items).map_err(failed)?;
        let answers = jobs.iter().zip(&computed).map(|(job, computed)| {
            let image = || self.policy.imagine_batch(computed);
            self.answer(job, &computed.chunk, image, begin)
        });
        Ok(answers.collect())
    }

    fn input(&self, job: &Job) -> Result<PolicyInput, RequestError> {
        let policy = &self.policy;
        let prepare = |image: &Option<RgbImage>| {
            image.as_ref().map(|image| policy.prepare_camera(image)).transpose()
        };
        let cameras: Result<Vec<_>, _> = job.cameras.iter().map(prepare).collect();
        let prompt = policy.encode_prompt(&job.prompt).map_err(failed)?;
        let history: Result<Vec<_>, _> =
            self.frames(job).iter().map(|frame| frame.encoded(policy)).collect();
        let (cameras, history) = (cameras.map_err(failed)?, history.map_err(failed)?);
        Ok(PolicyInput { cameras, prompt, history })
    }

    /// The history, for a network that has one.
    fn frames<'a>(&self, job: &'a Job) -> &'a [Frame] {
        if self.foresees() { &job.history } else { &[] }
    }

    /// The state, normalised.
    fn state(&self, job: &Job) -> Vec<f32> {
        let mut state = job.state.clone();
        self.state.normalise(&mut state);
        state.iter().map(|value| *value as f32).collect()
    }

    fn answer(
        &self,
        job: &Job,
        chunk: &[Vec<f32>],
        image: impl FnOnce() -> Result<RgbImage, f1_model::Error>,
        begin: Instant,
    ) -> Result<Answer, RequestError> {
        let actions = chunk.iter().map(|row| self.raw(row)).collect();
        let (mut foreseen, mut view) = (None, None);
        if let (true, Some(newest)) = (job.foresight, self.frames(job).last()) {
            foreseen = Some(image().map_err(failed)?);
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

fn failed(error: f1_model::Error) -> RequestError {
    RequestError::Inference(error.to_string())
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
