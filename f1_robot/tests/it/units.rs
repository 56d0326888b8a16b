//! Vectors in other units: scale, offset and sign for each joint, in state and action alike.

use std::sync::Arc;

use f1_robot::Robot;
use f1_robot::decode::{ChunkDecoder, ChunkStamp};
use f1_robot::state::raw_state;
use f1_robot::statistics::DatasetStatistics;

/// The bench arm with keys added to the joint parts of state and action, nothing normalised.
fn robot(state: &str, action: &str) -> Result<Robot, Vec<String>> {
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let part =
        "{kind: joint_positions, joints: [joint1, joint2, joint3, joint4, joint5, joint6, joint7]";
    let places: Vec<usize> = text.match_indices(part).map(|(at, _)| at + part.len()).collect();
    let [first, second] = places[..] else { panic!("{places:?}") };
    let text =
        format!("{}{state}{}{action}{}", &text[..first], &text[first..second], &text[second..])
            .replace("state: mean_std, action: mean_std", "state: none, action: none");
    Robot::from_text(&text, &crate::shipped::fixture_urdf())
        .map_err(|error| error.faults.iter().map(ToString::to_string).collect())
}

#[test]
fn an_action_is_read_as_the_state_is_written() {
    for keys in [
        "",
        ", units: degrees",
        // -100..100 over the joint's range, and a joint that is mounted the other way round.
        ", scale: [34.48, 57.0, -34.0, 40.0, 34.0, 50.0, 31.0], offset: [0, -12.5, 3, 0, 0, 100, 0]",
        ", units: degrees, scale: [-1, 1, 1, 1, 1, 1, 1], offset: [90, 0, 0, 0, 0, 0, -180]",
    ] {
        let robot = Arc::new(robot(keys, keys).unwrap_or_else(|faults| panic!("{faults:?}")));
        let decoder = ChunkDecoder::new(robot.clone(), &DatasetStatistics::default()).unwrap();
        let mut generator = crate::shipped::generator(7);
        for _ in 0..50 {
            let positions = crate::shipped::anywhere(&robot, &mut generator);
            let written = raw_state(&robot, &crate::shipped::names(&robot), &positions).unwrap();
            let stamp = ChunkStamp::default();
            let rows = decoder.waypoints(&[written], robot.home(), stamp).unwrap().chunk.rows;
            for (read, position) in rows[0].iter().zip(&positions) {
                assert!((read - position).abs() < 1e-9, "{keys}: {rows:?} {positions:?}");
            }
        }
    }
}

#[test]
fn numbers_are_position_over_unit_times_scale_plus_offset() {
    let keys = ", units: degrees, scale: [-2, 1, 1, 1, 1, 1, 1], offset: [10, 0, 0, 0, 0, 0, 0]";
    let robot = robot(keys, "").unwrap();
    let mut positions = vec![0.0; 8];
    positions[0] = 30.0_f64.to_radians();
    let state = raw_state(&robot, &crate::shipped::names(&robot), &positions).unwrap();
    assert!((state[0] - -50.0).abs() < 1e-9, "{state:?}");
}

#[test]
fn lists_of_another_length_and_a_scale_of_zero_are_faults() {
    for (keys, named) in [
        (", scale: [1, 2]", "scale: 2 factors for 7 joints"),
        (", offset: [1, 2]", "offset: 2 offsets for 7 joints"),
        (", scale: [1, 1, 0, 1, 1, 1, 1]", "scale[2]: must not be 0"),
    ] {
        let faults = [robot(keys, "").unwrap_err(), robot("", keys).unwrap_err()];
        for (faults, part) in faults.iter().zip(["state.parts[0].", "action.parts[0]."]) {
            assert_eq!(*faults, [format!("{part}{named}")]);
        }
    }
}

#[test]
fn absolute_controller_names_and_the_root_namespace_are_accepted() {
    for (name, namespace, full) in [
        ("arm_controller", "", "arm_controller"),
        ("/arm_controller", "", "/arm_controller"),
        ("/left/arm_controller", "right", "/left/arm_controller"),
        ("arm_controller", "/", "/arm_controller"),
        ("arm_controller", "left", "left/arm_controller"),
        ("arm_controller", "/left", "/left/arm_controller"),
        ("left/arm_controller", "", "left/arm_controller"),
    ] {
        let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap().replace(
            "  - name: arm_controller\n",
            &format!("  - name: {name}\n    namespace: {namespace:?}\n"),
        );
        let robot = Robot::from_text(&text, &crate::shipped::fixture_urdf())
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(robot.controllers()[0].full_name(), full);
    }
    // The same controller by two names is one.
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let text = text
        .replace("- name: arm_controller\n", "- name: /hand\n")
        .replace("{name: gripper_controller,", "{name: hand, namespace: /,");
    let error = Robot::from_text(&text, &crate::shipped::fixture_urdf()).unwrap_err();
    assert!(error.to_string().contains("named twice"), "{error}");
}
