//! Configurations: published and explicit layout, presets, faults all at once.

use f1_model::config::{AttentionMode, Config};
use f1_model::parameters::{Kind, parameters};
use serde_json::{Value, json};

use crate::support::{goldens, tiny};

fn text(name: &str) -> Value {
    let text = std::fs::read_to_string(tiny().join(name)).expect("the file");
    serde_json::from_str(&text).expect("JSON")
}

fn faults(value: &Value) -> String {
    Config::from_json(&value.to_string(), "test").expect_err("must be refused").to_string()
}

#[test]
fn both_layouts_say_the_same() {
    let published = Config::load(&tiny().join("config.json")).expect("published");
    let explicit = Config::load(&tiny().join("f1_config.json")).expect("explicit");
    assert_eq!(published, explicit);
    assert_eq!(published.run.attention, AttentionMode::Released);
}

#[test]
fn what_is_written_reads_back_the_same() {
    for config in
        [Config::load(&tiny()).expect("tiny"), Config::released(), Config::without_generation()]
    {
        let back = Config::from_json(&config.to_json().to_string(), "written").expect("reads back");
        assert_eq!(back, config);
    }
}

#[test]
fn presets_are_sound() {
    for name in ["released", "released-2", "released-4", "released-6", "released-10", "pi0"] {
        Config::preset(name).expect("known").validate(name).expect("sound");
    }
    assert!(Config::preset("released-3x").is_err());
    assert!(Config::released_with_scales(11).is_err());
}

#[test]
fn the_released_model_has_the_published_names_and_shapes() {
    let text =
        std::fs::read_to_string(goldens().join("full_param_shapes.json")).expect("the table");
    let table: Value = serde_json::from_str(&text).expect("JSON");
    let entries = table["entries"].as_object().expect("entries");
    let specs = parameters(&Config::released());
    assert_eq!(entries.len(), 1280);
    assert_eq!(specs.len(), 1280);
    for spec in &specs {
        let entry =
            entries.get(&spec.name).unwrap_or_else(|| panic!("{} is not published", spec.name));
        assert_eq!(json!(spec.shape), entry["shape"], "{}", spec.name);
        let dtype = match spec.stored {
            candle_core::DType::BF16 => "bfloat16",
            candle_core::DType::I64 => "int64",
            _ => "float32",
        };
        assert_eq!(json!(dtype), entry["dtype"], "{}", spec.name);
        assert_eq!(spec.kind == Kind::Buffer, entry["kind"] == "buffer", "{}", spec.name);
    }
}

#[test]
fn all_faults_are_listed_at_once() {
    let mut value = text("f1_config.json");
    value["gen_expert_config"]["pn"] = json!("2_3_4");
    value["gen_expert_config"]["head_dim"] = json!(8);
    value["f1"] = json!({"history_frames": 9, "sampler": 3});
    let message = faults(&value);
    for part in [
        "first scale must be 1",
        "gen_expert_config.head_dim 8",
        "reduce to one step",
        "f1.sampler",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn histories_that_reduce_to_one_step_are_taken() {
    let with = |frames: usize, kernel: usize, stride: usize| {
        let mut value = text("f1_config.json");
        value["gen_expert_config"]["temporal_conv_kernel_size"] = json!(kernel);
        value["gen_expert_config"]["temporal_conv_stride"] = json!(stride);
        value["f1"] = json!({"history_frames": frames});
        Config::from_json(&value.to_string(), "test").is_ok()
    };
    for (frames, kernel, stride) in
        [(4, 4, 4), (5, 4, 4), (7, 4, 4), (1, 1, 1), (3, 2, 2), (6, 6, 1)]
    {
        assert!(with(frames, kernel, stride), "{frames} {kernel} {stride}");
    }
    for (frames, kernel, stride) in [(3, 4, 4), (8, 4, 4), (4, 2, 2), (4, 4, 0), (4, 0, 1)] {
        assert!(!with(frames, kernel, stride), "{frames} {kernel} {stride}");
    }
}

#[test]
fn keys_equal_to_a_library_default_may_be_left_out() {
    let mut value = text("f1_config.json");
    for section in ["gen_expert_config", "act_expert_config"] {
        let map = value[section].as_object_mut().expect("a section");
        map.remove("rms_norm_eps");
        map.remove("rope_theta");
    }
    Config::from_json(&value.to_string(), "test").expect("defaults fill in");
    let released: Value = Config::released().to_json();
    let mut short = released.clone();
    for path in ["/und_expert_config/text_config", "/gen_expert_config", "/act_expert_config"] {
        short
            .pointer_mut(path)
            .and_then(Value::as_object_mut)
            .expect("a section")
            .remove("head_dim");
    }
    let vision =
        short.pointer_mut("/und_expert_config/vision_config").and_then(Value::as_object_mut);
    vision.expect("vision").remove("image_size");
    short.as_object_mut().expect("root").remove("f1");
    assert_eq!(Config::from_json(&short.to_string(), "short").expect("loads"), Config::released());
}

#[test]
fn hostile_numbers_are_faults_not_panics() {
    for bad in [json!(-1), json!(1e300), json!("many"), json!(u64::MAX), json!([1])] {
        let mut value = text("f1_config.json");
        value["chunk_size"] = bad.clone();
        value["gen_expert_config"]["vae"]["ch"] = bad;
        assert!(faults(&value).contains("chunk_size"));
    }
    assert!(Config::from_json("[]", "test").is_err());
    assert!(Config::from_json("{", "test").is_err());
    assert!(Config::from_json("{}", "test").is_err());
}
