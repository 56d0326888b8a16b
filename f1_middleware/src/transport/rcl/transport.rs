//! The back end: makes nodes and their endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::node::{RclNode, failed};
use super::{service, topic};
use crate::error::{Error, Result};
use crate::transport::{
    Client, NodeName, Reader, RequestHandler, ResponseHandler, SampleHandler, Server, ServiceSpec,
    TopicSpec, Transport, Writer,
};

/// A node with the thread that runs it.
struct Spinning {
    node: Arc<RclNode>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.node.stop();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("a node's thread has panicked");
        }
    }
}

/// The back end: the nodes of this process.
pub(crate) struct RclTransport {
    context: r2r::Context,
    nodes: Mutex<BTreeMap<String, Spinning>>,
}

impl RclTransport {
    pub(crate) fn new() -> Result<RclTransport> {
        // r2r panics where rcl refuses the command line or a parameter file.
        let context = std::panic::catch_unwind(r2r::Context::create)
            .map_err(|_| {
                failed(
                    "join the ROS graph",
                    "rcl refuses the arguments or the environment, see above",
                )
            })?
            .map_err(|error| failed("join the ROS graph", error))?;
        Ok(RclTransport { context, nodes: Mutex::new(BTreeMap::new()) })
    }

    fn node(&self, name: &NodeName) -> Result<Arc<RclNode>> {
        let name = name.absolute();
        match self.nodes.lock().get(&name) {
            Some(spinning) => Ok(spinning.node.clone()),
            None => Err(failed(format!("use node {name}"), "it does not exist")),
        }
    }
}

impl Transport for RclTransport {
    fn add_node(&self, node: &NodeName) -> Result<()> {
        let name = node.absolute();
        let mut nodes = self.nodes.lock();
        if nodes.contains_key(&name) {
            return Err(Error::AlreadyExists { what: "node", name });
        }
        let made = r2r::Node::create(self.context.clone(), &node.name, &node.namespace)
            .map_err(|error| failed(format!("make node {name}"), error))?;
        let shared = Arc::new(RclNode::new(made));
        let running = shared.clone();
        let thread = std::thread::Builder::new()
            .name(format!("rcl {}", node.name))
            .spawn(move || running.run())
            .map_err(|error| failed(format!("start a thread for node {name}"), error))?;
        nodes.insert(name, Spinning { node: shared, thread: Some(thread) });
        Ok(())
    }

    fn remove_node(&self, node: &NodeName) {
        let removed = self.nodes.lock().remove(&node.absolute());
        drop(removed);
    }

    fn create_writer(&self, spec: TopicSpec) -> Result<Arc<dyn Writer>> {
        topic::create_writer(&self.node(&spec.node)?, spec)
    }

    fn create_reader(
        &self,
        spec: TopicSpec,
        handler: Arc<dyn SampleHandler>,
    ) -> Result<Arc<dyn Reader>> {
        topic::create_reader(&self.node(&spec.node)?, spec, handler)
    }

    fn create_server(
        &self,
        spec: ServiceSpec,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<Arc<dyn Server>> {
        service::create_server(&self.node(&spec.node)?, spec, handler)
    }

    fn create_client(
        &self,
        spec: ServiceSpec,
        handler: Arc<dyn ResponseHandler>,
    ) -> Result<Arc<dyn Client>> {
        service::create_client(&self.node(&spec.node)?, spec, handler)
    }

    fn shut_down(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock());
        drop(nodes);
    }
}
