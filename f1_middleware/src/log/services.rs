//! The logger-level services of a node, as Jazzy's rclcpp offers them with `enable_logger_service`.

use f1_interfaces::rcl_interfaces::msg::SetLoggerLevelsResult;
use f1_interfaces::rcl_interfaces::srv::{
    GetLoggerLevels, GetLoggerLevelsResponse, SetLoggerLevels, SetLoggerLevelsResponse,
};

use super::levels;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::service::ServiceServer;

/// The services; dropping this withdraws them.
pub(crate) struct LoggerServices {
    _get: ServiceServer<GetLoggerLevels>,
    _set: ServiceServer<SetLoggerLevels>,
}

impl LoggerServices {
    /// Offers them; `None` where the sourced ROS 2 does not have them (Humble).
    pub(crate) fn offer(node: &Node) -> Result<Option<LoggerServices>> {
        let get = node.create_service::<GetLoggerLevels>("~/get_logger_levels", |request| {
            let levels = request.names.iter().map(|name| levels::level_of(name)).collect();
            GetLoggerLevelsResponse { levels }
        });
        let get = match get {
            Ok(get) => get,
            Err(Error::Unsupported(reason)) => {
                tracing::debug!(reason, "no logger-level services");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let set = node.create_service::<SetLoggerLevels>("~/set_logger_levels", |request| {
            let result = |outcome: std::result::Result<(), String>| SetLoggerLevelsResult {
                successful: outcome.is_ok(),
                reason: outcome.err().unwrap_or_default(),
            };
            let results = request.levels.iter().map(|level| result(levels::set(level))).collect();
            SetLoggerLevelsResponse { results }
        })?;
        Ok(Some(LoggerServices { _get: get, _set: set }))
    }
}
