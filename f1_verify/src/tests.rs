//! Golden directories of other sizes than the one in the repository, written by the network itself.
//! They test that every size is read from the directory and that every fault is named.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use f1_model::checkpoint;
use f1_model::config::Config;
use f1_model::network::F1Network;
use f1_model::sampling::TokenSource;
use serde_json::{Value, json};

use super::files::GoldenDir;
use super::{inference, pi0, stages, verify};

/// Sizes that the configuration does not hold.
struct Scene {
    samples: usize,
    cameras: usize,
    /// Cameras that no sample has.
    dark: Vec<usize>,
    /// Cameras whose files are missing.
    absent: Vec<usize>,
    observed: usize,
    bytes: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Self { samples: 2, cameras: 2, dark: vec![], absent: vec![], observed: 4, bytes: false }
    }
}

fn variant(changes: &[(&str, Value)]) -> Value {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/tiny_f32/f1_config.json");
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    // A small, fast tokenizer for frames of 32 pixels.
    value["gen_expert_config"]["vae"] = json!({"ch": 8, "ch_mult": [1, 2, 2], "norm_groups": 4,
        "num_res_blocks": 1, "z_channels": 12, "vocab_size": 40, "share_quant_resi": 4});
    value["num_steps"] = json!(2);
    for (pointer, change) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent =
            if parent.is_empty() { &mut value } else { value.pointer_mut(parent).unwrap() };
        parent[key] = change.clone();
    }
    value
}

/// Numbers in -1..1 that need no random generator.
fn noise(shape: &[usize], seed: u32) -> Tensor {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i as f32 + 1.0) * (12.9898 + seed as f32)).sin();
    Tensor::from_vec((0..count).map(value).collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
}

fn flags(values: Vec<u8>, shape: &[usize]) -> Tensor {
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn inputs(config: &Config, scene: &Scene) -> HashMap<String, Tensor> {
    let (batch, chunk, width) = (scene.samples, config.chunk_size, config.max_action_dim);
    let mut all = HashMap::new();
    for camera in (0..scene.cameras).filter(|camera| !scene.absent.contains(camera)) {
        let image = ((noise(&[batch, 3, 30, 41], camera as u32) + 1.0).unwrap() / 2.0).unwrap();
        all.insert(format!("image{camera}"), image);
        let seen = u8::from(!scene.dark.contains(&camera));
        all.insert(format!("image{camera}_mask"), flags(vec![seen; batch], &[batch]));
    }
    if let Some(side) = config.frame_side() {
        let shape = [batch, scene.observed + 1, 3, side, side];
        let frames = noise(&shape, 7);
        if scene.bytes {
            let bytes = ((frames + 1.0).unwrap() * 127.5).unwrap().to_dtype(DType::U8).unwrap();
            all.insert("history_u8".to_string(), bytes);
        } else {
            all.insert("history".to_string(), frames);
        }
        let tokens: usize =
            config.generation.as_ref().unwrap().scales.iter().map(|side| side * side).sum();
        all.insert(
            "mask_rand_batch".to_string(),
            (noise(&[batch, 1, 1], 8).abs().unwrap() * 0.1).unwrap(),
        );
        let of_token = (noise(&[batch, tokens - 1, 1], 9).abs().unwrap() * 0.3).unwrap();
        all.insert("mask_rand_token".to_string(), of_token);
    }
    let length = config.prompt_length;
    let ids: Vec<i64> = (0..batch * length).map(|i| 2 + i as i64 * 5 % 300).collect();
    all.insert(
        "lang_tokens".to_string(),
        Tensor::from_vec(ids, (batch, length), &Device::Cpu).unwrap(),
    );
    let valid: Vec<u8> =
        (0..batch * length).map(|i| u8::from(i % length < length - 3 * (i / length))).collect();
    all.insert("lang_masks".to_string(), flags(valid, &[batch, length]));
    all.insert("state".to_string(), noise(&[batch, config.max_state_dim - 1], 10));
    all.insert("action".to_string(), noise(&[batch, chunk, width - 1], 11));
    let padded = (0..batch * chunk).map(|i| u8::from(i % chunk + 1 == chunk)).collect();
    all.insert("action_is_pad".to_string(), flags(padded, &[batch, chunk]));
    all.insert("noise".to_string(), noise(&[batch, chunk, width], 12));
    all.insert("train_noise".to_string(), noise(&[batch, chunk, width], 13));
    all.insert("train_time".to_string(), noise(&[batch], 14).abs().unwrap());
    all
}

fn save(path: &Path, tensors: &HashMap<String, Tensor>) {
    candle_core::safetensors::save(tensors, path).unwrap();
}

/// Writes a golden directory of this configuration. Its config.json has no `f1` block, like the
/// published one.
fn write(dir: &Path, config: &Value, scene: &Scene) {
    let mut with_history = config.clone();
    with_history["f1"] = json!({"history_frames": scene.observed});
    let parsed = Config::from_json(&with_history.to_string(), "variant").unwrap();
    let weights = checkpoint::random(&parsed, 3, DType::F32, &Device::Cpu).unwrap();
    checkpoint::save_with_weights(dir, &parsed, &weights, DType::F32).unwrap();
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    std::fs::write(dir.join("meta.json"), json!({"preset": {"n_obs": scene.observed}}).to_string())
        .unwrap();
    save(&dir.join("inputs.safetensors"), &inputs(&parsed, scene));
    save(&dir.join("outputs.safetensors"), &HashMap::new());

    let golden = GoldenDir::open(dir, &Device::Cpu).unwrap();
    let mut outputs = HashMap::new();
    let mut put = |prefix: &str, found: BTreeMap<String, Tensor>| {
        for (name, tensor) in found {
            outputs.insert(format!("{prefix}{name}"), tensor.contiguous().unwrap());
        }
    };
    if golden.config.generation.is_some() {
        let network = F1Network::new(&golden.config, &golden.weights, None).unwrap();
        put("infer.", inference::infer(&golden, &network, &mut TokenSource::Greedy).unwrap().0);
        put("recon.", inference::reconstruct(&golden, &network).unwrap());
        let stage = stages::stage1(&golden, true).unwrap();
        put("stage1.", stage.found);
        put("stage1_masked.", stage.masked.unwrap());
        put("stage3.", stages::stage3(&golden).unwrap().found);
        save(&dir.join("outputs.safetensors"), &outputs);
        let half = outputs
            .iter()
            .filter(|(name, _)| name.starts_with("infer.act") || name.contains("logits"));
        let first = |tensor: &Tensor| tensor.narrow(0, 0, 1).unwrap().contiguous().unwrap();
        let half = half.map(|(name, tensor)| (name.clone(), first(tensor)));
        let ids = (
            "infer.gen.all_indices".to_string(),
            first(&outputs["infer.gen.all_indices"]).to_dtype(DType::I64).unwrap(),
        );
        save(&dir.join("outputs_bf16.safetensors"), &half.chain([ids]).collect());
    }
    let (found, _) = pi0::pi0(&golden, true).unwrap();
    let found = found
        .into_iter()
        .map(|(name, tensor)| (format!("nowm.{name}"), tensor.contiguous().unwrap()));
    save(&dir.join("outputs_nowm.safetensors"), &found.collect());
}

fn heads(count: usize) -> Vec<(&'static str, Value)> {
    [
        "/und_expert_config/text_config/num_key_value_heads",
        "/gen_expert_config/num_key_value_heads",
        "/act_expert_config/num_key_value_heads",
    ]
    .map(|at| (at, json!(count)))
    .to_vec()
}

#[test]
fn directories_of_other_sizes_are_read() {
    let scales = |sides: &str, generated: usize| {
        [
            ("/gen_expert_config/pn", json!(sides)),
            ("/gen_expert_config/num_resolutions", json!(generated)),
        ]
    };
    let kernel = |kernel: usize| {
        [
            ("/gen_expert_config/temporal_conv_kernel_size", json!(kernel)),
            ("/gen_expert_config/temporal_conv_stride", json!(kernel)),
        ]
    };
    type Case = (&'static str, Vec<(&'static str, Value)>, Scene);
    let cases: Vec<Case> = vec![
        (
            "two of five scales, one frame, one camera, two key/value heads",
            [heads(2), scales("1_2_3_5_8", 2).to_vec(), kernel(1).to_vec()].concat(),
            Scene { observed: 1, cameras: 1, ..Scene::default() },
        ),
        (
            "all of two scales, five frames of which three merge, bytes, one sample without its first camera",
            [scales("1_8", 2).to_vec(), kernel(3).to_vec(), vec![("/chunk_size", json!(2))]]
                .concat(),
            Scene {
                samples: 1,
                cameras: 3,
                dark: vec![0],
                absent: vec![1],
                observed: 5,
                bytes: true,
            },
        ),
        (
            "one generated scale, three samples, other widths",
            [
                scales("1_3_8", 1).to_vec(),
                vec![
                    ("/max_action_dim", json!(5)),
                    ("/max_state_dim", json!(11)),
                    ("/tokenizer_max_length", json!(17)),
                ],
            ]
            .concat(),
            Scene { samples: 3, cameras: 4, ..Scene::default() },
        ),
    ];
    let parent = tempfile::tempdir().unwrap();
    for (index, (label, changes, scene)) in cases.iter().enumerate() {
        let dir = parent.path().join(format!("another name {index}"));
        std::fs::create_dir(&dir).unwrap();
        write(&dir, &variant(changes), scene);
        let report = verify(&dir).unwrap();
        let failed: Vec<_> = report.families.iter().filter(|family| !family.pass).collect();
        assert!(report.pass, "{label}: {failed:#?}");
        assert!(report.compared > 200, "{label}: {} compared", report.compared);
        assert_eq!(
            report.families.iter().filter(|family| family.name.starts_with("bf16.infer.")).count(),
            4
        );
        let left: Vec<_> = report.left.iter().filter(|name| !name.starts_with("bf16.")).collect();
        assert!(left.is_empty(), "{label}: {left:?}");
    }
    // The parent of all of them, without the optional files and with the configuration's other
    // name.
    let dir = parent.path().join("another name 2");
    std::fs::remove_file(dir.join("outputs_bf16.safetensors")).unwrap();
    std::fs::remove_file(dir.join("outputs_nowm.safetensors")).unwrap();
    std::fs::rename(dir.join("config.json"), dir.join("f1_config.json")).unwrap();
    let report = verify(parent.path()).unwrap();
    assert!(report.pass);
    assert!(
        report.families.iter().any(|family| family.name == "another name 2/infer.gen.all_logits")
    );
    assert!(!report.families.iter().any(|family| family.name.starts_with("another name 2/nowm.")));
}

#[test]
fn a_directory_without_a_world_model_is_read() {
    let parent = tempfile::tempdir().unwrap();
    let config = variant(&[("/use_world_model", json!(false))]);
    write(parent.path(), &config, &Scene::default());
    let report = verify(parent.path()).unwrap();
    assert!(report.pass && report.compared > 20, "{report:#?}");
}

#[test]
fn every_fault_of_a_directory_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path();
    write(
        dir,
        &variant(&[
            ("/gen_expert_config/pn", json!("1_2_8")),
            ("/gen_expert_config/num_resolutions", json!(2)),
        ]),
        &Scene::default(),
    );
    let expect_error = |what: &str| {
        let error = verify(dir).unwrap_err().to_string();
        assert!(error.contains(what), "{error:?} does not say {what:?}");
    };
    let good =
        candle_core::safetensors::load(dir.join("inputs.safetensors"), &Device::Cpu).unwrap();
    let with = |name: &str, tensor: Option<Tensor>| {
        let mut inputs = good.clone();
        match tensor {
            Some(tensor) => inputs.insert(name.to_string(), tensor),
            None => inputs.remove(name),
        };
        save(&dir.join("inputs.safetensors"), &inputs);
    };
    with("history", Some(noise(&[2, 3, 3, 32, 32], 1)));
    expect_error("history is [2, 3, 3, 32, 32], expected [2, at least 4, 3, 32, 32]");
    with("noise", Some(noise(&[2, 6, 7], 1)));
    expect_error("noise is [2, 6, 7], expected [2, 6, 8]");
    with("image1", Some(noise(&[1, 3, 20, 20], 1)));
    expect_error("image1 is [1, 3, 20, 20]");
    with("lang_tokens", Some(Tensor::full(100_000i64, (2, 12), &Device::Cpu).unwrap()));
    expect_error("lang_tokens holds id 100000, the vocabulary has 512");
    for name in ["lang_tokens", "lang_masks", "history", "noise", "state"] {
        with(name, None);
        expect_error(name);
    }
    save(&dir.join("inputs.safetensors"), &good);
    assert!(verify(dir).unwrap().pass);

    for name in [
        "config.json",
        "meta.json",
        "inputs.safetensors",
        "outputs.safetensors",
        "model.safetensors",
    ] {
        let bytes = std::fs::read(dir.join(name)).unwrap();
        std::fs::write(dir.join(name), &bytes[..bytes.len() / 2]).unwrap();
        expect_error(name);
        std::fs::remove_file(dir.join(name)).unwrap();
        expect_error(name);
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    for name in ["outputs_bf16.safetensors", "outputs_nowm.safetensors"] {
        let bytes = std::fs::read(dir.join(name)).unwrap();
        std::fs::write(dir.join(name), &bytes[..bytes.len() / 2]).unwrap();
        expect_error(name);
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    assert!(verify(dir).unwrap().pass);
}
