//! Managed nodes: the state machine of `rcl_lifecycle`, its five services and its transition
//! events.
//!
//! Source: ROS 2 design document "Managed nodes" and `rcl_lifecycle`'s default state machine.

use std::sync::Arc;

use f1_interfaces::lifecycle_msgs::msg::{
    State as StateMessage, Transition as TransitionMessage, TransitionDescription, TransitionEvent,
};
use f1_interfaces::lifecycle_msgs::srv::{
    ChangeState, ChangeStateResponse, GetAvailableStates, GetAvailableStatesResponse,
    GetAvailableTransitions, GetAvailableTransitionsResponse, GetState, GetStateResponse,
};
use parking_lot::Mutex;

use crate::error::Result;
use crate::node::Node;
use crate::publisher::Publisher;
use crate::qos::Qos;
use crate::service::Responder;

/// Where a managed node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Made, nothing loaded.
    Unconfigured = 1,
    /// Loaded, silent.
    Inactive = 2,
    /// At work.
    Active = 3,
    /// At its end.
    Finalized = 4,
    /// On the way to inactive.
    Configuring = 10,
    /// On the way to unconfigured.
    CleaningUp = 11,
    /// On the way to finalized.
    ShuttingDown = 12,
    /// On the way to active.
    Activating = 13,
    /// On the way back to inactive.
    Deactivating = 14,
    /// A transition has failed badly.
    ErrorProcessing = 15,
}

impl State {
    /// Every state.
    pub const ALL: [State; 10] = [
        State::Unconfigured,
        State::Inactive,
        State::Active,
        State::Finalized,
        State::Configuring,
        State::CleaningUp,
        State::ShuttingDown,
        State::Activating,
        State::Deactivating,
        State::ErrorProcessing,
    ];

    /// The label that ROS tools show.
    pub fn label(self) -> &'static str {
        match self {
            State::Unconfigured => "unconfigured",
            State::Inactive => "inactive",
            State::Active => "active",
            State::Finalized => "finalized",
            State::Configuring => "configuring",
            State::CleaningUp => "cleaningup",
            State::ShuttingDown => "shuttingdown",
            State::Activating => "activating",
            State::Deactivating => "deactivating",
            State::ErrorProcessing => "errorprocessing",
        }
    }

    fn message(self) -> StateMessage {
        StateMessage { id: self as u8, label: self.label().to_owned() }
    }
}

/// What can be asked of a managed node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Load.
    Configure,
    /// Free what was loaded.
    Cleanup,
    /// Go to work.
    Activate,
    /// Come to rest.
    Deactivate,
    /// End, from whatever primary state.
    Shutdown,
}

impl Transition {
    /// The label that ROS tools use.
    pub fn label(self) -> &'static str {
        match self {
            Transition::Configure => "configure",
            Transition::Cleanup => "cleanup",
            Transition::Activate => "activate",
            Transition::Deactivate => "deactivate",
            Transition::Shutdown => "shutdown",
        }
    }

    /// The transition's number from a state, if it is allowed there.
    pub fn id_from(self, state: State) -> Option<u8> {
        match (self, state) {
            (Transition::Configure, State::Unconfigured) => Some(1),
            (Transition::Cleanup, State::Inactive) => Some(2),
            (Transition::Activate, State::Inactive) => Some(3),
            (Transition::Deactivate, State::Active) => Some(4),
            (Transition::Shutdown, State::Unconfigured) => Some(5),
            (Transition::Shutdown, State::Inactive) => Some(6),
            (Transition::Shutdown, State::Active) => Some(7),
            _ => None,
        }
    }

    const ALL: [Transition; 5] = [
        Transition::Configure,
        Transition::Cleanup,
        Transition::Activate,
        Transition::Deactivate,
        Transition::Shutdown,
    ];

    fn on_the_way(self) -> State {
        match self {
            Transition::Configure => State::Configuring,
            Transition::Cleanup => State::CleaningUp,
            Transition::Activate => State::Activating,
            Transition::Deactivate => State::Deactivating,
            Transition::Shutdown => State::ShuttingDown,
        }
    }

    fn goal(self) -> State {
        match self {
            Transition::Configure | Transition::Deactivate => State::Inactive,
            Transition::Cleanup => State::Unconfigured,
            Transition::Activate => State::Active,
            Transition::Shutdown => State::Finalized,
        }
    }

    /// The number of "the callback has ended so".
    fn outcome_id(self, outcome: Outcome) -> u8 {
        let base = match self {
            Transition::Configure => 10,
            Transition::Cleanup => 20,
            Transition::Activate => 30,
            Transition::Deactivate => 40,
            Transition::Shutdown => 50,
        };
        base + match outcome {
            Outcome::Success => 0,
            Outcome::Failure => 1,
            Outcome::Error => 2,
        }
    }
}

/// How a transition's callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The goal state is reached.
    Success,
    /// It could not be done; the node is back where it was.
    Failure,
    /// It went wrong; [`ManagedNode::on_error`] decides.
    Error,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Outcome::Success => "transition_success",
            Outcome::Failure => "transition_failure",
            Outcome::Error => "transition_error",
        }
    }
}

/// Ends a transition, now or later and from any thread. Dropped without a word it counts as an
/// error.
pub struct Completion {
    lifecycle: Lifecycle,
    transition: Transition,
    done: bool,
}

impl Completion {
    /// Ends the transition.
    pub fn finish(mut self, outcome: Outcome) {
        self.done = true;
        self.lifecycle.conclude(self.transition, outcome);
    }

    /// Ends the transition by a result; a failure is logged with its reason.
    pub fn finish_with<E: std::fmt::Display>(self, result: std::result::Result<(), E>) {
        match result {
            Ok(()) => self.finish(Outcome::Success),
            Err(error) => {
                let (node, label) = (&self.lifecycle.inner.node, self.transition.label());
                node.logger().error(format!("cannot {label}: {error}"));
                self.finish(Outcome::Failure);
            }
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if !self.done {
            self.lifecycle.conclude(self.transition, Outcome::Error);
        }
    }
}

/// What a node does on each transition. Callbacks run on the node's executor; long work (loading a
/// model) goes to a thread that keeps the [`Completion`].
pub trait ManagedNode: Send + 'static {
    /// Loads. On failure the node stays unconfigured.
    fn on_configure(&mut self, completion: Completion);
    /// Goes to work. On failure the node stays inactive.
    fn on_activate(&mut self, completion: Completion);
    /// Comes to rest and is silent.
    fn on_deactivate(&mut self, completion: Completion);
    /// Frees what configure loaded.
    fn on_cleanup(&mut self, completion: Completion);
    /// Ends, from the given state.
    fn on_shutdown(&mut self, from: State, completion: Completion);
    /// Cleans up after an error; true leads to unconfigured, false to finalized.
    fn on_error(&mut self, from: State) -> bool {
        let _ = from;
        true
    }
}

type Listener = Arc<dyn Fn(State) + Send + Sync>;
type Waiter = Box<dyn FnOnce(bool) + Send>;

struct Running {
    from: State,
    waiter: Option<Waiter>,
}

struct Inner {
    node: Node,
    state: Mutex<State>,
    running: Mutex<Option<Running>>,
    events: Publisher<TransitionEvent>,
    listeners: Mutex<Vec<Listener>>,
    managed: Mutex<Option<Box<dyn ManagedNode>>>,
}

/// The life of a managed node: state, services and events. Cheap to clone.
#[derive(Clone)]
pub struct Lifecycle {
    inner: Arc<Inner>,
}

impl Lifecycle {
    /// Puts a node under management, in state unconfigured, and offers the services
    /// `~/change_state`, `~/get_state`, `~/get_available_states`,
    /// `~/get_available_transitions`, `~/get_transition_graph` and the topic
    /// `~/transition_event`.
    ///
    /// # Errors
    /// If an endpoint cannot be made.
    pub fn manage(node: &Node, managed: impl ManagedNode) -> Result<Lifecycle> {
        let events = node.create_publisher("~/transition_event", Qos::reliable())?;
        let lifecycle = Lifecycle {
            inner: Arc::new(Inner {
                node: node.clone(),
                state: Mutex::new(State::Unconfigured),
                running: Mutex::new(None),
                events,
                listeners: Mutex::new(Vec::new()),
                managed: Mutex::new(Some(Box::new(managed))),
            }),
        };
        lifecycle.offer(node)?;
        Ok(lifecycle)
    }

    fn offer(&self, node: &Node) -> Result<()> {
        // Weak: the node keeps the services, the life keeps the node.
        let weak = Arc::downgrade(&self.inner);
        let own = move || weak.upgrade().map(|inner| Lifecycle { inner });
        let life = own.clone();
        node.keep(node.create_deferred_service::<ChangeState>(
            "~/change_state",
            move |request, responder: Responder<ChangeState>| {
                let answer = move |success| responder.respond(ChangeStateResponse { success });
                let Some(life) = life() else { return answer(false) };
                match life.named(request.transition.id, &request.transition.label) {
                    Some(transition) => life.change(transition, answer),
                    None => answer(false),
                }
            },
        )?);
        let life = own.clone();
        node.keep(node.create_service::<GetState>("~/get_state", move |_| GetStateResponse {
            current_state: life().map_or(State::Finalized, |life| life.state()).message(),
        })?);
        node.keep(node.create_service::<GetAvailableStates>("~/get_available_states", |_| {
            GetAvailableStatesResponse {
                available_states: std::iter::once(StateMessage {
                    id: 0,
                    label: "unknown".to_owned(),
                })
                .chain(State::ALL.iter().map(|state| state.message()))
                .collect(),
            }
        })?);
        let life = own;
        node.keep(node.create_service::<GetAvailableTransitions>(
            "~/get_available_transitions",
            move |_| GetAvailableTransitionsResponse {
                available_transitions:
                    life().map(|life| described(|from| from == life.state())).unwrap_or_default(),
            },
        )?);
        node.keep(
            node.create_service::<GetAvailableTransitions>("~/get_transition_graph", |_| {
                GetAvailableTransitionsResponse { available_transitions: described(|_| true) }
            })?,
        );
        Ok(())
    }

    /// The transition that a request means: by its label, else by its number.
    fn named(&self, id: u8, label: &str) -> Option<Transition> {
        let state = self.state();
        Transition::ALL.into_iter().find(|transition| match transition.id_from(state) {
            Some(own) => (label.is_empty() && own == id) || label == transition.label(),
            None => false,
        })
    }

    /// Where the node stands.
    pub fn state(&self) -> State {
        *self.inner.state.lock()
    }

    /// Whether the node is at work.
    pub fn is_active(&self) -> bool {
        self.state() == State::Active
    }

    /// Calls back after every change of state, on whatever thread ended the transition.
    pub fn on_state(&self, listener: impl Fn(State) + Send + Sync + 'static) {
        self.inner.listeners.lock().push(Arc::new(listener));
    }

    /// Starts a transition; `done` is told whether it succeeded. A transition that is not allowed,
    /// or asked for while another runs, fails at once and changes nothing.
    pub fn change(&self, transition: Transition, done: impl FnOnce(bool) + Send + 'static) {
        let mut running = self.inner.running.lock();
        if running.is_none() && self.inner.managed.lock().is_none() {
            // The last transition has ended, on another thread, before its callback returned: in a
            // moment.
            drop(running);
            let life = self.clone();
            return self.inner.node.post(move || life.change(transition, done));
        }
        let from = self.state();
        let Some(id) = transition.id_from(from).filter(|_| running.is_none()) else {
            drop(running);
            self.inner.node.logger().warn(format!(
                "{} is not possible in state {}",
                transition.label(),
                from.label()
            ));
            return done(false);
        };
        *running = Some(Running { from, waiter: Some(Box::new(done)) });
        drop(running);
        self.enter(id, transition.label(), transition.on_the_way());
        let completion = Completion { lifecycle: self.clone(), transition, done: false };
        // Taken out while it runs, so that the callback may look at the life it leads.
        let managed = self.inner.managed.lock().take();
        if let Some(mut managed) = managed {
            match transition {
                Transition::Configure => managed.on_configure(completion),
                Transition::Cleanup => managed.on_cleanup(completion),
                Transition::Activate => managed.on_activate(completion),
                Transition::Deactivate => managed.on_deactivate(completion),
                Transition::Shutdown => managed.on_shutdown(from, completion),
            }
            *self.inner.managed.lock() = Some(managed);
        }
    }

    /// Walks up to active; `done` is told whether it got there. For `autostart`.
    pub fn start(&self, done: impl FnOnce(bool) + Send + 'static) {
        let life = self.clone();
        match self.state() {
            State::Unconfigured => self.change(Transition::Configure, move |success| {
                if success {
                    // Posted, because the callback of configure may still be on the stack.
                    let node = life.inner.node.clone();
                    node.post(move || life.change(Transition::Activate, done));
                } else {
                    done(false);
                }
            }),
            State::Inactive => self.change(Transition::Activate, done),
            state => done(state == State::Active),
        }
    }

    fn conclude(&self, transition: Transition, outcome: Outcome) {
        let Some(mut running) = self.inner.running.lock().take() else { return };
        let to = match outcome {
            Outcome::Success => transition.goal(),
            Outcome::Failure => running.from,
            Outcome::Error => State::ErrorProcessing,
        };
        self.enter(transition.outcome_id(outcome), outcome.label(), to);
        if let Some(waiter) = running.waiter.take() {
            waiter(outcome == Outcome::Success);
        }
        if outcome == Outcome::Error {
            let life = self.clone();
            let from = running.from;
            // Posted for the same reason as in `start`.
            self.inner.node.post(move || life.process_error(from));
        }
    }

    fn process_error(&self, from: State) {
        let Some(mut managed) = self.inner.managed.lock().take() else {
            // As in `change`.
            let life = self.clone();
            return self.inner.node.post(move || life.process_error(from));
        };
        let recovered = managed.on_error(from);
        *self.inner.managed.lock() = Some(managed);
        if recovered {
            self.enter(60, "transition_success", State::Unconfigured);
        } else {
            self.enter(61, "transition_failure", State::Finalized);
        }
    }

    fn enter(&self, id: u8, label: &str, to: State) {
        let from = std::mem::replace(&mut *self.inner.state.lock(), to);
        let event = TransitionEvent {
            timestamp: self.inner.node.now().nanoseconds().max(0) as u64,
            transition: TransitionMessage { id, label: label.to_owned() },
            start_state: from.message(),
            goal_state: to.message(),
        };
        if let Err(error) = self.inner.events.publish(event) {
            self.inner.node.logger().warn(format!("transition event not sent: {error}"));
        }
        let listeners = self.inner.listeners.lock().clone();
        for listener in listeners {
            listener(to);
        }
    }
}

/// The transitions that can be asked for from the states that `wanted` picks.
fn described(wanted: impl Fn(State) -> bool) -> Vec<TransitionDescription> {
    let mut list = Vec::new();
    for from in State::ALL.into_iter().filter(|state| wanted(*state)) {
        for transition in Transition::ALL {
            if let Some(id) = transition.id_from(from) {
                list.push(TransitionDescription {
                    transition: TransitionMessage { id, label: transition.label().to_owned() },
                    start_state: from.message(),
                    goal_state: transition.on_the_way().message(),
                });
            }
            if transition.on_the_way() == from {
                for outcome in [Outcome::Success, Outcome::Failure, Outcome::Error] {
                    let goal = match outcome {
                        Outcome::Success => transition.goal(),
                        Outcome::Error => State::ErrorProcessing,
                        Outcome::Failure => match transition {
                            Transition::Configure => State::Unconfigured,
                            Transition::Cleanup | Transition::Activate => State::Inactive,
                            Transition::Deactivate => State::Active,
                            Transition::Shutdown => State::Finalized,
                        },
                    };
                    list.push(TransitionDescription {
                        transition: TransitionMessage {
                            id: transition.outcome_id(outcome),
                            label: outcome.label().to_owned(),
                        },
                        start_state: from.message(),
                        goal_state: goal.message(),
                    });
                }
            }
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_labels_are_those_of_ros() {
        for (state, id, label) in [
            (State::Unconfigured, StateMessage::PRIMARY_STATE_UNCONFIGURED, "unconfigured"),
            (State::Active, StateMessage::PRIMARY_STATE_ACTIVE, "active"),
            (State::CleaningUp, StateMessage::TRANSITION_STATE_CLEANINGUP, "cleaningup"),
            (
                State::ErrorProcessing,
                StateMessage::TRANSITION_STATE_ERRORPROCESSING,
                "errorprocessing",
            ),
        ] {
            assert_eq!((state as u8, state.label()), (id, label));
        }
        for (transition, from, id) in [
            (Transition::Configure, State::Unconfigured, TransitionMessage::TRANSITION_CONFIGURE),
            (Transition::Shutdown, State::Active, TransitionMessage::TRANSITION_ACTIVE_SHUTDOWN),
            (Transition::Deactivate, State::Active, TransitionMessage::TRANSITION_DEACTIVATE),
        ] {
            assert_eq!(transition.id_from(from), Some(id));
        }
        assert_eq!(
            Transition::Activate.outcome_id(Outcome::Error),
            TransitionMessage::TRANSITION_ON_ACTIVATE_ERROR
        );
        assert_eq!(Transition::Activate.id_from(State::Unconfigured), None);
    }
}
