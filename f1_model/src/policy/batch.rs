//! Several observations at once: what a server computes for its waiting clients.

use candle_core::Tensor;
use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::F1Policy;
use super::types::{CameraInput, PolicyInput};
use crate::padding::Padding;
use crate::recorder::Recorder;
use crate::sampling::TokenSource;
use crate::{Error, Result, image_prep};

/// One of several observations.
#[derive(Clone)]
pub struct BatchItem {
    /// The observation.
    pub input: PolicyInput,
    /// The state, normalised, at most `max_state_dim` numbers.
    pub state: Vec<f32>,
    /// Seed of its tokens and its noise.
    pub seed: u64,
}

/// What came of one of several observations.
pub struct BatchAnswer {
    /// `[chunk][max_action_dim]`, normalised.
    pub chunk: Vec<Vec<f32>>,
    /// Foresight of a model that foresees.
    foreseen: Option<Tensor>,
}

impl F1Policy {
    /// Chunks for several observations, each as [`F1Policy::perceive`] and [`F1Policy::act`] give
    /// it alone, but for rounding: observations with fewer tokens are padded, and sums have another
    /// order. Each observation draws from its own seed.
    ///
    /// # Errors
    /// What the network refuses in any of them; the caller asks again for each alone.
    pub fn infer_batch(&self, items: &[BatchItem]) -> Result<Vec<BatchAnswer>> {
        let (config, device) = (self.config(), self.network.device());
        let off = &mut Recorder::off();
        let _lock = self.read_lock();
        let (understanding, padding) = self.embed_batch(items)?;
        let history = if self.network.has_foresight() {
            let each = items.iter().map(|item| self.history(&item.input.history));
            Some(Tensor::cat(&each.collect::<Result<Vec<_>>>()?, 0)?)
        } else {
            None
        };
        let run = &config.run;
        let sources = items.iter().map(|item| TokenSource::new(run.top_k, run.top_p, item.seed));
        let mut source = TokenSource::Each(sources.collect());
        let prefix =
            self.network.perceive(&understanding, &padding, history.as_ref(), &mut source, off)?;
        let (chunk, width) = (config.chunk_size, config.max_action_dim);
        let (mut states, mut noise) = (Vec::new(), Vec::new());
        for item in items {
            if item.state.len() > config.max_state_dim {
                return Err(Error::input(format!(
                    "a state of {} values, the model takes {}",
                    item.state.len(),
                    config.max_state_dim
                )));
            }
            if item.state.iter().any(|value| !value.is_finite()) {
                return Err(Error::input("the state holds a value that is not finite"));
            }
            states.extend_from_slice(&item.state);
            states.resize(states.len() + config.max_state_dim - item.state.len(), 0.0);
            noise.extend(self.noise(item.seed));
        }
        let states = Tensor::from_vec(states, (items.len(), config.max_state_dim), device)?;
        let noise = Tensor::from_vec(noise, (items.len(), chunk, width), device)?;
        let actions = self.network.act(&prefix, &states, &noise, None, off)?;
        let actions: Vec<Vec<Vec<f32>>> = actions.to_vec3()?;
        if actions.iter().flatten().flatten().any(|value| !value.is_finite()) {
            return Err(Error::input("the network computed an action that is not finite"));
        }
        let foreseen = prefix.f_hat.as_ref();
        let answers = actions.into_iter().enumerate().map(|(index, chunk)| {
            let foreseen = foreseen.map(|maps| maps.narrow(0, index, 1)?.contiguous());
            Ok(BatchAnswer { chunk, foreseen: foreseen.transpose()? })
        });
        answers.collect()
    }

    /// The foresight image of one of several observations.
    ///
    /// # Errors
    /// The model has no generation expert.
    pub fn imagine_batch(&self, answer: &BatchAnswer) -> Result<RgbImage> {
        let (Some(foreseen), Some((painter, device))) = (&answer.foreseen, &self.painter) else {
            return Err(Error::input("this model foresees nothing"));
        };
        let _lock = self.read_lock();
        let image = painter.decode(&foreseen.to_device(device)?)?.squeeze(0)?;
        image_prep::to_image(&image)
    }

    /// The noise that a chunk begins with, `chunk * max_action_dim` numbers.
    pub(super) fn noise(&self, seed: u64) -> Vec<f32> {
        let config = self.config();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let scale = config.run.noise_scale as f32;
        let count = config.chunk_size * config.max_action_dim;
        (0..count).map(|_| scale * random.sample::<f32, _>(StandardNormal)).collect()
    }

    /// Understanding tokens `[batch, longest, width]`, short observations padded at their end.
    fn embed_batch(&self, items: &[BatchItem]) -> Result<(Tensor, Padding)> {
        let device = self.network.device();
        let cameras = |item: &BatchItem| item.input.cameras.iter().flatten().count();
        let images = items.iter().flat_map(|item| item.input.cameras.iter().flatten());
        let images: Vec<&Tensor> = images.map(CameraInput::tensor).collect();
        let images = if images.is_empty() {
            None
        } else {
            let images = Tensor::stack(&images, 0)?;
            Some(self.network.embed_images(&images, &mut Recorder::off())?)
        };
        let (mut rows, mut first) = (Vec::with_capacity(items.len()), 0);
        for item in items {
            let mut parts = Vec::new();
            let count = cameras(item);
            if let Some(images) = images.as_ref().filter(|_| count > 0) {
                let own = images.narrow(0, first, count)?;
                let (_, each, width) = own.dims3()?;
                parts.push(own.reshape((1, count * each, width))?);
                first += count;
            }
            let ids = item.input.prompt.ids();
            if !ids.is_empty() {
                parts.push(self.network.embed_prompt(&Tensor::new(ids, device)?.unsqueeze(0)?)?);
            }
            if parts.is_empty() {
                return Err(Error::input("an observation without camera and prompt"));
            }
            rows.push(Tensor::cat(&parts, 1)?);
        }
        let lengths = rows.iter().map(|row| row.dim(1)).collect::<candle_core::Result<Vec<_>>>()?;
        let longest = lengths.iter().copied().max().unwrap_or(0);
        for (row, length) in rows.iter_mut().zip(&lengths) {
            if *length < longest {
                *row = row.pad_with_zeros(1, 0, longest - length)?;
            }
        }
        let valid = |length: &usize| (0..longest).map(|token| token < *length).collect();
        let padding = Padding::new(lengths.iter().map(valid).collect())?;
        Ok((Tensor::cat(&rows, 0)?, padding))
    }
}
