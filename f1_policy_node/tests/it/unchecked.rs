//! What nothing checks is named in the status.

use std::path::Path;
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::PolicyStatus;
use f1_middleware::{Backend, Context, ContextOptions, MemBus, Qos, Time};
use f1_model::LoadOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;

#[test]
fn links_without_a_shape_are_named_in_the_status() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let urdf = std::fs::read_to_string(root.join("urdf/bench_arm.urdf")).unwrap();
    let (before, link) = urdf.split_once("<link name=\"link5\">").unwrap();
    let (seen, rest) = link.split_once("<collision>").unwrap();
    let (_, rest) = rest.split_once("</collision>").unwrap();
    let urdf = format!("{before}<link name=\"link5\">{seen}{rest}");
    std::fs::write(folder.path().join("arm.urdf"), urdf).unwrap();
    let file = std::fs::read_to_string(root.join("config/robots/bench_arm.yaml")).unwrap();
    let file = file.replacen("../../urdf/bench_arm.urdf", "arm.urdf", 1);
    let robot = folder.path().join("arm.yaml");
    std::fs::write(&robot, file + "unchecked_links: [link5]\n").unwrap();

    let backend = Backend::Mem { bus: MemBus::new(), virtual_start: Some(Time::from_seconds(1.0)) };
    let context = Context::new(ContextOptions::new(backend)).unwrap();
    let node = context.create_node("observer").unwrap();
    let status =
        node.create_newest_subscription::<PolicyStatus>("/f1/status", Qos::latched()).unwrap();
    let model = root.join("models/f1_bench");
    let load = move || Resources::load(&robot, &model, &LoadOptions::default());
    let process = PolicyProcess::compose(
        &context,
        Box::new(move |_| Box::new(load)),
        &ProcessOptions::default(),
    )
    .unwrap();
    context.executor().spin_for(Duration::from_secs(1));
    assert!(process.is_started(), "{:?}", process.status().state());
    let said = status.peek().unwrap();
    assert!(
        said.unchecked.iter().any(|line| line == "link5: no collision shape"),
        "{:?}",
        said.unchecked
    );
}
