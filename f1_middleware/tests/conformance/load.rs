//! Rates, sizes, stalls and restarts.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use f1_interfaces::builtin_interfaces::msg::Time;
use f1_interfaces::cdr;
use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::std_msgs::msg::Header;
use f1_middleware::{Qos, RECOMMENDED_RECEIVE_BUFFER, receive_buffer_limit};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::pair::{PATIENCE, hex, pair, until};

/// How long a load lasts, and whether times and best-effort losses are asserted: on a busy machine
/// they are printed only. Reliable messages lose nothing on any machine.
fn load() -> (f64, bool) {
    match std::env::var("F1_TEST_SECONDS").ok().and_then(|t| t.parse().ok()) {
        Some(seconds) => (seconds, true),
        None => (2.0, false),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

fn joint_state() -> JointState {
    JointState {
        header: Header { stamp: Time::from_nanoseconds(now()).unwrap(), frame_id: String::new() },
        name: (0..14).map(|i| format!("joint_{i}")).collect(),
        position: vec![0.5; 14],
        velocity: vec![0.1; 14],
        effort: vec![0.0; 14],
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

fn report(what: &str, latencies: &mut [f64]) -> f64 {
    latencies.sort_by(f64::total_cmp);
    let median = quantile(latencies, 0.5);
    println!(
        "{what}: {} messages, latency p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms",
        latencies.len(),
        median * 1e3,
        quantile(latencies, 0.99) * 1e3,
        quantile(latencies, 1.0) * 1e3
    );
    median
}

#[test]
fn joint_states_at_500_hz_to_the_peer_lose_nothing() {
    let (seconds, strict) = load();
    let count = (seconds * 500.0) as u64;
    let mut pair = pair();
    let publisher = pair
        .node
        .create_publisher::<JointState>("joint_states", Qos::reliable().keep_last(100))
        .unwrap();
    pair.peer_subscription::<JointState>("joint_states", "count", json!({ "depth": 0 }));
    pair.peer_matched("joint_states");
    until("a subscription", || publisher.subscription_count() > 0);
    let start = Instant::now();
    for index in 0..count {
        let due = start + Duration::from_micros(2000 * index);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        publisher.publish(joint_state()).unwrap();
    }
    let end = Instant::now() + PATIENCE;
    let stats = loop {
        let stats = pair.peer.request(json!({ "op": "stats", "name": "joint_states" })).unwrap();
        if stats["received"].as_u64() >= Some(count) || Instant::now() > end {
            break stats;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(stats["received"], count);
    assert_eq!(stats["distinct"], count);
    let mut latencies: Vec<f64> =
        stats["latencies"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    let median = report("JointState at 500 Hz, us to the peer", &mut latencies);
    assert!(!strict || median < 1e-3, "p50 {median} s");
}

#[test]
fn joint_states_at_500_hz_from_the_peer_lose_nothing() {
    let (seconds, strict) = load();
    let count = (seconds * 500.0) as u64;
    let mut pair = pair();
    let latencies = Arc::new(Mutex::new(Vec::new()));
    let sink = latencies.clone();
    let subscription = pair
        .node
        .create_subscription::<JointState>(
            "joint_states",
            Qos::reliable().keep_last(1000),
            move |message, _| {
                sink.lock().push((now() - message.header.stamp.nanoseconds()) as f64 * 1e-9);
            },
        )
        .unwrap();
    pair.peer_publisher::<JointState>("joint_states", json!({ "depth": 0 }));
    pair.peer_matched("joint_states");
    until("a publisher", || subscription.publisher_count() > 0);
    let bytes = cdr::to_bytes(&joint_state()).unwrap();
    let number = pair
        .peer
        .ask(json!({ "op": "stream", "name": "joint_states", "cdr": hex(&bytes), "rate": 500.0, "count": count }))
        .unwrap();
    pair.peer.reply(number, PATIENCE + Duration::from_secs_f64(2.0 * seconds)).unwrap();
    until("all messages", || latencies.lock().len() as u64 >= count);
    std::thread::sleep(Duration::from_millis(100));
    let mut latencies = latencies.lock().clone();
    assert_eq!(latencies.len() as u64, count);
    let median = report("JointState at 500 Hz, the peer to us", &mut latencies);
    assert!(!strict || median < 1e-3, "p50 {median} s");
}

#[test]
fn three_camera_streams_into_us_lose_nothing_where_the_socket_buffer_is_large() {
    let (seconds, strict) = load();
    let count = (seconds * 30.0) as u64;
    let mut pair = pair();
    let image = Image {
        width: 640,
        height: 480,
        encoding: "rgb8".to_owned(),
        step: 1920,
        data: vec![127; 921_600],
        ..Image::default()
    };
    let bytes = hex(&cdr::to_bytes(&image).unwrap());
    let mut received = Vec::new();
    let mut kept = Vec::new();
    for camera in ["front", "side", "wrist"] {
        let stamps = Arc::new(Mutex::new(Vec::new()));
        let sink = stamps.clone();
        let subscription = pair
            .node
            .create_subscription::<Image>(camera, Qos::sensor_data(), move |message, _| {
                assert_eq!(message.data.len(), 921_600);
                sink.lock().push(message.header.stamp);
            })
            .unwrap();
        pair.peer_publisher::<Image>(camera, json!({ "reliable": false, "depth": 5 }));
        pair.peer_matched(camera);
        until("a publisher", || subscription.publisher_count() > 0);
        received.push((camera, stamps));
        kept.push(subscription);
    }
    let numbers: Vec<u64> = received
        .iter()
        .map(|(camera, _)| {
            pair.peer
                .ask(json!({ "op": "stream", "name": camera, "cdr": bytes, "rate": 30.0, "count": count }))
                .unwrap()
        })
        .collect();
    let mut took: f64 = 0.0;
    for number in numbers {
        let reply =
            pair.peer.reply(number, PATIENCE + Duration::from_secs_f64(3.0 * seconds)).unwrap();
        took = took.max(reply["seconds"].as_f64().unwrap());
    }
    std::thread::sleep(Duration::from_millis(500));
    let rmem_max = receive_buffer_limit().unwrap_or(0);
    for (camera, stamps) in &received {
        let mut stamps = stamps.lock().clone();
        stamps.sort();
        stamps.dedup();
        println!(
            "{camera}: {} of {count} images of 0.92 MB in {took:.1} s, rmem_max {rmem_max}",
            stamps.len()
        );
        let got = stamps.len() as u64;
        // Best effort: a process that does not get the processor in time loses what the buffer
        // cannot hold.
        let wanted = if strict && rmem_max >= RECOMMENDED_RECEIVE_BUFFER { count } else { 1 };
        assert!(got >= wanted, "{camera}: {got} of {count}, {wanted} were wanted");
    }
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn signal(signal: &str, process: u32) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_reader_that_stalls_costs_bounded_memory() {
    let (seconds, _) = load();
    let mut pair = pair();
    let publisher =
        pair.node.create_publisher::<Image>("images", Qos::reliable().keep_last(10)).unwrap();
    pair.peer_subscription::<Image>("images", "count", json!({ "depth": 10 }));
    pair.peer_matched("images");
    until("a subscription", || publisher.subscription_count() > 0);
    let image = Arc::new(Image { data: vec![1; 150_000], ..Image::default() });
    signal("-STOP", pair.peer.id());
    let before = resident_bytes();
    let mut greatest = before;
    let mut sent = 0u64;
    let start = Instant::now();
    // At least ten times the bound.
    while start.elapsed().as_secs_f64() < seconds.max(4.0) || sent < 640_000_000 {
        publisher.publish(image.clone()).unwrap();
        sent += 150_000;
        greatest = greatest.max(resident_bytes());
        std::thread::sleep(Duration::from_micros(500));
        assert!(start.elapsed() < Duration::from_secs(600));
    }
    signal("-CONT", pair.peer.id());
    let growth = greatest - before;
    println!(
        "{:.0} MB sent to a stalled reader, grown by {:.1} MB, {} dropped",
        sent as f64 * 1e-6,
        growth as f64 * 1e-6,
        publisher.dropped_count()
    );
    assert!(growth < 64 << 20, "grown by {growth} bytes");
    // And it is served again.
    pair.peer.request(json!({ "op": "stats", "name": "images" })).unwrap();
}

#[test]
fn a_peer_that_was_killed_is_found_again_within_five_seconds() {
    let limit = if load().1 { Duration::from_secs(5) } else { PATIENCE };
    let mut pair = pair();
    let newest =
        pair.node.create_newest_subscription::<JointState>("to_us", Qos::reliable()).unwrap();
    let publisher = pair.node.create_publisher::<JointState>("to_them", Qos::reliable()).unwrap();
    for life in 0..3 {
        let start = Instant::now();
        pair.peer_publisher::<JointState>("to_us", json!({}));
        pair.peer_subscription::<JointState>("to_them", "count", json!({}));
        let (mut we_received, mut they_received) = (None, None);
        while we_received.is_none() || they_received.is_none() {
            publisher.publish(joint_state()).unwrap();
            pair.peer_publishes("to_us", &joint_state());
            std::thread::sleep(Duration::from_millis(20));
            if newest.take().is_some() {
                we_received.get_or_insert(start.elapsed());
            }
            let stats = pair.peer.request(json!({ "op": "stats", "name": "to_them" })).unwrap();
            if stats["received"].as_u64() > Some(0) {
                they_received.get_or_insert(start.elapsed());
            }
            assert!(
                start.elapsed() < limit,
                "life {life}: we received after {we_received:?}, they received after {they_received:?}"
            );
        }
        println!(
            "life {life}: we received after {we_received:?}, they received after {they_received:?}"
        );
        let next = f1_tests::peer::Peer::session(crate::pair::domain()).unwrap();
        std::mem::replace(&mut pair.peer, next).kill();
        newest.take();
    }
}
