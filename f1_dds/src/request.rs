//! How requests and responses of services are matched, in the two forms that ROS 2 peers use.
//!
//! Fast DDS (and this crate) mark a reply with the RTPS identity of its request ("enhanced" mapping
//! of DDS-RPC). Cyclone DDS puts sixteen bytes before the content: the client's eight and the
//! request's number. Which one a peer uses follows from its vendor, seen in discovery, so that both
//! can be served at the same time.

use ros2_client::dds::rustdds::rpc::SampleIdentity;
use ros2_client::dds::rustdds::{GUID, SequenceNumber};

use crate::error::{Error, Result};

/// The form in which requests and replies of services are marked; each RMW has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceMapping {
    /// By RTPS sample identities (Fast DDS and this crate).
    Enhanced,
    /// By a header before the content (Cyclone DDS).
    Cyclone,
}

/// Which request a response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId {
    /// Identifies the client. With [`ServiceMapping::Enhanced`] the identity of its writer; with
    /// [`ServiceMapping::Cyclone`] the client's eight bytes and the first eight of its participant.
    pub client: [u8; 16],
    /// The client's number of the request.
    pub sequence: i64,
    /// The form in which the client expects the response.
    pub mapping: ServiceMapping,
}

impl RequestId {
    /// The first bytes of the identity of the client's participant.
    pub(crate) fn participant(&self) -> &[u8] {
        match self.mapping {
            ServiceMapping::Enhanced => &self.client[..8],
            ServiceMapping::Cyclone => &self.client[8..],
        }
    }
}

pub(crate) const HEADER_LENGTH: usize = 16;

/// What Cyclone's RMW puts before requests and replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CycloneHeader {
    pub(crate) client: [u8; 8],
    pub(crate) sequence: i64,
}

impl CycloneHeader {
    fn from_bytes(bytes: [u8; HEADER_LENGTH], big_endian: bool) -> CycloneHeader {
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

    /// Splits a sample into its header and its content. The header is 16 bytes long, so that
    /// alignment in the content counts as from the start.
    ///
    /// # Errors
    /// [`Error::Decode`] for a sample that is shorter than the header.
    pub(crate) fn split<'a>(
        service: &str,
        bytes: &'a [u8],
        big_endian: bool,
    ) -> Result<(CycloneHeader, &'a [u8])> {
        match bytes.split_first_chunk::<HEADER_LENGTH>() {
            Some((header, body)) => Ok((CycloneHeader::from_bytes(*header, big_endian), body)),
            None => Err(Error::Decode {
                name: service.to_owned(),
                reason: "shorter than the service header".to_owned(),
            }),
        }
    }

    pub(crate) fn prepend(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LENGTH + body.len());
        bytes.extend_from_slice(&self.client);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(body);
        bytes
    }
}

/// The client's eight bytes in a Cyclone header: all sixteen of its writer's identity folded, so
/// that no other client has the same.
pub(crate) fn cyclone_client(writer: GUID) -> [u8; 8] {
    let bytes = writer.to_bytes();
    std::array::from_fn(|i| bytes[i] ^ bytes[i + 8].rotate_left(3))
}

/// The parts of a sample that say which request it is or answers.
pub(crate) struct SampleOrigin {
    pub(crate) writer: GUID,
    pub(crate) sequence: SequenceNumber,
    pub(crate) related: Option<SampleIdentity>,
    pub(crate) header: Option<CycloneHeader>,
}

impl SampleOrigin {
    /// The request that arrived with this origin.
    pub(crate) fn request(&self) -> RequestId {
        if let Some(header) = self.header {
            let mut client = [0; 16];
            client[..8].copy_from_slice(&header.client);
            // The other half holds the participant, to know when our reply can reach it.
            client[8..].copy_from_slice(&self.writer.to_bytes()[..8]);
            let mapping = ServiceMapping::Cyclone;
            return RequestId { client, sequence: header.sequence, mapping };
        }
        // Fast DDS names its reply reader as the related identity and leaves the number unset.
        let (guid, sequence) = match self.related {
            Some(related) if related.sequence_number != SequenceNumber::UNKNOWN => {
                (related.writer_guid, related.sequence_number)
            }
            Some(related) => (related.writer_guid, self.sequence),
            None => (self.writer, self.sequence),
        };
        let mapping = ServiceMapping::Enhanced;
        RequestId { client: guid.to_bytes(), sequence: sequence.into(), mapping }
    }

    /// The number of the request that this sample answers, if the client that writes with `own`
    /// sent it. Replies to other clients arrive at every reader of the topic.
    pub(crate) fn answered_request(&self, own: GUID) -> Option<i64> {
        match (self.header, self.related) {
            (Some(header), _) => (header.client == cyclone_client(own)).then_some(header.sequence),
            (None, Some(related)) => {
                (related.writer_guid == own).then(|| related.sequence_number.into())
            }
            (None, None) => None,
        }
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
        let (found, body) = CycloneHeader::split("s", &bytes, false).unwrap();
        assert_eq!((found, body), (header, b"body".as_slice()));
        assert!(CycloneHeader::split("s", &bytes[..15], false).is_err());
    }

    #[test]
    fn a_big_endian_header_names_the_same_client_and_number() {
        let mut bytes = [0; HEADER_LENGTH];
        bytes[..8].copy_from_slice(&0x0102_0304_0506_0708_u64.to_be_bytes());
        bytes[8..].copy_from_slice(&7_i64.to_be_bytes());
        let (header, _) = CycloneHeader::split("s", &bytes, true).unwrap();
        assert_eq!(header.client, 0x0102_0304_0506_0708_u64.to_le_bytes());
        assert_eq!(header.sequence, 7);
    }
}
