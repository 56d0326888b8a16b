//! Preparing an observation: camera images, history frames, the instruction.

use std::sync::Arc;

use candle_core::Tensor;
use f1_kernels::stream::OnDevice;
use image::RgbImage;

use super::types::{CameraInput, Embedded, FrameInput, HistoryFrame, PolicyInput};
use super::{F1Policy, of_stage};
use crate::prompt::Prompt;
use crate::recorder::Recorder;
use crate::{Error, Result};

impl F1Policy {
    /// Fits a camera image for the understanding expert.
    ///
    /// # Errors
    /// An image without pixels.
    pub fn prepare_camera(&self, image: &RgbImage) -> Result<CameraInput> {
        let [width, height] = self.config().image_fit;
        let _lock = self.read_lock();
        let tensor = self.images.camera(image, [width, height], self.network.device())?;
        Ok(CameraInput { tensor: OnDevice::new(tensor) })
    }

    /// Encodes a history frame. Call it once for each frame, when it arrives.
    ///
    /// # Errors
    /// An image without pixels, or a model without a generation expert.
    pub fn encode_frame(&self, image: &RgbImage) -> Result<HistoryFrame> {
        let [frame] = of_stage(self.encode_prepared(&[self.prepare_frame(image)?])?)?;
        Ok(frame)
    }

    /// Shrinks and crops a history frame for [`F1Policy::encode_prepared`].
    ///
    /// # Errors
    /// An image without pixels, or a model without a generation expert.
    pub fn prepare_frame(&self, image: &RgbImage) -> Result<FrameInput> {
        let side = self.network.foresight()?.config.frame_side();
        let _lock = self.read_lock();
        let ratio = self.config().run.crop_ratio;
        let tensor = self.images.frame(image, side, ratio, self.network.device())?;
        Ok(FrameInput { tensor: OnDevice::new(tensor) })
    }

    /// As [`F1Policy::encode_frame`] for frames of [`F1Policy::prepare_frame`]: in one batch on a
    /// GPU, one by one on a CPU.
    ///
    /// # Errors
    /// A frame of another model, or a model without a generation expert.
    pub fn encode_prepared(&self, frames: &[FrameInput]) -> Result<Vec<HistoryFrame>> {
        let at_once = if self.network.device().is_cuda() { frames.len().max(1) } else { 1 };
        let encoded = frames.chunks(at_once).map(|frames| self.encode_batch(frames));
        Ok(encoded.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn encode_batch(&self, frames: &[FrameInput]) -> Result<Vec<HistoryFrame>> {
        let stage = self.stages.frame.lock();
        let lock = self.read_lock();
        let pixels: Vec<&Tensor> = frames.iter().map(FrameInput::tensor).collect();
        let inputs = vec![Tensor::stack(&pixels, 0)?];
        let network = Arc::clone(&self.network);
        let (outputs, _lock) = stage.compute(
            self.network.device(),
            inputs,
            &[],
            lock,
            move |inputs| -> Result<Vec<Tensor>> {
                let (tokens, vectors) = network.encode_frames(&inputs[0])?;
                Ok(vec![tokens, vectors])
            },
        )?;
        let [tokens, vectors] = of_stage(outputs)?;
        let generation = &self.network.foresight()?.config;
        let features = if generation.continuous_map { generation.full_map_tokens() } else { 0 };
        let frame = |(index, tokens): (usize, Vec<u32>)| -> Result<HistoryFrame> {
            Ok(HistoryFrame {
                tokens: Arc::new(tokens),
                vectors: OnDevice::new(vectors.get(index)?),
                features,
            })
        };
        tokens.to_vec2()?.into_iter().enumerate().map(frame).collect()
    }

    /// Turns an instruction into tokens. Call it once for each instruction.
    ///
    /// # Errors
    /// No `tokenizer.json` was found beside the weights, or it fails.
    pub fn encode_prompt(&self, text: &str) -> Result<Prompt> {
        self.prompts
            .as_ref()
            .ok_or_else(|| {
                Error::Prompt(
                    "tokenizer.json is missing: the weights do not carry the language tokenizer; copy tokenizer.json \
                     of google/paligemma-3b-pt-224 beside them"
                        .to_string(),
                )
            })?
            .encode(text)
    }

    /// The understanding tokens of one observation: those of the present cameras, then those of the
    /// prompt, without padding.
    ///
    /// # Errors
    /// More cameras than the model takes, or nothing at all.
    pub fn embed(&self, input: &PolicyInput) -> Result<Embedded> {
        let stage = self.stages.images.lock();
        let mut lock = self.read_lock();
        let mut parts = Vec::new();
        let cameras: Vec<&Tensor> =
            input.cameras.iter().flatten().map(CameraInput::tensor).collect();
        if !cameras.is_empty() {
            let images = Tensor::stack(&cameras, 0)?;
            let network = Arc::clone(&self.network);
            let (outputs, still) = stage.compute(
                self.network.device(),
                vec![images],
                &[],
                lock,
                move |inputs| -> Result<Vec<Tensor>> {
                    let tokens = network.embed_images(&inputs[0], &mut Recorder::off())?;
                    let (count, each, width) = tokens.dims3()?;
                    Ok(vec![tokens.reshape((1, count * each, width))?])
                },
            )?;
            lock = still;
            parts.extend(outputs);
        }
        if !input.prompt.ids().is_empty() {
            let ids = Tensor::new(input.prompt.ids(), self.network.device())?.unsqueeze(0)?;
            parts.push(self.network.embed_prompt(&ids)?);
        }
        if parts.is_empty() {
            return Err(Error::input("an observation without camera and prompt"));
        }
        let tokens = OnDevice::new(Tensor::cat(&parts, 1)?);
        // Tensors are freed under the lock.
        drop((parts, lock));
        Ok(Embedded { tokens })
    }
}
