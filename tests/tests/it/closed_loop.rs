//! The whole graph on the virtual clock: the bench as robot, the shipped model, four nodes,
//! controllers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::{ActionChunk, PolicyStatus};
use f1_interfaces::sensor_msgs::msg::Image;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::{Backend, Context, ContextOptions, NodeOptions, Qos};
use f1_model::LoadOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;
use f1_policy_node::status::PolicyState;
use f1_robot::Robot;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::{BenchSettings, Split, Task};
use parking_lot::Mutex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

pub struct Loop {
    pub context: Context,
    pub process: PolicyProcess,
    pub sim: SimNode,
    chunks: Arc<Mutex<Vec<ActionChunk>>>,
    trajectories: Arc<Mutex<Vec<JointTrajectory>>>,
    images: Arc<Mutex<u64>>,
    statuses: Arc<Mutex<Vec<PolicyStatus>>>,
    _keep: Vec<Box<dyn std::any::Any>>,
}

pub fn start() -> Loop {
    let context = Context::new(ContextOptions::new(Backend::mem_virtual())).unwrap();
    let (robot_file, model) =
        (root().join("config/robots/bench_arm.yaml"), root().join("models/f1_bench"));
    let robot = Arc::new(Robot::load(&robot_file).unwrap());
    let settings = BenchSettings::new(Task::Static, Split::Training, 7);
    let sim = SimNode::start(&context, &robot, settings, &SimOptions::default()).unwrap();
    let load = move || Resources::load(&robot_file, &model, &LoadOptions::default());
    let process = PolicyProcess::compose(
        &context,
        Box::new(move |_| Box::new(load)),
        &ProcessOptions::default(),
    )
    .unwrap();
    let node = context.create_node_with("observer", NodeOptions::in_namespace("/f1")).unwrap();
    let mut keep: Vec<Box<dyn std::any::Any>> = Vec::new();
    let (chunks, trajectories, images, statuses) =
        (Arc::default(), Arc::default(), Arc::<Mutex<u64>>::default(), Arc::default());
    let into: Arc<Mutex<Vec<ActionChunk>>> = Arc::clone(&chunks);
    let subscription =
        node.create_subscription::<ActionChunk>("action/chunk", Qos::reliable(), move |m, _| {
            into.lock().push((*m).clone());
        });
    keep.push(Box::new(subscription.unwrap()));
    let into: Arc<Mutex<Vec<JointTrajectory>>> = Arc::clone(&trajectories);
    let subscription = node.create_subscription::<JointTrajectory>(
        "arm_controller/joint_trajectory",
        Qos::reliable(),
        move |m, _| into.lock().push((*m).clone()),
    );
    keep.push(Box::new(subscription.unwrap()));
    let into = Arc::clone(&images);
    let subscription =
        node.create_subscription::<Image>("foresight/image", Qos::reliable(), move |_, _| {
            *into.lock() += 1
        });
    keep.push(Box::new(subscription.unwrap()));
    let into: Arc<Mutex<Vec<PolicyStatus>>> = Arc::clone(&statuses);
    let subscription =
        node.create_subscription::<PolicyStatus>("status", Qos::latched(), move |m, _| {
            into.lock().push((*m).clone());
        });
    keep.push(Box::new(subscription.unwrap()));
    keep.push(Box::new(node));
    Loop { context, process, sim, chunks, trajectories, images, statuses, _keep: keep }
}

#[test]
fn cameras_in_foresight_and_trajectories_out() {
    let graph = start();
    let executor = graph.context.executor();
    executor.spin_for(Duration::from_secs(1));
    assert!(graph.process.is_started(), "{:?}", graph.process.status().state());
    // Without an instruction nothing moves, and status gives that as the reason.
    assert!(graph.trajectories.lock().is_empty());
    let status = graph.statuses.lock().last().cloned().unwrap();
    assert_eq!(status.state, PolicyStatus::STATE_WAITING);
    assert!(status.reason.contains("no instruction"), "{}", status.reason);

    graph.process.core().set_instruction(&graph.sim.instruction());
    executor.spin_for(Duration::from_secs(3));
    let status = graph.process.status();
    assert_eq!(status.state().0, PolicyState::Running, "{:?}", status.state());
    let chunks = graph.chunks.lock().clone();
    assert!(chunks.len() >= 4, "{} chunks", chunks.len());
    assert!(!graph.trajectories.lock().is_empty(), "no trajectory; {status:?}");
    assert!(*graph.images.lock() >= 4);
    for chunk in &chunks {
        assert_eq!(chunk.joint_names.len(), 8);
        assert_eq!(chunk.positions.len(), chunk.rows as usize * 8);
        assert_eq!(
            chunk.seed,
            f1_policy_node::seed::seed_from_stamp(chunk.header.stamp.nanoseconds())
        );
        assert_eq!(chunk.history_stamps.len(), 4);
    }
}

#[test]
fn the_same_seed_gives_the_same_chunks() {
    let run = || {
        let graph = start();
        graph.process.core().set_instruction(&graph.sim.instruction());
        graph.context.executor().spin_for(Duration::from_secs(2));
        let positions: Vec<Vec<f64>> =
            graph.chunks.lock().iter().map(|chunk| chunk.positions.clone()).collect();
        positions
    };
    let first = run();
    assert!(first.len() >= 2);
    assert_eq!(first, run());
}

#[test]
fn removing_the_instruction_brings_the_robot_to_rest() {
    let graph = start();
    let executor = graph.context.executor();
    graph.process.core().set_instruction(&graph.sim.instruction());
    executor.spin_for(Duration::from_secs(2));
    graph.process.core().set_instruction("");
    executor.spin_for(Duration::from_secs(2));
    assert_eq!(graph.process.stopper().moves(), Some(false));
    let before = graph.chunks.lock().len();
    executor.spin_for(Duration::from_secs(1));
    assert_eq!(graph.chunks.lock().len(), before);
}
