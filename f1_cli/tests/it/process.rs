//! The program as an operator ends it, and as a fault ends it: motion comes to rest first, then the
//! process goes.
//!
//! Robot and policy are two processes on the loopback. The robot is this test binary again, which
//! takes its part from `F1_TEST_PART` and writes what the arm does as JSON lines.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use f1_interfaces::f1_msgs::msg::PolicyStatus;
use f1_interfaces::sensor_msgs::msg::JointState;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::{Backend, ClockKind, Context, ContextOptions, NodeOptions, Qos, RosArgs};
use f1_model::LoadOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;
use f1_robot::Robot;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::{BenchSettings, Split, Task};
use f1_tests::PATIENT;
use serde_json::{Value, json};

const PART: &str = "F1_TEST_PART";

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Below this the arm is at rest, rad/s or m/s: the greatest speed of any joint.
pub const REST: f64 = 0.02;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Kills its process when dropped.
pub struct Running {
    child: Child,
    lines: Option<Receiver<Value>>,
}

impl Running {
    pub fn start(command: &mut Command, listen: bool) -> Running {
        command.env("ROS_DOMAIN_ID", domain()).env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
        command.stdout(if listen { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().unwrap();
        let lines = child.stdout.take().map(|output| {
            let (sender, lines) = channel();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // The test harness of the other process writes lines of its own.
                    if let Some(value) =
                        line.find('{').and_then(|at| serde_json::from_str(&line[at..]).ok())
                        && sender.send(value).is_err()
                    {
                        return;
                    }
                }
            });
            lines
        });
        Running { child, lines }
    }

    pub fn part(part: &str) -> Running {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "process::the_other_process", "--nocapture"]).env(PART, part);
        Running::start(&mut command, true)
    }

    /// The next line for which `wanted` holds.
    pub fn wait(&self, what: &str, wanted: impl FnMut(&Value) -> bool) -> Value {
        self.until(what, wanted).pop().unwrap()
    }

    /// All lines up to the next one for which `wanted` holds, that one included.
    pub fn until(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let end = Instant::now() + PATIENCE;
        let source = self.lines.as_ref().unwrap();
        let mut lines = Vec::new();
        loop {
            match source.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = wanted(&line);
                    lines.push(line);
                    if found {
                        return lines;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{what}: not in {PATIENCE:?}; {}", kinds(&lines))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{what}: the process has gone; {}", kinds(&lines))
                }
            }
        }
    }

    /// Lines that came and were not read yet.
    pub fn rest(&self) -> Vec<Value> {
        self.lines.as_ref().unwrap().try_iter().collect()
    }

    /// All lines to the end of a process that has ended.
    fn to_the_end(&self) -> Vec<Value> {
        let lines = self.lines.as_ref().unwrap();
        let mut all = Vec::new();
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => all.push(line),
                Err(RecvTimeoutError::Disconnected) => return all,
                Err(RecvTimeoutError::Timeout) => panic!("the output does not end"),
            }
        }
    }

    pub fn signal(&self, signal: &str) {
        let status =
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the process does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A domain that other test processes on the machine hardly share; the namespaces differ by test.
pub fn domain() -> String {
    std::env::var("ROS_DOMAIN_ID").unwrap_or_else(|_| (1 + std::process::id() % 99).to_string())
}

/// Seconds on the clock that the processes share.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Writes a line with its time.
fn write(value: &Value) {
    let mut value = value.clone();
    value["at"] = json!(now());
    println!("{value}");
}

/// Of each kind of line, by its first key: how many came, and the last.
fn kinds(lines: &[Value]) -> String {
    let mut kinds: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
    for line in lines {
        let kind = line.as_object().and_then(|line| line.keys().next().cloned());
        let seen = kinds.entry(kind.unwrap_or_default()).or_insert((0, line));
        *seen = (seen.0 + 1, line);
    }
    format!("{kinds:?}")
}

/// Writes what reaches the controllers, how fast the joints are, and the status.
fn report_robot(context: &Context, namespace: &str) {
    let node = context.create_node_with("observer", NodeOptions::in_namespace(namespace)).unwrap();
    let subscription = node.create_subscription::<JointTrajectory>(
        "arm_controller/joint_trajectory",
        Qos::reliable().keep_last(10),
        |message, _| {
            let last = message.points.last().unwrap();
            let speed = last.velocities.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            write(&json!({ "trajectory": message.points.len(), "last_speed": speed }));
        },
    );
    node.keep(subscription.unwrap());
    let subscription =
        node.create_subscription::<JointState>("joint_states", Qos::sensor_data(), |message, _| {
            let speed = message.velocity.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            let gripper = message.name.iter().position(|name| name == "gripper_joint");
            let gripper = gripper.and_then(|joint| message.position.get(joint));
            write(&json!({ "speed": speed, "gripper": gripper }));
        });
    node.keep(subscription.unwrap());
    let subscription =
        node.create_subscription::<PolicyStatus>("status", Qos::latched(), |message, _| {
            write(&json!({ "state": message.state, "reason": message.reason }));
        });
    node.keep(subscription.unwrap());
    node.keep(node.clone());
}

fn bench(context: &Context, namespace: &str) -> SimNode {
    let robot = Arc::new(Robot::load(&root().join("config/robots/bench_arm.yaml")).unwrap());
    let settings = BenchSettings::new(Task::Static, Split::Training, 7);
    let options =
        SimOptions { namespace: namespace.into(), endless: true, ..SimOptions::default() };
    SimNode::start(context, &robot, settings, &options).unwrap()
}

/// Writes how often the controllers met a set-point outside a limit.
fn report_limits(context: &Context, sim: SimNode) {
    let node = context.create_node("limits").unwrap();
    let timer = node.create_timer(Duration::from_millis(100), ClockKind::Steady, move || {
        write(&json!({ "violations": sim.violations(), "late": sim.late_trajectories() }));
    });
    node.keep(timer);
    node.keep(node.clone());
}

#[test]
fn the_other_process() {
    let Ok(part) = std::env::var(PART) else { return };
    if let Some(namespace) = part.strip_prefix("robot ") {
        let context = Context::new(ContextOptions::new(Backend::Dds)).unwrap();
        let sim = bench(&context, namespace);
        report_robot(&context, namespace);
        report_limits(&context, sim);
        // Ends with the parent's kill, or by itself should the parent have gone.
        context.executor().spin_for(Duration::from_secs(600));
        return;
    }
    // The whole loop in one process, in real time, with a node that panics half way.
    let parameters = PATIENT.iter().flat_map(|parameter| ["-p", parameter]);
    let (args, _) = RosArgs::parse(["test", "--ros-args"].into_iter().chain(parameters)).unwrap();
    let context = Context::new(ContextOptions { backend: Backend::mem(), args }).unwrap();
    let sim = bench(&context, "/f1");
    let load = || {
        let robot = root().join("config/robots/bench_arm.yaml");
        Resources::load(&robot, &root().join("models/f1_bench"), &LoadOptions::default())
    };
    let process = PolicyProcess::compose(
        &context,
        Box::new(move |_| Box::new(load)),
        &ProcessOptions::default(),
    )
    .unwrap();
    process.stop_on_panic();
    report_robot(&context, "/f1");
    process.core().set_instruction(&sim.instruction());
    report_limits(&context, sim);
    let node = process.nodes().iter().find(|node| node.name() == part).unwrap();
    let stopper = process.stopper().clone();
    let timer = node.create_timer(Duration::from_millis(20), ClockKind::Steady, {
        let mut moved = 0;
        move || {
            moved += u32::from(stopper.moves() == Some(true));
            if moved == 50 {
                write(&json!({ "panics": true }));
                panic!("a fault for the test");
            }
        }
    });
    node.keep(timer);
    context.executor().spin_for(Duration::from_secs(600));
}

pub fn policy(namespace: &str) -> Running {
    let (robot, model) =
        (root().join("config/robots/bench_arm.yaml"), root().join("models/f1_bench"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_f1_policy_node"));
    command.args(["--ros-args", "-r", &format!("__ns:={namespace}")]);
    command.args(["-p", &format!("robot_file:={}", robot.display())]);
    command.args(["-p", &format!("model:={}", model.display())]);
    command.args(["-p", "instruction:=pick up the red cube"]);
    command.args(PATIENT.iter().flat_map(|parameter| ["-p", parameter]));
    Running::start(&mut command, false)
}

pub fn speed(line: &Value) -> Option<f64> {
    line["speed"].as_f64()
}

/// Whether the controllers met no set-point outside a limit. A trajectory that a busy machine holds
/// up until after its first instant is joined midway, with a step that the filter cannot know of:
/// then it is not known.
fn within_limits(counted: &Value) -> bool {
    counted["violations"] == 0 || counted["late"].as_u64() > Some(0)
}

/// Waits for motion, signals, and checks that rest comes before the end.
fn ends_at_rest_on(signal: &str) {
    let namespace = format!("/stop{}", signal.replace('-', "_").to_lowercase());
    let robot = Running::part(&format!("robot {namespace}"));
    robot.wait("joint states", |line| speed(line).is_some());
    let mut policy = policy(&namespace);
    robot.wait("a trajectory", |line| line["trajectory"].as_u64().is_some());
    robot.wait("motion", |line| speed(line) > Some(5.0 * REST));
    robot.rest();
    policy.signal(signal);
    let status = policy.ended();
    let ended = now();
    assert_eq!(status.code(), Some(0), "{signal}: {status:?}");
    let reason =
        |line: &Value| line["reason"].as_str().is_some_and(|reason| reason.contains("shuts down"));
    let mut lines = robot.until("the reason in status", reason);
    // What the joints do from now on is what the process left behind.
    for _ in 0..5 {
        lines.extend(robot.until("joint states after the end", |line| {
            speed(line).is_some() && line["at"].as_f64() > Some(ended)
        }));
        let after = lines.last().unwrap();
        assert!(speed(after) < Some(REST), "{signal}: the arm moves after the end: {after}");
    }
    let last = lines.iter().rev().find(|line| line["trajectory"].is_u64());
    assert!(
        last.is_none_or(|last| last["last_speed"] == 0.0),
        "{signal}: the last trajectory: {last:?}"
    );
    let counted = robot.wait("the count of violations", |line| line["violations"].is_u64());
    assert!(within_limits(&counted), "{signal}: {counted}");
}

#[test]
fn sigint_brings_motion_to_rest_before_the_process_ends() {
    ends_at_rest_on("-INT");
}

#[test]
fn sigterm_brings_motion_to_rest_before_the_process_ends() {
    ends_at_rest_on("-TERM");
}

/// A panic in a callback of `node`.
fn stops_on_a_panic_in(node: &str) {
    let mut running = Running::part(node);
    running.wait("the panic", |line| line["panics"] == true);
    let status = running.ended();
    let lines = running.to_the_end();
    assert_eq!(status.code(), Some(101), "{node}: {status:?}");
    let speeds: Vec<f64> = lines.iter().filter_map(speed).collect();
    let (first, last) = (speeds.first().copied(), speeds.last().copied());
    assert!(
        last < Some(REST),
        "{node}: {last:?} at the end, {first:?} at the panic, of {}",
        speeds.len()
    );
    let panicked =
        |line: &Value| line["reason"].as_str().is_some_and(|reason| reason.contains("panicked"));
    assert!(lines.iter().any(panicked), "{node}: status never gives the reason");
    let counted = lines.iter().rev().find(|line| line["violations"].is_u64());
    assert!(counted.is_some_and(within_limits), "{node}: {counted:?}");
}

#[test]
fn a_panic_in_perception_stops_motion_and_then_the_process() {
    stops_on_a_panic_in("perception");
}

#[test]
fn a_panic_in_the_safety_filter_stops_motion_and_then_the_process() {
    stops_on_a_panic_in("safety_filter");
}
