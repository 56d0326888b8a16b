//! Every topic, service and action of the policy, once: name, type, quality of service, direction,
//! node and text.
//!
//! Nodes, recorder, replay and the page docs/topics.md read this table; no other place names a
//! topic or a quality of service. Names are relative to the robot's namespace. A part of a name in
//! angle brackets stands for what the robot file or a parameter says ([`Each`]).

mod calls;
mod page;

use std::marker::PhantomData;

use f1_interfaces::Message;
use f1_interfaces::control_msgs::msg::{JointTrajectoryControllerState, SpeedScalingFactor};
use f1_interfaces::f1_msgs::msg::{ActionChunk, ForesightError, PolicyStatus, SafetyEvent};
use f1_interfaces::nav_msgs::msg::Path;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState, Joy};
use f1_interfaces::std_msgs::msg::{Bool, Float64MultiArray, String as StringMessage};
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_interfaces::visualization_msgs::msg::MarkerArray;
use f1_middleware::{MessageInfo, Node, Publisher, Qos, Result, Subscription};
use f1_robot::Robot;
use f1_robot::robot_file::ControllerInterface;

pub use calls::*;
pub use page::page;

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
                let streams =
                    controllers.filter(|one| one.interface == ControllerInterface::PositionStream);
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
    /// The foreseen image beside the true one.
    FORESIGHT_COMPARISON: Image = Topic::output("foresight/comparison", Each::Policy, ONE).of(
        &[FORESIGHT],
        "now, foreseen and, one stride later, the true image, side by side, with the error as a bar",
    );
    /// The foreseen image against the true one, in numbers.
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
    /// What the safety filter knows of space.
    MARKERS: MarkerArray = Topic::output("safety_filter/markers", Each::Policy, ONE)
        .of(
            &[SAFETY_FILTER],
            "for RViz, 5 Hz while subscribed: workspace, scene, collision shapes (near ones in red), what limits motion",
        )
        .recorded(0);
    /// How the policy is.
    STATUS: PolicyStatus = Topic::output("status", Each::Policy, Qos::latched())
        .of(&[SAFETY_FILTER], "state with its reason, instruction, rates, times of the stages");
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
