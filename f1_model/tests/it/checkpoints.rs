//! Checkpoints: strictly checked, every fault named, readable after they are written.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use f1_model::checkpoint::{self, CheckpointFiles, LoadPrecision};
use f1_model::parameters::{Kind, parameters};
use f1_model::{Config, Error};

use crate::support::{goldens, tiny, tiny_config};

fn tensors() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(tiny().join("model.safetensors"), &Device::Cpu)
        .expect("the tiny weights")
}

fn load(path: &Path) -> Result<checkpoint::LoadReport, Error> {
    checkpoint::load(path, &tiny_config(), LoadPrecision::default(), &Device::Cpu)
        .map(|(_, report)| report)
}

fn refusal(change: impl FnOnce(&mut HashMap<String, Tensor>)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let mut all = tensors();
    change(&mut all);
    candle_core::safetensors::save(&all, &file).expect("saved");
    load(&file).expect_err("must be refused").to_string()
}

const STATE: &str = "model.state_proj.bias";

#[test]
fn a_missing_tensor_is_named_with_its_shape() {
    let message = refusal(|all| {
        all.remove(STATE);
    });
    assert!(
        message.contains(STATE) && message.contains("missing") && message.contains("[32]"),
        "{message}"
    );
}

#[test]
fn an_extra_tensor_is_named() {
    let message = refusal(|all| {
        all.insert(
            "model.telepathy".to_string(),
            Tensor::zeros(3, DType::F32, &Device::Cpu).expect("zeros"),
        );
    });
    assert!(message.contains("model.telepathy") && message.contains("extra"), "{message}");
}

#[test]
fn a_misshaped_tensor_is_named_with_both_shapes() {
    let message = refusal(|all| {
        all.insert(STATE.to_string(), Tensor::zeros(31, DType::F32, &Device::Cpu).expect("zeros"));
    });
    assert!(
        message.contains(STATE) && message.contains("[32]") && message.contains("[31]"),
        "{message}"
    );
}

#[test]
fn a_value_that_is_not_finite_is_named() {
    for bad in [f32::NAN, f32::INFINITY] {
        let message = refusal(|all| {
            all.insert(STATE.to_string(), Tensor::full(bad, 32, &Device::Cpu).expect("full"));
        });
        assert!(message.contains(STATE) && message.contains("not finite"), "{message}");
    }
}

#[test]
fn every_fault_is_listed() {
    let message = refusal(|all| {
        all.remove(STATE);
        all.remove("model.lvl_embed.weight");
        all.insert(
            "model.x".to_string(),
            Tensor::zeros(1, DType::F32, &Device::Cpu).expect("zeros"),
        );
    });
    for part in [STATE, "model.lvl_embed.weight", "model.x"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn missing_tensors_may_be_initialised_and_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let mut all = tensors();
    all.remove(STATE);
    candle_core::safetensors::save(&all, &file).expect("saved");
    let precision = LoadPrecision { allow_missing: true, ..LoadPrecision::default() };
    let (_, report) = checkpoint::load(&file, &tiny_config(), precision, &Device::Cpu)
        .expect("initialised instead");
    assert_eq!(report.initialised, [STATE]);
}

#[test]
fn a_model_with_other_scales_may_start_from_this_one() {
    let mut config = tiny_config();
    let generation = config.generation.as_mut().expect("a generation expert");
    let last = *generation.scales.last().expect("scales");
    generation.scales[1] = last - 1;
    let strict = checkpoint::load(&tiny(), &config, LoadPrecision::default(), &Device::Cpu);
    assert!(strict.is_err_and(|fault| fault.to_string().contains("wm_cond_pos_embs")));
    let precision = LoadPrecision { allow_missing: true, ..LoadPrecision::default() };
    let (_, report) =
        checkpoint::load(&tiny(), &config, precision, &Device::Cpu).expect("initialised instead");
    assert!(report.initialised.iter().all(|name| name.contains("pos") || name.ends_with("lvl_1L")));
    assert!(report.initialised.len() >= 3, "{:?}", report.initialised);
    // Other tensors of another shape are still refused.
    config.understanding.hidden_size += 8;
    assert!(checkpoint::load(&tiny(), &config, precision, &Device::Cpu).is_err());
}

#[test]
fn unused_heads_are_never_loaded() {
    let (weights, report) =
        checkpoint::load(&tiny(), &tiny_config(), LoadPrecision::default(), &Device::Cpu)
            .expect("loads");
    let unused: Vec<&str> =
        weights.names().into_iter().filter(|name| name.contains("expert.lm_head")).collect();
    assert!(unused.is_empty(), "{unused:?}");
    assert_eq!(report.ignored.len(), 2);
}

#[test]
fn either_name_of_a_tied_tensor_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let renamed: HashMap<String, Tensor> = tensors()
        .into_iter()
        .map(|(name, tensor)| {
            let name = name.replace("model.vae.", "vae.").replace(
                "language_model.lm_head.weight",
                "language_model.model.embed_tokens.weight",
            );
            (name, tensor)
        })
        .collect();
    candle_core::safetensors::save(&renamed, &file).expect("saved");
    load(&file).expect("either name");
}

#[test]
fn what_is_written_reads_back_and_leaves_out_the_unused_heads() {
    let config = tiny_config();
    let (weights, _) =
        checkpoint::load(&tiny(), &config, LoadPrecision::default(), &Device::Cpu).expect("loads");
    let folder = tempfile::tempdir().expect("a folder");
    checkpoint::save_with_weights(folder.path(), &config, &weights, DType::F32).expect("written");
    assert_eq!(Config::load(folder.path()).expect("the configuration"), config);
    let (back, report) =
        checkpoint::load(folder.path(), &config, LoadPrecision::default(), &Device::Cpu)
            .expect("reads back");
    assert!(report.ignored.is_empty());
    for name in weights.names() {
        let bytes = |w: &f1_model::weights::Weights| {
            w.tensor(name).and_then(|t| {
                t.to_dtype(DType::F64).ok()?.flatten_all().ok()?.to_vec1::<f64>().ok()
            })
        };
        assert_eq!(bytes(&weights), bytes(&back), "{name}");
    }
    let names = CheckpointFiles::open(folder.path()).expect("opens");
    assert!(names.tensors().all(|(name, tensor)| name == tensor.name));
    // The reference's own reader of the format takes the file.
    candle_core::safetensors::load(folder.path().join("model.safetensors"), &Device::Cpu)
        .expect("well formed");
}

#[test]
fn a_sharded_checkpoint_loads() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shards: [HashMap<String, Tensor>; 2] = [HashMap::new(), HashMap::new()];
    let mut map = serde_json::Map::new();
    let file = |index: usize| format!("model-0000{}-of-00002.safetensors", index + 1);
    for (index, (name, tensor)) in tensors().into_iter().enumerate() {
        map.insert(name.clone(), serde_json::json!(file(index % 2)));
        shards[index % 2].insert(name, tensor);
    }
    for (index, shard) in shards.iter().enumerate() {
        candle_core::safetensors::save(shard, folder.path().join(file(index))).expect("saved");
    }
    let index = folder.path().join("model.safetensors.index.json");
    std::fs::write(&index, serde_json::json!({"weight_map": map}).to_string()).expect("written");
    load(folder.path()).expect("both shards");
    std::fs::remove_file(folder.path().join(file(1))).expect("removed");
    assert!(
        load(folder.path()).expect_err("a shard is gone").to_string().contains("00002-of-00002")
    );
    std::fs::write(&index, r#"{"weight_map": {"a": "../../etc/passwd"}}"#).expect("written");
    assert!(load(&index).is_err());
}

#[test]
fn a_pi0_file_loads_without_generation_expert() {
    let config = Config { generation: None, ..tiny_config() };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let wanted: Vec<String> = parameters(&config)
        .into_iter()
        .filter(|spec| spec.kind != Kind::Unused)
        .map(|spec| spec.name)
        .collect();
    // The layout of newer libraries, without `model.` and with LeRobot's buffers.
    let mut all: HashMap<String, Tensor> = tensors()
        .into_iter()
        .filter(|(name, _)| wanted.contains(name))
        .map(|(name, tensor)| {
            let name = name.strip_prefix("model.").unwrap_or(&name).to_string();
            let name = name
                .replace("paligemma.language_model.lm_head", "paligemma.lm_head")
                .replace("paligemma.language_model.model.", "paligemma.model.language_model.")
                .replace("paligemma.vision_tower.", "paligemma.model.vision_tower.")
                .replace(
                    "paligemma.multi_modal_projector.",
                    "paligemma.model.multi_modal_projector.",
                );
            (name, tensor)
        })
        .collect();
    let buffer = Tensor::zeros(7, DType::F32, &Device::Cpu).expect("zeros");
    all.insert("normalize_inputs.buffer_observation_state.mean".to_string(), buffer);
    candle_core::safetensors::save(&all, &file).expect("saved");
    let (weights, report) =
        checkpoint::load(&file, &config, LoadPrecision::default(), &Device::Cpu).expect("loads");
    assert_eq!(weights.names().len(), wanted.len());
    assert_eq!(report.ignored.len(), 1);
    f1_model::network::F1Network::new(&config, &weights, None).expect("builds");
}

fn with_bytes(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(tiny().join("model.safetensors")).expect("the tiny weights");
    change(&mut bytes);
    std::fs::write(&file, bytes).expect("written");
    load(&file).expect_err("must be refused").to_string()
}

#[test]
fn a_truncated_file_names_the_tensors_it_lost() {
    let message = with_bytes(|bytes| bytes.truncate(bytes.len() - 100));
    assert!(message.contains("truncated") && message.contains("model."), "{message}");
    for length in [0, 4, 8, 100, 50_000] {
        let message = with_bytes(|bytes| bytes.truncate(length));
        assert!(!message.is_empty());
    }
}

fn file_with_header(header: &str, data: usize) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    std::fs::write(&file, bytes).expect("written");
    load(&file).expect_err("must be refused").to_string()
}

#[test]
fn a_wrong_header_is_refused() {
    let huge = u64::MAX;
    for (header, data, part) in [
        (r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}}"#.to_string(), 16, "a: shape"),
        (r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#.to_string(), 8, "truncated"),
        (r#"{"a":{"dtype":"F99","shape":[4],"data_offsets":[0,16]}}"#.to_string(), 16, "unknown dtype"),
        (format!(r#"{{"a":{{"dtype":"F32","shape":[{huge},{huge}],"data_offsets":[0,16]}}}}"#), 16, "overflows"),
        (format!(r#"{{"a":{{"dtype":"F32","shape":[0],"data_offsets":[{huge},{huge}]}}}}"#), 16, "a:"),
        (r#"{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}"#.to_string(), 16, "no shape"),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#
                .to_string(),
            12,
            "overlap",
        ),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#.to_string(), 16, "belong to no tensor"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#.to_string(), 64, "belong to no tensor"),
        ("[1,2]".to_string(), 0, "not a JSON object"),
        ("{\"a\"".to_string(), 0, "not JSON"),
    ] {
        let message = file_with_header(&header, data);
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    let message = with_bytes(|bytes| bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes()));
    assert!(message.contains("header"), "{message}");
}

#[test]
fn flipped_header_bytes_never_panic() {
    let bytes = std::fs::read(tiny().join("model.safetensors")).expect("the tiny weights");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let cases: usize =
        std::env::var("F1_TEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    for case in 0..cases {
        let mut bytes = bytes.clone();
        let at = (case * 7919) % 60_000;
        bytes[at] ^= 1 << (case % 8);
        std::fs::write(&file, bytes).expect("written");
        let _ = CheckpointFiles::open(&file).map(|files| files.tensors().count());
    }
}

#[test]
fn a_var_pickle_is_read_for_its_tensors_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vae.pth");
    std::fs::write(&file, b"cos\nsystem\n(S'echo pwned'\ntR.").expect("written");
    let error =
        checkpoint::load_var_tokenizer(&file, &tiny_config(), &Device::Cpu).expect_err("refused");
    assert!(error.to_string().contains("pickle"), "{error}");
    assert!(
        checkpoint::load_var_tokenizer(
            &folder.path().join("none.pth"),
            &tiny_config(),
            &Device::Cpu
        )
        .is_err()
    );
}

#[test]
fn inspection_finds_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.safetensors");
    let mut all = tensors();
    all.remove(STATE);
    all.insert("model.x".to_string(), Tensor::zeros(1, DType::F32, &Device::Cpu).expect("zeros"));
    all.insert(
        "model.action_in_proj.bias".to_string(),
        Tensor::full(f32::NAN, 32, &Device::Cpu).expect("full"),
    );
    candle_core::safetensors::save(&all, &file).expect("saved");
    let found = f1_model::inspect::inspect(&file, Some(&tiny_config())).expect("inspected");
    assert!(!found.pass);
    assert_eq!(found.extra, ["model.x"]);
    assert_eq!(found.non_finite, ["model.action_in_proj.bias"]);
    assert_eq!(found.missing.len(), 1);
    assert!(found.missing[0].contains(STATE));
    let sound = f1_model::inspect::inspect(&tiny(), Some(&tiny_config())).expect("inspected");
    assert!(sound.pass);
    assert!(sound.parameters["generation"] > 0);
}

#[test]
fn a_var_tokenizer_is_read_under_official_names() {
    let mut config = tiny_config();
    let generation = config.generation.as_mut().expect("a generation expert");
    generation.tokenizer = f1_model::config::TokenizerConfig {
        vocab_size: 40,
        z_channels: 8,
        ch: 8,
        ch_mult: vec![1, 2],
        num_res_blocks: 1,
        norm_groups: 4,
        share_quant_resi: 4,
        quant_resi: 0.5,
    };
    let file = goldens().join("var_tokenizer/vae.pth");
    let found = checkpoint::load_var_tokenizer(&file, &config, &Device::Cpu).expect("reads");
    let first: Vec<f32> = found["model.vae.encoder.conv_in.weight"]
        .flatten_all()
        .and_then(|t| t.to_vec1())
        .expect("values");
    let wanted: Vec<f32> = (0..first.len()).map(|i| (i as f32 + 1.0) / 1024.0).collect();
    assert_eq!(first, wanted);
    assert_eq!(found["model.vae.quantize.embedding.weight"].dims(), [40, 8]);
    let listed = f1_model::inspect::inspect(&file, Some(&config)).expect("inspected");
    assert!(listed.pass, "{listed:?}");
    assert_eq!(
        listed.tensors[0].file_name.as_deref(),
        listed.tensors[0].name.strip_prefix("model.vae.")
    );
    let other = f1_model::inspect::inspect(&file, Some(&tiny_config())).expect("inspected");
    assert!(!other.pass && !other.missing.is_empty() && !other.misshaped.is_empty());
    // Another model's tokenizer: every tensor that does not fit is named.
    let error = checkpoint::load_var_tokenizer(&file, &tiny_config(), &Device::Cpu)
        .expect_err("another model");
    assert!(error.to_string().contains("model.vae.decoder.conv_in.weight"), "{error}");
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(&file).expect("the file");
    for length in [10, 1000, bytes.len() / 2, bytes.len() - 40] {
        let cut = folder.path().join("cut.pth");
        std::fs::write(&cut, &bytes[..length]).expect("written");
        assert!(checkpoint::load_var_tokenizer(&cut, &config, &Device::Cpu).is_err(), "{length}");
    }
}
