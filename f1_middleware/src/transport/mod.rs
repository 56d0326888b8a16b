//! The trait that each back end implements, and what crosses it.
//!
//! Names that cross it are absolute and remapped. Values cross as `Arc`; `mem` passes them on as
//! they are, a back end that leaves the process encodes them as CDR with [`TypeSupport`].

// `mem` alone encodes and refuses nothing.
#![cfg_attr(not(any(feature = "dds", feature = "rcl", feature = "rcl-check")), allow(dead_code))]

pub(crate) mod mem;

#[cfg(feature = "dds")]
pub(crate) mod dds;

#[cfg(any(feature = "rcl", feature = "rcl-check"))]
pub(crate) mod rcl;

use std::any::Any;
use std::sync::Arc;

use f1_interfaces::{Message, cdr};

use crate::error::{Error, Result};
use crate::qos::Qos;
use crate::time::Time;

/// A message of any type.
pub(crate) type Value = Arc<dyn Any + Send + Sync>;

type Encode = fn(&(dyn Any + Send + Sync)) -> std::result::Result<Vec<u8>, String>;

/// What a back end knows of a message type.
#[derive(Clone, Copy)]
pub(crate) struct TypeSupport {
    /// `sensor_msgs/msg/Image`.
    pub(crate) name: &'static str,
    /// `sensor_msgs::msg::dds_::Image_`.
    #[cfg_attr(not(feature = "dds"), allow(dead_code))]
    pub(crate) dds_name: &'static str,
    encode: Encode,
    decode: fn(&[u8], bool) -> std::result::Result<Value, String>,
}

impl TypeSupport {
    pub(crate) fn of<T: Message>() -> TypeSupport {
        TypeSupport {
            name: T::TYPE_NAME,
            dds_name: T::DDS_TYPE_NAME,
            encode: |value| match value.downcast_ref::<T>() {
                Some(message) => {
                    cdr::to_bytes_without_header(message).map_err(|error| error.to_string())
                }
                None => Err(format!("the value is not a {}", T::TYPE_NAME)),
            },
            decode: |bytes, big_endian| match cdr::from_bytes_without_header::<T>(bytes, big_endian)
            {
                Ok(message) => Ok(Arc::new(message)),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    /// CDR, little endian, without the encapsulation header.
    pub(crate) fn encode(&self, topic: &str, value: &Value) -> Result<Vec<u8>> {
        (self.encode)(value.as_ref()).map_err(|reason| Error::Encoding {
            topic: topic.to_owned(),
            action: "encode",
            type_name: self.name,
            reason,
        })
    }

    /// As [`TypeSupport::decode`], for a caller that adds the topic to the error itself.
    #[cfg(feature = "dds")]
    pub(crate) fn decode_body(
        &self,
        bytes: &[u8],
        big_endian: bool,
    ) -> std::result::Result<Value, String> {
        (self.decode)(bytes, big_endian).map_err(|reason| format!("not a {}: {reason}", self.name))
    }

    /// The message in `bytes`, CDR without its header.
    pub(crate) fn decode(&self, topic: &str, bytes: &[u8], big_endian: bool) -> Result<Value> {
        (self.decode)(bytes, big_endian).map_err(|reason| Error::Encoding {
            topic: topic.to_owned(),
            action: "decode",
            type_name: self.name,
            reason,
        })
    }
}

/// The node that an endpoint belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl NodeName {
    pub(crate) fn absolute(&self) -> String {
        crate::names::join(&self.namespace, &self.name)
    }
}

/// What a topic endpoint is made from.
#[derive(Clone)]
pub(crate) struct TopicSpec {
    pub(crate) node: NodeName,
    pub(crate) name: String,
    pub(crate) support: TypeSupport,
    pub(crate) qos: Qos,
}

/// What a service endpoint is made from. `type_name` is `std_srvs/srv/Trigger`, or for the services
/// inside an action `control_msgs/action/FollowJointTrajectory_SendGoal`.
#[derive(Clone)]
pub(crate) struct ServiceSpec {
    pub(crate) node: NodeName,
    pub(crate) name: String,
    pub(crate) type_name: &'static str,
    pub(crate) request: TypeSupport,
    pub(crate) response: TypeSupport,
    pub(crate) qos: Qos,
}

/// What is known of a sample beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageInfo {
    /// When the writer published it, on the writer's clock; zero if the back end does not say.
    pub source_stamp: Time,
    /// The writer.
    pub publisher: [u8; 16],
    /// Counts the writer's samples, from 1.
    pub sequence: i64,
}

/// Which request a response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId {
    pub(crate) client: [u8; 16],
    pub(crate) sequence: i64,
    pub(crate) origin: RequestOrigin,
}

/// Where a request came from, and with that how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestOrigin {
    InProcess,
    #[cfg(feature = "dds")]
    Dds(f1_dds::ServiceMapping),
    #[cfg(any(feature = "rcl", feature = "rcl-check"))]
    Rcl,
}

/// Receives the samples of a topic. Called from any thread; must not block.
pub(crate) trait SampleHandler: Send + Sync {
    fn deliver(&self, value: Value, info: MessageInfo);
    /// A sample could not be decoded.
    fn refuse(&self, error: Error);
}

/// Receives the requests of a service.
pub(crate) trait RequestHandler: Send + Sync {
    fn deliver(&self, id: RequestId, request: Value);
    fn refuse(&self, error: Error);
}

/// Receives the responses to one client.
pub(crate) trait ResponseHandler: Send + Sync {
    fn deliver(&self, sequence: i64, response: Value);
    fn refuse(&self, error: Error);
}

/// The sending end of a topic.
pub(crate) trait Writer: Send + Sync {
    fn publish(&self, value: Value) -> Result<()>;
    /// Readers that are connected.
    fn reader_count(&self) -> usize;
    /// Messages that were accepted and then dropped for newer ones, because the network or a reader
    /// stalled.
    fn dropped_count(&self) -> u64 {
        0
    }
}

/// The receiving end of a topic; dropping it ends the subscription.
pub(crate) trait Reader: Send + Sync {
    /// Writers that are connected.
    fn writer_count(&self) -> usize;
}

/// The answering end of a service; dropping it withdraws the service.
pub(crate) trait Server: Send + Sync {
    fn respond(&self, id: RequestId, response: Value) -> Result<()>;
}

/// The calling end of a service.
pub(crate) trait Client: Send + Sync {
    /// Sends and returns the sequence number that the response will carry.
    fn send(&self, request: Value) -> Result<i64>;
    /// Whether a server is connected.
    fn is_ready(&self) -> bool;
}

/// A back end.
pub(crate) trait Transport: Send + Sync {
    /// Adds a node to the graph.
    fn add_node(&self, node: &NodeName) -> Result<()>;
    fn remove_node(&self, node: &NodeName);
    fn create_writer(&self, spec: TopicSpec) -> Result<Arc<dyn Writer>>;
    fn create_reader(
        &self,
        spec: TopicSpec,
        handler: Arc<dyn SampleHandler>,
    ) -> Result<Arc<dyn Reader>>;
    fn create_server(
        &self,
        spec: ServiceSpec,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<Arc<dyn Server>>;
    fn create_client(
        &self,
        spec: ServiceSpec,
        handler: Arc<dyn ResponseHandler>,
    ) -> Result<Arc<dyn Client>>;
    /// Leaves the network; endpoints that still exist send and receive nothing more.
    fn shut_down(&self);
}
