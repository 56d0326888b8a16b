//! The asking end of an action.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use f1_interfaces::Action;
use f1_interfaces::action::{FeedbackMessage, GetResult, GetResultRequest, SendGoal, SendGoalRequest};
use f1_interfaces::action_msgs::msg::GoalInfo;
use f1_interfaces::action_msgs::srv::{CancelGoal, CancelGoalRequest, CancelGoalResponse};
use f1_interfaces::unique_identifier_msgs::msg::UUID;
use parking_lot::Mutex;

use super::{GoalId, GoalStatus, feedback_qos};
use crate::error::Result;
use crate::node::Node;
use crate::qos::Qos;
use crate::service::ServiceClient;
use crate::subscription::Subscription;

/// How long the answers to "will you take it" and "cancel it" may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long a goal may run: the server may work for hours.
const RESULT_LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How a goal ended.
#[derive(Clone, Debug)]
pub struct GoalOutcome<A: Action> {
    /// Succeeded, canceled or aborted; unknown where the server forgot the goal.
    pub status: GoalStatus,
    /// What came of it.
    pub result: A::Result,
}

/// What happens to a goal, in this order: accepted or rejected, feedback, ended. A failure of the transport ends it too.
#[derive(Debug)]
pub enum GoalEvent<A: Action> {
    /// The server works on it.
    Accepted,
    /// The server does not take it.
    Rejected,
    /// How it goes.
    Feedback(A::Feedback),
    /// It has ended.
    Ended(GoalOutcome<A>),
    /// No answer, or the request could not be sent.
    Failed(crate::Error),
}

type OnEvent<A> = Arc<Mutex<dyn FnMut(GoalEvent<A>) + Send>>;
type Listeners<A> = Arc<Mutex<BTreeMap<GoalId, OnEvent<A>>>>;

/// The asking end of an action.
pub struct ActionClient<A: Action> {
    name: String,
    send_goal: ServiceClient<SendGoal<A>>,
    cancel_goal: ServiceClient<CancelGoal>,
    get_result: ServiceClient<GetResult<A>>,
    feedback: Subscription<FeedbackMessage<A>>,
    listeners: Listeners<A>,
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

    /// Asks the server to cancel it; `done` is told whether the server will.
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

impl<A: Action> ActionClient<A> {
    /// The absolute, remapped name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a server is connected, all of it.
    pub fn is_ready(&self) -> bool {
        self.send_goal.is_ready()
            && self.cancel_goal.is_ready()
            && self.get_result.is_ready()
            && self.feedback.publisher_count() > 0
    }

    fn next_id(&self) -> GoalId {
        let count = self.next.fetch_add(1, Ordering::SeqCst);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.seed.to_be_bytes());
        bytes[8..].copy_from_slice(&count.to_be_bytes());
        // The marks of a random UUID, which some tools check.
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        GoalId(bytes)
    }

    /// Sends a goal; `on_event` is called on the executor with what becomes of it.
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
        // Feedback may come before the answer that the goal is taken.
        self.listeners.lock().insert(id, on_event.clone());
        let (listeners, get_result) = (self.listeners.clone(), self.get_result.clone());
        let request = SendGoalRequest::<A> { goal_id: UUID { uuid: id.0 }, goal };
        let sent = self.send_goal.call(request, ANSWER_LIMIT, move |answer| {
            let over = |event| {
                listeners.lock().remove(&id);
                (on_event.lock())(event);
            };
            match answer {
                Err(error) => over(GoalEvent::Failed(error)),
                Ok(answer) if !answer.accepted => over(GoalEvent::Rejected),
                Ok(_) => {
                    (on_event.lock())(GoalEvent::Accepted);
                    let (listener, listening) = (on_event.clone(), listeners.clone());
                    let request = GetResultRequest { goal_id: UUID { uuid: id.0 }, ..Default::default() };
                    let asked = get_result.call(request, RESULT_LIMIT, move |answer| {
                        listening.lock().remove(&id);
                        let event = match answer {
                            Ok(answer) => GoalEvent::Ended(GoalOutcome {
                                status: GoalStatus::from_number(answer.status),
                                result: answer.result.clone(),
                            }),
                            Err(error) => GoalEvent::Failed(error),
                        };
                        (listener.lock())(event);
                    });
                    if let Err(error) = asked {
                        over(GoalEvent::Failed(error));
                    }
                }
            }
        });
        if let Err(error) = sent {
            self.listeners.lock().remove(&id);
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
        let listeners: Listeners<A> = Arc::default();
        let told = listeners.clone();
        let feedback = self.create_resolved_subscription::<FeedbackMessage<A>>(
            format!("{name}/_action/feedback"),
            feedback_qos(),
            move |message, _| {
                let listener = told.lock().get(&GoalId(message.goal_id.uuid)).cloned();
                if let Some(listener) = listener {
                    (listener.lock())(GoalEvent::Feedback(message.feedback.clone()));
                }
            },
        )?;
        // Virtual runs must repeat; elsewhere two processes must not choose the same identifiers.
        let seed = if self.clock().is_virtual() {
            let mut hasher = std::hash::DefaultHasher::new();
            (self.fully_qualified_name(), &name).hash(&mut hasher);
            hasher.finish()
        } else {
            std::collections::hash_map::RandomState::new().build_hasher().finish()
        };
        Ok(ActionClient {
            send_goal: self.create_resolved_client(format!("{name}/_action/send_goal"), Qos::services())?,
            cancel_goal: self
                .create_resolved_client(format!("{name}/_action/cancel_goal"), Qos::services())?,
            get_result: self.create_resolved_client(format!("{name}/_action/get_result"), Qos::services())?,
            name,
            feedback,
            listeners,
            seed,
            next: AtomicU64::new(0),
        })
    }
}
