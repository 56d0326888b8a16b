//! What a process frees when it is dropped without a shut-down.

use std::path::Path;
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::PolicyStatus;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::{Backend, Context, ContextOptions, MemBus, Qos, Time};
use f1_model::LoadOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;

#[test]
fn a_dropped_process_frees_its_publishers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let bus = MemBus::new();
    let context = || {
        let virtual_start = Some(Time::from_seconds(1.0));
        let backend = Backend::Mem { bus: bus.clone(), virtual_start };
        Context::new(ContextOptions::new(backend)).unwrap()
    };
    let observer = context();
    let node = observer.create_node("observer").unwrap();
    let motion = node
        .create_newest_subscription::<JointTrajectory>(
            "/f1/arm_controller/joint_trajectory",
            Qos::reliable(),
        )
        .unwrap();
    let status =
        node.create_newest_subscription::<PolicyStatus>("/f1/status", Qos::latched()).unwrap();

    let policy = context();
    let (robot, model) = (root.join("config/robots/bench_arm.yaml"), root.join("models/f1_bench"));
    let load = move || Resources::load(&robot, &model, &LoadOptions::default());
    let process = PolicyProcess::compose(
        &policy,
        Box::new(move |_| Box::new(load)),
        &ProcessOptions::default(),
    )
    .unwrap();
    policy.executor().spin_for(Duration::from_secs(1));
    assert!(process.is_started());
    assert_eq!((motion.publisher_count(), status.publisher_count()), (1, 1));

    drop((process, policy));
    assert_eq!((motion.publisher_count(), status.publisher_count()), (0, 0));
}
