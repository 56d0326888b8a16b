//! Presets: the released model, its variants, and the layout without a generation expert.

use super::{
    AttentionMode, Config, ExpertConfig, GenerationConfig, RunConfig, TokenizerConfig, VisionConfig,
};
use crate::{Error, Result};

/// Vocabulary of PaliGemma's text embedding.
const TEXT_VOCABULARY: usize = 257_152;

impl Config {
    /// The released 4.2 B model: ten scales, four of them generated at run time.
    pub fn released() -> Self {
        let small = ExpertConfig {
            hidden_size: 1024,
            intermediate_size: 4096,
            layers: 18,
            heads: 8,
            kv_heads: 1,
            head_dim: 256,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            vocab_size: TEXT_VOCABULARY,
        };
        Self {
            vision: VisionConfig {
                hidden_size: 1152,
                intermediate_size: 4304,
                layers: 27,
                heads: 16,
                image_size: 224,
                patch_size: 14,
                layer_norm_eps: 1e-6,
            },
            understanding: ExpertConfig {
                hidden_size: 2048,
                intermediate_size: 16_384,
                ..small.clone()
            },
            generation: Some(GenerationConfig {
                expert: small.clone(),
                scales: vec![1, 2, 3, 4, 5, 6, 8, 10, 13, 16],
                num_resolutions: 4,
                temporal_kernel: 4,
                temporal_stride: 4,
                condition_full_map: false,
                continuous_map: false,
                tokenizer: TokenizerConfig {
                    vocab_size: 4096,
                    z_channels: 32,
                    ch: 160,
                    ch_mult: vec![1, 1, 2, 2, 4],
                    num_res_blocks: 2,
                    norm_groups: 32,
                    share_quant_resi: 4,
                    quant_resi: 0.5,
                },
            }),
            action: small,
            proj_width: 1024,
            chunk_size: 50,
            max_action_dim: 32,
            max_state_dim: 32,
            prompt_length: 48,
            image_fit: [224, 224],
            num_steps: 10,
            run: RunConfig::released(),
        }
    }

    /// The released model generating `scales` scales at run time: 2, 4, 6 or 10 in the paper.
    ///
    /// # Errors
    /// `scales` is not within 1..=10.
    pub fn released_with_scales(scales: usize) -> Result<Self> {
        let mut config = Self::released();
        if let Some(generation) = &mut config.generation {
            generation.num_resolutions = scales;
        }
        config.validate("preset released_with_scales")?;
        Ok(config)
    }

    /// The pi0 layout: no generation expert, no history, no foresight.
    pub fn without_generation() -> Self {
        Self { generation: None, ..Self::released() }
    }

    /// A preset by its name: `released`, `released-2`, `released-4`, `released-6`, `released-10`,
    /// `pi0`.
    ///
    /// # Errors
    /// No preset has this name.
    pub fn preset(name: &str) -> Result<Self> {
        match name {
            "released" => Ok(Self::released()),
            "released-2" => Self::released_with_scales(2),
            "released-4" => Self::released_with_scales(4),
            "released-6" => Self::released_with_scales(6),
            "released-10" => Self::released_with_scales(10),
            "pi0" => Ok(Self::without_generation()),
            other => Err(Error::input(format!(
                "no preset `{other}`; there are released, released-2, released-4, released-6, released-10, pi0"
            ))),
        }
    }
}

impl RunConfig {
    /// The `f1` block of the released weights, whose files have none.
    pub fn released() -> Self {
        Self {
            attention: AttentionMode::Released,
            history_frames: 4,
            obs_img_stride: 3,
            dataset_rate_hz: None,
            crop_ratio: 1.125,
            top_k: 900,
            top_p: 0.95,
            expected_image: false,
            optional_foresight: false,
            noise_scale: 1.0,
            history_in_understanding: false,
            full_history: false,
            seed: 0,
        }
    }
}
