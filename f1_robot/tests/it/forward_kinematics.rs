//! Forward kinematics against poses worked out by hand from the makers' figures.

use std::f64::consts::FRAC_PI_2 as Q;

use nalgebra::Vector3;

use crate::shipped::{ROBOTS, anywhere, generator, load, vector};

/// Robot, arm, joint positions that are not 0, where the end effector is in the root frame, and
/// which way its axis of approach (given in its own frame) points.
type Row = (&'static str, usize, Vec<(&'static str, f64)>, [f64; 3], [f64; 3], [f64; 3]);

fn table() -> Vec<Row> {
    let (x, z) = ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0]);
    let mut rows: Vec<Row> = vec![
        // Straight up: 0.18 + 0.32 + 0.30 + 0.20.
        ("bench_arm", 0, vec![], [0.0, 0.0, 1.0], z, [0.0, 0.0, 1.0]),
        // The whole arm from the shoulder (z = 0.18) along x: 0.32 + 0.30 + 0.20.
        ("bench_arm", 0, vec![("joint2", Q)], [0.82, 0.0, 0.18], z, [1.0, 0.0, 0.0]),
        // Elbow bent (z = 0.18 + 0.32), turned to y: 0.30 + 0.20 along y.
        ("bench_arm", 0, vec![("joint1", Q), ("joint4", Q)], [0.0, 0.5, 0.5], z, [0.0, 1.0, 0.0]),
        // All zero, from the base at (-0.66, 0, 0.912): a7 = 0.088 ahead; d1 + d3 + d5 = 1.033 up,
        // flange 0.107 and grip site 0.097 down again.
        ("franka", 0, vec![], [-0.66 + 0.088, 0.0, 0.912 + 1.033 - 0.204], z, [0.0, 0.0, -1.0]),
        // The maker's ready pose. Elbow: 0.316 up along a line leaning back by 45 degrees and
        // 0.0825 across it; forearm level: 0.0825 up and 0.384 ahead; hand down: 0.088
        // ahead and 0.204 down.
        (
            "franka",
            0,
            vec![
                ("panda_joint2", -Q / 2.0),
                ("panda_joint4", -1.5 * Q),
                ("panda_joint6", Q),
                ("panda_joint7", Q / 2.0),
            ],
            [
                -0.66 - (0.316 - 0.0825) / 2f64.sqrt() + 0.384 + 0.088,
                0.0,
                0.912 + 0.333 + (0.316 + 0.0825) / 2f64.sqrt() + 0.0825 - 0.204,
            ],
            z,
            [0.0, 0.0, -1.0],
        ),
        // The maker's home matrix: x = 0.458325, z = 0.36065. The recorded frame's approach axis
        // is -z.
        ("widowx", 0, vec![], [0.458325, 0.0, 0.36065], [0.0, 0.0, -1.0], x),
        // Upper arm level: elbow at (0.25, 0.11065 - 0.04975); forearm level: 0.175 + 0.075 ahead;
        // hand down: 0.065 + 0.043 + 0.023 + 0.027575.
        (
            "widowx",
            0,
            vec![("shoulder", Q), ("elbow", -Q), ("wrist_angle", Q)],
            [0.5, 0.0, 0.0609 - 0.158575],
            [0.0, 0.0, -1.0],
            [0.0, 0.0, -1.0],
        ),
        // Offsets along y add up to -0.33000112885 and along z to 1.58161002885; then the tool
        // point.
        (
            "google_robot",
            0,
            vec![],
            [0.0043374896, -0.32811583395, 1.74514299885],
            z,
            [-0.00443856, 0.00133273, 0.99998926],
        ),
        // The same, turned by -90 degrees about the torso.
        (
            "google_robot",
            0,
            vec![("joint_torso", -Q)],
            [-0.32811583395, -0.0043374896, 1.74514299885],
            z,
            [0.00133273, 0.00443856, 0.99998926],
        ),
        // Elbow at (0, -0.22899952885, 1.10750002885) bent by 90 degrees: what was up (0.63764297)
        // is ahead.
        (
            "google_robot",
            0,
            vec![("joint_elbow", Q)],
            [0.63764297, -0.32811583395, 1.10750002885 - 0.0043374896],
            z,
            [0.99998926, 0.00133273, 0.00443856],
        ),
        // From body4 at (0.094118, 0.0010067, 0.27 + 0.3): x 0.059949 + 0.02 - 0.264 + 0.245 +
        // 0.06775 + 0.02895 + 0.145.
        ("arx_lift2", 0, vec![], [0.094118 + 0.302649, 0.2510067, 0.57 + 0.1205], x, x),
        ("arx_lift2", 1, vec![], [0.094118 + 0.302649, -0.2489933, 0.57 + 0.1205], x, x),
        // Upper arm up (0.264), forearm level (0.4867 ahead, 0.056 up).
        (
            "arx_lift2",
            0,
            vec![("left_joint12", Q), ("left_joint13", Q)],
            [0.094118 + 0.566649, 0.2510067, 0.57 + 0.3845],
            x,
            x,
        ),
        // The same with the hand (0.2417) up.
        (
            "arx_lift2",
            1,
            vec![("right_joint22", Q), ("right_joint23", Q), ("right_joint24", Q)],
            [0.094118 + 0.324949, -0.2489933, 0.57 + 0.6262],
            x,
            z,
        ),
    ];
    // AgiBot: the waist leans forward by `lean`; the arms' base is 0.305 along it from (0.131, 0,
    // 0.6485). At zero the arms point sideways; the elbow turns about the leaning upright.
    let lean: f64 = 0.4363;
    let (s, c) = lean.sin_cos();
    let base = [0.131 + 0.305 * s, 0.6485 + 0.305 * c];
    let reach = 0.305 + 0.1975 + 0.1805 + 0.14308;
    let forearm = 0.1975 + 0.1805 + 0.14308;
    rows.push((
        "genie1",
        0,
        vec![],
        [base[0], 0.025 + 0.1859 + reach, base[1]],
        z,
        [0.0, 1.0, 0.0],
    ));
    rows.push((
        "genie1",
        1,
        vec![],
        [base[0], -(0.025 + 0.188 + reach), base[1]],
        z,
        [0.0, -1.0, 0.0],
    ));
    rows.push((
        "genie1",
        0,
        vec![("idx24_arm_l_joint4", -Q)],
        [base[0] + forearm * c, 0.025 + 0.1859 + 0.305, base[1] - forearm * s],
        z,
        [c, 0.0, -s],
    ));
    rows
}

#[test]
fn end_effectors_are_where_the_makers_figures_put_them() {
    for (name, arm, positions, place, axis, points) in table() {
        let robot = load(name);
        let pose = robot.kinematics().tip_pose(arm, &vector(&robot, &positions));
        let off = (pose.translation.vector - Vector3::from(place)).norm();
        assert!(
            off < 1e-6,
            "{name} {positions:?}: at {:?}, not {place:?}",
            pose.translation.vector
        );
        let off = (pose.rotation * Vector3::from(axis) - Vector3::from(points)).norm();
        assert!(
            off < 2e-6,
            "{name} {positions:?}: points {:?}",
            pose.rotation * Vector3::from(axis)
        );
    }
}

#[test]
fn every_shipped_robot_is_in_the_table() {
    for name in ROBOTS {
        for arm in 0..load(name).kinematics().arms().len() {
            assert!(table().iter().any(|row| row.0 == name && row.1 == arm), "{name} {arm}");
        }
    }
}

#[test]
fn the_link_poses_and_the_chain_agree() {
    for name in ROBOTS {
        let robot = load(name);
        let mut generator = generator(5);
        for _ in 0..20 {
            let positions = anywhere(&robot, &mut generator);
            let poses = robot.kinematics().link_poses(&positions);
            for (i, arm) in robot.kinematics().arms().iter().enumerate() {
                let tip = robot.kinematics().tip_pose(i, &positions);
                assert!((poses[arm.tip].to_homogeneous() - tip.to_homogeneous()).norm() < 1e-12);
                let in_base = poses[arm.base].inverse() * tip;
                let end_effector = robot.kinematics().end_effector(i, &positions);
                assert!((in_base.to_homogeneous() - end_effector.to_homogeneous()).norm() < 1e-12);
            }
        }
    }
}

#[test]
fn the_jacobian_is_the_derivative_of_the_pose() {
    const STEP: f64 = 1e-6;
    for name in ROBOTS {
        let robot = load(name);
        let mut generator = generator(6);
        for _ in 0..20 {
            let positions = anywhere(&robot, &mut generator);
            for (i, arm) in robot.kinematics().arms().iter().enumerate() {
                let (pose, jacobian) = robot.kinematics().jacobian(i, &positions);
                for (column, joint) in arm.joints.iter().enumerate() {
                    let mut moved = positions.clone();
                    moved[*joint] += STEP;
                    let ahead = robot.kinematics().end_effector(i, &moved);
                    let linear = (ahead.translation.vector - pose.translation.vector) / STEP;
                    let angular = (ahead.rotation * pose.rotation.inverse()).scaled_axis() / STEP;
                    for row in 0..3 {
                        assert!(
                            (jacobian[(row, column)] - linear[row]).abs() < 1e-5,
                            "{name} {column} {row}"
                        );
                        assert!(
                            (jacobian[(row + 3, column)] - angular[row]).abs() < 1e-5,
                            "{name} {column} {row}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_tip_speed_is_the_length_of_the_linear_velocity() {
    let robot = load("bench_arm");
    // Straight up, the shoulder turning at 1 rad/s, 0.82 m below the tool point.
    let speed =
        robot.kinematics().tip_speed(0, &[0.0; 8], &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert!((speed - 0.82).abs() < 1e-12);
}
