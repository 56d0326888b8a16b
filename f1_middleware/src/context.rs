//! A context: one process in the ROS graph, with its back end, its clock and its executor.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::args::RosArgs;
use crate::clock::{Clock, TimeBase};
use crate::error::{Error, Result};
use crate::executor::{CallbackGroup, Executor};
use crate::time::Time;
use crate::transport::Transport;
use crate::transport::mem::{MemBus, MemTransport};

/// How long a shut-down waits for its guards, on the steady clock.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Which back end carries the messages.
#[derive(Clone, Debug)]
pub enum Backend {
    /// In process. `virtual_start` set: time is virtual, starts there, and moves only as the
    /// executor runs.
    Mem {
        /// Contexts on the same bus are connected.
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
    /// The name of the back end that programs use if none is named: `rcl` where this build contains
    /// it, else `dds`.
    pub const DEFAULT_NAME: &'static str = if cfg!(feature = "rcl") { "rcl" } else { "dds" };

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
    /// another name.
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

/// A callback group with the thread that runs it.
type GroupThread = (Arc<CallbackGroup>, Option<JoinHandle<()>>);

type ShutdownHook = Box<dyn FnOnce(ShutdownGuard) + Send>;

pub(crate) struct ContextInner {
    backend: &'static str,
    pub(crate) args: RosArgs,
    pub(crate) base: Arc<TimeBase>,
    pub(crate) transport: Arc<dyn Transport>,
    /// Of the nodes without a thread of their own.
    pub(crate) group: Arc<CallbackGroup>,
    groups: Mutex<Vec<GroupThread>>,
    hooks: Mutex<Vec<ShutdownHook>>,
    asked: AtomicBool,
    guards: Arc<AtomicUsize>,
}

/// One process in the ROS graph. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub(crate) inner: Arc<ContextInner>,
}

/// Delays the end of a shut-down until it is dropped, for at most five seconds (a robot
/// decelerates).
pub struct ShutdownGuard {
    guards: Arc<AtomicUsize>,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.guards.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Context {
    /// Joins the ROS graph.
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
        let group = CallbackGroup::new(&base);
        Ok(Context {
            inner: Arc::new(ContextInner {
                backend,
                args: options.args,
                base,
                transport,
                group,
                groups: Mutex::new(Vec::new()),
                hooks: Mutex::new(Vec::new()),
                asked: AtomicBool::new(false),
                guards: Arc::new(AtomicUsize::new(0)),
            }),
        })
    }

    /// Starts a thread that runs a callback group of its own.
    pub(crate) fn spawn_group(&self, name: &str) -> Result<Arc<CallbackGroup>> {
        let group = CallbackGroup::new(&self.inner.base);
        let running = group.clone();
        let handle = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || running.spin())
            .map_err(|error| Error::Transport {
                action: format!("start a thread for node {name}"),
                reason: error.to_string(),
            })?;
        self.inner.groups.lock().push((group.clone(), Some(handle)));
        Ok(group)
    }

    /// What runs the callbacks of the nodes without a thread of their own.
    pub fn executor(&self) -> Executor {
        Executor { group: self.inner.group.clone(), base: self.inner.base.clone() }
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

    /// Calls back on the executor when a shut-down is asked for. Until the guard is dropped, at
    /// most five seconds, callbacks and timers go on running.
    ///
    /// The context owns the hook: one that owned a clone of the context or a node would keep both
    /// alive, and their endpoints on the network. Use [`crate::Node::downgrade`].
    pub fn on_shutdown(&self, hook: impl FnOnce(ShutdownGuard) + Send + 'static) {
        self.inner.hooks.lock().push(Box::new(hook));
    }

    /// `mem`, `dds` or `rcl`.
    pub fn backend(&self) -> &'static str {
        self.inner.backend
    }

    /// Asks for a shut-down: runs the hooks, waits for their guards, then stops all executors.
    /// Returns at once; safe to call from a callback and from a signal thread.
    pub fn shutdown(&self) {
        if self.inner.asked.swap(true, Ordering::SeqCst) {
            return;
        }
        let hooks = std::mem::take(&mut *self.inner.hooks.lock());
        self.inner.guards.fetch_add(hooks.len(), Ordering::SeqCst);
        for hook in hooks {
            let guard = ShutdownGuard { guards: self.inner.guards.clone() };
            self.inner.group.post(Box::new(move || hook(guard)));
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
        let groups = std::mem::take(&mut *self.inner.groups.lock());
        let here = std::thread::current().id();
        for (group, handle) in groups {
            group.stop();
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
        if late || inner.guards.load(Ordering::SeqCst) == 0 {
            if late {
                tracing::warn!("the shut-down ends although a guard is still held");
            }
            inner.transport.shut_down();
            // Stopping drops callbacks, which may own anything: not under the lock.
            let groups: Vec<_> =
                inner.groups.lock().iter().map(|(group, _)| group.clone()).collect();
            for group in groups.iter().chain([&inner.group]) {
                group.stop();
            }
            return;
        }
        // Checked again by a timer, so that it works on a virtual clock too.
        let again = weak.clone();
        inner.group.once(
            &Clock::new(inner.base.clone()),
            Duration::from_millis(10),
            Box::new(move || ContextInner::stop_when_released(&again, limit)),
        );
    }
}

impl Drop for ContextInner {
    fn drop(&mut self) {
        self.group.stop();
        let here = std::thread::current().id();
        let start = Instant::now();
        for (group, handle) in std::mem::take(self.groups.get_mut()) {
            group.stop();
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
