//! Finds which interface packages the sourced ROS 2 has beyond those of every install: the `rcl`
//! back end offers typed services and actions only of these. It searches the folders that r2r
//! searches, so that both agree.

use std::path::Path;

fn main() {
    let variables = ["AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"];
    for name in variables.iter().chain(&["IDL_PACKAGE_FILTER"]) {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let prefixes: Vec<String> =
        variables.iter().filter_map(|name| std::env::var(name).ok()).collect();
    let filter = std::env::var("IDL_PACKAGE_FILTER").ok();
    let has = |file: &str| {
        let package = file.split('/').next().unwrap_or_default();
        let wanted =
            filter.as_ref().is_none_or(|filter| filter.split(';').any(|name| name == package));
        let mut prefixes =
            prefixes.iter().flat_map(|all| all.split(':')).filter(|prefix| !prefix.is_empty());
        wanted && prefixes.any(|prefix| Path::new(prefix).join("share").join(file).exists())
    };
    let check = std::env::var_os("CARGO_FEATURE_RCL_CHECK").is_some();
    // Without the feature nothing of ROS is linked; `rcl-check` knows r2r's own bindings only.
    let linked = std::env::var_os("CARGO_FEATURE_RCL").is_some() && !check;
    for (name, file, in_check) in [
        // Not in ros-base. r2r's bindings without an install have it, so that actions are
        // type-checked too.
        ("ros_test_msgs", "test_msgs/action/Fibonacci.action", true),
        // Since Iron.
        ("ros_logger_levels", "rcl_interfaces/srv/SetLoggerLevels.srv", false),
        ("ros_lifecycle_msgs", "lifecycle_msgs/srv/ChangeState.srv", true),
        ("ros_moveit_msgs", "moveit_msgs/srv/GetPlanningScene.srv", false),
        ("ros_std_srvs", "std_srvs/srv/Trigger.srv", false),
        ("ros_control_msgs", "control_msgs/action/FollowJointTrajectory.action", false),
        ("ros_parallel_gripper", "control_msgs/action/ParallelGripperCommand.action", false),
        ("ros_f1_msgs", "f1_msgs/action/ExecuteTask.action", false),
    ] {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if (check && in_check) || (linked && has(file)) {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
