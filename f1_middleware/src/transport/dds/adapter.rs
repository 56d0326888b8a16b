//! RustDDS with our own CDR: writers take encoded bytes, readers decode straight from the network
//! buffer.

use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::no_key::{Decode, DeserializerAdapter, SerializerAdapter};
use ros2_client::dds::rustdds::{RepresentationIdentifier, Timestamp};
use ros2_client::ros2;

use super::ServiceMapping;
use super::services::{CycloneHeader, HEADER_LENGTH};
use crate::error::Error;
use crate::qos::{Durability, History, Qos, Reliability};
use crate::time::{NANOSECONDS, Time};
use crate::transport::{TypeSupport, Value};

/// Writes bytes that are encoded already.
pub(super) struct RawWriter;

impl SerializerAdapter<Bytes> for RawWriter {
    type Error = std::convert::Infallible;

    fn output_encoding() -> RepresentationIdentifier {
        RepresentationIdentifier::CDR_LE
    }

    fn to_bytes(value: &Bytes) -> Result<Bytes, Self::Error> {
        Ok(value.clone())
    }
}

/// What a reader hands over: the message, and for services of Cyclone's kind the header before it.
pub(super) struct Decoded {
    pub(super) value: Value,
    pub(super) header: Option<CycloneHeader>,
}

/// A sample read under both service mappings: which one holds is known only with its writer.
pub(super) type Sample = Box<dyn FnOnce(ServiceMapping) -> Result<Decoded, Error> + Send>;

/// Decodes in the reader, from the buffer that the network filled.
pub(super) struct Reader;

#[derive(Clone)]
pub(super) struct TopicDecoder {
    pub(super) support: TypeSupport,
    pub(super) topic: std::sync::Arc<str>,
}

impl DeserializerAdapter<Value> for Reader {
    type Error = Error;
    type Decoded = Value;

    fn supported_encodings() -> &'static [RepresentationIdentifier] {
        &[RepresentationIdentifier::CDR_LE, RepresentationIdentifier::CDR_BE]
    }

    fn transform_decoded(decoded: Value) -> Value {
        decoded
    }
}

impl<'de> Decode<'de, Value> for TopicDecoder {
    type Error = Error;

    fn decode_bytes(
        self,
        bytes: &'de [u8],
        encoding: RepresentationIdentifier,
    ) -> Result<Value, Error> {
        self.support.decode(&self.topic, bytes, encoding == RepresentationIdentifier::CDR_BE)
    }
}

/// Service samples are small: they are copied and decoded when their writer is known.
pub(super) struct ServiceReader;

#[derive(Clone)]
pub(super) struct ServiceDecoder {
    pub(super) support: TypeSupport,
    pub(super) name: std::sync::Arc<str>,
}

impl DeserializerAdapter<Sample> for ServiceReader {
    type Error = Error;
    type Decoded = Sample;

    fn supported_encodings() -> &'static [RepresentationIdentifier] {
        &[RepresentationIdentifier::CDR_LE, RepresentationIdentifier::CDR_BE]
    }

    fn transform_decoded(decoded: Sample) -> Sample {
        decoded
    }
}

impl<'de> Decode<'de, Sample> for ServiceDecoder {
    type Error = Error;

    fn decode_bytes(
        self,
        bytes: &'de [u8],
        encoding: RepresentationIdentifier,
    ) -> Result<Sample, Error> {
        let bytes = bytes.to_vec();
        let big_endian = encoding == RepresentationIdentifier::CDR_BE;
        Ok(Box::new(move |mapping| match mapping {
            ServiceMapping::Enhanced => Ok(Decoded {
                value: self.support.decode(&self.name, &bytes, big_endian)?,
                header: None,
            }),
            ServiceMapping::Cyclone => {
                let Some((header, body)) = bytes.split_first_chunk::<HEADER_LENGTH>() else {
                    return Err(Error::Encoding {
                        topic: self.name.to_string(),
                        action: "decode",
                        type_name: self.support.name,
                        reason: "shorter than the service header".to_owned(),
                    });
                };
                // The header is 16 bytes, so that alignment behind it counts as from the start.
                let value = self.support.decode(&self.name, body, big_endian)?;
                Ok(Decoded { value, header: Some(CycloneHeader::from_bytes(*header, big_endian)) })
            }
        }))
    }
}

/// A network time stamp (32.32 fixed point) in nanoseconds.
pub(super) fn time_of(stamp: Option<Timestamp>) -> Time {
    stamp.map_or(Time::ZERO, |stamp| {
        let ticks = stamp.to_ticks();
        let nanoseconds = ((ticks & 0xffff_ffff) * NANOSECONDS as u64) >> 32;
        Time::from_nanoseconds((ticks >> 32) as i64 * NANOSECONDS + nanoseconds as i64)
    })
}

/// Samples that a reader keeps for the thread that empties it, whatever the profile's depth: the
/// depth counts in the subscription's own store.
const READER_DEPTH: usize = 32;

/// The profile as RustDDS wants it. A full send window fails at once: publishing never blocks.
pub(super) fn policies(qos: &Qos, reader: bool) -> ros2::QosPolicies {
    use ros2_client::qos::{Durability as D, History as H, QosProfile, Reliability as R, WhenFull};
    let depth = if reader { qos.depth().max(READER_DEPTH) } else { qos.depth() };
    let profile = QosProfile::publisher_default()
        .reliability(match qos.reliability {
            Reliability::BestEffort => R::BestEffort,
            Reliability::Reliable => R::Reliable { when_full: WhenFull::Fail },
        })
        .durability(match qos.durability {
            Durability::Volatile => D::Volatile,
            Durability::TransientLocal => D::TransientLocal,
        })
        .history(match qos.history {
            History::KeepAll => H::KeepAll,
            History::KeepLast(_) => H::KeepLast { depth },
        })
        .deadline(qos.deadline)
        .lifespan(qos.lifespan);
    (&profile).into()
}
