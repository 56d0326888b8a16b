//! The `rcl` back end: an installed, sourced ROS 2 through the crate r2r; any RMW, security, all of
//! `--ros-args`.
//!
//! Messages of topics cross as serialized bytes (r2r's raw publish and subscribe), so that our own
//! structures stay the only ones. Services and the topics inside actions are typed in r2r: see
//! [`types`]. Each node has a thread that spins it; r2r's streams and futures are looked at after
//! every turn.
//!
//! The process's arguments reach rcl as well. Names that cross the trait are absolute and remapped
//! already, so that rcl's own remapping finds nothing left to do, unless rules are chained or
//! swapped (`a:=b`, `b:=a`).
//!
//! Parameters, lifecycle, `/clock` and logs are ours here too: r2r offers parameter services only
//! when asked, and is not. Endpoints hold their node weakly: a node that is removed leaves the
//! graph whoever still holds one of its endpoints.

mod service;
mod topic;
mod types;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::*;
use crate::qos::{Durability, History, Reliability};

/// One turn of a node; endpoints are made between turns.
const TURN: Duration = Duration::from_millis(5);

/// How often writers are counted.
const COUNT: Duration = Duration::from_millis(100);

fn failed(action: impl Into<String>, reason: impl std::fmt::Display) -> Error {
    Error::Transport { action: action.into(), reason: reason.to_string() }
}

/// A stream or future of r2r, looked at after each turn.
trait Pending: Send {
    /// Takes what is there; false when it has ended or nobody wants it any more.
    fn poll(&mut self, task: &mut TaskContext<'_>) -> bool;
}

/// The number of writers of a topic, for an inlet that still exists.
struct Counted {
    topic: String,
    count: std::sync::Weak<AtomicUsize>,
}

struct RclNode {
    node: Mutex<r2r::Node>,
    /// Endpoints waiting to be made: the spinning thread lets them in.
    waiting: AtomicUsize,
    pending: Mutex<Vec<Box<dyn Pending>>>,
    counted: Mutex<Vec<Counted>>,
    stop: AtomicBool,
}

impl RclNode {
    /// Does something with the node between two turns.
    fn with<T>(&self, work: impl FnOnce(&mut r2r::Node) -> T) -> T {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let outcome = work(&mut self.node.lock());
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    fn watch(&self, pending: impl Pending + 'static) {
        self.pending.lock().push(Box::new(pending));
    }

    fn run(&self) {
        let mut task = TaskContext::from_waker(Waker::noop());
        let mut counted = Instant::now();
        while !self.stop.load(Ordering::SeqCst) {
            if self.waiting.load(Ordering::SeqCst) > 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
            self.node.lock().spin_once(TURN);
            // Taken out, so that what is delivered may add more.
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

struct Spinning {
    node: Arc<RclNode>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.node.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("a node's thread has panicked");
        }
    }
}

pub(crate) struct RclTransport {
    context: r2r::Context,
    nodes: Mutex<BTreeMap<String, Spinning>>,
}

impl RclTransport {
    pub(crate) fn new() -> Result<RclTransport> {
        // r2r panics where rcl refuses the command line or a parameter file.
        let context = std::panic::catch_unwind(r2r::Context::create)
            .map_err(|_| {
                failed(
                    "join the ROS graph",
                    "rcl refuses the arguments or the environment, see above",
                )
            })?
            .map_err(|error| failed("join the ROS graph", error))?;
        Ok(RclTransport { context, nodes: Mutex::new(BTreeMap::new()) })
    }

    fn node(&self, name: &NodeName) -> Result<Arc<RclNode>> {
        let name = name.absolute();
        match self.nodes.lock().get(&name) {
            Some(spinning) => Ok(spinning.node.clone()),
            None => Err(failed(format!("use node {name}"), "it does not exist")),
        }
    }
}

fn profile(qos: &Qos) -> r2r::QosProfile {
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
fn with_header(body: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(cdr::HEADER_LENGTH + body.len());
    bytes.extend_from_slice(&cdr::HEADER);
    bytes.extend_from_slice(&body);
    bytes
}

/// Decodes CDR with its header.
fn decode(support: &TypeSupport, name: &str, bytes: &[u8]) -> Result<Value> {
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
fn drain<S: futures::Stream + Unpin>(
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

impl Transport for RclTransport {
    fn add_node(&self, node: &NodeName) -> Result<()> {
        let name = node.absolute();
        let mut nodes = self.nodes.lock();
        if nodes.contains_key(&name) {
            return Err(Error::AlreadyExists { what: "node", name });
        }
        let made = r2r::Node::create(self.context.clone(), &node.name, &node.namespace)
            .map_err(|error| failed(format!("make node {name}"), error))?;
        let shared = Arc::new(RclNode {
            node: Mutex::new(made),
            waiting: AtomicUsize::new(0),
            pending: Mutex::new(Vec::new()),
            counted: Mutex::new(Vec::new()),
            stop: AtomicBool::new(false),
        });
        let running = shared.clone();
        let thread = std::thread::Builder::new()
            .name(format!("rcl {}", node.name))
            .spawn(move || running.run())
            .map_err(|error| failed(format!("start a thread for node {name}"), error))?;
        nodes.insert(name, Spinning { node: shared, thread: Some(thread) });
        Ok(())
    }

    fn remove_node(&self, node: &NodeName) {
        let gone = self.nodes.lock().remove(&node.absolute());
        drop(gone);
    }

    fn advertise(&self, spec: TopicSpec) -> Result<Arc<dyn Outlet>> {
        topic::advertise(&self.node(&spec.node)?, spec)
    }

    fn subscribe(&self, spec: TopicSpec, sink: Arc<dyn SampleSink>) -> Result<Arc<dyn Inlet>> {
        topic::subscribe(&self.node(&spec.node)?, spec, sink)
    }

    fn serve(&self, spec: ServiceSpec, sink: Arc<dyn RequestSink>) -> Result<Arc<dyn ServerPort>> {
        service::serve(&self.node(&spec.node)?, spec, sink)
    }

    fn client(
        &self,
        spec: ServiceSpec,
        sink: Arc<dyn ResponseSink>,
    ) -> Result<Arc<dyn ClientPort>> {
        service::client(&self.node(&spec.node)?, spec, sink)
    }

    fn shut_down(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock());
        drop(nodes);
    }
}
