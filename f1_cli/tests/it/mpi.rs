//! `mpirun -n N f1 train`: ranks that are processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use f1_train::RunFile;

use crate::fixture::{CONFIG, Fixture, column};

/// `mpirun` of `size` ranks of `f1 train`.
fn mpirun(size: usize, run: &Path, more: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["-n", &size.to_string(), env!("CARGO_BIN_EXE_f1"), "train"]).arg(run).args(more);
    on_any_machine(&mut command);
    command
}

/// Lets OpenMPI start more ranks than there are cores, as root too.
fn on_any_machine(command: &mut Command) {
    command
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
        .env("OMPI_MCA_hwloc_base_binding_policy", "none")
        .env("RAYON_NUM_THREADS", "1");
}

fn finish(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    output
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

/// A fixture whose tokens are the likeliest ones, and a run file in it.
fn greedy() -> Fixture {
    let fixture = Fixture::new();
    let config = CONFIG.replace("\"top_k\": 5", "\"top_k\": 1");
    std::fs::write(fixture.path("model/config.json"), config).unwrap();
    fixture
}

fn write(run: &RunFile) -> PathBuf {
    let path = run.output.with_extension("yaml");
    std::fs::write(&path, serde_json::to_string(run).unwrap()).unwrap();
    path
}

/// Every f32 of the trained model, by name.
fn model(fixture: &Fixture, output: &str) -> Vec<f32> {
    let path = fixture.path(output).join("model/model.safetensors");
    let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap();
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort_unstable();
    names
        .into_iter()
        .filter(|name| tensors[*name].dtype() == candle_core::DType::F32)
        .flat_map(|name| tensors[name].flatten_all().unwrap().to_vec1::<f32>().unwrap())
        .collect()
}

fn assert_near(one: &[f32], two: &[f32]) {
    assert_eq!(one.len(), two.len());
    let far = one.iter().zip(two).filter(|(a, b)| (*a - *b).abs() > 1e-5).count();
    // Adam divides by the gradient's size: an element with almost none may go either way.
    assert!(far * 200 <= one.len(), "{far} of {} values differ", one.len());
}

#[test]
fn two_and_four_ranks_make_the_updates_of_one_with_the_whole_batch() {
    let fixture = greedy();
    let of = |output: &str, batch: usize| {
        let more = format!("batch: {batch}\nsteps: 3\nloss: {{reduction: released}}");
        write(&fixture.run("stage3", output, &more))
    };
    let alone =
        Command::new(env!("CARGO_BIN_EXE_f1")).arg("train").arg(of("alone", 16)).output().unwrap();
    assert!(alone.status.success(), "{}", said(&alone));
    for (size, batch) in [(2, 8), (4, 4)] {
        let name = format!("ranks{size}");
        finish(mpirun(size, &of(&name, batch), &[]));
        assert_near(&model(&fixture, "alone"), &model(&fixture, &name));
        let pairs = column(&fixture.path("alone"), "loss")
            .into_iter()
            .zip(column(&fixture.path(&name), "loss"));
        for (one, mean) in pairs {
            assert!((one - mean).abs() < 1e-4 * one, "{size} ranks: {one} and {mean}");
        }
    }
}

/// The process id of a rank below `mpirun`.
fn process_of(mpirun: &Child, rank: usize) -> Option<u32> {
    let wanted = format!("OMPI_COMM_WORLD_RANK={rank}");
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let is_rank =
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes());
        (is_rank && parent == mpirun.id().to_string()).then_some(id)
    })
}

#[test]
fn a_killed_rank_ends_the_job_and_another_number_of_ranks_goes_on_from_the_checkpoint() {
    let fixture = greedy();
    let of = |output: &str, steps: u64, batch: usize| {
        let more = format!("batch: {batch}\nsteps: {steps}\nsave_every: 1\nkeep: 3");
        let mut run = fixture.run("stage1", output, &more);
        run.schedule.shape = f1_train::schedule::Shape::Constant;
        write(&run)
    };
    // Far more updates than it will make.
    let mut job = mpirun(2, &of("killed", 100_000, 4), &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let checkpoints = fixture.path("killed/checkpoints");
    let newest = || -> Option<u64> {
        let folders = std::fs::read_dir(&checkpoints).ok()?;
        folders
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("step_")?.parse().ok())
            .max()
    };
    let rank = loop {
        match (process_of(&job, 1), newest()) {
            (Some(rank), Some(3..)) => break rank,
            _ if job.try_wait().unwrap().is_some() => {
                panic!("{}", said(&job.wait_with_output().unwrap()));
            }
            _ => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    let killed = Command::new("kill").args(["-9", &rank.to_string()]).status().unwrap();
    assert!(killed.success());
    let output = job.wait_with_output().unwrap();
    assert!(!output.status.success());
    let text = said(&output);
    assert!(text.contains("rank 1") && text.contains("signal 9"), "{text}");
    let steps = newest().unwrap() + 3;
    let run = of("killed", steps, 8);
    let resumed = Command::new(env!("CARGO_BIN_EXE_f1"))
        .arg("train")
        .arg(&run)
        .arg("--resume")
        .output()
        .unwrap();
    assert!(resumed.status.success(), "{}", said(&resumed));
    finish(mpirun(4, &of("whole", steps, 2), &[]));
    assert_near(&model(&fixture, "whole"), &model(&fixture, "killed"));
}

#[test]
fn a_rank_that_fails_is_named_with_its_reason() {
    let fixture = greedy();
    let run = fixture.run("stage1", "failed", "batch: 2\nsteps: 4");
    let path = write(&run);
    // A file where rank 0 makes its folder of checkpoints.
    std::fs::create_dir_all(fixture.path("failed")).unwrap();
    std::fs::write(fixture.path("failed/model"), "in the way").unwrap();
    let output = mpirun(2, &path, &[]).output().unwrap();
    assert!(!output.status.success());
    let text = said(&output);
    assert!(text.contains("rank 0 of 2: ") && text.contains("failed/model"), "{text}");
}

#[test]
fn the_tokenizer_is_trained_on_ranks_too() {
    let fixture = greedy();
    let run = fixture.run("tokenizer", "tokenizer", "batch: 2\nsteps: 3\nloss: {revive_after: 2}");
    finish(mpirun(2, &write(&run), &[]));
    assert!(fixture.path("tokenizer/model/model.safetensors").exists());
}

#[test]
fn statistics_of_several_ranks_are_those_of_one() {
    let fixture = greedy();
    let stats = |launcher: &[&str], output: &str| {
        let mut words: Vec<String> = launcher.iter().map(|word| (*word).to_owned()).collect();
        words.extend([env!("CARGO_BIN_EXE_f1").to_owned(), "stats".to_owned()]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(fixture.path("data")).args(["--output"]);
        command.arg(fixture.path(output));
        on_any_machine(&mut command);
        finish(command);
        std::fs::read_to_string(fixture.path(output)).unwrap()
    };
    assert_eq!(stats(&[], "alone.json"), stats(&["mpirun", "-n", "3"], "together.json"));
}
