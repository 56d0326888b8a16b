//! Making a node with all that every ROS 2 node has: parameter services, `/rosout`, simulated time.

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::rcl_interfaces::msg::ParameterEvent;

use crate::context::Context;
use crate::error::Result;
use crate::log::LoggerServices;
use crate::node::Node;
use crate::parameter_services::ParameterServices;
use crate::parameters::{Descriptor, Value};
use crate::publisher::Publisher;
use crate::qos::Qos;
use crate::transport::NodeName;

/// How a node is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOptions {
    /// The namespace, unless `-r __ns:=` says otherwise.
    pub namespace: String,
    /// Gives the node's callbacks a thread of their own, so that no other node delays them. On a
    /// virtual clock everything stays on one thread.
    pub own_thread: bool,
    /// Offers the parameter services and publishes `/parameter_events`.
    pub parameter_services: bool,
    /// Publishes log lines to `/rosout`.
    pub rosout: bool,
    /// Offers `~/get_logger_levels` and `~/set_logger_levels`, where the back end has them.
    pub logger_services: bool,
}

impl Default for NodeOptions {
    fn default() -> NodeOptions {
        NodeOptions {
            namespace: "/".to_owned(),
            own_thread: false,
            parameter_services: true,
            rosout: true,
            logger_services: false,
        }
    }
}

impl NodeOptions {
    /// The defaults, in `namespace`.
    pub fn in_namespace(namespace: impl Into<String>) -> NodeOptions {
        NodeOptions { namespace: namespace.into(), ..NodeOptions::default() }
    }

    /// The same with the logger-level services.
    #[must_use]
    pub fn with_logger_services(mut self) -> NodeOptions {
        self.logger_services = true;
        self
    }

    /// The same with a thread of its own.
    #[must_use]
    pub fn on_own_thread(mut self) -> NodeOptions {
        self.own_thread = true;
        self
    }
}

impl Context {
    /// Makes a node in the root namespace (unless remapped), on the context's own executor.
    ///
    /// # Errors
    /// An invalid name, or a node of this name in this process.
    pub fn create_node(&self, name: &str) -> Result<Node> {
        self.create_node_with(name, NodeOptions::default())
    }

    /// Makes a node.
    ///
    /// # Errors
    /// As [`Context::create_node`].
    pub fn create_node_with(&self, name: &str, options: NodeOptions) -> Result<Node> {
        let group = if options.own_thread && !self.is_virtual() {
            self.spawn_group(name)?
        } else {
            self.inner.group.clone()
        };
        let (name, namespace) = self.args().node_identity(name, &options.namespace)?;
        let node = Node::new(self, NodeName { namespace, name }, group)?;
        if options.rosout && self.args().rosout() {
            let rosout = node.create_resolved_publisher("/rosout".to_owned(), Qos::rosout())?;
            node.logger().publish_on(rosout);
        }
        if options.parameter_services {
            publish_parameter_events(&node)?;
            node.keep(ParameterServices::offer(&node)?);
        }
        if options.logger_services {
            node.keep(LoggerServices::offer(&node)?);
        }
        follow_sim_time(&node)?;
        Ok(node)
    }
}

fn publish_parameter_events(node: &Node) -> Result<()> {
    let name = "/parameter_events".to_owned();
    let events: Publisher<ParameterEvent> =
        node.create_resolved_publisher(name, Qos::parameter_events())?;
    let clock = node.clock();
    node.parameters().publish_events_with(move |mut event| {
        event.stamp = WireTime::saturating_from_nanoseconds(clock.now().nanoseconds());
        if let Err(error) = events.publish(event) {
            tracing::warn!(%error, "parameter event not sent");
        }
    });
    Ok(())
}

/// Declares `use_sim_time` and does what it says, now and whenever it is set.
fn follow_sim_time(node: &Node) -> Result<()> {
    let wanted = node.parameters().declare(
        "use_sim_time",
        false,
        Descriptor::new(
            "Take ROS time from `/clock` (simulation, playback) instead of the system clock.",
        ),
    )?;
    let weak = node.downgrade();
    node.parameters().on_change(move |changes| {
        for (name, value) in changes {
            if name == "use_sim_time"
                && let Value::Bool(wanted) = value
                && let Some(node) = weak.upgrade()
                && let Err(error) = node.use_sim_time(*wanted)
            {
                tracing::error!(%error, "cannot follow /clock");
            }
        }
    });
    node.use_sim_time(wanted)
}
