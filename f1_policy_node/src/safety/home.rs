//! Going home: who asks for it, and the action `safety_filter/go_home`.

use std::sync::Arc;

use f1_interfaces::f1_msgs::action::{GoHome, GoHomeFeedback, GoHomeResult};
use f1_middleware::action::{CancelDecision, GoalDecision, ServerGoal};
use f1_middleware::{ActionServer, Node};

use crate::core::Core;
use crate::error::NodeResult;
use crate::topics;

/// How going home ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HomeEnd {
    /// The robot is there.
    Arrived,
    /// It has not moved.
    Refused,
    /// The request was taken back, and it rests on the way.
    Cancelled,
    /// Something stopped it on the way.
    Stopped,
}

/// A wish to go home.
pub struct HomeRequest {
    /// Part of the joints' velocity limits; 0: the parameter `home_speed`.
    pub speed_scale: f64,
    /// Whether it is taken back.
    pub cancelled: Box<dyn Fn() -> bool + Send>,
    /// Gets the greatest distance of a joint from home, rad or m, on the way.
    pub feedback: Box<dyn Fn(f64) + Send>,
    /// Gets how it ended, with the reason in words, once.
    pub done: Box<dyn FnOnce(HomeEnd, String) + Send>,
}

impl HomeRequest {
    /// Ends it.
    pub(super) fn end(self, end: HomeEnd, reason: impl Into<String>) {
        (self.done)(end, reason.into());
    }
}

/// Offers `safety_filter/go_home`; dropping it withdraws the action.
///
/// # Errors
/// Names that the middleware refuses.
pub fn offer(node: &Node, core: &Arc<Core>) -> NodeResult<ActionServer<GoHome>> {
    let asked = core.clone();
    Ok(node.create_action_server::<GoHome>(
        topics::GO_HOME.name,
        |_, goal| {
            if (0.0..=1.0).contains(&goal.speed_scale) {
                GoalDecision::Accept
            } else {
                GoalDecision::Reject
            }
        },
        move |goal: ServerGoal<GoHome>| {
            let (watched, followed, ended) = (goal.clone(), goal.clone(), goal.clone());
            let request = HomeRequest {
                speed_scale: goal.goal().speed_scale,
                cancelled: Box::new(move || watched.is_canceling()),
                feedback: Box::new(move |distance| followed.feedback(GoHomeFeedback { distance })),
                done: Box::new(move |end, message| finish(&ended, end, message)),
            };
            if !asked.homes.send(request) {
                finish(&goal, HomeEnd::Refused, "safety_filter is not configured".to_owned());
            }
        },
        |_| CancelDecision::Accept,
    )?)
}

fn finish(goal: &ServerGoal<GoHome>, end: HomeEnd, message: String) {
    let outcome = match end {
        HomeEnd::Arrived => GoHomeResult::OUTCOME_ARRIVED,
        HomeEnd::Refused => GoHomeResult::OUTCOME_REFUSED,
        HomeEnd::Cancelled => GoHomeResult::OUTCOME_CANCELLED,
        HomeEnd::Stopped => GoHomeResult::OUTCOME_STOPPED,
    };
    let result = GoHomeResult { outcome, message };
    match end {
        HomeEnd::Arrived => goal.succeed(result),
        HomeEnd::Cancelled => goal.canceled(result),
        HomeEnd::Refused | HomeEnd::Stopped => goal.abort(result),
    }
}
