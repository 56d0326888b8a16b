//! The image tokenizer: VAR's multi-scale residual VQ-VAE.
//!
//! Tian et al., "Visual Autoregressive Modeling" (2024); the encoder and decoder are those of
//! latent diffusion. Frozen in the three stages of the policy's training; differentiable for
//! training of its own.

mod blocks;
mod decoder;
mod encoder;
mod quantizer;
mod resize;

pub use quantizer::{Disturbed, Quantizer, QuantizerLoss};
pub use resize::{area_matrix, bicubic_matrix, resize_map};

use candle_core::Tensor;
use f1_kernels::device;

use crate::config::GenerationConfig;
use crate::recorder::Recorder;
use crate::weights::Weights;
use crate::{Error, Result};
use blocks::Conv;
use decoder::Decoder;
use encoder::Encoder;

/// What tokenizer training needs of one batch.
pub struct Reconstruction {
    /// Decoded images `[batch, 3, side, side]`, not clamped.
    pub images: Tensor,
    /// Codebook and commitment loss, a scalar.
    pub quantizer_loss: Tensor,
    /// Token ids of all scales, small to large, `[batch, tokens]` in u32.
    pub tokens: Tensor,
}

/// What makes an image of a map.
#[derive(Clone)]
pub struct Painter {
    post_quant_conv: Conv,
    decoder: Decoder,
}

impl Painter {
    /// Reads it below `weights` (`model.vae`).
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(config: &GenerationConfig, weights: &Weights) -> Result<Self> {
        let codes = config.tokenizer.z_channels;
        Ok(Self {
            post_quant_conv: Conv::new(codes, codes, 3, &weights.pp("post_quant_conv"))?,
            decoder: Decoder::new(&config.tokenizer, &weights.pp("decoder"))?,
        })
    }

    /// The image of an accumulated map `[batch, codes, side, side]`, in [-1, 1].
    ///
    /// # Errors
    /// The map has another size.
    pub fn decode(&self, f_hat: &Tensor) -> Result<Tensor> {
        Ok(self.decode_unclamped(f_hat, &mut Recorder::off())?.clamp(-1f32, 1f32)?)
    }

    /// As [`Painter::decode`], before the clamp.
    ///
    /// # Errors
    /// The map has another size.
    pub fn decode_unclamped(&self, f_hat: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        let _uploads = device::cache_uploads(f_hat.device());
        let x = self.post_quant_conv.forward(f_hat)?;
        recorder.keep("post_quant_conv", &x);
        self.decoder.forward(&x, recorder)
    }
}

/// Encoder, quantiser and decoder.
#[derive(Clone)]
pub struct VqVae {
    encoder: Encoder,
    quant_conv: Conv,
    quantizer: Quantizer,
    painter: Painter,
    side: usize,
}

impl VqVae {
    /// Reads the tokenizer below `weights` (`model.vae`).
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(config: &GenerationConfig, weights: &Weights) -> Result<Self> {
        let codes = config.tokenizer.z_channels;
        Ok(Self {
            encoder: Encoder::new(&config.tokenizer, &weights.pp("encoder"))?,
            quant_conv: Conv::new(codes, codes, 3, &weights.pp("quant_conv"))?,
            quantizer: Quantizer::new(config, &weights.pp("quantize"))?,
            painter: Painter::new(config, weights)?,
            side: config.frame_side(),
        })
    }

    /// The quantiser.
    pub fn quantizer(&self) -> &Quantizer {
        &self.quantizer
    }

    /// Continuous features `[batch, codes, side, side]` of images `[batch, 3, s, s]` in [-1, 1].
    ///
    /// # Errors
    /// The images have another size.
    pub fn features(&self, images: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        let (_, channels, height, width) = images.dims4()?;
        if (channels, height, width) != (3, self.side, self.side) {
            return Err(Error::input(format!(
                "history frame is {channels}x{height}x{width}, the model takes 3x{side}x{side}",
                side = self.side
            )));
        }
        let _uploads = device::cache_uploads(images.device());
        let features = self.quant_conv.forward(&self.encoder.forward(images, recorder)?)?;
        recorder.keep("quant_conv", &features);
        Ok(features)
    }

    /// Token ids of all scales, small to large, `[batch, tokens]` in u32.
    ///
    /// # Errors
    /// The images have another size.
    pub fn encode(&self, images: &Tensor) -> Result<Tensor> {
        let features = self.features(images, &mut Recorder::off())?;
        self.quantizer.tokens(&features, &mut Recorder::off())
    }

    /// As [`VqVae::encode`], with the features as vectors `[batch, side^2, codes]`.
    ///
    /// # Errors
    /// The images have another size.
    pub fn encode_with_features(&self, images: &Tensor) -> Result<(Tensor, Tensor)> {
        let features = self.features(images, &mut Recorder::off())?;
        let tokens = self.quantizer.tokens(&features, &mut Recorder::off())?;
        Ok((tokens, self.quantizer.feature_vectors(&features)?))
    }

    /// As [`VqVae::encode`], with what the condition takes of the frames, see
    /// [`Quantizer::history_vectors`].
    ///
    /// # Errors
    /// The images have another size.
    pub fn encode_with_vectors(&self, images: &Tensor) -> Result<(Tensor, Tensor)> {
        let features = self.features(images, &mut Recorder::off())?;
        self.quantizer.tokens_and_history_vectors(&features)
    }

    /// What makes an image of a map.
    pub fn painter(&self) -> &Painter {
        &self.painter
    }

    /// See [`Painter::decode`].
    ///
    /// # Errors
    /// The map has another size.
    pub fn decode(&self, f_hat: &Tensor) -> Result<Tensor> {
        self.painter.decode(f_hat)
    }

    /// See [`Painter::decode_unclamped`].
    ///
    /// # Errors
    /// The map has another size.
    pub fn decode_unclamped(&self, f_hat: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        self.painter.decode_unclamped(f_hat, recorder)
    }

    /// Encode and decode without the quantiser: the first steps of tokenizer training, after which
    /// the codes find features that mean something. `[batch, 3, side, side]`, not clamped.
    ///
    /// # Errors
    /// The images have another size.
    pub fn reconstruct_unquantised(&self, images: &Tensor) -> Result<Tensor> {
        let features = self.features(images, &mut Recorder::off())?;
        self.decode_unclamped(&features, &mut Recorder::off())
    }

    /// Encode, quantise with a straight-through gradient, decode: one step of tokenizer training.
    /// The first `unquantised` images are decoded from their features instead, so that the decoder
    /// also serves maps that no sum of codes makes.
    ///
    /// # Errors
    /// The images have another size.
    pub fn reconstruct(
        &self,
        images: &Tensor,
        commitment: f64,
        unquantised: usize,
    ) -> Result<Reconstruction> {
        let features = self.features(images, &mut Recorder::off())?;
        let quantised = self.quantizer.quantise(&features, commitment)?;
        let (batch, first) = (features.dim(0)?, unquantised.min(features.dim(0)?));
        let map = match first {
            0 => quantised.f_hat,
            all if all == batch => features,
            first => Tensor::cat(
                &[features.narrow(0, 0, first)?, quantised.f_hat.narrow(0, first, batch - first)?],
                0,
            )?,
        };
        let images = self.decode_unclamped(&map, &mut Recorder::off())?;
        Ok(Reconstruction { images, quantizer_loss: quantised.loss, tokens: quantised.tokens })
    }
}
