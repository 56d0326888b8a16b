//! Checks that the settings of a configuration fit together; every fault names its key.

use super::{Config, ExpertConfig, GenerationConfig, TokenizerConfig};

/// Every fault of `config`.
pub(super) fn faults(config: &Config) -> Vec<String> {
    let mut faults = Faults::default();
    let understanding = ("und_expert_config.text_config", &config.understanding);
    let mut others = vec![("act_expert_config", &config.action)];
    if let Some(generation) = &config.generation {
        others.push(("gen_expert_config", &generation.expert));
    }
    expert(understanding, &mut faults);
    for other in others {
        expert(other, &mut faults);
        shared_attention(understanding, other, &mut faults);
    }
    vision(config, &mut faults);
    if let Some(of_generation) = &config.generation {
        generation(of_generation, config, &mut faults);
        tokenizer(&of_generation.tokenizer, &mut faults);
    }
    actions(config, &mut faults);
    run(config, &mut faults);
    faults.0
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    /// A fault unless `ok`.
    fn check(&mut self, ok: bool, message: String) {
        if !ok {
            self.0.push(message);
        }
    }
}

/// One decoder stack.
fn expert((name, expert): (&str, &ExpertConfig), faults: &mut Faults) {
    for (key, value) in [
        ("hidden_size", expert.hidden_size),
        ("intermediate_size", expert.intermediate_size),
        ("num_hidden_layers", expert.layers),
        ("num_attention_heads", expert.heads),
        ("num_key_value_heads", expert.kv_heads),
        ("head_dim", expert.head_dim),
        ("vocab_size", expert.vocab_size),
    ] {
        faults.check(value > 0, format!("{name}.{key} must be positive"));
    }
    faults.check(
        expert.kv_heads > 0 && expert.heads % expert.kv_heads.max(1) == 0,
        format!(
            "{name}.num_attention_heads {} is not a multiple of num_key_value_heads {}",
            expert.heads, expert.kv_heads
        ),
    );
    faults.check(
        expert.head_dim % 2 == 0,
        format!("{name}.head_dim {} is odd: RoPE rotates halves", expert.head_dim),
    );
    faults.check(expert.rms_norm_eps > 0.0, format!("{name}.rms_norm_eps must be positive"));
    faults.check(expert.rope_theta > 0.0, format!("{name}.rope_theta must be positive"));
}

/// What experts must have in common to share one attention.
fn shared_attention(
    (first_name, first): (&str, &ExpertConfig),
    (name, expert): (&str, &ExpertConfig),
    faults: &mut Faults,
) {
    for (key, a, b) in [
        ("num_hidden_layers", first.layers, expert.layers),
        ("num_attention_heads", first.heads, expert.heads),
        ("num_key_value_heads", first.kv_heads, expert.kv_heads),
        ("head_dim", first.head_dim, expert.head_dim),
    ] {
        faults.check(
            a == b,
            format!(
                "{name}.{key} {b} differs from {first_name}.{key} {a}: experts share one attention"
            ),
        );
    }
    faults.check(
        first.rope_theta == expert.rope_theta,
        format!(
            "{name}.rope_theta {} differs from {first_name}.rope_theta {}",
            expert.rope_theta, first.rope_theta
        ),
    );
}

/// SigLIP and the size of its images.
fn vision(config: &Config, faults: &mut Faults) {
    let vision = &config.vision;
    for (key, value) in [
        ("hidden_size", vision.hidden_size),
        ("intermediate_size", vision.intermediate_size),
        ("num_hidden_layers", vision.layers),
        ("num_attention_heads", vision.heads),
        ("patch_size", vision.patch_size),
    ] {
        faults.check(value > 0, format!("und_expert_config.vision_config.{key} must be positive"));
    }
    faults.check(
        vision.hidden_size.is_multiple_of(vision.heads.max(1)),
        format!(
            "und_expert_config.vision_config.hidden_size {} is not a multiple of num_attention_heads {}",
            vision.hidden_size, vision.heads
        ),
    );
    faults.check(
        vision.image_size >= vision.patch_size,
        format!(
            "und_expert_config.vision_config.image_size {} is smaller than patch_size {}",
            vision.image_size, vision.patch_size
        ),
    );
    faults.check(
        config.image_fit == [vision.image_size; 2],
        format!(
            "resize_imgs_with_padding {:?} differs from und_expert_config.vision_config.image_size {}",
            config.image_fit, vision.image_size
        ),
    );
}

/// The generation expert's scales and history.
fn generation(generation: &GenerationConfig, config: &Config, faults: &mut Faults) {
    let scales = &generation.scales;
    faults
        .check(scales.len() >= 2, "gen_expert_config.pn must name at least two scales".to_string());
    faults.check(
        scales.first() == Some(&1),
        format!("gen_expert_config.pn starts with {:?}: the first scale must be 1", scales.first()),
    );
    faults.check(
        scales.windows(2).all(|pair| {
            pair[0] < pair[1] || (pair[0] == pair[1] && Some(&pair[1]) == scales.last())
        }),
        format!(
            "gen_expert_config.pn {scales:?} does not grow from scale to scale (only the last may \
             be repeated)"
        ),
    );
    faults.check(
        (1..=scales.len()).contains(&generation.num_resolutions),
        format!(
            "gen_expert_config.num_resolutions {} is not within 1..={}",
            generation.num_resolutions,
            scales.len()
        ),
    );
    faults.check(
        generation.condition_full_map || !generation.continuous_map,
        "gen_expert_config.continuous_map needs condition_full_map".to_string(),
    );
    let (frames, kernel, stride) =
        (config.run.history_frames, generation.temporal_kernel, generation.temporal_stride);
    faults.check(
        kernel > 0 && stride > 0 && frames >= kernel && (frames - kernel) / stride.max(1) == 0,
        format!(
            "f1.history_frames {frames} with gen_expert_config.temporal_conv_kernel_size {kernel} and \
             temporal_conv_stride {stride} does not reduce to one step"
        ),
    );
}

/// The image tokenizer.
fn tokenizer(tokenizer: &TokenizerConfig, faults: &mut Faults) {
    for (key, value) in [
        ("vocab_size", tokenizer.vocab_size),
        ("z_channels", tokenizer.z_channels),
        ("ch", tokenizer.ch),
        ("num_res_blocks", tokenizer.num_res_blocks),
        ("norm_groups", tokenizer.norm_groups),
    ] {
        faults.check(value > 0, format!("gen_expert_config.vae.{key} must be positive"));
    }
    faults.check(
        !tokenizer.ch_mult.is_empty(),
        "gen_expert_config.vae.ch_mult names no level".to_string(),
    );
    for mult in &tokenizer.ch_mult {
        faults.check(
            *mult > 0 && (tokenizer.ch * mult).is_multiple_of(tokenizer.norm_groups.max(1)),
            format!(
                "gen_expert_config.vae.ch {} times ch_mult {mult} is not a multiple of norm_groups {}",
                tokenizer.ch, tokenizer.norm_groups
            ),
        );
    }
    faults.check(
        (0.0..=1.0).contains(&tokenizer.quant_resi),
        format!("gen_expert_config.vae.quant_resi {} is not within 0..=1", tokenizer.quant_resi),
    );
}

/// The action expert's input and output.
fn actions(config: &Config, faults: &mut Faults) {
    faults.check(
        config.action.hidden_size == config.proj_width,
        format!(
            "act_expert_config.hidden_size {} differs from proj_width {}",
            config.action.hidden_size, config.proj_width
        ),
    );
    faults.check(
        config.proj_width.is_multiple_of(2),
        format!("proj_width {} is odd: the time embedding has two halves", config.proj_width),
    );
    for (key, value) in [
        ("chunk_size", config.chunk_size),
        ("max_action_dim", config.max_action_dim),
        ("max_state_dim", config.max_state_dim),
        ("tokenizer_max_length", config.prompt_length),
        ("num_steps", config.num_steps),
        ("f1.obs_img_stride", config.run.obs_img_stride),
    ] {
        faults.check(value > 0, format!("{key} must be positive"));
    }
}

/// The block `f1`: settings that the reference does not have.
fn run(config: &Config, faults: &mut Faults) {
    faults.check(
        (0.0..=1.0).contains(&config.run.top_p),
        format!("f1.top_p {} is not within 0..=1", config.run.top_p),
    );
    faults.check(
        (0.0..=1.0).contains(&config.run.noise_scale),
        format!("f1.noise_scale {} is not within 0..=1", config.run.noise_scale),
    );
    faults.check(
        config.run.crop_ratio >= 1.0 && config.run.crop_ratio.is_finite(),
        format!("f1.crop_ratio {} must be at least 1", config.run.crop_ratio),
    );
    faults.check(
        config.run.dataset_rate_hz.is_none_or(|rate| rate > 0.0 && rate.is_finite()),
        "f1.dataset_rate_hz must be positive".to_string(),
    );
}
