//! Measured joints by name, and the state vector.

use std::sync::Arc;

use f1_robot::Robot;
use f1_robot::state::{StateEncoder, raw_state};
use f1_robot::statistics::{DatasetStatistics, VectorStatistics};

use crate::shipped::{ROBOTS, anywhere, generator, load, names, vector};

fn flat(dims: usize) -> VectorStatistics {
    VectorStatistics {
        mean: vec![1.0; dims],
        std: vec![2.0; dims],
        min: vec![0.0; dims],
        max: vec![1.0; dims],
        q01: Vec::new(),
        q99: Vec::new(),
        count: vec![1],
        ignored: Vec::new(),
    }
}

#[test]
fn joints_are_taken_by_name_whatever_their_order() {
    let robot = crate::shipped::load_fixture();
    let positions: Vec<f64> = (0..8).map(|i| 0.01 * f64::from(i)).collect();
    let mut named: Vec<(String, f64)> = names(&robot).into_iter().zip(positions.clone()).collect();
    named.push(("some_other_joint".into(), 9.0));
    named.reverse();
    let (shuffled, values): (Vec<String>, Vec<f64>) = named.into_iter().unzip();
    assert_eq!(robot.joint_vector(&shuffled, &values).unwrap(), positions);
}

#[test]
fn missing_and_non_finite_joints_are_named() {
    let robot = crate::shipped::load_fixture();
    let mut names = names(&robot);
    let mut positions = vec![0.0; 8];
    positions[1] = f64::NAN;
    positions[2] = f64::INFINITY;
    names[4] = "joint_5".into();
    let error = robot.joint_vector(&names, &positions).unwrap_err();
    assert_eq!(error.missing, ["joint5"]);
    assert_eq!(error.not_finite, ["joint2", "joint3"]);
    positions.pop();
    assert_eq!(robot.joint_vector(&names, &positions).unwrap_err().lengths, Some((8, 7)));
}

#[test]
fn the_bench_state_is_joints_and_an_opening() {
    let robot = crate::shipped::load_fixture();
    let mut positions = vec![0.1; 8];
    positions[7] = 0.0375;
    let state = raw_state(&robot, &names(&robot), &positions).unwrap();
    assert_eq!(&state[..7], &[0.1; 7]);
    assert!((state[7] - 0.75).abs() < 1e-12);
}

#[test]
fn the_libero_state_is_a_pose_and_two_fingers_one_counted_backwards() {
    let robot = load("franka");
    // Hand straight down at the maker's ready pose; the second finger is not in the message: it
    // mimics the first.
    let q = std::f64::consts::FRAC_PI_2;
    let mut positions = vector(
        &robot,
        &[
            ("panda_joint2", -q / 2.0),
            ("panda_joint4", -1.5 * q),
            ("panda_joint6", q),
            ("panda_joint7", q / 2.0),
        ],
    );
    positions[7] = 0.02;
    let state = raw_state(&robot, &names(&robot), &positions).unwrap();
    assert_eq!(state.len(), 8);
    // Half a turn about x.
    assert!(
        (state[3].abs() - std::f64::consts::PI).abs() < 1e-6
            && state[4].abs() + state[5].abs() < 1e-6
    );
    assert_eq!(&state[6..], &[0.02, -0.02]);
}

#[test]
fn the_bridge_state_has_no_rotation_when_the_gripper_points_down() {
    let robot = load("widowx");
    let q = std::f64::consts::FRAC_PI_2;
    let mut positions = vector(&robot, &[("shoulder", q), ("elbow", -q), ("wrist_angle", q)]);
    positions[6] = 0.037;
    let state = raw_state(&robot, &names(&robot), &positions).unwrap();
    assert_eq!(state.len(), 7);
    assert!(state[3..6].iter().all(|angle| angle.abs() < 1e-9), "{state:?}");
    assert!((state[6] - 1.0).abs() < 1e-12);
}

#[test]
fn every_robot_fills_its_state_vector() {
    for name in ROBOTS {
        let robot = load(name);
        let positions = anywhere(&robot, &mut generator(1));
        let dims = robot.file().state_dim();
        let statistics = DatasetStatistics { state: flat(dims), action: flat(1) };
        let encoder = StateEncoder::new(Arc::clone(&robot), &statistics).unwrap();
        let raw = raw_state(&robot, &names(&robot), &positions).unwrap();
        let encoded = encoder.encode(&names(&robot), &positions).unwrap();
        assert_eq!((raw.len(), encoded.len()), (dims, dims));
        for (raw, encoded) in raw.iter().zip(&encoded) {
            assert!(((raw - 1.0) / 2.0 - f64::from(*encoded)).abs() < 1e-5, "{name}");
        }
        assert!(
            StateEncoder::new(robot, &DatasetStatistics { state: flat(dims + 1), action: flat(1) })
                .is_err()
        );
    }
}

#[test]
fn degrees_scale_and_padding_are_applied() {
    let urdf = crate::shipped::fixture_urdf();
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap().replace(
        "    - {kind: gripper, gripper: gripper, convention: action}\n",
        "    - {kind: padding, width: 2}\n    - {kind: joint_positions, joints: [joint7, gripper_joint], units: degrees, scale: [-1, 2]}\n",
    );
    let robot = Robot::from_text(&text, &urdf).unwrap();
    let mut positions = vec![0.0; 8];
    (positions[6], positions[7]) = (std::f64::consts::FRAC_PI_2, 0.01);
    let state = raw_state(&robot, &names(&robot), &positions).unwrap();
    assert_eq!(state.len(), 11);
    assert_eq!(&state[7..9], &[0.0, 0.0]);
    // A sliding joint stays in metres.
    assert!((state[9] + 90.0).abs() < 1e-9 && (state[10] - 0.02).abs() < 1e-12, "{state:?}");
}
