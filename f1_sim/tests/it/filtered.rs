//! What the safety filter sends is within limits where it counts: at the controllers, behind a
//! robot that follows late.

use f1_robot::RawChunk;
use f1_robot::safety::{FilterInput, FilterSettings, MeasuredState, Rule, SafetyFilter};
use f1_sim::{Bench, BenchSettings, Split, Task};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Seconds between two calls of the filter.
const TICK: f64 = 0.02;

/// Chunks like those of a policy that is not sure of itself: each begins where the robot was seen,
/// not where it is commanded, and goes on in its own direction, now and then faster than the joints
/// may; 20 ms late.
#[test]
fn restless_chunks_break_no_limit_at_the_controllers() {
    let robot = super::robot();
    let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let episodes =
        std::env::var("F1_TEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let (mut modified, mut disagreements) = (0, 0);
    for seed in 0..episodes {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut bench =
            Bench::new(robot.clone(), BenchSettings::new(Task::Static, Split::Training, seed))
                .unwrap();
        let settings =
            FilterSettings { latch_count: 0, clearance: false, ..FilterSettings::default() };
        let mut filter = SafetyFilter::new(robot.clone(), settings);
        let mut coming: Option<RawChunk> = None;
        for tick in 0..1000_i64 {
            let now = tick * 20_000_000;
            let joints = bench.joint_state();
            let state = MeasuredState {
                stamp: now,
                names: joints.names,
                positions: joints.positions.clone(),
                velocities: joints.velocities,
            };
            let chunk = coming.take();
            if tick % 10 == 0 {
                let boldness = random.random_range(0.1..1.3);
                let mut at = joints.positions;
                let pace: Vec<f64> =
                    robot.joints().iter().map(|joint| joint.velocity * 0.1 * boldness).collect();
                let way: Vec<f64> =
                    pace.iter().map(|pace| random.random_range(-1.0..1.0) * pace).collect();
                let rows = (0..10)
                    .map(|_| {
                        for ((at, way), pace) in at.iter_mut().zip(&way).zip(&pace) {
                            *at += way + 0.3 * random.random_range(-1.0..1.0) * pace;
                        }
                        at.clone()
                    })
                    .collect();
                coming = Some(RawChunk {
                    stamp: now,
                    epoch: 0,
                    sequence: tick as u64,
                    joint_names: names.clone(),
                    rows,
                    rate_hz: robot.rate_hz(),
                });
            }
            let lock = random.random_range(0..200) == 0;
            let output = filter.step(&FilterInput { now, state: Some(state), chunk, lock });
            modified += u32::from(output.verdict == f1_robot::safety::Verdict::Modified);
            let restart = |event: &&f1_robot::safety::Event| {
                matches!(event.rule, Rule::Disagreement | Rule::Resume)
            };
            for event in output.events.iter().filter(restart) {
                disagreements += 1;
                println!("{seed} {tick}: {event:?}");
            }
            for trajectory in &output.trajectories {
                bench.command(trajectory.controller(), &trajectory.into()).unwrap();
            }
            bench.advance(TICK);
        }
        assert_eq!(bench.arm().violation_count(), 0, "seed {seed}: {:?}", bench.arm().violations());
    }
    assert!(modified > 100, "{modified} chunks were modified");
    // Following late is not being somewhere else.
    assert_eq!(disagreements, 0);
}
