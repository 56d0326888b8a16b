//! Managed nodes: the state machine of `rcl_lifecycle`, its five services and its transition
//! events.
//!
//! Source: ROS 2 design document "Managed nodes" and `rcl_lifecycle`'s default state machine.

mod state_machine;

use std::sync::{Arc, Weak};

use f1_interfaces::lifecycle_msgs::msg::{
    State as StateMessage, Transition as TransitionMessage, TransitionEvent,
};
use f1_interfaces::lifecycle_msgs::srv::{
    ChangeState, ChangeStateResponse, GetAvailableStates, GetAvailableStatesResponse,
    GetAvailableTransitions, GetAvailableTransitionsResponse, GetState, GetStateResponse,
};
use parking_lot::Mutex;

pub use state_machine::{Outcome, State, Transition};

use self::state_machine::described;
use crate::error::Result;
use crate::node::Node;
use crate::publisher::Publisher;
use crate::qos::Qos;
use crate::service::Responder;

/// Ends a transition, now or later and from any thread. Dropped without [`Completion::finish`] it
/// counts as an error.
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

    /// Ends the transition with success, or with failure and the reason in the log.
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
    /// Starts to work. On failure the node stays inactive.
    fn on_activate(&mut self, completion: Completion);
    /// Comes to rest; afterwards the node publishes nothing.
    fn on_deactivate(&mut self, completion: Completion);
    /// Frees what configure loaded.
    fn on_cleanup(&mut self, completion: Completion);
    /// Ends the node, which was in state `from`.
    fn on_shutdown(&mut self, from: State, completion: Completion);
    /// Cleans up after an error; true leads to unconfigured, false to finalized. `from` is the
    /// state before the transition that failed.
    fn on_error(&mut self, from: State) -> bool {
        let _ = from;
        true
    }
}

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
    managed: Mutex<Option<Box<dyn ManagedNode>>>,
}

/// The lifecycle of a managed node: state, services and events. Cheap to clone.
#[derive(Clone)]
pub struct Lifecycle {
    inner: Arc<Inner>,
}

impl Lifecycle {
    /// Makes a node a managed one, in state unconfigured, and offers the services
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
                managed: Mutex::new(Some(Box::new(managed))),
            }),
        };
        lifecycle.offer(node)?;
        Ok(lifecycle)
    }

    fn upgrade(weak: &Weak<Inner>) -> Option<Lifecycle> {
        weak.upgrade().map(|inner| Lifecycle { inner })
    }

    /// Runs `work` on the node's executor, unless the lifecycle is gone by then: the queue of an
    /// executor that does not run keeps no node alive.
    fn post(&self, work: impl FnOnce(&Lifecycle) + Send + 'static) {
        let weak = Arc::downgrade(&self.inner);
        self.inner.node.post(move || {
            if let Some(lifecycle) = Lifecycle::upgrade(&weak) {
                work(&lifecycle);
            }
        });
    }

    fn offer(&self, node: &Node) -> Result<()> {
        // Weak: the node owns the services, the lifecycle owns the node.
        let weak = Arc::downgrade(&self.inner);
        let own = move || Lifecycle::upgrade(&weak);
        let lifecycle = own.clone();
        node.keep(node.create_deferred_service::<ChangeState>(
            "~/change_state",
            move |request, responder: Responder<ChangeState>| {
                let answer = move |success| responder.respond(ChangeStateResponse { success });
                let Some(lifecycle) = lifecycle() else { return answer(false) };
                match lifecycle.named(request.transition.id, &request.transition.label) {
                    Some(transition) => lifecycle.change(transition, answer),
                    None => answer(false),
                }
            },
        )?);
        let lifecycle = own.clone();
        node.keep(node.create_service::<GetState>("~/get_state", move |_| GetStateResponse {
            current_state:
                lifecycle().map_or(State::Finalized, |lifecycle| lifecycle.state()).message(),
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
        let lifecycle = own;
        node.keep(node.create_service::<GetAvailableTransitions>(
            "~/get_available_transitions",
            move |_| {
                GetAvailableTransitionsResponse {
                    available_transitions: lifecycle()
                        .map(|lifecycle| described(|from| from == lifecycle.state()))
                        .unwrap_or_default(),
                }
            },
        )?);
        node.keep(
            node.create_service::<GetAvailableTransitions>("~/get_transition_graph", |_| {
                GetAvailableTransitionsResponse { available_transitions: described(|_| true) }
            })?,
        );
        Ok(())
    }

    /// The transition that a request names: by its label, else by its number.
    fn named(&self, id: u8, label: &str) -> Option<Transition> {
        let state = self.state();
        Transition::ALL.into_iter().find(|transition| match transition.id_from(state) {
            Some(own) => (label.is_empty() && own == id) || label == transition.label(),
            None => false,
        })
    }

    /// The node's state.
    pub fn state(&self) -> State {
        *self.inner.state.lock()
    }

    /// Whether the node is active.
    pub fn is_active(&self) -> bool {
        self.state() == State::Active
    }

    /// Starts a transition; `done` is called with whether it succeeded. A transition that is not
    /// allowed, or requested while another runs, fails at once and changes nothing.
    pub fn change(&self, transition: Transition, done: impl FnOnce(bool) + Send + 'static) {
        let mut running = self.inner.running.lock();
        if running.is_none() && self.inner.managed.lock().is_none() {
            // The last transition has ended, on another thread, before its callback returned: try
            // again after it has.
            drop(running);
            return self.post(move |lifecycle| lifecycle.change(transition, done));
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
        self.enter(id, transition.label(), transition.transition_state());
        let completion = Completion { lifecycle: self.clone(), transition, done: false };
        // Taken out while it runs, so that the callback may use its own lifecycle.
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

    /// Configures and activates the node; `done` is called with whether it is active. For
    /// `autostart`.
    pub fn start(&self, done: impl FnOnce(bool) + Send + 'static) {
        let weak = Arc::downgrade(&self.inner);
        match self.state() {
            State::Unconfigured => self.change(Transition::Configure, move |success| {
                match Lifecycle::upgrade(&weak) {
                    // Posted, because the callback of configure may still be on the stack.
                    Some(lifecycle) if success => {
                        lifecycle.post(move |own| own.change(Transition::Activate, done));
                    }
                    _ => done(false),
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
            let from = running.from;
            // Posted for the same reason as in `start`.
            self.post(move |lifecycle| lifecycle.process_error(from));
        }
    }

    fn process_error(&self, from: State) {
        let Some(mut managed) = self.inner.managed.lock().take() else {
            // As in `change`.
            return self.post(move |lifecycle| lifecycle.process_error(from));
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
    }
}
