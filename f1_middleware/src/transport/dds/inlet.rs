//! Receiving: one thread empties all readers as soon as they have something.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use ros2_client::dds::rustdds::no_key::SimpleDataReader;
use ros2_client::dds::rustdds::{DomainParticipant, GUID, StatusEvented};

use super::adapter::{Reader, Sample, ServiceDecoder, ServiceReader, TopicDecoder, time_of};
use super::graph::Graph;
use super::services::{SampleOrigin, folded};
use crate::error::Error;
use crate::transport::{
    Inlet, MessageInfo, NodeName, RequestSink, ResponseSink, SampleSink, Value,
};

/// How often connections are looked at, and changes of our own nodes are told.
const TICK: Duration = Duration::from_millis(10);

/// Something that can be emptied on the receiving thread.
trait Drain: Send + Sync {
    /// Asks to be woken by `waker` and takes what is there.
    fn drain(&self, waker: &Waker);
}

struct ReaderWaker {
    id: u64,
    queued: AtomicBool,
    wakes: Sender<u64>,
}

impl Wake for ReaderWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::SeqCst) {
            // A pump that has ended needs no wake.
            let _ = self.wakes.send(self.id);
        }
    }
}

struct Entry {
    drain: Arc<dyn Drain>,
    waker: Arc<ReaderWaker>,
}

/// The receiving thread.
pub(super) struct Pump {
    entries: Arc<Mutex<BTreeMap<u64, Entry>>>,
    wakes: Sender<u64>,
    next: AtomicU64,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

const STOP: u64 = u64::MAX;

impl Pump {
    pub(super) fn start(
        participant: DomainParticipant,
        graph: Arc<Graph>,
    ) -> Result<Arc<Pump>, Error> {
        let entries: Arc<Mutex<BTreeMap<u64, Entry>>> = Arc::default();
        let (wakes, woken) = unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (entries, stop) = (entries.clone(), stop.clone());
            std::thread::Builder::new()
                .name("f1-dds-receive".to_owned())
                .spawn(move || run(&participant, &graph, &entries, &woken, &stop))
                .map_err(|error| Error::Transport {
                    action: "start the receiving thread".to_owned(),
                    reason: error.to_string(),
                })?
        };
        Ok(Arc::new(Pump {
            entries,
            wakes,
            next: AtomicU64::new(0),
            stop,
            thread: Mutex::new(Some(thread)),
        }))
    }

    fn add(&self, drain: Arc<dyn Drain>) -> u64 {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let waker =
            Arc::new(ReaderWaker { id, queued: AtomicBool::new(true), wakes: self.wakes.clone() });
        self.entries.lock().insert(id, Entry { drain, waker });
        // The first drain arms the waker.
        let _ = self.wakes.send(id);
        id
    }

    fn remove(&self, id: u64) {
        let gone = self.entries.lock().remove(&id);
        drop(gone);
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = self.wakes.send(STOP);
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the receiving thread has panicked");
        }
    }
}

fn run(
    participant: &DomainParticipant,
    graph: &Graph,
    entries: &Mutex<BTreeMap<u64, Entry>>,
    woken: &Receiver<u64>,
    stop: &AtomicBool,
) {
    let listener = participant.status_listener();
    while !stop.load(Ordering::SeqCst) {
        let id = woken.recv_timeout(TICK).ok();
        while let Some(event) = listener.try_recv_status() {
            graph.take(event);
        }
        graph.listen();
        graph.publish_changes();
        graph.run_deferred();
        let entry = id.and_then(|id| {
            entries.lock().get(&id).map(|entry| (entry.drain.clone(), entry.waker.clone()))
        });
        if let Some((drain, waker)) = entry {
            waker.queued.store(false, Ordering::SeqCst);
            drain.drain(&Waker::from(waker));
        }
    }
}

fn read_failed(topic: &str, error: impl std::fmt::Display) -> Error {
    Error::Transport { action: format!("read {topic}"), reason: error.to_string() }
}

struct TopicReader {
    reader: SimpleDataReader<Value, Reader>,
    decoder: TopicDecoder,
    graph: Arc<Graph>,
    sink: Arc<dyn SampleSink>,
}

impl Drain for TopicReader {
    fn drain(&self, waker: &Waker) {
        self.reader.set_waker(Some(waker.clone()));
        self.reader.drain_read_notifications();
        loop {
            match self.reader.try_take_one_with(self.decoder.clone()) {
                Ok(Some(sample)) if self.graph.is_own(sample.writer_guid()) => {}
                Ok(Some(sample)) => {
                    let info = MessageInfo {
                        source_stamp: time_of(sample.source_timestamp()),
                        publisher: sample.writer_guid().to_bytes(),
                        sequence: sample.sequence_number.into(),
                    };
                    self.sink.deliver(sample.into_value(), info);
                }
                Ok(None) => return,
                Err(error) => self.sink.refuse(read_failed(&self.decoder.topic, error)),
            }
        }
    }
}

/// The receiving end of a topic.
pub(super) struct DdsInlet {
    pump: Arc<Pump>,
    graph: Arc<Graph>,
    node: NodeName,
    guid: GUID,
    id: u64,
}

impl DdsInlet {
    pub(super) fn new(
        pump: &Arc<Pump>,
        graph: &Arc<Graph>,
        node: NodeName,
        reader: SimpleDataReader<Value, Reader>,
        decoder: TopicDecoder,
        sink: Arc<dyn SampleSink>,
    ) -> DdsInlet {
        let guid = reader.guid();
        graph.add_reader(&node, guid);
        let id = pump.add(Arc::new(TopicReader { reader, decoder, graph: graph.clone(), sink }));
        DdsInlet { pump: pump.clone(), graph: graph.clone(), node, guid, id }
    }
}

impl Inlet for DdsInlet {
    fn writers(&self) -> usize {
        self.graph.count(self.guid)
    }
}

impl Drop for DdsInlet {
    fn drop(&mut self) {
        self.pump.remove(self.id);
        self.graph.remove_endpoint(&self.node, self.guid);
    }
}

/// Where the samples of a service go.
pub(super) enum ServiceSink {
    Requests(Weak<dyn RequestSink>),
    /// With the request writer whose answers are wanted.
    Responses(Weak<dyn ResponseSink>, GUID),
}

struct ServiceEnd {
    reader: SimpleDataReader<Sample, ServiceReader>,
    decoder: ServiceDecoder,
    graph: Arc<Graph>,
    sink: ServiceSink,
}

impl ServiceEnd {
    fn deliver(&self, origin: SampleOrigin, value: Value) {
        match &self.sink {
            ServiceSink::Requests(sink) => {
                if let Some(sink) = sink.upgrade() {
                    sink.deliver(origin.request(), value);
                }
            }
            ServiceSink::Responses(sink, own) => {
                let sequence = match (origin.header, origin.related) {
                    (Some(header), _) => (header.client == folded(*own)).then_some(header.sequence),
                    (None, Some(related)) => {
                        (related.writer_guid == *own).then(|| related.sequence_number.into())
                    }
                    (None, None) => None,
                };
                // Replies to other clients arrive here too and are passed over.
                if let (Some(sequence), Some(sink)) = (sequence, sink.upgrade()) {
                    sink.deliver(sequence, value);
                }
            }
        }
    }

    fn refuse(&self, error: Error) {
        match &self.sink {
            ServiceSink::Requests(sink) => {
                if let Some(sink) = sink.upgrade() {
                    sink.refuse(error);
                }
            }
            ServiceSink::Responses(sink, _) => {
                if let Some(sink) = sink.upgrade() {
                    sink.refuse(error);
                }
            }
        }
    }
}

impl Drain for ServiceEnd {
    fn drain(&self, waker: &Waker) {
        self.reader.set_waker(Some(waker.clone()));
        self.reader.drain_read_notifications();
        loop {
            match self.reader.try_take_one_with(self.decoder.clone()) {
                Ok(Some(sample)) if self.graph.is_own(sample.writer_guid()) => {}
                Ok(Some(sample)) => {
                    let writer = sample.writer_guid();
                    let (sequence, related) =
                        (sample.sequence_number, sample.related_sample_identity());
                    match (sample.into_value())(self.graph.mapping(writer)) {
                        Ok(decoded) => {
                            let header = decoded.header;
                            let origin = SampleOrigin { writer, sequence, related, header };
                            self.deliver(origin, decoded.value);
                        }
                        Err(error) => self.refuse(error),
                    }
                }
                Ok(None) => return,
                Err(error) => self.refuse(read_failed(&self.decoder.name, error)),
            }
        }
    }
}

/// The reading half of a service or client.
pub(super) struct ServiceInlet {
    pump: Arc<Pump>,
    graph: Arc<Graph>,
    node: NodeName,
    guid: GUID,
    id: u64,
}

impl ServiceInlet {
    pub(super) fn new(
        pump: &Arc<Pump>,
        graph: &Arc<Graph>,
        node: NodeName,
        reader: SimpleDataReader<Sample, ServiceReader>,
        decoder: ServiceDecoder,
        sink: ServiceSink,
    ) -> ServiceInlet {
        let guid = reader.guid();
        graph.add_reader(&node, guid);
        let end = ServiceEnd { reader, decoder, graph: graph.clone(), sink };
        let id = pump.add(Arc::new(end));
        ServiceInlet { pump: pump.clone(), graph: graph.clone(), node, guid, id }
    }
}

impl Drop for ServiceInlet {
    fn drop(&mut self) {
        self.pump.remove(self.id);
        self.graph.remove_endpoint(&self.node, self.guid);
    }
}
