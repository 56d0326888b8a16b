//! MoveIt's planning scene and a joystick, sent by the Python peer over DDS.

use std::time::{Duration, Instant};

use f1_middleware::{Backend, Context, ContextOptions, RosArgs};
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_tests::peer::Peer;
use serde_json::{Value, json};

use crate::kit;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the status has `said`, and has none of `silent`.
fn until(process: &PolicyProcess, said: &str, silent: &[&str]) {
    let end = Instant::now() + PATIENCE;
    loop {
        let reason = process.status().state().1;
        if reason.contains(said) && silent.iter().all(|text| !reason.contains(text)) {
            return;
        }
        assert!(Instant::now() < end, "{reason:?} does not say {said:?}, or says {silent:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A ball in a frame.
fn ball(id: &str, frame: &str, operation: u8) -> Value {
    json!({
        "header": { "frame_id": frame }, "id": id, "operation": operation,
        "pose": { "position": { "x": 3.0, "y": 0.0, "z": 0.5 }, "orientation": { "w": 1.0 } },
        "primitives": [{ "type": 2, "dimensions": [0.1] }],
        "primitive_poses": [{ "orientation": { "w": 1.0 } }],
    })
}

#[test]
fn a_scene_and_a_joystick_of_another_dds_hold_and_release_the_robot() {
    let prefix = format!("/peer_scene_{}", std::process::id());
    let name = |name: &str| format!("{prefix}/{name}");
    let mut args = vec!["nodes".to_owned(), "--ros-args".to_owned()];
    args.extend(["-r".to_owned(), format!("__ns:={prefix}")]);
    for (parameter, value) in [
        ("takeover", "joy".to_owned()),
        ("planning_scene", "true".to_owned()),
        ("planning_scene_topic", name("monitored_planning_scene")),
        ("planning_scene_service", name("get_planning_scene")),
        ("tf_topic", name("tf")),
        ("tf_static_topic", name("tf_static")),
    ] {
        args.extend(["-p".to_owned(), format!("{prefix}/safety_filter:{parameter}:={value}")]);
    }
    let (args, _) = RosArgs::parse(args).unwrap();
    let context = Context::new(ContextOptions { backend: Backend::Dds, args }).unwrap();
    let robot = kit::robot("bench_arm");
    let load = kit::loading(move || kit::resources(&robot, 0.002, false));
    let process = PolicyProcess::compose(&context, load, &ProcessOptions::default()).unwrap();
    let spinning = context.clone();
    let spinner = std::thread::spawn(move || spinning.spin());
    until(&process, "joy has not sent a message", &[]);
    until(&process, "planning scene: no node offers", &[]);

    let domain =
        std::env::var("ROS_DOMAIN_ID").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut peer = Peer::session(domain).unwrap();
    let qos = |latched: bool| json!({ "reliable": true, "transient_local": latched, "depth": 10 });
    let publisher = |peer: &mut Peer, topic: &str, kind: &str, latched: bool| {
        peer.request(json!({
            "op": "publisher", "name": topic, "topic": name(topic), "type": kind,
            "qos": qos(latched),
        }))
        .unwrap();
    };
    publisher(&mut peer, "joy", "sensor_msgs/msg/Joy", false);
    publisher(&mut peer, "monitored_planning_scene", "moveit_msgs/msg/PlanningScene", false);
    publisher(&mut peer, "tf_static", "tf2_msgs/msg/TFMessage", true);
    let joy = |peer: &mut Peer, pressed: i32| {
        let value = json!({ "buttons": [0, 0, 0, 0, pressed] });
        peer.request(json!({
            "op": "stream", "name": "joy", "value": value, "rate": 20.0, "count": 40,
        }))
        .unwrap();
    };
    joy(&mut peer, 1);
    until(&process, "a person has taken over", &["joy has not"]);
    joy(&mut peer, 0);

    // The service answers with an object in a frame that is not known.
    let scene = json!({
        "is_diff": false, "world": { "collision_objects": [ball("cup", "moon", 0)] },
    });
    peer.request(json!({
        "op": "service", "name": "scene", "service": name("get_planning_scene"),
        "type": "moveit_msgs/srv/GetPlanningScene", "response": { "scene": scene },
    }))
    .unwrap();
    until(&process, "planning scene: object cup: frame moon is not known", &[]);
    let request = peer.event("request", PATIENCE).unwrap();
    assert_eq!(request["value"]["components"]["components"], 1023);
    let transform = json!({
        "header": { "frame_id": "base_link" }, "child_frame_id": "moon",
        "transform": { "rotation": { "w": 1.0 } },
    });
    peer.request(json!({
        "op": "publish", "name": "tf_static", "value": { "transforms": [transform] },
    }))
    .unwrap();
    until(&process, "", &["planning scene"]);

    // Differences: a shape that cannot be represented, then without it.
    peer.request(json!({ "op": "matched", "name": "monitored_planning_scene", "timeout": 59 }))
        .unwrap();
    let mut change = |object: Value| {
        let value = json!({
            "is_diff": true, "robot_state": { "is_diff": true },
            "world": { "collision_objects": [object] },
        });
        peer.request(
            json!({ "op": "publish", "name": "monitored_planning_scene", "value": value }),
        )
        .unwrap();
    };
    let mut strange = ball("rock", "base_link", 0);
    strange["primitives"][0]["type"] = json!(77);
    change(strange);
    until(&process, "planning scene: object rock: a primitive of type 77", &[]);
    change(ball("rock", "base_link", 1));
    until(&process, "", &["planning scene"]);

    context.shutdown();
    spinner.join().unwrap();
    context.join();
}
