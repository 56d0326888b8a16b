//! Receiving the samples of a topic.

use std::sync::Arc;
use std::task::Waker;

use ros2_client::dds::rustdds::no_key::SimpleDataReader;
use ros2_client::dds::rustdds::{GUID, Timestamp};

use crate::adapter::{TopicAdapter, TopicDecoder};
use crate::error::Error;
use crate::graph::Graph;
use crate::handlers::{SampleHandler, SampleInfo};
use crate::node_name::NodeName;
use crate::receiver::{Drain, Receiver};

const NANOSECONDS: i64 = 1_000_000_000;

/// The RustDDS reader of a handler's messages.
pub(crate) type TopicDataReader<H> =
    SimpleDataReader<<H as SampleHandler>::Message, TopicAdapter<<H as SampleHandler>::Message>>;

struct TopicDrain<H: SampleHandler> {
    reader: TopicDataReader<H>,
    decoder: TopicDecoder<H>,
    graph: Arc<Graph>,
}

impl<H: SampleHandler> Drain for TopicDrain<H> {
    fn drain(&self, waker: &Waker) {
        self.reader.set_waker(Some(waker.clone()));
        self.reader.drain_read_notifications();
        loop {
            match self.reader.try_take_one_with(self.decoder.clone()) {
                Ok(Some(sample)) if self.graph.is_own(sample.writer_guid()) => {}
                Ok(Some(sample)) => {
                    let info = SampleInfo {
                        source_stamp: nanoseconds(sample.source_timestamp()),
                        writer: sample.writer_guid().to_bytes(),
                        sequence: sample.sequence_number.into(),
                    };
                    self.decoder.handler.received(sample.into_value(), info);
                }
                Ok(None) => return,
                Err(error) => self.decoder.handler.refused(read_failed(&self.decoder.topic, error)),
            }
        }
    }
}

pub(crate) fn read_failed(name: &str, error: impl std::fmt::Display) -> Error {
    Error::Network { action: format!("read {name}"), reason: error.to_string() }
}

/// A network time stamp (32.32 fixed point) in nanoseconds; 0 for none.
fn nanoseconds(stamp: Option<Timestamp>) -> i64 {
    stamp.map_or(0, |stamp| {
        let ticks = stamp.to_ticks();
        let fraction = ((ticks & 0xffff_ffff) * NANOSECONDS as u64) >> 32;
        (ticks >> 32) as i64 * NANOSECONDS + fraction as i64
    })
}

/// The receiving end of a topic or service; dropping it ends the subscription.
#[must_use = "dropping a reader ends the subscription"]
pub struct Reader {
    receiver: Arc<Receiver>,
    graph: Arc<Graph>,
    node: NodeName,
    guid: GUID,
    id: u64,
}

impl Reader {
    pub(crate) fn new(
        receiver: &Arc<Receiver>,
        graph: &Arc<Graph>,
        node: &NodeName,
        guid: GUID,
        drain: Arc<dyn Drain>,
    ) -> Reader {
        graph.add_reader(node, guid);
        let id = receiver.add(drain);
        Reader { receiver: receiver.clone(), graph: graph.clone(), node: node.clone(), guid, id }
    }

    pub(crate) fn of_topic<H: SampleHandler>(
        receiver: &Arc<Receiver>,
        graph: &Arc<Graph>,
        node: &NodeName,
        topic: &str,
        reader: TopicDataReader<H>,
        handler: Arc<H>,
    ) -> Reader {
        let guid = reader.guid();
        let decoder = TopicDecoder { handler, topic: topic.into() };
        let drain = TopicDrain { reader, decoder, graph: graph.clone() };
        Reader::new(receiver, graph, node, guid, Arc::new(drain))
    }

    pub(crate) fn guid(&self) -> GUID {
        self.guid
    }

    /// Writers of other participants that are connected.
    pub fn writer_count(&self) -> usize {
        self.graph.connected_count(self.guid)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.receiver.remove(self.id);
        self.graph.remove_endpoint(&self.node, self.guid);
    }
}
