//! Five AdamW steps of the reference on random weights.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use f1_model::Config;
use f1_model::checkpoint::{self, LoadPrecision};
use f1_model::image_prep::{Planes, resize_with_pad};
use f1_model::network::F1Network;
use f1_model::parameters::Group;
use f1_model::training::Batch;
use f1_train::RunFile;
use f1_train::optimizer::{AdamW, Optimizer};
use f1_train::parameters::Parameters;
use f1_train::trainer::stage_loss;
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/tiny_f32").join(name)
}

fn run(stage: &str) -> RunFile {
    let text = format!(
        "stage: {stage}\noutput: none\nmodel: {{config: none}}\ndata: {{sources: {{x: {{path: none, n_obs_img_steps: 4, \
         n_pred_img_steps: 1, obs_img_stride: 1}}}}}}\nbatch: 2\nsteps: 5\nlearning_rate: {{default: 1.0e-3}}\n\
         schedule: {{shape: constant}}\nloss: {{hide_sample: 0.0, reduction: released}}\n"
    );
    RunFile::parse(&text, "test", &[]).unwrap()
}

/// The golden inputs as a batch.
fn inputs(config: &Config, network: &F1Network) -> Batch {
    let inputs =
        candle_core::safetensors::load(golden("inputs.safetensors"), &Device::Cpu).unwrap();
    let flags = |name: &str| -> Vec<Vec<bool>> {
        let rows = inputs[name]
            .to_dtype(DType::U8)
            .unwrap()
            .reshape((2, ()))
            .unwrap()
            .to_vec2::<u8>()
            .unwrap();
        rows.into_iter().map(|row| row.into_iter().map(|flag| flag != 0).collect()).collect()
    };
    let [wide, high] = config.image_fit;
    let (mut images, mut image_valid) = (Vec::new(), Vec::new());
    for camera in 0..3 {
        let (_, _, height, width) = inputs[&format!("image{camera}")].dims4().unwrap();
        let fitted: Vec<Tensor> = (0..2)
            .map(|row| {
                let image =
                    inputs[&format!("image{camera}")].get(row).unwrap().reshape((3, ())).unwrap();
                let planes = Planes { height, width, planes: image.to_vec2().unwrap() };
                let planes = resize_with_pad(&planes, wide, high, 0.0).unwrap().planes;
                let flat: Vec<f32> =
                    planes.into_iter().flatten().map(|value| value * 2.0 - 1.0).collect();
                Tensor::from_vec(flat, (3, high, wide), &Device::Cpu).unwrap()
            })
            .collect();
        images.push(Tensor::stack(&fitted, 0).unwrap());
        image_valid
            .push(flags(&format!("image{camera}_mask")).into_iter().map(|row| row[0]).collect());
    }
    let padded = |name: &str, width: usize| {
        let tensor = inputs[name].to_dtype(DType::F32).unwrap();
        let last = tensor.rank() - 1;
        tensor.pad_with_zeros(last, 0, width - tensor.dim(last).unwrap()).unwrap()
    };
    Batch {
        images,
        image_valid,
        prompt: inputs["lang_tokens"].to_dtype(DType::U32).unwrap(),
        prompt_valid: flags("lang_masks"),
        frame_tokens: Some(network.tokenize(&inputs["history"]).unwrap()),
        state: padded("state", config.max_state_dim),
        actions: padded("action", config.max_action_dim),
        action_is_pad: flags("action_is_pad"),
        noise: inputs["train_noise"].clone(),
        time: inputs["train_time"].to_vec1().unwrap(),
        more_draws: Vec::new(),
    }
}

#[test]
fn losses_norms_and_parameters_follow_the_reference() {
    let trace: Value =
        serde_json::from_str(&std::fs::read_to_string(golden("train_trace.json")).unwrap())
            .unwrap();
    let after =
        candle_core::safetensors::load(golden("train_trace.safetensors"), &Device::Cpu).unwrap();
    for stage in ["stage1", "stage3"] {
        let mut config = Config::load(&golden("f1_config.json")).unwrap();
        config.run.top_k = 1;
        if let (true, Some(generation)) = (stage == "stage1", config.generation.as_mut()) {
            generation.num_resolutions = generation.scales.len();
        }
        let run = run(stage);
        let precision = LoadPrecision { dtype: DType::F32, allow_missing: false };
        let (weights, _) =
            checkpoint::load(&golden("model.safetensors"), &config, precision, &Device::Cpu)
                .unwrap();
        let (parameters, slots) = Parameters::new(&config, &weights, &run, &Device::Cpu).unwrap();
        let hyper = &trace["hyper"];
        let number = |key: &str| hyper[key].as_f64().unwrap();
        let settings = AdamW {
            betas: [0.9, 0.95],
            eps: number("eps"),
            weight_decay: number("weight_decay"),
            clip_norm: number("clip_grad_norm"),
        };
        let mut optimizer = Optimizer::new(settings, slots);
        let network = F1Network::new(&config, &parameters.weights().unwrap(), None).unwrap();
        let batch = inputs(&config, &network);
        let losses = trace[stage]["losses"].as_array().unwrap();
        for (step, wanted) in losses.iter().enumerate() {
            let network = F1Network::new(&config, &parameters.weights().unwrap(), None).unwrap();
            let output = stage_loss(&network, &batch, &[], &run, 0).unwrap();
            let loss = f64::from(output.loss.to_scalar::<f32>().unwrap());
            close(stage, step, loss, wanted["loss"].as_f64().unwrap());
            let mut store = output.loss.backward().unwrap();
            let gradients = optimizer.collect(&mut store);
            let norm = optimizer
                .update(&gradients, |group| match group {
                    Group::Vision => number("vision_encoder_lr"),
                    Group::Understanding => number("und_expert_lr"),
                    Group::Action => number("act_expert_lr"),
                    _ => number("gen_expert_lr"),
                })
                .unwrap();
            if let Some(wanted) = trace[stage]["grad_norm_before_clip"][step].as_f64() {
                close(stage, step, norm, wanted);
            }
        }
        let mut compared = 0;
        for slot in optimizer.slots() {
            let Some(wanted) = after.get(&format!("{stage}.after5.{}", slot.name)) else {
                continue;
            };
            let difference: Vec<f32> = (slot.value().unwrap() - wanted)
                .unwrap()
                .abs()
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1()
                .unwrap();
            // Adam divides by the gradient's size: an entry without a gradient may end anywhere
            // within a few rates.
            let off = difference.iter().filter(|difference| **difference > 1e-4).count();
            assert!(off * 200 <= difference.len(), "{}: {off} of {}", slot.name, difference.len());
            compared += 1;
        }
        assert!(compared >= 4, "{stage}: {compared} tensors compared");
    }
}

fn close(stage: &str, step: usize, found: f64, wanted: f64) {
    assert!(
        (found - wanted).abs() <= 1e-3 * wanted.abs(),
        "{stage} step {step}: {found}, reference {wanted}"
    );
}
