//! Every topic, service and action of the policy, once: name, type, quality of service, direction,
//! node and text.
//!
//! Nodes, recorder, replay and the page docs/topics.md read this table; no other place names a
//! topic or a quality of service. Names are relative to the robot's namespace. A part of a name in
//! angle brackets stands for what the robot file or a parameter says ([`Each`]).

use std::fmt::Write as _;
use std::marker::PhantomData;

use f1_interfaces::control_msgs::action::{
    FollowJointTrajectory, GripperCommand, ParallelGripperCommand,
};
use f1_interfaces::control_msgs::msg::{JointTrajectoryControllerState, SpeedScalingFactor};
use f1_interfaces::f1_msgs::action::{ExecuteTask, GoHome};
use f1_interfaces::f1_msgs::msg::{ActionChunk, ForesightError, PolicyStatus, SafetyEvent};
use f1_interfaces::f1_msgs::srv::SetInstruction;
use f1_interfaces::nav_msgs::msg::Path;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState, Joy};
use f1_interfaces::std_msgs::msg::{Bool, Float64MultiArray, String as StringMessage};
use f1_interfaces::std_srvs::srv::Trigger;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_interfaces::{Action, Message, Service as ServiceType};
use f1_middleware::qos::{Durability, History, Reliability};
use f1_middleware::{MessageInfo, Node, Publisher, Qos, Result, Subscription};
use f1_robot::Robot;
use f1_robot::robot_file::ControllerInterface;

use crate::names::{ACTION, FORESIGHT, PERCEPTION, SAFETY_FILTER};

/// Which way messages go, seen from the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The policy subscribes.
    In,
    /// The policy publishes.
    Out,
}

/// What there is one topic for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// The policy: the name stands as it is.
    Policy,
    /// Each camera of the robot file that sends `Image`; the file gives the whole name.
    Camera,
    /// Each camera of the robot file that sends `CompressedImage`; the file gives the whole name.
    CompressedCamera,
    /// Each topic of `joint_states` in the robot file.
    JointStates,
    /// Each entry of the safety filter's parameter `locks`.
    Lock,
    /// Each arm of the robot file; with one arm the arm's part of the name is left out.
    Arm,
    /// Each controller of the robot file, with its namespace.
    Controller,
    /// The same of those that are sent trajectories, by topic or action.
    Trajectory,
    /// The same of those with `interface: position_stream`.
    Stream,
}

/// One topic, or one for [`Each`] of something, with messages of type `T`.
#[derive(Debug)]
pub struct Topic<T> {
    /// The name, relative to the robot's namespace.
    pub name: &'static str,
    /// What there is one topic for.
    pub each: Each,
    /// Which way messages go.
    pub direction: Direction,
    /// The nodes that publish or subscribe.
    pub nodes: &'static [&'static str],
    /// The policy's quality of service.
    pub qos: Qos,
    /// The quality of service of a second subscription, which also gets what latched publishers
    /// sent before.
    pub latched: Option<Qos>,
    /// Best effort on the back end `dds`: a lost packet of a large sample would stall a reliable
    /// writer.
    pub best_effort_on_dds: bool,
    /// How many messages the recorder's subscription holds; 0: it is not recorded.
    pub recorded: usize,
    /// What the messages say.
    pub text: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> Topic<T> {
    const fn new(name: &'static str, each: Each, direction: Direction, qos: Qos) -> Self {
        Self {
            name,
            each,
            direction,
            nodes: &[],
            qos,
            latched: None,
            best_effort_on_dds: false,
            recorded: 20,
            text: "",
            kind: PhantomData,
        }
    }

    const fn input(name: &'static str, each: Each, qos: Qos) -> Self {
        Self::new(name, each, Direction::In, qos)
    }

    const fn output(name: &'static str, each: Each, qos: Qos) -> Self {
        Self::new(name, each, Direction::Out, qos)
    }

    const fn of(self, nodes: &'static [&'static str], text: &'static str) -> Self {
        Self { nodes, text, ..self }
    }

    const fn recorded(self, recorded: usize) -> Self {
        Self { recorded, ..self }
    }
}

impl<T: Message> Topic<T> {
    /// The name with `item` in place of the part in angle brackets.
    #[must_use]
    pub fn named(&self, item: &str) -> String {
        replaced(self.name, item)
    }

    /// The names for a robot and the safety filter's `locks`, relative to the robot's namespace.
    #[must_use]
    pub fn names(&self, robot: &Robot, locks: &[String]) -> Vec<String> {
        let file = robot.file();
        let cameras = |compressed: bool| {
            let used = file.cameras.iter().filter(move |camera| camera.mask);
            used.filter(move |camera| camera.compressed == compressed)
                .map(|camera| self.named(&camera.topic))
                .collect()
        };
        match self.each {
            Each::Policy => vec![self.name.to_owned()],
            Each::Camera => cameras(false),
            Each::CompressedCamera => cameras(true),
            Each::JointStates => file.joint_states.iter().map(|name| self.named(name)).collect(),
            Each::Lock => locks.iter().map(|name| self.named(name)).collect(),
            Each::Arm if file.arms.len() == 1 => vec![self.without_item()],
            Each::Arm => file.arms.iter().map(|arm| self.named(&arm.name)).collect(),
            Each::Trajectory => {
                let trajectory = |interface| {
                    matches!(
                        interface,
                        ControllerInterface::JointTrajectory
                            | ControllerInterface::FollowJointTrajectory
                    )
                };
                let controllers = robot.controllers().iter();
                let ones = controllers.filter(|one| trajectory(one.interface));
                ones.map(|one| self.named(&one.full_name())).collect()
            }
            Each::Stream => {
                let controllers = robot.controllers().iter();
                let streams = controllers
                    .filter(|one| one.interface == ControllerInterface::PositionStream);
                streams.map(|one| self.named(&one.full_name())).collect()
            }
            Each::Controller => {
                robot.controllers().iter().map(|one| self.named(&one.full_name())).collect()
            }
        }
    }

    /// The name without the part in angle brackets.
    fn without_item(&self) -> String {
        self.named("").trim_matches('/').to_owned()
    }

    /// Publishes on the topic `name`, one of [`Topic::names`].
    ///
    /// # Errors
    /// A name that the middleware refuses, or a network fault.
    pub fn publisher_on(&self, node: &Node, name: &str) -> Result<Publisher<T>> {
        let slow = self.best_effort_on_dds && node.context().backend() == "dds";
        node.create_publisher(name, if slow { self.qos.best_effort() } else { self.qos })
    }

    /// Publishes on a topic that there is one of.
    ///
    /// # Errors
    /// As [`Topic::publisher_on`].
    pub fn publisher(&self, node: &Node) -> Result<Publisher<T>> {
        self.publisher_on(node, self.name)
    }

    /// Subscribes to the topic `name`, one of [`Topic::names`].
    ///
    /// # Errors
    /// As [`Topic::publisher_on`].
    pub fn subscription_to(
        &self,
        node: &Node,
        name: &str,
        callback: impl FnMut(std::sync::Arc<T>, MessageInfo) + Send + 'static,
    ) -> Result<Subscription<T>> {
        node.create_subscription(name, self.qos, callback)
    }

    /// The quality of service with which the recorder subscribes.
    #[must_use]
    pub fn recording_qos(&self) -> Qos {
        let qos = self.qos.keep_last(self.recorded);
        if self.best_effort_on_dds { qos.best_effort() } else { qos }
    }

    /// The quality of service with which a replay publishes an input: nothing is lost.
    #[must_use]
    pub fn replay_qos(&self) -> Qos {
        self.latched.unwrap_or_else(Qos::reliable)
    }
}

/// `name` with `item` in place of the part in angle brackets.
fn replaced(name: &str, item: &str) -> String {
    match (name.split_once('<'), name.split_once('>')) {
        (Some((before, _)), Some((_, after))) => format!("{before}{item}{after}"),
        _ => name.to_owned(),
    }
}

/// A topic's absolute name in a namespace.
#[must_use]
pub fn absolute(namespace: &str, topic: &str) -> String {
    match (topic.starts_with('/'), namespace.trim_matches('/')) {
        (true, _) => topic.to_owned(),
        (false, "") => format!("/{topic}"),
        (false, namespace) => format!("/{namespace}/{topic}"),
    }
}

/// Sees each topic of the table.
pub trait Visitor {
    /// Ends the visit.
    type Error;

    /// Sees one topic.
    ///
    /// # Errors
    /// What ends the visit.
    fn topic<T: Message>(&mut self, topic: &Topic<T>) -> std::result::Result<(), Self::Error>;
}

macro_rules! topics {
    ($( $(#[$meta:meta])* $constant:ident: $kind:ty = $topic:expr; )*) => {
        $( $(#[$meta])* pub const $constant: Topic<$kind> = $topic; )*

        /// Shows every topic of the table to the visitor, in the table's order.
        ///
        /// # Errors
        /// The visitor's first.
        pub fn visit<V: Visitor>(visitor: &mut V) -> std::result::Result<(), V::Error> {
            $( visitor.topic(&$constant)?; )*
            Ok(())
        }
    };
}

const ONE: Qos = Qos::reliable().keep_last(1);

topics! {
    /// A camera's images.
    CAMERA: Image = Topic::input("<camera>", Each::Camera, Qos::sensor_data())
        .of(&[PERCEPTION], "a camera's images, as the robot file's `cameras` name them")
        .recorded(30);
    /// A camera's compressed images.
    COMPRESSED_CAMERA: CompressedImage =
        Topic::input("<camera>", Each::CompressedCamera, Qos::sensor_data())
            .of(&[PERCEPTION], "the same of a camera with `compressed: true`")
            .recorded(30);
    /// The measured joints.
    JOINT_STATES: JointState =
        Topic::input("<joint_states>", Each::JointStates, Qos::sensor_data())
            .of(
                &[PERCEPTION, SAFETY_FILTER],
                "the measured joints, taken by name; several topics, or several publishers on one, are merged",
            )
            .recorded(200);
    /// What to do.
    INSTRUCTION: StringMessage = Topic {
        latched: Some(Qos::latched()),
        ..Topic::input("instruction", Each::Policy, Qos::reliable()).of(
            &[PERCEPTION],
            "what to do, in plain language; empty: come to rest. Without an instruction nothing moves",
        )
    };
    /// The instruction in force.
    INSTRUCTION_ACTIVE: StringMessage =
        Topic::output("instruction/active", Each::Policy, Qos::latched()).of(
            &[PERCEPTION],
            "the instruction in force, whether it came by topic, parameter, service or task; empty: none",
        );
    /// A lock of the safety filter.
    LOCK: Bool = Topic::input("<lock>", Each::Lock, ONE).of(
        &[SAFETY_FILTER],
        "a source that can stop the robot (parameter `locks`): true stops, and silence stops too",
    );
    /// Whether a person takes over.
    TAKEOVER: Bool = Topic::input("takeover", Each::Policy, ONE).of(
        &[SAFETY_FILTER],
        "with the parameter `takeover` on `topic`: true, a person takes over and nothing more is sent to \
         controllers; silence lets nothing move",
    );
    /// The joystick of a person who takes over.
    JOY: Joy = Topic::input("joy", Each::Policy, Qos::sensor_data()).of(
        &[SAFETY_FILTER],
        "with the parameter `takeover` on `joy`: a button takes over",
    );
    /// Whether a person moves the robot.
    TAKEOVER_ACTIVE: Bool = Topic::output("takeover/active", Each::Policy, Qos::latched()).of(
        &[SAFETY_FILTER],
        "true while a person moves the robot: from the policy's rest until it may move again; `f1 convert` \
         writes it as the column `intervention`",
    );
    /// What a controller does.
    CONTROLLER_STATE: JointTrajectoryControllerState =
        Topic::input("<controller>/controller_state", Each::Trajectory, Qos::sensor_data()).of(
            &[SAFETY_FILTER],
            "with the parameter `speed_scaling`: how fast a JointTrajectoryController runs what it was sent",
        );
    /// The speed that a controller is asked for.
    SPEED_SCALING_INPUT: SpeedScalingFactor =
        Topic::input("<controller>/speed_scaling_input", Each::Trajectory, Qos::latched()).of(
            &[SAFETY_FILTER],
            "with the parameter `speed_scaling`: the same, as long as the controller's state says nothing",
        );
    /// The foreseen image.
    FORESIGHT_IMAGE: Image = Topic {
        best_effort_on_dds: true,
        ..Topic::output("foresight/image", Each::Policy, ONE).of(
            &[FORESIGHT],
            "the foreseen image; its stamp is the moment foreseen, its frame_id the camera's",
        )
    };
    /// The foreseen image, compressed.
    FORESIGHT_COMPRESSED: CompressedImage =
        Topic::output("foresight/image/compressed", Each::Policy, ONE)
            .of(&[FORESIGHT], "the same as PNG, named as image_transport names it")
            .recorded(0);
    /// What was foreseen beside what came.
    FORESIGHT_COMPARISON: Image = Topic::output("foresight/comparison", Each::Policy, ONE).of(
        &[FORESIGHT],
        "now, foreseen and, one stride later, what came, side by side with the error as a bar",
    );
    /// What was foreseen against what came, in numbers.
    FORESIGHT_ERROR: ForesightError =
        Topic::output("foresight/error", Each::Policy, Qos::reliable())
            .of(&[FORESIGHT], "foreseen against observed: PSNR and token agreement");
    /// What the policy asks for.
    CHUNK: ActionChunk = Topic::output("action/chunk", Each::Policy, ONE)
        .of(&[ACTION], "what the policy asks for, before the safety filter");
    /// The end effector's path.
    PATH: Path = Topic::output("action/path/<arm>", Each::Arm, ONE).of(
        &[ACTION],
        "forward kinematics of the chunk for RViz; `action/path` where the robot has one arm",
    );
    /// A controller's trajectories.
    JOINT_TRAJECTORY: JointTrajectory =
        Topic::output("<controller>/joint_trajectory", Each::Controller, ONE).of(
            &[SAFETY_FILTER],
            "checked trajectories of controllers with `interface: joint_trajectory`",
        );
    /// A controller's positions.
    POSITION_COMMANDS: Float64MultiArray =
        Topic::output("<controller>/commands", Each::Stream, ONE).of(
            &[SAFETY_FILTER],
            "the checked trajectory, sampled, of controllers with `interface: position_stream`; silent at rest",
        )
        .recorded(1000);
    /// What the safety filter did.
    EVENT: SafetyEvent =
        Topic::output("safety_filter/event", Each::Policy, Qos::reliable().keep_last(100))
            .of(&[SAFETY_FILTER], "joint, rule, asked value, limit and what was done")
            .recorded(100);
    /// How the policy is.
    STATUS: PolicyStatus = Topic::output("status", Each::Policy, Qos::latched())
        .of(&[SAFETY_FILTER], "state with its reason, instruction, rates, times of the stages");
}

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

    fn row(&self) -> String {
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

    fn row(&self) -> String {
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

/// A quality of service in words.
fn words(qos: &Qos) -> String {
    let mut words = String::from(match qos.reliability {
        Reliability::BestEffort => "best effort",
        Reliability::Reliable => "reliable",
    });
    if qos.durability == Durability::TransientLocal {
        words.push_str(", transient local");
    }
    match qos.history {
        // Writing to a String cannot fail.
        History::KeepLast(depth) => drop(write!(words, ", keep last {depth}")),
        History::KeepAll => words.push_str(", keep all"),
    }
    words
}

/// Writes the rows of topics.
#[derive(Default)]
struct Rows {
    rows: String,
}

impl Visitor for Rows {
    type Error = std::convert::Infallible;

    fn topic<T: Message>(
        &mut self,
        topic: &Topic<T>,
    ) -> std::result::Result<(), std::convert::Infallible> {
        let nodes: Vec<String> = topic.nodes.iter().map(|node| format!("`{node}`")).collect();
        let direction = match topic.direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        let mut qos = words(&topic.qos);
        if let Some(latched) = &topic.latched {
            qos = format!("{qos}; a second subscription: {}", words(latched));
        }
        if topic.best_effort_on_dds {
            qos.push_str("; best effort on `dds`");
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.rows,
            "| `{}` | `{}` | {direction} | {} | {qos} | {} |",
            topic.name,
            T::TYPE_NAME,
            nodes.join(", "),
            topic.text
        );
        Ok(())
    }
}

/// The page docs/topics.md.
#[must_use]
pub fn page() -> String {
    let mut rows = Rows::default();
    match visit(&mut rows) {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let services =
        [SET_INSTRUCTION.row(), RESET_ACTION.row(), STOP.row(), RESET_FILTER.row()].concat();
    let actions = [
        EXECUTE_TASK.row(),
        GO_HOME.row(),
        FOLLOW_JOINT_TRAJECTORY.row(),
        GRIPPER_COMMAND.row(),
        PARALLEL_GRIPPER_COMMAND.row(),
    ]
    .concat();
    format!(
        "# Topics, services and actions\n\n\
         Written by `f1_policy_node --print-topics`; a test keeps this page up to date. Names are\n\
         relative to the robot's namespace (`/f1` by default). A part in angle brackets is named in the\n\
         robot file or in a parameter.\n\n\
         ## Topics\n\n\
         | name | type | direction | node | quality of service | text |\n|---|---|---|---|---|---|\n{}\n\
         ## Services\n\n| name | type | node | text |\n|---|---|---|---|\n{services}\n\
         ## Actions\n\n| name | type | node | side | text |\n|---|---|---|---|---|\n{actions}\n\
         As every managed node, each of the four also has the services of its lifecycle\n\
         (`NODE/change_state`, ...) and of its parameters, and publishes on `/diagnostics`, `/rosout` and\n\
         `/parameter_events`.\n",
        rows.rows
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_angle_brackets_are_replaced() {
        assert_eq!(JOINT_TRAJECTORY.named("left/arm"), "left/arm/joint_trajectory");
        assert_eq!(PATH.named("left"), "action/path/left");
        assert_eq!(PATH.without_item(), "action/path");
        assert_eq!(CAMERA.named("front/image_raw"), "front/image_raw");
        assert_eq!(STATUS.named("anything"), "status");
    }

    #[test]
    fn absolute_names_stay_and_others_get_the_namespace() {
        assert_eq!(absolute("/f1", "status"), "/f1/status");
        assert_eq!(absolute("f1/", "/diagnostics"), "/diagnostics");
        assert_eq!(absolute("/", "status"), "/status");
    }
}
