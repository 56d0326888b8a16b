//! `f1 serve` under load: shares, batches, its end, and what it costs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use f1_client::address::ServerAddress;
use f1_client::answer::Answer;
use f1_client::connection::{Connection, ConnectionSettings};
use f1_client::tls;
use f1_model::LoadOptions;
use f1_serve::array::{Array, Dialect};
use f1_serve::layout::Layout;
use f1_serve::message;
use f1_serve::model::{Frame, Job, Model};
use image::{Rgb, RgbImage};
use rmpv::Value;

use crate::serve::{Server, root};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// An image that follows from a number.
fn image(number: usize, side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        Rgb([x as u8, y as u8, (number * 37) as u8].map(|value| value.wrapping_mul(3)))
    })
}

/// Prompts of different lengths: observations of a batch are padded.
fn prompt(number: usize) -> &'static str {
    ["pick up the red cube", "drop", "put the blue ball into the bin"][number % 3]
}

fn state(number: usize) -> Vec<f32> {
    (0..8).map(|index| 0.05 * index as f32 + 0.01 * (number % 7) as f32).collect()
}

fn request(number: usize, side: u32) -> Vec<u8> {
    let array = |image: RgbImage| {
        let shape = vec![side as usize, side as usize, 3];
        Array::from_u8(shape, image.into_raw()).unwrap().write(Dialect::Openpi)
    };
    message::write(&message::map([
        ("observation/front", array(image(number, side))),
        ("observation/wrist", array(image(number + 1, side))),
        (
            "observation/state",
            Array::from_f32(vec![8], &state(number)).unwrap().write(Dialect::Openpi),
        ),
        ("prompt", prompt(number).into()),
        ("seed", (number as u64).into()),
        ("reset", true.into()),
    ]))
}

/// A connection to a server, open.
fn connect(server: &Server) -> Connection {
    let settings = ConnectionSettings {
        address: ServerAddress::parse(&format!("ws://{}", server.address)).unwrap(),
        key: None,
        tls: tls::client_config(None).unwrap(),
        connecting: PATIENCE,
    };
    let connection = Connection::start(settings).unwrap();
    connection.wait_open(PATIENCE).unwrap();
    connection
}

fn bench() -> (Layout, Model) {
    let layout = Layout::load("bench", &root().join("config/layouts")).unwrap();
    let folder = root().join("models/f1_bench");
    let model = Model::load(&folder, &layout, &LoadOptions::default()).unwrap();
    (layout, model)
}

/// What the network alone gives for a request.
fn alone(model: &Model, number: usize, side: u32) -> Vec<Vec<f64>> {
    let job = job(number, side);
    model.infer(&job).unwrap().actions
}

fn job(number: usize, side: u32) -> Job {
    let front = image(number, side);
    Job {
        cameras: vec![Some(front.clone()), Some(image(number + 1, side))],
        prompt: prompt(number).into(),
        state: state(number).into_iter().map(f64::from).collect(),
        history: vec![Frame::new(front)],
        seed: number as u64,
        frozen: Vec::new(),
        foresight: false,
    }
}

/// Numbers of `/config`.
fn computed(server: &Server) -> (u64, u64) {
    let stream = std::net::TcpStream::connect(&server.address).unwrap();
    let text = crate::serve::get(stream, "/config", "");
    let body: serde_json::Value =
        serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let number = |name: &str| body["computed"][name].as_u64().unwrap();
    (number("batches"), number("requests"))
}

#[test]
fn sixteen_connections_get_equal_shares_of_batches_and_answers_as_if_alone() {
    const CONNECTIONS: usize = 16;
    const EACH: usize = 3;
    let server = Server::start(&[]);
    let (layout, model) = bench();
    let taken = Arc::new(AtomicUsize::new(0));
    // All connect first: who comes late would have less.
    let connections: Vec<Connection> = (0..CONNECTIONS).map(|_| connect(&server)).collect();
    let threads: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(index, connection)| {
            let (taken, layout) = (taken.clone(), layout.clone());
            std::thread::spawn(move || {
                let mut answers = Vec::new();
                while taken.fetch_add(1, Ordering::SeqCst) < CONNECTIONS * EACH {
                    let number = index + CONNECTIONS * answers.len();
                    let reply = connection.ask(request(number, 64), PATIENCE).unwrap();
                    answers.push((number, Answer::read(&reply.bytes, &layout).unwrap().actions));
                }
                answers
            })
        })
        .collect();
    let answers: Vec<Vec<(usize, Vec<Vec<f64>>)>> =
        threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for answers in &answers {
        assert!(answers.len().abs_diff(EACH) <= 1, "{:?}", answers.len());
    }
    let (batches, requests) = computed(&server);
    assert_eq!(requests, (CONNECTIONS * EACH) as u64);
    assert!(batches * 2 < requests, "{requests} requests in {batches} batches");
    for (number, rows) in answers.iter().flatten().step_by(5) {
        let wanted = alone(&model, *number, 64);
        for (found, wanted) in rows.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-4, "request {number}: {found} and {wanted}");
        }
    }
}

#[test]
fn an_interrupt_answers_what_is_computed_and_closes_with_a_reason() {
    let mut server = Server::start(&[]);
    let connection = connect(&server);
    connection.ask(request(0, 64), PATIENCE).unwrap();
    server.interrupt();
    assert!(server.wait(PATIENCE).success());
    let end = Instant::now() + PATIENCE;
    let mut fault = String::new();
    while Instant::now() < end && !fault.contains("refused") {
        fault = connection.ask(request(1, 64), PATIENCE).err().unwrap_or_default();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(fault.contains("refused"), "{fault}");
}

#[test]
fn a_request_that_the_network_refuses_spoils_no_other_of_its_batch() {
    let (_, model) = bench();
    let mut bad = job(1, 16);
    bad.history = vec![Frame::new(image(1, 16)); 9];
    let (first, last) = (job(0, 16), job(2, 16));
    let answers = model.infer_batch(&[&first, &bad, &last]);
    assert!(answers[1].is_err());
    for (number, answer) in [(0, &answers[0]), (2, &answers[2])] {
        let found = &answer.as_ref().unwrap().actions;
        assert_eq!(found, &alone(&model, number, 16));
    }
}

/// Peak and present memory of a process, MiB.
fn memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
#[ignore = "by hand, on a machine with nothing else to do: it reports"]
fn the_servers_cost_beside_inference_and_the_gain_of_batches() {
    let server = Server::start(&[]);
    let connection = connect(&server);
    let mut costs = BTreeMap::<&str, Vec<f64>>::new();
    for number in 0..60 {
        let bytes = request(number, 224);
        let reply = connection.ask(bytes, PATIENCE).unwrap();
        let map = message::read(&reply.bytes).unwrap();
        let time = |name: &str| match message::get(&map, name) {
            Some(Value::Map(map)) => message::get(map, "infer_ms").and_then(Value::as_f64).unwrap(),
            _ => panic!("no {name}"),
        };
        let whole = reply.took.as_secs_f64() * 1e3;
        if number >= 10 {
            costs.entry("inference").or_default().push(time("policy_timing"));
            costs.entry("whole request").or_default().push(whole);
            costs.entry("beside inference").or_default().push(whole - time("policy_timing"));
        }
    }
    for (what, values) in costs {
        println!("{what}: median {:.2} ms", median(values));
    }
    let (_, model) = bench();
    for size in [1, 2, 4, 8] {
        let jobs: Vec<Job> = (0..size).map(|number| job(number, 224)).collect();
        let jobs: Vec<&Job> = jobs.iter().collect();
        let each = (0..12).map(|_| {
            let begin = Instant::now();
            assert!(model.infer_batch(&jobs).iter().all(Result::is_ok));
            begin.elapsed().as_secs_f64() * 1e3 / size as f64
        });
        println!("batch of {size}: median {:.2} ms a request", median(each.collect()));
    }
}

#[test]
#[ignore = "by hand: many minutes"]
fn ten_thousand_requests_leave_memory_flat() {
    let server = Server::start(&[]);
    let connections: Vec<Connection> = (0..8).map(|_| connect(&server)).collect();
    let mut after = Vec::new();
    for round in 0..10 {
        std::thread::scope(|scope| {
            for connection in &connections {
                scope.spawn(move || {
                    for number in 0..125 {
                        connection.ask(request(number, 64), PATIENCE).unwrap();
                    }
                });
            }
        });
        after.push(memory(server.pid()));
        println!("{} requests: {:.0} MiB", (round + 1) * 1000, after[round]);
    }
    let (first, last) = (after[1], after[9]);
    assert!(last < first * 1.1 + 8.0, "{after:?}");
}
