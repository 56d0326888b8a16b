//! What must agree in a configuration, said by key.

use super::{Config, ExpertConfig};

/// Every fault of `config`.
pub(super) fn faults(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |ok: bool, message: String| {
        if !ok {
            faults.push(message);
        }
    };

    let mut experts: Vec<(&str, &ExpertConfig)> = vec![
        ("und_expert_config.text_config", &config.understanding),
        ("act_expert_config", &config.action),
    ];
    if let Some(generation) = &config.generation {
        experts.push(("gen_expert_config", &generation.expert));
    }
    for (name, expert) in &experts {
        for (key, value) in [
            ("hidden_size", expert.hidden_size),
            ("intermediate_size", expert.intermediate_size),
            ("num_hidden_layers", expert.layers),
            ("num_attention_heads", expert.heads),
            ("num_key_value_heads", expert.kv_heads),
            ("head_dim", expert.head_dim),
            ("vocab_size", expert.vocab_size),
        ] {
            check(value > 0, format!("{name}.{key} must be positive"));
        }
        check(
            expert.kv_heads > 0 && expert.heads % expert.kv_heads.max(1) == 0,
            format!(
                "{name}.num_attention_heads {} is not a multiple of num_key_value_heads {}",
                expert.heads, expert.kv_heads
            ),
        );
        check(
            expert.head_dim % 2 == 0,
            format!("{name}.head_dim {} is odd: RoPE rotates halves", expert.head_dim),
        );
        check(expert.rms_norm_eps > 0.0, format!("{name}.rms_norm_eps must be positive"));
        check(expert.rope_theta > 0.0, format!("{name}.rope_theta must be positive"));
    }
    let (first_name, first) = ("und_expert_config.text_config", &config.understanding);
    for (name, expert) in experts.iter().skip(1) {
        for (key, a, b) in [
            ("num_hidden_layers", first.layers, expert.layers),
            ("num_attention_heads", first.heads, expert.heads),
            ("num_key_value_heads", first.kv_heads, expert.kv_heads),
            ("head_dim", first.head_dim, expert.head_dim),
        ] {
            check(
                a == b,
                format!(
                    "{name}.{key} {b} differs from {first_name}.{key} {a}: experts share one attention"
                ),
            );
        }
        check(
            first.rope_theta == expert.rope_theta,
            format!(
                "{name}.rope_theta {} differs from {first_name}.rope_theta {}",
                expert.rope_theta, first.rope_theta
            ),
        );
    }

    let vision = &config.vision;
    for (key, value) in [
        ("hidden_size", vision.hidden_size),
        ("intermediate_size", vision.intermediate_size),
        ("num_hidden_layers", vision.layers),
        ("num_attention_heads", vision.heads),
        ("patch_size", vision.patch_size),
    ] {
        check(value > 0, format!("und_expert_config.vision_config.{key} must be positive"));
    }
    check(
        vision.hidden_size.is_multiple_of(vision.heads.max(1)),
        format!(
            "und_expert_config.vision_config.hidden_size {} is not a multiple of num_attention_heads {}",
            vision.hidden_size, vision.heads
        ),
    );
    check(
        vision.image_size >= vision.patch_size,
        format!(
            "und_expert_config.vision_config.image_size {} is smaller than patch_size {}",
            vision.image_size, vision.patch_size
        ),
    );
    check(
        config.image_fit == [vision.image_size; 2],
        format!(
            "resize_imgs_with_padding {:?} differs from und_expert_config.vision_config.image_size {}",
            config.image_fit, vision.image_size
        ),
    );

    if let Some(generation) = &config.generation {
        let scales = &generation.scales;
        check(scales.len() >= 2, "gen_expert_config.pn must name at least two scales".to_string());
        check(
            scales.first() == Some(&1),
            format!(
                "gen_expert_config.pn starts with {:?}: the first scale must be 1",
                scales.first()
            ),
        );
        check(
            scales.windows(2).all(|pair| {
                pair[0] < pair[1] || (pair[0] == pair[1] && Some(&pair[1]) == scales.last())
            }),
            format!(
                "gen_expert_config.pn {scales:?} does not grow from scale to scale (the last may be repeated)"
            ),
        );
        check(
            (1..=scales.len()).contains(&generation.num_resolutions),
            format!(
                "gen_expert_config.num_resolutions {} is not within 1..={}",
                generation.num_resolutions,
                scales.len()
            ),
        );
        let (frames, kernel, stride) =
            (config.run.history_frames, generation.temporal_kernel, generation.temporal_stride);
        check(
            kernel > 0 && stride > 0 && frames >= kernel && (frames - kernel) / stride.max(1) == 0,
            format!(
                "f1.history_frames {frames} with gen_expert_config.temporal_conv_kernel_size {kernel} and \
                 temporal_conv_stride {stride} does not reduce to one step"
            ),
        );
        let tokenizer = &generation.tokenizer;
        for (key, value) in [
            ("vocab_size", tokenizer.vocab_size),
            ("z_channels", tokenizer.z_channels),
            ("ch", tokenizer.ch),
            ("num_res_blocks", tokenizer.num_res_blocks),
            ("norm_groups", tokenizer.norm_groups),
        ] {
            check(value > 0, format!("gen_expert_config.vae.{key} must be positive"));
        }
        check(
            !tokenizer.ch_mult.is_empty(),
            "gen_expert_config.vae.ch_mult names no level".to_string(),
        );
        for mult in &tokenizer.ch_mult {
            check(
                *mult > 0 && (tokenizer.ch * mult) % tokenizer.norm_groups.max(1) == 0,
                format!(
                    "gen_expert_config.vae.ch {} times ch_mult {mult} is not a multiple of norm_groups {}",
                    tokenizer.ch, tokenizer.norm_groups
                ),
            );
        }
        check(
            (0.0..=1.0).contains(&tokenizer.quant_resi),
            format!(
                "gen_expert_config.vae.quant_resi {} is not within 0..=1",
                tokenizer.quant_resi
            ),
        );
    }
    check(
        config.action.hidden_size == config.proj_width,
        format!(
            "act_expert_config.hidden_size {} differs from proj_width {}",
            config.action.hidden_size, config.proj_width
        ),
    );
    check(
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
        check(value > 0, format!("{key} must be positive"));
    }
    check(
        (0.0..=1.0).contains(&config.run.top_p),
        format!("f1.top_p {} is not within 0..=1", config.run.top_p),
    );
    check(
        (0.0..=1.0).contains(&config.run.noise_scale),
        format!("f1.noise_scale {} is not within 0..=1", config.run.noise_scale),
    );
    check(
        config.run.crop_ratio >= 1.0 && config.run.crop_ratio.is_finite(),
        format!("f1.crop_ratio {} must be at least 1", config.run.crop_ratio),
    );
    check(
        config.run.dataset_rate_hz.is_none_or(|rate| rate > 0.0 && rate.is_finite()),
        "f1.dataset_rate_hz must be positive".to_string(),
    );
    faults
}
