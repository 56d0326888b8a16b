//! What happens in mid-episode, and what a detector sees of it.

use std::sync::Arc;

use f1_robot::Robot;
use f1_sim::detector::Objects;
use f1_sim::expert::{Disturbance, Expert, STEP};
use f1_sim::score::TRUSTED;
use f1_sim::{Bench, BenchSettings, CameraId, Disturb, Outcome, Split, Task};

use super::robot;

fn bench(robot: &Arc<Robot>, task: Task, split: Split, seed: u64) -> BenchWith {
    let settings = BenchSettings::new(task, split, seed);
    let bench = Bench::new(robot.clone(), settings).unwrap();
    let expert = Expert::new(&bench, Disturbance::NONE);
    BenchWith { bench, expert }
}

struct BenchWith {
    bench: Bench,
    expert: Expert,
}

impl BenchWith {
    fn step(&mut self) {
        self.expert.step(&mut self.bench).unwrap();
        self.bench.advance(STEP);
    }
}

#[test]
fn the_detector_finds_the_objects_of_true_images() {
    let robot = robot();
    let mut objects = Objects::default();
    for (task, split) in [
        (Task::Dynamic, Split::NewSpeeds),
        (Task::Dynamic, Split::NewPairs),
        (Task::Static, Split::NewPairs),
        (Task::Bin, Split::NewSpeeds),
    ] {
        for seed in 2_000_000..2_000_008 {
            let mut playing = bench(&robot, task, split, seed);
            while playing.bench.outcome() == Outcome::Running {
                let image = playing.bench.render(CameraId::Fixed);
                objects.add(&image, &playing.bench.visible(CameraId::Fixed));
                (0..4).for_each(|_| playing.step());
            }
        }
    }
    assert!(objects.visible > 300, "{objects:?}");
    assert!(objects.share().unwrap() >= TRUSTED, "{objects:?}");
    assert!(objects.false_per_image().unwrap() < 0.05, "{objects:?}");
}

#[test]
fn a_disturbance_is_of_the_seed_and_shows_after_it_happened() {
    let robot = robot();
    for kind in [Disturb::Speed, Disturb::Swap, Disturb::Push] {
        let mut happened = 0;
        for seed in 2_000_000..2_000_006 {
            let play = || {
                let mut settings = BenchSettings::new(Task::Dynamic, Split::NewSpeeds, seed);
                settings.disturb = Some(kind);
                let mut bench = Bench::new(robot.clone(), settings).unwrap();
                let mut shows = None;
                // The arm waits: nothing of this is its doing.
                while bench.time() < 4.5 && bench.outcome() == Outcome::Running {
                    bench.advance(0.05);
                    if shows.is_none() && bench.disturbance_shows(CameraId::Fixed) {
                        shows = Some(bench.time());
                    }
                }
                (bench.disturbed(), shows)
            };
            let (disturbed, shows) = play();
            assert_eq!((disturbed, shows), play());
            let Some(disturbed) = disturbed else { continue };
            happened += 1;
            let shows = shows.unwrap_or_else(|| panic!("{disturbed:?} never shows"));
            assert!((disturbed.time..disturbed.time + 1.5).contains(&shows), "{disturbed:?}");
            assert!((1.0..=4.0).contains(&disturbed.time), "{disturbed:?}");
        }
        assert!(happened >= 3, "{kind:?}: {happened} of 6");
    }
}

#[test]
fn without_a_disturbance_nothing_shows() {
    let mut playing = bench(&robot(), Task::Dynamic, Split::NewSpeeds, 2_000_000);
    (0..30).for_each(|_| playing.step());
    assert_eq!(playing.bench.disturbed(), None);
    assert!(!playing.bench.disturbance_shows(CameraId::Fixed));
}
