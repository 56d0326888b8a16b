//! Publishing and subscribing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::std_msgs::msg::String as Text;
use f1_middleware::Qos;

use crate::support::{LIMIT, pairs, pairs_with};

fn text(data: &str) -> Text {
    Text { data: data.to_owned() }
}

#[test]
fn messages_arrive_in_order_and_unchanged() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("talker").unwrap(), pair.b.create_node("listener").unwrap());
        let received = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let into = received.clone();
        let _subscription = b
            .create_subscription::<JointState>(
                "joint_states",
                Qos::reliable().keep_last(100),
                move |m, _| {
                    into.lock().push(m);
                },
            )
            .unwrap();
        let publisher = a.create_publisher("joint_states", Qos::reliable().keep_last(100)).unwrap();
        pair.spin_until("discovery", || publisher.subscription_count() > 0);
        let sent: Vec<JointState> = (0..50)
            .map(|i| JointState {
                name: vec![format!("joint{i}"), "ä".into()],
                position: vec![f64::from(i), -0.5],
                ..JointState::default()
            })
            .collect();
        for message in &sent {
            publisher.publish(message.clone()).unwrap();
        }
        pair.spin_until("arrival", || received.lock().len() == sent.len());
        assert!(
            received.lock().iter().zip(&sent).all(|(received, sent)| **received == *sent),
            "{}",
            pair.name
        );
    }
}

#[test]
fn an_image_arrives_whole() {
    for pair in pairs() {
        let (a, b) = (pair.a.create_node("camera").unwrap(), pair.b.create_node("viewer").unwrap());
        let newest =
            b.create_newest_subscription::<Image>("image", Qos::reliable().keep_last(1)).unwrap();
        let publisher = a.create_publisher::<Image>("image", Qos::reliable().keep_last(1)).unwrap();
        pair.spin_until("discovery", || publisher.subscription_count() > 0);
        let image = Image {
            height: 200,
            width: 300,
            encoding: "rgb8".into(),
            step: 900,
            data: (0..180_000_usize).map(|i| (i * 7 % 251) as u8).collect(),
            ..Image::default()
        };
        publisher.publish(image.clone()).unwrap();
        pair.spin_until("the image", || newest.peek().is_some());
        assert!(*newest.take().unwrap() == image, "{}", pair.name);
        assert!(newest.take().is_none());
    }
}

#[test]
fn a_late_reader_receives_what_is_latched_and_nothing_else() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("talker").unwrap(), pair.b.create_node("listener").unwrap());
        let latched = a.create_publisher("instruction", Qos::latched()).unwrap();
        let volatile = a.create_publisher("chatter", Qos::reliable()).unwrap();
        latched.publish(text("old")).unwrap();
        latched.publish(text("pick up the cup")).unwrap();
        volatile.publish(text("lost")).unwrap();
        let received = b.create_newest_subscription::<Text>("instruction", Qos::latched()).unwrap();
        let not_received =
            b.create_newest_subscription::<Text>("chatter", Qos::reliable()).unwrap();
        pair.spin_until("the instruction", || received.peek().is_some());
        assert_eq!(received.take().unwrap().data, "pick up the cup", "{}", pair.name);
        assert!(not_received.take().is_none());
    }
}

#[test]
fn a_reader_that_requests_more_than_is_offered_is_not_connected() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("talker").unwrap(), pair.b.create_node("listener").unwrap());
        let publisher = a.create_publisher::<Text>("chatter", Qos::sensor_data()).unwrap();
        let reliable = b.create_newest_subscription::<Text>("chatter", Qos::reliable()).unwrap();
        let best_effort =
            b.create_newest_subscription::<Text>("chatter", Qos::sensor_data()).unwrap();
        pair.spin_until("discovery", || publisher.subscription_count() == 1);
        pair.spin_until("arrival", || {
            publisher.publish(text("hello")).unwrap();
            best_effort.take().is_some()
        });
        assert!(reliable.take().is_none(), "{}", pair.name);
    }
}

#[test]
fn a_slow_callback_gets_the_newest_messages() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("talker").unwrap(), pair.b.create_node("listener").unwrap());
        let received = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let into = received.clone();
        let subscription = b
            .create_subscription::<Text>("chatter", Qos::reliable().keep_last(2), move |m, _| {
                into.lock().push(m.data.clone());
            })
            .unwrap();
        let publisher = a.create_publisher("chatter", Qos::reliable().keep_last(100)).unwrap();
        pair.spin_until("discovery", || publisher.subscription_count() > 0);
        for i in 0..20 {
            publisher.publish(text(&i.to_string())).unwrap();
            // The listener's executor does not run; the network gets time to deliver each.
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let start = std::time::Instant::now();
        while subscription.counts().received < 20 {
            assert!(start.elapsed() < LIMIT, "{}: {:?}", pair.name, subscription.counts());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        pair.spin_until("the last", || received.lock().last().is_some_and(|last| last == "19"));
        assert!(received.lock().len() <= 3, "{}: {:?}", pair.name, received.lock());
        assert!(subscription.counts().replaced >= 17);
    }
}

#[test]
fn remapped_topics_and_namespaces_connect() {
    for pair in pairs_with("--ros-args -r __ns:=/robot1 -r camera:=/robot2/eye") {
        let (a, b) =
            (pair.a.create_node("talker").unwrap(), pair.b.create_node("listener").unwrap());
        assert_eq!(a.fully_qualified_name(), "/robot1/talker");
        let publisher = a.create_publisher("camera", Qos::latched()).unwrap();
        assert_eq!(publisher.topic(), "/robot2/eye");
        publisher.publish(text("seen")).unwrap();
        let received = b.create_newest_subscription::<Text>("robot2/eye", Qos::latched()).unwrap();
        pair.spin_until("the remapped topic", || received.peek().is_some());
    }
}

#[test]
fn a_dropped_subscription_calls_back_no_more_and_the_publisher_counts_it_no_more() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("talker").unwrap(), pair.b.create_node("listener").unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let subscription = b
            .create_subscription::<Text>("chatter", Qos::reliable(), move |_, _| {
                counter.fetch_add(1, Ordering::SeqCst);
            })
            .unwrap();
        let publisher = a.create_publisher("chatter", Qos::reliable()).unwrap();
        pair.spin_until("discovery", || publisher.subscription_count() == 1);
        drop(subscription);
        pair.spin_until("the reader's leave", || publisher.subscription_count() == 0);
        publisher.publish(text("nobody")).unwrap();
        pair.b.executor().spin_for(std::time::Duration::from_millis(50));
        assert_eq!(count.load(Ordering::SeqCst), 0, "{}", pair.name);
    }
}
