//! Messages both ways, byte for byte.

use std::sync::mpsc::channel;
use std::time::Instant;

use f1_interfaces::f1_msgs::msg::{ActionChunk, PolicyStatus};
use f1_interfaces::geometry_msgs::msg::PoseStamped;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_interfaces::std_msgs::msg::{Bool, Empty, String as Text};
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_interfaces::{Message, random};
use f1_middleware::Qos;
use serde_json::json;

use crate::pair::{PATIENCE, Pair, assert_encodes, pair, until};

fn image(width: u32, height: u32) -> Image {
    Image {
        width,
        height,
        encoding: "rgb8".to_owned(),
        step: 3 * width,
        data: (0..3 * width * height).map(|i| (i * 31 % 251) as u8).collect(),
        ..random::value(5)
    }
}

/// From the peer to us.
fn receive<T: Message>(pair: &mut Pair, topic: &str, messages: &[T]) {
    let (sender, receiver) = channel();
    let subscription = pair
        .node
        .create_subscription::<T>(topic, Qos::reliable().keep_last(50), move |message, _| {
            let _ = sender.send(message);
        })
        .unwrap();
    pair.peer_publisher::<T>(topic, json!({ "depth": 50 }));
    pair.peer_matched(topic);
    until("a publisher", || subscription.publisher_count() > 0);
    for message in messages {
        pair.peer_publishes(topic, message);
        let received = receiver.recv_timeout(PATIENCE).expect(T::TYPE_NAME);
        assert_eq!(*received, *message);
    }
}

/// From us to the peer.
fn send<T: Message>(pair: &mut Pair, topic: &str, messages: &[T]) {
    let publisher = pair.node.create_publisher::<T>(topic, Qos::reliable().keep_last(50)).unwrap();
    pair.peer_subscription::<T>(topic, "each", json!({ "depth": 50 }));
    pair.peer_matched(topic);
    until("a subscription", || publisher.subscription_count() > 0);
    for message in messages {
        publisher.publish(message.clone()).unwrap();
        assert_encodes(&pair.peer_received(topic), message);
    }
}

fn both<T: Message>(pair: &mut Pair, topic: &str) {
    let messages: Vec<T> = (0..5).map(random::value).collect();
    receive(pair, &format!("{topic}_in"), &messages);
    send(pair, &format!("{topic}_out"), &messages);
}

#[test]
fn messages_cross_both_ways_unchanged() {
    let mut pair = pair();
    both::<JointState>(&mut pair, "joint_states");
    both::<JointTrajectory>(&mut pair, "joint_trajectory");
    both::<CompressedImage>(&mut pair, "compressed");
    both::<PoseStamped>(&mut pair, "pose");
    both::<PolicyStatus>(&mut pair, "status");
    both::<ActionChunk>(&mut pair, "chunk");
    both::<Bool>(&mut pair, "lock");
    both::<Empty>(&mut pair, "empty");
}

#[test]
fn the_first_message_after_a_reader_is_seen_arrives() {
    let mut pair = pair();
    let topics: Vec<String> = (0..20).map(|i| format!("first_{i}")).collect();
    for topic in &topics {
        pair.peer_subscription::<Text>(topic, "each", json!({}));
    }
    // Longer than a datagram: sent in parts.
    let text = Text { data: "pick up the red cube ".repeat(100) };
    for topic in &topics {
        let publisher = pair.node.create_publisher::<Text>(topic, Qos::reliable()).unwrap();
        let end = Instant::now() + PATIENCE;
        while publisher.subscription_count() == 0 {
            assert!(Instant::now() < end, "{topic}: no subscription");
            std::thread::yield_now();
        }
        publisher.publish(text.clone()).unwrap();
        assert_encodes(&pair.peer_received(topic), &text);
    }
}

#[test]
fn images_cross_both_ways_unchanged() {
    let mut pair = pair();
    receive(&mut pair, "image_in", &[image(640, 480), image(1, 1), image(64, 48)]);
    // Larger ones go compressed: the sender has no flow control.
    send(&mut pair, "image_out", &[image(240, 240), image(1, 1), image(64, 48)]);
}

#[test]
fn a_latched_string_reaches_a_late_reader() {
    let mut pair = pair();
    let latched = json!({ "transient_local": true, "depth": 1 });
    let text = |data: &str| Text { data: data.to_owned() };

    let publisher = pair.node.create_publisher::<Text>("ours", Qos::latched()).unwrap();
    for count in 0..200 {
        publisher.publish(text(&format!("old {count}"))).unwrap();
    }
    publisher.publish(text("pick up the cube")).unwrap();
    pair.peer_subscription::<Text>("ours", "each", latched.clone());
    assert_encodes(&pair.peer_received("ours"), &text("pick up the cube"));
    publisher.publish(text("put it into the bin")).unwrap();
    assert_encodes(&pair.peer_received("ours"), &text("put it into the bin"));

    pair.peer_publisher::<Text>("theirs", latched);
    pair.peer_publishes("theirs", &text("older"));
    pair.peer_publishes("theirs", &text("put it down"));
    let newest = pair.node.create_newest_subscription::<Text>("theirs", Qos::latched()).unwrap();
    until("the latched string", || newest.peek().is_some());
    assert_eq!(newest.take().unwrap().data, "put it down");
}

#[test]
fn best_effort_receives_from_reliable_and_not_the_other_way() {
    let mut pair = pair();
    let newest = pair.node.create_newest_subscription::<Text>("mixed", Qos::sensor_data()).unwrap();
    pair.peer_publisher::<Text>("mixed", json!({ "reliable": true }));
    pair.peer_matched("mixed");
    until("the string", || {
        pair.peer_publishes("mixed", &random::value::<Text>(1));
        newest.take().is_some()
    });

    let demanding = pair.node.create_newest_subscription::<Text>("weak", Qos::reliable()).unwrap();
    pair.peer_publisher::<Text>("weak", json!({ "reliable": false }));
    let reply =
        pair.peer.request(json!({ "op": "matched", "name": "weak", "timeout": 1.0 })).unwrap();
    assert_eq!(reply["matched"], 0);
    assert_eq!(demanding.publisher_count(), 0);
}
