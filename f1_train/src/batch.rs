//! From drawn samples to the network's batches.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use f1_data::augment::Augmentation;
use f1_data::loader::{RawSample, Reader};
use f1_data::mixture::Drawn;
use f1_model::image_prep::Shrink;
use f1_model::training::{Batch, FlowDraw, FrameTokens};
use f1_model::{Config, PromptEncoder, check_tasks, image_prep};
use f1_robot::statistics::Normaliser;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::tokens::TokenCache;
use crate::{Result, TrainError};

/// Random streams of a sample, so that one more draw in one place changes nothing in another.
#[derive(Clone, Copy)]
enum Stream {
    Augmentation = 1,
    Crop = 2,
    Flow = 3,
    Hidden = 4,
}

/// The generator of one stream of one sample: depends on the run's seed and the sample's number
/// alone, which is why a resumed run draws the same numbers.
fn random(seed: u64, drawn: Drawn, stream: Stream) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(drawn.number.wrapping_mul(8).wrapping_add(stream as u64));
    random
}

/// Cameras that the understanding expert sees: those of the data, and the past frames of the
/// history where the model wants them.
#[must_use]
pub fn understanding_cameras(config: &Config, of_data: usize) -> usize {
    let past = config.run.history_frames.saturating_sub(1);
    of_data + if config.run.history_in_understanding { past } else { 0 }
}

/// A time of the flow from a uniform number: Beta(1.5, 1) by inversion, as the reference scales it.
fn flow_time(uniform: f32) -> f32 {
    0.999 * uniform.powf(1.0 / 1.5) + 0.001
}

/// Turns drawn samples into network input, on the loader's threads.
#[derive(Debug)]
pub struct Preparer {
    /// The data.
    pub reader: Reader,
    /// Normalisers of state and action, one pair a source.
    pub normalisers: Vec<(Normaliser, Normaliser)>,
    /// Ids of every instruction.
    pub prompts: HashMap<String, Arc<Vec<u32>>>,
    /// Frame tokens, when they are kept.
    pub tokens: Option<TokenCache>,
    /// Sizes and crops.
    pub config: Config,
    /// Random crop of the history frames.
    pub random_crop: bool,
    /// Augmentation of the camera images.
    pub augmentation: Option<Augmentation>,
    /// Seed of the run.
    pub seed: u64,
    /// Draws of noise and time for each sample, at least one.
    pub flow_draws: usize,
    /// Cameras of the widest source.
    pub cameras: usize,
    /// Whether camera images are wanted (not by the tokenizer).
    pub wants_cameras: bool,
}

/// History frames of a sample.
#[derive(Debug)]
pub enum Frames {
    /// Token ids, `[frame][token]`, and features, `[frame][number]`, where the model's map is
    /// continuous.
    Tokens(Vec<(Vec<u32>, Vec<f32>)>),
    /// Pixels `[frames, 3, side, side]` in [-1, 1].
    Pixels(Tensor),
    /// The model does not foresee.
    None,
}

/// One sample as the network takes it.
#[derive(Debug)]
pub struct Prepared {
    /// Where it comes from.
    pub drawn: Drawn,
    /// `[3, height, width]` each, in [-1, 1].
    pub cameras: Vec<Tensor>,
    /// History, then target.
    pub frames: Frames,
    /// Prompt ids.
    pub prompt: Arc<Vec<u32>>,
    /// Normalised, padded.
    pub state: Vec<f32>,
    /// `[chunk * max_action_dim]`, normalised, padded.
    pub actions: Vec<f32>,
    /// Steps past the end.
    pub padded: Vec<bool>,
    /// Noise of the flow, like `actions`.
    pub noise: Vec<f32>,
    /// Time of the flow.
    pub time: f32,
    /// Further draws of noise and time.
    pub more_draws: Vec<(Vec<f32>, f32)>,
    /// Uniform numbers that decide what is hidden: of the sample, then of each token (stage I).
    pub hiding: (f32, Vec<f32>),
}

impl Preparer {
    /// Prepares one sample.
    ///
    /// # Errors
    /// When its episode or images cannot be read; the message names them.
    pub fn prepare(&self, drawn: Drawn) -> Result<Prepared> {
        let raw = self.reader.sample(drawn)?;
        let source = &self.reader.sources()[drawn.source];
        let place = |what: &str| {
            format!(
                "{}: episode {}, frame {}, {what}",
                source.dataset.root().display(),
                drawn.episode,
                drawn.frame
            )
        };
        let broken = |what: &str, fault: &dyn std::fmt::Display| {
            TrainError::Stopped(format!(
                "{}: {fault}; leave the episode out with `skip_episodes: [{}]`",
                place(what),
                drawn.episode
            ))
        };
        let mut cameras = Vec::new();
        if self.wants_cameras {
            let [width, height] = self.config.image_fit;
            let mut numbers = random(self.seed, drawn, Stream::Augmentation);
            for (name, image) in source.columns.cameras.iter().zip(&raw.cameras) {
                let mut image = image.decode().map_err(|fault| broken(name, &fault))?;
                if let Some(augmentation) = &self.augmentation {
                    image = augmentation.apply(image, &mut numbers);
                }
                cameras.push(image_prep::prepare_camera(&image, width, height, &Device::Cpu)?);
            }
            if self.config.run.history_in_understanding {
                let past = self.config.run.history_frames.saturating_sub(1);
                for image in raw.history.iter().take(past) {
                    let image = image.decode().map_err(|fault| broken("history", &fault))?;
                    cameras.push(image_prep::prepare_camera(&image, width, height, &Device::Cpu)?);
                }
            }
        }
        let frames = self.frames(&raw).map_err(|fault| broken("history", &fault))?;
        let prompt = self.prompts.get(&raw.task).cloned().unwrap_or_default();
        let (state, actions) = self.vectors(&raw)?;
        let mut numbers = random(self.seed, drawn, Stream::Flow);
        let draw = |numbers: &mut ChaCha8Rng| -> Vec<f32> {
            (0..actions.len()).map(|_| numbers.sample(StandardNormal)).collect()
        };
        let noise = draw(&mut numbers);
        let place: f32 = numbers.random();
        let time = flow_time(place);
        // The times of one sample's draws are spread evenly over the distribution.
        let more_draws = (1..self.flow_draws)
            .map(|k| {
                (draw(&mut numbers), flow_time((place + k as f32 / self.flow_draws as f32).fract()))
            })
            .collect();
        let mut numbers = random(self.seed, drawn, Stream::Hidden);
        let tokens =
            self.config.generation.as_ref().map_or(0, |generation| generation.total_tokens() - 1);
        let hiding = (numbers.random(), (0..tokens).map(|_| numbers.random()).collect());
        Ok(Prepared {
            drawn,
            cameras,
            frames,
            prompt,
            state,
            actions,
            padded: raw.padded,
            noise,
            time,
            more_draws,
            hiding,
        })
    }

    fn frames(&self, raw: &RawSample) -> Result<Frames> {
        let Some(side) = self.config.frame_side() else { return Ok(Frames::None) };
        if let Some(cache) = &self.tokens {
            let of_frame = |frame: &usize| cache.get(raw.drawn.source, raw.drawn.episode, *frame);
            return Ok(Frames::Tokens(
                raw.history_frames.iter().map(of_frame).collect::<Result<_>>()?,
            ));
        }
        let ratio = self.config.run.crop_ratio;
        let mut numbers = random(self.seed, raw.drawn, Stream::Crop);
        let place: (f64, f64) = (numbers.random(), numbers.random());
        let mut frames = Vec::with_capacity(raw.history.len());
        let mut shrink: Option<Shrink> = None;
        for image in &raw.history {
            let image = image.decode().map_err(|fault| TrainError::Stopped(fault.to_string()))?;
            let shrink = match &mut shrink {
                Some(shrink) => shrink,
                None => {
                    let (width, height) =
                        image_prep::frame_size(image.width(), image.height(), side, ratio);
                    // The same place for all frames of a sample, or things would jump between them.
                    let at = |share: f64, length: u32| match self.random_crop {
                        true => (share * f64::from(length + 1 - side as u32)) as u32,
                        false => image_prep::centre(length, side),
                    };
                    let window = image_prep::square(side, at(place.0, width), at(place.1, height));
                    shrink.insert(Shrink::new(image.dimensions(), (width, height), window)?)
                }
            };
            frames.push(shrink.apply(&image)?);
        }
        Ok(Frames::Pixels(image_prep::frames_tensor(&frames, &Device::Cpu)?))
    }

    fn vectors(&self, raw: &RawSample) -> Result<(Vec<f32>, Vec<f32>)> {
        let (of_state, of_action) = &self.normalisers[raw.drawn.source];
        let fit =
            |normaliser: &Normaliser, row: &[f32], width: usize, name: &str| -> Result<Vec<f32>> {
                if row.len() > width {
                    return Err(TrainError::Stopped(format!(
                        "{name} has {} dimensions, the model takes {width}",
                        row.len()
                    )));
                }
                let mut row: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
                normaliser.normalise(&mut row);
                row.resize(width, 0.0);
                Ok(row.into_iter().map(|value| value as f32).collect())
            };
        let state = fit(of_state, &raw.state, self.config.max_state_dim, "state")?;
        let mut actions = Vec::with_capacity(raw.actions.len() * self.config.max_action_dim);
        for row in &raw.actions {
            actions.extend(fit(of_action, row, self.config.max_action_dim, "action")?);
        }
        Ok((state, actions))
    }

    /// Joins samples into a batch on `device`; `tokenize` encodes frames whose tokens are not kept.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn collate(
        &self,
        samples: &[Prepared],
        device: &Device,
        tokenize: impl Fn(&Tensor) -> Result<FrameTokens>,
    ) -> Result<Batch> {
        let [width, height] = self.config.image_fit;
        let (mut images, mut image_valid) = (Vec::new(), Vec::new());
        if self.wants_cameras {
            let empty = Tensor::zeros((3, height, width), candle_core::DType::F32, &Device::Cpu)?;
            for camera in 0..self.cameras {
                let of_camera: Vec<&Tensor> = samples
                    .iter()
                    .map(|sample| sample.cameras.get(camera).unwrap_or(&empty))
                    .collect();
                images.push(Tensor::stack(&of_camera, 0)?.to_device(device)?);
                image_valid
                    .push(samples.iter().map(|sample| camera < sample.cameras.len()).collect());
            }
        }
        let count = samples.len();
        // Padding beyond the longest prompt of the batch would be masked everywhere: leave it out.
        let longest = samples.iter().map(|sample| sample.prompt.len()).max().unwrap_or(0).max(1);
        let (mut ids, mut prompt_valid) = (Vec::new(), Vec::new());
        for sample in samples {
            let given = sample.prompt.len();
            ids.extend(
                sample.prompt.iter().copied().chain(std::iter::repeat_n(0, longest - given)),
            );
            prompt_valid.push((0..longest).map(|place| place < given).collect());
        }
        let (chunk, wide) = (self.config.chunk_size, self.config.max_action_dim);
        let flat = |pick: fn(&Prepared) -> &Vec<f32>| -> Vec<f32> {
            samples.iter().flat_map(pick).copied().collect()
        };
        let more_draws = (0..samples.first().map_or(0, |sample| sample.more_draws.len()))
            .map(|draw| {
                let of =
                    |sample: &Prepared| sample.more_draws.get(draw).cloned().unwrap_or_default();
                let (noise, time): (Vec<Vec<f32>>, Vec<f32>) = samples.iter().map(of).unzip();
                Ok(FlowDraw {
                    noise: Tensor::from_vec(noise.concat(), (count, chunk, wide), device)?,
                    time,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Batch {
            images,
            image_valid,
            prompt: Tensor::from_vec(ids, (count, longest), device)?,
            prompt_valid,
            frame_tokens: self.frame_tokens(samples, device, tokenize)?,
            state: Tensor::from_vec(
                flat(|sample| &sample.state),
                (count, self.config.max_state_dim),
                device,
            )?,
            actions: Tensor::from_vec(
                flat(|sample| &sample.actions),
                (count, chunk, wide),
                device,
            )?,
            action_is_pad: samples.iter().map(|sample| sample.padded.clone()).collect(),
            noise: Tensor::from_vec(flat(|sample| &sample.noise), (count, chunk, wide), device)?,
            time: samples.iter().map(|sample| sample.time).collect(),
            more_draws,
        })
    }

    fn frame_tokens(
        &self,
        samples: &[Prepared],
        device: &Device,
        tokenize: impl Fn(&Tensor) -> Result<FrameTokens>,
    ) -> Result<Option<FrameTokens>> {
        let (mut tokens, mut pixels) = (Vec::new(), Vec::new());
        for sample in samples {
            match &sample.frames {
                Frames::Tokens(ids) => tokens.push(ids),
                Frames::Pixels(tensor) => pixels.push(tensor),
                Frames::None => return Ok(None),
            }
        }
        if !pixels.is_empty() {
            return Ok(Some(tokenize(&Tensor::stack(&pixels, 0)?.to_device(device)?)?));
        }
        let frames = tokens.first().map_or(0, |frames| frames.len());
        let all = || tokens.iter().flat_map(|frames| frames.iter());
        let length = all().next().map_or(0, |(ids, _)| ids.len());
        let flat: Vec<u32> = all().flat_map(|(ids, _)| ids).copied().collect();
        let ids = Tensor::from_vec(flat, (samples.len(), frames, length), device)?;
        let features = match &self.config.generation {
            Some(generation) if generation.continuous_map => {
                let codes = generation.tokenizer.z_channels;
                let shape = (samples.len(), frames, generation.last_side().pow(2), codes);
                let flat: Vec<f32> = all().flat_map(|(_, features)| features).copied().collect();
                Some(Tensor::from_vec(flat, shape, device)?)
            }
            _ => None,
        };
        Ok(Some(FrameTokens { ids, features }))
    }
}

/// Encodes every instruction of the data sets once. What is lost of long ones is logged.
///
/// # Errors
/// When two instructions of one data set become equal, or the encoder fails.
pub fn encode_prompts(
    reader: &Reader,
    encoder: &PromptEncoder,
) -> Result<HashMap<String, Arc<Vec<u32>>>> {
    let mut prompts = HashMap::new();
    for source in reader.sources() {
        let tasks = source.dataset.tasks().iter().map(|task| source.task(task));
        let checked = check_tasks(encoder, tasks)
            .map_err(|fault| TrainError::Stopped(format!("`{}`: {fault}", source.name)))?;
        for warning in &checked.warnings {
            tracing::warn!("`{}`: {warning}", source.name);
        }
        for (task, prompt) in checked.prompts {
            prompts.entry(task).or_insert_with(|| Arc::new(prompt.ids().to_vec()));
        }
    }
    Ok(prompts)
}
