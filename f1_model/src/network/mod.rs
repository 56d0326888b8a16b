//! The network: images, prompt, history and state in; foresight tokens and actions out.
//!
//! Everything here works on batches and is differentiable. [`crate::F1Policy`] runs it on a robot,
//! and [`crate::training`] holds the losses.

mod actions;
mod prefix;

use candle_core::{DType, Device, Tensor};
pub use prefix::PrefixState;

use crate::config::{Config, GenerationConfig};
use crate::experts::{Expert, Experts, RopeTable, RopeTables};
use crate::flow::ActionHeads;
use crate::foresight::ForesightHeads;
use crate::linear::Quant;
use crate::parameters::{
    ACTION, GENERATION, PALIGEMMA, TEXT_EMBEDDING, TOKENIZER, UNDERSTANDING, used_parameters,
};
use crate::recorder::Recorder;
use crate::siglip::Siglip;
use crate::tokenizer::VqVae;
use crate::weights::Weights;
use crate::{Error, Result};

/// Generation heads and tokenizer, absent in the pi0 layout.
#[derive(Clone)]
pub struct Foresight {
    /// Settings.
    pub config: GenerationConfig,
    /// Embeddings and head.
    pub heads: ForesightHeads,
    /// Image tokenizer.
    pub tokenizer: VqVae,
}

/// The whole network.
#[derive(Clone)]
pub struct F1Network {
    config: Config,
    siglip: Siglip,
    text_embedding: Tensor,
    experts: Experts,
    foresight: Option<Foresight>,
    actions: ActionHeads,
    ropes: RopeTables,
    device: Device,
    stream: DType,
    unquantised: Vec<String>,
}

impl F1Network {
    /// Builds the network from official names.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped, or the configuration is faulty.
    pub fn new(config: &Config, weights: &Weights, quant: Option<Quant>) -> Result<Self> {
        config.validate("network")?;
        let und = &config.understanding;
        let text_embedding = weights.get((und.vocab_size, und.hidden_size), TEXT_EMBEDDING)?;
        let understanding = Expert::new(und, quant, &weights.pp(UNDERSTANDING))?;
        let small = quant.and_then(Quant::of_small_experts);
        let action = Expert::new(&config.action, small, &weights.pp(ACTION))?;
        let model = weights.pp("model");
        let (generation, foresight) = match &config.generation {
            Some(generation) => (
                Some(Expert::new(&generation.expert, small, &weights.pp(GENERATION))?),
                Some(Foresight {
                    config: generation.clone(),
                    heads: ForesightHeads::new(generation, &model)?,
                    tokenizer: VqVae::new(generation, &weights.pp(TOKENIZER))?,
                }),
            ),
            None => (None, None),
        };
        let device = text_embedding.device().clone();
        // On a CPU activations are f32 even with bf16 weights: widening a weight is cheaper than
        // bf16 arithmetic.
        let stream = if device.is_cpu() { DType::F32 } else { text_embedding.dtype() };
        Ok(Self {
            config: config.clone(),
            siglip: Siglip::new(config, &weights.pp(PALIGEMMA))?,
            text_embedding,
            experts: Experts::new(understanding, generation, action, und),
            foresight,
            actions: ActionHeads::new(config, &model)?,
            ropes: RopeTables::new(und.head_dim, und.rope_theta, &device),
            device,
            stream,
            unquantised: quant.map_or_else(Vec::new, |quant| unquantised(config, quant)),
        })
    }

    /// Concatenates weights that multiply the same input: fewer and larger products with the same
    /// results. For a network that is not trained.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn join(&mut self) -> Result<()> {
        self.siglip.join()?;
        self.experts.join()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The device of the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Generation heads and tokenizer.
    ///
    /// # Errors
    /// This model has no generation expert.
    pub fn foresight(&self) -> Result<&Foresight> {
        self.foresight.as_ref().ok_or_else(|| Error::input("this model has no generation expert"))
    }

    /// Whether the model has a generation expert.
    pub fn has_foresight(&self) -> bool {
        self.foresight.is_some()
    }

    /// Linear layers that could not be quantised as requested, by official name.
    pub fn unquantised(&self) -> &[String] {
        &self.unquantised
    }

    /// The decoder stacks.
    pub fn experts(&self) -> &Experts {
        &self.experts
    }

    /// The action projections.
    pub fn actions(&self) -> &ActionHeads {
        &self.actions
    }

    /// Tokens of one camera's images `[batch, 3, side, side]`: `[batch, tokens, width]`.
    ///
    /// # Errors
    /// The images have another size.
    pub fn embed_images(&self, images: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        self.siglip.forward(&images.to_dtype(self.stream)?, recorder)
    }

    /// Embeds prompt ids `[batch, tokens]` in u32.
    ///
    /// # Errors
    /// An id is outside the vocabulary.
    pub fn embed_prompt(&self, ids: &Tensor) -> Result<Tensor> {
        let (batch, tokens) = ids.dims2()?;
        let width = self.config.understanding.hidden_size;
        let rows =
            self.text_embedding.index_select(&ids.flatten_all()?, 0)?.to_dtype(self.stream)?;
        Ok((rows.reshape((batch, tokens, width))? * (width as f64).sqrt())?)
    }

    /// Token ids `[n, L]` of history frames `[n, 3, s, s]`, and their vectors for the temporal
    /// convolution, see [`crate::tokenizer::Quantizer::history_vectors`].
    ///
    /// # Errors
    /// The frames have another size.
    pub fn encode_frames(&self, frames: &Tensor) -> Result<(Tensor, Tensor)> {
        self.foresight()?.tokenizer.encode_with_vectors(frames)
    }

    fn rope(&self, positions: &[Vec<i64>]) -> Result<RopeTable> {
        self.ropes.of(positions)
    }
}

/// The experts' linear layers whose width is not a multiple of the block.
fn unquantised(config: &Config, quant: Quant) -> Vec<String> {
    let experts = match quant.of_small_experts() {
        Some(_) => vec![UNDERSTANDING, GENERATION, ACTION],
        None => vec![UNDERSTANDING],
    };
    used_parameters(config)
        .into_iter()
        .filter(|spec| {
            let of_layer = experts.iter().any(|prefix| {
                spec.name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(".layers."))
            });
            of_layer && spec.shape.len() == 2 && spec.shape[1] % quant.block() != 0
        })
        .map(|spec| spec.name)
        .collect()
}
