//! Actions and the foresight image of a prefix.

use std::sync::Arc;

use candle_core::Tensor;
use image::RgbImage;

use super::types::{ActRequest, Prefix};
use super::{F1Policy, HistoryFrame, of_stage};
use crate::experts::KvCache;
use crate::flow::RtcGuidance;
use crate::recorder::Recorder;
use crate::{Error, Result, image_prep};

impl F1Policy {
    /// A chunk of actions, `[chunk][max_action_dim]`, normalised.
    ///
    /// The state may be shorter than `max_state_dim`; it is padded with zeros. The same prefix,
    /// state and request give the same chunk.
    ///
    /// # Errors
    /// A state or guidance of the wrong size, or given or computed values that are not finite.
    pub fn act(
        &self,
        prefix: &Prefix,
        state: &[f32],
        request: &ActRequest,
    ) -> Result<Vec<Vec<f32>>> {
        let noise = self.noise(request.seed);
        self.act_from(prefix, state, &noise, request.guidance.as_ref())
    }

    /// As [`F1Policy::act`] from given noise, `chunk * max_action_dim` values.
    ///
    /// # Errors
    /// See [`F1Policy::act`].
    pub fn act_from(
        &self,
        prefix: &Prefix,
        state: &[f32],
        noise: &[f32],
        guidance: Option<&RtcGuidance>,
    ) -> Result<Vec<Vec<f32>>> {
        let config = self.config();
        let (chunk, width) = (config.chunk_size, config.max_action_dim);
        let device = self.network.device();
        if state.len() > config.max_state_dim {
            return Err(Error::input(format!(
                "a state of {} values, the model takes {}",
                state.len(),
                config.max_state_dim
            )));
        }
        if state.iter().any(|value| !value.is_finite()) {
            return Err(Error::input("the state holds a value that is not finite"));
        }
        let mut padded = state.to_vec();
        padded.resize(config.max_state_dim, 0.0);
        let stage = self.stages.flow.lock();
        let lock = self.read_lock();
        let state = Tensor::from_vec(padded, (1, config.max_state_dim), device)?;
        let noise = Tensor::from_slice(noise, (1, chunk, width), device)?;
        let guidance =
            guidance.map(|guidance| guidance.tensors(chunk, width, device)).transpose()?;
        let cache = prefix.state.cache.with_capacity_for(1 + chunk)?;
        let block =
            cache.block().cloned().ok_or_else(|| Error::input("a cache without free capacity"))?;
        drop(cache);
        let mut inputs = vec![block, state, noise];
        inputs.extend(guidance.into_iter().flat_map(|(previous, weights)| [previous, weights]));
        let (network, after) = (Arc::clone(&self.network), prefix.state.clone());
        // The same number of keys may lie at other positions: without foresight.
        let following = after.following;
        let (outputs, _lock) = stage.compute(
            device,
            inputs,
            &[following],
            lock,
            move |inputs| -> Result<Vec<Tensor>> {
                let cache = KvCache::of_block(inputs[0].clone(), after.cache.len())?;
                let guidance = inputs.get(3).cloned().zip(inputs.get(4).cloned());
                let (state, noise, off) = (&inputs[1], &inputs[2], &mut Recorder::off());
                Ok(vec![network.act_after(&after, &cache, state, noise, guidance.as_ref(), off)?])
            },
        )?;
        let [actions] = of_stage(outputs)?;
        let actions: Vec<Vec<f32>> = actions.squeeze(0)?.to_vec2()?;
        if actions.iter().flatten().any(|value| !value.is_finite()) {
            return Err(Error::input("the network computed an action that is not finite"));
        }
        Ok(actions)
    }

    /// The image that a history frame's code map stands for: what the foresight image can be at
    /// best.
    ///
    /// # Errors
    /// The model has no generation expert.
    pub fn reconstruct(&self, frame: &HistoryFrame) -> Result<RgbImage> {
        let tokenizer = &self.network.foresight()?.tokenizer;
        let _lock = self.read_lock();
        let quantizer = tokenizer.quantizer();
        let map = match frame.features()? {
            Some(features) => quantizer.map_of_vectors(&features)?,
            None => {
                let tokens = Tensor::new(frame.tokens(), self.network.device())?.unsqueeze(0)?;
                quantizer.accumulate(&tokens, quantizer.scales().len())?
            }
        };
        image_prep::to_image(&tokenizer.decode(&map)?.squeeze(0)?)
    }

    /// The foresight image.
    ///
    /// # Errors
    /// The model has no generation expert.
    pub fn imagine(&self, prefix: &Prefix) -> Result<RgbImage> {
        let (Some(foreseen), Some((painter, device))) = (&prefix.foreseen, &self.painter) else {
            return Err(Error::input(
                "this model has no generation expert: there is no foresight image",
            ));
        };
        let stage = self.stages.foresight.lock();
        let lock = self.read_lock();
        let inputs = vec![foreseen.to_device(device)?];
        let painter = Arc::clone(painter);
        let (outputs, _lock) =
            stage.compute(device, inputs, &[], lock, move |inputs| -> Result<Vec<Tensor>> {
                Ok(vec![painter.decode(&inputs[0])?.squeeze(0)?])
            })?;
        let [image] = of_stage(outputs)?;
        image_prep::to_image(&image)
    }
}
