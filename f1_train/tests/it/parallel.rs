//! Two processes with half the batch each make the updates of one with the whole batch.

use std::sync::atomic::AtomicBool;

use f1_train::parallel::Place;
use f1_train::{Outcome, RunFile, Trainer};

use crate::fixture::{Fixture, column, train, values};

/// Trains as two processes would, in two threads over loopback; both trainers.
fn together(
    run: impl Fn() -> RunFile + Sync,
    resume: bool,
    stop: &AtomicBool,
) -> Vec<(Outcome, Trainer)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let meet = listener.local_addr().unwrap().to_string();
    drop(listener);
    std::thread::scope(|scope| {
        let (run, meet) = (&run, &meet);
        let work = move |rank: usize| {
            let place = Place { rank, world: 2, meet: meet.clone() };
            let mut trainer = Trainer::open_part(run(), resume, Some(place), &mut |_| {}).unwrap();
            (trainer.train(stop).unwrap(), trainer)
        };
        let threads = [0, 1].map(|rank| scope.spawn(move || work(rank)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn two_processes_make_the_updates_of_one_with_twice_the_batch() {
    for (stage, more) in [("stage1", ""), ("stage3", "loss: {reduction: released}")] {
        let fixture = Fixture::new();
        // Sampling draws along the whole batch: only the likeliest token is the same wherever a
        // sample stands in it.
        let config = crate::fixture::CONFIG.replace("\"top_k\": 5", "\"top_k\": 1");
        std::fs::write(fixture.path("model/config.json"), config).unwrap();
        let alone =
            train(fixture.run(stage, "alone", &format!("batch: 4\nsteps: 5\n{more}")), false);
        let half = || fixture.run(stage, "together", &format!("batch: 2\nsteps: 5\n{more}"));
        let both = together(half, false, &AtomicBool::new(false));
        // Bit for bit the same in both processes, and but for the order of sums those of the one.
        assert_eq!(values(&both[0].1), values(&both[1].1), "{stage}");
        let (one, two) = (values(&alone), values(&both[0].1));
        assert_eq!(one.len(), two.len());
        let off = one.iter().zip(&two).filter(|(a, b)| (*a - *b).abs() > 1e-5).count();
        assert!(off * 200 <= one.len(), "{stage}: {off} of {} values differ", one.len());
        let losses = |folder: &str| column(&fixture.path(folder), "loss");
        let halves = losses("together").into_iter().zip(losses("together/process_1"));
        for (whole, (first, second)) in losses("alone").into_iter().zip(halves) {
            assert!(
                (whole - (first + second) / 2.0).abs() < 1e-4 * whole,
                "{stage}: {whole}, {first}, {second}"
            );
        }
        // The model is written once.
        assert!(fixture.path("together/model/model.safetensors").exists());
        assert!(!fixture.path("together/process_1/model").exists());
    }
}

#[test]
fn processes_stop_together_and_resume_to_the_same_numbers() {
    let fixture = Fixture::new();
    let settings = "batch: 2\nsteps: 4\nsave_every: 2";
    let whole =
        together(|| fixture.run("stage1", "whole", settings), false, &AtomicBool::new(false));
    let run = || fixture.run("stage1", "broken", settings);
    let stopped = together(run, false, &AtomicBool::new(true));
    assert!(stopped.iter().all(|(outcome, _)| *outcome == Outcome::Interrupted));
    let resumed = together(run, true, &AtomicBool::new(false));
    assert!(resumed.iter().all(|(outcome, _)| *outcome == Outcome::Finished));
    assert_eq!(values(&whole[0].1), values(&resumed[1].1));
}
