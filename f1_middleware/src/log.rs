//! Logging of a node: to `tracing` and to `/rosout`, with the levels of `--log-level`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::rcl_interfaces::msg::Log;
use parking_lot::Mutex;

use crate::args::Severity;
use crate::clock::Clock;
use crate::publisher::Publisher;

/// The filter of a program's log: `default`, and only the errors of RustDDS. RustDDS warns of every
/// peer that joins or leaves, on the loopback of multicast groups that it never joined, and of the
/// sample addressed to nobody with which our writers begin. It logs an error for each writer and
/// reader that is dropped after its participant has ended, as at every shut-down. r2r logs an error
/// when a publisher is destroyed.
#[must_use]
pub fn filter(default: &str) -> String {
    format!(
        "{default},rustdds=error,rustdds::network::udp_listener=off,rustdds::rtps::writer=off,\
         rustdds::dds::pubsub=off,r2r=off"
    )
}

struct Inner {
    name: String,
    clock: Clock,
    lowest: AtomicU8,
    stdout: bool,
    rosout: OnceLock<Publisher<Log>>,
    last: Mutex<BTreeMap<&'static str, Duration>>,
}

/// A node's logger. Cheap to clone.
#[derive(Clone)]
pub struct Logger {
    inner: Arc<Inner>,
}

impl Logger {
    pub(crate) fn new(name: String, clock: Clock, lowest: Severity, stdout: bool) -> Logger {
        Logger {
            inner: Arc::new(Inner {
                name,
                clock,
                lowest: AtomicU8::new(lowest as u8),
                stdout,
                rosout: OnceLock::new(),
                last: Mutex::new(BTreeMap::new()),
            }),
        }
    }

    /// Publishes all further lines there too.
    pub(crate) fn publish_on(&self, rosout: Publisher<Log>) {
        let _ = self.inner.rosout.set(rosout);
    }

    /// The logger's name: the node's absolute name with dots.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Changes the lowest severity that is logged.
    pub fn set_severity(&self, severity: Severity) {
        self.inner.lowest.store(severity as u8, Ordering::Relaxed);
    }

    /// Whether a line of this severity is logged; to skip costly formatting.
    pub fn is_enabled(&self, severity: Severity) -> bool {
        severity as u8 >= self.inner.lowest.load(Ordering::Relaxed)
    }

    /// Logs one line.
    pub fn log(&self, severity: Severity, message: impl Into<String>) {
        if !self.is_enabled(severity) {
            return;
        }
        let message = message.into();
        let node = self.inner.name.as_str();
        if self.inner.stdout {
            match severity {
                Severity::Debug => tracing::debug!(target: "f1", node, "{message}"),
                Severity::Info => tracing::info!(target: "f1", node, "{message}"),
                Severity::Warn => tracing::warn!(target: "f1", node, "{message}"),
                Severity::Error | Severity::Fatal => {
                    tracing::error!(target: "f1", node, "{message}")
                }
            }
        }
        if let Some(rosout) = self.inner.rosout.get() {
            let stamp = WireTime::saturating_from_nanoseconds(self.inner.clock.now().nanoseconds());
            let line = Log {
                stamp,
                level: severity as u8,
                name: self.inner.name.clone(),
                msg: message,
                ..Log::default()
            };
            // An error here could only be logged.
            let _ = rosout.publish(line);
        }
    }

    /// Logs at most one line per `period` for this `key`.
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
    pub fn debug(&self, message: impl Into<String>) {
        self.log(Severity::Debug, message);
    }

    /// What happened.
    pub fn info(&self, message: impl Into<String>) {
        self.log(Severity::Info, message);
    }

    /// May become a problem.
    pub fn warn(&self, message: impl Into<String>) {
        self.log(Severity::Warn, message);
    }

    /// Something failed, the node goes on.
    pub fn error(&self, message: impl Into<String>) {
        self.log(Severity::Error, message);
    }

    /// The node cannot go on.
    pub fn fatal(&self, message: impl Into<String>) {
        self.log(Severity::Fatal, message);
    }
}
