//! Inverse kinematics on every shipped robot.

use f1_robot::kinematics::InverseOptions;

use crate::shipped::{ROBOTS, anywhere, generator, load};

#[test]
fn a_thousand_random_starts_reach_random_reachable_poses() {
    const CASES: usize = 1000;
    for name in ROBOTS {
        let robot = load(name);
        let kinematics = robot.kinematics();
        for arm in 0..kinematics.arms().len() {
            let mut generator = generator(arm as u64 + 1);
            let mut reached = 0;
            for _ in 0..CASES {
                let target = kinematics.end_effector(arm, &anywhere(&robot, &mut generator));
                let start = anywhere(&robot, &mut generator);
                let options = InverseOptions::default();
                let solution = kinematics.inverse(arm, &target, &start, robot.joints(), &options);
                let mut solved = start.clone();
                for (joint, position) in
                    kinematics.arms()[arm].joints.iter().zip(&solution.positions)
                {
                    let limits = &robot.joints()[*joint];
                    assert!(
                        (limits.lower..=limits.upper).contains(position),
                        "{name}: outside the limits"
                    );
                    solved[*joint] = *position;
                }
                // Judged by forward kinematics, not by what the solver says of itself.
                let pose = kinematics.end_effector(arm, &solved);
                let distance = (pose.translation.vector - target.translation.vector).norm();
                let angle = pose.rotation.angle_to(&target.rotation);
                reached += usize::from(distance < 1e-4 && angle < 1e-3);
            }
            println!("{name} arm {arm}: {reached} of {CASES}");
            assert!(reached * 100 >= CASES * 99, "{name} arm {arm}: {reached} of {CASES}");
        }
    }
}

#[test]
fn a_pose_out_of_reach_ends_at_the_limits_of_reach() {
    let robot = load("bench_arm");
    let mut target = robot.kinematics().end_effector(0, robot.home());
    target.translation.vector = nalgebra::Vector3::new(2.0, 0.0, 0.18);
    let solution = robot.kinematics().inverse(
        0,
        &target,
        robot.home(),
        robot.joints(),
        &InverseOptions::default(),
    );
    assert!(!solution.converged);
    assert!(solution.position_error > 2.0 - 0.83);
}

#[test]
fn following_a_line_keeps_close_to_it_without_jumps() {
    let robot = load("bench_arm");
    let kinematics = robot.kinematics();
    let mut vector = robot.home().to_vec();
    let start = kinematics.end_effector(0, &vector);
    for step in 1..=100 {
        let mut target = start;
        target.translation.vector.y += 0.002 * f64::from(step);
        let solution =
            kinematics.inverse(0, &target, &vector, robot.joints(), &InverseOptions::tracking());
        assert!(solution.converged, "step {step}: {solution:?}");
        for (joint, position) in kinematics.arms()[0].joints.iter().zip(&solution.positions) {
            assert!((position - vector[*joint]).abs() < 0.03, "step {step}: joint {joint} jumps");
            vector[*joint] = *position;
        }
    }
}
