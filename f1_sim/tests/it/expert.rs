//! What the scripted expert can do.

use f1_sim::expert::{self, Disturbance, Expert, STEP};
use f1_sim::{Bench, BenchSettings, Outcome, Split, Task};

#[test]
fn the_expert_does_every_task_pushed_or_not() {
    let robot = super::robot();
    for disturbance in [Disturbance::NONE, Disturbance::NOMINAL] {
        for (task, split) in [
            (Task::Static, Split::Training),
            (Task::Dynamic, Split::Training),
            (Task::Dynamic, Split::NewSpeeds),
            (Task::Dynamic, Split::NewPairs),
            (Task::Bin, Split::Training),
        ] {
            let mut failed = 0;
            for seed in 0..20 {
                let mut settings = BenchSettings::new(task, split, seed);
                settings.start = Some(expert::start(&robot, seed, disturbance));
                let mut bench = Bench::new(robot.clone(), settings).unwrap();
                let mut expert = Expert::new(&bench, disturbance);
                while !bench.outcome().is_over() {
                    expert.step(&mut bench).unwrap();
                    bench.advance(STEP);
                }
                failed += u32::from(bench.outcome() != Outcome::Success);
            }
            assert!(failed <= 1, "{task:?} {split:?} {disturbance:?}: {failed} of 20 failed");
        }
    }
}
