//! Controllers that are commanded by goals of FollowJointTrajectory.

use std::sync::Arc;

use f1_interfaces::control_msgs::action::{
    FollowJointTrajectory, FollowJointTrajectoryGoal, FollowJointTrajectoryResult,
};
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::action::{ClientGoal, GoalEvent, GoalStatus};
use f1_middleware::{ActionClient, Node, Result};
use parking_lot::Mutex;

use super::controllers::Answers;
use crate::topics::FOLLOW_JOINT_TRAJECTORY;

/// Sends trajectories as goals of FollowJointTrajectory. A new goal pre-empts the one that runs:
/// the controller replaces its trajectory by splicing, exactly as on the topic, and ends the old
/// goal as aborted or cancelled, which is expected and not reported.
pub(super) struct TrajectoryGoals {
    client: ActionClient<FollowJointTrajectory>,
    answers: Answers,
    state: Arc<Mutex<State>>,
}

/// Counts goals, so that only the newest one's end is reported.
#[derive(Default)]
struct State {
    newest: u64,
    ended: u64,
    goal: Option<ClientGoal>,
}

impl TrajectoryGoals {
    pub(super) fn open(node: &Node, controller: &str, answers: Answers) -> Result<Self> {
        let client = node.create_action_client(&FOLLOW_JOINT_TRAJECTORY.named(controller))?;
        Ok(Self { client, answers, state: Arc::default() })
    }

    pub(super) fn send(&self, trajectory: JointTrajectory) -> Result<()> {
        let number = {
            let mut state = self.state.lock();
            state.newest += 1;
            state.newest
        };
        let goal = FollowJointTrajectoryGoal { trajectory, ..FollowJointTrajectoryGoal::default() };
        let (state, answers) = (self.state.clone(), self.answers.clone());
        let sent = self.client.send(goal, move |event| {
            {
                let mut state = state.lock();
                if !matches!(event, GoalEvent::Accepted | GoalEvent::Feedback(_)) {
                    state.ended = state.ended.max(number);
                }
                if state.newest != number {
                    return;
                }
            }
            match event {
                GoalEvent::Accepted => answers.accepted(),
                GoalEvent::Rejected => answers.refused("the trajectory was rejected".into()),
                GoalEvent::Failed(error) => {
                    answers.refused(format!("the goal was not answered: {error}"))
                }
                GoalEvent::Ended(outcome) if outcome.status == GoalStatus::Aborted => {
                    let result = outcome.result;
                    let (code, reason) = (result.error_code, reason(result.error_code));
                    let text = result.error_string;
                    answers
                        .refused(format!("the trajectory was aborted: {reason} ({code}) {text}"));
                }
                GoalEvent::Feedback(_) | GoalEvent::Ended(_) => {}
            }
        })?;
        let mut state = self.state.lock();
        if state.newest == number {
            state.goal = Some(sent);
        }
        Ok(())
    }

    /// Cancels the newest goal if it has not ended.
    pub(super) fn cancel(&self) -> Result<()> {
        let goal = {
            let mut state = self.state.lock();
            let open = state.ended < state.newest;
            state.goal.take().filter(|_| open)
        };
        match goal {
            Some(goal) => goal.cancel(|cancelled| {
                if !cancelled {
                    // It ended by itself meanwhile.
                    tracing::debug!("a goal was not cancelled");
                }
            }),
            None => Ok(()),
        }
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
