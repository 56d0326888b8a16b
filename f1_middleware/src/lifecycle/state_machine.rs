//! The state machine of managed nodes, with the numbers and labels of `rcl_lifecycle`.

use f1_interfaces::lifecycle_msgs::msg::{
    State as StateMessage, Transition as TransitionMessage, TransitionDescription,
};

/// The state of a managed node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Nothing is loaded.
    Unconfigured = 1,
    /// Loaded, publishes nothing.
    Inactive = 2,
    /// Working.
    Active = 3,
    /// Ended.
    Finalized = 4,
    /// Between unconfigured and inactive.
    Configuring = 10,
    /// Between inactive and unconfigured.
    CleaningUp = 11,
    /// Before finalized.
    ShuttingDown = 12,
    /// Between inactive and active.
    Activating = 13,
    /// Between active and inactive.
    Deactivating = 14,
    /// After an error in a transition.
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

    pub(super) fn message(self) -> StateMessage {
        StateMessage { id: self as u8, label: self.label().to_owned() }
    }
}

/// The transitions that can be requested of a managed node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Load.
    Configure,
    /// Free what was loaded.
    Cleanup,
    /// Start to work.
    Activate,
    /// Come to rest.
    Deactivate,
    /// End, from any primary state but finalized.
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

    pub(super) const ALL: [Transition; 5] = [
        Transition::Configure,
        Transition::Cleanup,
        Transition::Activate,
        Transition::Deactivate,
        Transition::Shutdown,
    ];

    pub(super) fn transition_state(self) -> State {
        match self {
            Transition::Configure => State::Configuring,
            Transition::Cleanup => State::CleaningUp,
            Transition::Activate => State::Activating,
            Transition::Deactivate => State::Deactivating,
            Transition::Shutdown => State::ShuttingDown,
        }
    }

    pub(super) fn goal(self) -> State {
        match self {
            Transition::Configure | Transition::Deactivate => State::Inactive,
            Transition::Cleanup => State::Unconfigured,
            Transition::Activate => State::Active,
            Transition::Shutdown => State::Finalized,
        }
    }

    /// The number of the transition that ends a transition state with this outcome.
    pub(super) fn outcome_id(self, outcome: Outcome) -> u8 {
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

/// The outcome of a transition's callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The goal state is reached.
    Success,
    /// It could not be done; the node is in the state that it was in before.
    Failure,
    /// It failed half way; `on_error` of the managed node cleans up.
    Error,
}

impl Outcome {
    pub(super) fn label(self) -> &'static str {
        match self {
            Outcome::Success => "transition_success",
            Outcome::Failure => "transition_failure",
            Outcome::Error => "transition_error",
        }
    }
}

/// The transitions out of the states that `wanted` returns true for.
pub(super) fn described(wanted: impl Fn(State) -> bool) -> Vec<TransitionDescription> {
    let mut list = Vec::new();
    for from in State::ALL.into_iter().filter(|state| wanted(*state)) {
        for transition in Transition::ALL {
            if let Some(id) = transition.id_from(from) {
                list.push(TransitionDescription {
                    transition: TransitionMessage { id, label: transition.label().to_owned() },
                    start_state: from.message(),
                    goal_state: transition.transition_state().message(),
                });
            }
            if transition.transition_state() == from {
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
