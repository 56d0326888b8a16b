//! Goals: identifier and status; the quality of service of an action's topics.

use crate::qos::Qos;

/// The identifier of a goal, chosen by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoalId(pub [u8; 16]);

impl std::fmt::Display for GoalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The status of a goal, numbered as in `action_msgs/GoalStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum GoalStatus {
    /// Not known.
    Unknown = 0,
    /// Accepted, not begun.
    Accepted = 1,
    /// The server works on it.
    Executing = 2,
    /// A cancel request was accepted.
    Canceling = 3,
    /// Reached.
    Succeeded = 4,
    /// Ended because the client cancelled it.
    Canceled = 5,
    /// Ended by the server without success.
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
pub(super) fn status_qos() -> Qos {
    Qos::latched()
}

/// The feedback topic: reliable, keep last 10.
pub(super) fn feedback_qos() -> Qos {
    Qos::reliable()
}
