//! The services and actions of the table.

use std::marker::PhantomData;

use f1_interfaces::control_msgs::action::{
    FollowJointTrajectory, GripperCommand, ParallelGripperCommand,
};
use f1_interfaces::f1_msgs::action::{ExecuteTask, GoHome};
use f1_interfaces::f1_msgs::srv::SetInstruction;
use f1_interfaces::std_srvs::srv::Trigger;
use f1_interfaces::{Action, Service as ServiceType};
use f1_middleware::{Node, Result};

use super::{Direction, replaced};
use crate::names::{ACTION, PERCEPTION, SAFETY_FILTER};

/// A service that a node offers.
#[derive(Debug)]
pub struct Service<S> {
    /// The name, relative to the robot's namespace.
    pub name: &'static str,
    /// The node that offers it.
    pub node: &'static str,
    /// What a call does.
    pub text: &'static str,
    kind: PhantomData<fn() -> S>,
}

impl<S: ServiceType> Service<S> {
    const fn new(name: &'static str, node: &'static str, text: &'static str) -> Self {
        Self { name, node, text, kind: PhantomData }
    }

    /// Offers the service.
    ///
    /// # Errors
    /// A name that the middleware refuses, or a network fault.
    pub fn offer(
        &self,
        node: &Node,
        answer: impl FnMut(&S::Request) -> S::Response + Send + 'static,
    ) -> Result<f1_middleware::ServiceServer<S>> {
        node.create_service::<S>(self.name, answer)
    }

    pub(super) fn row(&self) -> String {
        let Self { name, node, text, .. } = self;
        format!("| `{name}` | `{}` | `{node}` | {text} |\n", S::TYPE_NAME)
    }
}

/// Sets the instruction.
pub const SET_INSTRUCTION: Service<SetInstruction> = Service::new(
    "perception/set_instruction",
    PERCEPTION,
    "sets the instruction, as the topic does",
);
/// Restarts the policy's memory.
pub const RESET_ACTION: Service<Trigger> = Service::new(
    "action/reset",
    ACTION,
    "restarts the policy's memory: the robot brakes, and the next chunk starts from the measured state",
);
/// Stops the robot.
pub const STOP: Service<Trigger> = Service::new(
    "safety_filter/stop",
    SAFETY_FILTER,
    "stops the robot; only `safety_filter/reset` or a new activation lets it move again",
);
/// Releases a stop.
pub const RESET_FILTER: Service<Trigger> = Service::new(
    "safety_filter/reset",
    SAFETY_FILTER,
    "releases a stop, latched or asked for, and restarts the policy's memory",
);

/// An action that a node offers or calls.
#[derive(Debug)]
pub struct ActionName<A> {
    /// The name, relative to the robot's namespace.
    pub name: &'static str,
    /// The node that offers or calls it.
    pub node: &'static str,
    /// [`Direction::In`]: the node offers it; [`Direction::Out`]: the node sends goals.
    pub direction: Direction,
    /// What a goal does.
    pub text: &'static str,
    kind: PhantomData<fn() -> A>,
}

impl<A: Action> ActionName<A> {
    const fn new(
        name: &'static str,
        node: &'static str,
        direction: Direction,
        text: &'static str,
    ) -> Self {
        Self { name, node, direction, text, kind: PhantomData }
    }

    /// The name with `item` in place of the part in angle brackets.
    #[must_use]
    pub fn named(&self, item: &str) -> String {
        replaced(self.name, item)
    }

    pub(super) fn row(&self) -> String {
        let Self { name, node, text, .. } = self;
        let side = match self.direction {
            Direction::In => "server",
            Direction::Out => "client",
        };
        format!("| `{name}` | `{}` | `{node}` | {side} | {text} |\n", A::TYPE_NAME)
    }
}

/// Follows an instruction for a time.
pub const EXECUTE_TASK: ActionName<ExecuteTask> = ActionName::new(
    "execute_task",
    ACTION,
    Direction::In,
    "follows an instruction until a time limit, a cancellation or a stop",
);
/// Moves the robot home.
pub const GO_HOME: ActionName<GoHome> = ActionName::new(
    "safety_filter/go_home",
    SAFETY_FILTER,
    Direction::In,
    "moves all joints straight to the robot file's home, through the same checks; refused with joint and links \
     where that way is not allowed",
);
/// Goals of an arm's controller.
pub const FOLLOW_JOINT_TRAJECTORY: ActionName<FollowJointTrajectory> = ActionName::new(
    "<controller>/follow_joint_trajectory",
    SAFETY_FILTER,
    Direction::Out,
    "checked trajectories of controllers with `interface: follow_joint_trajectory`, or of all with the parameter \
     `follow_joint_trajectory`",
);
/// Goals of a gripper.
pub const GRIPPER_COMMAND: ActionName<GripperCommand> = ActionName::new(
    "<controller>/gripper_cmd",
    SAFETY_FILTER,
    Direction::Out,
    "goals of grippers with `interface: gripper_command`",
);
/// Goals of a gripper.
pub const PARALLEL_GRIPPER_COMMAND: ActionName<ParallelGripperCommand> = ActionName::new(
    "<controller>/gripper_cmd",
    SAFETY_FILTER,
    Direction::Out,
    "goals of grippers with `interface: parallel_gripper_command`",
);
