//! Actions: goals that take time, with feedback, cancelling and a result.
//!
//! An action is three services and two topics below `<name>/_action/`; this is written once above
//! the back ends. Source: ROS 2 design document "Actions" and `rcl_action`.

mod client;
mod server;

pub use client::{ActionClient, ClientGoal, GoalEvent, GoalOutcome};
pub use server::{ActionServer, CancelDecision, GoalDecision, ServerGoal};

use crate::qos::Qos;

/// The identifier of a goal, chosen by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoalId(pub [u8; 16]);

impl std::fmt::Display for GoalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where a goal stands, numbered as in `action_msgs/GoalStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum GoalStatus {
    /// Not known.
    Unknown = 0,
    /// Taken, not begun.
    Accepted = 1,
    /// At work.
    Executing = 2,
    /// On the way to being cancelled.
    Canceling = 3,
    /// Reached.
    Succeeded = 4,
    /// Given up because the client asked.
    Canceled = 5,
    /// Given up by the server.
    Aborted = 6,
}

impl GoalStatus {
    /// From the number on the wire.
    pub fn from_number(number: i8) -> GoalStatus {
        match number {
            1 => GoalStatus::Accepted,
            2 => GoalStatus::Executing,
            3 => GoalStatus::Canceling,
            4 => GoalStatus::Succeeded,
            5 => GoalStatus::Canceled,
            6 => GoalStatus::Aborted,
            _ => GoalStatus::Unknown,
        }
    }

    /// Whether the goal has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, GoalStatus::Succeeded | GoalStatus::Canceled | GoalStatus::Aborted)
    }
}

/// The status topic: reliable, transient local, keep last 1.
fn status_qos() -> Qos {
    Qos::latched()
}

/// The feedback topic: reliable, keep last 10.
fn feedback_qos() -> Qos {
    Qos::reliable()
}
