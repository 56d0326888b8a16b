//! `/clock` and `use_sim_time`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::rosgraph_msgs::msg::Clock;
use f1_middleware::{ClockKind, Qos, Time};

use crate::support::{pairs_with, seconds};

#[test]
fn a_node_follows_the_clock_topic_and_its_ros_timers_do_too() {
    for pair in pairs_with("--ros-args -p use_sim_time:=true") {
        let (follower, simulator) =
            (pair.a.create_node("node").unwrap(), pair.b.create_node("sim").unwrap());
        assert_eq!(follower.now(), Time::ZERO, "{}", pair.name);
        let ticks = Arc::new(AtomicUsize::new(0));
        let counter = ticks.clone();
        let _timer = follower.create_timer(Duration::from_secs(1), ClockKind::Ros, move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let clock =
            simulator.create_publisher::<Clock>("/clock", Qos::clock().keep_last(1)).unwrap();
        pair.spin_until("discovery", || clock.subscription_count() > 0);
        let show = |time: Time| {
            let (sec, nanosec) = time.split();
            pair.spin_until("the clock", || {
                clock.publish(Clock { clock: WireTime { sec, nanosec } }).unwrap();
                follower.now() == time
            });
        };
        show(seconds(0.5));
        assert_eq!(ticks.load(Ordering::SeqCst), 0, "{}", pair.name);
        show(seconds(1.0));
        pair.spin_until("the first tick", || ticks.load(Ordering::SeqCst) == 1);
        // The simulation starts over: the next tick is one period after the new beginning.
        show(seconds(0.25));
        show(seconds(1.2));
        assert_eq!(ticks.load(Ordering::SeqCst), 1, "{}", pair.name);
        show(seconds(1.3));
        pair.spin_until("the second tick", || ticks.load(Ordering::SeqCst) == 2);
        assert!(simulator.now() > seconds(1e9), "only the node that asked follows");
        follower.parameters().set("use_sim_time", false).unwrap();
        assert!(follower.now() > seconds(1e9));
    }
}
