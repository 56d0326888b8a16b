//! Logs of a process: to the console in ROS's form and to `/rosout`, with the levels of
//! `--log-level` and of the logger-level services.
//!
//! Code logs through `tracing` as everywhere in Rust. [`init`] installs what takes the lines: each
//! goes to the console, and to `/rosout` under the name of the node whose callback or worker wrote
//! it, with file and line. A line that no node's callback wrote goes under the process's first
//! node. [`Logger`] writes under its own node's name from anywhere.

mod console;
mod layer;
mod levels;
mod scope;
mod services;

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::rcl_interfaces::msg::Log;
use parking_lot::Mutex;

use crate::args::Severity;
use crate::clock::Clock;
use crate::executor::CallbackGroup;
use crate::publisher::Publisher;

pub use layer::{Spans, init};
pub(crate) use levels::is_at_or_below;
pub use scope::Scope;
pub(crate) use services::LoggerServices;

/// The filter of a program's log: `default`, and only the errors of RustDDS. RustDDS warns of every
/// peer that joins or leaves, on the loopback of multicast groups that it never joined, and of the
/// sample addressed to no reader with which our writers begin. It logs an error for each writer and
/// reader that is dropped after its participant has ended, as at every shut-down. r2r logs an error
/// when a publisher is destroyed.
#[must_use]
pub fn filter(default: &str) -> String {
    format!(
        "{default},rustdds=error,rustdds::network::udp_listener=off,rustdds::rtps::writer=off,\
         rustdds::dds::pubsub=off,r2r=off"
    )
}

/// Lines that may wait to be published on `/rosout`; what comes while so many wait is only on the
/// console.
const MAX_WAITING: usize = 1000;

/// Where a line of a program stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    function: &'a str,
    line: u32,
}

struct Inner {
    name: String,
    clock: Clock,
    lowest: AtomicU8,
    /// Whether the lowest level was asked for, by argument or service.
    asked: AtomicBool,
    /// The level that the process's arguments give.
    argument: Option<Severity>,
    stdout: bool,
    rosout: OnceLock<Publisher<Log>>,
    /// Runs the node's callbacks. Weak: it owns callbacks that own loggers.
    group: Weak<CallbackGroup>,
    /// Lines that are not published yet.
    waiting: AtomicUsize,
    last: Mutex<BTreeMap<&'static str, Duration>>,
}

impl Inner {
    fn is_enabled(&self, severity: Severity) -> bool {
        severity as u8 >= self.lowest.load(Ordering::Relaxed)
    }

    fn set(&self, level: Option<Severity>) {
        self.lowest.store(level.unwrap_or(Severity::Info) as u8, Ordering::Relaxed);
        self.asked.store(level.is_some(), Ordering::Relaxed);
    }

    fn message(&self, severity: Severity, message: String, place: Place<'_>) -> Log {
        Log {
            stamp: WireTime::saturating_from_nanoseconds(self.clock.now().nanoseconds()),
            level: severity as u8,
            name: self.name.clone(),
            msg: message,
            file: place.file.to_owned(),
            function: place.function.to_owned(),
            line: place.line,
        }
    }

    fn publish(&self, line: Log) {
        if let Some(rosout) = self.rosout.get() {
            // An error here could only be logged.
            let _ = rosout.publish(line);
        }
    }

    /// Publishes on the node's executor: the line may come from code that holds a lock which
    /// publishing needs.
    fn publish_later(self: &Arc<Self>, line: Log) {
        let Some(group) = self.group.upgrade() else { return };
        if self.rosout.get().is_none() || self.waiting.load(Ordering::Relaxed) >= MAX_WAITING {
            return;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let weak = Arc::downgrade(self);
        group.post(Box::new(move || {
            if let Some(inner) = weak.upgrade() {
                inner.waiting.fetch_sub(1, Ordering::Relaxed);
                inner.publish(line);
            }
        }));
    }
}

/// A node's logger. Cheap to clone.
#[derive(Clone)]
pub struct Logger {
    inner: Arc<Inner>,
}

impl Logger {
    pub(crate) fn new(
        name: String,
        clock: Clock,
        level: Option<Severity>,
        stdout: bool,
        group: &Arc<CallbackGroup>,
    ) -> Logger {
        let inner = Arc::new(Inner {
            name,
            clock,
            lowest: AtomicU8::new(Severity::Info as u8),
            asked: AtomicBool::new(false),
            argument: level,
            stdout,
            rosout: OnceLock::new(),
            group: Arc::downgrade(group),
            waiting: AtomicUsize::new(0),
            last: Mutex::new(BTreeMap::new()),
        });
        levels::register(&inner);
        Logger { inner }
    }

    /// Publishes all further lines there too.
    pub(crate) fn publish_on(&self, rosout: Publisher<Log>) {
        let _ = self.inner.rosout.set(rosout);
    }

    /// What code that runs for this node runs in: its lines are the node's.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of(&self.inner)
    }

    /// The logger's name: the node's absolute name with dots.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Changes the lowest severity that is logged.
    pub fn set_severity(&self, severity: Severity) {
        self.inner.set(Some(severity));
        levels::note_lowest();
    }

    /// Whether a line of this severity is logged; to skip costly formatting.
    pub fn is_enabled(&self, severity: Severity) -> bool {
        self.inner.is_enabled(severity)
    }

    /// Logs one line.
    #[track_caller]
    pub fn log(&self, severity: Severity, message: impl Into<String>) {
        if !self.is_enabled(severity) {
            return;
        }
        let message = message.into();
        let caller = Location::caller();
        let place = Place { file: caller.file(), function: "", line: caller.line() };
        if self.inner.stdout {
            self.scope().run(|| layer::to_console(&self.inner.name, severity, &message, place));
        }
        let line = self.inner.message(severity, message, place);
        self.inner.publish(line);
    }

    /// Logs at most one line per `period` for this `key`.
    #[track_caller]
    pub fn throttled(
        &self,
        severity: Severity,
        key: &'static str,
        period: Duration,
        message: impl FnOnce() -> String,
    ) {
        if !self.is_enabled(severity) {
            return;
        }
        let now = self.inner.clock.steady();
        let mut last = self.inner.last.lock();
        if last.get(key).is_some_and(|last| now.saturating_sub(*last) < period) {
            return;
        }
        last.insert(key, now);
        drop(last);
        self.log(severity, message());
    }

    /// For a developer.
    #[track_caller]
    pub fn debug(&self, message: impl Into<String>) {
        self.log(Severity::Debug, message);
    }

    /// What happened.
    #[track_caller]
    pub fn info(&self, message: impl Into<String>) {
        self.log(Severity::Info, message);
    }

    /// May become a problem.
    #[track_caller]
    pub fn warn(&self, message: impl Into<String>) {
        self.log(Severity::Warn, message);
    }

    /// Something failed, the node goes on.
    #[track_caller]
    pub fn error(&self, message: impl Into<String>) {
        self.log(Severity::Error, message);
    }

    /// The node cannot go on.
    #[track_caller]
    pub fn fatal(&self, message: impl Into<String>) {
        self.log(Severity::Fatal, message);
    }
}
