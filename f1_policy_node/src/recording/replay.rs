//! Replay: a recording's inputs through the whole graph on the virtual clock. The same recording
//! gives the same output, to the byte; only the times of stages in `status` are measured. A
//! recording that was itself made on a virtual clock gives its own output again.

use f1_interfaces::Message;
use f1_middleware::{Context, Node, NodeOptions, Publisher, Time};
use f1_robot::Robot;

use super::{Bag, BagMessage};
use crate::error::{NodeError, NodeResult};
use crate::topics::{self, Direction, Topic, Visitor};

/// Plays the inputs of a recording: cameras, joint states, instruction and locks.
pub struct Replay {
    _node: Node,
    inputs: Vec<Input>,
    messages: Vec<BagMessage>,
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
    ) -> NodeResult<Self> {
        let options = NodeOptions { rosout: false, ..NodeOptions::in_namespace(namespace) };
        let node = context.create_node_with("replay", options)?;
        let mut opening = Opening { node, robot, locks, inputs: Vec::new() };
        topics::visit(&mut opening)?;
        let Opening { node, inputs, .. } = opening;
        let mut replay = Self { _node: node, inputs, messages: Vec::new() };
        for message in bag.messages() {
            let message = message?;
            if replay.inputs.iter().any(|input| input.topic == message.topic) {
                replay.messages.push(message);
            }
        }
        Ok(replay)
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
