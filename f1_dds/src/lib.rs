//! The ROS 2 wire protocol without a ROS install: topics, services and the node graph, on RustDDS.
//!
//! A [`Participant`] is one process on the network. Names, types and quality of service are
//! announced as ROS 2 does it (`rt/`, `rq/`, `rr/`, `pkg::msg::dds_::Type_`), nodes in
//! `ros_discovery_info`. Messages are CDR bytes without their encapsulation header: the types and
//! their encoding belong to the caller.
//!
//! The crate `ros2-client` brings RustDDS and the conversion of quality of service. Its own nodes
//! are not used: they fix the domain, the length of identities and the form of services at build
//! time, and answer parameter requests of one RMW only.
//!
//! Two threads work for a participant: one receives and looks after the connections, one sends
//! large and delayed messages.

mod adapter;
mod error;
mod graph;
mod handlers;
mod matches;
mod node_name;
mod pacer;
mod participant;
mod qos;
mod reader;
mod receiver;
mod request;
mod service;
mod settings;
mod writer;

pub use error::{Error, Result};
pub use handlers::{RequestHandler, ResponseHandler, SampleHandler, SampleInfo};
pub use node_name::NodeName;
pub use participant::Participant;
pub use qos::{Durability, History, Qos, Reliability};
pub use reader::Reader;
pub use request::{RequestId, ServiceMapping};
pub use service::{ServiceClient, ServiceServer};
pub use settings::{DEFAULT_MAX_MESSAGE_BYTES, DiscoveryRange, Settings};
pub use writer::Writer;
