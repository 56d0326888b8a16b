//! A participant: one process in a domain, with its two threads.

use std::sync::Arc;

use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::{
    self, DomainParticipant, DomainParticipantBuilder, RTPSEntity, Topic, TopicKind,
};
use ros2_client::ros2::QosPolicies;

use crate::adapter::{BytesWriter, RawWriter, ServiceAdapter, ServiceSample, TopicAdapter};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::handlers::{RequestHandler, ResponseHandler, SampleHandler};
use crate::matches;
use crate::node_name::NodeName;
use crate::pacer::Pacer;
use crate::qos::{Durability, Qos, Reliability};
use crate::reader::Reader;
use crate::receiver::Receiver;
use crate::service::{Endpoints, ServiceClient, ServiceServer};
use crate::settings::Settings;
use crate::writer::Writer;

/// One process in a domain. Names of topics and services are absolute; types are named as DDS names
/// them, `sensor_msgs::msg::dds_::Image_`.
pub struct Participant {
    settings: Settings,
    participant: DomainParticipant,
    publisher: rustdds::Publisher,
    subscriber: rustdds::Subscriber,
    graph: Arc<Graph>,
    receiver: Arc<Receiver>,
    pacer: Arc<Pacer>,
}

impl Participant {
    /// Joins the domain.
    ///
    /// # Errors
    /// The network cannot be used, or a thread cannot be started.
    pub fn new(settings: Settings) -> Result<Participant> {
        let mut builder = DomainParticipantBuilder::new(settings.domain);
        if let Some(networks) = settings.networks() {
            builder = builder.with_only_networks(networks);
        }
        let action = format!("join domain {}", settings.domain);
        let failed = |error: &dyn std::fmt::Debug| Error::network(action.clone(), error);
        let participant = builder.build().map_err(|error| failed(&error))?;
        let default = Qos::default().for_writer();
        let publisher = participant.create_publisher(&default).map_err(|error| failed(&error))?;
        let subscriber = participant.create_subscriber(&default).map_err(|error| failed(&error))?;
        let info_qos = Qos::latched().for_writer();
        let info = participant
            .create_topic(
                "ros_discovery_info".to_owned(),
                "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_".to_owned(),
                &info_qos,
                TopicKind::NoKey,
            )
            .map_err(|error| failed(&error))?;
        let info_writer = publisher
            .create_datawriter_no_key::<Bytes, RawWriter>(&info, Some(info_qos))
            .map_err(|error| failed(&error))?;
        let graph = Arc::new(Graph::new(
            participant.guid(),
            info_writer,
            settings.long_gids,
            settings.mapping,
        ));
        let receiver = Receiver::start(participant.clone(), graph.clone())?;
        let pacer = Pacer::start()?;
        Ok(Participant { settings, participant, publisher, subscriber, graph, receiver, pacer })
    }

    /// Adds a node to the graph. Its endpoints are listed under it.
    ///
    /// # Errors
    /// [`Error::NodeExists`].
    pub fn add_node(&self, node: &NodeName) -> Result<()> {
        if self.graph.add_node(node) { Ok(()) } else { Err(Error::NodeExists(node.to_string())) }
    }

    /// Removes a node from the graph.
    pub fn remove_node(&self, node: &NodeName) {
        self.graph.remove_node(node);
    }

    /// Makes the sending end of a topic.
    ///
    /// # Errors
    /// RustDDS refuses.
    pub fn create_writer(
        &self,
        node: &NodeName,
        topic: &str,
        type_name: &str,
        qos: &Qos,
    ) -> Result<Writer> {
        let writer = self.data_writer(format!("rt{topic}"), type_name, qos)?;
        let limit = self.settings.max_message_bytes;
        Ok(Writer::new(topic, node, qos, limit, writer, &self.pacer, &self.graph))
    }

    /// Subscribes to a topic.
    ///
    /// # Errors
    /// RustDDS refuses.
    pub fn create_reader<H: SampleHandler>(
        &self,
        node: &NodeName,
        topic: &str,
        type_name: &str,
        qos: &Qos,
        handler: Arc<H>,
    ) -> Result<Reader> {
        let policies = qos.for_reader();
        let dds_topic = self.topic(format!("rt{topic}"), type_name, &policies)?;
        let reader = self
            .subscriber
            .create_simple_datareader_no_key::<H::Message, TopicAdapter<H::Message>>(
                &dds_topic,
                Some(policies),
            )
            .map_err(|error| Error::network(format!("subscribe to {topic}"), error))?;
        Ok(Reader::of_topic(&self.receiver, &self.graph, node, topic, reader, handler))
    }

    /// Offers a service. The types are those of its request and response.
    ///
    /// # Errors
    /// RustDDS refuses.
    pub fn create_server(
        &self,
        node: &NodeName,
        service: &str,
        types: [&str; 2],
        qos: &Qos,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<ServiceServer> {
        let [request, response] = types;
        let endpoints = Endpoints {
            name: service.to_owned(),
            writer: self.data_writer(format!("rr{service}Reply"), response, qos)?,
            reader: self.service_reader(format!("rq{service}Request"), request, qos)?,
        };
        Ok(ServiceServer::new(endpoints, node, &self.receiver, &self.graph, handler))
    }

    /// Makes a client of a service; the server may come later. The types are those of its request
    /// and response.
    ///
    /// # Errors
    /// RustDDS refuses.
    pub fn create_client(
        &self,
        node: &NodeName,
        service: &str,
        types: [&str; 2],
        qos: &Qos,
        handler: Arc<dyn ResponseHandler>,
    ) -> Result<ServiceClient> {
        let [request, response] = types;
        let endpoints = Endpoints {
            name: service.to_owned(),
            writer: self.data_writer(format!("rq{service}Request"), request, qos)?,
            reader: self.service_reader(format!("rr{service}Reply"), response, qos)?,
        };
        Ok(ServiceClient::new(endpoints, node, &self.receiver, &self.graph, handler))
    }

    fn topic(&self, name: String, type_name: &str, qos: &QosPolicies) -> Result<Topic> {
        let action = format!("make topic {name}");
        self.participant
            .create_topic(name, type_name.to_owned(), qos, TopicKind::NoKey)
            .map_err(|error| Error::network(action, error))
    }

    fn data_writer(&self, name: String, type_name: &str, qos: &Qos) -> Result<Arc<BytesWriter>> {
        let action = format!("publish on {name}");
        let policies = qos.for_writer();
        let topic = self.topic(name, type_name, &policies)?;
        let writer = self
            .publisher
            .create_datawriter_no_key::<Bytes, RawWriter>(&topic, Some(policies))
            .map_err(|error| Error::network(action.clone(), error))?;
        // Every reader asks a latched writer for its history: no first sample is needed there.
        if (qos.reliability, qos.durability) == (Reliability::Reliable, Durability::Volatile) {
            matches::prime(&writer).map_err(|error| Error::network(action, error))?;
        }
        Ok(Arc::new(writer))
    }

    fn service_reader(
        &self,
        name: String,
        type_name: &str,
        qos: &Qos,
    ) -> Result<rustdds::no_key::SimpleDataReader<ServiceSample, ServiceAdapter>> {
        let action = format!("subscribe to {name}");
        let policies = qos.for_reader();
        let topic = self.topic(name, type_name, &policies)?;
        self.subscriber
            .create_simple_datareader_no_key::<ServiceSample, ServiceAdapter>(
                &topic,
                Some(policies),
            )
            .map_err(|error| Error::network(action, error))
    }

    /// Leaves the network: announces the last changes and ends the threads. Endpoints that still
    /// exist send and receive nothing more.
    pub fn shut_down(&self) {
        self.graph.publish_changes();
        self.pacer.stop();
        self.receiver.stop();
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        self.shut_down();
    }
}
