//! The nodes with their policy behind a socket: our server, its end in mid-motion, and another's.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use f1_interfaces::f1_msgs::msg::ActionChunk;
use f1_interfaces::sensor_msgs::msg::JointState;
use f1_middleware::{Backend, Context, ContextOptions, NodeOptions, Qos};
use f1_policy_node::foresight::ServerOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_robot::Robot;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::{BenchSettings, Split, Task};
use parking_lot::Mutex;

use crate::serve::{Server, python, root};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// A step of the virtual clock.
const STEP: Duration = Duration::from_millis(50);

/// The bench and the four nodes on the virtual clock, with the policy of a server.
struct Graph {
    context: Context,
    process: PolicyProcess,
    sim: SimNode,
    chunks: Arc<Mutex<Vec<ActionChunk>>>,
    joints: Arc<Mutex<Vec<JointState>>>,
    _keep: Vec<Box<dyn std::any::Any>>,
}

impl Graph {
    fn start(url: &str, layout: &str) -> Self {
        let context = Context::new(ContextOptions::new(Backend::mem_virtual())).unwrap();
        let robot_file = root().join("config/robots/bench_arm.yaml");
        let robot = Arc::new(Robot::load(&robot_file).unwrap());
        let settings = BenchSettings::new(Task::Static, Split::Training, 7);
        let sim = SimNode::start(&context, &robot, settings, &SimOptions::default()).unwrap();
        let options = ServerOptions {
            layout: layout.into(),
            key_file: None,
            authorities: None,
            timeout: PATIENCE,
            wait: PATIENCE,
        };
        let url = url.to_owned();
        let load =
            move || f1_client::connect(&robot_file, &url, &options, &root().join("config/layouts"));
        let load: f1_policy_node::process::LoaderOf = Box::new(move |_| Box::new(load));
        let process = PolicyProcess::compose(&context, load, &ProcessOptions::default()).unwrap();
        let node = context.create_node_with("observer", NodeOptions::in_namespace("/f1")).unwrap();
        let (chunks, joints) =
            (Arc::<Mutex<Vec<ActionChunk>>>::default(), Arc::<Mutex<Vec<JointState>>>::default());
        let into = chunks.clone();
        let of_chunks = node.create_subscription::<ActionChunk>(
            "action/chunk",
            Qos::reliable(),
            move |m, _| {
                into.lock().push((*m).clone());
            },
        );
        let into = joints.clone();
        let of_joints = node.create_subscription::<JointState>(
            "joint_states",
            Qos::sensor_data(),
            move |m, _| {
                into.lock().push((*m).clone());
            },
        );
        let keep: Vec<Box<dyn std::any::Any>> =
            vec![Box::new(of_chunks.unwrap()), Box::new(of_joints.unwrap()), Box::new(node)];
        let graph = Self { context, process, sim, chunks, joints, _keep: keep };
        graph.until("the nodes come up", |graph| graph.process.is_started());
        graph.process.core().set_instruction(&graph.sim.instruction());
        graph
    }

    /// Lets virtual time pass, and a little real time with it, until something holds.
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "{what}: {:?}", self.process.status().state());
            self.context.executor().spin_for(STEP);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn chunks(&self) -> usize {
        self.chunks.lock().len()
    }

    fn moves(&self) -> bool {
        self.process.stopper().moves() == Some(true)
    }

    /// The arm's greatest measured speed in the newest message, rad/s or m/s.
    fn speed(&self) -> f64 {
        let joints = self.joints.lock();
        let newest = joints.last().unwrap();
        newest.velocity.iter().fold(0.0, |fastest: f64, speed| fastest.max(speed.abs()))
    }
}

fn demo(model: &[&str], seed: &str) -> serde_json::Value {
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_f1"))
        .args(["demo", "--json", "--episodes", "2", "--seed", seed, "--out"])
        .arg(out.path())
        .args(model)
        .env("F1_SHARE", root())
        .env_remove("F1_API_KEY")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_demo_succeeds_with_its_policy_behind_a_socket() {
    let server = Server::start(&[]);
    let url = format!("ws://{}", server.address);
    let remote = demo(&["--model", &url, "--server-timeout", "120"], "1000000");
    let local = demo(&[], "1000000");
    assert_eq!(remote["successes"], 2, "{remote}");
    assert_eq!(remote["successes"], local["successes"], "{local}");
    assert_eq!(remote["violations"], 0, "{remote}");
    // Foresight comes along: the same network, the same history, the same seeds.
    let psnr = |summary: &serde_json::Value| summary["foresight"]["psnr"].as_f64().unwrap();
    assert!((psnr(&remote) - psnr(&local)).abs() < 1.0, "{remote}\n{local}");
}

#[test]
fn a_server_that_ends_in_mid_motion_brings_the_arm_to_rest_and_its_return_moves_it_again() {
    let server = Server::start(&[]);
    let address = server.address.clone();
    let graph = Graph::start(&format!("ws://{address}"), "");
    graph.until("the arm moves", |graph| graph.moves() && graph.chunks() >= 3);
    // A chunk ago the arm was on its way: it is now, too.
    graph.until("the arm is fast", |graph| graph.speed() > 0.05);
    drop(server);
    graph.until("the arm rests", |graph| !graph.moves() && graph.speed() < 0.01);
    let (_, reason) = graph.process.status().state();
    assert!(reason.contains(&address), "{reason}");
    assert_eq!(graph.sim.violations(), 0);
    // It stays so, with the reason.
    let before = graph.chunks();
    graph.context.executor().spin_for(Duration::from_secs(2));
    let (state, reason) = graph.process.status().state();
    assert!(reason.contains("not connected"), "{state:?}: {reason}");
    assert!(!graph.moves() && graph.chunks() == before);
    let port = address.rsplit(':').next().unwrap().to_owned();
    let _server = Server::start(&["--port", &port]);
    graph.until("the arm moves again", |graph| graph.chunks() >= before + 3 && graph.moves());
    assert!(!graph.process.status().state().1.contains("not connected"));
    assert_eq!(graph.sim.violations(), 0);
    graph.context.shutdown();
}

#[test]
fn another_policys_server_moves_the_bench_through_the_filter() {
    let script = root().join("tests/clients/stand_in_server.py");
    let mut child = Command::new(python()).arg(script).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port: u16 = lines.next().unwrap().unwrap().trim().parse().unwrap();
    let _ended = Ended(child);
    let graph = Graph::start(&format!("ws://127.0.0.1:{port}"), "bench");
    graph.until("the arm has moved", |graph| {
        let joints = graph.joints.lock();
        let (first, last) = (&joints[0], joints.last().unwrap());
        let index = last.name.iter().position(|name| name == "joint1").unwrap();
        (last.position[index] - first.position[index]).abs() > 0.1
    });
    assert_eq!(graph.sim.violations(), 0);
    let request = lines.next().unwrap().unwrap();
    assert!(request.contains(&graph.sim.instruction()), "{request}");
    let chunk = graph.chunks.lock().last().cloned().unwrap();
    assert_eq!((chunk.rows, chunk.normalised_columns), (10, 8));
    // Its rows are the server's, and it is not known what the scene will look like.
    let first = 0.02 * (std::f64::consts::PI / 11.0).sin();
    assert!((f64::from(chunk.normalised[0]).abs() - first).abs() < 1e-6, "{:?}", chunk.normalised);
    let status = graph.process.status();
    assert!(!status.foresees && status.stages.server > Duration::ZERO, "{:?}", status.stages);
    graph.context.shutdown();
}

/// Ends a process when it is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
