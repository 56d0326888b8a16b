//! Work beside the executor.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use f1_middleware::{Backend, ClockKind, Context, ContextOptions, Urgency, Worker};

use crate::support::{LIMIT, virtual_context};

#[test]
fn on_a_virtual_clock_work_takes_its_latency_and_the_newest_input_replaces_older_ones() {
    let context = virtual_context();
    let node = context.create_node("n").unwrap();
    let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let (into, clock) = (seen.clone(), node.clock());
    let worker = Arc::new(
        Worker::spawn(
            &node,
            "work",
            Urgency::Motion,
            Duration::from_millis(25),
            |input: u32| input * 10,
            move |output| into.lock().push((clock.steady().as_millis(), output)),
        )
        .unwrap(),
    );
    let (submitter, mut count) = (worker.clone(), 0);
    let _timer = node.create_timer(Duration::from_millis(10), ClockKind::Steady, move || {
        count += 1;
        submitter.submit(count);
    });
    context.executor().spin_for(Duration::from_millis(100));
    // Submitted at 10, 20, 30...; the first takes until 35, then the newest (3) from 35 to 60, when
    // 6 has just come in.
    assert_eq!(*seen.lock(), [(1035, 10), (1060, 30), (1085, 60)]);
    assert_eq!(worker.replaced(), 5);
}

#[test]
fn in_real_time_the_executor_goes_on_while_work_runs() {
    let context = Context::new(ContextOptions::new(Backend::mem())).unwrap();
    let node = context.create_node("n").unwrap();
    let ticks = Arc::new(parking_lot::Mutex::new(0));
    let counter = ticks.clone();
    let _timer = node
        .create_timer(Duration::from_millis(5), ClockKind::Steady, move || *counter.lock() += 1);
    let outcome = Arc::new(parking_lot::Mutex::new(None));
    let into = outcome.clone();
    let (started, has_started) = channel();
    let (end, may_end) = channel();
    let worker = Worker::spawn(
        &node,
        "work",
        Urgency::Motion,
        Duration::ZERO,
        move |input: u32| {
            started.send(()).unwrap();
            may_end.recv().unwrap();
            input + 1
        },
        move |output| *into.lock() = Some(output),
    )
    .unwrap();
    worker.submit(1);
    has_started.recv_timeout(LIMIT).unwrap();
    // The work does not end before the timer has called back three times.
    let before = *ticks.lock();
    assert!(context.executor().spin_while(LIMIT, || *ticks.lock() < before + 3));
    assert!(worker.is_busy() && outcome.lock().is_none());
    end.send(()).unwrap();
    assert!(context.executor().spin_while(LIMIT, || outcome.lock().is_none()));
    assert_eq!(*outcome.lock(), Some(2));
}
