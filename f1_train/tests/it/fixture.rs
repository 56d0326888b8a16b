//! A very small model, a very small data set, and runs on them.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use f1_data::lerobot::{CameraFeature, Features, FormatVersion, ImageEncoding, Writer};
use f1_train::{Outcome, RunFile, Trainer};
use image::{Rgb, RgbImage};

pub const CONFIG: &str = r#"{
  "model_type": "f1", "use_world_model": true,
  "und_expert_config": {
    "text_config": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
      "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 512},
    "vision_config": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
      "image_size": 32, "patch_size": 8}
  },
  "gen_expert_config": {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 512,
    "pn": "1_2_4", "num_resolutions": 2, "temporal_conv_kernel_size": 4, "temporal_conv_stride": 4,
    "vae": {"vocab_size": 32, "z_channels": 8, "ch": 8, "ch_mult": [1, 1, 2, 2], "num_res_blocks": 1,
      "norm_groups": 4, "share_quant_resi": 4, "quant_resi": 0.5}
  },
  "act_expert_config": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 512},
  "proj_width": 32, "chunk_size": 4, "max_action_dim": 4, "max_state_dim": 4, "tokenizer_max_length": 16,
  "resize_imgs_with_padding": [32, 32], "num_steps": 4,
  "f1": {"attention": "uga", "history_frames": 4, "obs_img_stride": 1, "crop_ratio": 1.125, "top_k": 5, "top_p": 0.9, "seed": 0}
}"#;

pub struct Fixture {
    pub folder: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        std::fs::create_dir_all(&model).unwrap();
        std::fs::write(model.join("config.json"), CONFIG).unwrap();
        let tokenizer =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/f1_bench/tokenizer.json");
        std::fs::copy(tokenizer, model.join("tokenizer.json")).unwrap();
        write_data(&folder.path().join("data"));
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run of `stage` into `output`, with more lines of YAML.
    pub fn run(&self, stage: &str, output: &str, more: &str) -> RunFile {
        run_in(self.folder.path(), stage, output, more)
    }
}

/// A run of `stage` in a folder that a fixture has filled.
pub fn run_in(folder: &Path, stage: &str, output: &str, more: &str) -> RunFile {
    let root = folder.display();
    let text = format!(
        "stage: {stage}\noutput: {root}/{output}\nmodel: {{config: {root}/model}}\n\
             data:\n  crop: center\n  token_cache: {root}/tokens\n  workers: 1\n  sources:\n    tiny: \
             {{path: {root}/data, n_obs_img_steps: 4, n_pred_img_steps: 1, obs_img_stride: 1}}\n\
             learning_rate: {{default: 1.0e-3}}\nschedule: {{shape: cosine, warmup_steps: 2}}\nlog_every: 1\n{more}\n"
    );
    RunFile::parse(&text, "test", &[]).unwrap()
}

pub fn write_data(path: &Path) {
    let camera = |name: &str| CameraFeature {
        name: name.into(),
        width: 32,
        height: 32,
        encoding: ImageEncoding::Png,
    };
    let features = Features {
        flag: None,
        fps: 10,
        robot_type: "tiny".into(),
        cameras: vec![camera("observation.images.front"), camera("observation.images.wrist")],
        state: vec!["a".into(), "b".into()],
        action: vec!["a".into(), "b".into()],
    };
    let mut writer = Writer::create(path, features, FormatVersion::V2_1).unwrap();
    for episode in 0..4u32 {
        for frame in 0..8u32 {
            let at = |shift: u32| {
                RgbImage::from_fn(32, 32, |x, y| {
                    let inside =
                        x.abs_diff(frame * 3 + 4) < 4 && y.abs_diff(episode * 6 + shift) < 4;
                    if inside {
                        Rgb([230, 40, 40])
                    } else {
                        Rgb([(x * 4) as u8, (y * 4) as u8, 90])
                    }
                })
            };
            let place = [frame as f32 * 0.1, (episode * 2 + frame) as f32 * -0.05];
            let target = [place[0] + 0.1, place[1] * 1.5 - 0.2];
            let task = if episode % 2 == 0 {
                "pick up the red cube"
            } else {
                "put the red cube in the bin"
            };
            writer.add_frame(&[at(6), at(9)], &place, &target, task).unwrap();
        }
        writer.finish_episode().unwrap();
    }
    writer.finish().unwrap();
}

pub fn open(run: RunFile, resume: bool) -> f1_train::Result<Trainer> {
    Trainer::open(run, resume, &mut |_| {})
}

pub fn train(run: RunFile, resume: bool) -> Trainer {
    let mut trainer = open(run, resume).unwrap();
    assert_eq!(trainer.train(&AtomicBool::new(false)).unwrap(), Outcome::Finished);
    trainer
}

/// All trained values, flat.
pub fn values(trainer: &Trainer) -> Vec<f32> {
    let slots = trainer.optimizer().slots();
    slots
        .iter()
        .flat_map(|slot| slot.value().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap())
        .collect()
}

/// A column of `metrics.csv`.
pub fn column(output: &Path, name: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(output.join("metrics.csv")).unwrap();
    let mut lines = text.lines();
    let place = lines.next().unwrap().split(',').position(|field| field == name).unwrap();
    lines.map(|line| line.split(',').nth(place).unwrap().parse().unwrap()).collect()
}
