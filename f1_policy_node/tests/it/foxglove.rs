//! A viewer of Foxglove's websocket sees every topic that a recording holds, with its schema.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_interfaces::{Message as _, cdr};
use f1_middleware::{Backend, Context, ContextOptions, Qos};
use f1_policy_node::FoxgloveSession;
use f1_policy_node::topics::{self, Topic, Visitor, absolute};
use f1_robot::Robot;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn robot() -> Robot {
    Robot::load(&root().join("config/robots/bench_arm.yaml")).unwrap()
}

fn connect(session: &FoxgloveSession) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(session.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut request = format!("ws://{}/", session.address()).into_client_request().unwrap();
    let protocol = "foxglove.sdk.v1".parse().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    tungstenite::client(request, stream).unwrap().0
}

/// Channels by topic, as they are advertised.
fn advertised(viewer: &mut WebSocket<TcpStream>, wanted: usize) -> BTreeMap<String, Value> {
    let mut channels = BTreeMap::new();
    while channels.len() < wanted {
        let Message::Text(text) = viewer.read().unwrap() else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        for channel in message["channels"].as_array().into_iter().flatten() {
            channels.insert(channel["topic"].as_str().unwrap().to_owned(), channel.clone());
        }
    }
    channels
}

/// What a recording holds: name, type and definition of each topic.
struct Recorded<'a> {
    robot: &'a Robot,
    locks: &'a [String],
    topics: BTreeMap<String, (&'static str, &'static str)>,
}

impl Visitor for Recorded<'_> {
    type Error = std::convert::Infallible;

    fn topic<T: f1_interfaces::Message>(&mut self, topic: &Topic<T>) -> Result<(), Self::Error> {
        let names =
            if topic.recorded == 0 { Vec::new() } else { topic.names(self.robot, self.locks) };
        for name in names {
            self.topics.insert(absolute("f1", &name), (T::TYPE_NAME, T::DEFINITION));
        }
        Ok(())
    }
}

#[test]
fn a_viewer_sees_what_a_recording_holds() {
    let context = Context::new(ContextOptions::new(Backend::mem())).unwrap();
    let robot = robot();
    let locks = ["door".to_owned()];
    let mut recorded = Recorded { robot: &robot, locks: &locks, topics: BTreeMap::new() };
    topics::visit(&mut recorded).unwrap();
    let recorded = recorded.topics;
    assert!(recorded.len() > 8, "{recorded:?}");

    let session = FoxgloveSession::start(&context, &robot, "f1", &locks, 0).unwrap();
    let mut viewer = connect(&session);
    let channels = advertised(&mut viewer, recorded.len());
    assert!(channels.keys().eq(recorded.keys()), "{:?}", channels.keys());
    for (topic, (name, definition)) in &recorded {
        let shown = &channels[topic];
        assert_eq!(
            (&shown["encoding"], &shown["schemaEncoding"]),
            (&json!("cdr"), &json!("ros2msg"))
        );
        assert_eq!((&shown["schemaName"], &shown["schema"]), (&json!(name), &json!(definition)));
    }

    // What is published comes to a viewer that subscribed, as CDR.
    let instruction = &channels["/f1/instruction"];
    let wanted = json!({
        "op": "subscribe",
        "subscriptions": [{"id": 5, "channelId": instruction["id"]}],
    });
    viewer.send(Message::text(wanted.to_string())).unwrap();
    let node = context.create_node("person").unwrap();
    let publisher =
        node.create_publisher::<StringMessage>("/f1/instruction", Qos::latched()).unwrap();
    let begin = std::time::Instant::now();
    let data = loop {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing comes");
        publisher.publish(StringMessage { data: "pick".into() }).unwrap();
        context.executor().spin_for(Duration::from_millis(20));
        viewer.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        // Published before the subscription came: nothing is there yet.
        if let Ok(Message::Binary(bytes)) = viewer.read() {
            break bytes;
        }
    };
    assert_eq!((data[0], u32::from_le_bytes(data[1..5].try_into().unwrap())), (1, 5));
    let message: StringMessage = cdr::from_bytes(&data[13..]).unwrap();
    assert_eq!(message.data, "pick");
    assert_eq!(instruction["schemaName"], StringMessage::TYPE_NAME);
}

#[test]
fn the_shipped_layout_shows_topics_that_there_are() {
    let text = std::fs::read_to_string(root().join("config/foxglove/f1_policy.json")).unwrap();
    let layout: Value = serde_json::from_str(&text).unwrap();
    let page = std::fs::read_to_string(root().join("docs/topics.md")).unwrap();
    let robot = robot();
    let cameras: Vec<&str> =
        robot.file().cameras.iter().map(|camera| camera.topic.as_str()).collect();
    let mut topics = BTreeSet::new();
    topics_of(&layout["configById"], &mut topics);
    assert!(topics.len() >= 7, "{topics:?}");
    for topic in &topics {
        let topic = topic.strip_prefix("/f1/").expect(topic).split('.').next().unwrap();
        let known = page.contains(&format!("`{topic}`")) || cameras.contains(&topic);
        let joints = robot.file().joint_states.iter().any(|joints| joints == topic);
        assert!(known || joints, "{topic}");
    }
    // Each panel that is laid out has its settings, and the other way round.
    let mut panels = BTreeSet::new();
    panels_of(&layout["layout"], &mut panels);
    let configured: BTreeSet<String> =
        layout["configById"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(panels, configured);
}

fn topics_of(value: &Value, topics: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with('/') => {
            topics.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| topics_of(item, topics)),
        Value::Object(map) => map.values().for_each(|item| topics_of(item, topics)),
        _ => {}
    }
}

fn panels_of(value: &Value, panels: &mut BTreeSet<String>) {
    match value {
        Value::String(id) if id.contains('!') => {
            panels.insert(id.clone());
        }
        Value::Object(map) => map.values().for_each(|item| panels_of(item, panels)),
        _ => {}
    }
}
