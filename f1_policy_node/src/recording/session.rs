//! Recording a whole robot: everything that goes into the policy and everything that comes out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use f1_interfaces::Message;
use f1_middleware::{Context, Node, NodeOptions};
use f1_robot::Robot;

use super::Recorder;
use crate::error::{NodeError, NodeResult};
use crate::instruction;
use crate::topics::{self, INSTRUCTION, Topic, Visitor};

/// A recording that runs until it is finished.
pub struct RecordSession {
    recorder: Arc<Recorder>,
    messages: Arc<AtomicU64>,
    _node: Node,
    _keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

/// Subscribes to each topic that is recorded.
struct Opening<'a> {
    node: Node,
    robot: &'a Robot,
    locks: &'a [String],
    recorder: Arc<Recorder>,
    messages: Arc<AtomicU64>,
    keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

impl Opening<'_> {
    /// What writes a topic's messages, with the time at which they come.
    fn writing<T: Message>(&self, topic: &str) -> NodeResult<impl Fn(&T) + Send + Sync + 'static> {
        let name = self.node.resolve_topic(topic)?;
        let writer = self.recorder.topic::<T>(&name)?;
        let (clock, messages) = (self.node.clock(), self.messages.clone());
        Ok(move |message: &T| match writer.write(clock.now().nanoseconds(), message) {
            Ok(()) => {
                messages.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => tracing::error!(%error, "not recorded"),
        })
    }
}

impl Visitor for Opening<'_> {
    type Error = NodeError;

    fn topic<T: Message>(&mut self, topic: &Topic<T>) -> NodeResult<()> {
        // The instruction has two subscriptions, see `instruction`.
        if topic.recorded == 0 || topic.name == INSTRUCTION.name {
            return Ok(());
        }
        for name in topic.names(self.robot, self.locks) {
            let write = self.writing::<T>(&name)?;
            let subscription = self.node.create_subscription::<T>(
                &name,
                topic.recording_qos(),
                move |message, _| write(&message),
            )?;
            self.keep.push(Box::new(subscription));
        }
        Ok(())
    }
}

impl RecordSession {
    /// Opens the file and subscribes to the topics of [`topics`] that are recorded, the safety
    /// filter's `locks` among them. What goes through services and actions (instructions, goals of
    /// controllers) is not in the file.
    ///
    /// # Errors
    /// A file that cannot be made, topics that the middleware refuses.
    pub fn start(
        context: &Context,
        robot: &Robot,
        namespace: &str,
        locks: &[String],
        path: &Path,
    ) -> NodeResult<Self> {
        let node = context.create_node_with("recorder", NodeOptions::in_namespace(namespace))?;
        let recorder = Arc::new(Recorder::create(path)?);
        recorder.begin(node.now().nanoseconds())?;
        let (messages, keep) = (Arc::default(), Vec::new());
        let mut opening = Opening { node, robot, locks, recorder, messages, keep };
        topics::visit(&mut opening)?;
        let write = opening.writing(INSTRUCTION.name)?;
        let subscriptions = instruction::subscribe(&opening.node, write)?;
        opening.keep.push(Box::new(subscriptions));
        let Opening { node, recorder, messages, keep, .. } = opening;
        Ok(Self { recorder, messages, _node: node, _keep: keep })
    }

    /// Messages written so far.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(self) -> NodeResult<u64> {
        let messages = self.messages();
        self.recorder.finish()?;
        Ok(messages)
    }
}
