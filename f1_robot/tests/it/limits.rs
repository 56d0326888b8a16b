//! Limits that a file format's default made up count as not stated.

use f1_robot::{LimitSource, Robot};

/// The bench arm with a joint's `<limit>` replaced and its line of `joint_limits` as given.
fn robot(joint: &str, limit: &str, own: &str) -> Result<Robot, Vec<String>> {
    let urdf = crate::shipped::fixture_urdf();
    let start = urdf.find(&format!("<joint name=\"{joint}\"")).unwrap();
    let begin = start + urdf[start..].find("<limit").unwrap();
    let end = begin + urdf[begin..].find("/>").unwrap() + 2;
    let urdf = format!("{}{limit}{}", &urdf[..begin], &urdf[end..]);
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix(&format!("  {joint}: {{")) {
            Some(_) => format!("  {joint}: {{{own}}}"),
            None => line.to_owned(),
        })
        .collect();
    Robot::from_text(&lines.join("\n"), &urdf)
        .map_err(|error| error.faults.iter().map(ToString::to_string).collect())
}

const DYNAMIC: &str = "acceleration: 15.0, jerk: 1500.0";

#[test]
fn a_zero_velocity_in_the_urdf_is_not_stated() {
    for joint in ["joint1", "joint4", "joint7"] {
        for zero in ["0", "0.0", "-0"] {
            let limit =
                format!("<limit lower=\"-2.0\" upper=\"2.0\" effort=\"9\" velocity=\"{zero}\"/>");
            let own = format!("velocity: 1.5, {DYNAMIC}");
            let robot = robot(joint, &limit, &own).unwrap();
            let index = robot.joint_index(joint).unwrap();
            assert_eq!(robot.joints()[index].velocity, 1.5);
            let sources = &robot.limit_sources()[index];
            assert_eq!(sources.velocity, LimitSource::RobotFile);
            assert_eq!(sources.lower, LimitSource::Urdf);
            assert_eq!(sources.not_stated, ["velocity"]);
            let faults = self::robot(joint, &limit, DYNAMIC).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].starts_with(&format!("joint_limits.{joint}.velocity: "))
                    && faults[0].contains(&format!("`{joint}`")),
                "{faults:?}"
            );
        }
    }
    // The robot file's own zero holds the joint.
    let limit = "<limit lower=\"-2.0\" upper=\"2.0\" effort=\"9\" velocity=\"2\"/>";
    let robot = robot("joint1", limit, "velocity: 0.0, acceleration: 15.0, jerk: 1500.0").unwrap();
    assert_eq!(robot.joints()[0].velocity, 0.0);
}

#[test]
fn an_absent_bound_in_the_urdf_is_not_stated() {
    for (limit, missing) in [
        ("<limit effort=\"9\" velocity=\"2\"/>", vec!["lower", "upper"]),
        ("<limit lower=\"-2.0\" effort=\"9\" velocity=\"2\"/>", vec!["upper"]),
        ("<limit upper=\"2.0\" effort=\"9\" velocity=\"2\"/>", vec!["lower"]),
        // What exporters write where everything was left open.
        ("<limit lower=\"0\" upper=\"0\" effort=\"0\" velocity=\"0\"/>", vec!["lower", "upper"]),
        ("", vec!["lower", "upper"]),
    ] {
        let own = format!("lower: -1.0, upper: 1.0, velocity: 1.0, {DYNAMIC}");
        let robot = robot("joint3", limit, &own).unwrap();
        let joint = &robot.joints()[2];
        assert_eq!((joint.lower, joint.upper, joint.velocity), (-1.0, 1.0, 1.0), "{limit}");
        let not_stated = &robot.limit_sources()[2].not_stated;
        assert!(missing.iter().all(|key| not_stated.contains(key)), "{limit}: {not_stated:?}");
        let faults =
            self::robot("joint3", limit, &format!("velocity: 1.0, {DYNAMIC}")).unwrap_err();
        let expected: Vec<String> =
            missing.iter().map(|key| format!("joint_limits.joint3.{key}: ")).collect();
        assert!(
            faults.len() == expected.len()
                && faults.iter().zip(&expected).all(|(fault, key)| fault.starts_with(key)),
            "{limit}: {faults:?}"
        );
    }
    // Bounds that are stated as zero are stated.
    let limit = "<limit lower=\"0\" upper=\"0\" effort=\"9\" velocity=\"2\"/>";
    let robot = robot("joint3", limit, &format!("lower: -1.0, upper: 1.0, {DYNAMIC}")).unwrap();
    assert_eq!((robot.joints()[2].lower, robot.joints()[2].upper), (0.0, 0.0));
}

#[test]
fn soft_limits_of_a_safety_controller_are_bounds_too() {
    let hard = "<limit lower=\"-2.0\" upper=\"2.0\" effort=\"9\" velocity=\"2\"/>";
    let with = |soft: &str| format!("{hard}<safety_controller {soft} k_velocity=\"1\"/>");
    let own = format!("velocity: 1.5, {DYNAMIC}");
    for (soft, lower, upper) in [
        ("soft_lower_limit=\"-1.5\" soft_upper_limit=\"1.8\" k_position=\"10\"", -1.5, 1.8),
        ("soft_lower_limit=\"-2.5\" soft_upper_limit=\"1.8\"", -2.0, 1.8),
        ("soft_upper_limit=\"1.0\"", -2.0, 1.0),
        ("k_position=\"10\"", -2.0, 2.0),
    ] {
        let robot = robot("joint5", &with(soft), &own).unwrap();
        let joint = &robot.joints()[4];
        assert_eq!((joint.lower, joint.upper), (lower, upper), "{soft}");
    }
    // The robot file may be stricter still, not looser.
    let soft = with("soft_lower_limit=\"-1.5\" soft_upper_limit=\"1.8\"");
    let robot = robot("joint5", &soft, &format!("lower: -1.0, upper: 5.0, {own}")).unwrap();
    let sources = &robot.limit_sources()[4];
    assert_eq!((robot.joints()[4].lower, robot.joints()[4].upper), (-1.0, 1.8));
    assert_eq!(
        (sources.lower, sources.upper),
        (LimitSource::RobotFile, LimitSource::SafetyController)
    );
}

#[test]
fn a_urdf_that_cannot_be_read_names_every_joint_and_link_that_is_wrong() {
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let urdf = crate::shipped::fixture_urdf();
    for (from, to, named) in [
        ("<limit lower=\"", "<limit lower=\"x", "joint `"),
        ("<axis xyz=\"0 0 1\"/>", "<axis xyz=\"0 0 up\"/>", "joint `"),
        ("<cylinder radius=\"", "<cylinder radius=\"x", "link `"),
        ("<cylinder ", "<cone ", "link `"),
    ] {
        assert!(urdf.contains(from), "{from}");
        let error = Robot::from_text(&text, &urdf.replacen(from, to, 1)).unwrap_err();
        assert!(
            error.faults.iter().any(|fault| fault.path == "urdf" && fault.message.contains(named)),
            "{to}: {error}"
        );
    }
    // Both at once.
    let both = urdf.replacen("<axis xyz=\"0 0 1\"/>", "<axis xyz=\"0 0 up\"/>", 1).replacen(
        "<cylinder radius=\"",
        "<cylinder radius=\"x",
        1,
    );
    let error = Robot::from_text(&text, &both).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("joint `") && said.contains("link `"), "{said}");
}
