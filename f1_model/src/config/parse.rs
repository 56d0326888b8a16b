//! JSON to [`Config`] and back.

use serde_json::{Map, Value, json};

use super::{
    AttentionMode, Config, ExpertConfig, GenerationConfig, RunConfig, TokenizerConfig, VisionConfig,
};
use crate::{Error, Result};

/// One JSON object being read; faults of all of them gather in one list.
struct Section<'a> {
    path: String,
    map: Option<&'a Map<String, Value>>,
}

impl<'a> Section<'a> {
    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.and_then(|map| map.get(key)).filter(|value| !value.is_null())
    }

    fn child(&self, key: &str, faults: &mut Vec<String>) -> Section<'a> {
        let map = self.get(key).and_then(|value| {
            let map = value.as_object();
            if map.is_none() {
                faults.push(format!("{} is not an object", self.key(key)));
            }
            map
        });
        Section { path: self.key(key), map }
    }

    fn usize(&self, key: &str, default: usize, faults: &mut Vec<String>) -> usize {
        match self.get(key) {
            None => default,
            Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(n) if n <= MAX_SIZE => n,
                _ => {
                    faults.push(format!(
                        "{} is {value}, not a whole number within 0..={MAX_SIZE}",
                        self.key(key)
                    ));
                    default
                }
            },
        }
    }

    fn flag(&self, key: &str, default: bool, faults: &mut Vec<String>) -> bool {
        match self.get(key) {
            None => default,
            Some(value) => value.as_bool().unwrap_or_else(|| {
                faults.push(format!("{} is {value}, neither true nor false", self.key(key)));
                default
            }),
        }
    }

    fn f64(&self, key: &str, default: f64, faults: &mut Vec<String>) -> f64 {
        match self.get(key) {
            None => default,
            Some(value) => value.as_f64().filter(|x| x.is_finite()).unwrap_or_else(|| {
                faults.push(format!("{} is {value}, not a number", self.key(key)));
                default
            }),
        }
    }

    fn usizes(&self, key: &str, default: &[usize], faults: &mut Vec<String>) -> Vec<usize> {
        let Some(value) = self.get(key) else { return default.to_vec() };
        let numbers: Option<Vec<usize>> = match value {
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_u64().and_then(|n| usize::try_from(n).ok()))
                .collect(),
            // "(224, 224)" and "1_2_3" both occur in published files.
            Value::String(text) => text
                .split(|c: char| !c.is_ascii_digit())
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().ok())
                .collect(),
            _ => None,
        };
        match numbers
            .filter(|numbers| !numbers.is_empty() && numbers.iter().all(|n| *n <= MAX_SIZE))
        {
            Some(numbers) => numbers,
            None => {
                faults.push(format!("{} is {value}, not a list of whole numbers", self.key(key)));
                default.to_vec()
            }
        }
    }
}

/// No size of a real model is larger; what is larger is a mistake that would overflow later.
const MAX_SIZE: usize = 1 << 24;

/// Library defaults of a Gemma stack.
fn expert(section: &Section<'_>, faults: &mut Vec<String>) -> ExpertConfig {
    ExpertConfig {
        hidden_size: section.usize("hidden_size", 3072, faults),
        intermediate_size: section.usize("intermediate_size", 24_576, faults),
        layers: section.usize("num_hidden_layers", 28, faults),
        heads: section.usize("num_attention_heads", 16, faults),
        kv_heads: section.usize("num_key_value_heads", 16, faults),
        head_dim: section.usize("head_dim", 256, faults),
        rms_norm_eps: section.f64("rms_norm_eps", 1e-6, faults),
        rope_theta: section.f64("rope_theta", 10_000.0, faults),
        vocab_size: section.usize("vocab_size", 256_000, faults),
    }
}

pub(super) fn parse(text: &str, origin: &str) -> Result<Config> {
    let value: Value = serde_json::from_str(text).map_err(|error| Error::Config {
        origin: origin.to_string(),
        faults: vec![format!("not JSON: {error}")],
    })?;
    let Some(map) = value.as_object() else {
        return Err(Error::Config {
            origin: origin.to_string(),
            faults: vec!["not a JSON object".to_string()],
        });
    };
    let mut faults = Vec::new();
    let root = Section { path: String::new(), map: Some(map) };

    let und = root.child("und_expert_config", &mut faults);
    let text_config = und.child("text_config", &mut faults);
    let vision = und.child("vision_config", &mut faults);
    let act = root.child("act_expert_config", &mut faults);
    for (name, section) in [
        ("und_expert_config.text_config", &text_config),
        ("und_expert_config.vision_config", &vision),
        ("act_expert_config", &act),
    ] {
        if section.map.is_none() {
            faults.push(format!("{name} is missing"));
        }
    }
    let understanding = expert(&text_config, &mut faults);
    let vision = VisionConfig {
        hidden_size: vision.usize("hidden_size", 768, &mut faults),
        intermediate_size: vision.usize("intermediate_size", 3072, &mut faults),
        layers: vision.usize("num_hidden_layers", 12, &mut faults),
        heads: vision.usize("num_attention_heads", 12, &mut faults),
        image_size: vision.usize("image_size", 224, &mut faults),
        patch_size: vision.usize("patch_size", 16, &mut faults),
        layer_norm_eps: vision.f64("layer_norm_eps", 1e-6, &mut faults),
    };
    let action = expert(&act, &mut faults);

    let use_world_model = match root.get("use_world_model") {
        None => true,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => {
            faults.push(format!("use_world_model is {other}, not true or false"));
            true
        }
    };
    let generation = use_world_model.then(|| generation(&root, &mut faults));
    let run = run_block(&root, generation.as_ref(), &mut faults);
    let fit = root.usizes("resize_imgs_with_padding", &[224, 224], &mut faults);
    if fit.len() != 2 {
        faults.push(format!("resize_imgs_with_padding {fit:?} is not a width and a height"));
    }

    let config = Config {
        vision,
        understanding,
        generation,
        action,
        proj_width: root.usize("proj_width", 1024, &mut faults),
        chunk_size: root.usize("chunk_size", 50, &mut faults),
        max_action_dim: root.usize("max_action_dim", 32, &mut faults),
        max_state_dim: root.usize("max_state_dim", 32, &mut faults),
        prompt_length: root.usize("tokenizer_max_length", 48, &mut faults),
        image_fit: [fit.first().copied().unwrap_or(224), fit.get(1).copied().unwrap_or(224)],
        num_steps: root.usize("num_steps", 10, &mut faults),
        run,
    };
    faults.extend(super::validate::faults(&config));
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(Error::Config { origin: origin.to_string(), faults })
    }
}

fn generation(root: &Section<'_>, faults: &mut Vec<String>) -> GenerationConfig {
    let section = root.child("gen_expert_config", faults);
    if section.map.is_none() {
        faults.push(
            "gen_expert_config is missing (set use_world_model to false for the pi0 layout)"
                .to_string(),
        );
    }
    let vae = section.child("vae", faults);
    GenerationConfig {
        expert: expert(&section, faults),
        scales: section.usizes("pn", &[1, 2, 3, 4, 5, 6, 8, 10, 13, 16], faults),
        num_resolutions: section.usize("num_resolutions", 4, faults),
        temporal_kernel: section.usize("temporal_conv_kernel_size", 4, faults),
        temporal_stride: section.usize("temporal_conv_stride", 4, faults),
        condition_full_map: section.flag("condition_full_map", false, faults),
        continuous_map: section.flag("continuous_map", false, faults),
        tokenizer: TokenizerConfig {
            vocab_size: vae.usize("vocab_size", 4096, faults),
            z_channels: vae.usize("z_channels", 32, faults),
            ch: vae.usize("ch", 160, faults),
            ch_mult: vae.usizes("ch_mult", &[1, 1, 2, 2, 4], faults),
            num_res_blocks: vae.usize("num_res_blocks", 2, faults),
            norm_groups: vae.usize("norm_groups", 32, faults),
            share_quant_resi: vae.usize("share_quant_resi", 4, faults),
            quant_resi: vae.f64("quant_resi", 0.5, faults),
        },
    }
}

/// Keys of the `f1` block.
const RUN_KEYS: [&str; 13] = [
    "attention",
    "history_frames",
    "obs_img_stride",
    "dataset_rate_hz",
    "crop_ratio",
    "top_k",
    "top_p",
    "expected_image",
    "optional_foresight",
    "noise_scale",
    "history_in_understanding",
    "full_history",
    "seed",
];

fn run_block(
    root: &Section<'_>,
    generation: Option<&GenerationConfig>,
    faults: &mut Vec<String>,
) -> RunConfig {
    let released = RunConfig::released();
    let section = root.child("f1", faults);
    for key in section.map.iter().flat_map(|map| map.keys()) {
        if !RUN_KEYS.contains(&key.as_str()) {
            faults.push(format!("f1.{key} is not known; known are {}", RUN_KEYS.join(", ")));
        }
    }
    let attention = match section.get("attention").map(|value| (value, value.as_str())) {
        None => released.attention,
        Some((_, Some("released"))) => AttentionMode::Released,
        Some((_, Some("uga"))) => AttentionMode::Uga,
        Some((value, _)) => {
            faults.push(format!("f1.attention is {value}; known are \"released\" and \"uga\""));
            released.attention
        }
    };
    let mut flag = |key: &str, usual: bool| match section.get(key) {
        None => usual,
        Some(value) => value.as_bool().unwrap_or_else(|| {
            faults.push(format!("f1.{key} is {value}, neither true nor false"));
            usual
        }),
    };
    let history_in_understanding =
        flag("history_in_understanding", released.history_in_understanding);
    let full_history = flag("full_history", released.full_history);
    let expected_image = flag("expected_image", released.expected_image);
    let optional_foresight = flag("optional_foresight", released.optional_foresight);
    let seed = match section.get("seed") {
        None => released.seed,
        Some(value) => value.as_u64().unwrap_or_else(|| {
            faults.push(format!("f1.seed is {value}, not a whole number"));
            released.seed
        }),
    };
    // A model with another kernel and no block was trained with as many frames as its kernel
    // covers.
    let frames =
        generation.map_or(released.history_frames, |generation| generation.temporal_kernel);
    RunConfig {
        attention,
        history_frames: section.usize("history_frames", frames, faults),
        obs_img_stride: section.usize("obs_img_stride", released.obs_img_stride, faults),
        dataset_rate_hz: section
            .get("dataset_rate_hz")
            .is_some()
            .then(|| section.f64("dataset_rate_hz", 0.0, faults)),
        crop_ratio: section.f64("crop_ratio", released.crop_ratio, faults),
        top_k: section.usize("top_k", released.top_k, faults),
        top_p: section.f64("top_p", released.top_p, faults),
        expected_image,
        optional_foresight,
        noise_scale: section.f64("noise_scale", released.noise_scale, faults),
        history_in_understanding,
        full_history,
        seed,
    }
}

fn write_expert(expert: &ExpertConfig) -> Map<String, Value> {
    let value = json!({
        "model_type": "gemma",
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "hidden_size": expert.hidden_size,
        "intermediate_size": expert.intermediate_size,
        "num_hidden_layers": expert.layers,
        "num_attention_heads": expert.heads,
        "num_key_value_heads": expert.kv_heads,
        "head_dim": expert.head_dim,
        "rms_norm_eps": expert.rms_norm_eps,
        "rope_theta": expert.rope_theta,
        "vocab_size": expert.vocab_size,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) fn write(config: &Config) -> Value {
    let vision = &config.vision;
    let hidden = config.understanding.hidden_size;
    let vocabulary = config.understanding.vocab_size;
    let mut root = json!({
        "architectures": ["F1ForConditionalGeneration"],
        "model_type": "f1",
        "und_expert_config": {
            "model_type": "paligemma",
            "_vocab_size": vocabulary,
            "image_token_index": vocabulary,
            "bos_token_id": 2,
            "eos_token_id": 1,
            "pad_token_id": 0,
            "hidden_size": hidden,
            "projection_dim": hidden,
            "text_config": write_expert(&config.understanding),
            "vision_config": {
                "model_type": "siglip_vision_model",
                "hidden_size": vision.hidden_size,
                "intermediate_size": vision.intermediate_size,
                "num_hidden_layers": vision.layers,
                "num_attention_heads": vision.heads,
                "num_image_tokens": vision.tokens(),
                "image_size": vision.image_size,
                "patch_size": vision.patch_size,
                "layer_norm_eps": vision.layer_norm_eps,
                "projection_dim": hidden,
                "projector_hidden_act": "gelu_fast",
                "vision_use_head": false,
            },
        },
        "act_expert_config": write_expert(&config.action),
        "use_world_model": config.generation.is_some(),
        "proj_width": config.proj_width,
        "chunk_size": config.chunk_size,
        "max_action_dim": config.max_action_dim,
        "max_state_dim": config.max_state_dim,
        "tokenizer_max_length": config.prompt_length,
        "use_cache": true,
        "attention_implementation": "eager",
        "resize_imgs_with_padding": config.image_fit,
        "language_tokenizer_path": "",
        "num_steps": config.num_steps,
        "f1": {
            "attention": match config.run.attention {
                AttentionMode::Released => "released",
                AttentionMode::Uga => "uga",
            },
            "history_frames": config.run.history_frames,
            "obs_img_stride": config.run.obs_img_stride,
            "dataset_rate_hz": config.run.dataset_rate_hz,
            "crop_ratio": config.run.crop_ratio,
            "top_k": config.run.top_k,
            "top_p": config.run.top_p,
            "expected_image": config.run.expected_image,
            "optional_foresight": config.run.optional_foresight,
            "noise_scale": config.run.noise_scale,
            "history_in_understanding": config.run.history_in_understanding,
            "full_history": config.run.full_history,
            "seed": config.run.seed,
        },
    });
    if let (Some(generation), Some(map)) = (&config.generation, root.as_object_mut()) {
        let mut section = write_expert(&generation.expert);
        let sides: Vec<String> = generation.scales.iter().map(usize::to_string).collect();
        section.insert("pn".to_string(), json!(sides.join("_")));
        section.insert("num_resolutions".to_string(), json!(generation.num_resolutions));
        section.insert("temporal_conv_kernel_size".to_string(), json!(generation.temporal_kernel));
        section.insert("temporal_conv_stride".to_string(), json!(generation.temporal_stride));
        // Keys that the reference does not know are written where they change something.
        if generation.condition_full_map {
            section.insert("condition_full_map".to_string(), json!(true));
        }
        if generation.continuous_map {
            section.insert("continuous_map".to_string(), json!(true));
        }
        let tokenizer = &generation.tokenizer;
        section.insert(
            "vae".to_string(),
            json!({
                "vocab_size": tokenizer.vocab_size,
                "z_channels": tokenizer.z_channels,
                "ch": tokenizer.ch,
                "ch_mult": tokenizer.ch_mult,
                "num_res_blocks": tokenizer.num_res_blocks,
                "norm_groups": tokenizer.norm_groups,
                "share_quant_resi": tokenizer.share_quant_resi,
                "quant_resi": tokenizer.quant_resi,
                "test_mode": true,
                "vae_ckpt": "",
            }),
        );
        map.insert("gen_expert_config".to_string(), Value::Object(section));
    }
    root
}
