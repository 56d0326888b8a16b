//! Faults are named with what to do about them, and no saved state is lost.

use std::sync::atomic::AtomicBool;

use crate::fixture::{Fixture, column, open, run_in, train, values};

#[test]
fn a_loss_that_is_not_finite_leaves_the_weights_of_the_last_good_update() {
    let fixture = Fixture::new();
    let mut run = fixture.run("stage3", "run", "batch: 2\nsteps: 60");
    // A rate that throws the weights out of every range.
    run.learning_rate.default = 1e30;
    run.schedule.warmup_steps = 0;
    let mut trainer = open(run, false).unwrap();
    let message = trainer.train(&AtomicBool::new(false)).unwrap_err().to_string();
    assert!(message.contains("no finite gradient") && message.contains("checkpoints"), "{message}");
    assert!(values(&trainer).iter().all(|value| value.is_finite()));
}

#[test]
fn a_damaged_episode_is_named() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("data/data/chunk-000/episode_000002.parquet"), b"rubbish").unwrap();
    let mut run = fixture.run("stage1", "run", "batch: 2\nsteps: 30");
    let message = open(run.clone(), false).err().unwrap().to_string();
    assert!(message.contains("episode 2") && message.contains("skip_episodes: [2]"), "{message}");
    run.data.sources.get_mut("tiny").unwrap().skip_episodes = vec![2];
    train(run, false);
}

#[test]
fn a_dimension_that_never_moves_is_named_with_what_to_do() {
    let fixture = Fixture::new();
    let path = fixture.path("stats.json");
    let run = fixture.run("stage1", "run", "batch: 2\nsteps: 1");
    let mut config = f1_train::setup::config(&run.model).unwrap();
    let sources = f1_train::setup::open_sources(&run, &mut config).unwrap();
    let mut statistics = f1_train::setup::statistics(&run, &sources).unwrap();
    statistics.entries.get_mut("tiny").unwrap().action.std[1] = 0.0;
    statistics.save(&path).unwrap();
    let mut run = run;
    let source = run.data.sources.get_mut("tiny").unwrap();
    source.statistics = Some(path);
    let message = open(run.clone(), false).err().unwrap().to_string();
    assert!(message.contains("action[1]") && message.contains("ignored_action"), "{message}");
    run.data.sources.get_mut("tiny").unwrap().ignored_action = vec![1];
    assert!(open(run, false).is_ok());
}

const FULL_DISK: &str = "F1_TEST_FULL_DISK";
const FULL_DISK_RUN: &str = "batch: 2\nsteps: 4\nsave_every: 2";

/// The other half of the test below, in a process of its own whose files cannot grow.
#[test]
fn a_run_on_a_full_disk() {
    let Some(folder) = std::env::var_os(FULL_DISK) else { return };
    let run = run_in(std::path::Path::new(&folder), "stage1", "broken", FULL_DISK_RUN);
    let message = open(run, true).unwrap().train(&AtomicBool::new(false)).unwrap_err().to_string();
    println!("MESSAGE {message}");
}

#[test]
fn a_full_disk_costs_nothing_that_was_saved() {
    let fixture = Fixture::new();
    let whole = train(fixture.run("stage1", "whole", FULL_DISK_RUN), false);
    let run = || fixture.run("stage1", "broken", FULL_DISK_RUN);
    drop(train(run(), false));
    std::fs::remove_dir_all(fixture.path("broken/checkpoints/step_000000004")).unwrap();
    std::fs::remove_dir_all(fixture.path("broken/model")).unwrap();
    // The shell's limit counts blocks of 512 or 1024 bytes: far less than a checkpoint. Writing
    // past it then fails.
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "trap '' XFSZ; ulimit -f 64; exec {} --exact trouble::a_run_on_a_full_disk --nocapture --test-threads 1",
        program.display()
    );
    let folder = fixture.folder.path();
    let out = std::process::Command::new("sh")
        .args(["-c", &script])
        .env(FULL_DISK, folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let message = said.lines().find(|line| line.contains("MESSAGE")).unwrap_or_else(|| {
        panic!("{said}\n{}", String::from_utf8_lossy(&out.stderr));
    });
    for part in ["step_000000004.partial", "the disk is full", "--resume"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // The whole checkpoint is still there, the partial one is gone, and the run goes on with the
    // numbers of an unbroken one.
    let left: Vec<String> = std::fs::read_dir(fixture.path("broken/checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["step_000000002"]);
    let resumed = train(run(), true);
    assert_eq!(values(&whole), values(&resumed));
    assert_eq!(column(&fixture.path("whole"), "loss"), column(&fixture.path("broken"), "loss"));
}
