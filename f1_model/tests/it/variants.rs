//! Other sizes than the golden ones: different ways to compute the same agree, in both attention
//! modes.

use candle_core::{DType, Device, Tensor};
use f1_model::checkpoint;
use f1_model::network::F1Network;
use f1_model::padding::Padding;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::training::{Batch, FlowDraw, FrameTokens, JointSettings};
use f1_model::weights::ParameterSet;
use f1_model::{ActRequest, AttentionMode, Config, F1Policy, LoadOptions, PolicyInput, Prompt};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

use crate::support::tiny;

/// The tiny configuration with other values at JSON pointers.
fn variant(changes: &[(&str, Value)]) -> Config {
    let text = std::fs::read_to_string(tiny().join("f1_config.json")).expect("the file");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["f1"] = json!({"attention": "released", "top_k": 1});
    for (pointer, change) in changes {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = if parent.is_empty() {
            &mut value
        } else {
            value.pointer_mut(parent).expect("a parent")
        };
        parent[key] = change.clone();
    }
    Config::from_json(&value.to_string(), "variant").expect("a sound variant")
}

fn variants() -> Vec<(&'static str, Config)> {
    let heads = |count: usize| {
        ["/und_expert_config/text_config", "/gen_expert_config", "/act_expert_config"]
            .map(|at| (format!("{at}/num_key_value_heads"), json!(count)))
    };
    let with_heads = |count: usize| {
        let changes = heads(count);
        let changes: Vec<(&str, Value)> =
            changes.iter().map(|(at, value)| (at.as_str(), value.clone())).collect();
        variant(&changes)
    };
    vec![
        ("as published", variant(&[])),
        ("two key/value heads", with_heads(2)),
        ("as many key/value heads as heads", with_heads(4)),
        ("two of four scales", variant(&[("/gen_expert_config/num_resolutions", json!(2))])),
        ("one of four scales", variant(&[("/gen_expert_config/num_resolutions", json!(1))])),
        (
            "history of five, kernel three, stride three",
            variant(&[
                ("/gen_expert_config/temporal_conv_kernel_size", json!(3)),
                ("/gen_expert_config/temporal_conv_stride", json!(3)),
                ("/f1/history_frames", json!(5)),
            ]),
        ),
        (
            "another tokenizer",
            variant(&[
                ("/gen_expert_config/pn", json!("1_2_3_5_8")),
                (
                    "/gen_expert_config/vae",
                    json!({"ch": 16, "ch_mult": [1, 2, 3], "norm_groups": 8, "num_res_blocks": 1, "z_channels": 12,
                           "vocab_size": 50, "share_quant_resi": 1}),
                ),
            ]),
        ),
        (
            "a phi for each scale",
            variant(&[(
                "/gen_expert_config/vae",
                json!({"ch": 8, "ch_mult": [1, 2], "norm_groups": 4, "num_res_blocks": 1, "z_channels": 8,
                       "vocab_size": 40, "share_quant_resi": 0}),
            )]),
        ),
        (
            "smaller patches",
            variant(&[
                ("/und_expert_config/vision_config/image_size", json!(40)),
                ("/und_expert_config/vision_config/patch_size", json!(8)),
                ("/resize_imgs_with_padding", json!([40, 40])),
            ]),
        ),
        (
            "the whole code map in the condition",
            variant(&[("/gen_expert_config/condition_full_map", json!(true))]),
        ),
        (
            "the last scale twice, the whole code map in the condition",
            variant(&[
                ("/gen_expert_config/pn", json!("1_2_4_4")),
                ("/gen_expert_config/condition_full_map", json!(true)),
            ]),
        ),
        (
            "a continuous map in the condition and in the image",
            variant(&[
                ("/gen_expert_config/condition_full_map", json!(true)),
                ("/gen_expert_config/continuous_map", json!(true)),
                ("/f1/expected_image", json!(true)),
            ]),
        ),
        (
            "a generation expert wider than the action expert",
            variant(&[
                ("/gen_expert_config/hidden_size", json!(48)),
                ("/gen_expert_config/intermediate_size", json!(96)),
            ]),
        ),
        ("other chunk and steps", variant(&[("/chunk_size", json!(3)), ("/num_steps", json!(4))])),
    ]
}

fn both_modes() -> Vec<(String, Config)> {
    variants()
        .into_iter()
        .flat_map(|(name, config)| {
            let mut uga = config.clone();
            uga.run.attention = AttentionMode::Uga;
            [(format!("{name}, released"), config), (format!("{name}, uga"), uga)]
        })
        .collect()
}

fn image(seed: u32) -> RgbImage {
    RgbImage::from_fn(50, 40, |x, y| {
        let value = |k: u32| ((x * (3 + k) + y * (7 + seed) + seed * 31 * (k + 1)) % 256) as u8;
        Rgb([value(0), value(1), value(2)])
    })
}

fn distance(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).expect("same shapes")
}

#[test]
fn padding_changes_nothing() {
    for (name, config) in both_modes() {
        let policy = F1Policy::random(&config, 3, &LoadOptions::default()).expect("random");
        let network = policy.network();
        let ids = vec![2, 40, 7];
        let history: Vec<_> = (0..config.run.history_frames as u32)
            .map(|k| policy.encode_frame(&image(k)).expect("encoded"))
            .collect();
        let camera = policy.prepare_camera(&image(50)).expect("prepared");
        let input = PolicyInput {
            cameras: vec![None, Some(camera.clone())],
            prompt: Prompt::from_ids(ids.clone(), 12),
            history: history.clone(),
        };
        let prefix = policy.perceive(&input, 0).expect("perceived");
        let noise: Vec<f32> = (0..config.chunk_size * config.max_action_dim)
            .map(|i| (i as f32 * 0.7).sin())
            .collect();
        let plain = policy.act_from(&prefix, &[0.3, -0.1], &noise, None).expect("acted");

        // The same with an absent camera first and a padded prompt, as in a training batch.
        let image = camera.tensor().unsqueeze(0).expect("a batch");
        let tokens = config.vision.tokens();
        let mut flags = vec![false; tokens];
        flags.extend(vec![true; tokens]);
        flags.extend((0..config.prompt_length).map(|at| at < ids.len()));
        let mut padded = ids.clone();
        padded.resize(config.prompt_length, 0);
        let prompt =
            Tensor::new(padded, &Device::Cpu).and_then(|ids| ids.unsqueeze(0)).expect("ids");
        let off = &mut Recorder::off();
        let parts = [
            network.embed_images(&image.zeros_like().expect("zeros"), off).expect("embedded"),
            network.embed_images(&image, off).expect("embedded"),
            network.embed_prompt(&prompt).expect("embedded"),
        ];
        let embedded = Tensor::cat(&parts, 1).expect("joined");
        let padding = Padding::new(vec![flags]).expect("padding");
        let frames = Tensor::stack(
            &history
                .iter()
                .map(|f| Tensor::new(f.tokens(), &Device::Cpu).expect("ids"))
                .collect::<Vec<_>>(),
            0,
        )
        .expect("frames");
        let features: Vec<Tensor> =
            history.iter().filter_map(|frame| frame.features().expect("features")).collect();
        let features = (!features.is_empty()).then(|| Tensor::cat(&features, 0).expect("features"));
        let vectors = network
            .foresight()
            .expect("a generation expert")
            .tokenizer
            .quantizer()
            .history_vectors(&frames, features.as_ref());
        let vectors = vectors.expect("vectors").unsqueeze(0).expect("a batch");
        let mut source = TokenSource::Greedy;
        let state = network
            .perceive(&embedded, &padding, Some(&vectors), &mut source, off)
            .expect("perceived");
        let own: Vec<Vec<u32>> = state
            .tokens
            .iter()
            .map(|ids| ids.flatten_all().and_then(|ids| ids.to_vec1()).expect("ids"))
            .collect();
        assert_eq!(own, prefix.tokens(), "{name}");
        let mut proprioception = vec![0f32; config.max_state_dim];
        proprioception[..2].copy_from_slice(&[0.3, -0.1]);
        let proprioception =
            Tensor::from_vec(proprioception, (1, config.max_state_dim), &Device::Cpu)
                .expect("a state");
        let noise =
            Tensor::from_vec(noise, (1, config.chunk_size, config.max_action_dim), &Device::Cpu)
                .expect("noise");
        let batch = network.act(&state, &proprioception, &noise, None, off).expect("acted");
        let plain =
            Tensor::new(plain, &Device::Cpu).and_then(|plain| plain.unsqueeze(0)).expect("actions");
        assert!(distance(&plain, &batch) < 1e-4, "{name}: {}", distance(&plain, &batch));

        // One pass of training computes the velocity of the first step.
        let mut recorder = Recorder::on();
        let recorded =
            network.act(&state, &proprioception, &noise, None, &mut recorder).expect("acted");
        // Keys and values written in place equal those of a cache that grows by copies.
        assert!(distance(&recorded, &batch) < 1e-5, "{name}: {}", distance(&recorded, &batch));
        let first = recorder.into_tensors().remove("act.step0.v_t").expect("kept");
        let velocity =
            network.velocity(&state, &proprioception, &noise, &[1.0], off).expect("a velocity");
        assert!(distance(&first, &velocity) < 1e-4, "{name}: {}", distance(&first, &velocity));
    }
}

fn batch(config: &Config, frame_tokens: Option<FrameTokens>) -> Batch {
    let side = config.vision.image_size;
    let value = |scale: f32, count: usize| {
        (0..count).map(|i| (i as f32 * scale).sin()).collect::<Vec<f32>>()
    };
    let tensor = |scale, shape: &[usize]| {
        Tensor::from_vec(value(scale, shape.iter().product()), shape, &Device::Cpu)
            .expect("a tensor")
    };
    Batch {
        images: vec![tensor(0.01, &[2, 3, side, side]), tensor(0.03, &[2, 3, side, side])],
        image_valid: vec![vec![true, true], vec![true, false]],
        prompt: Tensor::new(&[[2u32, 9, 30, 0], [2, 8, 0, 0]], &Device::Cpu).expect("ids"),
        prompt_valid: vec![vec![true, true, true, false], vec![true, true, false, false]],
        frame_tokens,
        state: tensor(0.9, &[2, config.max_state_dim]),
        actions: tensor(0.2, &[2, config.chunk_size, config.max_action_dim]),
        action_is_pad: vec![
            vec![false; config.chunk_size],
            (0..config.chunk_size).map(|step| step + 1 == config.chunk_size).collect(),
        ],
        noise: tensor(1.3, &[2, config.chunk_size, config.max_action_dim]),
        time: vec![0.4, 0.9],
        more_draws: Vec::new(),
    }
}

#[test]
fn teacher_forcing_on_own_tokens_repeats_the_generation() {
    for (name, mut config) in both_modes() {
        let generation = config.generation.as_mut().expect("a generation expert");
        generation.num_resolutions = generation.scales.len();
        let (side, frames) = (generation.frame_side(), config.run.history_frames);
        let weights = checkpoint::random(&config, 5, DType::F32, &Device::Cpu).expect("random");
        let network = F1Network::new(&config, &weights, None).expect("builds");
        let pixels: Vec<f32> =
            (0..2 * frames * 3 * side * side).map(|i| (i as f32 * 0.013).sin()).collect();
        let pixels =
            Tensor::from_vec(pixels, (2, frames, 3, side, side), &Device::Cpu).expect("pixels");
        let history = network.tokenize(&pixels).expect("tokens");
        let observed = batch(&config, Some(history.clone()));
        let off = &mut Recorder::off();
        let prefix =
            network.perceive_batch(&observed, &mut TokenSource::Greedy, off).expect("perceived");
        let own = Tensor::cat(&prefix.tokens, 1).expect("tokens");
        // The target's features enter the loss of the map alone.
        let features = history.features.as_ref().map(|features| {
            Tensor::cat(&[features, &features.narrow(1, 0, 1).expect("a frame")], 1).expect("cat")
        });
        let ids = Tensor::cat(&[&history.ids, &own.unsqueeze(1).expect("a frame")], 1);
        let joined = FrameTokens { ids: ids.expect("frames"), features };
        let forced = network.stage1_loss(&batch(&config, Some(joined)), None, off).expect("a loss");
        let generated = Tensor::cat(&prefix.logits, 1).expect("logits");
        let error = distance(&generated, forced.logits.as_ref().expect("logits"));
        assert!(error < 2e-4, "{name}: {error}");
        assert_eq!(forced.token_accuracy, Some(1.0), "{name}");
    }
}

#[test]
fn the_action_loss_of_several_draws_is_their_mean() {
    let (_, config) = both_modes().remove(0);
    let set = ParameterSet::random(&config, 7, &Device::Cpu, |_| false).expect("random");
    let network = F1Network::new(&config, &set.weights(), None).expect("builds");
    let generation = config.generation.clone().expect("a generation expert");
    let frames = config.run.history_frames;
    let ids: Vec<u32> = (0..2 * frames * generation.total_tokens()).map(|i| i as u32 % 7).collect();
    let ids =
        Tensor::from_vec(ids, (2, frames, generation.total_tokens()), &Device::Cpu).expect("ids");
    let loss = |batch: &Batch| -> f32 {
        let mut settings = JointSettings { foresight_loss: false, ..JointSettings::default() };
        let output =
            network.joint_loss(batch, &mut settings, &mut Recorder::off()).expect("a loss");
        output.action_loss.expect("actions").to_scalar().expect("a number")
    };
    let tokens = FrameTokens { ids, features: None };
    let first = batch(&config, Some(tokens.clone()));
    let mut second = batch(&config, Some(tokens.clone()));
    second.noise = (second.noise * -0.7).expect("noise");
    second.time = vec![0.7, 0.2];
    let mut both = batch(&config, Some(tokens));
    both.more_draws.push(FlowDraw { noise: second.noise.clone(), time: second.time.clone() });
    let (a, b, mean) = (loss(&first), loss(&second), loss(&both));
    assert!((a - b).abs() > 1e-3, "the draws must differ: {a} {b}");
    assert!((mean - 0.5 * (a + b)).abs() < 1e-5 * mean.abs().max(1.0), "{a} {b} {mean}");
}

#[test]
fn every_trained_parameter_of_the_joint_stage_has_a_gradient() {
    for (name, config) in both_modes() {
        let generation = config.generation.clone().expect("a generation expert");
        let set = ParameterSet::random(&config, 7, &Device::Cpu, |group| {
            group != f1_model::parameters::Group::Tokenizer
        })
        .expect("random");
        let network = F1Network::new(&config, &set.weights(), None).expect("builds");
        let count = 2 * (config.run.history_frames + 1) * generation.total_tokens();
        let ids: Vec<u32> =
            (0..count).map(|i| (i * 37 % generation.tokenizer.vocab_size) as u32).collect();
        let ids = Tensor::from_vec(
            ids,
            (2, config.run.history_frames + 1, generation.total_tokens()),
            &Device::Cpu,
        );
        let features = generation.continuous_map.then(|| {
            let (side, codes) = (generation.last_side(), generation.tokenizer.z_channels);
            let shape = (2, config.run.history_frames + 1, side * side, codes);
            Tensor::randn(0f32, 1f32, shape, &Device::Cpu).expect("features")
        });
        let tokens = FrameTokens { ids: ids.expect("ids"), features };
        let mut settings = JointSettings { map_weight: 0.5, ..JointSettings::default() };
        let output = network
            .joint_loss(&batch(&config, Some(tokens)), &mut settings, &mut Recorder::off())
            .expect("a loss");
        let gradients = output.loss.backward().expect("gradients");
        let last = format!("layers.{}", config.understanding.layers - 1);
        for parameter in set.trained() {
            let id = &parameter.spec.name;
            // The understanding tokens are not used after their last keys and values.
            let dead = id.contains("language_model")
                && (id.contains("model.norm")
                    || id.contains(&last)
                        && ["q_proj", "o_proj", "mlp", "post_attention"]
                            .iter()
                            .any(|part| id.contains(part)));
            let gradient = gradients.get(parameter.variable.as_tensor());
            assert_eq!(gradient.is_none(), dead, "{name}: {id}");
            if let Some(gradient) = gradient {
                let size =
                    gradient.abs().and_then(|g| g.sum_all()?.to_scalar::<f32>()).expect("a sum");
                assert!(size.is_finite(), "{name}: {id}");
            }
        }
    }
}

#[test]
fn a_seed_gives_the_same_weights_and_draws() {
    let config = variant(&[("/f1/top_k", json!(900))]);
    let run = |seed: u64, draw: u64| {
        let policy = F1Policy::random(&config, seed, &LoadOptions::default()).expect("random");
        let input = PolicyInput {
            cameras: vec![Some(policy.prepare_camera(&image(1)).expect("prepared"))],
            prompt: Prompt::from_ids(vec![2], 12),
            history: vec![policy.encode_frame(&image(2)).expect("encoded")],
        };
        let prefix = policy.perceive(&input, draw).expect("perceived");
        let actions =
            policy.act(&prefix, &[], &ActRequest { seed: draw, guidance: None }).expect("acted");
        (prefix.tokens().to_vec(), actions)
    };
    assert_eq!(run(1, 1), run(1, 1));
    assert_ne!(run(1, 1).0, run(1, 2).0);
    assert_ne!(run(1, 1).1, run(2, 1).1);
}

#[test]
fn block_quantised_weights_stay_near_the_dense_ones() {
    let mut changes: Vec<(String, Value)> = vec![("/proj_width".to_string(), json!(256))];
    for at in ["/und_expert_config/text_config", "/gen_expert_config", "/act_expert_config"] {
        changes.push((format!("{at}/hidden_size"), json!(256)));
        changes.push((format!("{at}/intermediate_size"), json!(512)));
        changes.push((format!("{at}/head_dim"), json!(64)));
    }
    let changes: Vec<(&str, Value)> =
        changes.iter().map(|(at, value)| (at.as_str(), value.clone())).collect();
    let config = variant(&changes);
    let dense = F1Policy::random(&config, 3, &LoadOptions::default()).expect("random");
    let input = PolicyInput {
        cameras: vec![Some(dense.prepare_camera(&image(1)).expect("prepared"))],
        prompt: Prompt::from_ids(vec![2, 5], 12),
        history: vec![dense.encode_frame(&image(2)).expect("encoded")],
    };
    let prefix = dense.perceive(&input, 0).expect("perceived");
    let ids = prefix.tokens().concat();
    let fixed = Tensor::from_vec(ids.clone(), (1, ids.len()), &Device::Cpu).expect("ids");
    let wanted = dense.act(&prefix, &[0.4], &ActRequest::default()).expect("acted");
    for (quant, bound) in
        [(f1_model::Quant::Q8_0, 0.03), (f1_model::Quant::Q4K, 0.3), (f1_model::Quant::Fp8, 0.1)]
    {
        let options = LoadOptions { quant: Some(quant), ..LoadOptions::default() };
        let policy = F1Policy::random(&config, 3, &options).expect("random");
        assert!(policy.network().unquantised().is_empty());
        let prefix = policy
            .perceive_with(&input, &mut TokenSource::Fixed(fixed.clone()))
            .expect("perceived");
        let found = policy.act(&prefix, &[0.4], &ActRequest::default()).expect("acted");
        let (mut error, mut size) = (0f64, 0f64);
        for (a, b) in wanted.iter().flatten().zip(found.iter().flatten()) {
            error += f64::from(a - b).powi(2);
            size += f64::from(*a).powi(2);
        }
        let relative = (error / size).sqrt();
        assert!(relative > 0.0 && relative < bound, "{quant:?}: {relative}");
    }
}
