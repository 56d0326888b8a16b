//! Logging of a node: to `tracing` and to `/rosout`, with the levels of `--log-level`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::rcl_interfaces::msg::Log;
use parking_lot::Mutex;

use crate::args::Severity;
use crate::clock::Clock;
use crate::publisher::Publisher;

/// What a program logs: `default`, and of RustDDS its errors alone. It warns of every peer that
/// comes and goes, on the loopback of multicast groups that it never joined, and of the sample
/// addressed to nobody with which our writers begin. r2r calls a publisher that leaves an error.
#[must_use]
pub fn filter(default: &str) -> String {
    format!(
        "{default},rustdds=error,rustdds::network::udp_listener=off,rustdds::rtps::writer=off,r2r=off"
    )
}

struct Inner {
    name: String,
    clock: Clock,
    lowest: AtomicU8,
    stdout: bool,
    rosout: Option<Publisher<Log>>,
    last: Mutex<BTreeMap<&'static str, Duration>>,
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
        lowest: Severity,
        stdout: bool,
        rosout: Option<Publisher<Log>>,
    ) -> Logger {
        Logger {
            inner: Arc::new(Inner {
                name,
                clock,
                lowest: AtomicU8::new(lowest as u8),
                stdout,
                rosout,
                last: Mutex::new(BTreeMap::new()),
            }),
        }
    }

    /// The logger's name: the node's absolute name with dots.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Changes the lowest severity that is let through.
    pub fn set_severity(&self, severity: Severity) {
        self.inner.lowest.store(severity as u8, Ordering::Relaxed);
    }

    /// Whether a line of this severity is let through; to skip costly formatting.
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
        if let Some(rosout) = &self.inner.rosout {
            let stamp = WireTime::saturating_from_nanoseconds(self.inner.clock.now().nanoseconds());
            let line = Log {
                stamp,
                level: severity as u8,
                name: self.inner.name.clone(),
                msg: message,
                ..Log::default()
            };
            // A log line that cannot be sent has nobody left to be told.
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
