//! Robot files: the shipped ones load; every fault is listed at once with its path.

use std::path::PathBuf;

use f1_robot::Robot;

fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/robots")
}

#[test]
fn every_shipped_robot_file_loads() {
    let mut count = 0;
    for entry in std::fs::read_dir(shipped()).unwrap() {
        let path = entry.unwrap().path();
        let robot = Robot::load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), robot.file().name);
        assert_eq!(robot.home().len(), robot.dof());
        count += 1;
    }
    assert!(count >= 1);
}

#[test]
fn the_bench_arm_has_seven_joints_and_a_gripper() {
    let robot = Robot::load(&shipped().join("bench_arm.yaml")).unwrap();
    assert_eq!((robot.dof(), robot.file().state_dim(), robot.file().action_dim()), (8, 8, 8));
    assert_eq!(robot.rate_hz(), 10.0);
    assert_eq!(robot.controllers().len(), 2);
    // The robot file's 2.0 rad/s is stricter than the URDF's 2.2; the bounds are the URDF's.
    assert_eq!((robot.joints()[0].velocity, robot.joints()[0].upper), (2.0, 2.9));
    let tip = robot.kinematics().tip_pose(0, &[0.0; 8]);
    assert!((tip.translation.vector - nalgebra::Vector3::new(0.0, 0.0, 1.0)).norm() < 1e-12);
}
