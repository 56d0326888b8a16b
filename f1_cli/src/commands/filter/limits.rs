//! What `f1 filter --limits` prints.

use f1_robot::Robot;
use f1_robot::safety::{FilterSettings, ParameterValue, SafetyFilter};
use serde_json::{Map, Value, json};

/// The limits in force: `rate_hz`, `joints`, `controllers`, `action_layout`, and the filter's
/// parameters under `filter` (`position_tolerance` for each joint, because a gripper's is wider),
/// and what the clearance check looks at.
pub fn limits(robot: &Robot, filter: &SafetyFilter) -> Value {
    let mut joints = Map::new();
    let mut tolerances = Map::new();
    let joints_of = filter.joints().iter().zip(filter.position_tolerances());
    for ((joint, tolerance), sources) in joints_of.zip(robot.limit_sources()) {
        // A bound that does not exist is null.
        let limits = json!({
            "lower": joint.lower, "upper": joint.upper, "velocity": joint.velocity,
            "acceleration": joint.acceleration, "jerk": joint.jerk,
            "continuous": joint.continuous, "sources": sources,
        });
        joints.insert(joint.name.clone(), limits);
        tolerances.insert(joint.name.clone(), json!(tolerance));
    }
    let name = |joint: &usize| filter.joints().get(*joint).map(|joint| joint.name.clone());
    let controllers: Map<String, Value> = robot
        .controllers()
        .iter()
        .map(|controller| {
            let joints: Vec<String> = controller.joints.iter().filter_map(name).collect();
            (controller.full_name(), json!(joints))
        })
        .collect();
    let layout: Vec<&str> = filter.joints().iter().map(|joint| joint.name.as_str()).collect();
    let mut numbers: Map<String, Value> = FilterSettings::parameters()
        .iter()
        .map(|parameter| {
            let value = match parameter.value(filter.settings()) {
                ParameterValue::Double(value) => json!(value),
                ParameterValue::Integer(value) => json!(value),
                ParameterValue::Bool(value) => json!(value),
                ParameterValue::Text(value) => json!(value),
            };
            (parameter.name.into(), value)
        })
        .collect();
    numbers.insert("position_tolerance".into(), Value::Object(tolerances));
    numbers.insert("end_effector_speed".into(), json!(robot.file().end_effector_speed));
    json!({
        "rate_hz": robot.rate_hz(),
        "joints": joints,
        "controllers": controllers,
        "action_layout": layout,
        "filter": numbers,
        "clearance": {
            "fitted_links": robot.clearance().fitted(),
            "given_links": robot.clearance().given(),
            "unchecked_links": robot.clearance().unchecked(),
            "pairs_left_out": robot.clearance().left_out(),
        },
    })
}
