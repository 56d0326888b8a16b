//! The action `execute_task`: follow an instruction until a time limit, a cancellation or a stop.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Duration as WireDuration;
use f1_interfaces::f1_msgs::action::{ExecuteTask, ExecuteTaskFeedback, ExecuteTaskResult};
use f1_middleware::action::{CancelDecision, GoalDecision};
use f1_middleware::{ActionServer, Clock, ClockKind, Node, Timer};
use parking_lot::Mutex;

use crate::core::Core;
use crate::error::NodeResult;
use crate::safety::{HomeEnd, HomeRequest};
use crate::status::PolicyState;
use crate::topics;

type Goal = f1_middleware::action::ServerGoal<ExecuteTask>;

/// The goal that runs.
struct Running {
    goal: Goal,
    began: Duration,
    limit: Option<Duration>,
    chunks_before: u64,
    /// It goes home first and follows no instruction yet.
    goes_home: bool,
}

/// Offers `execute_task`; dropping it withdraws the action.
pub struct TaskServer {
    _server: ActionServer<ExecuteTask>,
    _timer: Timer,
}

impl TaskServer {
    /// Offers the action on a node.
    ///
    /// # Errors
    /// Names that the middleware refuses.
    pub fn offer(node: &Node, core: &Arc<Core>) -> NodeResult<Self> {
        let running: Arc<Mutex<Option<Running>>> = Arc::default();
        let clock = node.clock();
        let (accepted, shared, now) = (running.clone(), core.clone(), clock.clone());
        let server = node.create_action_server::<ExecuteTask>(
            topics::EXECUTE_TASK.name,
            |_, goal| {
                if goal.instruction.trim().is_empty() {
                    GoalDecision::Reject
                } else {
                    GoalDecision::Accept
                }
            },
            move |goal: Goal| {
                let chunks_before = shared.status.lock().total_chunks;
                let limit = goal.goal().time_limit.to_std();
                let next = Running {
                    began: now.steady(),
                    limit: (!limit.is_zero()).then_some(limit),
                    chunks_before,
                    goes_home: goal.goal().home_first,
                    goal: goal.clone(),
                };
                let before = accepted.lock().replace(next);
                if let Some(before) = before {
                    before.end(&shared, &now, Ending::Replaced);
                }
                if goal.goal().home_first {
                    go_home(&accepted, &shared, &now, &goal);
                } else {
                    shared.set_instruction(&goal.goal().instruction);
                }
            },
            |_| CancelDecision::Accept,
        )?;
        let (shared, ticking) = (core.clone(), running);
        let timer = node.create_timer(Duration::from_millis(100), ClockKind::Steady, move || {
            tick(&ticking, &shared, &clock);
        });
        Ok(Self { _server: server, _timer: timer })
    }
}

/// Goes home, then follows the goal's instruction.
fn go_home(running: &Arc<Mutex<Option<Running>>>, core: &Arc<Core>, clock: &Clock, goal: &Goal) {
    // What was done before ends here.
    core.set_instruction("");
    let is_current = |goal: &Goal, slot: &Option<Running>| {
        slot.as_ref().is_some_and(|running| running.goal.id() == goal.id())
    };
    let (watched, ended) = (goal.clone(), goal.clone());
    let (slot, shared, now) = (running.clone(), core.clone(), clock.clone());
    let done = move |end: HomeEnd, reason: String| {
        {
            let mut slot = slot.lock();
            if !is_current(&ended, &slot) {
                return;
            }
            match &mut *slot {
                Some(running) if end == HomeEnd::Arrived => {
                    (running.goes_home, running.began) = (false, now.steady());
                }
                other => {
                    let ended = other.take();
                    drop(slot);
                    if let Some(ended) = ended {
                        let cancelled = end == HomeEnd::Cancelled && ended.goal.is_canceling();
                        let ending = if cancelled { Ending::Cancelled } else { Ending::Stopped };
                        ended.end_with(&shared, &now, ending, Some(reason));
                    }
                    return;
                }
            }
        }
        shared.set_instruction(&ended.goal().instruction);
    };
    let slot = running.clone();
    let request = HomeRequest {
        speed_scale: 0.0,
        cancelled: Box::new(move || watched.is_canceling() || !is_current(&watched, &slot.lock())),
        feedback: Box::new(|_| {}),
        done: Box::new(done),
    };
    let sent = core.homes.send(request);
    let unsent = if sent { None } else { running.lock().take() };
    if let Some(unsent) = unsent {
        let reason = "safety_filter is not configured".to_owned();
        unsent.end_with(core, clock, Ending::Stopped, Some(reason));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    TimeLimit,
    Cancelled,
    Replaced,
    Stopped,
}

fn tick(running: &Mutex<Option<Running>>, core: &Core, clock: &Clock) {
    let mut slot = running.lock();
    let Some(current) = &*slot else { return };
    let elapsed = clock.steady().saturating_sub(current.began);
    let (state, instruction) = {
        let status = core.status.lock();
        (status.state().0, status.instruction.clone())
    };
    let ending = if current.goal.is_canceling() {
        Some(Ending::Cancelled)
    } else if !current.goes_home && instruction.as_ref() != current.goal.goal().instruction.trim() {
        Some(Ending::Replaced)
    } else if matches!(state, PolicyState::Stopped | PolicyState::Fault) {
        Some(Ending::Stopped)
    } else if !current.goes_home && current.limit.is_some_and(|limit| elapsed >= limit) {
        Some(Ending::TimeLimit)
    } else {
        None
    };
    match ending {
        Some(ending) => {
            let ended = slot.take();
            drop(slot);
            // A replaced instruction is followed by the new one; every other end brings the robot
            // to rest.
            if ending != Ending::Replaced {
                core.set_instruction("");
            }
            if let Some(ended) = ended {
                ended.end(core, clock, ending);
            }
        }
        None => {
            let (psnr, agreement) = match &core.status.lock().foresight {
                Some(error) => (error.psnr, error.token_agreement),
                None => (f64::NAN, f64::NAN),
            };
            current.goal.feedback(ExecuteTaskFeedback {
                elapsed: WireDuration::try_from(elapsed).unwrap_or_default(),
                chunk_count: current.chunks(core),
                foresight_psnr: psnr,
                foresight_token_agreement: agreement,
            });
        }
    }
}

impl Running {
    fn chunks(&self, core: &Core) -> u64 {
        core.status.lock().total_chunks.saturating_sub(self.chunks_before)
    }

    fn end(&self, core: &Core, clock: &Clock, ending: Ending) {
        self.end_with(core, clock, ending, None);
    }

    fn end_with(&self, core: &Core, clock: &Clock, ending: Ending, reason: Option<String>) {
        let (outcome, message) = match ending {
            Ending::TimeLimit => {
                (ExecuteTaskResult::OUTCOME_TIME_LIMIT, "the time limit was reached".to_owned())
            }
            Ending::Cancelled => (ExecuteTaskResult::OUTCOME_CANCELLED, "cancelled".to_owned()),
            Ending::Replaced => (
                ExecuteTaskResult::OUTCOME_REPLACED,
                "a newer goal or instruction took its place".to_owned(),
            ),
            Ending::Stopped => {
                let reason = reason.unwrap_or_else(|| core.status.lock().state().1);
                (ExecuteTaskResult::OUTCOME_STOPPED, reason)
            }
        };
        let result = ExecuteTaskResult {
            outcome,
            message,
            elapsed: WireDuration::try_from(clock.steady().saturating_sub(self.began))
                .unwrap_or_default(),
            chunk_count: self.chunks(core),
        };
        match ending {
            Ending::TimeLimit => self.goal.succeed(result),
            Ending::Cancelled => self.goal.canceled(result),
            Ending::Replaced | Ending::Stopped => self.goal.abort(result),
        }
    }
}
