//! Actions: goals that take time, with feedback, cancelling and a result.
//!
//! An action is three services and two topics below `<name>/_action/`, the same on every back end.
//! Source: ROS 2 design document "Actions" and `rcl_action`.

mod client;
mod goal;
mod server;

pub use client::{ActionClient, ClientGoal, GoalEvent, GoalOutcome};
pub use goal::{GoalId, GoalStatus};
pub use server::{ActionServer, CancelDecision, GoalDecision, ServerGoal};
