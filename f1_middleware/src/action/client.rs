//! The client end of an action.
//!
//! The result is requested when the goal is accepted, and the server answers when the goal has
//! ended. Between two DDS peers the request or its answer can be lost while only one side has
//! discovered the other (a volatile reader skips what a writer sent before it was discovered). The
//! status topic reports every end too: if it does and no result follows, the result is requested
//! again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use f1_interfaces::Action;
use f1_interfaces::action::{
    FeedbackMessage, GetResult, GetResultRequest, SendGoal, SendGoalRequest,
};
use f1_interfaces::action_msgs::msg::{GoalInfo, GoalStatusArray};
use f1_interfaces::action_msgs::srv::{CancelGoal, CancelGoalRequest, CancelGoalResponse};
use f1_interfaces::unique_identifier_msgs::msg::UUID;
use parking_lot::Mutex;

use super::goal::{GoalId, GoalStatus, feedback_qos, status_qos};
use crate::clock::Clock;
use crate::error::Result;
use crate::executor::CallbackGroup;
use crate::node::Node;
use crate::qos::Qos;
use crate::service::ServiceClient;
use crate::subscription::Subscription;

/// How long the answers to a goal and to a cancel request may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long a goal may run.
const RESULT_LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the result may take after the status topic has reported the end, and how often it is
/// then requested. Servers keep a result for at least ten seconds (`rcl_action`).
const RESULT_GRACE: Duration = Duration::from_secs(1);
const RESULT_TRIES: usize = 4;

/// How a goal ended.
#[derive(Clone, Debug)]
pub struct GoalOutcome<A: Action> {
    /// Succeeded, canceled or aborted; unknown if the server does not know the goal.
    pub status: GoalStatus,
    /// The result.
    pub result: A::Result,
}

/// What happens to a goal, in this order: accepted or rejected, feedback, ended. A failure of the
/// transport ends the goal too.
#[derive(Debug)]
pub enum GoalEvent<A: Action> {
    /// The server works on it.
    Accepted,
    /// The server refuses it.
    Rejected,
    /// Progress.
    Feedback(A::Feedback),
    /// It has ended.
    Ended(GoalOutcome<A>),
    /// No answer, or the request could not be sent.
    Failed(crate::Error),
}

type OnEvent<A> = Arc<Mutex<dyn FnMut(GoalEvent<A>) + Send>>;

struct Listener<A: Action> {
    on_event: OnEvent<A>,
    /// The status topic has reported the end.
    ended: bool,
}

/// What the callbacks of a client share.
struct Inner<A: Action> {
    get_result: ServiceClient<GetResult<A>>,
    listeners: Mutex<BTreeMap<GoalId, Listener<A>>>,
    group: Arc<CallbackGroup>,
    clock: Clock,
}

/// The client end of an action.
pub struct ActionClient<A: Action> {
    name: String,
    send_goal: ServiceClient<SendGoal<A>>,
    cancel_goal: ServiceClient<CancelGoal>,
    feedback: Subscription<FeedbackMessage<A>>,
    status: Subscription<GoalStatusArray>,
    inner: Arc<Inner<A>>,
    seed: u64,
    next: AtomicU64,
}

/// A goal that was sent; dropping it does not cancel it.
pub struct ClientGoal {
    id: GoalId,
    cancel_goal: ServiceClient<CancelGoal>,
}

impl ClientGoal {
    /// Its identifier.
    pub fn id(&self) -> GoalId {
        self.id
    }

    /// Asks the server to cancel it; `done` is called with whether the server accepts.
    ///
    /// # Errors
    /// If the request cannot be sent.
    pub fn cancel(&self, done: impl FnOnce(bool) + Send + 'static) -> Result<()> {
        let goal_info = GoalInfo { goal_id: UUID { uuid: self.id.0 }, ..GoalInfo::default() };
        self.cancel_goal.call(CancelGoalRequest { goal_info }, ANSWER_LIMIT, move |answer| {
            done(answer.is_ok_and(|answer| answer.return_code == CancelGoalResponse::ERROR_NONE));
        })
    }
}

impl<A: Action> Inner<A> {
    fn listener(&self, id: GoalId) -> Option<OnEvent<A>> {
        self.listeners.lock().get(&id).map(|listener| listener.on_event.clone())
    }

    /// Passes the last event of a goal to its listener, and removes the listener.
    fn finish(&self, id: GoalId, event: GoalEvent<A>) {
        let listener = self.listeners.lock().remove(&id);
        if let Some(listener) = listener {
            (listener.on_event.lock())(event);
        }
    }

    /// Requests the result of an accepted goal, again up to `tries` times in all.
    fn request_result(self: &Arc<Self>, id: GoalId, limit: Duration, tries: usize) {
        let request = GetResultRequest { goal_id: UUID { uuid: id.0 }, ..Default::default() };
        // Weak: the client of the service owns the callback until the answer comes, which may be
        // never.
        let weak = Arc::downgrade(self);
        let asked = self.get_result.call(request, limit, move |answer| {
            let Some(inner) = weak.upgrade() else { return };
            match answer {
                Ok(answer) => inner.finish(
                    id,
                    GoalEvent::Ended(GoalOutcome {
                        status: GoalStatus::from_number(answer.status),
                        result: answer.result.clone(),
                    }),
                ),
                Err(_) if tries > 1 && inner.listener(id).is_some() => {
                    inner.request_result(id, RESULT_GRACE, tries - 1);
                }
                Err(error) => inner.finish(id, GoalEvent::Failed(error)),
            }
        });
        if let Err(error) = asked {
            self.finish(id, GoalEvent::Failed(error));
        }
    }

    /// Handles a message of the status topic.
    fn handle_status(self: &Arc<Self>, statuses: &GoalStatusArray) {
        for status in &statuses.status_list {
            let id = GoalId(status.goal_info.goal_id.uuid);
            let news = GoalStatus::from_number(status.status).is_terminal()
                && self
                    .listeners
                    .lock()
                    .get_mut(&id)
                    .is_some_and(|listener| !std::mem::replace(&mut listener.ended, true));
            if news {
                let weak = Arc::downgrade(self);
                self.group.once(
                    &self.clock,
                    RESULT_GRACE,
                    Box::new(move || {
                        if let Some(inner) = weak.upgrade()
                            && inner.listener(id).is_some()
                        {
                            tracing::warn!(
                                action = inner.get_result.name(),
                                "a goal has ended and its result has not arrived: requesting it again"
                            );
                            inner.request_result(id, RESULT_GRACE, RESULT_TRIES);
                        }
                    }),
                );
            }
        }
    }
}

impl<A: Action> ActionClient<A> {
    /// The absolute, remapped name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a server is connected, with all its services and topics.
    pub fn is_ready(&self) -> bool {
        self.send_goal.is_ready()
            && self.cancel_goal.is_ready()
            && self.inner.get_result.is_ready()
            && self.feedback.publisher_count() > 0
            && self.status.publisher_count() > 0
    }

    fn next_id(&self) -> GoalId {
        let count = self.next.fetch_add(1, Ordering::SeqCst);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.seed.to_be_bytes());
        bytes[8..].copy_from_slice(&count.to_be_bytes());
        // Version and variant of a random UUID, which some tools check.
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        GoalId(bytes)
    }

    /// Sends a goal; `on_event` is called on the executor with what happens to it.
    ///
    /// # Errors
    /// If the request cannot be sent.
    pub fn send(
        &self,
        goal: A::Goal,
        on_event: impl FnMut(GoalEvent<A>) + Send + 'static,
    ) -> Result<ClientGoal> {
        let id = self.next_id();
        let on_event: OnEvent<A> = Arc::new(Mutex::new(on_event));
        // Feedback may arrive before the answer that the goal is accepted.
        self.inner.listeners.lock().insert(id, Listener { on_event, ended: false });
        let inner = self.inner.clone();
        let request = SendGoalRequest::<A> { goal_id: UUID { uuid: id.0 }, goal };
        let sent = self.send_goal.call(request, ANSWER_LIMIT, move |answer| match answer {
            Err(error) => inner.finish(id, GoalEvent::Failed(error)),
            Ok(answer) if !answer.accepted => inner.finish(id, GoalEvent::Rejected),
            Ok(_) => {
                if let Some(on_event) = inner.listener(id) {
                    (on_event.lock())(GoalEvent::Accepted);
                }
                inner.request_result(id, RESULT_LIMIT, 1);
            }
        });
        if let Err(error) = sent {
            self.inner.listeners.lock().remove(&id);
            return Err(error);
        }
        Ok(ClientGoal { id, cancel_goal: self.cancel_goal.clone() })
    }
}

impl Node {
    /// Makes a client of an action; the server may come later.
    ///
    /// # Errors
    /// An invalid name or a network fault.
    pub fn create_action_client<A: Action>(&self, name: &str) -> Result<ActionClient<A>> {
        let name = self.resolve_service(name)?;
        let get_result =
            self.create_resolved_client(format!("{name}/_action/get_result"), Qos::services())?;
        let inner = Arc::new(Inner {
            get_result,
            listeners: Mutex::default(),
            group: self.group().clone(),
            clock: self.clock(),
        });
        let shared = inner.clone();
        let feedback = self.create_resolved_subscription::<FeedbackMessage<A>>(
            format!("{name}/_action/feedback"),
            feedback_qos(),
            move |message, _| {
                if let Some(on_event) = shared.listener(GoalId(message.goal_id.uuid)) {
                    (on_event.lock())(GoalEvent::Feedback(message.feedback.clone()));
                }
            },
        )?;
        let shared = inner.clone();
        let status = self.create_resolved_subscription::<GoalStatusArray>(
            format!("{name}/_action/status"),
            status_qos(),
            move |statuses, _| shared.handle_status(&statuses),
        )?;
        // A virtual run must be repeatable; otherwise two processes must not choose the same
        // identifiers.
        let seed = if self.clock().is_virtual() {
            let mut hasher = std::hash::DefaultHasher::new();
            (self.fully_qualified_name(), &name).hash(&mut hasher);
            hasher.finish()
        } else {
            std::collections::hash_map::RandomState::new().build_hasher().finish()
        };
        Ok(ActionClient {
            send_goal: self
                .create_resolved_client(format!("{name}/_action/send_goal"), Qos::services())?,
            cancel_goal: self
                .create_resolved_client(format!("{name}/_action/cancel_goal"), Qos::services())?,
            name,
            feedback,
            status,
            inner,
            seed,
            next: AtomicU64::new(0),
        })
    }
}
