//! Every topic that a recording holds, live, with its schema, for Foxglove and Lichtblick.

use std::net::SocketAddr;

use f1_interfaces::{Message, cdr};
use f1_middleware::{Context, Node, NodeOptions};
use f1_robot::Robot;
use f1_view::foxglove::{Channels, Viewers};

use crate::error::NodeResult;
use crate::recording::tap::{self, Kept, Sink, Taken};

/// A server for viewers; it ends when it is dropped.
pub struct FoxgloveSession {
    viewers: Viewers,
    _keep: Kept,
    _node: Node,
}

/// Hands messages to the viewers that ask for them.
impl Sink for Channels {
    fn open<T: Message>(&self, node: &Node, name: &str, latched: bool) -> NodeResult<Taken<T>> {
        let channel = self.add(name, T::TYPE_NAME, T::DEFINITION);
        let clock = node.clock();
        Ok(Box::new(move |message: &T| {
            if !latched && !channel.is_wanted() {
                return;
            }
            let now = u64::try_from(clock.now().nanoseconds()).unwrap_or(0);
            match cdr::to_bytes(message) {
                Ok(bytes) if latched => channel.keep(now, bytes),
                Ok(bytes) => channel.send(now, &bytes),
                Err(error) => tracing::error!(%error, topic = T::TYPE_NAME, "not shown"),
            }
        }))
    }
}

impl FoxgloveSession {
    /// Listens on loopback; port 0 takes a free one. Viewers only look: they can publish nothing.
    /// Its node has a thread of its own: encoding delays no other node.
    ///
    /// # Errors
    /// A port that cannot be listened on, topics that the middleware refuses.
    pub fn start(
        context: &Context,
        robot: &Robot,
        namespace: &str,
        locks: &[String],
        port: u16,
    ) -> NodeResult<Self> {
        let options = NodeOptions::in_namespace(namespace).on_own_thread();
        let node = context.create_node_with("foxglove", options)?;
        let channels = Channels::default();
        let keep = tap::subscribe(&node, robot, locks, &channels)?;
        let viewers = Viewers::start(port, &channels)?;
        tracing::info!("Foxglove: ws://{}", viewers.address());
        Ok(Self { viewers, _keep: keep, _node: node })
    }

    /// Where viewers connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.viewers.address()
    }
}
