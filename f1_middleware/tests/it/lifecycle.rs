//! Managed nodes.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::lifecycle_msgs::msg::{Transition as TransitionMessage, TransitionEvent};
use f1_interfaces::lifecycle_msgs::srv::{
    ChangeState, ChangeStateRequest, GetAvailableStates, GetAvailableTransitions, GetState,
};
use f1_middleware::lifecycle::{Completion, Outcome, State, Transition};
use f1_middleware::{
    Backend, Context, ContextOptions, Lifecycle, ManagedNode, NodeOptions, Qos, ServiceClient,
};
use parking_lot::Mutex;

use crate::support::{LIMIT, Pair, pairs, virtual_context};

#[derive(Default)]
struct Script {
    calls: Vec<&'static str>,
    outcome: Option<Outcome>,
    held: Option<Completion>,
    hold: bool,
}

#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn take(&self, name: &'static str, completion: Completion) {
        let mut script = self.0.lock();
        script.calls.push(name);
        let outcome = script.outcome.unwrap_or(Outcome::Success);
        if script.hold {
            script.held = Some(completion);
        } else {
            drop(script);
            completion.finish(outcome);
        }
    }
}

impl ManagedNode for Scripted {
    fn on_configure(&mut self, completion: Completion) {
        self.take("configure", completion);
    }

    fn on_activate(&mut self, completion: Completion) {
        self.take("activate", completion);
    }

    fn on_deactivate(&mut self, completion: Completion) {
        self.take("deactivate", completion);
    }

    fn on_cleanup(&mut self, completion: Completion) {
        self.take("cleanup", completion);
    }

    fn on_shutdown(&mut self, _from: State, completion: Completion) {
        self.take("shutdown", completion);
    }

    fn on_error(&mut self, _from: State) -> bool {
        self.0.lock().calls.push("error");
        true
    }
}

fn ask(pair: &Pair, client: &ServiceClient<ChangeState>, id: u8, label: &str) -> bool {
    let slot = Arc::new(Mutex::new(None));
    let into = slot.clone();
    let transition = TransitionMessage { id, label: label.into() };
    client
        .call(ChangeStateRequest { transition }, LIMIT, move |answer| *into.lock() = Some(answer))
        .unwrap();
    pair.spin_until("an answer", || slot.lock().is_some());
    slot.lock().take().unwrap().unwrap().success
}

#[test]
fn a_tool_takes_a_node_through_all_its_states() {
    for pair in pairs() {
        let (tool, node) =
            (pair.a.create_node("tool").unwrap(), pair.b.create_node("action").unwrap());
        let script = Scripted::default();
        let lifecycle = Lifecycle::manage(&node, script.clone()).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let into = events.clone();
        let _subscription = tool
            .create_subscription::<TransitionEvent>(
                "/action/transition_event",
                Qos::reliable().keep_last(50),
                move |event, _| {
                    into.lock()
                        .push((event.start_state.label.clone(), event.goal_state.label.clone()))
                },
            )
            .unwrap();
        let change = tool.create_client::<ChangeState>("/action/change_state").unwrap();
        let get = tool.create_client::<GetState>("/action/get_state").unwrap();
        pair.spin_until("the services", || {
            change.is_ready() && get.is_ready() && _subscription.publisher_count() > 0
        });
        // By number, by label, by a number that another state would need.
        assert!(ask(&pair, &change, TransitionMessage::TRANSITION_CONFIGURE, ""), "{}", pair.name);
        assert!(ask(&pair, &change, 0, "activate"));
        assert!(
            !ask(&pair, &change, TransitionMessage::TRANSITION_CONFIGURE, ""),
            "not from active"
        );
        let state = Arc::new(Mutex::new(None));
        let into = state.clone();
        get.call(Default::default(), LIMIT, move |answer| *into.lock() = answer.ok()).unwrap();
        pair.spin_until("the state", || state.lock().is_some());
        assert_eq!(state.lock().take().unwrap().current_state.label, "active");
        assert!(ask(&pair, &change, TransitionMessage::TRANSITION_DEACTIVATE, ""));
        assert!(ask(&pair, &change, TransitionMessage::TRANSITION_CLEANUP, ""));
        assert!(ask(&pair, &change, TransitionMessage::TRANSITION_UNCONFIGURED_SHUTDOWN, ""));
        assert_eq!(lifecycle.state(), State::Finalized);
        assert_eq!(
            script.0.lock().calls,
            ["configure", "activate", "deactivate", "cleanup", "shutdown"]
        );
        pair.spin_until("ten events", || events.lock().len() == 10);
        assert_eq!(events.lock()[0], ("unconfigured".into(), "configuring".into()));
        assert_eq!(events.lock()[3], ("activating".into(), "active".into()));
    }
}

#[test]
fn a_failure_leads_back_and_an_error_to_on_error() {
    let context = virtual_context();
    let node = context.create_node("n").unwrap();
    let script = Scripted::default();
    let lifecycle = Lifecycle::manage(&node, script.clone()).unwrap();
    script.0.lock().outcome = Some(Outcome::Failure);
    lifecycle.change(Transition::Configure, |success| assert!(!success));
    assert_eq!(lifecycle.state(), State::Unconfigured);
    script.0.lock().outcome = Some(Outcome::Error);
    lifecycle.change(Transition::Configure, |success| assert!(!success));
    assert_eq!(lifecycle.state(), State::ErrorProcessing);
    context.executor().spin_once(std::time::Duration::ZERO);
    assert_eq!(lifecycle.state(), State::Unconfigured);
    assert_eq!(script.0.lock().calls, ["configure", "configure", "error"]);
}

#[test]
fn only_one_transition_runs_at_a_time_and_a_forgotten_one_is_an_error() {
    let context = virtual_context();
    let node = context.create_node("n").unwrap();
    let script = Scripted::default();
    let lifecycle = Lifecycle::manage(&node, script.clone()).unwrap();
    script.0.lock().hold = true;
    lifecycle.change(Transition::Configure, |_| {});
    assert_eq!(lifecycle.state(), State::Configuring);
    lifecycle.change(Transition::Configure, |success| assert!(!success));
    assert_eq!(script.0.lock().calls.len(), 1);
    let forgotten = script.0.lock().held.take();
    drop(forgotten);
    assert_eq!(lifecycle.state(), State::ErrorProcessing);
}

#[test]
fn autostart_leads_to_active() {
    let context = virtual_context();
    let node = context.create_node("n").unwrap();
    let lifecycle = Lifecycle::manage(&node, Scripted::default()).unwrap();
    let reached = Arc::new(Mutex::new(None));
    let into = reached.clone();
    lifecycle.start(move |success| *into.lock() = Some(success));
    context.executor().spin_once(std::time::Duration::ZERO);
    assert_eq!((*reached.lock(), lifecycle.is_active()), (Some(true), true));
}

#[test]
fn the_graph_of_transitions_is_that_of_rcl() {
    let context = virtual_context();
    let node = context.create_node("n").unwrap();
    let _life = Lifecycle::manage(&node, Scripted::default()).unwrap();
    let executor = context.executor();
    let graph = node.create_client::<GetAvailableTransitions>("~/get_transition_graph").unwrap();
    let graph = graph.call_and_spin(&executor, Default::default(), LIMIT).unwrap();
    // Seven that can be asked for, three outcomes for each of five.
    assert_eq!(graph.available_transitions.len(), 22);
    let now = node.create_client::<GetAvailableTransitions>("~/get_available_transitions").unwrap();
    let now = now.call_and_spin(&executor, Default::default(), LIMIT).unwrap();
    let labels: Vec<_> =
        now.available_transitions.iter().map(|t| t.transition.label.as_str()).collect();
    assert_eq!(labels, ["configure", "shutdown"]);
    let states = node.create_client::<GetAvailableStates>("~/get_available_states").unwrap();
    assert_eq!(
        states.call_and_spin(&executor, Default::default(), LIMIT).unwrap().available_states.len(),
        11
    );
}

/// Its transitions end on another thread before the callback that started them returns.
struct Hasty;

impl Hasty {
    fn take(completion: Completion) {
        std::thread::spawn(move || completion.finish(Outcome::Success)).join().unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl ManagedNode for Hasty {
    fn on_configure(&mut self, completion: Completion) {
        Hasty::take(completion);
    }

    fn on_activate(&mut self, completion: Completion) {
        Hasty::take(completion);
    }

    fn on_deactivate(&mut self, completion: Completion) {
        Hasty::take(completion);
    }

    fn on_cleanup(&mut self, completion: Completion) {
        Hasty::take(completion);
    }

    fn on_shutdown(&mut self, _from: State, completion: Completion) {
        Hasty::take(completion);
    }

    fn on_error(&mut self, _from: State) -> bool {
        true
    }
}

#[test]
fn a_transition_that_ends_before_its_callback_returns_is_followed_by_the_next() {
    let context = Context::new(ContextOptions::new(Backend::mem())).unwrap();
    let node = context.create_node_with("hasty", NodeOptions::default().on_own_thread()).unwrap();
    let lifecycle = Lifecycle::manage(&node, Hasty).unwrap();
    let (sender, ended) = std::sync::mpsc::channel();
    lifecycle.start(move |active| sender.send(active).unwrap());
    assert_eq!(ended.recv_timeout(Duration::from_secs(30)), Ok(true));
    assert_eq!(lifecycle.state(), State::Active);
    context.shutdown();
    context.join();
}
