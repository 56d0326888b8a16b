//! Requests and replies over two topics, marked in the way that each peer understands.
//!
//! Fast DDS (and we) mark a reply with the RTPS identity of its request ("enhanced" mapping of
//! DDS-RPC). Cyclone DDS puts sixteen bytes before the content: the client's eight and the
//! request's number. Which one a peer speaks follows from its maker, seen in discovery, so that
//! both can be served at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use ros2_client::dds::rustdds::no_key::DataWriter;
use ros2_client::dds::rustdds::rpc::SampleIdentity;
use ros2_client::dds::rustdds::{
    GUID, RTPSEntity, SequenceNumber, Timestamp, WriteOptions, WriteOptionsBuilder, bytes::Bytes,
};

use super::adapter::RawWriter;
use super::environment::ServiceMapping;
use super::graph::Graph;
use super::inlet::ServiceInlet;
use crate::error::{Error, Result};
use crate::transport::{
    ClientPort, NodeName, RequestId, RequestSink, ResponseSink, ServerPort, TypeSupport, Value,
};

pub(super) const HEADER_LENGTH: usize = 16;

/// `RequestId::dialect` of a client that sent little-endian Cyclone headers.
const CYCLONE: u8 = 1;

/// What Cyclone's RMW puts before requests and replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CycloneHeader {
    pub(super) client: [u8; 8],
    pub(super) sequence: i64,
}

impl CycloneHeader {
    pub(super) fn from_bytes(bytes: [u8; HEADER_LENGTH], big_endian: bool) -> CycloneHeader {
        let (mut client, mut sequence) = ([0; 8], [0; 8]);
        client.copy_from_slice(&bytes[..8]);
        sequence.copy_from_slice(&bytes[8..]);
        // Replies are little endian whatever the request was: the client's eight bytes are one
        // number.
        if big_endian {
            client.reverse();
        }
        let sequence =
            if big_endian { i64::from_be_bytes(sequence) } else { i64::from_le_bytes(sequence) };
        CycloneHeader { client, sequence }
    }

    fn prepend(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LENGTH + body.len());
        bytes.extend_from_slice(&self.client);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(body);
        bytes
    }
}

/// Eight bytes that no other client has: all sixteen of the writer's identity folded.
pub(super) fn folded(guid: GUID) -> [u8; 8] {
    let bytes = guid.to_bytes();
    std::array::from_fn(|i| bytes[i] ^ bytes[i + 8].rotate_left(3))
}

/// The parts of a sample that say which request it is or answers.
pub(super) struct SampleOrigin {
    pub(super) writer: GUID,
    pub(super) sequence: SequenceNumber,
    pub(super) related: Option<SampleIdentity>,
    pub(super) header: Option<CycloneHeader>,
}

impl SampleOrigin {
    /// The request that arrived with this origin.
    pub(super) fn request(&self) -> RequestId {
        if let Some(header) = self.header {
            let mut client = [0; 16];
            client[..8].copy_from_slice(&header.client);
            // The other half remembers the participant, to know when our reply can reach it.
            client[8..].copy_from_slice(&self.writer.to_bytes()[..8]);
            return RequestId { client, sequence: header.sequence, dialect: CYCLONE };
        }
        // Fast DDS names its reply reader as the related identity and leaves the number unset.
        let (guid, sequence) = match self.related {
            Some(related) if related.sequence_number != SequenceNumber::UNKNOWN => {
                (related.writer_guid, related.sequence_number)
            }
            Some(related) => (related.writer_guid, self.sequence),
            None => (self.writer, self.sequence),
        };
        RequestId { client: guid.to_bytes(), sequence: sequence.into(), dialect: 0 }
    }
}

fn write_failed(name: &str, reason: impl std::fmt::Debug) -> Error {
    Error::Transport { action: format!("send on service {name}"), reason: format!("{reason:?}") }
}

/// How long a reply waits for its way to the client to be discovered.
const REPLY_LIMIT: Duration = Duration::from_secs(1);

pub(super) struct Server {
    pub(super) name: String,
    pub(super) node: NodeName,
    pub(super) response: TypeSupport,
    pub(super) writer: Arc<DataWriter<Bytes, RawWriter>>,
    pub(super) graph: Arc<Graph>,
    pub(super) _inlet: ServiceInlet,
    pub(super) _sink: Arc<dyn RequestSink>,
}

impl ServerPort for Server {
    fn respond(&self, id: RequestId, response: Value) -> Result<()> {
        let body = self.response.encode(&self.name, &response)?;
        let options = WriteOptionsBuilder::new().source_timestamp(Timestamp::now());
        let (bytes, options) = if id.dialect == CYCLONE {
            let mut client = [0; 8];
            client.copy_from_slice(&id.client[..8]);
            (CycloneHeader { client, sequence: id.sequence }.prepend(&body), options)
        } else {
            let related = SampleIdentity {
                writer_guid: GUID::from_bytes(id.client),
                sequence_number: id.sequence.into(),
            };
            (body, options.related_sample_identity(related))
        };
        let (bytes, options) = (Bytes::from(bytes), options.build());
        let participant = if id.dialect == CYCLONE { &id.client[8..] } else { &id.client[..8] };
        if self.graph.reaches(self.writer.guid(), participant) {
            return write(&self.writer, bytes, options)
                .map_err(|error| write_failed(&self.name, error));
        }
        // The request was faster than discovery: a reply now would be lost.
        let (graph, writer) = (Arc::downgrade(&self.graph), Arc::downgrade(&self.writer));
        let (name, participant) = (self.name.clone(), participant.to_vec());
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
    writer: &DataWriter<Bytes, RawWriter>,
    bytes: Bytes,
    options: WriteOptions,
) -> std::result::Result<(), impl std::fmt::Debug + use<>> {
    writer.write_with_options(bytes, options).map(|_| ())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.graph.remove_endpoint(&self.node, self.writer.guid());
    }
}

pub(super) struct Client {
    pub(super) name: String,
    pub(super) node: NodeName,
    pub(super) request: TypeSupport,
    pub(super) writer: Arc<DataWriter<Bytes, RawWriter>>,
    pub(super) reader: GUID,
    pub(super) graph: Arc<Graph>,
    pub(super) next: AtomicI64,
    pub(super) _inlet: ServiceInlet,
    pub(super) _sink: Arc<dyn ResponseSink>,
}

/// Numbers of requests in Cyclone's way, kept apart from the sample numbers of the other way.
const CYCLONE_NUMBERS: i64 = 1 << 40;

impl ClientPort for Client {
    fn send(&self, request: Value) -> Result<i64> {
        let body = self.request.encode(&self.name, &request)?;
        let options = WriteOptionsBuilder::new().source_timestamp(Timestamp::now()).build();
        let sent = |bytes: Vec<u8>| {
            self.writer
                .write_with_options(Bytes::from(bytes), options)
                .map_err(|error| write_failed(&self.name, error))
        };
        match self.graph.mapping_of_peers(self.writer.guid()) {
            ServiceMapping::Enhanced => sent(body).map(|identity| identity.sequence_number.into()),
            ServiceMapping::Cyclone => {
                let sequence = self.next.fetch_add(1, Ordering::SeqCst) + CYCLONE_NUMBERS;
                let header = CycloneHeader { client: folded(self.writer.guid()), sequence };
                sent(header.prepend(&body)).map(|_| sequence)
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.graph.count(self.writer.guid()) > 0 && self.graph.count(self.reader) > 0
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.graph.remove_endpoint(&self.node, self.writer.guid());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = CycloneHeader { client: [1, 2, 3, 4, 5, 6, 7, 8], sequence: -5 };
        let bytes = header.prepend(b"body");
        assert_eq!(bytes.len(), HEADER_LENGTH + 4);
        let (head, body) = bytes.split_first_chunk::<HEADER_LENGTH>().unwrap();
        assert_eq!((CycloneHeader::from_bytes(*head, false), body), (header, b"body".as_slice()));
    }
}
