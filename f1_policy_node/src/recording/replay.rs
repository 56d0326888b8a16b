//! Replay: a recording's inputs through the whole graph on the virtual clock. The same recording
//! gives the same output, to the byte; only the times of stages in `status` are measured. A
//! recording that was itself made on a virtual clock gives its own output again.

use f1_interfaces::f1_msgs::msg::PolicyStatus;
use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_interfaces::{Message, cdr};
use f1_middleware::{Context, Node, NodeOptions, Publisher, Time};
use f1_robot::Robot;

use super::{Bag, BagMessage, RecordingError};
use crate::error::{NodeError, NodeResult};
use crate::topics::{self, Direction, INSTRUCTION, INSTRUCTION_ACTIVE, STATUS, Topic, Visitor};

/// Plays the inputs of a recording: cameras, joint states, instruction and locks.
pub struct Replay {
    _node: Node,
    inputs: Vec<Input>,
    messages: Vec<BagMessage>,
    instructed: bool,
}

/// Which instructions a replay gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// Those that were in force when the recording was made.
    Recorded,
    /// None: the policy has its own, by parameter.
    Given,
}

type Publish = Box<dyn Fn(&BagMessage) -> NodeResult<()>>;

struct Input {
    topic: String,
    publisher: Publish,
}

/// Opens a publisher for each of the policy's inputs.
struct Opening<'a> {
    node: Node,
    robot: &'a Robot,
    locks: &'a [String],
    inputs: Vec<Input>,
}

impl Visitor for Opening<'_> {
    type Error = NodeError;

    fn topic<T: Message>(&mut self, topic: &Topic<T>) -> NodeResult<()> {
        if topic.direction != Direction::In {
            return Ok(());
        }
        for name in topic.names(self.robot, self.locks) {
            let publisher: Publisher<T> = self.node.create_publisher(&name, topic.replay_qos())?;
            let publish = move |message: &BagMessage| -> NodeResult<()> {
                publisher.publish(message.decode::<T>()?)?;
                Ok(())
            };
            let topic = self.node.resolve_topic(&name)?;
            self.inputs.push(Input { topic, publisher: Box::new(publish) });
        }
        Ok(())
    }
}

/// Finds instructions that came by parameter, service or task: they are on no input's topic, and
/// `instruction/active` has them, or `status` in a recording without that topic.
struct InForce {
    /// The input's topic.
    topic: String,
    active: String,
    /// Where there is no message on `active`.
    status: Option<String>,
    /// What the status said last.
    said: String,
    /// What the messages played so far leave in force.
    played: String,
}

impl InForce {
    fn of(bag: &Bag, namespace: &str) -> NodeResult<Self> {
        let absolute = |topic: &str| topics::absolute(namespace, topic);
        let active = absolute(INSTRUCTION_ACTIVE.name);
        let without = !bag.holds(&active);
        Ok(Self {
            topic: absolute(INSTRUCTION.name),
            status: without.then(|| absolute(STATUS.name)),
            active,
            said: String::new(),
            played: String::new(),
        })
    }

    /// The message on the input's topic that has to be played before this one, if the instruction
    /// changed in another way.
    fn missing(&mut self, message: &BagMessage) -> NodeResult<Option<BagMessage>> {
        let text = if message.topic == self.topic {
            self.played = message.decode::<StringMessage>()?.data.trim().to_owned();
            return Ok(None);
        } else if message.topic == self.active {
            message.decode::<StringMessage>()?.data
        } else if self.status.as_ref() == Some(&message.topic) {
            let text = message.decode::<PolicyStatus>()?.instruction;
            // A status may be older than the message that changed the instruction.
            if std::mem::replace(&mut self.said, text.clone()) == text {
                return Ok(None);
            }
            text
        } else {
            return Ok(None);
        };
        if text == self.played {
            return Ok(None);
        }
        self.played.clone_from(&text);
        let data = cdr::to_bytes(&StringMessage { data: text })
            .map_err(|cause| RecordingError::Encoding { topic: self.topic.clone(), cause })?;
        Ok(Some(BagMessage {
            topic: self.topic.clone(),
            type_name: StringMessage::TYPE_NAME.to_owned(),
            stamp_ns: message.stamp_ns,
            data,
        }))
    }
}

impl Replay {
    /// Where the virtual clock of a replay starts: where the recording began, so that timers tick
    /// as they did; a second before the first message in a file that does not say.
    ///
    /// # Errors
    /// A damaged recording.
    pub fn start_of(bag: &Bag) -> NodeResult<Time> {
        let first =
            bag.messages().next().transpose()?.map_or(1_000_000_000, |message| message.stamp_ns);
        let start = bag.start_ns().filter(|start| *start <= first).unwrap_or(first - 1_000_000_000);
        // Zero means "no stamp" in ROS.
        Ok(Time::from_nanoseconds(start.max(1)))
    }

    /// Opens publishers for the robot's inputs that the recording holds.
    ///
    /// # Errors
    /// A damaged recording, or topics that the middleware refuses.
    pub fn open(
        context: &Context,
        robot: &Robot,
        namespace: &str,
        locks: &[String],
        bag: &Bag,
        instructions: Instructions,
    ) -> NodeResult<Self> {
        let options = NodeOptions { rosout: false, ..NodeOptions::in_namespace(namespace) };
        let node = context.create_node_with("replay", options)?;
        let mut opening = Opening { node, robot, locks, inputs: Vec::new() };
        topics::visit(&mut opening)?;
        let Opening { node, inputs, .. } = opening;
        let mut in_force = InForce::of(bag, namespace)?;
        let mut messages = Vec::new();
        for message in bag.messages() {
            let message = message?;
            if instructions == Instructions::Recorded {
                messages.extend(in_force.missing(&message)?);
            }
            let is_input = inputs.iter().any(|input| input.topic == message.topic);
            let is_instruction = message.topic == in_force.topic;
            if is_input && (instructions == Instructions::Recorded || !is_instruction) {
                messages.push(message);
            }
        }
        let instructed = messages.iter().any(|message| message.topic == in_force.topic);
        Ok(Self { _node: node, inputs, messages, instructed })
    }

    /// Whether the recording says what the policy was to do.
    #[must_use]
    pub fn is_instructed(&self) -> bool {
        self.instructed
    }

    /// Number of input messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether the recording holds no input.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Plays everything: time moves to each message's stamp, then the message is published, before
    /// any timer of that instant. Afterwards the graph runs on for `tail`.
    ///
    /// # Errors
    /// A message that cannot be decoded.
    pub fn play(&self, context: &Context, tail: std::time::Duration) -> NodeResult<()> {
        let executor = context.executor();
        for message in &self.messages {
            executor.spin_before(Time::from_nanoseconds(message.stamp_ns));
            if let Some(input) = self.inputs.iter().find(|input| input.topic == message.topic) {
                (input.publisher)(message)?;
            }
        }
        executor.spin_for(tail);
        Ok(())
    }
}
