//! Decoding: normalised chunks to joint waypoints.

use std::sync::Arc;

use f1_robot::Robot;
use f1_robot::decode::{ChunkDecoder, ChunkStamp, DecodeError, DecodeWarning};
use f1_robot::statistics::{DatasetStatistics, VectorStatistics};
use nalgebra::{UnitQuaternion, Vector3};

use crate::shipped::load;

fn unit(dims: usize) -> DatasetStatistics {
    let vector = |dims| VectorStatistics {
        mean: vec![0.0; dims],
        std: vec![1.0; dims],
        min: vec![0.0; dims],
        max: vec![1.0; dims],
        q01: vec![-1.0; dims],
        q99: vec![1.0; dims],
        count: vec![1],
        ignored: Vec::new(),
    };
    DatasetStatistics { state: vector(dims), action: vector(dims) }
}

fn decoder(robot: &Arc<Robot>) -> ChunkDecoder {
    ChunkDecoder::new(Arc::clone(robot), &unit(robot.file().action_dim())).unwrap()
}

/// The bench arm with another action layout and no normalisation.
fn bench_with(parts: &str) -> Arc<Robot> {
    let urdf = crate::shipped::fixture_urdf();
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let layout = "    - {kind: joint_positions, joints: [joint1, joint2, joint3, joint4, joint5, joint6, joint7]}\n    - {kind: gripper, gripper: gripper}\n";
    assert!(text.contains(layout));
    let text = text.replace(layout, parts).replace("action: mean_std", "action: none");
    Arc::new(Robot::from_text(&text, &urdf).unwrap_or_else(|error| panic!("{error}")))
}

const GRIPPER: &str = "    - {kind: gripper, gripper: gripper}\n";
const JOINTS: &str = "joints: [joint1, joint2, joint3, joint4, joint5, joint6, joint7]";

#[test]
fn absolute_joints_are_denormalised_and_the_gripper_takes_its_convention() {
    let robot = crate::shipped::load_fixture();
    let mut statistics = unit(8);
    statistics.action.mean = vec![0.1; 8];
    statistics.action.std = vec![2.0; 8];
    let decoder = ChunkDecoder::new(Arc::clone(&robot), &statistics).unwrap();
    // Wider than the robot's action: the rest is the network's padding.
    let mut row = vec![0.25f32; 32];
    row[7] = 0.2;
    let stamp = ChunkStamp { stamp: 12_500_000_000, sequence: 3, epoch: 1 };
    let decoded = decoder.decode(&[row], robot.home(), stamp).unwrap();
    let chunk = decoded.chunk;
    assert_eq!(
        (chunk.stamp, chunk.sequence, chunk.epoch, chunk.rate_hz),
        (12_500_000_000, 3, 1, 10.0)
    );
    assert_eq!(chunk.joint_names.last().unwrap(), "gripper_joint");
    for position in &chunk.rows[0][..7] {
        assert!((position - 0.6).abs() < 1e-6);
    }
    // 0.2 * 2 + 0.1 = half open.
    assert!((chunk.rows[0][7] - 0.025).abs() < 1e-6);
    assert!(decoded.warnings.is_empty());
}

#[test]
fn normalise_is_the_inverse_of_denormalise() {
    let robot = crate::shipped::load_fixture();
    let mut statistics = unit(8);
    statistics.action.mean = (0..8).map(f64::from).collect();
    let decoder = ChunkDecoder::new(robot, &statistics).unwrap();
    let rows = vec![vec![0.5; 8], (0..8).map(|i| 0.1 * f64::from(i)).collect()];
    let back = decoder.denormalise(&decoder.normalise(&rows)).unwrap();
    for (one, other) in rows.iter().flatten().zip(back.iter().flatten()) {
        assert!((one - other).abs() < 1e-6);
    }
}

#[test]
fn wrong_shapes_are_errors() {
    let robot = crate::shipped::load_fixture();
    let decoder = decoder(&robot);
    let stamp = ChunkStamp::default();
    assert_eq!(decoder.decode(&[], robot.home(), stamp).unwrap_err(), DecodeError::Empty);
    let short = vec![vec![0.0f32; 8], vec![0.0f32; 7]];
    let error = decoder.decode(&short, robot.home(), stamp).unwrap_err();
    assert_eq!(error, DecodeError::Width { row: 1, found: 7, needed: 8 });
    let error = decoder.decode(&[vec![0.0; 8]], &[0.0; 3], stamp).unwrap_err();
    assert_eq!(error, DecodeError::Start { found: 3, needed: 8 });
}

#[test]
fn chained_deltas_add_up_and_deltas_from_the_start_do_not() {
    for (reference, expected) in [("chained", [0.1, 0.3, 0.6]), ("chunk_start", [0.1, 0.2, 0.3])] {
        let robot = bench_with(&format!(
            "    - {{kind: joint_deltas, {JOINTS}, reference: {reference}}}\n{GRIPPER}"
        ));
        let rows: Vec<Vec<f64>> = (1..=3).map(|i| vec![0.1 * f64::from(i); 8]).collect();
        let start = vec![0.5; 8];
        let decoded = decoder(&robot).waypoints(&rows, &start, ChunkStamp::default()).unwrap();
        for (row, expected) in decoded.chunk.rows.iter().zip(expected) {
            assert!(
                (row[0] - 0.5 - expected).abs() < 1e-12 && (row[6] - row[0]).abs() < 1e-12,
                "{reference}"
            );
        }
    }
}

#[test]
fn a_gripper_among_deltas_opens_no_wider_than_open_and_closes_without_delay() {
    let robot = bench_with(
        "    - {kind: joint_deltas, joints: [joint1, joint2, joint3, joint4, joint5, joint6, joint7, gripper_joint], reference: chained}\n",
    );
    let rows: Vec<Vec<f64>> =
        [0.001, 0.001, -0.0125].iter().map(|step| [vec![0.0; 7], vec![*step]].concat()).collect();
    let mut start = vec![0.0; 8];
    start[7] = 0.05;
    let decoded = decoder(&robot).waypoints(&rows, &start, ChunkStamp::default()).unwrap();
    let grip: Vec<f64> = decoded.chunk.rows.iter().map(|row| row[7]).collect();
    assert_eq!(grip[..2], [0.05, 0.05]);
    assert!((grip[2] - 0.0375).abs() < 1e-12, "{grip:?}");
}

#[test]
fn degrees_are_converted_and_padding_is_skipped() {
    let robot = bench_with(&format!(
        "    - {{kind: padding, width: 2}}\n    - {{kind: joint_positions, {JOINTS}, units: degrees}}\n    - {{kind: padding, width: 1}}\n{GRIPPER}"
    ));
    assert_eq!((robot.file().action_dim(), robot.dof()), (11, 8));
    let mut row = vec![90.0; 11];
    row[10] = 1.0;
    let decoded = decoder(&robot).waypoints(&[row], robot.home(), ChunkStamp::default()).unwrap();
    assert!((decoded.chunk.rows[0][0] - std::f64::consts::FRAC_PI_2).abs() < 1e-12);
    assert_eq!(decoded.chunk.rows[0][7], 0.05);
}

/// End-effector deltas on the bench arm in one frame, rotation and reference.
fn follow(
    frame: &str,
    reference: &str,
    rotation: &str,
    delta: [f64; 6],
    rows: usize,
) -> (Arc<Robot>, Vec<Vec<f64>>) {
    let robot = bench_with(&format!(
        "    - {{kind: end_effector_delta, arm: arm, frame: {frame}, reference: {reference}, rotation: {rotation}, position_scale: 0.5, rotation_scale: 2.0}}\n{GRIPPER}"
    ));
    let mut row = delta.to_vec();
    row.push(1.0);
    let decoded =
        decoder(&robot).waypoints(&vec![row; rows], robot.home(), ChunkStamp::default()).unwrap();
    assert!(decoded.warnings.is_empty(), "{:?}", decoded.warnings);
    (robot, decoded.chunk.rows)
}

#[test]
fn end_effector_deltas_in_the_base_frame_move_along_it() {
    let (robot, rows) =
        follow("base", "chained", "axis_angle", [0.0, 0.02, 0.0, 0.0, 0.0, 0.005], 10);
    let start = robot.kinematics().end_effector(0, robot.home());
    for (i, row) in rows.iter().enumerate() {
        let steps = i as f64 + 1.0;
        let pose = robot.kinematics().end_effector(0, row);
        // 0.02 * 0.5 along y and 0.005 * 2 about z a row.
        let place = start.translation.vector + Vector3::new(0.0, 0.01 * steps, 0.0);
        let turn =
            UnitQuaternion::from_scaled_axis(Vector3::new(0.0, 0.0, 0.01 * steps)) * start.rotation;
        assert!((pose.translation.vector - place).norm() < 2e-5, "row {i}");
        assert!(pose.rotation.angle_to(&turn) < 2e-4, "row {i}");
    }
}

#[test]
fn end_effector_deltas_in_the_tool_frame_move_along_the_tool() {
    let (robot, rows) = follow("tool", "chained", "rpy", [0.0, 0.0, 0.01, 0.0, 0.0, 0.01], 5);
    let start = robot.kinematics().end_effector(0, robot.home());
    let last = robot.kinematics().end_effector(0, rows.last().unwrap());
    // Five times 5 mm ahead of a tool that points down, and 20 mrad about it.
    let place = start * nalgebra::Point3::new(0.0, 0.0, 0.025);
    assert!((last.translation.vector - place.coords).norm() < 5e-5);
    let turn = start.rotation * UnitQuaternion::from_euler_angles(0.0, 0.0, 0.1);
    assert!(last.rotation.angle_to(&turn) < 5e-4);
    assert!(last.translation.vector.z < start.translation.vector.z - 0.02);
}

#[test]
fn deltas_from_the_chunks_start_ask_for_the_same_pose_in_every_row() {
    let (robot, rows) =
        follow("base", "chunk_start", "axis_angle", [0.04, 0.0, 0.0, 0.0, 0.0, 0.0], 4);
    let start = robot.kinematics().end_effector(0, robot.home());
    for row in &rows {
        let pose = robot.kinematics().end_effector(0, row);
        assert!((pose.translation.vector.x - start.translation.vector.x - 0.02).abs() < 2e-5);
    }
    assert_eq!(rows[1], rows[3]);
}

#[test]
fn a_number_that_is_not_finite_stays_so_and_spoils_what_follows_it() {
    let robot = bench_with(&format!(
        "    - {{kind: end_effector_delta, arm: arm, frame: base, reference: chained, rotation: rpy}}\n{GRIPPER}"
    ));
    let mut rows = vec![vec![0.0; 7]; 3];
    rows[1][2] = f64::NAN;
    rows[2][6] = f64::INFINITY;
    let decoded =
        decoder(&robot).waypoints(&rows, robot.home(), ChunkStamp::default()).unwrap().chunk.rows;
    assert!(decoded[0].iter().all(|position| position.is_finite()));
    assert!(decoded[1][..7].iter().all(|position| position.is_nan()));
    assert!(decoded[2][..7].iter().all(|position| position.is_nan()));
    // Beyond the range an infinite gripper action is its end; one that is not a number stays so.
    assert_eq!(decoded[2][7], 0.05);
    rows[2][6] = f64::NAN;
    let decoded =
        decoder(&robot).waypoints(&rows, robot.home(), ChunkStamp::default()).unwrap().chunk.rows;
    assert!(decoded[2][7].is_nan());
}

#[test]
fn motion_toward_a_singularity_slows_down_stops_and_is_reported() {
    let robot = bench_with(&format!(
        "    - {{kind: end_effector_delta, arm: arm, frame: base, reference: chained, rotation: rpy}}\n{GRIPPER}"
    ));
    let mut row = vec![0.0; 7];
    row[0] = 0.02;
    // 60 rows of 2 cm go 1.2 m out: far beyond the reach, where the arm is straight.
    let decoded = decoder(&robot)
        .waypoints(&vec![row.clone(); 60], robot.home(), ChunkStamp::default())
        .unwrap();
    let slowed: Vec<f64> = decoded
        .warnings
        .iter()
        .filter_map(|warning| match warning {
            DecodeWarning::Slowed { scale, .. } => Some(*scale),
            DecodeWarning::Unreached { .. } => None,
        })
        .collect();
    assert!(slowed.iter().any(|scale| *scale > 0.0), "{slowed:?}");
    assert_eq!(*slowed.last().unwrap(), 0.0);
    let rows = &decoded.chunk.rows;
    for pair in rows.windows(2) {
        for (one, other) in pair[0].iter().zip(&pair[1]) {
            assert!((one - other).abs() < 0.35, "a jump");
        }
    }
    assert_eq!(rows[58][..7], rows[59][..7], "it stands");
    // Away from the singularity the whole step is taken at once.
    let mut back = vec![0.0; 7];
    back[0] = -0.02;
    let away = decoder(&robot).waypoints(&[back], &rows[59], ChunkStamp::default()).unwrap();
    let before = robot.kinematics().end_effector(0, &rows[59]).translation.vector.x;
    let after = robot.kinematics().end_effector(0, &away.chunk.rows[0]).translation.vector.x;
    assert!((before - after - 0.02).abs() < 1e-3, "{before} {after} {:?}", away.warnings);
}

#[test]
fn gripper_conventions_invert_binarise_and_saturate() {
    // LIBERO: -1 opens, +1 closes, split at 0.
    let franka = load("franka");
    let hand = franka.file().gripper("hand").unwrap();
    for (action, position) in
        [(-1.0, 0.04), (-0.01, 0.04), (0.0, 0.0), (1.0, 0.0), (7.0, 0.0), (-7.0, 0.04)]
    {
        assert_eq!(hand.position_of_action(action), position, "{action}");
    }
    assert!(hand.position_of_action(f64::NAN).is_nan());
    // AgiBot: 0 opens, 1 closes, values between pass through.
    let genie = load("genie1");
    let gripper = genie.file().gripper("left_gripper").unwrap();
    for (action, position) in [(0.0, 0.785), (1.0, 0.0), (0.5, 0.3925), (-3.0, 0.785)] {
        assert!((gripper.position_of_action(action) - position).abs() < 1e-12, "{action}");
        if (0.0..=1.0).contains(&action) {
            assert!((gripper.action_of_position(position) - action).abs() < 1e-12);
        }
    }
}
