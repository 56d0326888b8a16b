//! The server end of an action.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use f1_interfaces::Action;
use f1_interfaces::action::{
    FeedbackMessage, GetResult, GetResultResponse, SendGoal, SendGoalResponse,
};
use f1_interfaces::action_msgs::msg::{GoalInfo, GoalStatus as StatusMessage, GoalStatusArray};
use f1_interfaces::action_msgs::srv::{CancelGoal, CancelGoalRequest, CancelGoalResponse};
use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::unique_identifier_msgs::msg::UUID;
use parking_lot::Mutex;

use super::goal::{GoalId, GoalStatus, feedback_qos, status_qos};
use crate::error::Result;
use crate::node::{Node, WeakNode};
use crate::publisher::Publisher;
use crate::qos::Qos;
use crate::service::{Responder, ServiceServer};

/// How long the result of an ended goal can be requested, as in rcl_action.
const RESULT_LIFETIME: Duration = Duration::from_secs(10);

/// The answer to a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoalDecision {
    /// The goal is accepted, and work begins.
    Accept,
    /// The goal is refused.
    Reject,
}

/// The answer to a cancel request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelDecision {
    /// Accepted; the server ends the goal soon with [`ServerGoal::canceled`].
    Accept,
    /// Refused: the goal goes on.
    Reject,
}

struct Entry<A: Action> {
    status: GoalStatus,
    accepted: WireTime,
    result: Option<GetResultResponse<A>>,
    waiting: Vec<Responder<GetResult<A>>>,
}

type OnGoal<A> = Box<dyn FnMut(GoalId, &<A as Action>::Goal) -> GoalDecision + Send>;
type OnAccepted<A> = Box<dyn FnMut(ServerGoal<A>) + Send>;
type OnCancel<A> = Box<dyn FnMut(&ServerGoal<A>) -> CancelDecision + Send>;

pub(super) struct ServerInner<A: Action> {
    node: WeakNode,
    clock: crate::clock::Clock,
    goals: Mutex<BTreeMap<GoalId, Entry<A>>>,
    handles: Mutex<BTreeMap<GoalId, ServerGoal<A>>>,
    feedback: Publisher<FeedbackMessage<A>>,
    status: Publisher<GoalStatusArray>,
    on_cancel: Mutex<OnCancel<A>>,
}

/// An action that is offered; dropping it withdraws the action.
#[must_use = "dropping an action server withdraws the action"]
pub struct ActionServer<A: Action> {
    inner: Arc<ServerInner<A>>,
    name: String,
    _send_goal: ServiceServer<SendGoal<A>>,
    _cancel_goal: ServiceServer<CancelGoal>,
    _get_result: ServiceServer<GetResult<A>>,
}

/// A goal as the server sees it. Cheap to clone; the first of
/// [`succeed`](ServerGoal::succeed), [`abort`](ServerGoal::abort) and
/// [`canceled`](ServerGoal::canceled) ends it, later ones do nothing.
pub struct ServerGoal<A: Action> {
    id: GoalId,
    goal: Arc<A::Goal>,
    server: Weak<ServerInner<A>>,
}

impl<A: Action> Clone for ServerGoal<A> {
    fn clone(&self) -> ServerGoal<A> {
        ServerGoal { id: self.id, goal: self.goal.clone(), server: self.server.clone() }
    }
}

impl<A: Action> ServerGoal<A> {
    /// Its identifier.
    pub fn id(&self) -> GoalId {
        self.id
    }

    /// The request.
    pub fn goal(&self) -> &Arc<A::Goal> {
        &self.goal
    }

    /// Its status.
    pub fn status(&self) -> GoalStatus {
        self.server
            .upgrade()
            .and_then(|server| server.goals.lock().get(&self.id).map(|entry| entry.status))
            .unwrap_or(GoalStatus::Unknown)
    }

    /// Whether a cancel was accepted and the goal must end.
    pub fn is_canceling(&self) -> bool {
        self.status() == GoalStatus::Canceling
    }

    /// Whether it still runs.
    pub fn is_active(&self) -> bool {
        matches!(
            self.status(),
            GoalStatus::Accepted | GoalStatus::Executing | GoalStatus::Canceling
        )
    }

    /// Sends feedback to the client.
    pub fn feedback(&self, feedback: A::Feedback) {
        if let Some(server) = self.server.upgrade()
            && let Err(error) = server
                .feedback
                .publish(FeedbackMessage::<A> { goal_id: UUID { uuid: self.id.0 }, feedback })
        {
            tracing::warn!(%error, "feedback not sent");
        }
    }

    /// Ends it with success.
    pub fn succeed(&self, result: A::Result) {
        self.end(GoalStatus::Succeeded, result);
    }

    /// Ends it without success.
    pub fn abort(&self, result: A::Result) {
        self.end(GoalStatus::Aborted, result);
    }

    /// Ends it because the client cancelled it.
    pub fn canceled(&self, result: A::Result) {
        self.end(GoalStatus::Canceled, result);
    }

    fn end(&self, status: GoalStatus, result: A::Result) {
        if let Some(server) = self.server.upgrade() {
            server.end(self.id, status, result);
        }
    }
}

impl<A: Action> ServerInner<A> {
    fn publish_status(&self) {
        let status_list = self
            .goals
            .lock()
            .iter()
            .map(|(id, entry)| StatusMessage {
                goal_info: GoalInfo { goal_id: UUID { uuid: id.0 }, stamp: entry.accepted },
                status: entry.status as i8,
            })
            .collect();
        if let Err(error) = self.status.publish(GoalStatusArray { status_list }) {
            tracing::warn!(%error, "goal status not sent");
        }
    }

    fn end(self: &Arc<Self>, id: GoalId, status: GoalStatus, result: A::Result) {
        let response = GetResultResponse::<A> { status: status as i8, result };
        let waiting = {
            let mut goals = self.goals.lock();
            let Some(entry) = goals.get_mut(&id).filter(|entry| !entry.status.is_terminal()) else {
                return;
            };
            entry.status = status;
            entry.result = Some(response.clone());
            std::mem::take(&mut entry.waiting)
        };
        self.handles.lock().remove(&id);
        for responder in waiting {
            responder.respond(response.clone());
        }
        self.publish_status();
        if let Some(node) = self.node.upgrade() {
            let weak = Arc::downgrade(self);
            node.group().once(
                &self.clock,
                RESULT_LIFETIME,
                Box::new(move || {
                    if let Some(server) = weak.upgrade() {
                        server.goals.lock().remove(&id);
                        server.publish_status();
                    }
                }),
            );
        }
    }

    /// The goals that a cancel request names: all, one, all up to a time, or one and all up to a
    /// time.
    fn named_goals(&self, request: &CancelGoalRequest) -> Vec<GoalId> {
        let id = GoalId(request.goal_info.goal_id.uuid);
        let stamp = request.goal_info.stamp.nanoseconds();
        let any_id = id.0 == [0; 16];
        self.goals
            .lock()
            .iter()
            .filter(|(own, entry)| match (any_id, stamp) {
                (true, 0) => true,
                (false, 0) => **own == id,
                (any, stamp) => (!any && **own == id) || entry.accepted.nanoseconds() <= stamp,
            })
            .map(|(id, _)| *id)
            .collect()
    }

    fn cancel(&self, request: &CancelGoalRequest) -> CancelGoalResponse {
        let named_goals = self.named_goals(request);
        let known = !named_goals.is_empty();
        let (mut ended, mut canceling) = (0, Vec::new());
        for id in &named_goals {
            let Some(goal) = self.handles.lock().get(id).cloned() else {
                ended += 1;
                continue;
            };
            if goal.is_canceling() || (self.on_cancel.lock())(&goal) == CancelDecision::Accept {
                let mut goals = self.goals.lock();
                if let Some(entry) = goals.get_mut(id).filter(|entry| !entry.status.is_terminal()) {
                    entry.status = GoalStatus::Canceling;
                    canceling
                        .push(GoalInfo { goal_id: UUID { uuid: id.0 }, stamp: entry.accepted });
                }
            }
        }
        let named = request.goal_info.goal_id.uuid != [0; 16];
        let return_code = if !canceling.is_empty() {
            CancelGoalResponse::ERROR_NONE
        } else if !known {
            CancelGoalResponse::ERROR_UNKNOWN_GOAL_ID
        } else if ended == named_goals.len() && named {
            CancelGoalResponse::ERROR_GOAL_TERMINATED
        } else {
            CancelGoalResponse::ERROR_REJECTED
        };
        if !canceling.is_empty() {
            self.publish_status();
        }
        CancelGoalResponse { return_code, goals_canceling: canceling }
    }
}

impl<A: Action> ActionServer<A> {
    pub(crate) fn new(
        node: &Node,
        name: &str,
        mut on_goal: OnGoal<A>,
        mut on_accepted: OnAccepted<A>,
        on_cancel: OnCancel<A>,
    ) -> Result<ActionServer<A>> {
        let name = node.resolve_service(name)?;
        let inner = Arc::new(ServerInner {
            node: node.downgrade(),
            clock: node.clock(),
            goals: Mutex::new(BTreeMap::new()),
            handles: Mutex::new(BTreeMap::new()),
            feedback: node
                .create_resolved_publisher(format!("{name}/_action/feedback"), feedback_qos())?,
            status: node
                .create_resolved_publisher(format!("{name}/_action/status"), status_qos())?,
            on_cancel: Mutex::new(on_cancel),
        });
        let server = Arc::downgrade(&inner);
        let send_goal = node.create_resolved_service::<SendGoal<A>>(
            format!("{name}/_action/send_goal"),
            Qos::services(),
            move |request, responder| {
                let Some(server) = server.upgrade() else { return };
                let id = GoalId(request.goal_id.uuid);
                let stamp = WireTime::saturating_from_nanoseconds(server.clock.now().nanoseconds());
                let again = server.goals.lock().contains_key(&id);
                if again || on_goal(id, &request.goal) == GoalDecision::Reject {
                    return responder.respond(SendGoalResponse {
                        accepted: false,
                        stamp,
                        ..Default::default()
                    });
                }
                let entry = Entry {
                    status: GoalStatus::Executing,
                    accepted: stamp,
                    result: None,
                    waiting: Vec::new(),
                };
                server.goals.lock().insert(id, entry);
                let goal = ServerGoal {
                    id,
                    goal: Arc::new(request.goal.clone()),
                    server: Arc::downgrade(&server),
                };
                server.handles.lock().insert(id, goal.clone());
                responder.respond(SendGoalResponse { accepted: true, stamp, ..Default::default() });
                server.publish_status();
                on_accepted(goal);
            },
        )?;
        let server = Arc::downgrade(&inner);
        let cancel_goal = node.create_resolved_service::<CancelGoal>(
            format!("{name}/_action/cancel_goal"),
            Qos::services(),
            move |request, responder| {
                if let Some(server) = server.upgrade() {
                    responder.respond(server.cancel(&request));
                }
            },
        )?;
        let server = Arc::downgrade(&inner);
        let get_result = node.create_resolved_service::<GetResult<A>>(
            format!("{name}/_action/get_result"),
            Qos::services(),
            move |request, responder| {
                let Some(server) = server.upgrade() else { return };
                let mut goals = server.goals.lock();
                match goals.get_mut(&GoalId(request.goal_id.uuid)) {
                    Some(Entry { result: Some(result), .. }) => {
                        let result = result.clone();
                        drop(goals);
                        responder.respond(result);
                    }
                    Some(entry) => entry.waiting.push(responder),
                    None => {
                        drop(goals);
                        responder.respond(GetResultResponse::default());
                    }
                }
            },
        )?;
        Ok(ActionServer {
            inner,
            name,
            _send_goal: send_goal,
            _cancel_goal: cancel_goal,
            _get_result: get_result,
        })
    }

    /// The absolute, remapped name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The goals that still run.
    pub fn active(&self) -> Vec<ServerGoal<A>> {
        self.inner.handles.lock().values().cloned().collect()
    }
}

impl Node {
    /// Offers an action. `on_goal` decides whether a goal is accepted; `on_accepted` then gets it
    /// and ends it at some time; `on_cancel` decides whether a running goal may be cancelled. All
    /// three run on the node's executor.
    ///
    /// # Errors
    /// An invalid name or a network fault.
    pub fn create_action_server<A: Action>(
        &self,
        name: &str,
        on_goal: impl FnMut(GoalId, &A::Goal) -> GoalDecision + Send + 'static,
        on_accepted: impl FnMut(ServerGoal<A>) + Send + 'static,
        on_cancel: impl FnMut(&ServerGoal<A>) -> CancelDecision + Send + 'static,
    ) -> Result<ActionServer<A>> {
        ActionServer::new(self, name, Box::new(on_goal), Box::new(on_accepted), Box::new(on_cancel))
    }
}
