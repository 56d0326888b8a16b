//! The losses of the three stages, on batches, differentiable.

mod frames;

pub use frames::FrameTokens;

use candle_core::{D, DType, Tensor};

use crate::experts::{KvCache, Role, RopeTable, Stream, Wanted};
use crate::network::{F1Network, PrefixState};
use crate::padding::Padding;
use crate::recorder::Recorder;
use crate::sampling::TokenSource;
use crate::{Error, Result};

/// How element losses become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LossReduction {
    /// Padded chunk steps are left out of the action loss; padded dimensions stay in.
    #[default]
    MaskPadded,
    /// As the reference: padded steps count as zeros in the mean.
    Released,
}

/// One batch, on the network's device.
pub struct Batch {
    /// One camera each: `[batch, 3, side, side]` in [-1, 1], prepared as
    /// [`crate::image_prep::prepare_camera`] does.
    pub images: Vec<Tensor>,
    /// For each camera, which samples have it.
    pub image_valid: Vec<Vec<bool>>,
    /// Prompt ids `[batch, tokens]` in u32, padded right with anything within the vocabulary.
    pub prompt: Tensor,
    /// Valid prompt tokens of each sample.
    pub prompt_valid: Vec<Vec<bool>>,
    /// The history, oldest first, then the target frame; none in the pi0 layout. See
    /// [`F1Network::tokenize`]: the tokenizer is frozen, so a data set's tokens can be kept.
    pub frame_tokens: Option<FrameTokens>,
    /// `[batch, max_state_dim]`, normalised, padded with zeros.
    pub state: Tensor,
    /// `[batch, chunk, max_action_dim]`, normalised, padded with zeros.
    pub actions: Tensor,
    /// Chunk steps past the episode's end.
    pub action_is_pad: Vec<Vec<bool>>,
    /// Noise of the flow, like `actions`.
    pub noise: Tensor,
    /// Time of the flow, one a sample, within (0, 1].
    pub time: Vec<f32>,
    /// Further draws of noise and time for the same observations. The prefix, which is most of the
    /// work, is computed once for all draws, and the action loss is their mean: a steadier
    /// gradient for little.
    pub more_draws: Vec<FlowDraw>,
}

/// One draw of the flow for every sample of a batch.
pub struct FlowDraw {
    /// `[batch, chunk, max_action_dim]`.
    pub noise: Tensor,
    /// Within (0, 1], one a sample.
    pub time: Vec<f32>,
}

impl Batch {
    /// Samples.
    pub fn len(&self) -> usize {
        self.action_is_pad.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a training step needs to know.
pub struct LossOutput {
    /// What is minimised, a scalar.
    pub loss: Tensor,
    /// Mean cross entropy of the foresight tokens.
    pub generation_loss: Option<Tensor>,
    /// Mean squared velocity error.
    pub action_loss: Option<Tensor>,
    /// Logits `[batch, tokens, vocabulary]` of the scales predicted.
    pub logits: Option<Tensor>,
    /// True ids `[batch, tokens]` in u32.
    pub targets: Option<Tensor>,
    /// Cross entropy of each token `[batch, tokens]`.
    pub token_losses: Option<Tensor>,
    /// Share of tokens whose likeliest id is the true one: teacher forced in stage I, on own
    /// tokens after it.
    pub token_accuracy: Option<f64>,
    /// The same over the last `num_resolutions^2` tokens, as the reference reports it.
    pub tail_accuracy: Option<f64>,
    /// Stage I with `map_weight`: squared error of the foreseen map, in units of the maps'
    /// variance.
    pub map_error: Option<f64>,
    /// Velocity `[batch, chunk, max_action_dim]`.
    pub velocity: Option<Tensor>,
    /// Squared velocity error of each element, before any mask.
    pub action_losses: Option<Tensor>,
}

/// Settings of stage I's loss; the default is the reference's.
#[derive(Default)]
pub struct Stage1Settings {
    /// `[batch, L - 1]` in u8 marks target-input tokens replaced by the mask vector.
    pub hidden: Option<Tensor>,
    /// Noise on the target's coarse tokens, see [`crate::tokenizer::Quantizer::disturbed`]: the
    /// model learns to make good at a finer scale what went wrong at a coarser one. Samples
    /// without any noise keep their frame's own tokens.
    pub disturbance: Option<Tensor>,
    /// Further weight of tokens that are not those of the newest frame.
    pub change_weight: f64,
    /// Weight of the squared error of the expected map, in units of the maps' variance.
    pub map_weight: f64,
}

/// Training targets from one frame.
struct Target {
    /// Vectors that enter the transformer, `[batch, L - 1, codes]`.
    vectors: Tensor,
    /// Tokens to be foreseen, `[batch, L]` in u32.
    ids: Tensor,
    /// Tokens of the newest frame, `[batch, L]` in u32.
    newest: Tensor,
    /// The whole code map `[batch, codes, side, side]`.
    map: Tensor,
}

/// Settings of the joint loss.
pub struct JointSettings {
    /// Weight of the foresight loss.
    pub generation_weight: f64,
    /// How the action loss is averaged.
    pub reduction: LossReduction,
    /// Where the tokens that condition the next scale come from.
    pub source: TokenSource,
    /// Whether the foresight loss is wanted at all (no target frame otherwise).
    pub foresight_loss: bool,
    /// Samples whose foresight the action expert does not see: it learns to act without.
    pub hidden_foresight: Option<Vec<bool>>,
    /// Weight of the squared error of the expected map within the foresight loss, in units of the
    /// maps' variance.
    pub map_weight: f64,
}

impl Default for JointSettings {
    fn default() -> Self {
        Self {
            generation_weight: 0.1,
            reduction: LossReduction::default(),
            source: TokenSource::Greedy,
            foresight_loss: true,
            hidden_foresight: None,
            map_weight: 0.0,
        }
    }
}

impl F1Network {
    /// Encodes frames `[batch, frames, 3, side, side]` in [-1, 1].
    ///
    /// # Errors
    /// The frames have another size, or the model does not foresee.
    pub fn tokenize(&self, frames: &Tensor) -> Result<FrameTokens> {
        let (batch, count, channels, height, width) = frames.dims5()?;
        let flat = frames.reshape((batch * count, channels, height, width))?;
        let foresight = self.foresight()?;
        let tokenizer = &foresight.tokenizer;
        let (ids, features) = match foresight.config.continuous_map {
            true => {
                let (ids, features) = tokenizer.encode_with_features(&flat)?;
                let (_, positions, codes) = features.dims3()?;
                (ids, Some(features.reshape((batch, count, positions, codes))?))
            }
            false => (tokenizer.encode(&flat)?, None),
        };
        Ok(FrameTokens { ids: ids.reshape((batch, count, ()))?, features })
    }

    /// Understanding tokens of a batch, `[batch, tokens, width]`, and which of them are padding.
    ///
    /// A camera that every sample lacks is left out, unless the recorder is on.
    ///
    /// # Errors
    /// Sizes differ between cameras, masks and prompt.
    pub fn embed_batch(&self, batch: &Batch, recorder: &mut Recorder) -> Result<(Tensor, Padding)> {
        let samples = batch.prompt.dim(0)?;
        let mut parts = Vec::new();
        let mut valid = vec![Vec::new(); samples];
        for (index, (images, flags)) in batch.images.iter().zip(&batch.image_valid).enumerate() {
            if flags.len() != samples {
                return Err(Error::input(format!(
                    "camera {index} has {} flags for {samples} samples",
                    flags.len()
                )));
            }
            // The reference computes such a camera and masks it; a record must hold its rows.
            if !recorder.is_on() && !flags.iter().any(|flag| *flag) {
                continue;
            }
            recorder.set_prefix(format!("siglip.{index}."));
            let tokens = self.embed_images(images, recorder)?;
            for (row, flag) in valid.iter_mut().zip(flags) {
                row.extend(std::iter::repeat_n(*flag, tokens.dim(1)?));
            }
            parts.push(tokens);
        }
        for (row, flags) in valid.iter_mut().zip(&batch.prompt_valid) {
            row.extend(flags);
        }
        parts.push(self.embed_prompt(&batch.prompt)?);
        let embedded = Tensor::cat(&parts, 1)?;
        recorder.set_prefix("prefix.");
        recorder.keep("embs", &embedded);
        Ok((embedded, Padding::new(valid)?))
    }

    /// History vectors `[batch, frames, vectors, codes]` and the target of a batch.
    fn split_frames(&self, batch: &Batch) -> Result<(Tensor, Target)> {
        let foresight = self.foresight()?;
        let tokens = batch
            .frame_tokens
            .as_ref()
            .ok_or_else(|| Error::input("this model needs the tokens of the frames"))?;
        let frames = tokens.ids.dim(1)?;
        let history = self.config().run.history_frames;
        if frames <= history {
            return Err(Error::input(format!(
                "a batch of {frames} frames; {history} of history and the target are needed"
            )));
        }
        let quantizer = foresight.tokenizer.quantizer();
        let vectors = tokens.narrow(0, history)?.history_vectors(quantizer)?;
        let target = tokens.narrow(history, 1)?;
        let ids = target.ids.squeeze(1)?;
        Ok((
            vectors,
            Target {
                vectors: quantizer.next_scale_input(&ids)?,
                newest: tokens.narrow(history - 1, 1)?.ids.squeeze(1)?,
                map: self.map_of(&target)?,
                ids,
            },
        ))
    }

    /// Stage I: cross entropy of all scales under teacher forcing.
    ///
    /// `hidden` is that of [`Stage1Settings`].
    ///
    /// # Errors
    /// The model does not foresee, or sizes do not fit.
    pub fn stage1_loss(
        &self,
        batch: &Batch,
        hidden: Option<&Tensor>,
        recorder: &mut Recorder,
    ) -> Result<LossOutput> {
        let settings = Stage1Settings { hidden: hidden.cloned(), ..Stage1Settings::default() };
        self.stage1_loss_with(batch, &settings, recorder)
    }

    /// As [`F1Network::stage1_loss`] with further settings.
    ///
    /// # Errors
    /// The model does not foresee, or sizes do not fit.
    pub fn stage1_loss_with(
        &self,
        batch: &Batch,
        settings: &Stage1Settings,
        recorder: &mut Recorder,
    ) -> Result<LossOutput> {
        let foresight = self.foresight()?;
        let heads = &foresight.heads;
        let quantizer = foresight.tokenizer.quantizer();
        let last = heads.scales().len() - 1;
        let (history, Target { vectors: mut target, mut ids, newest, map }) =
            self.split_frames(batch)?;
        let mut before_last = None;
        if let Some(noise) = &settings.disturbance {
            let disturbed = quantizer.disturbed(&map, noise)?;
            let chosen = noise.abs()?.sum_keepdim((1, 2))?.gt(0f64)?;
            let pick = |yes: &Tensor, no: &Tensor| -> Result<Tensor> {
                let mut shape = vec![chosen.dim(0)?];
                shape.resize(yes.rank(), 1);
                Ok(chosen.reshape(shape)?.broadcast_as(yes.shape())?.where_cond(yes, no)?)
            };
            before_last = Some(pick(&disturbed.before_last, &quantizer.accumulate(&ids, last)?)?);
            target = pick(&disturbed.vectors, &target)?;
            ids = pick(&disturbed.tokens, &ids)?;
        }
        if let Some(hidden) = &settings.hidden {
            let mask = hidden.unsqueeze(2)?.broadcast_as(target.shape())?;
            let filler = heads.mask_embedding().broadcast_as(target.shape())?;
            target = mask.where_cond(&filler.contiguous()?, &target)?;
        }
        let (understanding, padding) = self.embed_batch(batch, recorder)?;
        let tokens = understanding.dim(1)?;
        let table = heads.output_table()?;
        recorder.set_prefix("");
        let condition = heads.open_first_scale(&heads.condition(&history, recorder)?, &table)?;
        let forced = heads.scale_input(&target, &table, 1)?;
        let generation = Tensor::cat(&[&condition, &forced], 1)?;
        recorder.keep("wm.embs", &generation);
        let (condition, count) = (heads.condition_tokens(), heads.tokens());
        let total = tokens + generation.dim(1)?;
        let und = &self.config().understanding;
        let rope = RopeTable::new(
            &padding.positions(condition + count - 1),
            und.head_dim,
            und.rope_theta,
            self.device(),
        )?;
        let blocks = self.prefix_blocks(tokens, heads.scales().len());
        let wanted = if recorder.is_on() { Wanted::All } else { Wanted::Nothing };
        recorder.set_prefix("pass0.");
        let (mut outputs, _) = self.experts().forward(
            vec![
                Stream { role: Role::Understanding, hidden: understanding, wanted },
                Stream { role: Role::Generation, hidden: generation, wanted: Wanted::All },
            ],
            &KvCache::default(),
            &rope,
            &blocks,
            padding.bias(total, self.device())?.as_ref(),
            recorder,
        )?;
        let out = outputs
            .pop()
            .flatten()
            .ok_or_else(|| Error::input("the generation expert gave no output"))?;
        let normed = heads.normed(&out.narrow(1, condition - 1, count)?)?;
        let logits = heads.logits(&normed)?;
        let mut output = token_loss(&logits, &ids, self.tail())?;
        output.loss = output.generation_loss.clone().unwrap_or(output.loss);
        if let (Some(losses), true) = (&output.token_losses, settings.change_weight > 0.0) {
            let changed = ids.ne(&newest)?.to_dtype(DType::F32)?;
            let weights = changed.affine(settings.change_weight, 1.0)?;
            output.loss = (losses.mul(&weights)?.sum_all()? / weights.sum_all()?)?;
        }
        if settings.map_weight > 0.0 {
            let side = heads.scales()[last];
            let of_last = |all: &Tensor| all.narrow(1, count - side * side, side * side);
            let probabilities = f1_kernels::softmax(&of_last(&logits)?.contiguous()?)?;
            let before = match before_last {
                Some(before) => before,
                None => quantizer.accumulate(&ids, last)?,
            };
            let mut expected = (before + quantizer.expected_contribution(&probabilities, last)?)?;
            if let Some(beyond) = heads.map_beyond_codes(&of_last(&normed)?)? {
                expected = (expected + beyond)?;
            }
            let error = map_error(&expected, &map)?;
            output.map_error = Some(f64::from(error.to_scalar::<f32>()?));
            output.loss = (output.loss + (error * settings.map_weight)?)?;
        }
        Ok(output)
    }

    /// Stages II and III: actions, plus foresight conditioned on the model's own tokens.
    ///
    /// # Errors
    /// Sizes do not fit.
    pub fn joint_loss(
        &self,
        batch: &Batch,
        settings: &mut JointSettings,
        recorder: &mut Recorder,
    ) -> Result<LossOutput> {
        let (understanding, padding) = self.embed_batch(batch, recorder)?;
        let frames = if self.has_foresight() { Some(self.history_of(batch)?) } else { None };
        let history = frames.as_ref().map(|(history, _)| history);
        let mut prefix =
            self.perceive(&understanding, &padding, history, &mut settings.source, recorder)?;
        if let Some(hidden) = &settings.hidden_foresight {
            let tokens = understanding.dim(1)?;
            prefix.padding = prefix.padding.hiding(hidden, tokens..tokens + prefix.following)?;
        }
        let base = prefix.tokens.len().max(1);
        recorder.set_prefix(format!("pass{base}."));
        let (noisy, aim) = interpolate(&batch.actions, &batch.noise, &batch.time)?;
        let velocity = self.velocity(&prefix, &batch.state, &noisy, &batch.time, recorder)?;
        let errors = (&aim - &velocity)?.sqr()?;
        let mut action_loss = reduce_actions(&errors, &batch.action_is_pad, settings.reduction)?;
        for draw in &batch.more_draws {
            let (noisy, aim) = interpolate(&batch.actions, &draw.noise, &draw.time)?;
            let other =
                self.velocity(&prefix, &batch.state, &noisy, &draw.time, &mut Recorder::off())?;
            let errors = (aim - other)?.sqr()?;
            action_loss =
                (action_loss + reduce_actions(&errors, &batch.action_is_pad, settings.reduction)?)?;
        }
        if !batch.more_draws.is_empty() {
            action_loss = (action_loss / (1 + batch.more_draws.len()) as f64)?;
        }

        let target = frames.and_then(|(_, target)| target);
        let mut output = match target {
            Some(target) if settings.foresight_loss => {
                let logits = Tensor::cat(&prefix.logits, 1)?;
                let ids = target.ids.squeeze(1)?.narrow(1, 0, logits.dim(1)?)?.contiguous()?;
                let mut output = token_loss(&logits, &ids, self.tail())?;
                if let (Some(expected), true) = (&prefix.expected, settings.map_weight > 0.0) {
                    let error = map_error(expected, &self.map_of(&target)?)?;
                    output.map_error = Some(f64::from(error.to_scalar::<f32>()?));
                    let tokens = output.generation_loss.take().unwrap_or(output.loss.clone());
                    output.generation_loss = Some((tokens + (error * settings.map_weight)?)?);
                }
                output
            }
            _ => LossOutput {
                loss: action_loss.clone(),
                generation_loss: None,
                action_loss: None,
                logits: None,
                targets: None,
                token_losses: None,
                token_accuracy: None,
                map_error: None,
                tail_accuracy: None,
                velocity: None,
                action_losses: None,
            },
        };
        output.loss = match &output.generation_loss {
            Some(generation) => (&action_loss + (generation * settings.generation_weight)?)?,
            None => action_loss.clone(),
        };
        output.action_loss = Some(action_loss);
        output.velocity = Some(velocity);
        output.action_losses = Some(errors);
        Ok(output)
    }

    /// The prefix of a batch: for metrics on whole chunks with [`F1Network::act`].
    ///
    /// # Errors
    /// Sizes do not fit.
    pub fn perceive_batch(
        &self,
        batch: &Batch,
        source: &mut TokenSource,
        recorder: &mut Recorder,
    ) -> Result<PrefixState> {
        let (understanding, padding) = self.embed_batch(batch, recorder)?;
        let frames = if self.has_foresight() { Some(self.history_of(batch)?) } else { None };
        self.perceive(
            &understanding,
            &padding,
            frames.as_ref().map(|(history, _)| history),
            source,
            recorder,
        )
    }

    /// The whole code map of one frame of every sample, `[batch, codes, side, side]`.
    fn map_of(&self, frame: &FrameTokens) -> Result<Tensor> {
        let quantizer = self.foresight()?.tokenizer.quantizer();
        match &frame.features {
            Some(features) => quantizer.map_of_vectors(&features.squeeze(1)?),
            None => {
                Ok(quantizer.accumulate(&frame.ids.squeeze(1)?, quantizer.scales().len())?.detach())
            }
        }
    }

    /// History vectors, and the target when the batch has a frame behind the history.
    fn history_of(&self, batch: &Batch) -> Result<(Tensor, Option<FrameTokens>)> {
        let tokens = batch
            .frame_tokens
            .as_ref()
            .ok_or_else(|| Error::input("this model needs the tokens of the frames"))?;
        let frames = tokens.ids.dim(1)?;
        let history = self.config().run.history_frames;
        if frames < history {
            return Err(Error::input(format!(
                "a batch of {frames} frames; {history} of history are needed"
            )));
        }
        let quantizer = self.foresight()?.tokenizer.quantizer();
        let vectors = tokens.narrow(0, history)?.history_vectors(quantizer)?;
        let target = match frames > history {
            true => Some(tokens.narrow(history, 1)?),
            false => None,
        };
        Ok((vectors, target))
    }

    /// Length of the tail of the reference's second accuracy.
    fn tail(&self) -> usize {
        self.config().generation.as_ref().map_or(0, |generation| generation.num_resolutions.pow(2))
    }
}

/// Squared error of a map, in units of the variance of the true ones over the batch; a scalar.
fn map_error(expected: &Tensor, map: &Tensor) -> Result<Tensor> {
    let variance = map.broadcast_sub(&map.mean_keepdim(0)?)?.sqr()?.mean_all()?;
    Ok(((expected - map)?.sqr()?.mean_all()? / (variance + 1e-6)?)?)
}

/// Cross entropy and accuracies of logits `[batch, tokens, vocabulary]` against ids `[batch,
/// tokens]`.
fn token_loss(logits: &Tensor, ids: &Tensor, tail: usize) -> Result<LossOutput> {
    let (batch, tokens, vocabulary) = logits.dims3()?;
    let flat = logits.reshape((batch * tokens, vocabulary))?;
    let elements =
        f1_kernels::cross_entropy(&flat, &ids.flatten_all()?)?.reshape((batch, tokens))?;
    let mean = elements.mean_all()?;
    let right = logits.detach().argmax(D::Minus1)?.eq(ids)?.to_dtype(DType::F32)?;
    let tail = tail.clamp(1, tokens);
    let share =
        |part: Tensor| -> Result<f64> { Ok(f64::from(part.mean_all()?.to_scalar::<f32>()?)) };
    Ok(LossOutput {
        loss: mean.clone(),
        generation_loss: Some(mean),
        action_loss: None,
        logits: Some(logits.clone()),
        targets: Some(ids.clone()),
        token_losses: Some(elements),
        token_accuracy: Some(share(right.clone())?),
        map_error: None,
        tail_accuracy: Some(share(right.narrow(1, tokens - tail, tail)?)?),
        velocity: None,
        action_losses: None,
    })
}

/// The point between action and noise at a time a sample, and the velocity there: `t * noise + (1 -
/// t) * action` and `noise - action`.
///
/// # Errors
/// The shapes differ.
pub fn interpolate(actions: &Tensor, noise: &Tensor, times: &[f32]) -> Result<(Tensor, Tensor)> {
    let time = Tensor::from_slice(times, (times.len(), 1, 1), actions.device())?;
    let rest = time.affine(-1.0, 1.0)?;
    let noisy = (noise.broadcast_mul(&time)? + actions.broadcast_mul(&rest)?)?;
    Ok((noisy, (noise - actions)?))
}

/// The action loss of element losses `[batch, chunk, width]`.
fn reduce_actions(
    errors: &Tensor,
    padded: &[Vec<bool>],
    reduction: LossReduction,
) -> Result<Tensor> {
    let (batch, chunk, width) = errors.dims3()?;
    if padded.len() != batch || padded.iter().any(|row| row.len() != chunk) {
        return Err(Error::input(format!("action_is_pad is not {batch} rows of {chunk}")));
    }
    let kept: Vec<f32> =
        padded.iter().flatten().map(|padded| if *padded { 0.0 } else { 1.0 }).collect();
    let steps = kept.iter().filter(|kept| **kept > 0.0).count();
    let mask = Tensor::from_vec(kept, (batch, chunk, 1), errors.device())?;
    let sum = errors.broadcast_mul(&mask)?.sum_all()?;
    let count = match reduction {
        LossReduction::MaskPadded => steps.max(1) * width,
        LossReduction::Released => batch * chunk * width,
    };
    Ok((sum / count as f64)?)
}

/// Which target-input tokens stage I hides, from uniform numbers: a sample is chosen with
/// probability `sample`, and in a chosen sample each token is hidden with probability `token`.
/// `[batch, tokens]` in u8.
///
/// # Errors
/// The device refuses the memory.
pub fn hidden_tokens(
    of_sample: &[f32],
    of_token: &[Vec<f32>],
    sample: f32,
    token: f32,
    device: &candle_core::Device,
) -> Result<Tensor> {
    let tokens = of_token.first().map_or(0, Vec::len);
    let mut flags = Vec::with_capacity(of_sample.len() * tokens);
    for (chosen, row) in of_sample.iter().zip(of_token) {
        flags.extend(row.iter().map(|uniform| u8::from(*chosen < sample && *uniform < token)));
    }
    Ok(Tensor::from_vec(flags, (of_sample.len(), tokens), device)?)
}
