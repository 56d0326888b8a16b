//! Understanding and foresight of an observation.

use std::sync::Arc;
use std::sync::atomic::Ordering;

#[cfg(feature = "cuda")]
use candle_core::DType;
use candle_core::Tensor;
#[cfg(feature = "cuda")]
use f1_kernels::graphs::StageLock;
#[cfg(feature = "cuda")]
use f1_kernels::stream::ReadLock;

use f1_kernels::stream::OnDevice;

use super::F1Policy;
use super::types::{Embedded, HistoryFrame, PolicyInput, Prefix};
#[cfg(feature = "cuda")]
use crate::experts::KvCache;
#[cfg(feature = "cuda")]
use crate::network::PrefixState;
use crate::padding::Padding;
use crate::recorder::Recorder;
use crate::sampling::TokenSource;
use crate::{Error, Result};

impl F1Policy {
    /// Understanding and foresight of one observation.
    ///
    /// The same input and seed give the same tokens.
    ///
    /// # Errors
    /// No camera and no prompt, or no history where the model needs it.
    pub fn perceive(&self, input: &PolicyInput, seed: u64) -> Result<Prefix> {
        let run = &self.config().run;
        let embedded = self.embed(input)?;
        let mut source = TokenSource::new(run.top_k, run.top_p, seed);
        self.perceive_embedded(&embedded, &input.history, &mut source)
    }

    /// As [`F1Policy::perceive`] with tokens of another source.
    ///
    /// # Errors
    /// See [`F1Policy::perceive`].
    pub fn perceive_with(&self, input: &PolicyInput, source: &mut TokenSource) -> Result<Prefix> {
        let embedded = self.embed(input)?;
        self.perceive_embedded(&embedded, &input.history, source)
    }

    /// As [`F1Policy::perceive_with`] from understanding tokens of [`F1Policy::embed`].
    ///
    /// # Errors
    /// No history where the model needs it.
    pub fn perceive_embedded(
        &self,
        embedded: &Embedded,
        frames: &[HistoryFrame],
        source: &mut TokenSource,
    ) -> Result<Prefix> {
        let embedded = embedded.tensor();
        let stage = self.stages.prefix.lock();
        let lock = self.read_lock();
        let history = if self.network.has_foresight() { Some(self.history(frames)?) } else { None };
        #[cfg(feature = "cuda")]
        if stage.is_recorded() {
            if self.network.has_foresight() {
                self.generations.fetch_add(1, Ordering::Relaxed);
            }
            let (state, _lock) = self.perceive_recorded(stage, embedded, history, source, lock)?;
            return Prefix::read(state);
        }
        let _lock = (stage, lock);
        if self.network.has_foresight() {
            self.generations.fetch_add(1, Ordering::Relaxed);
        }
        let padding = Padding::none(1, embedded.dim(1)?);
        let history = history.as_ref();
        Prefix::read(self.network.perceive(
            embedded,
            &padding,
            history,
            source,
            &mut Recorder::off(),
        )?)
    }

    /// Understanding alone, for a model that may act without foresight: no pass of the generation
    /// expert runs. There is no image to imagine.
    ///
    /// # Errors
    /// A model whose understanding attends to the condition.
    pub fn understand(&self, embedded: &Embedded) -> Result<Prefix> {
        let embedded = embedded.tensor();
        let stage = self.stages.prefix.lock();
        let _lock = (stage, self.read_lock());
        let padding = Padding::none(1, embedded.dim(1)?);
        let recorder = &mut Recorder::off();
        Prefix::read(self.network.perceive_without_foresight(embedded, &padding, recorder)?)
    }

    /// Understanding of a new observation with the foresight of an earlier one: no pass of the
    /// generation expert runs. Tokens, confidence and image are the earlier one's.
    ///
    /// # Errors
    /// A model whose understanding attends to the condition; another number of cameras or prompt
    /// tokens than the earlier observation had.
    pub fn renew(&self, embedded: &Embedded, before: &Prefix) -> Result<Prefix> {
        let embedded = embedded.tensor();
        let stage = self.stages.prefix.lock();
        let _lock = (stage, self.read_lock());
        let recorder = &mut Recorder::off();
        let state = self.network.renew_understanding(embedded, &before.state, recorder)?;
        Ok(Prefix { state: Arc::new(OnDevice::new(state)), ..before.clone() })
    }

    /// How often the generation expert has foreseen an image since the policy was loaded.
    pub fn generation_passes(&self) -> u64 {
        self.generations.load(Ordering::Relaxed)
    }

    /// Understanding and foresight as one graph, if the device can draw the tokens.
    #[cfg(feature = "cuda")]
    fn perceive_recorded(
        &self,
        stage: StageLock<'_>,
        embedded: &Tensor,
        history: Option<Tensor>,
        source: &mut TokenSource,
        lock: Option<ReadLock>,
    ) -> Result<(PrefixState, Option<ReadLock>)> {
        let (network, device) = (&self.network, self.network.device());
        let padding = Padding::none(1, embedded.dim(1)?);
        let numbers = match network.foresight() {
            Ok(foresight) => {
                let vocabulary = foresight.config.tokenizer.vocab_size;
                source.numbers(foresight.config.generated_tokens(), vocabulary, device)?
            }
            Err(_) => Some((Tensor::zeros((1, 1), DType::F32, device)?, 1, 0.0)),
        };
        let Some((uniform, top_k, top_p)) = numbers else {
            let recorder = &mut Recorder::off();
            return Ok((
                network.perceive(embedded, &padding, history.as_ref(), source, recorder)?,
                lock,
            ));
        };
        let mut inputs = vec![embedded.clone(), uniform];
        inputs.extend(history);
        let settings = [top_k, top_p.to_bits() as usize];
        let (network, of_prefix) = (Arc::clone(&self.network), padding.clone());
        let (outputs, lock) = stage.compute(
            device,
            inputs,
            &settings,
            lock,
            move |inputs| -> Result<Vec<Tensor>> {
                let mut source = TokenSource::Numbers { uniform: inputs[1].clone(), top_k, top_p };
                let state = network.perceive(
                    &inputs[0],
                    &of_prefix,
                    inputs.get(2),
                    &mut source,
                    &mut Recorder::off(),
                )?;
                let block =
                    state.cache.block().ok_or_else(|| Error::input("weights that are trained"))?;
                let mut outputs = vec![block.clone()];
                outputs.extend(state.f_hat);
                outputs.extend(state.tokens.into_iter().chain(state.logits));
                Ok(outputs)
            },
        )?;
        let mut outputs = outputs.into_iter();
        let block = outputs.next().ok_or_else(|| Error::input("a stage without results"))?;
        let keys = block.dim(2)?;
        let f_hat = outputs.next();
        let scales = outputs.len() / 2;
        let tokens = outputs.by_ref().take(scales).collect();
        let state = PrefixState {
            cache: KvCache::of_block(block, keys)?,
            following: keys - padding.tokens(),
            padding,
            f_hat,
            expected: None,
            tokens,
            logits: outputs.collect(),
        };
        Ok((state, lock))
    }

    /// History vectors `[1, frames, L - 1, codes]`; the first frame is repeated where frames are
    /// missing.
    pub(super) fn history(&self, frames: &[HistoryFrame]) -> Result<Tensor> {
        let wanted = self.config().run.history_frames;
        let first = frames
            .first()
            .ok_or_else(|| Error::input("this model needs at least one history frame"))?;
        if frames.len() > wanted {
            return Err(Error::input(format!(
                "{} history frames, the model takes {wanted}",
                frames.len()
            )));
        }
        let missing = std::iter::repeat_n(first, wanted - frames.len());
        let vectors: Vec<&Tensor> = missing.chain(frames).map(|frame| &*frame.vectors).collect();
        Ok(Tensor::stack(&vectors, 0)?.unsqueeze(0)?)
    }
}
