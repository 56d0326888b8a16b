//! The `dds` back end: the ROS 2 wire protocol with no ROS installed, by the crate `f1_dds`.
//!
//! Endpoints of one process do not use the network: each is also an endpoint on a bus inside the
//! process.

use std::sync::Arc;

use f1_dds::{Participant, SampleInfo, Settings};

use super::mem::{MemBus, MemTransport};
use super::*;
use crate::clock::TimeBase;
use crate::qos::{Durability, History, Reliability};
use crate::receive_buffer;

impl From<f1_dds::Error> for Error {
    fn from(error: f1_dds::Error) -> Error {
        match error {
            f1_dds::Error::Environment { variable, value, reason } => {
                Error::Environment { variable, value, reason }
            }
            f1_dds::Error::NodeExists(name) => Error::AlreadyExists { what: "node", name },
            f1_dds::Error::TooLarge { topic, size, limit } => {
                Error::TooLarge { topic, size, limit }
            }
            f1_dds::Error::Network { action, reason } => Error::Transport { action, reason },
            f1_dds::Error::Decode { name, reason } => {
                Error::Transport { action: format!("decode {name}"), reason }
            }
        }
    }
}

impl From<&NodeName> for f1_dds::NodeName {
    fn from(node: &NodeName) -> f1_dds::NodeName {
        f1_dds::NodeName::new(node.namespace.as_str(), node.name.as_str())
    }
}

impl From<&Qos> for f1_dds::Qos {
    fn from(qos: &Qos) -> f1_dds::Qos {
        f1_dds::Qos {
            reliability: match qos.reliability {
                Reliability::BestEffort => f1_dds::Reliability::BestEffort,
                Reliability::Reliable => f1_dds::Reliability::Reliable,
            },
            durability: match qos.durability {
                Durability::Volatile => f1_dds::Durability::Volatile,
                Durability::TransientLocal => f1_dds::Durability::TransientLocal,
            },
            history: match qos.history {
                History::KeepLast(_) => f1_dds::History::KeepLast(qos.depth()),
                History::KeepAll => f1_dds::History::KeepAll,
            },
            deadline: qos.deadline,
            lifespan: qos.lifespan,
        }
    }
}

pub(crate) struct DdsTransport {
    local: MemTransport,
    participant: Participant,
}

impl DdsTransport {
    pub(crate) fn from_environment(base: Arc<TimeBase>) -> Result<DdsTransport> {
        let settings = Settings::from_environment()?;
        receive_buffer::warn_if_small();
        Ok(DdsTransport {
            local: MemTransport::new(MemBus::new(), base),
            participant: Participant::new(settings)?,
        })
    }
}

impl Transport for DdsTransport {
    fn add_node(&self, node: &NodeName) -> Result<()> {
        Ok(self.participant.add_node(&node.into())?)
    }

    fn remove_node(&self, node: &NodeName) {
        self.participant.remove_node(&node.into());
    }

    fn create_writer(&self, spec: TopicSpec) -> Result<Arc<dyn Writer>> {
        let local = self.local.create_writer(spec.clone())?;
        let remote = self.participant.create_writer(
            &(&spec.node).into(),
            &spec.name,
            spec.support.dds_name,
            &(&spec.qos).into(),
        )?;
        Ok(Arc::new(DdsWriter { local, remote, topic: spec.name, support: spec.support }))
    }

    fn create_reader(
        &self,
        spec: TopicSpec,
        handler: Arc<dyn SampleHandler>,
    ) -> Result<Arc<dyn Reader>> {
        let local = self.local.create_reader(spec.clone(), handler.clone())?;
        let remote = self.participant.create_reader(
            &(&spec.node).into(),
            &spec.name,
            spec.support.dds_name,
            &(&spec.qos).into(),
            Arc::new(Samples { support: spec.support, handler }),
        )?;
        Ok(Arc::new(DdsReader { local, remote }))
    }

    fn create_server(
        &self,
        spec: ServiceSpec,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<Arc<dyn Server>> {
        let local = self.local.create_server(spec.clone(), handler.clone())?;
        let remote = self.participant.create_server(
            &(&spec.node).into(),
            &spec.name,
            [spec.request.dds_name, spec.response.dds_name],
            &(&spec.qos).into(),
            Arc::new(Requests { name: spec.name.clone(), support: spec.request, handler }),
        )?;
        Ok(Arc::new(DdsServer { local, remote, name: spec.name, response: spec.response }))
    }

    fn create_client(
        &self,
        spec: ServiceSpec,
        handler: Arc<dyn ResponseHandler>,
    ) -> Result<Arc<dyn Client>> {
        let local = self.local.create_client(spec.clone(), handler.clone())?;
        let remote = self.participant.create_client(
            &(&spec.node).into(),
            &spec.name,
            [spec.request.dds_name, spec.response.dds_name],
            &(&spec.qos).into(),
            Arc::new(Responses { name: spec.name.clone(), support: spec.response, handler }),
        )?;
        Ok(Arc::new(DdsClient { local, remote, name: spec.name, request: spec.request }))
    }

    fn shut_down(&self) {
        self.participant.shut_down();
    }
}

struct DdsWriter {
    local: Arc<dyn Writer>,
    remote: f1_dds::Writer,
    topic: String,
    support: TypeSupport,
}

impl Writer for DdsWriter {
    fn publish(&self, value: Value) -> Result<()> {
        self.local.publish(value.clone())?;
        // Without a reader in another process nothing is encoded.
        if !self.remote.is_wanted() {
            return Ok(());
        }
        Ok(self.remote.publish(self.support.encode(&self.topic, &value)?)?)
    }

    fn reader_count(&self) -> usize {
        self.local.reader_count() + self.remote.reader_count()
    }

    fn dropped_count(&self) -> u64 {
        self.remote.dropped_count()
    }
}

struct DdsReader {
    local: Arc<dyn Reader>,
    remote: f1_dds::Reader,
}

impl Reader for DdsReader {
    fn writer_count(&self) -> usize {
        self.local.writer_count() + self.remote.writer_count()
    }
}

/// Passes the samples of other processes on.
struct Samples {
    support: TypeSupport,
    handler: Arc<dyn SampleHandler>,
}

impl f1_dds::SampleHandler for Samples {
    type Message = Value;

    fn decode(&self, body: &[u8], big_endian: bool) -> std::result::Result<Value, String> {
        self.support.decode_body(body, big_endian)
    }

    fn received(&self, message: Value, info: SampleInfo) {
        let info = MessageInfo {
            source_stamp: Time::from_nanoseconds(info.source_stamp),
            publisher: info.writer,
            sequence: info.sequence,
        };
        self.handler.deliver(message, info);
    }

    fn refused(&self, error: f1_dds::Error) {
        self.handler.refuse(error.into());
    }
}

/// Passes the requests of other processes on.
struct Requests {
    name: String,
    support: TypeSupport,
    handler: Arc<dyn RequestHandler>,
}

impl f1_dds::RequestHandler for Requests {
    fn received(&self, id: f1_dds::RequestId, body: &[u8], big_endian: bool) {
        let f1_dds::RequestId { client, sequence, mapping } = id;
        let id = RequestId { client, sequence, origin: RequestOrigin::Dds(mapping) };
        match self.support.decode(&self.name, body, big_endian) {
            Ok(request) => self.handler.deliver(id, request),
            Err(error) => self.handler.refuse(error),
        }
    }

    fn refused(&self, error: f1_dds::Error) {
        self.handler.refuse(error.into());
    }
}

/// Passes the responses of other processes on.
struct Responses {
    name: String,
    support: TypeSupport,
    handler: Arc<dyn ResponseHandler>,
}

impl f1_dds::ResponseHandler for Responses {
    fn received(&self, sequence: i64, body: &[u8], big_endian: bool) {
        match self.support.decode(&self.name, body, big_endian) {
            Ok(response) => self.handler.deliver(sequence, response),
            Err(error) => self.handler.refuse(error),
        }
    }

    fn refused(&self, error: f1_dds::Error) {
        self.handler.refuse(error.into());
    }
}

struct DdsServer {
    local: Arc<dyn Server>,
    remote: f1_dds::ServiceServer,
    name: String,
    response: TypeSupport,
}

impl Server for DdsServer {
    fn respond(&self, id: RequestId, response: Value) -> Result<()> {
        let RequestOrigin::Dds(mapping) = id.origin else {
            return self.local.respond(id, response);
        };
        let id = f1_dds::RequestId { client: id.client, sequence: id.sequence, mapping };
        Ok(self.remote.respond(id, &self.response.encode(&self.name, &response)?)?)
    }
}

struct DdsClient {
    local: Arc<dyn Client>,
    remote: f1_dds::ServiceClient,
    name: String,
    request: TypeSupport,
}

impl Client for DdsClient {
    fn send(&self, request: Value) -> Result<i64> {
        if self.local.is_ready() {
            return self.local.send(request);
        }
        Ok(self.remote.send(&self.request.encode(&self.name, &request)?)?)
    }

    fn is_ready(&self) -> bool {
        self.local.is_ready() || self.remote.is_ready()
    }
}
