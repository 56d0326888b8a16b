//! Robot files: the shipped ones load; every fault is listed at once with its path; nothing makes
//! the parser panic.

use f1_robot::robot_file::ControllerInterface;
use f1_robot::{PolicyShape, Robot, RobotFile};
use rand::Rng;

use crate::shipped::{ROBOTS, generator, load, path};

fn yaml(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

fn urdf(name: &str) -> String {
    std::fs::read_to_string(path(name).parent().unwrap().join(format!("../../urdf/{name}.urdf")))
        .unwrap()
}

/// The faults of the bench arm's file after replacements, as `path: message`.
fn faults(replacements: &[(&str, &str)]) -> Vec<String> {
    let mut text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    for (from, to) in replacements {
        assert!(text.contains(from), "`{from}` is not in the file");
        text = text.replacen(from, to, 1);
    }
    match Robot::from_text(&text, &crate::shipped::fixture_urdf()) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_shipped_robot_file_loads() {
    let mut found: Vec<String> = std::fs::read_dir(path("bench_arm").parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    let mut expected = ROBOTS.map(String::from);
    expected.sort();
    assert_eq!(found, expected);
    let errors: Vec<String> = ROBOTS
        .iter()
        .filter_map(|name| match Robot::load(&path(name)) {
            Ok(robot) => {
                assert_eq!(robot.file().name, *name);
                assert_eq!(robot.home().len(), robot.dof());
                None
            }
            Err(error) => Some(error.to_string()),
        })
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn joint_states_is_one_topic_or_a_list_of_topics() {
    let base = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let read = |value: &str| RobotFile::parse(&format!("joint_states: {value}\n{base}"));
    for (value, expected) in [
        ("arm/joint_states", vec!["arm/joint_states"]),
        ("[joint_states, /gripper/joint_states]", vec!["joint_states", "/gripper/joint_states"]),
    ] {
        let file = read(value).unwrap();
        assert_eq!(file.joint_states.iter().collect::<Vec<_>>(), expected);
        // What is written is what was read.
        let written = serde_json::to_string(&file.joint_states).unwrap();
        assert_eq!(read(&written).unwrap().joint_states, file.joint_states);
    }
    for (value, path) in [
        ("[]", "joint_states: "),
        ("7", "joint_states: "),
        ("[a, 7]", "joint_states[1]: "),
        ("[a, b c]", "joint_states[1]: "),
        ("[a, b, a]", "joint_states[2]: "),
    ] {
        let faults = read(value).unwrap_err().to_string();
        assert!(faults.contains(path), "{value}: {faults}");
    }
}

#[test]
fn the_bench_arm_has_seven_joints_and_a_gripper() {
    let robot = crate::shipped::load_fixture();
    assert_eq!((robot.dof(), robot.file().state_dim(), robot.file().action_dim()), (8, 8, 8));
    assert_eq!(robot.rate_hz(), 10.0);
    assert_eq!(robot.controllers().len(), 2);
    assert_eq!(robot.controllers()[0].interface, ControllerInterface::JointTrajectory);
    assert_eq!(robot.controllers()[1].joints, [7]);
    // The robot file's 2.0 rad/s is stricter than the URDF's 2.2; the bounds are the URDF's.
    assert_eq!((robot.joints()[0].velocity, robot.joints()[0].upper), (2.0, 2.9));
}

#[test]
fn layouts_have_the_widths_of_their_data_sets() {
    for (name, state, action, joints) in [
        ("franka", 8, 7, 8),
        ("widowx", 7, 7, 7),
        ("google_robot", 8, 7, 8),
        ("genie1", 16, 16, 16),
        ("arx_lift2", 14, 14, 14),
    ] {
        let robot = load(name);
        assert_eq!(
            (robot.file().state_dim(), robot.file().action_dim(), robot.dof()),
            (state, action, joints),
            "{name}"
        );
    }
}

#[test]
fn the_stricter_of_two_limits_wins_and_a_missing_one_is_a_fault() {
    let robot = |limits: &str| {
        let text = std::fs::read_to_string(crate::shipped::fixture())
            .unwrap()
            .replace("joint1: {velocity: 2.0, acceleration: 15.0, jerk: 1500.0}", limits);
        Robot::from_text(&text, &crate::shipped::fixture_urdf())
    };
    let both =
        robot("joint1: {lower: -1.0, upper: 9.0, velocity: 9.0, acceleration: 8.0, jerk: 100.0}")
            .unwrap();
    let joint = &both.joints()[0];
    assert_eq!((joint.lower, joint.upper, joint.velocity), (-1.0, 2.9, 2.2));
    let error = robot("joint1: {velocity: 2.0}").unwrap_err();
    let paths: Vec<&str> = error.faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["joint_limits.joint1.acceleration", "joint_limits.joint1.jerk"]);
    // Bounds that exclude each other only together.
    let error =
        robot("joint1: {lower: 2.95, velocity: 2.0, acceleration: 8.0, jerk: 100.0}").unwrap_err();
    assert!(error.to_string().contains("lower 2.95 is greater than upper 2.9"), "{error}");
    // A joint that nothing commands has its URDF's bounds all the same.
    let text = yaml("arx_lift2").replace("  joint4: 0.3\n", "  joint4: 0.5\n");
    let error = Robot::from_text(&text, &urdf("arx_lift2")).unwrap_err();
    assert!(
        error.to_string().contains("home.joint4: 0.5 is outside the limits of `joint4`, [0, 0.46]"),
        "{error}"
    );
    // Limits of zero hold a joint still; they are no fault.
    assert!(robot("joint1: {velocity: 0.0, acceleration: 0.0, jerk: 0.0}").is_ok());
}

#[test]
fn each_fault_is_named_with_its_path() {
    for (from, to, path, message) in [
        ("name: bench_arm\n", "name: bench_arm\nrobot: x\n", "robot", "unknown key"),
        ("name: bench_arm\n", "", "name", "missing"),
        ("name: bench_arm\n", "name: 7\n", "name", "expected a text"),
        ("name: bench_arm\n", "name: bench arm\n", "name", "is not a name"),
        (
            "roles: [und, history], frame",
            "roles: [und, history], colour: 1, frame",
            "cameras[0].colour",
            "unknown key",
        ),
        (
            "roles: [und, history]",
            "roles: [und, past]",
            "cameras[0].roles[1]",
            "one of `und`, `history`",
        ),
        ("roles: [und, history]", "roles: [und]", "cameras", "exactly one"),
        ("{name: wrist,", "{name: front,", "cameras[1].name", "named twice"),
        ("front/image_raw", "front//image_raw", "cameras[0].topic", "not a topic"),
        ("front_camera_optical_frame", "nowhere", "cameras[0].frame", "no link `nowhere`"),
        ("tip: tool_link", "tip: tool", "arms[0].tip", "no link `tool`"),
        ("base: base_link", "base: right_finger", "arms[0].tip", "not below"),
        (
            "    joints: [joint1, joint2,",
            "    joints: [joint2, joint1,",
            "arms[0].joints",
            "in order: joint1, joint2",
        ),
        ("joint: gripper_joint", "joint: right_finger_joint", "grippers[0].joint", "only mimics"),
        ("joint: gripper_joint", "joint: tool_joint", "grippers[0].joint", "is fixed"),
        ("    inverted: false       # 1 opens\n", "", "grippers[0].inverted", "missing"),
        ("    open: 0.05\n", "", "grippers[0].open", "missing"),
        ("    binarise: none\n", "", "grippers[0].binarise", "missing"),
        ("open: 0.05", "open: 0.0", "grippers[0].open", "same position"),
        ("open: 0.05", "open: 0.4", "grippers[0].open", "outside the limits"),
        (
            "action_range: [0.0, 1.0]",
            "action_range: [1.0, 0.0]",
            "grippers[0].action_range",
            "lesser",
        ),
        (
            "action_range: [0.0, 1.0]",
            "action_range: [1.0]",
            "grippers[0].action_range",
            "expected 2 numbers",
        ),
        ("binarise: none", "binarise: 1.5", "grippers[0].binarise", "outside action_range"),
        ("convention: action", "convention: guess", "state.parts[1].convention", "one of"),
        (
            "gripper: gripper, convention",
            "gripper: hand, convention",
            "state.parts[1].gripper",
            "unknown gripper `hand`",
        ),
        ("rate_hz: 10", "rate_hz: 0", "action.rate_hz", "not a rate"),
        ("rate_hz: 10", "rate_hz: -10", "action.rate_hz", "not a rate"),
        ("rate_hz: 10", "rate_hz: .nan", "action.rate_hz", "finite number"),
        ("rate_hz: 10", "rate_hz: .inf", "action.rate_hz", "finite number"),
        (
            "rate_hz: 10",
            "rate_hz: fast",
            "action.rate_hz",
            "expected a finite number, found the text `fast`",
        ),
        (
            "rate_hz: 10\n  parts:\n    - {kind: joint_positions, joints: [joint1,",
            "rate_hz: 10\n  parts:\n    - {kind: joint_positions, joints: [elbow,",
            "action.parts[0].joints[0]",
            "no joint `elbow`",
        ),
        (
            "rate_hz: 10\n  parts:\n    - {kind: joint_positions,",
            "rate_hz: 10\n  parts:\n    - {kind: joint_speeds,",
            "action.parts[0].kind",
            "one of `joint_positions`",
        ),
        ("action: mean_std", "action: z_score", "statistics.action", "one of"),
        ("interface: joint_trajectory}", "interface: topic}", "controllers[1].interface", "one of"),
        (
            "joints: [gripper_joint], ",
            "joints: [gripper_joint, joint1], ",
            "controllers[1].joints[1]",
            "already",
        ),
        ("joints: [gripper_joint], ", "joints: [], ", "controllers[1].joints", "empty"),
        (
            "joints: [gripper_joint], ",
            "joints: [gripper], ",
            "controllers",
            "no controller moves joint `gripper_joint`",
        ),
        (
            "joint1: {velocity: 2.0",
            "joint1: {velocity: -2.0",
            "joint_limits.joint1.velocity",
            "negative",
        ),
        (
            "joint1: {velocity: 2.0",
            "joint1: {lower: 2, upper: 1, velocity: 2.0",
            "joint_limits.joint1.lower",
            "greater",
        ),
        (
            "joint1: {velocity: 2.0",
            "joint_x: {velocity: 2.0",
            "joint_limits.joint_x",
            "no joint `joint_x`",
        ),
        ("teach: 0.25", "teach: 0.0", "end_effector_speed.teach", "greater than 0"),
        (
            "{arm: arm, min: [-0.30",
            "{arm: arm, min: [0.90",
            "workspace[0].min[0]",
            "not less than max",
        ),
        ("{arm: arm, min", "{arm: leg, min", "workspace[0].arm", "unknown arm `leg`"),
        (
            "size: [1.30, 1.60, 0.06]",
            "size: [1.30, -1.60, 0.06]",
            "scene[0].size[1]",
            "greater than 0",
        ),
        ("self_distance: 0.01", "self_distance: -0.01", "clearance.self_distance", "negative"),
        (
            "self_distance: 0.01",
            "self_distance: 0.01, ignore: [[link1]]",
            "clearance.ignore[0]",
            "a pair is two",
        ),
        ("  joint7: 0.0\n", "", "home", "`joint7`"),
        ("  joint7: 0.0\n", "  joint7: 3.0\n", "home.joint7", "outside the limits"),
        ("  joint7: 0.0\n", "  joint7: 0.0\n  joint8: 0.0\n", "home.joint8", "no joint `joint8`"),
    ] {
        let found = faults(&[(from, to)]);
        assert!(
            found
                .iter()
                .any(|fault| fault.starts_with(&format!("{path}: ")) && fault.contains(message)),
            "`{from}` -> `{to}`: {path}: {message} is not in {found:#?}"
        );
    }
}

#[test]
fn all_faults_are_listed_at_once_and_nothing_but_them() {
    let found = faults(&[
        ("name: bench_arm\n", "name: bench_arm\ncolour: red\n"),
        ("rate_hz: 10", "rate_hz: 0"),
        ("roles: [und], frame", "roles: [], frame"),
        ("open: 0.05", "open: wide"),
        ("    inverted: false       # 1 opens\n", ""),
        ("joint2: {velocity: 2.0,", "joint2: {velocity: fast,"),
        ("{arm: arm, min", "{arm: leg, min"),
        ("wrist_camera_optical_frame", "nowhere"),
    ]);
    let paths: Vec<&str> = found.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "action.rate_hz",
            "cameras[1].frame",
            "cameras[1].roles",
            "colour",
            "grippers[0].inverted",
            "grippers[0].open",
            "joint_limits.joint2.velocity",
            "workspace[0].arm",
        ],
        "{found:#?}"
    );
}

#[test]
fn faults_of_the_urdf_are_listed_too() {
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    for (from, to, message) in [
        ("<robot name=\"bench_arm\">", "<robot name=\"bench_arm\"", "not a URDF"),
        ("<parent link=\"link6\"/>", "<parent link=\"link66\"/>", "unknown link `link66`"),
        ("<child link=\"link6\"/>", "<child link=\"link5\"/>", "is the child of joints"),
        ("<axis xyz=\"0 0 1\"/>", "<axis xyz=\"0 0 0\"/>", "no direction"),
        (
            "<joint name=\"joint2\" type=\"revolute\">",
            "<joint name=\"joint2\" type=\"floating\">",
            "not supported",
        ),
        ("<joint name=\"joint2\" ", "<joint name=\"joint1\" ", "defined twice"),
        ("<mimic joint=\"gripper_joint\"", "<mimic joint=\"grip\"", "mimics the unknown joint"),
    ] {
        let broken = crate::shipped::fixture_urdf();
        assert!(broken.contains(from), "{from}");
        let error = Robot::from_text(&text, &broken.replacen(from, to, 1)).unwrap_err();
        assert!(
            error
                .faults
                .iter()
                .any(|fault| fault.path == "urdf" && fault.message.contains(message)),
            "{message} is not in {error}"
        );
    }
    let missing = Robot::load(&crate::shipped::fixture().with_file_name("none.yaml")).unwrap_err();
    assert!(missing.to_string().contains("none.yaml") && missing.faults.len() == 1);
}

#[test]
fn hostile_text_is_refused_without_a_panic() {
    let deep = "[".repeat(100_000);
    let bomb = format!(
        "a: &a [{}]\nb: &b [{}]\nc: [{}]\n",
        "x,".repeat(50),
        "*a,".repeat(50),
        "*b,".repeat(50)
    );
    for text in [
        "",
        "\0",
        "---\n---\n",
        "- 1\n- 2\n",
        "42",
        "name: a\nname: b\n",
        "? {a: b}\n: c\n",
        &deep,
        &bomb,
    ] {
        assert!(RobotFile::parse(text).is_err());
    }
    let huge = std::fs::read_to_string(crate::shipped::fixture())
        .unwrap()
        .replace("{kind: gripper, gripper: gripper}", "{kind: padding, width: 99999999999}");
    assert!(RobotFile::parse(&huge).is_err());
}

#[test]
fn hostile_urdfs_are_refused_without_a_panic() {
    let file = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let robot = |inner: &str| format!("<robot name=\"x\">{inner}</robot>");
    for text in [
        String::new(),
        "\0".into(),
        "<robot/>".into(),
        robot(""),
        "<a>".repeat(20_000),
        format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)),
        format!("{}{}", "<a b=\"/>\">".repeat(50_000), "</a>".repeat(50_000)),
        robot(&"<link name=\"a\">".repeat(20_000)),
        robot(&"<link name=\"a\"/>".repeat(20_000)),
        robot(
            "<joint name=\"j\" type=\"revolute\"><parent link=\"a\"/><child link=\"a\"/></joint><link name=\"a\"/>",
        ),
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><robot name=\"&b;\"/>".into(),
    ] {
        assert!(Robot::from_text(&file, &text).is_err());
    }
}

/// A text with a few bytes, words or lines changed.
fn mutate(text: &str, generator: &mut impl Rng) -> String {
    const WORDS: [&str; 22] = [
        ":", "-", "[", "]", "{", "}", "&a", "*a", "!!int", "\"", "'", "|", ".nan", "-.inf",
        "1e999", "null", "true", "\t", "joint1", "joints", "0", "-1",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..generator.random_range(1..6) {
        if bytes.is_empty() {
            break;
        }
        let at = generator.random_range(0..bytes.len());
        let end = (at + generator.random_range(0..40)).min(bytes.len());
        match generator.random_range(0..5) {
            0 => bytes[at] = generator.random(),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                let to = generator.random_range(0..bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                let word = WORDS[generator.random_range(0..WORDS.len())];
                bytes.splice(at..at, word.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn mutated_files_never_panic_and_what_is_accepted_is_sound() {
    let cases: usize =
        std::env::var("F1_TEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    let mut generator = generator(7);
    let mut accepted = 0;
    for case in 0..cases {
        let name = ROBOTS[case % ROBOTS.len()];
        let (mut text, mut description) = (yaml(name), urdf(name));
        if case % 4 == 3 {
            description = mutate(&description, &mut generator);
        } else {
            text = mutate(&text, &mut generator);
        }
        match Robot::from_text(&text, &description) {
            Ok(robot) => {
                accepted += 1;
                assert!(robot.rate_hz() > 0.0 && robot.dof() > 0);
                for (joint, home) in robot.joints().iter().zip(robot.home()) {
                    assert!(
                        joint.lower <= joint.upper && (joint.lower..=joint.upper).contains(home)
                    );
                    assert!(
                        joint.velocity >= 0.0 && joint.acceleration >= 0.0 && joint.jerk >= 0.0
                    );
                }
                let moved: usize =
                    robot.controllers().iter().map(|controller| controller.joints.len()).sum();
                assert_eq!(moved, robot.dof());
            }
            Err(error) => assert!(!error.faults.is_empty()),
        }
    }
    assert!(accepted > 0, "no mutant is accepted: the other half of this test tests nothing");
}

#[test]
fn the_ros2_control_files_name_the_same_controllers_and_joints() {
    for name in ROBOTS {
        let robot = load(name);
        let file = path("bench_arm").parent().unwrap().join(format!("../controllers/{name}.yaml"));
        let text = std::fs::read_to_string(&file).unwrap();
        let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let nodes = value["/**"].as_object().unwrap();
        let manager = value["/**"]["controller_manager"]["ros__parameters"].as_object().unwrap();
        assert_eq!(nodes.len() - 1, robot.controllers().len(), "{name}");
        for controller in &robot.file().controllers {
            let kind = manager[&controller.name]["type"].as_str().unwrap();
            let parameters = &nodes[&controller.name]["ros__parameters"];
            if controller.interface == ControllerInterface::GripperCommand {
                assert!(kind.ends_with("GripperActionController"), "{name}");
                assert_eq!(parameters["joint"], serde_json::json!(controller.joints[0]), "{name}");
            } else {
                assert!(kind.ends_with("JointTrajectoryController"), "{name}");
                assert_eq!(parameters["joints"], serde_json::json!(controller.joints), "{name}");
            }
        }
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused_with_every_dimension() {
    let robot = load("genie1");
    let shape = PolicyShape { max_state_dim: 32, max_action_dim: 32, cameras: Some(3) };
    assert!(robot.check_policy(&shape).is_ok());
    let small = PolicyShape { max_state_dim: 8, max_action_dim: 8, cameras: Some(2) };
    let error = robot.check_policy(&small).unwrap_err();
    let paths: Vec<&str> = error.faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["state.parts", "action.parts", "cameras"]);
}

#[test]
fn the_documentation_s_example_parses_and_its_tables_name_every_key() {
    let manual = path("bench_arm").parent().unwrap().join("../../docs/robot_files.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let example = manual.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    RobotFile::parse(example).unwrap_or_else(|error| panic!("{error}"));
    // An unknown key's fault lists the keys that are known there.
    let part = |kind: &str| format!("{{kind: {kind}, zzz: 1}}");
    let state = ["joint_positions", "end_effector_pose", "gripper", "padding"].map(part).join(", ");
    let action = ["joint_positions", "joint_deltas", "end_effector_delta", "gripper", "padding"]
        .map(part)
        .join(", ");
    let text = format!(
        "zzz: 1\ncameras: [{{zzz: 1}}]\narms: [{{zzz: 1}}]\ngrippers: [{{zzz: 1}}]\nstate: {{zzz: 1, parts: [{state}]}}\naction: {{zzz: 1, parts: [{action}]}}\nstatistics: {{zzz: 1}}\ncontrollers: [{{zzz: 1}}]\njoint_limits: {{a: {{zzz: 1}}}}\nend_effector_speed: {{zzz: 1}}\nworkspace: [{{zzz: 1}}]\nscene: [{{zzz: 1}}]\nclearance: {{zzz: 1}}\n"
    );
    let error = RobotFile::parse(&text).unwrap_err();
    let unknown: Vec<_> = error.faults.iter().filter(|fault| fault.path.ends_with("zzz")).collect();
    assert_eq!(unknown.len(), 22, "{error}");
    for fault in unknown {
        for key in fault.message.trim_start_matches("unknown key; known here: ").split(", ") {
            assert!(
                manual.contains(&format!("`{key}`")),
                "{}: the manual does not name `{key}`",
                fault.path
            );
        }
    }
}
