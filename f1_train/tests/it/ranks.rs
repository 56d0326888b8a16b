//! Ranks that train together make the updates of one process with the whole batch. Here they are
//! threads of a test; `mpi` starts them as processes.

use std::sync::atomic::AtomicBool;

use f1_train::ranks::{OnHost, Threads};
use f1_train::{Outcome, Ranks, Result, RunFile, Trainer};

use crate::fixture::{Fixture, column, train, values};

/// Small enough that the model's gradients are many buckets.
const BUCKET_BYTES: usize = 4096;

/// Trains on `size` ranks; how each ended.
fn attempt(
    size: usize,
    run: impl Fn(usize) -> RunFile + Sync,
    resume: bool,
    stop: &AtomicBool,
) -> Vec<Result<(Outcome, Trainer)>> {
    let work = |threads: Threads, rank: usize| {
        let ranks = Ranks::new(OnHost::new(threads)).with_bucket_bytes(BUCKET_BYTES);
        let train = || {
            let mut trainer =
                Trainer::open_on(run(rank), resume, Some(ranks.clone()), &mut |_| {})?;
            Ok((trainer.train(stop)?, trainer))
        };
        let outcome = train();
        if outcome.is_err() {
            ranks.abort();
        }
        outcome
    };
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = Threads::connected(size)
            .into_iter()
            .enumerate()
            .map(|(rank, threads)| scope.spawn(move || work(threads, rank)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn together(size: usize, run: impl Fn(usize) -> RunFile + Sync, resume: bool) -> Vec<Trainer> {
    attempt(size, run, resume, &AtomicBool::new(false))
        .into_iter()
        .map(|outcome| {
            let (outcome, trainer) = outcome.unwrap();
            assert_eq!(outcome, Outcome::Finished);
            trainer
        })
        .collect()
}

/// A fixture whose tokens are the likeliest ones: sampling draws along a rank's batch, so that
/// only these are the same wherever a sample stands.
pub fn greedy() -> Fixture {
    let fixture = Fixture::new();
    let config = crate::fixture::CONFIG.replace("\"top_k\": 5", "\"top_k\": 1");
    std::fs::write(fixture.path("model/config.json"), config).unwrap();
    fixture
}

/// Whether two runs have the same weights, but for the order of sums.
pub fn assert_near(one: &[f32], two: &[f32], what: &str) {
    assert_eq!(one.len(), two.len(), "{what}");
    let far = one.iter().zip(two).filter(|(a, b)| (*a - *b).abs() > 1e-5).count();
    // Adam divides by the gradient's size: an element with almost none may go either way.
    assert!(far * 200 <= one.len(), "{what}: {far} of {} values differ", one.len());
}

#[test]
fn several_ranks_make_the_updates_of_one_process_with_the_whole_batch() {
    for (stage, size, batch, more) in [
        ("stage1", 2, 8, ""),
        ("stage1", 4, 4, "ema: 0.9"),
        ("stage3", 2, 8, "loss: {reduction: released}"),
        (
            "stage3",
            3,
            4,
            "accumulate: 2\nloss: {reduction: released}\nlora: {groups: [action], rank: 2, alpha: 4}",
        ),
        ("tokenizer", 2, 4, "loss: {revive_after: 0}"),
    ] {
        let fixture = greedy();
        let of = |output: &str, batch: usize| {
            fixture.run(stage, output, &format!("batch: {batch}\nsteps: 4\n{more}"))
        };
        let alone = train(of("alone", batch * size), false);
        let ranks = together(size, |_| of("together", batch), false);
        let what = format!("{stage} on {size} ranks");
        for other in &ranks[1..] {
            assert_eq!(values(&ranks[0]), values(other), "{what}");
        }
        assert_near(&values(&alone), &values(&ranks[0]), &what);
        let losses = |output: &str| column(&fixture.path(output), "loss");
        for (one, mean) in losses("alone").into_iter().zip(losses("together")) {
            assert!((one - mean).abs() < 1e-4 * one, "{what}: {one} and {mean}");
        }
        // Every rank keeps the moments of its share alone.
        let elements = values(&alone).len();
        let kept: Vec<usize> = ranks
            .iter()
            .map(|rank| rank.optimizer().slots().iter().map(|slot| slot.owned.len()).sum())
            .collect();
        assert_eq!(kept.iter().sum::<usize>(), elements, "{what}");
        let largest = kept.into_iter().max().unwrap();
        assert!(largest < elements / size + elements / 20 + 64, "{what}: {largest} of {elements}");
        assert!(fixture.path("together/model/model.safetensors").exists());
    }
}

#[test]
fn a_stopped_run_resumes_on_another_number_of_ranks() {
    let fixture = greedy();
    let of = |output: &str, batch: usize| {
        let more = format!("batch: {batch}\nsteps: 4\nsave_every: 2\nema: 0.9");
        fixture.run("stage1", output, &more)
    };
    let whole = train(of("whole", 8), false);
    let stopped = attempt(4, |_| of("moved", 2), false, &AtomicBool::new(true));
    assert!(stopped.into_iter().all(|rank| rank.unwrap().0 == Outcome::Interrupted));
    // The checkpoint is of update 1: the ranks agree on the stop with the gradients.
    let resumed = together(2, |_| of("moved", 4), true);
    assert_near(&values(&whole), &values(&resumed[0]), "4, then 2 ranks");
    let whole_losses = column(&fixture.path("whole"), "loss");
    let losses = column(&fixture.path("moved"), "loss");
    assert_eq!(losses.len(), whole_losses.len());
    for (one, two) in whole_losses.into_iter().zip(losses) {
        assert!((one - two).abs() < 1e-4 * one, "{one} and {two}");
    }
}

#[test]
fn a_resumed_run_gives_the_numbers_of_an_unbroken_one_on_as_many_ranks() {
    for stage in ["stage3", "tokenizer"] {
        let fixture = Fixture::new();
        let of = |output: &str| {
            let more = "batch: 2\nsteps: 4\nsave_every: 2\nloss: {revive_after: 3}";
            fixture.run(stage, output, more)
        };
        let whole = together(2, |_| of("whole"), false);
        let stopped = attempt(2, |_| of("broken"), false, &AtomicBool::new(true));
        assert!(stopped.into_iter().all(|rank| rank.unwrap().0 == Outcome::Interrupted));
        let resumed = together(2, |_| of("broken"), true);
        assert_eq!(values(&whole[0]), values(&resumed[1]), "{stage}");
    }
}

#[test]
fn updates_of_another_size_are_not_resumed_and_the_message_says_how_to_keep_theirs() {
    let fixture = Fixture::new();
    let of = |batch: usize| fixture.run("stage1", "run", &format!("batch: {batch}\nsteps: 2"));
    together(2, |_| of(4), false);
    let message = crate::fixture::open(of(4), true).err().unwrap().to_string();
    assert!(message.contains("--set batch=8"), "{message}");
    assert!(crate::fixture::open(of(8), true).is_ok());
}

#[test]
fn a_rank_with_another_run_file_is_named() {
    let fixture = Fixture::new();
    let of = |rank: usize| {
        let mut run = fixture.run("stage1", "run", "batch: 2\nsteps: 2");
        run.learning_rate.default *= if rank == 1 { 2.0 } else { 1.0 };
        run
    };
    for outcome in attempt(2, of, false, &AtomicBool::new(false)) {
        let message = outcome.err().unwrap().to_string();
        assert!(message.contains("rank 1") || message.contains("ended before"), "{message}");
    }
}

#[test]
fn a_loss_that_is_not_finite_on_one_rank_changes_nothing_on_any() {
    let fixture = Fixture::new();
    let of = |_| {
        let mut run = fixture.run("stage3", "run", "batch: 2\nsteps: 40\nsave_every: 1000");
        run.learning_rate.default = 1e30;
        run.schedule.warmup_steps = 0;
        run
    };
    for outcome in attempt(2, of, false, &AtomicBool::new(false)) {
        let message = outcome.err().unwrap().to_string();
        let named = message.contains("no finite gradient on rank") && message.contains("saved in");
        assert!(named || message.contains("no finite gradient"), "{message}");
    }
    // What was saved can be read and is finite.
    let tensors = candle_core::safetensors::load(
        std::fs::read_dir(fixture.path("run/checkpoints"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
            .join("optimizer.safetensors"),
        &candle_core::Device::Cpu,
    )
    .unwrap();
    for (name, tensor) in tensors {
        let sum = tensor.sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(sum.is_finite(), "{name}");
    }
}

#[test]
fn a_rank_that_is_gone_is_named_and_the_newest_checkpoint_stands() {
    let fixture = Fixture::new();
    let of = |output: &str, steps: u64| {
        fixture.run("stage1", output, &format!("batch: 2\nsteps: {steps}\nsave_every: 1"))
    };
    together(2, |_| of("run", 2), false);
    // Rank 1 has lost its data.
    let lost = |rank: usize| {
        let mut run = of("run", 4);
        if rank == 1 {
            run.data.sources.get_mut("tiny").unwrap().path = fixture.path("nowhere");
        }
        run
    };
    let outcomes = attempt(2, lost, true, &AtomicBool::new(false));
    let messages: Vec<String> =
        outcomes.into_iter().map(|outcome| outcome.err().unwrap().to_string()).collect();
    assert!(messages[0].contains("rank 1 ended before the others"), "{messages:?}");
    assert!(messages[1].contains("nowhere"), "{messages:?}");
    let resumed = together(2, |_| of("run", 4), true);
    let whole = together(2, |_| of("whole", 4), false);
    let losses = |name: &str| column(&fixture.path(name), "token_accuracy").len();
    assert_eq!(losses("run"), losses("whole"));
    assert_eq!(resumed[0].total(), whole[0].total());
}
