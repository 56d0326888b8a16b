//! The sending thread: large and delayed messages of all writers, with pauses between.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

/// Bytes a second at which large messages are sent: 200 KB every 2 ms.
const BYTES_PER_SECOND: f64 = 100.0e6;

/// Pause while one writer waits and others may be able to send.
const SHORT_PAUSE: Duration = Duration::from_micros(200);

/// Outcome of one attempt to send.
pub(crate) enum Attempt {
    /// So many bytes were sent.
    Sent(usize),
    /// Nothing was sent: the writer is full, or has no message.
    Nothing,
}

/// A writer with messages that wait.
pub(crate) trait Delayed: Send + Sync {
    /// Time until the next attempt.
    fn time_until_attempt(&self) -> Duration;
    /// Tries to send one message.
    fn attempt(&self) -> Attempt;
    /// Whether messages are left; if not, the writer leaves the queue.
    fn stays_queued(&self) -> bool;
}

/// The sending thread and its queue of writers.
pub(crate) struct Pacer {
    queue: Mutex<VecDeque<Weak<dyn Delayed>>>,
    changed: Condvar,
    stop: AtomicBool,
    /// Unacknowledged bytes of all writers.
    in_flight: AtomicUsize,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pacer {
    pub(crate) fn start() -> Result<Arc<Pacer>> {
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
            .map_err(|error| Error::network("start the sending thread", error))?;
        *pacer.thread.lock() = Some(thread);
        Ok(pacer)
    }

    /// Queues a writer. Only for one that is not in the queue.
    pub(crate) fn push(&self, writer: Weak<dyn Delayed>) {
        self.queue.lock().push_back(writer);
        self.changed.notify_one();
    }

    /// Unacknowledged bytes of all writers.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn add_in_flight(&self, bytes: usize) {
        self.in_flight.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove_in_flight(&self, bytes: usize) {
        self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
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
            let Some(writer) = next.and_then(|writer| writer.upgrade()) else { continue };
            let wait = writer.time_until_attempt();
            let pause = if wait.is_zero() {
                match writer.attempt() {
                    Attempt::Sent(bytes) => {
                        Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND)
                    }
                    Attempt::Nothing => Duration::ZERO,
                }
            } else if self.queue.lock().is_empty() {
                wait
            } else {
                SHORT_PAUSE
            };
            if writer.stays_queued() {
                self.push(Arc::downgrade(&writer));
            }
            drop(writer);
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
    }

    pub(crate) fn stop(&self) {
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
