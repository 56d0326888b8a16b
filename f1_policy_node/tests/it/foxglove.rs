//! A viewer of Foxglove's websocket sees every topic that a recording holds, with its schema.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use f1_interfaces::cdr;
use f1_interfaces::sensor_msgs::msg::JointState;
use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_middleware::{Backend, Context, ContextOptions, Publisher, Qos};
use f1_policy_node::FoxgloveSession;
use f1_policy_node::topics::{self, Topic, Visitor, absolute};
use f1_robot::Robot;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

/// Both versions of the protocol; releases of Lichtblick speak the second only.
const PROTOCOLS: [&str; 2] = ["foxglove.sdk.v1", "foxglove.websocket.v1"];
const PATIENCE: Duration = Duration::from_secs(60);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn robot() -> Robot {
    Robot::load(&root().join("config/robots/bench_arm.yaml")).unwrap()
}

fn connect(session: &FoxgloveSession, protocol: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(session.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("ws://{}/", session.address()).into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
    let (viewer, answer) = tungstenite::client(request, stream).unwrap();
    assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], protocol);
    viewer
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
    let mut viewer = connect(&session, PROTOCOLS[0]);
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
}

fn subscribe(viewer: &mut WebSocket<TcpStream>, number: u32, channel: &Value) {
    let wanted = json!({
        "op": "subscribe",
        "subscriptions": [{"id": number, "channelId": channel["id"]}],
    });
    viewer.send(Message::text(wanted.to_string())).unwrap();
}

/// The next message with data, which is of this subscription; `None` while nothing comes.
fn data<T: f1_interfaces::Message>(viewer: &mut WebSocket<TcpStream>, number: u32) -> Option<T> {
    let Ok(Message::Binary(bytes)) = viewer.read() else { return None };
    assert_eq!((bytes[0], u32::from_le_bytes(bytes[1..5].try_into().unwrap())), (1, number));
    assert!(u64::from_le_bytes(bytes[5..13].try_into().unwrap()) > 0, "a time");
    Some(cdr::from_bytes(&bytes[13..]).unwrap())
}

/// Publishes until the viewer has it: its subscription may come after the first.
fn publish_until_seen<T: f1_interfaces::Message + Clone>(
    publisher: &Publisher<T>,
    message: &T,
    (viewer, number): (&mut WebSocket<TcpStream>, u32),
) -> T {
    viewer.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let begin = Instant::now();
    loop {
        publisher.publish(message.clone()).unwrap();
        if let Some(seen) = data(viewer, number) {
            return seen;
        }
        assert!(begin.elapsed() < PATIENCE, "nothing comes");
    }
}

#[test]
fn what_is_published_comes_to_the_viewers_that_ask() {
    let context = Context::new(ContextOptions::new(Backend::mem())).unwrap();
    let robot = robot();
    let session = FoxgloveSession::start(&context, &robot, "f1", &[], 0).unwrap();
    let mut viewer = connect(&session, PROTOCOLS[0]);
    let channels = advertised(&mut viewer, 8);
    let node = context.create_node("person").unwrap();

    let name = absolute("f1", robot.file().joint_states.iter().next().unwrap());
    subscribe(&mut viewer, 3, &channels[&name]);
    let joints = node.create_publisher::<JointState>(&name, Qos::reliable()).unwrap();
    let moved = JointState { name: vec!["a".into()], position: vec![0.5], ..JointState::default() };
    let seen: JointState = publish_until_seen(&joints, &moved, (&mut viewer, 3));
    assert_eq!((seen.name, seen.position), (moved.name, moved.position));

    // The newest message of a latched topic comes to who asks for it later, in the other version of
    // the protocol too.
    let instruction = &channels["/f1/instruction"];
    let publisher =
        node.create_publisher::<StringMessage>("/f1/instruction", Qos::latched()).unwrap();
    let mut asking = connect(&session, PROTOCOLS[0]);
    subscribe(&mut asking, 5, instruction);
    let said = StringMessage { data: "pick".into() };
    publish_until_seen(&publisher, &said, (&mut asking, 5));
    let mut late = connect(&session, PROTOCOLS[1]);
    advertised(&mut late, 8);
    subscribe(&mut late, 9, instruction);
    let seen: StringMessage = data(&mut late, 9).expect("the newest instruction");
    assert_eq!(seen.data, "pick");
}

#[test]
fn other_sites_and_other_protocols_are_refused() {
    let context = Context::new(ContextOptions::new(Backend::mem())).unwrap();
    let session = FoxgloveSession::start(&context, &robot(), "f1", &[], 0).unwrap();
    let answer = |protocol: &str, origin: &str| {
        let stream = TcpStream::connect(session.address()).unwrap();
        let mut request = format!("ws://{}/", session.address()).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
        request.headers_mut().insert("Origin", origin.parse().unwrap());
        match tungstenite::client(request, stream) {
            Err(HandshakeError::Failure(Error::Http(answer))) => answer.status().as_u16(),
            other => other.map(|_| 101).unwrap_or_default(),
        }
    };
    assert_eq!(answer(PROTOCOLS[0], "https://app.foxglove.dev"), 101);
    assert_eq!(answer(PROTOCOLS[0], "https://evil.example"), 403);
    assert_eq!(answer("chat", "https://app.foxglove.dev"), 400);
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
