//! Graceful shut-down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use f1_interfaces::rcl_interfaces::msg::ParameterEvent;
use f1_interfaces::std_msgs::msg::String as Text;
use f1_middleware::{Backend, ClockKind, Context, ContextOptions, MemBus, NodeOptions, Qos};

use crate::support::{LIMIT, pairs, virtual_context};

#[test]
fn timers_run_until_the_guard_of_a_shut_down_is_dropped() {
    let context = virtual_context();
    let node = context.create_node("arm").unwrap();
    let stopped = Arc::new(AtomicBool::new(false));
    let (flag, stopper) = (stopped.clone(), node.downgrade());
    context.on_shutdown(move |guard| {
        let stopper = stopper.upgrade().unwrap();
        let at_rest =
            stopper.create_one_shot(Duration::from_millis(300), ClockKind::Steady, move || {
                flag.store(true, Ordering::SeqCst);
                drop(guard);
            });
        stopper.keep(at_rest);
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
fn a_guard_that_is_never_dropped_delays_a_shut_down_by_five_seconds_at_most() {
    let context = virtual_context();
    let node = context.create_node("arm").unwrap();
    context.on_shutdown(std::mem::forget);
    let _busy = node.create_timer(Duration::from_millis(100), ClockKind::Steady, || {});
    context.shutdown();
    context.spin();
    assert!(context.clock().steady() < Duration::from_secs(7));
}

#[test]
fn spin_returns_after_a_shut_down_from_another_thread() {
    for pair in pairs() {
        let node = pair.a.create_node_with("own", NodeOptions::default().on_own_thread()).unwrap();
        let (sender, returned) = channel();
        let spinning = pair.a.clone();
        let thread = std::thread::spawn(move || {
            spinning.spin();
            spinning.join();
            sender.send(()).unwrap();
        });
        std::thread::sleep(Duration::from_millis(50));
        let asked = Instant::now();
        pair.a.shutdown();
        returned.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{}: still spinning", pair.name));
        println!("{}: the executors ended after {:?}", pair.name, asked.elapsed());
        thread.join().unwrap();
        drop(node);
    }
}

#[test]
fn a_shut_down_frees_what_still_waits_to_run() {
    let bus = MemBus::new();
    let observer = on_bus(&bus);
    let listener = observer.create_node("listener").unwrap();
    let subscription =
        listener.create_newest_subscription::<Text>("chatter", Qos::reliable()).unwrap();
    let context = on_bus(&bus);
    let node = context.create_node("talker").unwrap();
    let publisher = node.create_publisher::<Text>("chatter", Qos::reliable()).unwrap();
    // Work that owns its node, which owns the context, which owns the queue of the work.
    let (owner, posted) = (node.clone(), publisher.clone());
    node.post(move || drop((owner, posted)));
    assert_eq!(subscription.publisher_count(), 1);
    context.shutdown();
    drop((node, publisher, context));
    assert_eq!(subscription.publisher_count(), 0);
}

#[test]
fn a_message_that_waits_for_a_dropped_subscription_keeps_no_node() {
    let bus = MemBus::new();
    let observer = on_bus(&bus);
    let talker = observer.create_node("talker").unwrap();
    let publisher = talker.create_publisher::<Text>("chatter", Qos::reliable()).unwrap();
    let replies = talker.create_newest_subscription::<Text>("reply", Qos::reliable()).unwrap();
    let context = on_bus(&bus);
    let node = context.create_node("listener").unwrap();
    let reply = node.create_publisher::<Text>("reply", Qos::reliable()).unwrap();
    let owner = node.clone();
    let subscription = node
        .create_subscription::<Text>("chatter", Qos::reliable(), move |text, _| {
            reply.publish(text).unwrap();
            let _ = &owner;
        })
        .unwrap();
    publisher.publish(Text { data: "hello".into() }).unwrap();
    assert_eq!(replies.publisher_count(), 1);
    // Without a shut-down: the executor has not run the callback.
    drop((subscription, node, context));
    assert_eq!(replies.publisher_count(), 0);
}

#[test]
fn a_listener_that_owns_its_parameters_ends_with_the_node() {
    let bus = MemBus::new();
    let observer = on_bus(&bus);
    let options = NodeOptions { parameter_services: false, ..NodeOptions::default() };
    let watcher = observer.create_node_with("watcher", options).unwrap();
    let events = watcher
        .create_newest_subscription::<ParameterEvent>("/parameter_events", Qos::parameter_events())
        .unwrap();
    let context = on_bus(&bus);
    let node = context.create_node("listener").unwrap();
    let own = node.parameters().clone();
    node.parameters().on_change(move |_| drop(own.all()));
    assert_eq!(events.publisher_count(), 1);
    drop((node, context));
    assert_eq!(events.publisher_count(), 0);
}

/// A context in real time on `bus`.
fn on_bus(bus: &MemBus) -> Context {
    let backend = Backend::Mem { bus: bus.clone(), virtual_start: None };
    Context::new(ContextOptions::new(backend)).unwrap()
}
