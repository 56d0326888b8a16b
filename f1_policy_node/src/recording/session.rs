//! Recording a whole robot: everything that goes into the policy and everything that comes out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use f1_interfaces::Message;
use f1_middleware::{Context, Node, NodeOptions};
use f1_robot::Robot;

use super::Recorder;
use super::tap::{self, Kept, Sink, Taken};
use crate::error::NodeResult;

/// A recording that runs until it is finished.
pub struct RecordSession {
    recorder: Arc<Recorder>,
    messages: Arc<AtomicU64>,
    _node: Node,
    _keep: Kept,
}

/// Writes to the file.
struct File {
    recorder: Arc<Recorder>,
    messages: Arc<AtomicU64>,
}

impl Sink for File {
    /// What writes a topic's messages, with the time at which they come.
    fn open<T: Message>(&self, node: &Node, name: &str, _: bool) -> NodeResult<Taken<T>> {
        let writer = self.recorder.topic::<T>(name)?;
        let (clock, messages) = (node.clock(), self.messages.clone());
        Ok(Box::new(move |message: &T| match writer.write(clock.now().nanoseconds(), message) {
            Ok(()) => {
                messages.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => tracing::error!(%error, "not recorded"),
        }))
    }
}

impl RecordSession {
    /// Opens the file and subscribes to the topics of [`crate::topics`] that are recorded, the
    /// safety filter's `locks` among them. What goes through services and actions (instructions,
    /// goals of controllers) is not in the file.
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
        let file = File { recorder, messages: Arc::default() };
        let keep = tap::subscribe(&node, robot, locks, &file)?;
        let File { recorder, messages } = file;
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
