//! RustDDS without its own encoding: writers take encoded bytes, readers decode with the caller's
//! handler, straight from the network buffer.

use std::marker::PhantomData;
use std::sync::Arc;

use ros2_client::dds::rustdds::RepresentationIdentifier;
use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::no_key::{
    DataWriter, Decode, DeserializerAdapter, SerializerAdapter,
};

use crate::error::Error;
use crate::handlers::SampleHandler;

const ENCODINGS: &[RepresentationIdentifier] =
    &[RepresentationIdentifier::CDR_LE, RepresentationIdentifier::CDR_BE];

/// Writes bytes that are encoded already.
pub(crate) struct RawWriter;

/// A writer of encoded bytes.
pub(crate) type BytesWriter = DataWriter<Bytes, RawWriter>;

impl SerializerAdapter<Bytes> for RawWriter {
    type Error = std::convert::Infallible;

    fn output_encoding() -> RepresentationIdentifier {
        RepresentationIdentifier::CDR_LE
    }

    fn to_bytes(value: &Bytes) -> Result<Bytes, Self::Error> {
        Ok(value.clone())
    }
}

/// Reads the messages of a topic.
pub(crate) struct TopicAdapter<M>(PhantomData<fn() -> M>);

impl<M> DeserializerAdapter<M> for TopicAdapter<M> {
    type Error = Error;
    type Decoded = M;

    fn supported_encodings() -> &'static [RepresentationIdentifier] {
        ENCODINGS
    }

    fn transform_decoded(decoded: M) -> M {
        decoded
    }
}

/// Decodes with the caller's handler.
pub(crate) struct TopicDecoder<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) topic: Arc<str>,
}

impl<H> Clone for TopicDecoder<H> {
    fn clone(&self) -> Self {
        TopicDecoder { handler: self.handler.clone(), topic: self.topic.clone() }
    }
}

impl<'de, H: SampleHandler> Decode<'de, H::Message> for TopicDecoder<H> {
    type Error = Error;

    fn decode_bytes(
        self,
        bytes: &'de [u8],
        encoding: RepresentationIdentifier,
    ) -> Result<H::Message, Error> {
        let big_endian = encoding == RepresentationIdentifier::CDR_BE;
        self.handler
            .decode(bytes, big_endian)
            .map_err(|reason| Error::Decode { name: self.topic.to_string(), reason })
    }
}

/// A sample of a service. It is small: it is copied, because its form is known only with its
/// writer.
pub(crate) struct ServiceSample {
    pub(crate) bytes: Vec<u8>,
    pub(crate) big_endian: bool,
}

/// Reads the samples of a service.
pub(crate) struct ServiceAdapter;

impl DeserializerAdapter<ServiceSample> for ServiceAdapter {
    type Error = Error;
    type Decoded = ServiceSample;

    fn supported_encodings() -> &'static [RepresentationIdentifier] {
        ENCODINGS
    }

    fn transform_decoded(decoded: ServiceSample) -> ServiceSample {
        decoded
    }
}

/// Copies the bytes.
#[derive(Clone)]
pub(crate) struct ServiceDecoder;

impl<'de> Decode<'de, ServiceSample> for ServiceDecoder {
    type Error = Error;

    fn decode_bytes(
        self,
        bytes: &'de [u8],
        encoding: RepresentationIdentifier,
    ) -> Result<ServiceSample, Error> {
        let big_endian = encoding == RepresentationIdentifier::CDR_BE;
        Ok(ServiceSample { bytes: bytes.to_vec(), big_endian })
    }
}
