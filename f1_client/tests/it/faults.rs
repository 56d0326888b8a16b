//! Late, lost and malformed answers: each says why, and the next one is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use f1_policy_node::foresight::ServerOptions;
use f1_serve::message;
use rmpv::Value;

use crate::stand_in::{Reply, Setup, StandIn, act, act_again, chunk, connect, options, perceive};

const ROW: [f32; 8] = [0.01; 8];

/// Serves one request badly and all others well; the fault of the first, once all is well again.
fn fault_of(bad: fn() -> Reply, options: &ServerOptions) -> String {
    let server = StandIn::start(Setup::new(move |number, _| match number {
        0 => bad(),
        _ => chunk(2, &ROW),
    }));
    let resources = connect(&server.url(), options).unwrap();
    let fault = act(&resources, 0).unwrap_err().to_string();
    assert!(fault.starts_with(&format!("policy server {}", server.url())), "{fault}");
    assert_eq!(act_again(&resources), vec![ROW.to_vec(); 2]);
    fault
}

#[test]
fn each_fault_says_why_and_the_next_request_is_served() {
    let fault = fault_of(|| Reply::Close, &options());
    assert!(fault.contains("closed the connection"), "{fault}");
    let fault = fault_of(|| Reply::Text("Traceback ...\nKeyError: 'wrist'"), &options());
    assert!(fault.contains("KeyError: 'wrist'"), "{fault}");
    let fault = fault_of(|| Reply::Bytes(vec![0xc1, 0, 1]), &options());
    assert!(fault.contains("malformed"), "{fault}");
    let fault = fault_of(|| chunk(2, &[0.01; 7]), &options());
    assert!(fault.contains("[2, 7]"), "{fault}");
    let fault = fault_of(|| chunk(2, &[f32::INFINITY; 8]), &options());
    assert!(fault.contains("not finite"), "{fault}");
}

#[test]
fn a_late_answer_ends_the_connection_and_is_never_taken_for_another() {
    let options = ServerOptions { timeout: Duration::from_millis(300), ..options() };
    let fault = fault_of(|| Reply::Silence, &options);
    assert!(fault.contains("no answer for 0.30 s"), "{fault}");
}

#[test]
fn an_answer_to_another_observation_is_refused() {
    let stamped = |_: usize, _: &_| {
        let Reply::Bytes(bytes) = chunk(1, &ROW) else { panic!() };
        let mut map = message::read(&bytes).unwrap();
        map.push(("stamp".into(), 41.into()));
        Reply::Bytes(message::write(&Value::Map(map)))
    };
    let server = StandIn::start(Setup::new(stamped));
    let resources = connect(&server.url(), &options()).unwrap();
    let fault = act(&resources, 42).unwrap_err().to_string();
    assert!(fault.contains("another observation"), "{fault}");
    assert!(act(&resources, 41).is_ok());
}

#[test]
fn the_first_answer_of_each_connection_is_held_against_the_robot_file() {
    // Degrees for radians, until the third request.
    let server = StandIn::start(Setup::new(|number, _| match number {
        0 | 1 => chunk(4, &[3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 0.0]),
        2 => chunk(4, &ROW.map(|_| 0.001)),
        _ => chunk(4, &[3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    }));
    let resources = connect(&server.url(), &options()).unwrap();
    for _ in 0..2 {
        let fault = act(&resources, 0).unwrap_err().to_string();
        assert!(fault.contains("does not fit the robot bench_arm"), "{fault}");
        assert!(fault.contains("joint1"), "{fault}");
    }
    act(&resources, 0).unwrap();
    // From here on it is the safety filter's.
    act(&resources, 0).unwrap();
}

#[test]
fn after_a_restart_of_the_server_the_same_policy_goes_on_and_another_is_refused() {
    let named = |name: &str| message::map([("server", "f1_serve".into()), ("layout", name.into())]);
    let keys = [("state_width", 8), ("action_width", 8), ("action_horizon", 2)];
    let ours = |stride: u64| {
        let Value::Map(mut map) = named("bench") else { panic!() };
        map.extend(keys.map(|(key, value)| (Value::from(key), Value::from(value))));
        map.push(("history_stride".into(), stride.into()));
        Value::Map(map)
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let setup = |port: u16, stride: u64| {
        let asked = asked.clone();
        let behaviour = move |_: usize, _: &_| {
            asked.fetch_add(1, Ordering::SeqCst);
            chunk(2, &ROW)
        };
        Setup { port, metadata: ours(stride), ..Setup::new(behaviour) }
    };
    let server = StandIn::start(setup(0, 5));
    let port = server.address.port();
    let resources = connect(&server.url(), &options()).unwrap();
    act(&resources, 0).unwrap();
    drop(server);
    // Without a server the fault comes at once, not after the time limit.
    let mut fault = String::new();
    for _ in 0..3000 {
        fault = act(&resources, 0).unwrap_err().to_string();
        if fault.contains("refused") {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(fault.contains("not connected") && fault.contains("refused"), "{fault}");
    let server = StandIn::start(setup(port, 5));
    act_again(&resources);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    drop(server);
    let _server = StandIn::start(setup(port, 6));
    for _ in 0..3000 {
        fault = act(&resources, 0).unwrap_err().to_string();
        if fault.contains("another policy") {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{fault}");
}

#[test]
fn a_server_that_is_not_there_is_named_when_the_nodes_are_configured() {
    let server = StandIn::start(Setup::new(|_, _| Reply::Close));
    let url = server.url();
    drop(server);
    let options = ServerOptions { wait: Duration::from_millis(200), ..options() };
    let fault = connect(&url, &options).unwrap_err().to_string();
    assert!(fault.contains(&url) && fault.contains("not reached within 0.2 s"), "{fault}");
}

#[test]
fn what_is_no_address_is_not_repeated() {
    let url = "ws://user:secret@gpu-box:8000";
    let fault = connect(url, &options()).unwrap_err().to_string();
    assert!(fault.contains("shown") && !fault.contains("secret"), "{fault}");
}

#[test]
fn a_key_goes_to_the_server_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = |key: &str| {
        let path = folder.path().join(key);
        std::fs::write(&path, format!("{key}\n")).unwrap();
        Some(path)
    };
    let setup = Setup { key: Some("sesame"), ..Setup::new(|_, _| chunk(1, &ROW)) };
    let server = StandIn::start(setup);
    let right = ServerOptions { key_file: file("sesame"), ..options() };
    let resources = connect(&server.url(), &right).unwrap();
    act(&resources, 0).unwrap();
    let shown = format!("{resources:?} {}", resources.model);
    assert!(!shown.contains("sesame"), "{shown}");
    let wrong =
        ServerOptions { key_file: file("radish"), wait: Duration::from_millis(500), ..options() };
    let fault = connect(&server.url(), &wrong).unwrap_err().to_string();
    assert!(fault.contains("401") && fault.contains("another API key"), "{fault}");
    assert!(!fault.contains("radish"), "{fault}");
}

#[test]
fn without_an_answer_there_is_no_image_and_nobody_waits_for_ever() {
    let server = StandIn::start(Setup::new(|_, _| chunk(1, &ROW)));
    let resources = connect(&server.url(), &options()).unwrap();
    let fault = perceive(&resources, 0, true).imagine().unwrap_err().to_string();
    assert!(fault.contains("no foreseen image"), "{fault}");
}
