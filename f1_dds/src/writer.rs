//! Sending: never blocks, bounds what a stalled reader costs, and spaces large messages.
//!
//! RustDDS keeps every sample of a reliable writer until all readers have acknowledged it, and
//! sends a large one as a single burst. So what is in flight is counted here: past the bound, or
//! when the send window is full, messages wait in a store as deep as the profile's history, where
//! newer ones replace older ones, and the sending thread sends them. A latched topic's messages
//! wait there too until a reader is connected; later readers are served by RustDDS, which cleans
//! its history every six seconds and may send somewhat older messages before the newest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::{RTPSEntity, Timestamp};
use ros2_client::ros2::WriteError;

use crate::adapter::BytesWriter;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::node_name::NodeName;
use crate::pacer::{Attempt, Delayed, Pacer};
use crate::qos::{Durability, Qos, Reliability};

/// From this size on a message is sent by the sending thread.
const LARGE: usize = 32 * 1024;

/// Unacknowledged bytes that one writer may have.
const MAX_PER_WRITER: usize = 6 * 1024 * 1024;

/// Unacknowledged bytes that all writers of a participant may have.
const MAX_PER_PARTICIPANT: usize = 40 * 1024 * 1024;

/// How long a full writer waits before it tries again.
const RETRY: Duration = Duration::from_millis(2);

struct Message {
    bytes: Bytes,
    published: Timestamp,
}

struct Waiting {
    messages: VecDeque<Message>,
    /// Bytes written since all readers last had everything.
    in_flight: usize,
    next_attempt: Instant,
    /// The messages stay here until a reader is connected.
    held: bool,
}

impl Waiting {
    /// Drops the oldest messages beyond `depth` or [`MAX_PER_WRITER`] bytes; returns how many.
    fn trim(&mut self, depth: usize) -> u64 {
        let mut bytes: usize = self.messages.iter().map(|message| message.bytes.len()).sum();
        let mut dropped = 0;
        while (self.messages.len() > depth || bytes > MAX_PER_WRITER)
            && let Some(oldest) = self.messages.pop_front()
        {
            bytes -= oldest.bytes.len();
            dropped += 1;
        }
        dropped
    }
}

/// What a writer shares with the sending thread.
struct Shared {
    this: Weak<Shared>,
    topic: String,
    reliable: bool,
    depth: usize,
    writer: Arc<BytesWriter>,
    waiting: Mutex<Waiting>,
    queued: AtomicBool,
    dropped: AtomicU64,
    pacer: Arc<Pacer>,
}

impl Shared {
    /// Whether one more message of `size` bytes may be passed to RustDDS.
    fn has_space(&self, waiting: &mut Waiting, size: usize) -> bool {
        if !self.reliable {
            return true;
        }
        if waiting.in_flight + size <= MAX_PER_WRITER
            && self.pacer.in_flight() + size <= MAX_PER_PARTICIPANT
        {
            return true;
        }
        // Near the bound: ask whether the readers have caught up.
        if self.writer.wait_for_acknowledgments(Duration::ZERO).unwrap_or(false) {
            self.pacer.remove_in_flight(waiting.in_flight);
            waiting.in_flight = 0;
            return self.pacer.in_flight() + size <= MAX_PER_PARTICIPANT;
        }
        false
    }

    /// Passes one message to RustDDS; returns it where there is no space.
    fn write(&self, waiting: &mut Waiting, message: Message) -> Result<Option<Message>> {
        let Message { bytes, published } = message;
        let size = bytes.len();
        if !self.has_space(waiting, size) {
            return Ok(Some(Message { bytes, published }));
        }
        match self.writer.write(bytes, Some(published)).map_err(WriteError::from) {
            Ok(()) => {
                if self.reliable {
                    waiting.in_flight += size;
                    self.pacer.add_in_flight(size);
                }
                Ok(None)
            }
            Err(WriteError::WouldBlock { data }) => Ok(Some(Message { bytes: data, published })),
            Err(error) => Err(Error::Network {
                action: format!("publish on {}", self.topic),
                reason: error.to_string(),
            }),
        }
    }

    /// Stores a message for the sending thread.
    fn delay(&self, waiting: &mut Waiting, message: Message) {
        waiting.messages.push_back(message);
        let dropped = waiting.trim(self.depth);
        if dropped > 0 {
            let before = self.dropped.fetch_add(dropped, Ordering::Relaxed);
            let now = before + dropped;
            // Logged at powers of two only.
            if now.ilog2() > before.checked_ilog2().unwrap_or(0) || before == 0 {
                tracing::warn!(
                    topic = self.topic,
                    count = now,
                    "a reader or the network does not keep up: older messages are dropped"
                );
            }
        }
        self.queue();
    }

    /// Has the sending thread send the stored messages.
    fn queue(&self) {
        if !self.queued.swap(true, Ordering::SeqCst) {
            let this: Weak<Shared> = self.this.clone();
            self.pacer.push(this);
        }
    }

    /// Stores a message until a reader is connected: on a latched topic, where RustDDS would keep
    /// all of them, whatever the history's depth, and send each to the first reader; and on others
    /// while a reader is matched that does not receive yet.
    fn hold(&self, waiting: &mut Waiting, message: Message, graph: &Arc<Graph>, latched: bool) {
        waiting.messages.push_back(message);
        waiting.trim(self.depth);
        if std::mem::replace(&mut waiting.held, true) {
            return;
        }
        let (weak_graph, weak_shared) = (Arc::downgrade(graph), self.this.clone());
        graph.defer(Box::new(move || {
            let (Some(graph), Some(shared)) = (weak_graph.upgrade(), weak_shared.upgrade()) else {
                return true;
            };
            let writer = shared.writer.guid();
            let connected = graph.connected_count(writer) > 0;
            if !connected && (latched || graph.is_matched(writer)) {
                return false;
            }
            let mut waiting = shared.waiting.lock();
            waiting.held = false;
            if connected {
                drop(waiting);
                shared.queue();
            } else {
                // The reader has gone, and later readers of a volatile topic get no old messages.
                waiting.messages.clear();
            }
            true
        }));
    }
}

impl Delayed for Shared {
    fn time_until_attempt(&self) -> Duration {
        self.waiting.lock().next_attempt.saturating_duration_since(Instant::now())
    }

    fn attempt(&self) -> Attempt {
        let mut waiting = self.waiting.lock();
        let Some(message) = waiting.messages.pop_front() else { return Attempt::Nothing };
        let size = message.bytes.len();
        match self.write(&mut waiting, message) {
            Ok(None) => Attempt::Sent(size),
            Ok(Some(message)) => {
                waiting.messages.push_front(message);
                waiting.next_attempt = Instant::now() + RETRY;
                Attempt::Nothing
            }
            Err(error) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error);
                Attempt::Nothing
            }
        }
    }

    fn stays_queued(&self) -> bool {
        let waiting = self.waiting.lock();
        if waiting.messages.is_empty() {
            self.queued.store(false, Ordering::SeqCst);
        }
        !waiting.messages.is_empty()
    }
}

/// The sending end of a topic; dropping it withdraws the announcement.
pub struct Writer {
    shared: Arc<Shared>,
    graph: Arc<Graph>,
    node: NodeName,
    max_bytes: usize,
    /// Later readers get what was published before.
    latched: bool,
}

impl Writer {
    pub(crate) fn new(
        topic: &str,
        node: &NodeName,
        qos: &Qos,
        max_bytes: usize,
        writer: Arc<BytesWriter>,
        pacer: &Arc<Pacer>,
        graph: &Arc<Graph>,
    ) -> Writer {
        graph.add_writer(node, &writer);
        let waiting = Waiting {
            messages: VecDeque::new(),
            in_flight: 0,
            next_attempt: Instant::now(),
            held: false,
        };
        let shared = Arc::new_cyclic(|this| Shared {
            this: this.clone(),
            topic: topic.to_owned(),
            reliable: qos.reliability == Reliability::Reliable,
            depth: qos.depth(),
            writer,
            waiting: Mutex::new(waiting),
            queued: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            pacer: pacer.clone(),
        });
        Writer {
            shared,
            graph: graph.clone(),
            node: node.clone(),
            max_bytes,
            latched: qos.durability == Durability::TransientLocal,
        }
    }

    /// Whether a message would be sent or stored. If not, [`Writer::publish`] does nothing: the
    /// caller may skip the encoding.
    pub fn is_wanted(&self) -> bool {
        // A matched reader may become connected: what is published until then is held for it.
        self.latched || self.graph.is_matched(self.shared.writer.guid())
    }

    /// Publishes one message: little-endian CDR without its encapsulation header. Never blocks.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or RustDDS refuses. A reader that stalls is not an error: as many of
    /// the newest messages as the history holds wait for it, older ones are dropped
    /// ([`Writer::dropped_count`]).
    pub fn publish(&self, message: impl Into<Vec<u8>>) -> Result<()> {
        if !self.is_wanted() {
            return Ok(());
        }
        let shared = &self.shared;
        let bytes = Bytes::from(message.into());
        if bytes.len() > self.max_bytes {
            return Err(Error::TooLarge {
                topic: shared.topic.clone(),
                size: bytes.len(),
                limit: self.max_bytes,
            });
        }
        let connected = self.reader_count() > 0;
        let message = Message { bytes, published: Timestamp::now() };
        let mut waiting = shared.waiting.lock();
        if !connected || waiting.held {
            shared.hold(&mut waiting, message, &self.graph, self.latched);
            return Ok(());
        }
        if message.bytes.len() >= LARGE || !waiting.messages.is_empty() {
            shared.delay(&mut waiting, message);
            return Ok(());
        }
        if let Some(message) = shared.write(&mut waiting, message)? {
            shared.delay(&mut waiting, message);
        }
        Ok(())
    }

    /// Readers of other participants that are connected.
    pub fn reader_count(&self) -> usize {
        self.graph.connected_count(self.shared.writer.guid())
    }

    /// Messages that were accepted and then dropped for newer ones, because a reader or the network
    /// stalled.
    pub fn dropped_count(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let in_flight = self.shared.waiting.lock().in_flight;
        self.shared.pacer.remove_in_flight(in_flight);
        self.graph.remove_endpoint(&self.node, self.shared.writer.guid());
    }
}
