//! The lines of `f1 filter`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::Arc;

use f1_robot::Robot;
use f1_robot::safety::{FilterSettings, SafetyFilter};
use serde_json::{Value, json};

use super::limits::limits;
use super::requests::Server;

fn robot(name: &str) -> Arc<Robot> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../config/robots/{name}.yaml"));
    Arc::new(Robot::load(&path).unwrap())
}

fn request(robot: &Robot, now: f64) -> Value {
    let names: Vec<&str> = robot.joints().iter().map(|joint| joint.name.as_str()).collect();
    let rows: Vec<Vec<f64>> = (1..=20)
        .map(|i| {
            let s = 0.02 * (1.0 - (0.1 * f64::from(i)).cos());
            robot
                .joints()
                .iter()
                .zip(robot.home())
                .map(|(joint, p)| p + s * (joint.middle() - p))
                .collect()
        })
        .collect();
    json!({
        "now": now, "joint_names": names, "position": robot.home(), "velocity": vec![0.0; robot.dof()],
        "chunk": rows, "chunk_stamp": now, "lock": false,
    })
}

#[test]
fn every_line_gets_an_answer_and_state_carries_over() {
    let robot = robot("bench_arm");
    let good = request(&robot, 1.0);
    let mut spoilt = request(&robot, 1.1);
    spoilt["chunk"][2][3] = Value::Null;
    let python = spoilt.to_string().replace("null", "NaN");
    let mut locked = request(&robot, 1.5);
    locked["lock"] = json!(true);
    let mut incomplete = request(&robot, 1.2);
    incomplete.as_object_mut().unwrap().remove("lock");
    let lines = format!("{good}\nnot json\n{{}}\n{python}\n{incomplete}\n\u{0}\n[1,2]\n{locked}\n");
    let mut output = Vec::new();
    let summary = Server::new(robot.clone(), FilterSettings::default())
        .serve(lines.as_bytes(), &mut output)
        .unwrap();
    let answers: Vec<Value> = String::from_utf8(output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> =
        answers.iter().map(|a| a["verdict"].as_str().unwrap_or("error")).collect();
    assert_eq!(
        kinds,
        ["accepted", "error", "error", "rejected", "error", "error", "error", "stopped"]
    );
    assert!(answers[1]["error"].is_string());
    assert_eq!(answers[3]["events"][0]["rule"], "finite");
    assert_eq!((summary.requests, summary.errors, summary.stopped), (8, 5, 1));
    let trajectories = answers[0]["trajectories"].as_array().unwrap();
    let controllers: Vec<&str> =
        trajectories.iter().map(|t| t["controller"].as_str().unwrap()).collect();
    assert_eq!(controllers, ["arm_controller", "gripper_controller"]);
    let first = &trajectories[0]["points"][0];
    assert_eq!(first["t"], 0.0);
    assert_eq!(first["position"].as_array().unwrap().len(), 7);
    // Half a second in the robot moved, so the stop is a motion.
    assert!(!answers[7]["trajectories"].as_array().unwrap().is_empty());
    assert_eq!(answers[7]["events"].as_array().unwrap().last().unwrap()["rule"], "lock");
}

#[test]
fn lines_that_are_no_text_or_have_no_end_are_served_too() {
    let robot = robot("bench_arm");
    let mut lines = vec![0xFF, 0xFE, b'\n', b' ', b'\n'];
    lines.extend(request(&robot, 0.0).to_string().bytes());
    let mut output = Vec::new();
    let summary =
        Server::new(robot, FilterSettings::default()).serve(&lines[..], &mut output).unwrap();
    assert_eq!((summary.requests, summary.errors, summary.accepted), (3, 2, 1));
    let answers = String::from_utf8(output).unwrap();
    assert!(answers.contains("not UTF-8") && answers.contains("an empty line"), "{answers}");
}

#[test]
fn limits_are_printed_for_every_shipped_robot_and_its_harmless_chunk_is_kept() {
    for name in ["bench_arm", "franka", "widowx", "google_robot", "genie1", "arx_lift2"] {
        let robot = robot(name);
        let filter = SafetyFilter::new(robot.clone(), FilterSettings::default());
        let limits = limits(&robot, &filter);
        let layout: Vec<&str> = limits["action_layout"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_str().unwrap())
            .collect();
        assert_eq!(layout.len(), robot.dof());
        let mut commanded: Vec<&str> = limits["controllers"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|c| c.as_array().unwrap())
            .map(|n| n.as_str().unwrap())
            .collect();
        commanded.sort_unstable();
        let mut sorted = layout.clone();
        sorted.sort_unstable();
        assert_eq!(commanded, sorted, "{name}");
        for joint in layout {
            let limit = &limits["joints"][joint];
            assert!(
                limit["lower"].as_f64() <= limit["upper"].as_f64()
                    && limit["jerk"].as_f64() > Some(0.0),
                "{name} {joint}"
            );
        }
        assert_eq!(limits["rate_hz"], robot.rate_hz());
        let answer: Value = serde_json::from_str(
            &Server::new(robot.clone(), FilterSettings::default())
                .answer(&request(&robot, 0.0).to_string()),
        )
        .unwrap();
        assert_eq!(answer["verdict"], "accepted", "{name}: {}", answer["events"]);
    }
}
