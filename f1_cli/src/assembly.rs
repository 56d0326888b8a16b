//! The nodes with the policy that they are given: the network in this process, or a policy server.
//! Both programs are put together here; the nodes know neither.

use std::path::{Path, PathBuf};

use f1_client::address::is_server;
use f1_middleware::Node;
use f1_model::LoadOptions;
use f1_policy_node::foresight::ServerOptions;
use f1_policy_node::process::{self, LoaderOf};
use f1_policy_node::resources::{ResourceError, Resources};
use f1_robot::share;

/// A loader of what the parameters of the node `foresight` name.
#[must_use]
pub fn load_from_parameters() -> LoaderOf {
    Box::new(|node: &Node| {
        let in_process = process::load_from_parameters()(node);
        let parameters = node.parameters().clone();
        Box::new(move || {
            let text = |name: &str| parameters.get::<String>(name).unwrap_or_default();
            let (robot, model) = (text("robot_file"), text("model"));
            if robot.is_empty() || !is_server(&model) {
                return in_process();
            }
            let options = ServerOptions::read(&parameters)
                .map_err(|error| ResourceError::Parameter(error.to_string()))?;
            f1_client::connect(robot.as_ref(), &model, &options, &layouts())
        })
    })
}

/// Loads a checkpoint folder, or connects to a policy server, whichever `model` names.
///
/// # Errors
/// Whatever is wrong with the robot file or the policy, or that they do not fit.
#[allow(dead_code, reason = "two programs share this file")]
pub fn load(
    robot_file: &Path,
    model: &str,
    options: &LoadOptions,
    server: &ServerOptions,
) -> Result<Resources, ResourceError> {
    if is_server(model) {
        f1_client::connect(robot_file, model, server, &layouts())
    } else {
        Resources::load(robot_file, model.as_ref(), options)
    }
}

/// Where the shipped layouts are.
fn layouts() -> PathBuf {
    share::root().join("config/layouts")
}
