//! Two runs on a virtual clock have the same outcome.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::std_msgs::msg::String as Text;
use f1_middleware::{ClockKind, NodeOptions, Qos};

use crate::support::virtual_context;

fn run() -> Vec<(i64, String)> {
    let context = virtual_context();
    let log = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let mut kept = Vec::new();
    let mut timers = Vec::new();
    for (name, period) in [("fast", 30), ("slow", 70)] {
        let node = context.create_node_with(name, NodeOptions::default().on_own_thread()).unwrap();
        let publisher = node.create_publisher::<Text>("chatter", Qos::reliable()).unwrap();
        timers.push(node.create_timer(Duration::from_millis(period), ClockKind::Ros, move || {
            publisher.publish(Text { data: name.into() }).unwrap();
        }));
        let (log, clock) = (log.clone(), node.clock());
        kept.push(
            node.create_subscription::<Text>("chatter", Qos::reliable(), move |text, _| {
                log.lock()
                    .push((clock.now().nanoseconds(), format!("{name} received {}", text.data)));
            })
            .unwrap(),
        );
    }
    context.executor().spin_for(Duration::from_secs(1));
    log.lock().clone()
}

#[test]
fn two_runs_are_the_same_to_the_nanosecond() {
    let first = run();
    assert_eq!(first.len(), 2 * (33 + 14));
    assert_eq!(first, run());
    assert_eq!(first[0], (1_030_000_000, "fast received fast".to_owned()));
}
