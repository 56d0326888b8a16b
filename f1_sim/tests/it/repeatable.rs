//! The same seed is the same episode.

use f1_sim::expert::{Disturbance, Expert, STEP};
use f1_sim::{Bench, BenchSettings, CameraId, Split, Task};

#[test]
fn the_same_seed_gives_the_same_episode_to_the_last_bit() {
    let robot = super::robot();
    let play = |seed: u64| {
        let mut bench =
            Bench::new(robot.clone(), BenchSettings::new(Task::Dynamic, Split::Training, seed))
                .unwrap();
        let mut expert = Expert::new(&bench, Disturbance::NOMINAL);
        for _ in 0..15 {
            expert.step(&mut bench).unwrap();
            bench.advance(STEP);
        }
        (bench.render(CameraId::Fixed), bench.render(CameraId::Wrist), bench.joint_state())
    };
    assert_eq!(play(5), play(5));
    assert_ne!(play(5), play(6));
}

#[test]
fn a_limit_broken_by_a_trajectory_is_counted_and_one_that_is_kept_is_not() {
    use f1_sim::jtc::{Point, Trajectory};
    let robot = super::robot();
    let controller = &robot.controllers()[0];
    let names: Vec<String> =
        controller.joints.iter().map(|&j| robot.joints()[j].name.clone()).collect();
    let home: Vec<f64> = controller.joints.iter().map(|&j| robot.home()[j]).collect();
    let violations = |seconds: f64| {
        let mut bench =
            Bench::new(robot.clone(), BenchSettings::new(Task::Static, Split::Training, 1))
                .unwrap();
        let mut positions = home.clone();
        positions[0] += 0.5;
        let rest = vec![0.0; names.len()];
        let point =
            Point { time: seconds, positions, velocities: rest.clone(), accelerations: rest };
        let trajectory = Trajectory { start: None, joints: names.clone(), points: vec![point] };
        bench.command(&controller.name, &trajectory).unwrap();
        bench.advance(2.0);
        bench.arm().violation_count()
    };
    assert_eq!(violations(1.5), 0);
    assert!(violations(0.1) > 0);
}
