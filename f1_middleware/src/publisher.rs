//! Publishing.

use std::marker::PhantomData;
use std::sync::Arc;

use f1_interfaces::Message;

use crate::error::Result;
use crate::transport::Outlet;

/// The sending end of a topic. Cheap to clone; the topic is given up with the last clone.
pub struct Publisher<T> {
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) topic: Arc<str>,
    pub(crate) message: PhantomData<fn(T)>,
}

impl<T> Clone for Publisher<T> {
    fn clone(&self) -> Publisher<T> {
        Publisher { outlet: self.outlet.clone(), topic: self.topic.clone(), message: PhantomData }
    }
}

impl<T: Message> Publisher<T> {
    /// Publishes; `mem` passes the `Arc` on, the others encode. Takes a message or an `Arc` of one.
    ///
    /// # Errors
    /// [`crate::Error::TooLarge`] and encoding faults say that this message was not sent; the next
    /// one may be. A reader that stalls is not an error: as the history says, the newest
    /// messages wait for it and older ones are given up ([`Publisher::dropped_count`]).
    pub fn publish(&self, message: impl Into<Arc<T>>) -> Result<()> {
        self.outlet.publish(message.into())
    }

    /// Readers that are connected now.
    pub fn subscription_count(&self) -> usize {
        self.outlet.readers()
    }

    /// Messages given up for newer ones because the network or a reader stalled.
    pub fn dropped_count(&self) -> u64 {
        self.outlet.dropped()
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
