//! Foxglove's websocket: every topic that a recording holds, live, with its schema.

use std::net::SocketAddr;
use std::sync::Arc;

use f1_interfaces::{Message, cdr};
use f1_middleware::{Context, Node, NodeOptions};
use f1_robot::Robot;
use foxglove::{PartialMetadata, Schema, WebSocketServer};

use crate::error::{NodeError, NodeResult};
use crate::recording::tap::{self, Kept, Sink, Taken};

/// Messages that wait for one viewer; the oldest go first.
const BACKLOG: usize = 256;

/// A server for viewers; it ends when it is dropped.
pub struct FoxgloveSession {
    server: Option<foxglove::WebSocketServerHandle>,
    address: SocketAddr,
    _keep: Kept,
    _node: Node,
    /// Dropped last: the server's tasks run on it.
    runtime: Option<tokio::runtime::Runtime>,
}

/// Hands messages to the viewers that ask for them.
struct Viewers(Arc<foxglove::Context>);

impl Sink for Viewers {
    fn open<T: Message>(&self, node: &Node, name: &str) -> NodeResult<Taken<T>> {
        let schema = Schema::new(T::TYPE_NAME, "ros2msg", T::DEFINITION.as_bytes());
        let channel = self
            .0
            .channel_builder(name)
            .message_encoding("cdr")
            .schema(schema)
            .build_raw()
            .map_err(|error| NodeError::Foxglove(error.to_string()))?;
        let clock = node.clock();
        Ok(Box::new(move |message: &T| {
            // Without a viewer of this topic nothing is encoded.
            if !channel.has_sinks() {
                return;
            }
            match cdr::to_bytes(message) {
                Ok(bytes) => {
                    let now = u64::try_from(clock.now().nanoseconds()).unwrap_or(0);
                    channel.log_with_meta(&bytes, PartialMetadata { log_time: Some(now) });
                }
                Err(error) => tracing::error!(%error, topic = channel.topic(), "not shown"),
            }
        }))
    }
}

impl FoxgloveSession {
    /// Listens on loopback; port 0 takes a free one. Viewers only look: they can publish nothing.
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
        let failed = |error: &dyn std::fmt::Display| NodeError::Foxglove(error.to_string());
        let options = NodeOptions::in_namespace(namespace).on_own_thread();
        let node = context.create_node_with("foxglove", options)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("foxglove")
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        let viewers = Viewers(foxglove::Context::new());
        let keep = tap::subscribe(&node, robot, locks, &viewers)?;
        let server = WebSocketServer::new()
            .name("f1_policy")
            .bind("127.0.0.1", port)
            .message_backlog_size(BACKLOG)
            .context(&viewers.0);
        let server = runtime.block_on(server.start()).map_err(|error| failed(&error))?;
        let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
        tracing::info!("Foxglove: ws://{address}");
        Ok(Self { server: Some(server), address, _keep: keep, _node: node, runtime: Some(runtime) })
    }

    /// Where viewers connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for FoxgloveSession {
    fn drop(&mut self) {
        if let (Some(server), Some(runtime)) = (self.server.take(), self.runtime.take()) {
            runtime.block_on(server.stop().wait());
            runtime.shutdown_background();
        }
    }
}
