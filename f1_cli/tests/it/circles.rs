//! Data sets of robots with a joint that turns without end, made by other software.

use std::f64::consts::TAU;
use std::path::Path;
use std::process::Command;

use f1_data::lerobot::{Features, FormatVersion, Writer};
use serde_json::Value;

/// An angle as an encoder gives it.
fn wrapped(angle: f64) -> f64 {
    angle - TAU * (angle / TAU).round()
}

/// Two episodes in which the seventh of eight joints turns on from `from`; actions are changes, as
/// the difference of two encoder angles.
fn data_set(root: &Path, version: FormatVersion, from: f64) {
    let names = |prefix: &str| (0..8).map(|i| format!("{prefix}{i}")).collect();
    let features = Features {
        flag: None,
        fps: 10,
        robot_type: "arm".into(),
        cameras: Vec::new(),
        state: names("s"),
        action: names("a"),
    };
    let mut writer = Writer::create(root, features, version).unwrap();
    for episode in 0..2 {
        for frame in 0..40 {
            let angle = |frame: i32| wrapped(from + 0.05 * f64::from(frame));
            let moving = 0.01 * (episode * 40 + frame) as f32;
            let (mut state, mut action) = ([moving; 8], [moving; 8]);
            state[6] = angle(frame) as f32;
            action[6] = (angle(frame + 1) - angle(frame)) as f32;
            writer.add_frame(&[], &state, &action, "turn").unwrap();
        }
        writer.finish_episode().unwrap();
    }
    writer.finish().unwrap();
}

fn f1(arguments: &[&str]) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_f1"))
        .args(arguments)
        .env("F1_SHARE", root)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn stats_names_turns_and_brings_them_together_with_the_robot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let urdf = std::fs::read_to_string(root.join("urdf/bench_arm.urdf")).unwrap();
    let urdf = urdf.replacen(
        "<joint name=\"joint7\" type=\"revolute\">",
        "<joint name=\"joint7\" type=\"continuous\">",
        1,
    );
    std::fs::write(folder.path().join("arm.urdf"), urdf).unwrap();
    let text = std::fs::read_to_string(root.join("config/robots/bench_arm.yaml")).unwrap();
    // At home the joint stands where the data set turns through.
    let text = text.replacen("urdf: ../../urdf/bench_arm.urdf", "urdf: arm.urdf", 1).replacen(
        "  joint7: 0.0",
        "  joint7: 3.0",
        1,
    );
    let robot = folder.path().join("arm.yaml");
    std::fs::write(&robot, text).unwrap();
    let robot = robot.to_str().unwrap();
    for (version, from) in [(FormatVersion::V2_1, 2.5), (FormatVersion::V3_0, 3.0)] {
        let path = folder.path().join(format!("{version:?}"));
        data_set(&path, version, from);
        let path = path.to_str().unwrap();
        let (_, said) = f1(&["stats", path]);
        assert!(said.contains("jumps by a whole turn in [6] (2 times)"), "{said}");
        assert!(said.contains("give --robot"), "{said}");
        let output = folder.path().join(format!("{version:?}.json"));
        let output = output.to_str().unwrap();
        let (good, said) = f1(&["stats", path, "--robot", robot, "--output", output]);
        assert!(good && !said.contains("whole turn"), "{said}");
        let stats: Value = serde_json::from_str(&std::fs::read_to_string(output).unwrap()).unwrap();
        let entry = &stats.as_object().unwrap().values().next().unwrap();
        let of = |feature: &str, key: &str| entry[feature][key][6].as_f64().unwrap();
        assert!((of("observation.state", "min") - from).abs() < 1e-4, "{stats:#}");
        assert!((of("observation.state", "max") - from - 39.0 * 0.05).abs() < 1e-4);
        for key in ["min", "max", "mean"] {
            assert!((of("action", key) - 0.05).abs() < 1e-4, "{stats:#}");
        }
    }
    // A robot whose vectors have other lengths is refused.
    let path = folder.path().join("V3_0");
    let (good, said) = f1(&["stats", path.to_str().unwrap(), "--robot", "franka"]);
    assert!(!good && said.contains("8 and 8 entries"), "{said}");
}
