//! Collision shapes from meshes, and what is not checked, as the commands say it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A box as a text STL, from corner to corner.
fn stl([x0, y0, z0]: [f64; 3], [x1, y1, z1]: [f64; 3]) -> String {
    let corner = |i: usize| {
        let pick = |bit: usize, low: f64, high: f64| if i >> bit & 1 == 0 { low } else { high };
        format!("vertex {} {} {}\n", pick(0, x0, x1), pick(1, y0, y1), pick(2, z0, z1))
    };
    let mut text = String::from("solid b\n");
    for [a, b, c, d] in
        [[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]]
    {
        for triangle in [[a, b, c], [a, c, d]] {
            let corners: String = triangle.into_iter().map(corner).collect();
            text += &format!("facet normal 0 0 0\nouter loop\n{corners}endloop\nendfacet\n");
        }
    }
    text + "endsolid b\n"
}

/// An arm of three links with meshes, in a folder; `extra` stands at the end of its robot file.
struct Arm {
    folder: tempfile::TempDir,
}

impl Arm {
    fn new(extra: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("meshes")).unwrap();
        let mut urdf = String::from("<robot name=\"arm\"><link name=\"base\"/>");
        let (mut limits, mut home) = (String::new(), String::new());
        for i in 0..3 {
            let mesh = stl([-0.02, -0.03, -0.02], [0.2 + 0.05 * f64::from(i), 0.03, 0.02]);
            std::fs::write(folder.path().join(format!("meshes/l{i}.stl")), mesh).unwrap();
            let parent = if i == 0 { "base".to_owned() } else { format!("l{}", i - 1) };
            urdf += &format!(
                "<link name=\"l{i}\"><collision><geometry><mesh filename=\"meshes/l{i}.stl\"/>\
                 </geometry></collision></link><joint name=\"j{i}\" type=\"revolute\"><parent \
                 link=\"{parent}\"/><child link=\"l{i}\"/><origin xyz=\"0.4 0 0\"/><axis xyz=\"0 0 \
                 1\"/><limit lower=\"-1\" upper=\"1\" effort=\"1\" velocity=\"1\"/></joint>"
            );
            limits += &format!("  j{i}: {{acceleration: 5.0, jerk: 100.0}}\n");
            home += &format!("  j{i}: 0.0\n");
        }
        // Something that can be seen and has no shape.
        urdf += "<link name=\"lamp\"><visual><geometry><sphere radius=\"0.01\"/></geometry></visual>\
                 </link><joint name=\"lamp_joint\" type=\"fixed\"><parent link=\"l2\"/><child \
                 link=\"lamp\"/></joint></robot>";
        let file = format!(
            "name: arm\nurdf: arm.urdf\ncameras: [{{name: c, topic: c, roles: [und, history]}}]\n\
             arms: [{{name: arm, base: base, tip: l2, joints: [j0, j1, j2]}}]\n\
             state: {{parts: [{{kind: joint_positions, joints: [j0, j1, j2]}}]}}\n\
             action: {{rate_hz: 10, parts: [{{kind: joint_positions, joints: [j0, j1, j2]}}]}}\n\
             statistics: {{name: arm, state: none, action: none}}\n\
             controllers: [{{name: c, joints: [j0, j1, j2], interface: joint_trajectory}}]\n\
             joint_limits:\n{limits}home:\n{home}{extra}"
        );
        std::fs::write(folder.path().join("arm.urdf"), urdf).unwrap();
        std::fs::write(folder.path().join("arm.yaml"), file).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn f1(&self, arguments: &[&str], robot: &Path) -> Output {
        Command::new(env!("CARGO_BIN_EXE_f1"))
            .args(arguments)
            .arg("--robot")
            .arg(robot)
            .env("XDG_CACHE_HOME", self.folder.path())
            .output()
            .unwrap()
    }

    /// What `f1 filter --limits` says about the clearance check.
    fn clearance(&self, robot: &Path) -> Value {
        let output = self.f1(&["filter", "--limits"], robot);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let limits: Value = serde_json::from_slice(&output.stdout).unwrap();
        limits["clearance"].clone()
    }
}

const LAMP: &str = "unchecked_links: [lamp]\n";

#[test]
fn doctor_writes_the_shapes_of_meshes_into_a_robot_file_that_needs_no_meshes() {
    let arm = Arm::new(LAMP);
    let (own, fitted) = (arm.path("arm.yaml"), arm.path("fitted.yaml"));
    let links = serde_json::json!(["l0", "l1", "l2"]);
    assert_eq!(arm.clearance(&own)["fitted_links"], links);
    let fit = ["doctor", "--fit-collisions", fitted.to_str().unwrap()];
    let output = arm.f1(&fit, &own);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), fitted.to_str().unwrap());
    // All of the file is kept, in its own words.
    let text = std::fs::read_to_string(&fitted).unwrap();
    assert!(text.starts_with(&std::fs::read_to_string(&own).unwrap()));
    // On a machine without the meshes (and without what was cached of them).
    std::fs::remove_dir_all(arm.path("meshes")).unwrap();
    std::fs::remove_dir_all(arm.path("f1_policy")).unwrap();
    let clearance = arm.clearance(&fitted);
    assert_eq!(
        (&clearance["given_links"], &clearance["fitted_links"]),
        (&links, &Value::from(Vec::<String>::new()))
    );
    // The file without the shapes names each mesh, once, with a way out.
    let output = arm.f1(&["filter", "--limits"], &own);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("3 faults"), "{said}");
    for i in 0..3 {
        assert_eq!(said.matches(&format!("link `l{i}`")).count(), 1, "{said}");
    }
    assert!(said.contains("--fit-collisions"), "{said}");
    // Shapes are not fitted to shapes.
    let again = arm.path("again.yaml");
    let output = arm.f1(&["doctor", "--fit-collisions", again.to_str().unwrap()], &fitted);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("collision_shapes already"), "{said}");
    assert!(!again.exists());
}

#[test]
fn doctor_and_limits_name_what_is_not_checked() {
    // A far part of one link that overlaps the next but one in every posture.
    let overlap = "collision_shapes:\n  l0: [{points: [[0.7, 0, 0]], radius: 0.4}]\n";
    let arm = Arm::new(&format!("{LAMP}{overlap}"));
    let file = arm.path("arm.yaml");
    let clearance = arm.clearance(&file);
    assert_eq!(clearance["unchecked_links"], serde_json::json!(["lamp"]));
    let pair = &clearance["pairs_left_out"][0];
    assert_eq!((&pair["one"], &pair["other"]), (&"l0".into(), &"l2".into()), "{clearance}");
    assert_eq!(pair["reason"], "as_built");
    let output = arm.f1(&["doctor", "--json"], &file);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = said["checks"].as_array().unwrap();
    let finding = checks.iter().find(|one| one["check"] == "clearance").unwrap();
    assert_eq!(finding["verdict"], "warning");
    let found = finding["found"].as_str().unwrap();
    for words in ["never checked: lamp", "l0 - l2 (too near in almost all postures"] {
        assert!(found.contains(words), "{found}");
    }
    // Without the list it is refused, and named.
    let refused = Arm::new("");
    let output = refused.f1(&["doctor"], &refused.path("arm.yaml"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("unchecked_links: [lamp]"), "{said}");
}
