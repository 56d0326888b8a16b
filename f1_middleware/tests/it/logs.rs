//! What reaches `/rosout`, and the logger-level services.

use std::sync::{Arc, Once};
use std::time::Duration;

use f1_interfaces::rcl_interfaces::msg::{Log, LoggerLevel};
use f1_interfaces::rcl_interfaces::srv::{
    GetLoggerLevels, GetLoggerLevelsRequest, SetLoggerLevels, SetLoggerLevelsRequest,
};
use f1_middleware::log::{Spans, init};
use f1_middleware::{ClockKind, Node, NodeOptions, Qos, Subscription, Urgency, Worker};
use parking_lot::Mutex;

use crate::support::{LIMIT, pairs, pairs_with};

/// Takes the lines of this process, as a program does; the console gets none of them.
fn take_lines() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| init("off", Spans::Silent));
}

type Lines = Arc<Mutex<Vec<Log>>>;

/// The lines of the node `name` on `/rosout`.
fn listen(node: &Node, name: &str) -> (Lines, Subscription<Log>) {
    let (lines, name) = (Lines::default(), name.to_owned());
    let into = lines.clone();
    let subscription = node
        .create_subscription::<Log>("/rosout", Qos::rosout(), move |line, _| {
            if line.name == name {
                into.lock().push((*line).clone());
            }
        })
        .unwrap();
    (lines, subscription)
}

#[test]
fn what_a_nodes_callbacks_and_workers_log_reaches_rosout_with_its_place() {
    take_lines();
    for pair in pairs() {
        let node = pair.a.create_node_with("eye", NodeOptions::in_namespace("logs")).unwrap();
        let other = pair.a.create_node_with("hand", NodeOptions::in_namespace("logs")).unwrap();
        let listener = pair.b.create_node("listener").unwrap();
        let (lines, _subscription) = listen(&listener, "logs.eye");
        let line = line!() + 2;
        let _timer = node.create_one_shot(Duration::ZERO, ClockKind::Steady, || {
            tracing::warn!(target: "f1_test", camera = "front", "a dark image");
        });
        let worker = Worker::spawn(
            &node,
            "logging",
            Urgency::Display,
            Duration::ZERO,
            |()| tracing::error!(target: "f1_test", "from a worker"),
            |()| tracing::info!(target: "f1_test", "done"),
        )
        .unwrap();
        worker.submit(());
        let _other = other.create_one_shot(Duration::ZERO, ClockKind::Steady, || {
            tracing::warn!(target: "f1_test", "of another node");
            tracing::debug!(target: "f1_test", "below the level");
        });
        pair.spin_until("three lines", || lines.lock().len() == 3);
        let mut lines = lines.lock().clone();
        lines.sort_by_key(|line| line.level);
        let texts: Vec<_> = lines.iter().map(|line| (line.level, line.msg.as_str())).collect();
        let expected = [(20, "done"), (30, "a dark image camera=front"), (40, "from a worker")];
        assert_eq!(texts, expected, "{}", pair.name);
        assert_eq!((lines[1].line, lines[1].file.ends_with("tests/it/logs.rs")), (line, true));
        assert_eq!(lines[1].function, module_path!());
        let here = line!() + 1;
        node.logger().warn("from its logger");
        let (lines, _subscription) = listen(&listener, "logs.eye");
        let found = || lines.lock().iter().find(|line| line.msg == "from its logger").cloned();
        pair.spin_until("the logger's line", || found().is_some());
        let found = found().unwrap();
        assert_eq!((found.line, found.file.ends_with("tests/it/logs.rs")), (here, true));
    }
}

#[test]
fn levels_are_read_and_set_by_services() {
    take_lines();
    for pair in pairs_with("--ros-args --log-level levels.quiet:=error") {
        let options = || NodeOptions::in_namespace("levels").with_logger_services();
        let node = pair.a.create_node_with("loud", options()).unwrap();
        let quiet = pair.a.create_node_with("quiet", options()).unwrap();
        let caller = pair.b.create_node("caller").unwrap();
        let get =
            caller.create_client::<GetLoggerLevels>("/levels/loud/get_logger_levels").unwrap();
        let set =
            caller.create_client::<SetLoggerLevels>("/levels/loud/set_logger_levels").unwrap();
        pair.spin_until("the services", || get.is_ready() && set.is_ready());
        let levels = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let answer = Arc::new(Mutex::new(None));
            let into = answer.clone();
            get.call(GetLoggerLevelsRequest { names }, LIMIT, move |levels| {
                *into.lock() = Some(levels.unwrap());
            })
            .unwrap();
            pair.spin_until("the levels", || answer.lock().is_some());
            let levels = answer.lock().take().unwrap();
            levels.levels.iter().map(|level| level.level).collect::<Vec<_>>()
        };
        let change = |name: &str, level: u32| {
            let levels = vec![LoggerLevel { name: name.to_owned(), level }];
            let answer = Arc::new(Mutex::new(None));
            let into = answer.clone();
            set.call(SetLoggerLevelsRequest { levels }, LIMIT, move |results| {
                *into.lock() = Some(results.unwrap().results[0].clone());
            })
            .unwrap();
            pair.spin_until("the answer", || answer.lock().is_some());
            answer.lock().take().unwrap()
        };
        assert_eq!(levels(&["levels.loud", "levels.quiet", "nobody"]), [20, 40, 0]);
        assert!(change("levels.loud", 10).successful);
        assert_eq!(levels(&["levels.loud", "levels.quiet"]), [10, 40]);
        assert!(node.logger().is_enabled(f1_middleware::Severity::Debug));
        // A debug line of the node's code is taken from now on.
        let (lines, _subscription) = listen(&caller, "levels.loud");
        let _timer = node.create_one_shot(Duration::ZERO, ClockKind::Steady, || {
            tracing::debug!(target: "f1_test", "for a developer");
        });
        pair.spin_until("the line", || lines.lock().iter().any(|line| line.level == 10));
        // A level for what stands above holds for both; taken back, the arguments hold again.
        assert!(change("levels", 50).successful);
        assert_eq!(levels(&["levels.loud", "levels.quiet"]), [10, 50]);
        let refused = change("levels.loud", 11);
        assert!(!refused.successful && refused.reason.contains("11"), "{}", refused.reason);
        assert!(change("levels.loud", 0).successful && change("levels", 0).successful);
        assert_eq!(levels(&["levels.loud", "levels.quiet"]), [20, 40]);
        drop(quiet);
    }
}
