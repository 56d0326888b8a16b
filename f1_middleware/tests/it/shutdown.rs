//! Graceful shut-down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use f1_middleware::{ClockKind, NodeOptions};

use crate::support::{pairs, virtual_context};

#[test]
fn a_guard_holds_the_shut_down_open_while_timers_run() {
    let context = virtual_context();
    let node = context.create_node("arm").unwrap();
    let stopped = Arc::new(AtomicBool::new(false));
    let (flag, stopper) = (stopped.clone(), node.clone());
    context.on_shutdown(move |guard| {
        let rest =
            stopper.create_one_shot(Duration::from_millis(300), ClockKind::Steady, move || {
                flag.store(true, Ordering::SeqCst);
                drop(guard);
            });
        stopper.keep(rest);
    });
    let asker = context.clone();
    let _timer =
        node.create_timer(Duration::from_secs(1), ClockKind::Steady, move || asker.shutdown());
    context.spin();
    assert!(stopped.load(Ordering::SeqCst));
    let elapsed = context.clock().steady();
    assert!(
        elapsed >= Duration::from_millis(2300) && elapsed < Duration::from_millis(2400),
        "{elapsed:?}"
    );
}

#[test]
fn a_guard_that_is_never_dropped_is_not_waited_for_forever() {
    let context = virtual_context();
    let node = context.create_node("arm").unwrap();
    context.on_shutdown(std::mem::forget);
    let _busy = node.create_timer(Duration::from_millis(100), ClockKind::Steady, || {});
    context.shutdown();
    context.spin();
    assert!(context.clock().steady() < Duration::from_secs(7));
}

#[test]
fn spin_returns_soon_after_a_shut_down_from_another_thread() {
    for pair in pairs() {
        let node = pair.a.create_node_with("own", NodeOptions::default().on_own_thread()).unwrap();
        let other = pair.a.clone();
        let asked = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            other.shutdown();
            Instant::now()
        });
        pair.a.spin();
        let late = asked.join().unwrap().elapsed();
        pair.a.join();
        assert!(late < Duration::from_millis(500), "{}: {late:?}", pair.name);
        drop(node);
    }
}
