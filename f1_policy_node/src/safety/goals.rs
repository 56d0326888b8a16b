//! Controllers that are commanded by actions: FollowJointTrajectory, and the two gripper actions.

use std::sync::Arc;

use f1_interfaces::control_msgs::action::{
    FollowJointTrajectory, FollowJointTrajectoryGoal, FollowJointTrajectoryResult, GripperCommand,
    GripperCommandGoal, ParallelGripperCommand, ParallelGripperCommandGoal,
};
use f1_interfaces::sensor_msgs::msg::JointState;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::action::{GoalEvent, GoalStatus};
use f1_middleware::{ActionClient, Node, Result};
use f1_robot::safety::CheckedTrajectory;
use parking_lot::Mutex;

/// Sends trajectories as goals of FollowJointTrajectory. A new goal pre-empts the one that runs: the controller replaces its
/// trajectory by splicing, exactly as on the topic, and ends the old goal as aborted or cancelled, which is expected and not told.
pub(super) struct TrajectoryGoals {
    client: ActionClient<FollowJointTrajectory>,
    name: String,
    /// Counts goals, so that only the newest one's end is told.
    newest: Arc<Mutex<u64>>,
}

impl TrajectoryGoals {
    pub(super) fn open(node: &Node, controller: &str) -> Result<Self> {
        let name = format!("{controller}/follow_joint_trajectory");
        let client = node.create_action_client::<FollowJointTrajectory>(&name)?;
        Ok(Self { client, name, newest: Arc::default() })
    }

    pub(super) fn send(&self, trajectory: JointTrajectory) -> Result<()> {
        let number = {
            let mut newest = self.newest.lock();
            *newest += 1;
            *newest
        };
        let goal = FollowJointTrajectoryGoal { trajectory, ..FollowJointTrajectoryGoal::default() };
        let (newest, name) = (self.newest.clone(), self.name.clone());
        self.client.send(goal, move |event| {
            if *newest.lock() != number {
                return;
            }
            match event {
                GoalEvent::Rejected => {
                    tracing::error!(controller = name, "the controller rejected the trajectory")
                }
                GoalEvent::Failed(error) => {
                    tracing::error!(controller = name, %error, "the goal was not answered")
                }
                GoalEvent::Ended(outcome) if outcome.status != GoalStatus::Succeeded => {
                    let code = outcome.result.error_code;
                    let reason = reason(code);
                    tracing::error!(
                        controller = name,
                        code,
                        reason,
                        text = outcome.result.error_string,
                        "trajectory aborted"
                    );
                }
                _ => {}
            }
        })?;
        Ok(())
    }
}

/// The controller's error code in words.
fn reason(code: i32) -> &'static str {
    match code {
        FollowJointTrajectoryResult::SUCCESSFUL => "successful",
        FollowJointTrajectoryResult::INVALID_GOAL => "invalid goal",
        FollowJointTrajectoryResult::INVALID_JOINTS => "invalid joints",
        FollowJointTrajectoryResult::OLD_HEADER_TIMESTAMP => "old header timestamp",
        FollowJointTrajectoryResult::PATH_TOLERANCE_VIOLATED => "path tolerance violated",
        FollowJointTrajectoryResult::GOAL_TOLERANCE_VIOLATED => "goal tolerance violated",
        _ => "unknown",
    }
}

enum GripperClient {
    Command(ActionClient<GripperCommand>),
    Parallel(ActionClient<ParallelGripperCommand>),
}

/// Sends where a gripper's checked trajectory ends as a goal, when that changes.
pub(super) struct GripperGoals {
    client: GripperClient,
    name: String,
    effort: f64,
    last: Mutex<Option<f64>>,
}

/// A change smaller than this is none, m or rad: a gripper action restarts its controller.
const SAME: f64 = 1e-4;

impl GripperGoals {
    /// `effort`: the greatest effort, N or Nm; `None` leaves it to the controller (0 in `GripperCommand`).
    pub(super) fn open(node: &Node, controller: &str, parallel: bool, effort: Option<f64>) -> Result<Self> {
        let name = format!("{controller}/gripper_cmd");
        let client = if parallel {
            GripperClient::Parallel(node.create_action_client(&name)?)
        } else {
            GripperClient::Command(node.create_action_client(&name)?)
        };
        Ok(Self { client, name, effort: effort.unwrap_or(0.0), last: Mutex::new(None) })
    }

    pub(super) fn send(&self, trajectory: &CheckedTrajectory) -> Result<()> {
        let Some(target) = trajectory.points().last().and_then(|point| point.position.first()).copied()
        else {
            return Ok(());
        };
        {
            let mut last = self.last.lock();
            if last.is_some_and(|last| (last - target).abs() < SAME) {
                return Ok(());
            }
            *last = Some(target);
        }
        let name = self.name.clone();
        match &self.client {
            GripperClient::Command(client) => {
                let mut goal = GripperCommandGoal::default();
                goal.command.position = target;
                goal.command.max_effort = self.effort;
                client.send(goal, move |event| told(&name, matches!(event, GoalEvent::Rejected)))?;
            }
            GripperClient::Parallel(client) => {
                let command = JointState {
                    name: trajectory.joint_names().to_vec(),
                    position: vec![target],
                    effort: if self.effort > 0.0 { vec![self.effort] } else { Vec::new() },
                    ..JointState::default()
                };
                let goal = ParallelGripperCommandGoal { command };
                client.send(goal, move |event| told(&name, matches!(event, GoalEvent::Rejected)))?;
            }
        }
        Ok(())
    }
}

fn told(name: &str, rejected: bool) {
    if rejected {
        tracing::error!(controller = name, "the gripper rejected the command");
    }
}
