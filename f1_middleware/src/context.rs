//! A context: one process's place in the ROS graph, its back end, its clock and its executor.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::args::RosArgs;
use crate::clock::{Clock, TimeBase};
use crate::error::{Error, Result};
use crate::executor::{Executor, Lane};
use crate::node::{Node, NodeOptions};
use crate::time::Time;
use crate::transport::Transport;
use crate::transport::mem::{MemBus, MemTransport};

/// How long a shut-down waits for those that asked for time, on the steady clock.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Which back end carries the messages.
#[derive(Clone, Debug)]
pub enum Backend {
    /// In process. `virtual_start` set: time is virtual, starts there, and moves only as the
    /// executor runs.
    Mem {
        /// Contexts on the same bus hear each other.
        bus: MemBus,
        /// The first instant of virtual time; `None` runs in real time.
        virtual_start: Option<Time>,
    },
    /// RTPS over UDP by RustDDS; no ROS install needed.
    Dds,
    /// The installed, sourced ROS 2.
    Rcl,
}

impl Backend {
    /// `mem` on a bus of its own, in real time.
    pub fn mem() -> Backend {
        Backend::Mem { bus: MemBus::new(), virtual_start: None }
    }

    /// `mem` on a bus of its own, on a virtual clock that starts at one second (zero means "no
    /// stamp" in ROS).
    pub fn mem_virtual() -> Backend {
        Backend::Mem { bus: MemBus::new(), virtual_start: Some(Time::from_seconds(1.0)) }
    }

    /// `mem`, `dds` or `rcl`.
    ///
    /// # Errors
    /// [`Error::NoBackend`] where this build does not contain it, [`Error::Unsupported`] for
    /// another word.
    pub fn from_name(name: &str) -> Result<Backend> {
        match name {
            "mem" => Ok(Backend::mem()),
            "dds" if cfg!(feature = "dds") => Ok(Backend::Dds),
            "dds" => Err(Error::NoBackend("dds")),
            "rcl" if cfg!(feature = "rcl") => Ok(Backend::Rcl),
            "rcl" => Err(Error::NoBackend("rcl")),
            other => Err(Error::Unsupported(format!("back end {other:?}: choose mem, dds or rcl"))),
        }
    }
}

/// What a context is made from.
#[derive(Clone, Debug)]
pub struct ContextOptions {
    /// The back end.
    pub backend: Backend,
    /// What followed `--ros-args`.
    pub args: RosArgs,
}

impl ContextOptions {
    /// This back end and no arguments.
    pub fn new(backend: Backend) -> ContextOptions {
        ContextOptions { backend, args: RosArgs::none() }
    }
}

/// A lane with the thread that runs it.
type LaneThread = (Arc<Lane>, Option<JoinHandle<()>>);

type ShutdownHook = Box<dyn FnOnce(ShutdownGuard) + Send>;

pub(crate) struct ContextInner {
    backend: &'static str,
    pub(crate) args: RosArgs,
    pub(crate) base: Arc<TimeBase>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) lane: Arc<Lane>,
    lanes: Mutex<Vec<LaneThread>>,
    hooks: Mutex<Vec<ShutdownHook>>,
    asked: AtomicBool,
    holders: Arc<AtomicUsize>,
}

/// One process's place in the ROS graph. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub(crate) inner: Arc<ContextInner>,
}

/// Holds a shut-down open until dropped (a robot decelerating to rest), for at most five seconds.
pub struct ShutdownGuard {
    holders: Arc<AtomicUsize>,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.holders.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Context {
    /// Joins the graph.
    ///
    /// # Errors
    /// The back end is not in this build, the environment is wrong, or the network refuses.
    pub fn new(options: ContextOptions) -> Result<Context> {
        let base = match &options.backend {
            Backend::Mem { virtual_start: Some(start), .. } => TimeBase::virtual_from(*start),
            _ => TimeBase::real(),
        };
        let backend = match &options.backend {
            Backend::Mem { .. } => "mem",
            Backend::Dds => "dds",
            Backend::Rcl => "rcl",
        };
        let transport: Arc<dyn Transport> = match options.backend {
            Backend::Mem { bus, .. } => Arc::new(MemTransport::new(bus, base.clone())),
            #[cfg(feature = "dds")]
            Backend::Dds => {
                Arc::new(crate::transport::dds::DdsTransport::from_environment(base.clone())?)
            }
            #[cfg(not(feature = "dds"))]
            Backend::Dds => return Err(Error::NoBackend("dds")),
            #[cfg(any(feature = "rcl", feature = "rcl-check"))]
            Backend::Rcl => Arc::new(crate::transport::rcl::RclTransport::new()?),
            #[cfg(not(any(feature = "rcl", feature = "rcl-check")))]
            Backend::Rcl => return Err(Error::NoBackend("rcl")),
        };
        Ok(Context {
            inner: Arc::new(ContextInner {
                backend,
                args: options.args,
                base,
                transport,
                lane: Lane::new(),
                lanes: Mutex::new(Vec::new()),
                hooks: Mutex::new(Vec::new()),
                asked: AtomicBool::new(false),
                holders: Arc::new(AtomicUsize::new(0)),
            }),
        })
    }

    /// Makes a node in the root namespace (unless remapped), on the context's own executor.
    ///
    /// # Errors
    /// An invalid name, or a node of this name in this process.
    pub fn create_node(&self, name: &str) -> Result<Node> {
        self.create_node_with(name, NodeOptions::default())
    }

    /// Makes a node.
    ///
    /// # Errors
    /// As [`Context::create_node`].
    pub fn create_node_with(&self, name: &str, options: NodeOptions) -> Result<Node> {
        let lane = if options.own_thread && !self.inner.base.is_virtual() {
            self.spawn_lane(name)?
        } else {
            self.inner.lane.clone()
        };
        Node::new(self, name, &options, lane)
    }

    fn spawn_lane(&self, name: &str) -> Result<Arc<Lane>> {
        let lane = Lane::new();
        // The executor registers the lane for wake-ups by simulated time.
        let executor = Executor::new(lane.clone(), self.inner.base.clone());
        let handle = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || executor.lane.spin())
            .map_err(|error| Error::Transport {
                action: format!("start a thread for node {name}"),
                reason: error.to_string(),
            })?;
        self.inner.lanes.lock().push((lane.clone(), Some(handle)));
        Ok(lane)
    }

    /// What runs the callbacks of the nodes without a thread of their own.
    pub fn executor(&self) -> Executor {
        Executor::new(self.inner.lane.clone(), self.inner.base.clone())
    }

    /// Runs callbacks until the context shuts down.
    pub fn spin(&self) {
        self.executor().spin();
    }

    /// The context's clock; a node's own clock also follows its `use_sim_time`.
    pub fn clock(&self) -> Clock {
        Clock::new(self.inner.base.clone())
    }

    /// Whether time is virtual.
    pub fn is_virtual(&self) -> bool {
        self.inner.base.is_virtual()
    }

    /// The ROS arguments.
    pub fn args(&self) -> &RosArgs {
        &self.inner.args
    }

    /// Calls back on the executor when a shut-down is asked for. The guard holds the shut-down
    /// open, callbacks and timers go on running, until it is dropped or five seconds have
    /// passed.
    pub fn on_shutdown(&self, hook: impl FnOnce(ShutdownGuard) + Send + 'static) {
        self.inner.hooks.lock().push(Box::new(hook));
    }

    /// `mem`, `dds` or `rcl`.
    pub fn backend(&self) -> &'static str {
        self.inner.backend
    }

    /// Whether a shut-down has been asked for.
    pub fn is_shutting_down(&self) -> bool {
        self.inner.asked.load(Ordering::SeqCst)
    }

    /// Asks for a shut-down: runs the hooks, waits for their guards, then stops all executors.
    /// Returns at once; safe to call from a callback and from a signal thread.
    pub fn shutdown(&self) {
        if self.inner.asked.swap(true, Ordering::SeqCst) {
            return;
        }
        let hooks = std::mem::take(&mut *self.inner.hooks.lock());
        self.inner.holders.fetch_add(hooks.len(), Ordering::SeqCst);
        for hook in hooks {
            let guard = ShutdownGuard { holders: self.inner.holders.clone() };
            self.inner.lane.post(Box::new(move || hook(guard)));
        }
        ContextInner::stop_when_released(
            &Arc::downgrade(&self.inner),
            self.clock().steady() + SHUTDOWN_LIMIT,
        );
    }

    /// Shuts down on SIGINT and SIGTERM; a second signal ends the process at once.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn shutdown_on_signals(&self) -> Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let failed = |error: std::io::Error| Error::Transport {
            action: "install signal handlers".to_owned(),
            reason: error.to_string(),
        };
        let second = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, 130, second.clone())
                .map_err(failed)?;
            signal_hook::flag::register(signal, second.clone()).map_err(failed)?;
        }
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
        let weak = Arc::downgrade(&self.inner);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                if signals.forever().next().is_some()
                    && let Some(inner) = weak.upgrade()
                {
                    Context { inner }.shutdown();
                }
            })
            .map_err(failed)?;
        Ok(())
    }

    /// Waits for the executors that run on threads of their own, after [`Context::shutdown`].
    pub fn join(&self) {
        let lanes = std::mem::take(&mut *self.inner.lanes.lock());
        let here = std::thread::current().id();
        for (lane, handle) in lanes {
            lane.stop();
            if let Some(handle) = handle
                && handle.thread().id() != here
                && handle.join().is_err()
            {
                tracing::error!("an executor thread has panicked");
            }
        }
    }
}

impl ContextInner {
    fn stop_when_released(weak: &Weak<ContextInner>, limit: Duration) {
        let Some(inner) = weak.upgrade() else { return };
        let late = inner.base.steady() >= limit;
        if late || inner.holders.load(Ordering::SeqCst) == 0 {
            if late {
                tracing::warn!("shut-down does not wait any longer");
            }
            inner.transport.shut_down();
            for (lane, _) in inner.lanes.lock().iter() {
                lane.stop();
            }
            inner.lane.stop();
            return;
        }
        // Asked again by a timer, so that it works on a virtual clock too.
        let again = weak.clone();
        inner.lane.once(
            &Clock::new(inner.base.clone()),
            Duration::from_millis(10),
            Box::new(move || ContextInner::stop_when_released(&again, limit)),
        );
    }
}

impl Drop for ContextInner {
    fn drop(&mut self) {
        self.lane.stop();
        let here = std::thread::current().id();
        let start = Instant::now();
        for (lane, handle) in std::mem::take(self.lanes.get_mut()) {
            lane.stop();
            if let Some(handle) = handle
                && handle.thread().id() != here
                && start.elapsed() < SHUTDOWN_LIMIT
            {
                let _ = handle.join();
            }
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
