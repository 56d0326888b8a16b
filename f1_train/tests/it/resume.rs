//! A run that is stopped and resumed gives the numbers of an unbroken one.

use std::sync::atomic::AtomicBool;

use f1_train::Outcome;

use crate::fixture::{Fixture, column, open, train, values};

fn broken_and_unbroken_agree(stage: &str, more: &str) {
    let fixture = Fixture::new();
    let settings = format!("batch: 3\naccumulate: 2\nsteps: 6\nsave_every: 2\n{more}");
    let whole = train(fixture.run(stage, "whole", &settings), false);

    // The first half ends without a word after its checkpoint of update 4: what a kill leaves
    // behind, with a later checkpoint half written.
    let run = || fixture.run(stage, "broken", &settings);
    drop(train(run(), false));
    for name in ["step_000000006", "step_000000004.partial"] {
        let path = fixture.path("broken/checkpoints").join(name);
        if name.ends_with("6") {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::create_dir_all(path).unwrap();
        }
    }
    let resumed = train(run(), true);
    assert_eq!(values(&whole), values(&resumed));
    let losses = |output: &str| column(&fixture.path(output), "loss");
    assert_eq!(losses("whole"), losses("broken"));
}

#[test]
fn stage_one_resumes_to_the_same_numbers() {
    broken_and_unbroken_agree("stage1", "");
}

#[test]
fn stage_three_resumes_to_the_same_numbers_with_averages() {
    broken_and_unbroken_agree("stage3", "ema: 0.9");
}

#[test]
fn averages_do_not_remember_how_they_came_about() {
    let fixture = Fixture::new();
    let trained = train(fixture.run("stage3", "run", "batch: 2\nsteps: 2\nema: 0.9"), false);
    assert!(!trained.averages().is_empty());
    // An average with a history would keep every average before it in memory.
    for (name, average) in trained.averages() {
        assert!(!average.track_op(), "{name}");
    }
}

#[test]
fn adapters_resume_to_the_same_numbers() {
    broken_and_unbroken_agree(
        "stage3",
        "lora: {groups: [understanding, generation, action], rank: 2, alpha: 4}",
    );
}

#[test]
fn the_tokenizer_resumes_to_the_same_numbers() {
    broken_and_unbroken_agree("tokenizer", "loss: {revive_after: 3}");
}

#[test]
fn an_interrupted_run_saves_where_it_stands() {
    let fixture = Fixture::new();
    let run = || fixture.run("stage1", "run", "batch: 2\nsteps: 3");
    let mut trainer = open(run(), false).unwrap();
    assert_eq!(trainer.train(&AtomicBool::new(true)).unwrap(), Outcome::Interrupted);
    drop(trainer);
    assert!(open(run(), false).err().unwrap().to_string().contains("--resume"));
    train(run(), true);
    assert!(fixture.path("run/model/model.safetensors").exists());
    assert!(fixture.path("run/model/stats.json").exists());
}

#[test]
fn a_run_that_keeps_no_checkpoint_leaves_its_model_alone_and_still_saves_when_stopped() {
    let fixture = Fixture::new();
    let run = || fixture.run("stage1", "run", "batch: 2\nsteps: 3\nsave_every: 1\nkeep: 0");
    let mut trainer = open(run(), false).unwrap();
    assert_eq!(trainer.train(&AtomicBool::new(true)).unwrap(), Outcome::Interrupted);
    drop(trainer);
    let checkpoints = || {
        std::fs::read_dir(fixture.path("run/checkpoints"))
            .map_or(0, |folders| folders.flatten().count())
    };
    assert_eq!(checkpoints(), 1);
    std::fs::remove_dir_all(fixture.path("run")).unwrap();
    train(run(), false);
    assert_eq!(checkpoints(), 0);
    assert!(fixture.path("run/model/model.safetensors").exists());
}

#[test]
fn a_run_file_that_changes_the_numbers_is_not_resumed() {
    let fixture = Fixture::new();
    train(fixture.run("stage1", "run", "batch: 2\nsteps: 2"), false);
    let mut changed = fixture.run("stage1", "run", "batch: 2\nsteps: 2");
    changed.learning_rate.default *= 2.0;
    assert!(open(changed, true).err().unwrap().to_string().contains("changed"));
}

#[test]
fn a_run_is_resumed_with_more_updates_than_it_was_started_with() {
    let fixture = Fixture::new();
    // A constant rate: that of a cosine depends on the number of updates.
    let run = |output: &str, steps: u64| {
        let mut run = fixture.run("stage1", output, &format!("batch: 2\nsteps: {steps}"));
        run.schedule.shape = f1_train::schedule::Shape::Constant;
        run
    };
    let whole = train(run("whole", 4), false);
    train(run("longer", 2), false);
    let longer = train(run("longer", 4), true);
    assert_eq!(values(&whole), values(&longer));
}
