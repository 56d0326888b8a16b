//! Samples a second of the loader, and what a training step costs beside its forward and backward
//! passes.
//!
//! `cargo bench -p f1_train --bench throughput -- [loader] [step]`; prints a table. The loader's
//! rate is that of two cores which do nothing else, from the processor seconds that a sample takes:
//! the clock on the wall would measure whatever else the machine does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use f1_data::lerobot::{CameraFeature, Features, FormatVersion, ImageEncoding, Writer};
use f1_data::loader::Loader;
use f1_data::mixture::Position;
use f1_train::batch::{Prepared, Preparer, encode_prompts};
use f1_train::{RunFile, TrainError, Trainer, setup};
use image::{Rgb, RgbImage};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    f1_kernels::keep_freed_memory();
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |name: &str| asked.is_empty() || asked.iter().any(|word| word == name);
    let folder = tempfile::tempdir()?;
    if wants("loader") {
        loader(folder.path())?;
    }
    if wants("step") {
        steps(folder.path())?;
    }
    Ok(())
}

/// Processor time of this process so far, all threads, s.
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A scene with smooth shades, edges and a little noise: compresses as camera images do.
fn scene(side: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        let noise = (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729) ^ seed.wrapping_mul(31)) % 5;
        let thing = x.abs_diff((seed * 3) % side) < side / 8 && y.abs_diff(side / 2) < side / 8;
        let shade = ((x + y) * 200 / (2 * side) + noise) as u8;
        if thing {
            Rgb([200, 40 + shade / 4, 40])
        } else {
            Rgb([shade, 120 + shade / 3, 250 - shade])
        }
    })
}

fn write(path: &Path, side: u32, encoding: ImageEncoding, episodes: u32, frames: u32) -> Outcome {
    let camera = |name: &str| CameraFeature {
        name: format!("observation.images.{name}"),
        width: side,
        height: side,
        encoding,
    };
    let names: Vec<String> = (0..8).map(|joint| format!("joint{joint}")).collect();
    let features = Features {
        flag: None,
        fps: 10,
        robot_type: "bench_arm".into(),
        cameras: vec![camera("front"), camera("wrist")],
        state: names.clone(),
        action: names,
    };
    let mut writer = Writer::create(path, features, FormatVersion::V3_0)?;
    for episode in 0..episodes {
        for frame in 0..frames {
            let seed = episode * frames + frame;
            let row: Vec<f32> = (0..8).map(|dim| ((seed + dim * 7) as f32 * 0.37).sin()).collect();
            writer.add_frame(
                &[scene(side, seed), scene(side, seed + 1)],
                &row,
                &row,
                "pick up the red cube",
            )?;
        }
        writer.finish_episode()?;
    }
    writer.finish()?;
    Ok(())
}

/// 224 px, two cameras, four history frames and the target cut for a 256 px tokenizer, everything
/// decoded and normalised.
fn loader(folder: &Path) -> Outcome {
    println!("{:<28}{:>14}{:>14}{:>14}", "loader", "CPU ms/sample", "on two cores", "by the clock");
    for (name, encoding) in
        [("JPEG", ImageEncoding::Jpeg { quality: 95 }), ("PNG", ImageEncoding::Png)]
    {
        let path = folder.join(name);
        write(&path, 224, encoding, 8, 60)?;
        let config = folder.join("config.json");
        let mut released = f1_model::Config::released();
        released.chunk_size = 12;
        std::fs::write(&config, released.to_json().to_string())?;
        let text = format!(
            "stage: stage3\noutput: none\nmodel: {{config: {}, prompt_tokenizer: {}}}\ndata: {{sources: {{x: {{path: {}, \
             n_obs_img_steps: 12, n_pred_img_steps: 3, obs_img_stride: 3}}}}}}\nbatch: 16\nsteps: 1\n\
             learning_rate: {{default: 0}}\nschedule: {{shape: constant}}\n",
            config.display(),
            root().join("models/f1_bench/tokenizer.json").display(),
            path.display()
        );
        let run = RunFile::parse(&text, "bench", &[])?;
        let mut config = setup::config(&run.model)?;
        let sources = setup::open_sources(&run, &mut config)?;
        let statistics = setup::statistics(&run, &sources)?;
        let normalisers = setup::normalisers(&run, &sources, &statistics)?;
        let reader = setup::reader(&run, sources);
        let encoder = setup::prompt_encoder(&setup::prompt_tokenizer(&run)?, &config)?;
        let prompts = encode_prompts(&reader, &encoder)?;
        let preparer = Arc::new(Preparer {
            reader,
            normalisers,
            prompts,
            tokens: None,
            config,
            random_crop: true,
            augmentation: None,
            seed: 1,
            flow_draws: 1,
            cameras: 2,
            wants_cameras: true,
        });
        let order = preparer.reader.order(1, Position::default())?;
        let loader: Loader<Prepared, TrainError> =
            Loader::start(order, 16, 2, 2, move |drawn| preparer.prepare(drawn))?;
        let take = |batches: usize| -> Result<usize, TrainError> {
            let mut samples = 0;
            for _ in 0..batches {
                samples += loader
                    .next_batch()
                    .map_or(Ok(0), |batch| batch.map(|batch| batch.samples.len()))?;
            }
            Ok(samples)
        };
        take(20)?;
        let (begun, spent) = (Instant::now(), processor_seconds());
        let samples = take(60)? as f64;
        let (wall, spent) = (begun.elapsed().as_secs_f64(), processor_seconds() - spent);
        let (each, rate) = (1e3 * spent / samples, 2.0 * samples / spent);
        println!("  {name:<26}{each:>14.2}{rate:>12.0}/s{:>12.0}/s", samples / wall);
    }
    Ok(())
}

/// The bench model's stages: the share of a step that is forward and backward, read from the
/// journal.
fn steps(folder: &Path) -> Outcome {
    let data = folder.join("bench");
    write(&data, 96, ImageEncoding::Png, 8, 40)?;
    println!(
        "{:<28}{:>14}{:>14}{:>14}{:>14}",
        "step", "s/update", "over fw+bw", "loader waits", "samples/s"
    );
    for (stage, batch) in [("tokenizer", 16), ("stage1", 32), ("stage3", 32)] {
        let output = folder.join(stage);
        let text = format!(
            "stage: {stage}\noutput: {}\nmodel: {{config: {}}}\ndata: {{crop: center, workers: 1, sources: {{x: {{path: {}, \
             n_obs_img_steps: 12, n_pred_img_steps: 3, obs_img_stride: 3}}}}}}\nbatch: {batch}\nsteps: 12\nlog_every: 6\n\
             learning_rate: {{default: 1.0e-4}}\nschedule: {{shape: constant}}\n",
            output.display(),
            root().join("models/f1_bench").display(),
            data.display()
        );
        let mut trainer = Trainer::open(RunFile::parse(&text, "bench", &[])?, false, &mut |_| {})?;
        trainer.train(&AtomicBool::new(false))?;
        let text = std::fs::read_to_string(output.join("metrics.csv"))?;
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        let value = |name: &str| -> f64 {
            let place = lines[0].iter().position(|field| *field == name).unwrap_or(0);
            lines.last().and_then(|line| line[place].parse().ok()).unwrap_or(f64::NAN)
        };
        println!(
            "  {stage:<26}{:>14.3}{:>14.3}{:>13.1}%{:>14.1}",
            value("seconds_per_update"),
            1.0 / value("compute_share"),
            100.0 * value("loader_share"),
            value("samples_per_second")
        );
    }
    Ok(())
}
