//! The receiving thread: it empties all readers as soon as they have something, and looks after the
//! connections between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::unbounded;
use parking_lot::Mutex;
use ros2_client::dds::rustdds::{DomainParticipant, StatusEvented};

use crate::error::{Error, Result};
use crate::graph::Graph;

/// How often connections are checked, and changes of our own nodes announced.
const TICK: Duration = Duration::from_millis(10);

/// Wakes the thread without a reader.
const STOP: u64 = u64::MAX;

/// Something that is emptied on the receiving thread.
pub(crate) trait Drain: Send + Sync {
    /// Registers `waker` for the next arrival and takes what is there.
    fn drain(&self, waker: &Waker);
}

struct ReaderWaker {
    id: u64,
    queued: AtomicBool,
    wakes: crossbeam_channel::Sender<u64>,
}

impl Wake for ReaderWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::SeqCst) {
            // A thread that has ended needs no wake.
            let _ = self.wakes.send(self.id);
        }
    }
}

struct Entry {
    drain: Arc<dyn Drain>,
    waker: Arc<ReaderWaker>,
}

type Entries = Mutex<BTreeMap<u64, Entry>>;

/// The receiving thread.
pub(crate) struct Receiver {
    entries: Arc<Entries>,
    wakes: crossbeam_channel::Sender<u64>,
    next: AtomicU64,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Receiver {
    pub(crate) fn start(
        participant: DomainParticipant,
        graph: Arc<Graph>,
    ) -> Result<Arc<Receiver>> {
        let entries: Arc<Entries> = Arc::default();
        let (wakes, woken) = unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (entries, stop) = (entries.clone(), stop.clone());
            std::thread::Builder::new()
                .name("f1-dds-receive".to_owned())
                .spawn(move || run(&participant, &graph, &entries, &woken, &stop))
                .map_err(|error| Error::network("start the receiving thread", error))?
        };
        Ok(Arc::new(Receiver {
            entries,
            wakes,
            next: AtomicU64::new(0),
            stop,
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// Adds a reader; returns its number for [`Receiver::remove`].
    pub(crate) fn add(&self, drain: Arc<dyn Drain>) -> u64 {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let waker =
            Arc::new(ReaderWaker { id, queued: AtomicBool::new(true), wakes: self.wakes.clone() });
        self.entries.lock().insert(id, Entry { drain, waker });
        // The first drain registers the waker.
        let _ = self.wakes.send(id);
        id
    }

    pub(crate) fn remove(&self, id: u64) {
        // Dropped outside the lock: a handler may own other endpoints.
        let removed = self.entries.lock().remove(&id);
        drop(removed);
    }

    pub(crate) fn stop(&self) {
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
    entries: &Entries,
    woken: &crossbeam_channel::Receiver<u64>,
    stop: &AtomicBool,
) {
    let listener = participant.status_listener();
    while !stop.load(Ordering::SeqCst) {
        let id = woken.recv_timeout(TICK).ok();
        while let Some(event) = listener.try_recv_status() {
            graph.take(event);
        }
        graph.check_acknowledgments();
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
