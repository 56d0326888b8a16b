//! Tells which interface packages the sourced ROS 2 has, beyond those that every install has: the `rcl` back end can
//! offer typed services and actions of these only.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=AMENT_PREFIX_PATH");
    let prefixes = std::env::var("AMENT_PREFIX_PATH").unwrap_or_default();
    let has =
        |file: &str| prefixes.split(':').any(|prefix| Path::new(prefix).join("share").join(file).exists());
    for (name, file) in [
        ("ros_std_srvs", "std_srvs/srv/Trigger.srv"),
        ("ros_control_msgs", "control_msgs/action/FollowJointTrajectory.action"),
        ("ros_parallel_gripper", "control_msgs/action/ParallelGripperCommand.action"),
        ("ros_f1_msgs", "f1_msgs/action/ExecuteTask.action"),
    ] {
        println!("cargo::rustc-check-cfg=cfg({name})");
        // Without the feature nothing of ROS is linked; `rcl-check` knows r2r's own bindings only.
        let linked = std::env::var_os("CARGO_FEATURE_RCL").is_some()
            && std::env::var_os("CARGO_FEATURE_RCL_CHECK").is_none();
        if linked && has(file) {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
