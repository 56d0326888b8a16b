//! SigLIP and the projector: camera images to understanding tokens (PaliGemma layout).

use candle_core::Tensor;
use f1_kernels::{self as ops, LayerNormWeights, device};

use crate::config::{Config, VisionConfig};
use crate::linear::Linear;
use crate::recorder::Recorder;
use crate::weights::Weights;
use crate::{Error, Result};

#[derive(Clone)]
struct Norm {
    weights: LayerNormWeights,
    epsilon: f64,
}

impl Norm {
    fn new(width: usize, epsilon: f64, weights: &Weights) -> Result<Self> {
        let weights =
            LayerNormWeights::new(weights.get(width, "weight")?, weights.get(width, "bias")?)?;
        Ok(Self { weights, epsilon })
    }

    /// `x` plus `delta`, if there is one, and the norm of the sum.
    fn forward(&self, x: &Tensor, delta: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        Ok(match delta {
            Some(delta) => ops::add_layer_norm(x, delta, &self.weights, self.epsilon)?,
            None => (x.clone(), ops::layer_norm(x, &self.weights, self.epsilon)?),
        })
    }
}

#[derive(Clone)]
struct EncoderLayer {
    layer_norm1: Norm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    layer_norm2: Norm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
    /// Queries, keys and values in one product.
    joined: Option<Linear>,
}

impl EncoderLayer {
    fn new(config: &VisionConfig, weights: &Weights) -> Result<Self> {
        let (hidden, mlp) = (config.hidden_size, config.intermediate_size);
        let attention = weights.pp("self_attn");
        Ok(Self {
            layer_norm1: Norm::new(hidden, config.layer_norm_eps, &weights.pp("layer_norm1"))?,
            q_proj: Linear::new(hidden, hidden, &attention.pp("q_proj"))?,
            k_proj: Linear::new(hidden, hidden, &attention.pp("k_proj"))?,
            v_proj: Linear::new(hidden, hidden, &attention.pp("v_proj"))?,
            out_proj: Linear::new(hidden, hidden, &attention.pp("out_proj"))?,
            layer_norm2: Norm::new(hidden, config.layer_norm_eps, &weights.pp("layer_norm2"))?,
            fc1: Linear::new(mlp, hidden, &weights.pp("mlp").pp("fc1"))?,
            fc2: Linear::new(hidden, mlp, &weights.pp("mlp").pp("fc2"))?,
            heads: config.heads,
            joined: None,
        })
    }

    /// The layer after `delta` is added to `hidden`. Returns the new `hidden` and the new `delta`,
    /// which the next norm adds.
    fn forward(&self, hidden: &Tensor, delta: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let (batch, tokens, width) = hidden.dims3()?;
        let head = width / self.heads;
        let (hidden, x) = self.layer_norm1.forward(hidden, delta)?;
        let [query, key, value] = match &self.joined {
            Some(joined) => {
                let all = joined.forward(&x)?.reshape((batch, tokens, 3, self.heads, head))?;
                [all.get_on_dim(2, 0)?, all.get_on_dim(2, 1)?, all.get_on_dim(2, 2)?]
            }
            None => {
                let of = |linear: &Linear| -> Result<Tensor> {
                    Ok(linear.forward(&x)?.reshape((batch, tokens, self.heads, head))?)
                };
                [of(&self.q_proj)?, of(&self.k_proj)?, of(&self.v_proj)?]
            }
        };
        let attended = ops::attention(&query, &key, &value, None, (head as f64).powf(-0.5))?;
        let (hidden, x) =
            self.layer_norm2.forward(&hidden, Some(&self.out_proj.forward(&attended)?))?;
        Ok((hidden, self.fc2.forward(&self.fc1.forward_gelu(&x)?)?))
    }
}

/// The vision tower and the projector.
#[derive(Clone)]
pub struct Siglip {
    patch_weight: Tensor,
    patch_bias: Tensor,
    positions: Tensor,
    layers: Vec<EncoderLayer>,
    post_layernorm: Norm,
    projector: Linear,
    patch: usize,
    image: usize,
}

impl Siglip {
    /// Reads the tower and the projector below PaliGemma's prefix.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(config: &Config, weights: &Weights) -> Result<Self> {
        let vision = &config.vision;
        let (hidden, patch) = (vision.hidden_size, vision.patch_size);
        let tower = weights.pp("vision_tower.vision_model");
        let embeddings = tower.pp("embeddings");
        Ok(Self {
            patch_weight: embeddings.get((hidden, 3, patch, patch), "patch_embedding.weight")?,
            patch_bias: embeddings.get(hidden, "patch_embedding.bias")?,
            positions: embeddings.get((vision.tokens(), hidden), "position_embedding.weight")?,
            layers: (0..vision.layers)
                .map(|index| EncoderLayer::new(vision, &tower.pp("encoder.layers").pp(index)))
                .collect::<Result<_>>()?,
            post_layernorm: Norm::new(hidden, vision.layer_norm_eps, &tower.pp("post_layernorm"))?,
            projector: Linear::new(
                config.understanding.hidden_size,
                hidden,
                &weights.pp("multi_modal_projector.linear"),
            )?,
            patch,
            image: vision.image_size,
        })
    }

    /// Concatenates weights that multiply the same input, where none of them is trained.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn join(&mut self) -> Result<()> {
        for layer in &mut self.layers {
            layer.joined = Linear::join([&mut layer.q_proj, &mut layer.k_proj, &mut layer.v_proj])?;
        }
        Ok(())
    }

    /// Images `[batch, 3, side, side]` in [-1, 1] to tokens `[batch, tokens, understanding width]`.
    ///
    /// The library's division by the square root of the width and the policy's multiplication by it
    /// cancel.
    ///
    /// # Errors
    /// The images have another size.
    pub fn forward(&self, images: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        let _uploads = device::cache_uploads(images.device());
        let (batch, channels, height, width) = images.dims4()?;
        if (channels, height, width) != (3, self.image, self.image) {
            return Err(Error::input(format!(
                "camera image is {channels}x{height}x{width}, the model takes 3x{side}x{side}",
                side = self.image
            )));
        }
        // A convolution whose stride is its kernel is one matrix product over patches.
        let side = self.image / self.patch;
        let cut = side * self.patch;
        let patches = images
            .narrow(2, 0, cut)?
            .narrow(3, 0, cut)?
            .reshape((batch, 3, side, self.patch, side, self.patch))?
            .permute([0, 2, 4, 1, 3, 5])?
            .reshape((batch, side * side, 3 * self.patch * self.patch))?;
        let x = ops::linear(&patches, &self.patch_weight.flatten_from(1)?, Some(&self.patch_bias))?;
        let positions = self.positions.to_dtype(x.dtype())?;
        let mut x = x.broadcast_add(&positions)?;
        let mut delta: Option<Tensor> = None;
        for layer in &self.layers {
            let (hidden, added) = layer.forward(&x, delta.as_ref())?;
            (x, delta) = (hidden, Some(added));
        }
        let (_, x) = self.post_layernorm.forward(&x, delta.as_ref())?;
        recorder.keep("last_hidden", &x);
        let x = self.projector.forward(&x)?;
        recorder.keep("projected", &x);
        Ok(x)
    }
}
