//! Long computations beside the executor: one at a time, always on the newest input.
//!
//! In real time the work runs on a thread of its own and its outcome is passed to the node's
//! executor. On a virtual clock it runs inline and its outcome is passed on after a latency that
//! the caller sets, so that a simulation is deterministic and inference takes time in it too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::executor::CallbackGroup;
use crate::node::Node;

/// How urgent a thread's computation is. The threads that pass on messages and motion keep the
/// program's own priority: on a machine whose cores are all busy they run at once, which needs no
/// privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// On the path to motion: decoding of images, inference.
    Motion,
    /// What is only shown: images, measured values.
    Display,
}

impl Urgency {
    /// Gives the calling thread this urgency; threads that it starts inherit it. A thread of
    /// lower priority keeps its own.
    pub fn apply(self) {
        let nice = match self {
            Urgency::Motion => 4,
            Urgency::Display => 10,
        };
        // On Linux `None` means the calling thread, not its process.
        #[cfg(target_os = "linux")]
        if rustix::process::getpriority_process(None).is_ok_and(|now| now < nice)
            && let Err(error) = rustix::process::setpriority_process(None, nice)
        {
            tracing::debug!(%error, "a thread keeps its priority");
        }
        #[cfg(not(target_os = "linux"))]
        let _ = nice;
    }
}

type Work<I, O> = Box<dyn FnMut(I) -> O + Send>;
type Done<O> = Box<dyn FnMut(O) + Send>;

struct State<I> {
    next: Option<I>,
    busy: bool,
    stop: bool,
    replaced: u64,
}

struct Shared<I, O> {
    state: Mutex<State<I>>,
    changed: Condvar,
    group: Arc<CallbackGroup>,
    clock: Clock,
    /// Nanoseconds.
    latency: AtomicU64,
    work: Mutex<Work<I, O>>,
    done: Mutex<Done<O>>,
}

/// Runs one kind of computation for a node. Dropping it waits until the running one has ended.
pub struct Worker<I: Send + 'static> {
    submit: Arc<dyn Submit<I>>,
    thread: Option<JoinHandle<()>>,
}

trait Submit<I>: Send + Sync {
    fn submit(&self, input: I) -> bool;
    fn is_busy(&self) -> bool;
    fn replaced(&self) -> u64;
    fn set_latency(&self, latency: Duration);
    fn stop(&self);
}

impl<I: Send + 'static> Worker<I> {
    /// Starts a worker. `work` runs on a thread of that `urgency`; `done` gets each outcome on the
    /// node's executor. `virtual_latency` is how long the work takes on a virtual clock; in real
    /// time it has no effect.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn spawn<O: Send + 'static>(
        node: &Node,
        name: &str,
        urgency: Urgency,
        virtual_latency: Duration,
        mut work: impl FnMut(I) -> O + Send + 'static,
        mut done: impl FnMut(O) + Send + 'static,
    ) -> Result<Worker<I>> {
        let scope = node.logger().scope();
        let scope_of_done = scope.clone();
        let work = move |input| scope.run(|| work(input));
        let done = move |outcome| scope_of_done.run(|| done(outcome));
        let shared = Arc::new(Shared {
            state: Mutex::new(State { next: None, busy: false, stop: false, replaced: 0 }),
            changed: Condvar::new(),
            group: node.group().clone(),
            clock: node.clock(),
            latency: AtomicU64::new(nanoseconds(virtual_latency)),
            work: Mutex::new(Box::new(work) as Work<I, O>),
            done: Mutex::new(Box::new(done) as Done<O>),
        });
        let thread = if shared.clock.is_virtual() {
            None
        } else {
            let shared = shared.clone();
            let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
                urgency.apply();
                shared.run();
            });
            Some(spawned.map_err(|error| Error::Transport {
                action: format!("start worker {name}"),
                reason: error.to_string(),
            })?)
        };
        Ok(Worker { submit: Arc::new(Handle(shared)), thread })
    }

    /// Submits the newest input. It replaces one that still waits; returns whether it did.
    pub fn submit(&self, input: I) -> bool {
        self.submit.submit(input)
    }

    /// Whether work is running or waiting.
    pub fn is_busy(&self) -> bool {
        self.submit.is_busy()
    }

    /// Inputs that a newer one replaced before their turn came.
    pub fn replaced(&self) -> u64 {
        self.submit.replaced()
    }

    /// Changes how long the work takes on a virtual clock, from the next input on.
    pub fn set_virtual_latency(&self, latency: Duration) {
        self.submit.set_latency(latency);
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<I: Send + 'static> Drop for Worker<I> {
    fn drop(&mut self) {
        self.submit.stop();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("a worker thread has panicked");
        }
    }
}

struct Handle<I, O>(Arc<Shared<I, O>>);

impl<I: Send + 'static, O: Send + 'static> Submit<I> for Handle<I, O> {
    fn submit(&self, input: I) -> bool {
        let shared = &self.0;
        let mut state = shared.state.lock();
        let replaced = state.next.replace(input).is_some();
        state.replaced += u64::from(replaced);
        let start = shared.clock.is_virtual() && !state.busy;
        drop(state);
        if start {
            shared.clone().start_virtual();
        } else {
            shared.changed.notify_one();
        }
        replaced
    }

    fn is_busy(&self) -> bool {
        let state = self.0.state.lock();
        state.busy || state.next.is_some()
    }

    fn replaced(&self) -> u64 {
        self.0.state.lock().replaced
    }

    fn set_latency(&self, latency: Duration) {
        self.0.latency.store(nanoseconds(latency), Ordering::Relaxed);
    }

    fn stop(&self) {
        self.0.state.lock().stop = true;
        self.0.changed.notify_one();
    }
}

impl<I: Send + 'static, O: Send + 'static> Shared<I, O> {
    fn run(self: Arc<Self>) {
        loop {
            let mut state = self.state.lock();
            state.busy = false;
            while state.next.is_none() && !state.stop {
                self.changed.wait(&mut state);
            }
            if state.stop {
                return;
            }
            let Some(input) = state.next.take() else { continue };
            state.busy = true;
            drop(state);
            let outcome = (self.work.lock())(input);
            let shared = self.clone();
            self.group.post(Box::new(move || shared.pass_on(outcome)));
        }
    }

    fn pass_on(&self, outcome: O) {
        if !self.state.lock().stop {
            (self.done.lock())(outcome);
        }
    }

    fn start_virtual(self: Arc<Self>) {
        let input = {
            let mut state = self.state.lock();
            if state.stop {
                return;
            }
            let Some(input) = state.next.take() else { return };
            state.busy = true;
            input
        };
        let mut outcome = Some((self.work.lock())(input));
        let (group, clock) = (self.group.clone(), self.clock.clone());
        let latency = Duration::from_nanos(self.latency.load(Ordering::Relaxed));
        group.once(
            &clock,
            latency,
            Box::new(move || {
                self.state.lock().busy = false;
                if let Some(outcome) = outcome.take() {
                    self.pass_on(outcome);
                }
                let idle = !self.state.lock().busy;
                if idle {
                    self.clone().start_virtual();
                }
            }),
        );
    }
}
