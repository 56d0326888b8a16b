//! Encoded frames of a batch.

use candle_core::Tensor;

use crate::Result;
use crate::tokenizer::Quantizer;

/// Frames as the image tokenizer encodes them.
#[derive(Clone)]
pub struct FrameTokens {
    /// Token ids `[batch, frames, L]` in u32.
    pub ids: Tensor,
    /// Features `[batch, frames, side^2, codes]`, where the model's map is continuous.
    pub features: Option<Tensor>,
}

impl FrameTokens {
    /// `count` frames of every sample from frame `first` on.
    ///
    /// # Errors
    /// There are fewer.
    pub fn narrow(&self, first: usize, count: usize) -> Result<Self> {
        let features = self.features.as_ref().map(|features| features.narrow(1, first, count));
        Ok(Self {
            ids: self.ids.narrow(1, first, count)?.contiguous()?,
            features: features.transpose()?.map(|part| part.contiguous()).transpose()?,
        })
    }

    /// What the condition takes of them, `[batch, frames, vectors, codes]`.
    pub(super) fn history_vectors(&self, quantizer: &Quantizer) -> Result<Tensor> {
        let (samples, frames, count) = self.ids.dims3()?;
        let features = self.features.as_ref().map(|features| features.flatten(0, 1));
        let ids = self.ids.reshape((samples * frames, count))?;
        let vectors = quantizer.history_vectors(&ids, features.transpose()?.as_ref())?;
        let (_, positions, codes) = vectors.dims3()?;
        Ok(vectors.reshape((samples, frames, positions, codes))?)
    }
}
