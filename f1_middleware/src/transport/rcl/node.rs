//! A node of r2r with the thread that spins it, and what topics and services share.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use f1_interfaces::cdr;
use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::qos::{Durability, History, Qos, Reliability};
use crate::transport::{TypeSupport, Value};

/// One turn of a node; endpoints are made between turns.
const TURN: Duration = Duration::from_millis(5);

/// How often writers are counted and servers are looked for.
pub(super) const COUNT: Duration = Duration::from_millis(100);

pub(super) fn failed(action: impl Into<String>, reason: impl std::fmt::Display) -> Error {
    Error::Transport { action: action.into(), reason: reason.to_string() }
}

/// A stream or future of r2r, polled after each turn.
pub(super) trait Pending: Send {
    /// Takes what is there; false when it has ended or is not wanted any more.
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool;
}

/// The number of writers of a topic, for a reader that still exists.
pub(super) struct Counted {
    pub(super) topic: String,
    pub(super) count: Weak<AtomicUsize>,
}

/// A node and what its thread polls.
pub(super) struct RclNode {
    node: Mutex<r2r::Node>,
    /// Threads that wait to use the node; the spinning thread pauses for them.
    waiting: AtomicUsize,
    pending: Mutex<Vec<Box<dyn Pending>>>,
    pub(super) counted: Mutex<Vec<Counted>>,
    stop: AtomicBool,
}

impl RclNode {
    pub(super) fn new(node: r2r::Node) -> RclNode {
        RclNode {
            node: Mutex::new(node),
            waiting: AtomicUsize::new(0),
            pending: Mutex::new(Vec::new()),
            counted: Mutex::new(Vec::new()),
            stop: AtomicBool::new(false),
        }
    }

    /// Ends the thread that runs the node, after its turn.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Uses the node between two turns.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut r2r::Node) -> T) -> T {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let outcome = work(&mut self.node.lock());
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    pub(super) fn watch(&self, pending: impl Pending + 'static) {
        self.pending.lock().push(Box::new(pending));
    }

    pub(super) fn run(&self) {
        let mut task = TaskContext::from_waker(Waker::noop());
        let mut counted = Instant::now();
        while !self.stop.load(Ordering::SeqCst) {
            if self.waiting.load(Ordering::SeqCst) > 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
            self.node.lock().spin_once(TURN);
            // Taken out, so that a handler may add more.
            let mut pending = std::mem::take(&mut *self.pending.lock());
            pending.retain_mut(|one| one.poll(&mut task));
            self.pending.lock().append(&mut pending);
            if counted.elapsed() >= COUNT {
                counted = Instant::now();
                self.count_writers();
            }
        }
    }

    fn count_writers(&self) {
        let node = self.node.lock();
        self.counted.lock().retain(|counted| match counted.count.upgrade() {
            Some(count) => {
                if let Ok(writers) = node.get_publishers_info_by_topic(&counted.topic, false) {
                    count.store(writers.len(), Ordering::SeqCst);
                }
                true
            }
            None => false,
        });
    }
}

/// The profile in r2r's terms.
pub(super) fn profile(qos: &Qos) -> r2r::QosProfile {
    let mut profile = r2r::QosProfile::default();
    profile = match qos.history {
        History::KeepLast(_) => profile.keep_last(qos.depth()),
        History::KeepAll => profile.keep_all(),
    };
    profile = match qos.reliability {
        Reliability::Reliable => profile.reliable(),
        Reliability::BestEffort => profile.best_effort(),
    };
    profile = match qos.durability {
        Durability::TransientLocal => profile.transient_local(),
        Durability::Volatile => profile.volatile(),
    };
    if let Some(deadline) = qos.deadline {
        profile = profile.deadline(deadline);
    }
    if let Some(lifespan) = qos.lifespan {
        profile = profile.lifespan(lifespan);
    }
    profile
}

/// CDR with the header that serialized messages of ROS begin with.
pub(super) fn with_header(body: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(cdr::HEADER_LENGTH + body.len());
    bytes.extend_from_slice(&cdr::HEADER);
    bytes.extend_from_slice(&body);
    bytes
}

/// Decodes CDR with its header.
pub(super) fn decode(support: &TypeSupport, name: &str, bytes: &[u8]) -> Result<Value> {
    match bytes.split_first_chunk::<{ cdr::HEADER_LENGTH }>() {
        Some(([0, order @ (0 | 1), _, _], body)) => support.decode(name, body, *order == 0),
        _ => Err(Error::Encoding {
            topic: name.to_owned(),
            action: "decode",
            type_name: support.name,
            reason: "not plain CDR".to_owned(),
        }),
    }
}

/// Polls a stream until it has nothing more; false when it has ended.
pub(super) fn drain<S: futures::Stream + Unpin>(
    stream: &mut S,
    task: &mut TaskContext<'_>,
    mut take: impl FnMut(S::Item),
) -> bool {
    use futures::StreamExt;
    loop {
        match stream.poll_next_unpin(task) {
            Poll::Ready(Some(item)) => take(item),
            Poll::Ready(None) => return false,
            Poll::Pending => return true,
        }
    }
}
