//! Lines of bytes through the filter: every line is answered, and no answer moves a joint faster
//! than its limit.
#![no_main]

use std::sync::{Arc, OnceLock};

use f1_robot::Robot;
use f1_robot::safety::FilterSettings;
use libfuzzer_sys::fuzz_target;
use requests::Server;

// The lines of `f1 filter`: a program's module, which no crate exports.
#[path = "../../../f1_cli/src/commands/filter/requests.rs"]
mod requests;

fn robot() -> Arc<Robot> {
    static ROBOT: OnceLock<Arc<Robot>> = OnceLock::new();
    let load = || {
        let file = include_str!("../../../config/robots/bench_arm.yaml");
        let urdf = include_str!("../../../urdf/bench_arm.urdf");
        Arc::new(Robot::from_text(file, urdf).expect("the shipped robot file"))
    };
    ROBOT.get_or_init(load).clone()
}

fuzz_target!(|data: &[u8]| {
    let robot = robot();
    let mut answers = Vec::new();
    let summary = Server::new(robot.clone(), FilterSettings::default()).serve(data, &mut answers).expect("memory");
    let text = String::from_utf8(answers).expect("JSON is text");
    assert_eq!(text.lines().count(), summary.requests);
    for line in text.lines() {
        let answer: serde_json::Value = serde_json::from_str(line).expect("an answer is JSON");
        for trajectory in answer["trajectories"].as_array().into_iter().flatten() {
            let names = trajectory["joint_names"].as_array().expect("names");
            let points = trajectory["points"].as_array().expect("points");
            for (name, at) in names.iter().zip(0..) {
                let limits = robot.joints().iter().find(|joint| joint.name == name.as_str().unwrap_or(""));
                let limits = limits.expect("a joint of the robot");
                // A robot that was found too fast is braked from there.
                let speed = |point: &serde_json::Value| point["velocity"][at].as_f64().expect("a number").abs();
                let start = points.first().map_or(0.0, speed);
                assert!(points.iter().all(|point| speed(point) <= (1.01 * limits.velocity).max(start * 1.001)));
                assert_eq!(points.last().map(speed), Some(0.0));
            }
        }
    }
});
