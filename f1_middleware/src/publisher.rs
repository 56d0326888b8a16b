//! Publishing.

use std::marker::PhantomData;
use std::sync::Arc;

use f1_interfaces::Message;

use crate::error::Result;
use crate::transport::Writer;

/// The sending end of a topic. Cheap to clone; the last clone that is dropped withdraws it.
pub struct Publisher<T> {
    pub(crate) writer: Arc<dyn Writer>,
    pub(crate) topic: Arc<str>,
    pub(crate) message: PhantomData<fn(T)>,
}

impl<T> Clone for Publisher<T> {
    fn clone(&self) -> Publisher<T> {
        Publisher { writer: self.writer.clone(), topic: self.topic.clone(), message: PhantomData }
    }
}

impl<T: Message> Publisher<T> {
    /// Publishes; `mem` passes the `Arc` on, the others encode. Takes a message or an `Arc` of one.
    ///
    /// # Errors
    /// [`crate::Error::TooLarge`] and encoding faults: this message was not sent, the next one may
    /// be. A reader that stalls is not an error: as many of the newest messages as the history
    /// holds wait for it, older ones are dropped ([`Publisher::dropped_count`]).
    pub fn publish(&self, message: impl Into<Arc<T>>) -> Result<()> {
        self.writer.publish(message.into())
    }

    /// Readers that are connected now.
    pub fn subscription_count(&self) -> usize {
        self.writer.reader_count()
    }

    /// Messages that were dropped for newer ones because the network or a reader stalled.
    pub fn dropped_count(&self) -> u64 {
        self.writer.dropped_count()
    }

    /// The absolute, remapped topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

impl<T> std::fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publisher({})", self.topic)
    }
}
