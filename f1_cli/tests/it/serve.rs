//! `f1 serve` and the unmodified clients of both protocols: their answers are the network's own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use f1_model::LoadOptions;
use f1_serve::layout::Layout;
use f1_serve::model::{Frame, Job, Model};
use f1_serve::session::Session;
use image::{Rgb, RgbImage};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A server of the bench's model on a port of its own, ended when it is dropped.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_f1"))
            .args(["serve", "--model", "f1_bench", "--layout", "bench"])
            .args(if arguments.contains(&"--port") { &[][..] } else { &["--port", "0"] })
            .args(arguments)
            .env("F1_SHARE", root())
            .env_remove("F1_API_KEY")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The first line names the address.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().expect("a line that names the address").unwrap();
        let address = line.split(&['/', ','][..]).nth(2).expect(&line).to_owned();
        std::thread::spawn(move || lines.for_each(|line| println!("server: {}", line.unwrap())));
        Self { child, address }
    }
}

impl Server {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, limit: std::time::Duration) -> std::process::ExitStatus {
        let end = std::time::Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(std::time::Instant::now() < end, "the server does not end");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python of the foreign clients' environment.
pub fn python() -> PathBuf {
    let requirements = root().join("tests/clients/requirements.txt");
    f1_tests::environment::python("clients", &requirements, "F1_CLIENTS_PYTHON").unwrap()
}

fn client(script: &str, arguments: &[&str]) -> serde_json::Value {
    let script = root().join("tests/clients").join(script);
    let output = Command::new(python()).arg(script).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// The image that `openpi_requests.py` draws.
fn image(number: u32, camera: u32) -> RgbImage {
    RgbImage::from_fn(64, 64, |column, row| {
        Rgb([row * 3 + number * 5, column * 2 + camera * 40, row + column + number]
            .map(|value| (value % 256) as u8))
    })
}

/// The network's own chunks for requests 0, 1, 2, ..., every `steps`th of them computed.
fn chunks(requests: u32, steps: usize, every: u32) -> Vec<Vec<Vec<f64>>> {
    chunks_for("pick up the red cube", requests, steps, every)
}

fn chunks_for(prompt: &str, requests: u32, steps: usize, every: u32) -> Vec<Vec<Vec<f64>>> {
    let layout = Layout::load("bench", &root().join("config/layouts")).unwrap();
    let folder = root().join("models/f1_bench");
    let model = Model::load(&folder, &layout, &LoadOptions::default()).unwrap();
    let mut session = Session::new(model.history(), None);
    let mut chunks = Vec::new();
    for number in 0..requests {
        session.begin(prompt, false, steps, std::time::Instant::now());
        session.keep(Frame::new(image(number, 0)));
        if !number.is_multiple_of(every) {
            continue;
        }
        let state = (0..8)
            .map(|index| f64::from(index as f32 * 0.05f32 + (0.01f64 * f64::from(number)) as f32));
        let job = Job {
            cameras: vec![Some(image(number, 0)), Some(image(number, 1))],
            prompt: prompt.into(),
            state: state.collect(),
            history: session.history(),
            seed: 7,
            frozen: Vec::new(),
            foresight: false,
        };
        chunks.push(model.infer(&job).unwrap().actions);
    }
    chunks
}

fn assert_near(found: &serde_json::Value, wanted: &[f64], what: &str) {
    let found: Vec<f64> =
        found.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-6, "{what}: {found} and {wanted}");
    }
}

#[test]
fn openpis_client_gets_the_networks_own_actions() {
    let server = Server::start(&[]);
    let came = client("openpi_requests.py", &[&format!("ws://{}", server.address)]);
    assert_eq!(came["metadata"]["layout"], "bench");
    assert_eq!(came["metadata"]["action_horizon"], 8);
    for (request, chunk) in chunks(3, 1, 1).iter().enumerate() {
        for (step, row) in chunk.iter().enumerate() {
            let what = format!("request {request}, step {step}");
            assert_near(&came["actions"][request][step], row, &what);
        }
    }
    let fault = came["fault"].as_str().unwrap();
    for part in ["wrist", "[7]", "observation/front"] {
        assert!(fault.contains(part), "{part}: {fault}");
    }
}

#[test]
fn vla_evals_connection_gets_the_networks_own_actions_one_by_one() {
    let server = Server::start(&[]);
    let url = format!("ws://{}/vla-eval", server.address);
    let came = client("vla_eval_requests.py", &[&url]);
    assert_eq!(came["hello"]["protocol_version"], 1);
    assert_eq!(came["hello"]["observation_params"]["send_state"], true);
    let chunks = chunks(10, 1, 8);
    let steps: Vec<&Vec<f64>> = chunks[0].iter().chain(&chunks[1][..2]).collect();
    // The second episode starts anew: the same observations, the same actions.
    for episode in 0..2 {
        for (step, row) in steps.iter().enumerate() {
            let what = format!("episode {episode}, step {step}");
            assert_near(&came["actions"][10 * episode + step], row, &what);
        }
    }
    let fault = came["fault"].as_str().unwrap();
    assert!(fault.contains("front") && fault.contains("wrist"), "{fault}");
    assert_near(&came["again"], &chunks[0][0], "after an error");
}

#[test]
fn vla_eval_runs_a_benchmark_of_its_own_kind() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("actions.jsonl");
    let config = serde_json::json!({
        "server": {"url": format!("ws://{}/vla-eval", server.address), "timeout": 120.0},
        "output_dir": folder.path().join("results"),
        "benchmarks": [{
            "benchmark": "vla_eval_bench:Bench",
            "mode": "sync",
            "name": "bench",
            "episodes_per_task": 1,
            "params": {"log": log},
        }],
    });
    // JSON is YAML.
    let file = folder.path().join("run.yaml");
    std::fs::write(&file, config.to_string()).unwrap();
    let output = Command::new(python().with_file_name("vla-eval"))
        .args(["run", "--no-docker", "--config"])
        .arg(&file)
        .env("PYTHONPATH", root().join("tests/clients"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let faults = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}{faults}");
    assert!(text.contains("bench: 100.0%") && !text.contains("errored"), "{text}{faults}");
    assert!(!faults.contains("Spec mismatch"), "{faults}");
    let lines = std::fs::read_to_string(&log).unwrap();
    let mut lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    for word in ["red", "blue"] {
        let chunks = chunks_for(&format!("pick up the {word} cube"), 10, 1, 8);
        for (step, row) in chunks[0].iter().chain(&chunks[1][..2]).enumerate() {
            let line: serde_json::Value = lines.next().unwrap();
            assert_eq!((&line["task"], &line["step"]), (&word.into(), &step.into()));
            assert_near(&line["actions"], row, &format!("{word}, step {step}"));
        }
    }
}

#[test]
fn a_key_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "sesame\n").unwrap();
    let server = Server::start(&["--api-key", key.to_str().unwrap()]);
    let url = format!("ws://{}", server.address);
    client("openpi_requests.py", &[&url, "sesame"]);
    let stream = std::net::TcpStream::connect(&server.address).unwrap();
    assert!(get(stream, "/config", "").starts_with("HTTP/1.1 401"));
    let stream = std::net::TcpStream::connect(&server.address).unwrap();
    assert!(get(stream, "/config", "Authorization: Api-Key sesame\r\n").contains("f1_bench"));
    let stream = std::net::TcpStream::connect(&server.address).unwrap();
    assert!(get(stream, "/healthz", "").starts_with("HTTP/1.1 200"));
}

pub fn get(mut stream: std::net::TcpStream, path: &str, header: &str) -> String {
    use std::io::{Read as _, Write as _};
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn wrong_arguments_are_named() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_f1"))
            .arg("serve")
            .args(arguments)
            .env("F1_SHARE", root())
            .env_remove("F1_API_KEY")
            .output()
            .unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let bench = ["--model", "f1_bench", "--layout"];
    let unknown = run(&[&bench[..], &["bensh"]].concat());
    assert!(unknown.contains("bensh") && unknown.contains("libero, droid"), "{unknown}");
    let exposed = run(&[&bench[..], &["bench", "--host", "0.0.0.0"]].concat());
    assert!(exposed.contains("--api-key") && exposed.contains("--insecure"), "{exposed}");
    let unfit = run(&[&bench[..], &["aloha"]].concat());
    assert!(unfit.contains("aloha"), "{unfit}");
}
