//! Any bytes as a robot file, and any bytes as its URDF: no panic, and what is accepted is sound.
#![no_main]

use f1_robot::{Robot, RobotFile};
use libfuzzer_sys::fuzz_target;

const FILE: &str = include_str!("../../../config/robots/bench_arm.yaml");
const URDF: &str = include_str!("../../../urdf/bench_arm.urdf");

fuzz_target!(|data: &[u8]| {
    // The first byte says which of the two is the input; the other is the bench arm's.
    let Some((which, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if which % 2 == 0 {
        let _ = RobotFile::parse(text);
        check(Robot::from_text(text, URDF));
    } else {
        check(Robot::from_text(FILE, text));
    }
});

fn check(robot: Result<Robot, f1_robot::RobotFileError>) {
    match robot {
        Ok(robot) => {
            assert!(robot.rate_hz() > 0.0 && robot.dof() > 0);
            assert!(robot.joints().iter().all(|joint| joint.lower <= joint.upper));
            let moved: usize = robot.controllers().iter().map(|controller| controller.joints.len()).sum();
            assert_eq!(moved, robot.dof());
        }
        Err(error) => assert!(!error.faults.is_empty()),
    }
}
