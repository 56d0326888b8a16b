//! The `dds` back end: the ROS 2 wire protocol with no ROS installed.
//!
//! Names, types and quality of service are announced as ROS 2 does it (`rt/`, `rq/`, `rr/`,
//! `pkg::msg::dds_::Type_`), nodes in `ros_discovery_info`. The crate `ros2-client` brings RustDDS
//! and the conversions; its own nodes are not used, because they fix the domain, the length of
//! identities and the way of services at build time, and answer parameter requests of one RMW only.
//!
//! Endpoints of one process do not use the network: each is also an endpoint on a bus inside the
//! process.

mod adapter;
pub(crate) mod environment;
mod graph;
mod inlet;
mod links;
mod outlet;
mod services;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use parking_lot::Mutex;
use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::no_key::{DataWriter, SimpleDataReader};
use ros2_client::dds::rustdds::{
    self, DomainParticipant, DomainParticipantBuilder, RTPSEntity, Topic, TopicKind,
};
use ros2_client::ros2::QosPolicies;

use self::adapter::{
    RawWriter, Reader, Sample, ServiceDecoder, ServiceReader, TopicDecoder, policies,
};
use self::environment::{DdsSettings, ServiceMapping};
use self::graph::Graph;
use self::inlet::{DdsInlet, Pump, ServiceInlet, ServiceSink};
use self::outlet::{DdsOutlet, Pacer};
use self::services::{Client, Server};
use super::mem::{IN_PROCESS, MemBus, MemTransport};
use super::*;
use crate::clock::TimeBase;
use crate::qos::{Durability, Reliability};

/// What three raw 640x480 cameras need of the kernel's receive buffer.
pub(crate) const WANTED_RECEIVE_BUFFER: u64 = 4 * 1024 * 1024;

/// The kernel's limit for receive buffers in bytes, `None` where it cannot be read.
pub(crate) fn receive_buffer_limit() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/net/core/rmem_max").ok()?.trim().parse().ok()
}

pub(crate) struct DdsTransport {
    local: MemTransport,
    settings: DdsSettings,
    participant: DomainParticipant,
    publisher: rustdds::Publisher,
    subscriber: rustdds::Subscriber,
    graph: Arc<Graph>,
    pump: Arc<Pump>,
    pacer: Arc<Pacer>,
    nodes: Mutex<Vec<String>>,
}

fn failed(action: impl Into<String>, reason: impl std::fmt::Debug) -> Error {
    Error::Transport { action: action.into(), reason: format!("{reason:?}") }
}

impl DdsTransport {
    pub(crate) fn from_environment(base: Arc<TimeBase>) -> Result<DdsTransport> {
        DdsTransport::new(DdsSettings::from_environment()?, base)
    }

    pub(crate) fn new(settings: DdsSettings, base: Arc<TimeBase>) -> Result<DdsTransport> {
        if let Some(limit) = receive_buffer_limit()
            && limit < WANTED_RECEIVE_BUFFER
        {
            tracing::warn!(
                limit,
                "net.core.rmem_max is too small for raw camera images: frames will be lost. \
                 Mend: sudo sysctl -w net.core.rmem_max={WANTED_RECEIVE_BUFFER}"
            );
        }
        let mut builder = DomainParticipantBuilder::new(settings.domain);
        if let Some(networks) = settings.networks() {
            builder = builder.with_only_networks(networks);
        }
        let joining = || format!("join domain {}", settings.domain);
        let participant = builder.build().map_err(|error| failed(joining(), error))?;
        let default = policies(&Qos::reliable(), false);
        let publisher =
            participant.create_publisher(&default).map_err(|error| failed(joining(), error))?;
        let subscriber =
            participant.create_subscriber(&default).map_err(|error| failed(joining(), error))?;
        let info_qos = policies(&Qos::latched(), false);
        let info = participant
            .create_topic(
                "ros_discovery_info".to_owned(),
                "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_".to_owned(),
                &info_qos,
                TopicKind::NoKey,
            )
            .map_err(|error| failed(joining(), error))?;
        let info_writer = publisher
            .create_datawriter_no_key::<Bytes, RawWriter>(&info, Some(info_qos))
            .map_err(|error| failed(joining(), error))?;
        let graph = Arc::new(Graph::new(
            participant.guid(),
            info_writer,
            settings.long_gids,
            settings.mapping,
        ));
        let pump = Pump::start(participant.clone(), graph.clone())?;
        let pacer = Pacer::start()?;
        Ok(DdsTransport {
            local: MemTransport::new(MemBus::new(), base),
            settings,
            participant,
            publisher,
            subscriber,
            graph,
            pump,
            pacer,
            nodes: Mutex::new(Vec::new()),
        })
    }

    fn topic(&self, name: String, type_name: &str, qos: &QosPolicies) -> Result<Topic> {
        let action = format!("make topic {name}");
        self.participant
            .create_topic(name, type_name.to_owned(), qos, TopicKind::NoKey)
            .map_err(|error| failed(action, error))
    }

    fn writer(
        &self,
        name: String,
        type_name: &str,
        qos: &Qos,
    ) -> Result<Arc<DataWriter<Bytes, RawWriter>>> {
        let action = format!("publish on {name}");
        let policies = policies(qos, false);
        let topic = self.topic(name, type_name, &policies)?;
        let writer = self
            .publisher
            .create_datawriter_no_key::<Bytes, RawWriter>(&topic, Some(policies))
            .map_err(|error| failed(action.clone(), error))?;
        // Latched writers are asked for what they have by every reader, in their own way.
        if (qos.reliability, qos.durability) == (Reliability::Reliable, Durability::Volatile) {
            links::prime(&writer).map_err(|error| failed(action, error))?;
        }
        Ok(Arc::new(writer))
    }

    fn service_reader(
        &self,
        name: String,
        type_name: &str,
        qos: &Qos,
    ) -> Result<SimpleDataReader<Sample, ServiceReader>> {
        let action = format!("subscribe to {name}");
        let policies = policies(qos, true);
        let topic = self.topic(name, type_name, &policies)?;
        self.subscriber
            .create_simple_datareader_no_key::<Sample, ServiceReader>(&topic, Some(policies))
            .map_err(|error| failed(action, error))
    }
}

impl Transport for DdsTransport {
    fn add_node(&self, node: &NodeName) -> Result<()> {
        let name = node.absolute();
        let mut nodes = self.nodes.lock();
        if nodes.contains(&name) {
            return Err(Error::AlreadyExists { what: "node", name });
        }
        nodes.push(name);
        self.graph.add_node(node);
        Ok(())
    }

    fn remove_node(&self, node: &NodeName) {
        let name = node.absolute();
        self.nodes.lock().retain(|existing| *existing != name);
        self.graph.remove_node(node);
    }

    fn advertise(&self, spec: TopicSpec) -> Result<Arc<dyn Outlet>> {
        let local = self.local.advertise(spec.clone())?;
        let writer = self.writer(format!("rt{}", spec.name), spec.support.dds_name, &spec.qos)?;
        let remote = DdsOutlet::new(
            spec.name,
            spec.node,
            spec.support,
            &spec.qos,
            self.settings.max_raw_bytes,
            writer,
            &self.pacer,
            &self.graph,
        );
        Ok(Arc::new(BothOutlets { local, remote }))
    }

    fn subscribe(&self, spec: TopicSpec, sink: Arc<dyn SampleSink>) -> Result<Arc<dyn Inlet>> {
        let local = self.local.subscribe(spec.clone(), sink.clone())?;
        let policies = policies(&spec.qos, true);
        let topic = self.topic(format!("rt{}", spec.name), spec.support.dds_name, &policies)?;
        let reader = self
            .subscriber
            .create_simple_datareader_no_key::<Value, Reader>(&topic, Some(policies))
            .map_err(|error| failed(format!("subscribe to {}", spec.name), error))?;
        let decoder = TopicDecoder { support: spec.support, topic: spec.name.as_str().into() };
        let remote = DdsInlet::new(&self.pump, &self.graph, spec.node, reader, decoder, sink);
        Ok(Arc::new(BothInlets { local, remote }))
    }

    fn serve(&self, spec: ServiceSpec, sink: Arc<dyn RequestSink>) -> Result<Arc<dyn ServerPort>> {
        let local = self.local.serve(spec.clone(), sink.clone())?;
        let writer =
            self.writer(format!("rr{}Reply", spec.name), spec.response.dds_name, &spec.qos)?;
        let reader = self.service_reader(
            format!("rq{}Request", spec.name),
            spec.request.dds_name,
            &spec.qos,
        )?;
        self.graph.add_writer(&spec.node, &writer);
        let decoder = ServiceDecoder { support: spec.request, name: spec.name.as_str().into() };
        let to = ServiceSink::Requests(Arc::downgrade(&sink));
        let inlet =
            ServiceInlet::new(&self.pump, &self.graph, spec.node.clone(), reader, decoder, to);
        let remote = Server {
            name: spec.name,
            node: spec.node,
            response: spec.response,
            writer,
            graph: self.graph.clone(),
            _inlet: inlet,
            _sink: sink,
        };
        Ok(Arc::new(BothServers { local, remote }))
    }

    fn client(
        &self,
        spec: ServiceSpec,
        sink: Arc<dyn ResponseSink>,
    ) -> Result<Arc<dyn ClientPort>> {
        let local = self.local.client(spec.clone(), sink.clone())?;
        let writer =
            self.writer(format!("rq{}Request", spec.name), spec.request.dds_name, &spec.qos)?;
        let reader = self.service_reader(
            format!("rr{}Reply", spec.name),
            spec.response.dds_name,
            &spec.qos,
        )?;
        self.graph.add_writer(&spec.node, &writer);
        let reader_guid = reader.guid();
        let decoder = ServiceDecoder { support: spec.response, name: spec.name.as_str().into() };
        let to = ServiceSink::Responses(Arc::downgrade(&sink), writer.guid());
        let inlet =
            ServiceInlet::new(&self.pump, &self.graph, spec.node.clone(), reader, decoder, to);
        let remote = Client {
            name: spec.name,
            node: spec.node,
            request: spec.request,
            writer,
            reader: reader_guid,
            graph: self.graph.clone(),
            next: AtomicI64::new(0),
            _inlet: inlet,
            _sink: sink,
        };
        Ok(Arc::new(BothClients { local, remote }))
    }

    fn shut_down(&self) {
        self.graph.publish_changes();
        self.pacer.stop();
        self.pump.stop();
    }
}

impl Drop for DdsTransport {
    fn drop(&mut self) {
        self.shut_down();
    }
}

struct BothOutlets {
    local: Arc<dyn Outlet>,
    remote: DdsOutlet,
}

impl Outlet for BothOutlets {
    fn publish(&self, value: Value) -> Result<()> {
        self.local.publish(value.clone())?;
        self.remote.publish(value)
    }

    fn readers(&self) -> usize {
        self.local.readers() + self.remote.readers()
    }

    fn dropped(&self) -> u64 {
        self.remote.dropped()
    }
}

struct BothInlets {
    local: Arc<dyn Inlet>,
    remote: DdsInlet,
}

impl Inlet for BothInlets {
    fn writers(&self) -> usize {
        self.local.writers() + self.remote.writers()
    }
}

struct BothServers {
    local: Arc<dyn ServerPort>,
    remote: Server,
}

impl ServerPort for BothServers {
    fn respond(&self, id: RequestId, response: Value) -> Result<()> {
        if id.dialect == IN_PROCESS {
            self.local.respond(id, response)
        } else {
            self.remote.respond(id, response)
        }
    }
}

struct BothClients {
    local: Arc<dyn ClientPort>,
    remote: Client,
}

impl ClientPort for BothClients {
    fn send(&self, request: Value) -> Result<i64> {
        if self.local.is_ready() { self.local.send(request) } else { self.remote.send(request) }
    }

    fn is_ready(&self) -> bool {
        self.local.is_ready() || self.remote.is_ready()
    }
}
