//! Everything that goes into the policy and everything that comes out, handed to what keeps or
//! shows it.

use f1_interfaces::Message;
use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_middleware::Node;
use f1_middleware::qos::Durability;
use f1_robot::Robot;

use crate::error::{NodeError, NodeResult};
use crate::instruction;
use crate::topics::{self, INSTRUCTION, Topic, Visitor};

/// What is done with each message of a topic.
pub(crate) type Taken<T> = Box<dyn Fn(&T) + Send + Sync>;

/// Takes messages: a file, or viewers on the network.
pub(crate) trait Sink {
    /// Opens a topic by its absolute name; of a latched one who comes later gets the newest message
    /// too.
    ///
    /// # Errors
    /// A topic that cannot be opened.
    fn open<T: Message>(&self, node: &Node, name: &str, latched: bool) -> NodeResult<Taken<T>>;
}

/// Subscriptions that live as long as this.
pub(crate) type Kept = Vec<Box<dyn std::any::Any + Send + Sync>>;

struct Opening<'a, S> {
    node: &'a Node,
    robot: &'a Robot,
    locks: &'a [String],
    sink: &'a S,
    keep: Kept,
}

impl<S: Sink> Visitor for Opening<'_, S> {
    type Error = NodeError;

    fn topic<T: Message>(&mut self, topic: &Topic<T>) -> NodeResult<()> {
        // The instruction has two subscriptions, see `instruction`.
        if topic.recorded == 0 || topic.name == INSTRUCTION.name {
            return Ok(());
        }
        let latched = topic.recording_qos().durability == Durability::TransientLocal;
        for name in topic.names(self.robot, self.locks) {
            let resolved = self.node.resolve_topic(&name)?;
            let take = self.sink.open::<T>(self.node, &resolved, latched)?;
            let subscription = self.node.create_subscription::<T>(
                &name,
                topic.recording_qos(),
                move |message, _| take(&message),
            )?;
            self.keep.push(Box::new(subscription));
        }
        Ok(())
    }
}

/// Subscribes to the topics of [`topics`] that are recorded, the safety filter's `locks` among
/// them, and gives every message to `sink`.
///
/// # Errors
/// Topics that the middleware or the sink refuses.
pub(crate) fn subscribe(
    node: &Node,
    robot: &Robot,
    locks: &[String],
    sink: &impl Sink,
) -> NodeResult<Kept> {
    let mut opening = Opening { node, robot, locks, sink, keep: Vec::new() };
    topics::visit(&mut opening)?;
    let take = sink.open::<StringMessage>(node, &node.resolve_topic(INSTRUCTION.name)?, true)?;
    let subscriptions = instruction::subscribe(node, take)?;
    opening.keep.push(Box::new(subscriptions));
    Ok(opening.keep)
}
