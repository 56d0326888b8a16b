//! The closed loop in real time for `F1_TEST_SECONDS` (10 when unset): memory stays flat.
//!
//! It runs in a process of its own, this test binary again, so that other tests do not count.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use f1_interfaces::f1_msgs::msg::ActionChunk;
use f1_interfaces::sensor_msgs::msg::Image;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::{Backend, Context, ContextOptions, NodeOptions, Qos, RosArgs};
use f1_model::LoadOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;
use f1_robot::Robot;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::{BenchSettings, Split, Task};
use f1_tests::PATIENT;

const PART: &str = "F1_TEST_PART";

/// What the resident size may grow by over the second half: an allocator's noise, and far below
/// what a leak of one image a second amounts to in an hour.
const NOISE: u64 = 12 << 20;

fn seconds() -> f64 {
    std::env::var("F1_TEST_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10.0)
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

#[test]
fn the_loop_in_a_process_of_its_own() {
    if std::env::var(PART).as_deref() != Ok("soak") {
        return;
    }
    let parameters = PATIENT.iter().flat_map(|parameter| ["-p", parameter]);
    let (args, _) = RosArgs::parse(["soak", "--ros-args"].into_iter().chain(parameters)).unwrap();
    let context = Context::new(ContextOptions { backend: Backend::mem(), args }).unwrap();
    let (robot_file, model) =
        (root().join("config/robots/bench_arm.yaml"), root().join("models/f1_bench"));
    let robot = Arc::new(Robot::load(&robot_file).unwrap());
    let settings = BenchSettings::new(Task::Dynamic, Split::Training, 1);
    let options = SimOptions { endless: true, ..SimOptions::default() };
    let sim = SimNode::start(&context, &robot, settings, &options).unwrap();
    let load = move || Resources::load(&robot_file, &model, &LoadOptions::default());
    let process = PolicyProcess::compose(
        &context,
        Box::new(move |_| Box::new(load)),
        &ProcessOptions::default(),
    )
    .unwrap();
    let node = context.create_node_with("observer", NodeOptions::in_namespace("/f1")).unwrap();
    let (chunks, trajectories, images) =
        (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let count = chunks.clone();
    node.keep(
        node.create_subscription::<ActionChunk>("action/chunk", Qos::reliable(), move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap(),
    );
    let count = trajectories.clone();
    let topic = "arm_controller/joint_trajectory";
    node.keep(
        node.create_subscription::<JointTrajectory>(topic, Qos::reliable(), move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap(),
    );
    let count = images.clone();
    node.keep(
        node.create_subscription::<Image>("foresight/image", Qos::reliable(), move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap(),
    );
    process.core().set_instruction(&sim.instruction());
    // Everything has happened once before the clock starts.
    let executor = context.executor();
    let limit = Instant::now() + Duration::from_secs(120);
    while trajectories.load(Ordering::Relaxed) < 3 || images.load(Ordering::Relaxed) < 3 {
        assert!(Instant::now() < limit, "no motion: {:?}", process.status().state());
        executor.spin_for(Duration::from_millis(20));
    }
    let (start, length) = (Instant::now(), Duration::from_secs_f64(seconds()));
    let mut most = [0_u64; 2];
    let mut next_line = Duration::ZERO;
    // A busy machine gets more time for the chunks that are asked for below.
    let few = || chunks.load(Ordering::Relaxed) <= 5 && Instant::now() < limit + length;
    while start.elapsed() < length || few() {
        executor.spin_for(Duration::from_millis(50));
        let half = usize::from(start.elapsed() > length / 2);
        most[half] = most[half].max(resident_bytes());
        if start.elapsed() >= next_line {
            next_line += length / 10;
            let megabytes = resident_bytes() as f64 * 1e-6;
            println!("{:6.0} s: {megabytes:.1} MB", start.elapsed().as_secs_f64());
        }
    }
    println!(
        "most {:.1} MB in the first half, {:.1} MB in the second; {} chunks, {} trajectories, {} images",
        most[0] as f64 * 1e-6,
        most[1] as f64 * 1e-6,
        chunks.load(Ordering::Relaxed),
        trajectories.load(Ordering::Relaxed),
        images.load(Ordering::Relaxed)
    );
    assert!(chunks.load(Ordering::Relaxed) > 5);
    assert!(most[1] <= most[0] + NOISE, "grown from {} to {} bytes", most[0], most[1]);
    context.shutdown();
    context.join();
}

#[test]
fn memory_stays_flat_over_the_closed_loop() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "soak::the_loop_in_a_process_of_its_own", "--nocapture"])
        .env(PART, "soak");
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" MB")).collect();
    assert!(lines.len() > 5, "{text}");
    println!("{}", lines.join("\n"));
}
