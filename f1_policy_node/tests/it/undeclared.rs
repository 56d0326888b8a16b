//! A parameter that no node declares is named at the start.

use std::path::Path;

use f1_middleware::{Backend, Context, ContextOptions, RosArgs};
use f1_model::LoadOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;

/// The parameters that nothing takes, of a process with these ROS arguments.
fn undeclared(parameters: &[&str]) -> Vec<String> {
    let args = parameters.iter().flat_map(|parameter| ["-p", parameter]);
    let (args, _) = RosArgs::parse(["f1", "--ros-args"].into_iter().chain(args)).unwrap();
    let context = Context::new(ContextOptions { backend: Backend::mem_virtual(), args }).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (robot, model) = (root.join("config/robots/bench_arm.yaml"), root.join("models/f1_bench"));
    let load = move || Resources::load(&robot, &model, &LoadOptions::default());
    let options = ProcessOptions { autostart: false, ..ProcessOptions::default() };
    let process =
        PolicyProcess::compose(&context, Box::new(move |_| Box::new(load)), &options).unwrap();
    process.undeclared_parameters()
}

#[test]
fn a_parameter_that_no_node_declares_is_named() {
    assert_eq!(undeclared(&["nosuch:=1", "clearence:=true"]), ["clearence", "nosuch"]);
    // Declared by one of the four nodes, given to all.
    assert_eq!(undeclared(&["clearance:=false", "use_sim_time:=false"]), [""; 0]);
    assert_eq!(undeclared(&["qos_overrides./tf.subscription.depth:=1"]), [""; 0]);
    // Declared, but by another node than the one it was given to.
    assert_eq!(undeclared(&["/f1/action:clearance:=false"]), ["action:clearance"]);
}
