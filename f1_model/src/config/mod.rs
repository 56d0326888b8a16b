//! The configuration of a model: the published `config.json`, the explicit `f1_config.json`, and
//! presets.
//!
//! Keys of the reference layout that the network does not need are ignored, because the published
//! files carry many of them; keys that are left out take the defaults of the library the weights
//! come from. Settings that the reference does not know stand in one block `f1`, whose unknown keys
//! are refused.

mod parse;
mod presets;
mod validate;

use std::path::Path;

use crate::{Error, Result};

/// Which tokens the understanding expert may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionMode {
    /// As the released weights were trained: understanding tokens and the history condition share
    /// one block.
    Released,
    /// As in the paper: understanding sees only itself, nothing flows back.
    Uga,
}

/// One decoder stack (Gemma layout).
#[derive(Clone, Debug, PartialEq)]
pub struct ExpertConfig {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the gated MLP.
    pub intermediate_size: usize,
    /// Number of layers; equal in all experts.
    pub layers: usize,
    /// Query heads; equal in all experts.
    pub heads: usize,
    /// Key/value heads; equal in all experts.
    pub kv_heads: usize,
    /// Width of one head; equal in all experts.
    pub head_dim: usize,
    /// RMSNorm epsilon.
    pub rms_norm_eps: f64,
    /// RoPE base.
    pub rope_theta: f64,
    /// Rows of the text embedding (understanding) or of the unused `lm_head` (the other two).
    pub vocab_size: usize,
}

/// SigLIP and the projector behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// Width of the vision tower.
    pub hidden_size: usize,
    /// Width of its MLP.
    pub intermediate_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// Side of one patch in pixels.
    pub patch_size: usize,
    /// LayerNorm epsilon.
    pub layer_norm_eps: f64,
}

impl VisionConfig {
    /// Tokens of one image.
    pub fn tokens(&self) -> usize {
        (self.image_size / self.patch_size).pow(2)
    }
}

/// The multi-scale residual VQ-VAE.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizerConfig {
    /// Codes in the codebook.
    pub vocab_size: usize,
    /// Width of a code.
    pub z_channels: usize,
    /// Channels of the first level.
    pub ch: usize,
    /// Channel multiplier of each level; the image shrinks by 2 between levels.
    pub ch_mult: Vec<usize>,
    /// Residual blocks a level in the encoder (the decoder has one more).
    pub num_res_blocks: usize,
    /// Groups of every GroupNorm.
    pub norm_groups: usize,
    /// How many `phi` convolutions the scales share: 0 one for each scale, 1 a single one, n
    /// shared by nearest tick.
    pub share_quant_resi: usize,
    /// Share of the convolution in `phi`.
    pub quant_resi: f64,
}

impl TokenizerConfig {
    /// Image side over side of the last scale.
    pub fn downsampling(&self) -> usize {
        1 << (self.ch_mult.len().max(1) - 1)
    }
}

/// The generation expert with its embeddings, head and tokenizer.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationConfig {
    /// The decoder stack.
    pub expert: ExpertConfig,
    /// Side of each scale in tokens, small to large; the first is 1.
    pub scales: Vec<usize>,
    /// Scales generated at run time.
    pub num_resolutions: usize,
    /// Kernel of the temporal convolution, in frames.
    pub temporal_kernel: usize,
    /// Stride of the temporal convolution, in frames.
    pub temporal_stride: usize,
    /// Whether the condition also holds the whole code map of every history frame. Without it, as
    /// released, of each history frame is seen what is known before its last scale.
    pub condition_full_map: bool,
    /// Whether the whole code map is that of the encoder's features before they become codes, in
    /// the condition and in the foresight image: a head adds to the map that the last scale's
    /// tokens are expected to make. Needs `condition_full_map`.
    pub continuous_map: bool,
    /// The image tokenizer.
    pub tokenizer: TokenizerConfig,
}

impl GenerationConfig {
    /// Tokens of all scales.
    pub fn total_tokens(&self) -> usize {
        self.scales.iter().map(|side| side * side).sum()
    }

    /// Tokens of the condition: one for each token of a frame, and the whole code map where the
    /// condition holds it.
    pub fn condition_tokens(&self) -> usize {
        self.total_tokens() + self.full_map_tokens()
    }

    /// Condition tokens of the whole code map; 0 without it.
    pub fn full_map_tokens(&self) -> usize {
        if self.condition_full_map { self.last_side().pow(2) } else { 0 }
    }

    /// Tokens of the generated scales.
    pub fn generated_tokens(&self) -> usize {
        self.scales.iter().take(self.num_resolutions).map(|side| side * side).sum()
    }

    /// Side of the last scale in tokens.
    pub fn last_side(&self) -> usize {
        self.scales.last().copied().unwrap_or(1)
    }

    /// Side of a history frame in pixels.
    pub fn frame_side(&self) -> usize {
        self.last_side() * self.tokenizer.downsampling()
    }
}

/// The `f1` block: what the network itself does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct RunConfig {
    /// Attention mode.
    pub attention: AttentionMode,
    /// History frames ending at now.
    pub history_frames: usize,
    /// Data-set steps between two history frames, and between now and the foresight image.
    pub obs_img_stride: usize,
    /// Steps a second of the data set the model was trained on, when known.
    pub dataset_rate_hz: Option<f64>,
    /// A history frame's shorter side before the crop, over the side of the crop.
    pub crop_ratio: f64,
    /// Tokens kept by rank when sampling; 0 keeps all, 1 is greedy. Never more than the codebook.
    pub top_k: usize,
    /// Probability mass kept when sampling; 0 or 1 keeps all.
    pub top_p: f64,
    /// Whether the foresight image is made of what the last generated scale's tokens are on average
    /// under their probabilities, and not of the tokens drawn: nearer to what comes in squared
    /// error. The tokens that the action expert sees are the drawn ones in any case.
    pub expected_image: bool,
    /// Whether the model was trained to act without foresight too (`loss.hide_foresight` of its run
    /// file): the generation expert may then be left out.
    pub optional_foresight: bool,
    /// Scale of the noise from which actions flow, 0 to 1: 1 draws from all that the data show, as
    /// the reference does; less stays nearer to their middle, which is steadier where they
    /// differ little.
    pub noise_scale: f64,
    /// Whether the history's past frames are shown to the understanding expert, as further cameras
    /// behind the others, oldest first: for comparisons of memory with foresight.
    pub history_in_understanding: bool,
    /// Trained on whole histories only: on a robot the policy waits until its history is full.
    /// Without it the first frame stands for what was before it.
    pub full_history: bool,
    /// Seed of sampling and noise where a caller gives none.
    pub seed: u64,
}

/// A whole model.
///
/// ```
/// let released = f1_model::Config::released();
/// assert_eq!(released.generation.map(|generation| generation.total_tokens()), Some(680));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// SigLIP.
    pub vision: VisionConfig,
    /// Understanding expert (PaliGemma's language model).
    pub understanding: ExpertConfig,
    /// Generation expert; absent in the pi0 layout.
    pub generation: Option<GenerationConfig>,
    /// Action expert.
    pub action: ExpertConfig,
    /// Width of the action projections; equals the action expert's width.
    pub proj_width: usize,
    /// Steps in one action chunk.
    pub chunk_size: usize,
    /// Padded width of an action.
    pub max_action_dim: usize,
    /// Padded width of the state.
    pub max_state_dim: usize,
    /// Prompt tokens, padding included.
    pub prompt_length: usize,
    /// Width and height camera images are fitted into.
    pub image_fit: [usize; 2],
    /// Euler steps of the flow.
    pub num_steps: usize,
    /// The `f1` block.
    pub run: RunConfig,
}

impl Config {
    /// Reads a `config.json` or `f1_config.json`, or the `config.json` of a directory.
    ///
    /// # Errors
    /// The file cannot be read, is not JSON, or holds faults; all of them are listed.
    pub fn load(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join("config.json") } else { path.to_path_buf() };
        let text = std::fs::read_to_string(&file).map_err(|source| Error::io(&file, source))?;
        Self::from_json(&text, &file.display().to_string())
    }

    /// Reads a configuration from JSON text; `origin` names it in errors.
    ///
    /// # Errors
    /// The text is not JSON or holds faults; all of them are listed.
    pub fn from_json(text: &str, origin: &str) -> Result<Self> {
        parse::parse(text, origin)
    }

    /// The explicit layout, `f1` block included, as written beside a checkpoint.
    pub fn to_json(&self) -> serde_json::Value {
        parse::write(self)
    }

    /// Checks everything that must agree.
    ///
    /// # Errors
    /// Every fault, each with its key.
    pub fn validate(&self, origin: &str) -> Result<()> {
        let faults = validate::faults(self);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::Config { origin: origin.to_string(), faults })
        }
    }

    /// Side of a history frame in pixels; `None` without a generation expert.
    pub fn frame_side(&self) -> Option<usize> {
        self.generation.as_ref().map(GenerationConfig::frame_side)
    }
}
