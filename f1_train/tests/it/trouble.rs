//! What goes wrong is said clearly, and nothing is lost.

use std::sync::atomic::AtomicBool;

use crate::fixture::{Fixture, open, train, values};

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
fn a_dimension_that_never_moves_is_named_with_its_mend() {
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
