//! Sending: never blocks, keeps a bound of its own against readers that stall, and spaces large messages.
//!
//! RustDDS keeps every sample of a reliable writer until all readers have acknowledged it, and sends a large one as a
//! single burst. So what is in flight is counted here: past the bound, or when the send window is full, messages wait in
//! a store as deep as the profile's history, where newer ones replace older ones, and a thread sends them on.

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

struct Waiting {
    messages: VecDeque<Bytes>,
    /// Written since all readers last had everything.
    in_flight: usize,
    next_try: Instant,
}

struct Shared {
    topic: String,
    support: TypeSupport,
    reliable: bool,
    depth: usize,
    writer: DataWriter<Bytes, RawWriter>,
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
    fn write(&self, waiting: &mut Waiting, bytes: Bytes) -> Result<Option<Bytes>> {
        let size = bytes.len();
        if !self.has_room(waiting, size) {
            return Ok(Some(bytes));
        }
        match self.writer.write(bytes, Some(Timestamp::now())).map_err(WriteError::from) {
            Ok(()) => {
                if self.reliable {
                    waiting.in_flight += size;
                    self.pacer.in_flight.fetch_add(size, Ordering::Relaxed);
                }
                Ok(None)
            }
            Err(WriteError::WouldBlock { data }) => Ok(Some(data)),
            Err(error) => Err(Error::Transport {
                action: format!("publish on {}", self.topic),
                reason: error.to_string(),
            }),
        }
    }

    fn attempt(&self) -> Attempt {
        let mut waiting = self.waiting.lock();
        let Some(bytes) = waiting.messages.pop_front() else { return Attempt::Nothing };
        let size = bytes.len();
        match self.write(&mut waiting, bytes) {
            Ok(None) => Attempt::Sent(size),
            Ok(Some(bytes)) => {
                waiting.messages.push_front(bytes);
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

    fn wait(self: &Arc<Self>, waiting: &mut Waiting, bytes: Bytes) {
        waiting.messages.push_back(bytes);
        while waiting.messages.len() > self.depth {
            waiting.messages.pop_front();
            let before = self.dropped.fetch_add(1, Ordering::Relaxed);
            if (before + 1).is_power_of_two() {
                tracing::warn!(
                    topic = self.topic,
                    count = before + 1,
                    "a reader or the network does not keep up: older messages are given up"
                );
            }
        }
        if !self.queued.swap(true, Ordering::SeqCst) {
            self.pacer.push(self);
        }
    }
}

/// The sending end of a topic.
pub(super) struct DdsOutlet {
    shared: Arc<Shared>,
    graph: Arc<Graph>,
    node: NodeName,
    max_raw_bytes: usize,
    /// Later readers want what was published before: it must be handed over though nobody listens yet.
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
        writer: DataWriter<Bytes, RawWriter>,
        pacer: &Arc<Pacer>,
        graph: &Arc<Graph>,
    ) -> DdsOutlet {
        graph.add_writer(&node, writer.guid());
        let waiting = Waiting { messages: VecDeque::new(), in_flight: 0, next_try: Instant::now() };
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
        if !self.latched && self.readers() == 0 {
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
        let mut waiting = shared.waiting.lock();
        if bytes.len() >= LARGE || !waiting.messages.is_empty() {
            shared.wait(&mut waiting, bytes);
            let mut held: usize = waiting.messages.iter().map(Bytes::len).sum();
            while held > PER_WRITER
                && let Some(oldest) = waiting.messages.pop_front()
            {
                held -= oldest.len();
                shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
            return Ok(());
        }
        if let Some(bytes) = shared.write(&mut waiting, bytes)? {
            shared.wait(&mut waiting, bytes);
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
