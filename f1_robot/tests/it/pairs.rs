//! Pairs of links whose distance is not checked: which, why, and that it is said.

use f1_robot::Robot;
use f1_robot::clearance::{ClearanceScratch, LeftOutReason, Shape};
use nalgebra::{Point3, UnitQuaternion, Vector3};

/// Three links in a row, turning about parallel axes; the middle one has this length, m.
fn urdf(middle: f64) -> String {
    let mut text = String::from("<robot name=\"arm\"><link name=\"base\"/>");
    for (i, x) in [0.0, 0.4, middle].into_iter().enumerate() {
        let parent = if i == 0 { "base".to_owned() } else { format!("link{}", i - 1) };
        text += &format!(
            "<link name=\"link{i}\"/><joint name=\"j{i}\" type=\"revolute\"><parent \
             link=\"{parent}\"/><child link=\"link{i}\"/><origin xyz=\"{x} 0 0\"/><axis xyz=\"0 0 \
             1\"/><limit lower=\"-2.5\" upper=\"2.5\" effort=\"1\" velocity=\"1\"/></joint>"
        );
    }
    text + "</robot>"
}

fn robot_file(home: [f64; 3], rest: &str) -> String {
    let [a, b, c] = home;
    format!(
        "name: arm\nurdf: arm.urdf\ncameras: [{{name: c, topic: c, roles: [und, history]}}]\n\
         arms: [{{name: arm, base: base, tip: link2, joints: [j0, j1, j2]}}]\n\
         state: {{parts: [{{kind: joint_positions, joints: [j0, j1, j2]}}]}}\n\
         action: {{rate_hz: 10, parts: [{{kind: joint_positions, joints: [j0, j1, j2]}}]}}\n\
         statistics: {{name: arm, state: none, action: none}}\n\
         controllers: [{{name: c, joints: [j0, j1, j2], interface: joint_trajectory}}]\n\
         joint_limits: {{j0: {{acceleration: 5, jerk: 100}}, j1: {{acceleration: 5, jerk: 100}}, \
         j2: {{acceleration: 5, jerk: 100}}}}\n\
         home: {{j0: {a}, j1: {b}, j2: {c}}}\n{rest}"
    )
}

/// Rods along the links, of this radius.
fn rods(middle: f64, radius: f64) -> String {
    format!(
        "collision_shapes:\n  link0: [{{points: [[0, 0, 0], [0.3, 0, 0]], radius: {radius}}}]\n  \
         link1: [{{points: [[0, 0, 0], [{middle}, 0, 0]], radius: 0.01}}]\n  \
         link2: [{{points: [[0.1, 0, 0], [0.3, 0, 0]], radius: {radius}}}]\n"
    )
}

#[test]
fn links_that_are_near_at_home_and_seldom_elsewhere_are_a_fault_with_a_way_out() {
    // Folded: the third link lies beside the first, 0.1 m apart in the middle.
    let folded = [0.0, 1.57, 1.57];
    let text = robot_file(folded, &rods(0.1, 0.048));
    let error = Robot::from_text(&text, &urdf(0.1)).unwrap_err();
    let faults: Vec<String> = error.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
    for word in ["home: ", "`link0`", "`link2`", "clearance.ignore: [[link0, link2]]"] {
        assert!(faults[0].contains(word), "{faults:?}");
    }
    // With thinner rods it loads, and every pair is looked at.
    let text = robot_file(folded, &rods(0.1, 0.04));
    let robot = Robot::from_text(&text, &urdf(0.1)).unwrap();
    assert_eq!(robot.clearance().left_out(), []);
    // What the fault advises works.
    let advised = rods(0.1, 0.048) + "clearance: {ignore: [[link0, link2]]}\n";
    assert!(Robot::from_text(&robot_file(folded, &advised), &urdf(0.1)).is_ok());
}

/// The end of the first link and the beginning of the third overlap in every posture; their far
/// ends can hit each other.
fn wrist() -> String {
    "collision_shapes:\n  \
     link0:\n  - {points: [[0, 0, 0], [0.2, 0, 0]], radius: 0.03}\n  \
     - {points: [[0.4, 0, 0]], radius: 0.05}\n  \
     link1: [{points: [[0, 0, 0]], radius: 0.02}]\n  \
     link2:\n  - {points: [[0, 0, 0]], radius: 0.05}\n  \
     - {points: [[0.2, 0, 0], [0.35, 0, 0]], radius: 0.03}\n"
        .into()
}

#[test]
fn of_links_that_overlap_as_built_only_the_shapes_that_do_are_left_out() {
    let robot = Robot::from_text(&robot_file([0.0; 3], &wrist()), &urdf(0.01)).unwrap();
    let clearance = robot.clearance();
    let [pair] = clearance.left_out() else { panic!("{:?}", clearance.left_out()) };
    assert_eq!((pair.one.as_str(), pair.other.as_str()), ("link0", "link2"));
    assert_eq!((pair.reason, pair.left_out, pair.checked), (LeftOutReason::AsBuilt, 1, 3));
    assert_eq!(
        clearance.not_checked(),
        ["link0 - link2 (too near in almost all postures; 1 of their 4 pairs of shapes)"]
    );
    let mut scratch = ClearanceScratch::default();
    let mut at = |positions: [f64; 3]| {
        clearance.distances(&positions, f64::INFINITY, &mut scratch).own.distance
    };
    assert!(at([0.0; 3]) > 0.01);
    // Bent back by 2.5 + 0.64 rad the third link lies on the first.
    assert!(at([0.0, 2.5, 0.64]) < 0.0);
}

#[test]
fn links_that_overlap_at_home_and_in_most_postures_are_left_out_and_named_with_the_reason() {
    // Within 1.7 rad of straight the third link's back is near the first link's end.
    let shapes = "collision_shapes:\n  link0: [{points: [[0.3, 0, 0]], radius: 0.055}]\n  \
                  link1: [{points: [[0, 0, 0]], radius: 0.01}]\n  \
                  link2: [{points: [[-0.05, 0, 0]], radius: 0.055}]\n";
    let robot = Robot::from_text(&robot_file([0.0; 3], shapes), &urdf(0.01)).unwrap();
    let [pair] = robot.clearance().left_out() else { panic!("{:?}", robot.clearance().left_out()) };
    assert_eq!(pair.reason, LeftOutReason::AtHome);
    assert!(robot.clearance().not_checked()[0].contains("too near at home and in most postures"));
}

#[test]
fn a_thick_box_is_itself_and_a_thin_one_capsules_around_it() {
    let shapes = |size: [f64; 3]| -> Vec<Shape> {
        let [x, y, z] = size;
        let boxed = format!(
            "<link name=\"link1\"><collision><origin xyz=\"0.1 0 0\" rpy=\"0 0 0.3\"/><geometry><box \
             size=\"{x} {y} {z}\"/></geometry></collision></link>"
        );
        let urdf = urdf(0.4).replace("<link name=\"link1\"/>", &boxed);
        let others = "collision_shapes:\n  link0: [{points: [[0, 0, 0]], radius: 0.01}]\n  \
                      link2: [{points: [[0.9, 0, 0]], radius: 0.01}]\n";
        let robot = Robot::from_text(&robot_file([0.0; 3], others), &urdf).unwrap();
        let all = robot.clearance().shapes();
        all.filter(|(link, _)| *link == "link1").map(|(_, shape)| shape.clone()).collect()
    };
    let turn = UnitQuaternion::from_euler_angles(0.0, 0.0, 0.3);
    let place = |x: f64, y: f64, z: f64| Point3::new(0.1, 0.0, 0.0) + turn * Vector3::new(x, y, z);
    for size in [[0.2, 0.25, 0.5], [0.06, 0.06, 0.06], [0.3, 0.04, 0.02], [0.2, 0.2, 0.01]] {
        let shapes = shapes(size);
        let off = |point: Point3<f64>| {
            shapes.iter().map(|shape| shape.distance(&point)).fold(f64::INFINITY, f64::min)
        };
        let [x, y, z] = size.map(|length| 0.5 * length);
        // Every corner is inside, and beyond each face the shapes end within 2 cm.
        for corner in 0..8 {
            let sign = |axis: usize| if corner >> axis & 1 == 0 { 1.0 } else { -1.0 };
            assert!(off(place(x * sign(0), y * sign(1), z * sign(2))) < 1e-9, "{size:?}");
        }
        for beyond in [(x + 0.03, 0.0, 0.0), (0.0, y + 0.03, 0.0), (0.0, 0.0, z + 0.03)] {
            let off = off(place(beyond.0, beyond.1, beyond.2));
            assert!(off > 0.01 - 1e-9, "{size:?} {beyond:?}: {off}");
        }
    }
}
