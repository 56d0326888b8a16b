//! What the caller provides to receive samples, requests and responses.
//!
//! All handlers run on the receiving thread: they must not block.

use crate::error::Error;
use crate::request::RequestId;

/// What is known of a sample beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleInfo {
    /// When the writer published it, in nanoseconds on the writer's clock; 0 if it does not say.
    pub source_stamp: i64,
    /// The writer's identity.
    pub writer: [u8; 16],
    /// Counts the writer's samples.
    pub sequence: i64,
}

/// Receives the samples of a topic.
pub trait SampleHandler: Send + Sync + 'static {
    /// A decoded message.
    type Message: Send + Sync + 'static;

    /// Decodes CDR without its encapsulation header, straight from the network buffer.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    fn decode(&self, body: &[u8], big_endian: bool) -> Result<Self::Message, String>;

    /// A message has arrived.
    fn received(&self, message: Self::Message, info: SampleInfo);

    /// A sample could not be read.
    fn refused(&self, error: Error);
}

/// Receives the requests of a service.
pub trait RequestHandler: Send + Sync + 'static {
    /// A request has arrived: CDR without its encapsulation header. Answer it with
    /// [`crate::ServiceServer::respond`], now or later.
    fn received(&self, id: RequestId, body: &[u8], big_endian: bool);

    /// A request could not be read.
    fn refused(&self, error: Error);
}

/// Receives the responses to one client.
pub trait ResponseHandler: Send + Sync + 'static {
    /// The response to request number `sequence` has arrived: CDR without its encapsulation
    /// header.
    fn received(&self, sequence: i64, body: &[u8], big_endian: bool);

    /// A response could not be read.
    fn refused(&self, error: Error);
}
