//! The run files that ship can be read, and the paper's are table 8.

use std::path::Path;
use std::path::PathBuf;

use f1_train::RunFile;
use f1_train::run_file::Stage;
use f1_train::schedule::Shape;

fn load(name: &str) -> RunFile {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/train").join(format!("{name}.yaml"));
    let text = std::fs::read_to_string(path).unwrap();
    RunFile::parse_with(&text, name, &[], |variable| Some(variable.to_lowercase())).unwrap()
}

#[test]
fn table_eight() {
    let rows = [
        ("paper_stage1", Stage::Stage1, 1280, 3e-4, Shape::Cosine, Some(512_000), None, 30),
        ("paper_stage2", Stage::Stage2, 2880, 5e-5, Shape::Constant, Some(100_000), None, 30),
        ("paper_stage3_libero", Stage::Stage3, 128, 5e-5, Shape::Cosine, Some(100_000), None, 4),
        ("paper_stage3_simpler", Stage::Stage3, 128, 5e-5, Shape::Cosine, None, Some(10.0), 8),
        ("paper_stage3_genie", Stage::Stage3, 128, 5e-5, Shape::Cosine, None, Some(40.0), 50),
        ("paper_stage3_franka", Stage::Stage3, 128, 5e-5, Shape::Cosine, None, Some(40.0), 50),
        ("paper_stage3_dynamic", Stage::Stage3, 128, 5e-5, Shape::Cosine, None, Some(40.0), 50),
        (
            "paper_stage3_long_horizon",
            Stage::Stage3,
            128,
            5e-5,
            Shape::Cosine,
            None,
            Some(60.0),
            50,
        ),
    ];
    for (name, stage, batch, rate, shape, steps, epochs, chunk) in rows {
        let run = load(name);
        assert_eq!(run.stage, stage, "{name}");
        assert_eq!(run.batch * run.accumulate, batch, "{name}");
        assert_eq!(run.learning_rate.default, rate, "{name}");
        assert_eq!(run.schedule.shape, shape, "{name}");
        assert_eq!((run.steps, run.epochs), (steps, epochs), "{name}");
        assert_eq!(
            (run.model.chunk_size, run.model.num_resolutions),
            (Some(chunk), Some(4)),
            "{name}"
        );
        assert_eq!(run.loss.generation_weight, 0.1, "{name}");
        for source in run.data.sources.values() {
            assert_eq!(source.n_obs_img_steps, 4 * source.obs_img_stride, "{name}");
        }
    }
}

/// Panics unless a run starts from a checkpoint or the finished model in the folder of the run
/// before it.
fn follows(start: &Option<PathBuf>, before: &RunFile) {
    let start = start.as_ref().unwrap();
    assert!(
        start.starts_with(&before.output),
        "{} is not in {}",
        start.display(),
        before.output.display()
    );
}

fn samples(run: &RunFile) -> u64 {
    run.steps.unwrap() * run.batch as u64
}

#[test]
fn the_benchs_runs_follow_one_another() {
    let [tokenizer, pi0, stage1, stage2, stage3, without, past, frozen, two] = [
        "bench_tokenizer",
        "bench_pi0",
        "bench_stage1",
        "bench_stage2",
        "bench_stage3",
        "bench_without_foresight",
        "bench_past_pictures",
        "bench_frozen",
        "bench_two_scales",
    ]
    .map(load);
    follows(&stage1.model.image_tokenizer, &tokenizer);
    follows(&stage1.model.init, &pi0);
    follows(&stage2.model.init, &stage1);
    follows(&stage3.model.init, &stage2);
    for (compared, from) in [(&without, &pi0), (&past, &pi0), (&frozen, &stage1), (&two, &stage1)] {
        follows(&compared.model.init, from);
        assert_eq!(samples(compared), samples(&stage2) + samples(&stage3));
    }
}

#[test]
fn metaworlds_runs_follow_one_another_and_compare_equal_numbers_of_samples() {
    let [tokenizer, pi0, stage1, stage2, stage3, without, past] = [
        "metaworld_tokenizer",
        "metaworld_pi0",
        "metaworld_stage1",
        "metaworld_stage2",
        "metaworld_stage3",
        "metaworld_without_foresight",
        "metaworld_past_images",
    ]
    .map(load);
    follows(&stage1.model.image_tokenizer, &tokenizer);
    follows(&stage1.model.init, &pi0);
    follows(&stage2.model.init, &stage1);
    follows(&stage3.model.init, &stage2);
    for compared in [&without, &past] {
        follows(&compared.model.init, &pi0);
        assert_eq!(samples(compared), samples(&stage2) + samples(&stage3));
    }
    for run in [&tokenizer, &pi0, &stage1, &stage2, &stage3, &without, &past] {
        assert_eq!(run.data.sources, tokenizer.data.sources, "{}", run.output.display());
    }
}

#[test]
fn the_gpus_runs_take_the_released_network_by_its_name() {
    for name in ["gpu_full", "gpu_lora"] {
        let run = load(name);
        assert_eq!(
            (run.batch, run.steps, run.lora.is_some()),
            (8, Some(50), name == "gpu_lora"),
            "{name}"
        );
        assert_eq!(run.keep, 0, "{name}");
        let config = f1_train::setup::config(&run.model).unwrap();
        assert_eq!(config.understanding.hidden_size, 2048, "{name}");
        let misspelt = f1_train::run_file::ModelSection { config: "relesed".into(), ..run.model };
        let error = f1_train::setup::config(&misspelt).unwrap_err().to_string();
        assert!(error.contains("relesed") && error.contains("released-2"), "{error}");
    }
}
