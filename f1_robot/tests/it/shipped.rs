//! The robots that ship with the project, and random joint vectors for them.

use std::path::PathBuf;
use std::sync::Arc;

use f1_robot::Robot;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const ROBOTS: [&str; 6] =
    ["franka", "widowx", "google_robot", "genie1", "arx_lift2", "bench_arm"];

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/robots").join(format!("{name}.yaml"))
}

pub fn load(name: &str) -> Arc<Robot> {
    Arc::new(Robot::load(&path(name)).unwrap_or_else(|error| panic!("{error}")))
}

/// A bench arm that stays as it is: the tables of these tests are about its text and its numbers.
pub fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config/robots/bench_arm.yaml")
}

pub fn load_fixture() -> Arc<Robot> {
    Arc::new(Robot::load(&fixture()).unwrap_or_else(|error| panic!("{error}")))
}

pub fn fixture_urdf() -> String {
    std::fs::read_to_string(fixture().with_file_name("../../urdf/bench_arm.urdf")).unwrap()
}

pub fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A joint vector anywhere within the limits.
pub fn anywhere(robot: &Robot, generator: &mut ChaCha8Rng) -> Vec<f64> {
    robot
        .joints()
        .iter()
        .map(|joint| joint.lower + (joint.upper - joint.lower) * generator.random::<f64>())
        .collect()
}

/// A joint vector from (name, position) pairs, 0 elsewhere.
pub fn vector(robot: &Robot, positions: &[(&str, f64)]) -> Vec<f64> {
    let mut vector = vec![0.0; robot.dof()];
    for (name, position) in positions {
        vector[robot.joint_index(name).unwrap()] = *position;
    }
    vector
}

/// The joints' names.
pub fn names(robot: &Robot) -> Vec<String> {
    robot.joints().iter().map(|joint| joint.name.clone()).collect()
}

#[test]
fn every_robot_is_at_home_in_its_workspace() {
    for name in ROBOTS {
        let robot = load(name);
        for (arm, of) in robot.kinematics().arms().iter().enumerate() {
            let tip = robot.kinematics().tip_pose(arm, robot.home()).translation.vector;
            let space =
                robot.workspace(arm).unwrap_or_else(|| panic!("{name} {}: no workspace", of.name));
            for axis in 0..3 {
                let inside = (space.min[axis]..=space.max[axis]).contains(&tip[axis]);
                assert!(
                    inside,
                    "{name} {}: at home {tip:?}, the box {:?} {:?}",
                    of.name, space.min, space.max
                );
            }
        }
    }
}
