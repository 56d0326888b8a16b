//! Diagnostics and rosout.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::diagnostic_msgs::msg::DiagnosticArray;
use f1_interfaces::rcl_interfaces::msg::Log;
use f1_middleware::diagnostics::Level;
use f1_middleware::{Diagnostics, NodeOptions, Qos, Severity};
use parking_lot::Mutex;

use crate::support::{pairs_with, virtual_context};

#[test]
fn a_node_reports_once_a_second() {
    let context = virtual_context();
    let node = context.create_node_with("action", NodeOptions::in_namespace("f1")).unwrap();
    let diagnostics = Diagnostics::start(&node, "bench_arm").unwrap();
    let late = Arc::new(Mutex::new(false));
    let is_late = late.clone();
    diagnostics.add(move |report| {
        report.value("inference age (ms)", 12.5);
        if *is_late.lock() {
            report.raise(Level::Warn, "inference is late");
        }
    });
    let received = node
        .create_newest_subscription::<DiagnosticArray>("/diagnostics", Qos::reliable())
        .unwrap();
    context.executor().spin_for(Duration::from_millis(3500));
    assert_eq!(received.counts().received, 3);
    let message = received.take().unwrap();
    let status = &message.status[0];
    assert_eq!(
        (status.level, status.name.as_str(), status.message.as_str()),
        (0, "f1/action", "ok")
    );
    assert_eq!(status.hardware_id, "bench_arm");
    assert_eq!(status.values[0].value, "12.5");
    *late.lock() = true;
    context.executor().spin_for(Duration::from_secs(1));
    let message = received.take().unwrap();
    assert_eq!(
        (message.status[0].level, message.status[0].message.as_str()),
        (1, "inference is late")
    );
}

#[test]
fn log_lines_reach_rosout_and_a_late_subscription_too_from_the_level_on() {
    for pair in pairs_with("--ros-args --log-level n:=warn --disable-stdout-logs") {
        let (a, b) = (pair.a.create_node("n").unwrap(), pair.b.create_node("listener").unwrap());
        a.logger().info("below the level");
        a.logger().warn("battery low");
        let received = Arc::new(Mutex::new(Vec::new()));
        let into = received.clone();
        let _subscription = b
            .create_subscription::<Log>("/rosout", Qos::rosout(), move |line, _| {
                into.lock().push((line.level, line.name.clone(), line.msg.clone()));
            })
            .unwrap();
        pair.spin_until("the line", || !received.lock().is_empty());
        assert_eq!(
            *received.lock(),
            [(30, "n".to_owned(), "battery low".to_owned())],
            "{}",
            pair.name
        );
        a.logger().set_severity(Severity::Debug);
        for _ in 0..3 {
            a.logger()
                .throttled(Severity::Debug, "key", Duration::from_secs(60), || "once".to_owned());
        }
        pair.spin_until("the second line", || received.lock().len() == 2);
        pair.b.executor().spin_for(Duration::from_millis(50));
        assert_eq!(received.lock().len(), 2, "{}", pair.name);
    }
}
