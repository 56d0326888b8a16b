//! The inputs of a policy, and the results that go from one stage to the next.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use f1_kernels::stream::OnDevice;

use crate::flow::RtcGuidance;
use crate::network::PrefixState;
use crate::prompt::Prompt;
use crate::{Error, Result};

/// A camera image ready for the network, `[3, side, side]`; cheap to clone.
#[derive(Clone)]
pub struct CameraInput {
    pub(super) tensor: OnDevice<Tensor>,
}

impl CameraInput {
    /// The pixels, `[3, side, side]` in [-1, 1].
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}

/// A history frame ready for the tokenizer, `[3, side, side]`; cheap to clone.
#[derive(Clone)]
pub struct FrameInput {
    pub(super) tensor: OnDevice<Tensor>,
}

impl FrameInput {
    /// The pixels, `[3, side, side]` in [-1, 1].
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}

/// Understanding tokens of one observation, `[1, tokens, width]`; cheap to clone.
#[derive(Clone)]
pub struct Embedded {
    pub(super) tokens: OnDevice<Tensor>,
}

impl Embedded {
    /// `[1, tokens, width]`: the tokens of each camera, then those of the prompt.
    pub fn tensor(&self) -> &Tensor {
        &self.tokens
    }
}

/// An encoded history frame; cheap to clone.
#[derive(Clone)]
pub struct HistoryFrame {
    /// Token ids `[L]`.
    pub(super) tokens: Arc<Vec<u32>>,
    /// Vectors of the temporal convolution, `[L - 1, codes]`, and the whole code map behind them
    /// where the condition holds it.
    pub(super) vectors: OnDevice<Tensor>,
    /// How many of the last vectors are features: none where the map is that of codes.
    pub(super) features: usize,
}

impl HistoryFrame {
    /// Token ids of all scales, small to large.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The frame's features `[1, side^2, codes]`, in models whose map is continuous.
    ///
    /// # Errors
    /// The tensor operation fails.
    pub fn features(&self) -> Result<Option<Tensor>> {
        let count = self.vectors.dim(0)?;
        match self.features {
            0 => Ok(None),
            rows => Ok(Some(self.vectors.narrow(0, count - rows, rows)?.unsqueeze(0)?)),
        }
    }
}

/// One observation.
#[derive(Clone)]
pub struct PolicyInput {
    /// Cameras in the model's order; an absent one is left out.
    pub cameras: Vec<Option<CameraInput>>,
    /// The instruction.
    pub prompt: Prompt,
    /// History, oldest first. If it is shorter than the model's, the first frame is repeated.
    pub history: Vec<HistoryFrame>,
}

/// One request for actions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActRequest {
    /// Seed of the noise.
    pub seed: u64,
    /// Steering toward the chunk that is being executed.
    pub guidance: Option<RtcGuidance>,
}

/// Understanding and foresight, from which actions are generated; shared, cheap to clone.
#[derive(Clone)]
pub struct Prefix {
    pub(super) state: Arc<OnDevice<PrefixState>>,
    /// The accumulated map of the foresight, on the host.
    pub(super) foreseen: Option<Tensor>,
    pub(super) tokens: Arc<Vec<Vec<u32>>>,
    pub(super) confidence: Arc<Vec<f32>>,
}

impl Prefix {
    /// Reads the foresight's tokens and their probabilities.
    pub(super) fn read(state: PrefixState) -> Result<Self> {
        let (mut tokens, mut confidence) = (Vec::new(), Vec::new());
        if !state.tokens.is_empty() {
            // All scales at once: only here does the host wait for the device.
            let ids = Tensor::cat(&state.tokens, 1)?;
            let probabilities = f1_kernels::softmax(&Tensor::cat(&state.logits, 1)?)?;
            confidence =
                probabilities.gather(&ids.unsqueeze(2)?, 2)?.flatten_all()?.to_vec1::<f32>()?;
            if confidence.iter().any(|probability| !probability.is_finite()) {
                return Err(Error::NotFinite("foresight logits"));
            }
            let mut ids = ids.flatten_all()?.to_vec1::<u32>()?.into_iter();
            for scale in &state.tokens {
                tokens.push(ids.by_ref().take(scale.elem_count()).collect());
            }
        }
        let foreseen =
            state.f_hat.as_ref().map(|f_hat| f_hat.to_device(&Device::Cpu)).transpose()?;
        let state = Arc::new(OnDevice::new(state));
        Ok(Self { state, foreseen, tokens: Arc::new(tokens), confidence: Arc::new(confidence) })
    }

    /// Foresight token ids of each generated scale; empty in the pi0 layout.
    pub fn tokens(&self) -> &[Vec<u32>] {
        &self.tokens
    }

    /// The network's probability of each foresight token, scale after scale.
    pub fn token_confidence(&self) -> &[f32] {
        &self.confidence
    }

    /// Tokens the action expert attends to.
    pub fn len(&self) -> usize {
        self.state.cache.len()
    }

    /// Whether there is nothing to attend to.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The network's state of it.
    pub fn state(&self) -> &PrefixState {
        &self.state
    }
}
