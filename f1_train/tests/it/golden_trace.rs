//! Five AdamW steps of the reference on random weights, alone and on two ranks.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use f1_model::Config;
use f1_model::checkpoint::{self, LoadPrecision};
use f1_model::image_prep::{Planes, resize_with_pad};
use f1_model::network::F1Network;
use f1_model::parameters::Group;
use f1_model::training::{Batch, FrameTokens};
use f1_train::RunFile;
use f1_train::optimizer::{AdamW, Optimizer};
use f1_train::parameters::Parameters;
use f1_train::ranks::{Exchange, OnHost, Ranks, Threads};
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

/// The samples of a batch that a rank of two takes.
fn half(batch: &Batch, rank: usize) -> Batch {
    let of = |tensor: &Tensor| tensor.narrow(0, rank, 1).unwrap();
    let rows = |flags: &[Vec<bool>]| vec![flags[rank].clone()];
    Batch {
        images: batch.images.iter().map(of).collect(),
        image_valid: batch.image_valid.iter().map(|valid| vec![valid[rank]]).collect(),
        prompt: of(&batch.prompt),
        prompt_valid: rows(&batch.prompt_valid),
        frame_tokens: batch
            .frame_tokens
            .as_ref()
            .map(|tokens| FrameTokens { ids: of(&tokens.ids), features: None }),
        state: of(&batch.state),
        actions: of(&batch.actions),
        action_is_pad: rows(&batch.action_is_pad),
        noise: of(&batch.noise),
        time: vec![batch.time[rank]],
        more_draws: Vec::new(),
    }
}

/// What the reference has recorded of a stage.
struct Golden {
    trace: Value,
    stage: &'static str,
}

impl Golden {
    fn load(stage: &'static str) -> Self {
        let text = std::fs::read_to_string(golden("train_trace.json")).unwrap();
        Self { trace: serde_json::from_str(&text).unwrap(), stage }
    }

    fn number(&self, key: &str) -> f64 {
        self.trace["hyper"][key].as_f64().unwrap()
    }

    fn rate(&self, group: Group) -> f64 {
        self.number(match group {
            Group::Vision => "vision_encoder_lr",
            Group::Understanding => "und_expert_lr",
            Group::Action => "act_expert_lr",
            _ => "gen_expert_lr",
        })
    }

    fn config(&self) -> Config {
        let mut config = Config::load(&golden("f1_config.json")).unwrap();
        config.run.top_k = 1;
        if let (true, Some(generation)) = (self.stage == "stage1", config.generation.as_mut()) {
            generation.num_resolutions = generation.scales.len();
        }
        config
    }

    fn settings(&self) -> AdamW {
        AdamW {
            betas: [0.9, 0.95],
            eps: self.number("eps"),
            weight_decay: self.number("weight_decay"),
            clip_norm: self.number("clip_grad_norm"),
        }
    }

    /// Compares a step's loss and norm.
    fn check_step(&self, step: usize, loss: f64, norm: f64) {
        let close = |found: f64, wanted: f64| {
            assert!(
                (found - wanted).abs() <= 1e-3 * wanted.abs(),
                "{} step {step}: {found}, reference {wanted}",
                self.stage
            );
        };
        let of_stage = &self.trace[self.stage];
        close(loss, of_stage["losses"][step]["loss"].as_f64().unwrap());
        if let Some(wanted) = of_stage["grad_norm_before_clip"][step].as_f64() {
            close(norm, wanted);
        }
    }

    fn steps(&self) -> usize {
        self.trace[self.stage]["losses"].as_array().unwrap().len()
    }

    /// Compares the parameters after the last step.
    fn check_parameters(&self, optimizer: &Optimizer) {
        let path = golden("train_trace.safetensors");
        let after = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
        let mut compared = 0;
        for slot in optimizer.slots() {
            let Some(wanted) = after.get(&format!("{}.after5.{}", self.stage, slot.name)) else {
                continue;
            };
            let difference = (slot.value().unwrap() - wanted).unwrap().abs().unwrap();
            let difference: Vec<f32> = difference.flatten_all().unwrap().to_vec1().unwrap();
            // Adam divides by the gradient's size: an entry without a gradient may end anywhere
            // within a few rates.
            let off = difference.iter().filter(|difference| **difference > 1e-4).count();
            assert!(off * 200 <= difference.len(), "{}: {off} of {}", slot.name, difference.len());
            compared += 1;
        }
        assert!(compared >= 4, "{}: {compared} tensors compared", self.stage);
    }

    /// The training trace on one of `size` ranks, or alone.
    fn follow(&self, ranks: Option<&Ranks>) {
        let (config, run) = (self.config(), run(self.stage));
        let precision = LoadPrecision { dtype: DType::F32, allow_missing: false };
        let path = golden("model.safetensors");
        let (weights, _) = checkpoint::load(&path, &config, precision, &Device::Cpu).unwrap();
        let (rank, size) = ranks.map_or((0, 1), |ranks| (ranks.rank(), ranks.size()));
        let (parameters, slots, layout) =
            Parameters::shared(&config, &weights, &run, &Device::Cpu, rank, size, 4096).unwrap();
        let mut exchange = ranks.map(|ranks| Exchange::new(ranks.clone(), layout, &Device::Cpu));
        let mut optimizer = Optimizer::new(self.settings(), slots);
        let network = F1Network::new(&config, &parameters.weights().unwrap(), None).unwrap();
        let mut batch = inputs(&config, &network);
        if ranks.is_some() {
            batch = half(&batch, rank);
        }
        for step in 0..self.steps() {
            let weights = match &mut exchange {
                None => parameters.weights(),
                Some(exchange) => {
                    exchange.begin(Vec::new()).unwrap();
                    parameters.weights_through(|slot, tensor| exchange.pass(slot, tensor))
                }
            };
            let network = F1Network::new(&config, &weights.unwrap(), None).unwrap();
            let output = stage_loss(&network, &batch, &[], &run, 0).unwrap();
            let loss = f64::from(output.loss.to_scalar::<f32>().unwrap());
            let mut store = output.loss.backward().unwrap();
            let rate = |group| self.rate(group);
            let Some(exchange) = &mut exchange else {
                let gradients = optimizer.collect(&mut store);
                let norm = optimizer.update(&gradients, rate).unwrap();
                self.check_step(step, loss, norm);
                continue;
            };
            let reduced = exchange.reduce(true, &[loss]).unwrap();
            let losses = reduced.numbers.iter().map(|of| of[0]).sum::<f64>();
            self.check_step(step, losses / size as f64, reduced.norm);
            let update = optimizer.begin_update(reduced.norm);
            exchange.update(&mut optimizer, &reduced.gradients, update, rate).unwrap();
        }
        self.check_parameters(&optimizer);
    }
}

#[test]
fn losses_norms_and_parameters_follow_the_reference() {
    for stage in ["stage1", "stage3"] {
        Golden::load(stage).follow(None);
    }
}

#[test]
fn losses_norms_and_parameters_of_two_ranks_follow_the_reference() {
    for stage in ["stage1", "stage3"] {
        std::thread::scope(|scope| {
            for threads in Threads::connected(2) {
                scope.spawn(move || {
                    let ranks = Ranks::new(OnHost::new(threads));
                    Golden::load(stage).follow(Some(&ranks));
                });
            }
        });
    }
}
