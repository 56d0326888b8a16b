//! Servers and clients of services: requests and replies on two topics.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use ros2_client::dds::rustdds::no_key::SimpleDataReader;
use ros2_client::dds::rustdds::rpc::SampleIdentity;
use ros2_client::dds::rustdds::{
    GUID, RTPSEntity, Timestamp, WriteOptions, WriteOptionsBuilder, bytes::Bytes,
};

use crate::adapter::{BytesWriter, ServiceAdapter, ServiceDecoder, ServiceSample};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::handlers::{RequestHandler, ResponseHandler};
use crate::node_name::NodeName;
use crate::reader::{Reader, read_failed};
use crate::receiver::{Drain, Receiver};
use crate::request::{CycloneHeader, RequestId, SampleOrigin, ServiceMapping, cyclone_client};

/// How long a reply waits for its connection to the client to be discovered.
const REPLY_LIMIT: Duration = Duration::from_secs(1);

/// The first number of requests with Cyclone's header: apart from the sample numbers that the other
/// mapping uses.
const FIRST_CYCLONE_NUMBER: i64 = 1 << 40;

/// Where the samples of a service go. Weak: the handler ends with its server or client.
enum Handler {
    Requests(Weak<dyn RequestHandler>),
    /// With the request writer whose responses are wanted.
    Responses(Weak<dyn ResponseHandler>, GUID),
}

struct ServiceDrain {
    name: String,
    reader: SimpleDataReader<ServiceSample, ServiceAdapter>,
    graph: Arc<Graph>,
    handler: Handler,
}

impl ServiceDrain {
    fn received(&self, origin: &SampleOrigin, body: &[u8], big_endian: bool) {
        match &self.handler {
            Handler::Requests(handler) => {
                if let Some(handler) = handler.upgrade() {
                    handler.received(origin.request(), body, big_endian);
                }
            }
            Handler::Responses(handler, own) => {
                if let (Some(sequence), Some(handler)) =
                    (origin.answered_request(*own), handler.upgrade())
                {
                    handler.received(sequence, body, big_endian);
                }
            }
        }
    }

    fn refused(&self, error: Error) {
        match &self.handler {
            Handler::Requests(handler) => {
                if let Some(handler) = handler.upgrade() {
                    handler.refused(error);
                }
            }
            Handler::Responses(handler, _) => {
                if let Some(handler) = handler.upgrade() {
                    handler.refused(error);
                }
            }
        }
    }
}

impl Drain for ServiceDrain {
    fn drain(&self, waker: &Waker) {
        self.reader.set_waker(Some(waker.clone()));
        self.reader.drain_read_notifications();
        loop {
            match self.reader.try_take_one_with(ServiceDecoder) {
                Ok(Some(sample)) if self.graph.is_own(sample.writer_guid()) => {}
                Ok(Some(sample)) => {
                    let writer = sample.writer_guid();
                    let (sequence, related) =
                        (sample.sequence_number, sample.related_sample_identity());
                    let ServiceSample { bytes, big_endian } = sample.into_value();
                    let split = match self.graph.mapping(writer) {
                        ServiceMapping::Enhanced => Ok((None, bytes.as_slice())),
                        ServiceMapping::Cyclone => {
                            CycloneHeader::split(&self.name, &bytes, big_endian)
                                .map(|(header, body)| (Some(header), body))
                        }
                    };
                    match split {
                        Ok((header, body)) => {
                            let origin = SampleOrigin { writer, sequence, related, header };
                            self.received(&origin, body, big_endian);
                        }
                        Err(error) => self.refused(error),
                    }
                }
                Ok(None) => return,
                Err(error) => self.refused(read_failed(&self.name, error)),
            }
        }
    }
}

/// The endpoints of a server or client.
pub(crate) struct Endpoints {
    pub(crate) name: String,
    pub(crate) writer: Arc<BytesWriter>,
    pub(crate) reader: SimpleDataReader<ServiceSample, ServiceAdapter>,
}

impl Endpoints {
    /// Begins to receive; returns the reader.
    fn start(
        self,
        receiver: &Arc<Receiver>,
        graph: &Arc<Graph>,
        node: &NodeName,
        handler: Handler,
    ) -> Reader {
        graph.add_writer(node, &self.writer);
        let guid = self.reader.guid();
        let drain =
            ServiceDrain { name: self.name, reader: self.reader, graph: graph.clone(), handler };
        Reader::new(receiver, graph, node, guid, Arc::new(drain))
    }
}

fn send_failed(name: &str, reason: impl std::fmt::Debug) -> Error {
    Error::network(format!("send on service {name}"), reason)
}

/// The answering end of a service; dropping it withdraws the service.
#[must_use = "dropping a server withdraws the service"]
pub struct ServiceServer {
    name: String,
    node: NodeName,
    writer: Arc<BytesWriter>,
    graph: Arc<Graph>,
    _reader: Reader,
    _handler: Arc<dyn RequestHandler>,
}

impl ServiceServer {
    pub(crate) fn new(
        endpoints: Endpoints,
        node: &NodeName,
        receiver: &Arc<Receiver>,
        graph: &Arc<Graph>,
        handler: Arc<dyn RequestHandler>,
    ) -> ServiceServer {
        let (name, writer) = (endpoints.name.clone(), endpoints.writer.clone());
        let requests = Handler::Requests(Arc::downgrade(&handler));
        ServiceServer {
            name,
            node: node.clone(),
            writer,
            graph: graph.clone(),
            _reader: endpoints.start(receiver, graph, node, requests),
            _handler: handler,
        }
    }

    /// Answers a request: little-endian CDR without its encapsulation header. A response to a
    /// client that is not connected yet waits for it, at most a second.
    ///
    /// # Errors
    /// RustDDS refuses.
    pub fn respond(&self, id: RequestId, body: &[u8]) -> Result<()> {
        let options = WriteOptionsBuilder::new().source_timestamp(Timestamp::now());
        let (bytes, options) = match id.mapping {
            ServiceMapping::Cyclone => {
                let mut client = [0; 8];
                client.copy_from_slice(&id.client[..8]);
                (CycloneHeader { client, sequence: id.sequence }.prepend(body), options)
            }
            ServiceMapping::Enhanced => {
                let related = SampleIdentity {
                    writer_guid: GUID::from_bytes(id.client),
                    sequence_number: id.sequence.into(),
                };
                (body.to_vec(), options.related_sample_identity(related))
            }
        };
        let (bytes, options) = (Bytes::from(bytes), options.build());
        if self.graph.reaches(self.writer.guid(), id.participant()) {
            return write(&self.writer, bytes, options)
                .map_err(|error| send_failed(&self.name, error));
        }
        // The request was faster than discovery: a reply now would be lost.
        let (graph, writer) = (Arc::downgrade(&self.graph), Arc::downgrade(&self.writer));
        let (name, participant) = (self.name.clone(), id.participant().to_vec());
        let limit = Instant::now() + REPLY_LIMIT;
        self.graph.defer(Box::new(move || {
            let (Some(graph), Some(writer)) = (graph.upgrade(), writer.upgrade()) else {
                return true;
            };
            let ready = graph.reaches(writer.guid(), &participant);
            if !ready && Instant::now() < limit {
                return false;
            }
            if let Err(error) = write(&writer, bytes.clone(), options.clone()) {
                tracing::warn!(service = name, ?error, "reply not sent");
            }
            true
        }));
        Ok(())
    }
}

fn write(
    writer: &BytesWriter,
    bytes: Bytes,
    options: WriteOptions,
) -> std::result::Result<(), impl std::fmt::Debug + use<>> {
    writer.write_with_options(bytes, options).map(|_| ())
}

impl Drop for ServiceServer {
    fn drop(&mut self) {
        self.graph.remove_endpoint(&self.node, self.writer.guid());
    }
}

/// The calling end of a service.
pub struct ServiceClient {
    name: String,
    node: NodeName,
    writer: Arc<BytesWriter>,
    graph: Arc<Graph>,
    next: AtomicI64,
    reader: Reader,
    _handler: Arc<dyn ResponseHandler>,
}

impl ServiceClient {
    pub(crate) fn new(
        endpoints: Endpoints,
        node: &NodeName,
        receiver: &Arc<Receiver>,
        graph: &Arc<Graph>,
        handler: Arc<dyn ResponseHandler>,
    ) -> ServiceClient {
        let (name, writer) = (endpoints.name.clone(), endpoints.writer.clone());
        let responses = Handler::Responses(Arc::downgrade(&handler), writer.guid());
        ServiceClient {
            name,
            node: node.clone(),
            writer,
            graph: graph.clone(),
            next: AtomicI64::new(FIRST_CYCLONE_NUMBER),
            reader: endpoints.start(receiver, graph, node, responses),
            _handler: handler,
        }
    }

    /// Sends a request (little-endian CDR without its encapsulation header) and returns the number
    /// that its response will carry.
    ///
    /// # Errors
    /// RustDDS refuses.
    pub fn send(&self, body: &[u8]) -> Result<i64> {
        let options = WriteOptionsBuilder::new().source_timestamp(Timestamp::now()).build();
        let send = |bytes: Vec<u8>| {
            self.writer
                .write_with_options(Bytes::from(bytes), options)
                .map_err(|error| send_failed(&self.name, error))
        };
        match self.graph.mapping_of_peers(self.writer.guid()) {
            ServiceMapping::Enhanced => {
                send(body.to_vec()).map(|identity| identity.sequence_number.into())
            }
            ServiceMapping::Cyclone => {
                let sequence = self.next.fetch_add(1, Ordering::SeqCst);
                let header = CycloneHeader { client: cyclone_client(self.writer.guid()), sequence };
                send(header.prepend(body)).map(|_| sequence)
            }
        }
    }

    /// Whether a server of another participant is connected, both ways.
    pub fn is_ready(&self) -> bool {
        self.graph.connected_count(self.writer.guid()) > 0
            && self.graph.connected_count(self.reader.guid()) > 0
    }
}

impl Drop for ServiceClient {
    fn drop(&mut self) {
        self.graph.remove_endpoint(&self.node, self.writer.guid());
    }
}
