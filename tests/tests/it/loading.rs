//! Loading robot and model: once for all nodes, and never in the way of a node that goes down.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use f1_policy_node::core::Core;
use f1_policy_node::resources::ResourceError;

use crate::kit;

/// Only a deadlock takes this long.
const SAFETY_NET: Duration = Duration::from_secs(60);

#[test]
fn a_node_is_shut_down_while_another_one_loads() {
    let robot = kit::robot("bench_arm");
    let (loading, began) = channel();
    let (released, after_release) = channel::<()>();
    let after_release = parking_lot::Mutex::new(after_release);
    let core = Core::new(
        Box::new(move || {
            loading.send(()).unwrap();
            // Loading goes on until the other node was released.
            let waited = after_release.lock().recv_timeout(SAFETY_NET / 4);
            waited.map_err(|_| ResourceError::Parameter("release waits for loading".into()))?;
            Ok(kit::resources(&robot, 0.02, false))
        }),
        1,
    );
    let (done, ended) = channel();
    let loader = core.clone();
    std::thread::spawn(move || done.send(loader.acquire("foresight").map(|_| ())).unwrap());
    began.recv_timeout(SAFETY_NET).unwrap();
    // A node that was never configured.
    let (other, done) = (core.clone(), released);
    std::thread::spawn(move || {
        other.release("perception");
        // The receiver has gone when loading has already failed.
        let _ = done.send(());
    });
    let outcome = ended.recv_timeout(SAFETY_NET).expect("a deadlock");
    outcome.unwrap();
    assert!(core.resources().is_some());
    core.release("foresight");
    assert!(core.resources().is_none());
}

#[test]
fn four_nodes_that_are_configured_at_once_load_once() {
    let robot = kit::robot("bench_arm");
    let (loads, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (loaded, waiting) = (loads.clone(), count.clone());
    let core = Core::new(
        Box::new(move || {
            loaded.fetch_add(1, Ordering::SeqCst);
            // All four have asked before the first load ends.
            while waiting.load(Ordering::SeqCst) < 4 {
                std::thread::yield_now();
            }
            Ok(kit::resources(&robot, 0.02, false))
        }),
        1,
    );
    let start = Arc::new(Barrier::new(4));
    let nodes = ["perception", "foresight", "action", "safety_filter"].map(|node| {
        let (core, start, count) = (core.clone(), start.clone(), count.clone());
        std::thread::spawn(move || {
            start.wait();
            count.fetch_add(1, Ordering::SeqCst);
            core.acquire(node).unwrap()
        })
    });
    let resources = nodes.map(|node| node.join().unwrap());
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert!(resources.iter().all(|one| Arc::ptr_eq(one, &resources[0])));
}

#[test]
fn a_load_that_fails_leaves_the_next_one_free() {
    let robot = kit::robot("bench_arm");
    let tries = AtomicUsize::new(0);
    let core = Core::new(
        Box::new(move || match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Err(ResourceError::Parameter("model is not set".into())),
            1 => panic!("a fault for the test"),
            _ => Ok(kit::resources(&robot, 0.02, false)),
        }),
        1,
    );
    assert!(core.acquire("action").is_err());
    assert!(core.status.lock().state().1.contains("model is not set"));
    let panicking = core.clone();
    assert!(std::thread::spawn(move || panicking.acquire("action")).join().is_err());
    assert!(core.acquire("action").is_ok());
    assert!(!core.status.lock().state().1.contains("model is not set"));
}

#[test]
fn a_process_that_is_dropped_leaves_nothing_behind() {
    let setup = crate::fake_robot::Setup::bench();
    let fake = crate::fake_robot::FakeRobot::moving(setup);
    let core = Arc::downgrade(fake.process.core());
    // Without a shut-down: the context's own hooks must not keep it alive.
    drop(fake);
    assert!(core.upgrade().is_none(), "the process is still referred to");
}
