//! Sending: never blocks, keeps a bound of its own against readers that stall, and spaces large
//! messages.
//!
//! RustDDS keeps every sample of a reliable writer until all readers have acknowledged it, and
//! sends a large one as a single burst. So what is in flight is counted here: past the bound, or
//! when the send window is full, messages wait in a store as deep as the profile's history, where
//! newer ones replace older ones, and a thread sends them on. A latched topic's messages wait there
//! too until somebody listens; whoever comes later is served by RustDDS, which cleans its
//! history every six seconds and may send somewhat older messages before the newest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use ros2_client::dds::rustdds::bytes::Bytes;
use ros2_client::dds::rustdds::no_key::DataWriter;
use ros2_client::dds::rustdds::{RTPSEntity, Timestamp};
use ros2_client::ros2::WriteError;

use super::adapter::RawWriter;
use super::graph::Graph;
use crate::error::{Error, Result};
use crate::qos::{Durability, Qos, Reliability};
use crate::transport::{NodeName, Outlet, TypeSupport, Value};

/// From this size on a message is sent by the pacing thread.
const LARGE: usize = 32 * 1024;

/// Bytes a second at which large messages leave: 200 KB every 2 ms.
const PACE: f64 = 100.0e6;

/// Unacknowledged bytes of one writer.
const PER_WRITER: usize = 6 * 1024 * 1024;

/// Unacknowledged and waiting bytes of all writers of a participant.
const PER_PARTICIPANT: usize = 40 * 1024 * 1024;

/// How long a full writer rests before it tries again.
const REST: Duration = Duration::from_millis(2);

struct Message {
    bytes: Bytes,
    published: Timestamp,
}

struct Waiting {
    messages: VecDeque<Message>,
    /// Written since all readers last had everything.
    in_flight: usize,
    next_try: Instant,
    /// The messages stay here until somebody listens.
    held: bool,
}

impl Waiting {
    /// Gives up the oldest messages beyond `depth` or [`PER_WRITER`] bytes; how many those were.
    fn trim(&mut self, depth: usize) -> u64 {
        let mut bytes: usize = self.messages.iter().map(|message| message.bytes.len()).sum();
        let mut given_up = 0;
        while (self.messages.len() > depth || bytes > PER_WRITER)
            && let Some(oldest) = self.messages.pop_front()
        {
            bytes -= oldest.bytes.len();
            given_up += 1;
        }
        given_up
    }
}

struct Shared {
    topic: String,
    support: TypeSupport,
    reliable: bool,
    depth: usize,
    writer: Arc<DataWriter<Bytes, RawWriter>>,
    waiting: Mutex<Waiting>,
    queued: AtomicBool,
    dropped: AtomicU64,
    pacer: Arc<Pacer>,
}

enum Attempt {
    Sent(usize),
    Full,
    Nothing,
}

impl Shared {
    /// Whether one more message of `size` bytes may be handed to RustDDS.
    fn has_room(&self, waiting: &mut Waiting, size: usize) -> bool {
        if !self.reliable {
            return true;
        }
        let total = self.pacer.in_flight.load(Ordering::Relaxed);
        if waiting.in_flight + size <= PER_WRITER && total + size <= PER_PARTICIPANT {
            return true;
        }
        // Near the bound: ask whether the readers have caught up.
        if self.writer.wait_for_acknowledgments(Duration::ZERO).unwrap_or(false) {
            self.pacer.in_flight.fetch_sub(waiting.in_flight, Ordering::Relaxed);
            waiting.in_flight = 0;
            return self.pacer.in_flight.load(Ordering::Relaxed) + size <= PER_PARTICIPANT;
        }
        false
    }

    /// Hands one message over; gives it back where there is no room.
    fn write(&self, waiting: &mut Waiting, message: Message) -> Result<Option<Message>> {
        let Message { bytes, published } = message;
        let size = bytes.len();
        if !self.has_room(waiting, size) {
            return Ok(Some(Message { bytes, published }));
        }
        match self.writer.write(bytes, Some(published)).map_err(WriteError::from) {
            Ok(()) => {
                if self.reliable {
                    waiting.in_flight += size;
                    self.pacer.in_flight.fetch_add(size, Ordering::Relaxed);
                }
                Ok(None)
            }
            Err(WriteError::WouldBlock { data }) => Ok(Some(Message { bytes: data, published })),
            Err(error) => Err(Error::Transport {
                action: format!("publish on {}", self.topic),
                reason: error.to_string(),
            }),
        }
    }

    fn attempt(&self) -> Attempt {
        let mut waiting = self.waiting.lock();
        let Some(message) = waiting.messages.pop_front() else { return Attempt::Nothing };
        let size = message.bytes.len();
        match self.write(&mut waiting, message) {
            Ok(None) => Attempt::Sent(size),
            Ok(Some(message)) => {
                waiting.messages.push_front(message);
                waiting.next_try = Instant::now() + REST;
                Attempt::Full
            }
            Err(error) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error);
                Attempt::Sent(0)
            }
        }
    }

    fn wait(self: &Arc<Self>, waiting: &mut Waiting, message: Message) {
        waiting.messages.push_back(message);
        let given_up = waiting.trim(self.depth);
        if given_up > 0 {
            let before = self.dropped.fetch_add(given_up, Ordering::Relaxed);
            let now = before + given_up;
            if now.ilog2() > before.checked_ilog2().unwrap_or(0) || before == 0 {
                tracing::warn!(
                    topic = self.topic,
                    count = now,
                    "a reader or the network does not keep up: older messages are given up"
                );
            }
        }
        self.queue();
    }

    /// Has the pacing thread send what waits.
    fn queue(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::SeqCst) {
            self.pacer.push(self);
        }
    }

    /// Keeps a message until somebody listens: a latched topic's, of which RustDDS would keep all,
    /// however shallow the history, and send each to the first who comes; and another's while a
    /// reader is seen that may not have heard of us yet.
    fn hold(
        self: &Arc<Self>,
        waiting: &mut Waiting,
        message: Message,
        graph: &Arc<Graph>,
        latched: bool,
    ) {
        waiting.messages.push_back(message);
        waiting.trim(self.depth);
        if std::mem::replace(&mut waiting.held, true) {
            return;
        }
        let (looking, shared) = (Arc::downgrade(graph), Arc::downgrade(self));
        graph.defer(Box::new(move || {
            let (Some(graph), Some(shared)) = (looking.upgrade(), shared.upgrade()) else {
                return true;
            };
            let writer = shared.writer.guid();
            let heard = graph.count(writer) > 0;
            if !heard && (latched || graph.is_seen(writer)) {
                return false;
            }
            let mut waiting = shared.waiting.lock();
            waiting.held = false;
            if heard {
                drop(waiting);
                shared.queue();
            } else {
                // The reader has gone; who comes later asks for nothing that was said before.
                waiting.messages.clear();
            }
            true
        }));
    }
}

/// The sending end of a topic.
pub(super) struct DdsOutlet {
    shared: Arc<Shared>,
    graph: Arc<Graph>,
    node: NodeName,
    max_raw_bytes: usize,
    /// Later readers want what was published before.
    latched: bool,
}

impl DdsOutlet {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        topic: String,
        node: NodeName,
        support: TypeSupport,
        qos: &Qos,
        max_raw_bytes: usize,
        writer: Arc<DataWriter<Bytes, RawWriter>>,
        pacer: &Arc<Pacer>,
        graph: &Arc<Graph>,
    ) -> DdsOutlet {
        graph.add_writer(&node, &writer);
        let waiting = Waiting {
            messages: VecDeque::new(),
            in_flight: 0,
            next_try: Instant::now(),
            held: false,
        };
        DdsOutlet {
            shared: Arc::new(Shared {
                topic,
                support,
                reliable: qos.reliability == Reliability::Reliable,
                depth: qos.depth(),
                writer,
                waiting: Mutex::new(waiting),
                queued: AtomicBool::new(false),
                dropped: AtomicU64::new(0),
                pacer: pacer.clone(),
            }),
            graph: graph.clone(),
            node,
            max_raw_bytes,
            latched: qos.durability == Durability::TransientLocal,
        }
    }
}

impl Outlet for DdsOutlet {
    fn publish(&self, value: Value) -> Result<()> {
        let shared = &self.shared;
        let unheard = self.readers() == 0;
        if unheard && !self.latched && !self.graph.is_seen(shared.writer.guid()) {
            return Ok(());
        }
        let bytes = Bytes::from(shared.support.encode(&shared.topic, &value)?);
        if bytes.len() > self.max_raw_bytes {
            return Err(Error::TooLarge {
                topic: shared.topic.clone(),
                size: bytes.len(),
                limit: self.max_raw_bytes,
            });
        }
        let message = Message { bytes, published: Timestamp::now() };
        let mut waiting = shared.waiting.lock();
        if unheard || waiting.held {
            shared.hold(&mut waiting, message, &self.graph, self.latched);
            return Ok(());
        }
        if message.bytes.len() >= LARGE || !waiting.messages.is_empty() {
            shared.wait(&mut waiting, message);
            return Ok(());
        }
        if let Some(message) = shared.write(&mut waiting, message)? {
            shared.wait(&mut waiting, message);
        }
        Ok(())
    }

    fn readers(&self) -> usize {
        self.graph.count(self.shared.writer.guid())
    }

    fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for DdsOutlet {
    fn drop(&mut self) {
        let in_flight = self.shared.waiting.lock().in_flight;
        self.shared.pacer.in_flight.fetch_sub(in_flight, Ordering::Relaxed);
        self.graph.remove_endpoint(&self.node, self.shared.writer.guid());
    }
}

/// The thread that sends large and delayed messages.
pub(super) struct Pacer {
    queue: Mutex<VecDeque<Weak<Shared>>>,
    changed: Condvar,
    stop: AtomicBool,
    /// Unacknowledged bytes of all writers.
    in_flight: AtomicUsize,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pacer {
    pub(super) fn start() -> Result<Arc<Pacer>> {
        let pacer = Arc::new(Pacer {
            queue: Mutex::new(VecDeque::new()),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            thread: Mutex::new(None),
        });
        let running = pacer.clone();
        let thread = std::thread::Builder::new()
            .name("f1-dds-send".to_owned())
            .spawn(move || running.run())
            .map_err(|error| Error::Transport {
                action: "start the sending thread".to_owned(),
                reason: error.to_string(),
            })?;
        *pacer.thread.lock() = Some(thread);
        Ok(pacer)
    }

    fn push(&self, outlet: &Arc<Shared>) {
        self.queue.lock().push_back(Arc::downgrade(outlet));
        self.changed.notify_one();
    }

    fn run(&self) {
        loop {
            let next = {
                let mut queue = self.queue.lock();
                while queue.is_empty() && !self.stop.load(Ordering::SeqCst) {
                    self.changed.wait(&mut queue);
                }
                if self.stop.load(Ordering::SeqCst) {
                    return;
                }
                queue.pop_front()
            };
            let Some(outlet) = next.and_then(|outlet| outlet.upgrade()) else { continue };
            let rest = outlet.waiting.lock().next_try.saturating_duration_since(Instant::now());
            let pause = if rest.is_zero() {
                match outlet.attempt() {
                    Attempt::Sent(bytes) => Duration::from_secs_f64(bytes as f64 / PACE),
                    Attempt::Full | Attempt::Nothing => Duration::ZERO,
                }
            } else {
                // Others may have room: only a queue of resting writers rests as a whole.
                if self.queue.lock().is_empty() { rest } else { Duration::from_micros(200) }
            };
            {
                let waiting = outlet.waiting.lock();
                if waiting.messages.is_empty() {
                    outlet.queued.store(false, Ordering::SeqCst);
                } else {
                    self.push(&outlet);
                }
            }
            drop(outlet);
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.changed.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the sending thread has panicked");
        }
    }
}
