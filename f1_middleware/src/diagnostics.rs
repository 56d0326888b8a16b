//! `/diagnostics`: one entry a node, once a second.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::diagnostic_msgs::msg::{DiagnosticArray, DiagnosticStatus, KeyValue};
use f1_interfaces::std_msgs::msg::Header;
use parking_lot::Mutex;

use crate::clock::ClockKind;
use crate::error::Result;
use crate::executor::Timer;
use crate::node::Node;
use crate::qos::Qos;

/// The state of a node, with the numbers of `diagnostic_msgs/DiagnosticStatus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Works.
    #[default]
    Ok = 0,
    /// Works, with a limitation.
    Warn = 1,
    /// Does not work.
    Error = 2,
    /// No data.
    Stale = 3,
}

/// A node's entry, built anew each second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    level: Level,
    message: String,
    values: Vec<(String, String)>,
}

impl Report {
    /// Raises the level. The message of the worst level is kept; messages of the same level are
    /// joined.
    pub fn raise(&mut self, level: Level, message: impl Into<String>) {
        let message = message.into();
        if level > self.level || self.message.is_empty() {
            self.level = self.level.max(level);
            self.message = message;
        } else if level == self.level {
            self.message.push_str("; ");
            self.message.push_str(&message);
        }
    }

    /// Adds a value; put the unit in the key (`inference age (ms)`).
    pub fn value(&mut self, key: impl Into<String>, value: impl std::fmt::Display) {
        self.values.push((key.into(), value.to_string()));
    }
}

type Task = Box<dyn FnMut(&mut Report) + Send>;

/// Publishes a node's entry once a second until dropped.
#[must_use = "dropping it ends the diagnostics"]
pub struct Diagnostics {
    _timer: Timer,
    tasks: Arc<Mutex<Vec<Task>>>,
}

impl Diagnostics {
    /// Starts the diagnostics of a node; `hardware` names the robot, or is empty.
    ///
    /// # Errors
    /// If the publisher cannot be made.
    pub fn start(node: &Node, hardware: &str) -> Result<Diagnostics> {
        let publisher =
            node.create_publisher::<DiagnosticArray>("/diagnostics", Qos::reliable())?;
        let tasks: Arc<Mutex<Vec<Task>>> = Arc::default();
        let run = tasks.clone();
        let (clock, logger) = (node.clock(), node.logger().clone());
        let name = node.fully_qualified_name().trim_start_matches('/').to_owned();
        let hardware = hardware.to_owned();
        let timer = node.create_timer(Duration::from_secs(1), ClockKind::Steady, move || {
            let mut report = Report::default();
            for task in run.lock().iter_mut() {
                task(&mut report);
            }
            if report.message.is_empty() {
                report.message.push_str("ok");
            }
            let status = DiagnosticStatus {
                level: report.level as u8,
                name: name.clone(),
                message: report.message,
                hardware_id: hardware.clone(),
                values: report
                    .values
                    .into_iter()
                    .map(|(key, value)| KeyValue { key, value })
                    .collect(),
            };
            let stamp = WireTime::saturating_from_nanoseconds(clock.now().nanoseconds());
            let header = Header { stamp, ..Header::default() };
            if let Err(error) = publisher.publish(DiagnosticArray { header, status: vec![status] })
            {
                logger.warn(format!("diagnostics not sent: {error}"));
            }
        });
        Ok(Diagnostics { _timer: timer, tasks })
    }

    /// Adds a task that fills in every report.
    pub fn add(&self, task: impl FnMut(&mut Report) + Send + 'static) {
        self.tasks.lock().push(Box::new(task));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_the_worst_level_are_kept() {
        let mut report = Report::default();
        report.raise(Level::Ok, "fine");
        report.raise(Level::Error, "no camera");
        report.raise(Level::Warn, "late");
        report.raise(Level::Error, "no joints");
        assert_eq!((report.level, report.message.as_str()), (Level::Error, "no camera; no joints"));
    }
}
