//! What a timer is: a period on one of two clocks, and a callback.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::{Clock, ClockKind};
use crate::time::nanoseconds;

pub(crate) type TimerCallback = Box<dyn FnMut() + Send>;

pub(crate) struct TimerCore {
    pub(crate) id: u64,
    clock: Clock,
    kind: ClockKind,
    /// In nanoseconds; zero is once only.
    period: i64,
    due: AtomicI64,
    cancelled: AtomicBool,
    steps_seen: AtomicU64,
    callback: Mutex<TimerCallback>,
}

impl TimerCore {
    pub(crate) fn new(
        id: u64,
        clock: Clock,
        kind: ClockKind,
        first: Duration,
        period: Duration,
        callback: TimerCallback,
    ) -> TimerCore {
        let due = clock.reading(kind).saturating_add(nanoseconds(first));
        let steps_seen = AtomicU64::new(clock.steps_back().0);
        TimerCore {
            id,
            clock,
            steps_seen,
            kind,
            period: nanoseconds(period),
            due: AtomicI64::new(due),
            cancelled: AtomicBool::new(false),
            callback: Mutex::new(callback),
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// Frees what the callback owns, unless it is running: then it ends with the timer.
    pub(crate) fn drop_callback(&self) {
        if let Some(mut callback) = self.callback.try_lock() {
            let dropped = std::mem::replace(&mut *callback, Box::new(|| {}));
            drop(callback);
            drop(dropped);
        }
    }

    /// Starts the period again from now.
    pub(crate) fn restart(&self) {
        let due = self.clock.reading(self.kind).saturating_add(self.period);
        self.due.store(due, Ordering::SeqCst);
    }

    /// Nanoseconds until the timer is due on its clock (negative: overdue).
    pub(crate) fn remaining(&self) -> i64 {
        let reading = self.clock.reading(self.kind);
        let due = self.due.load(Ordering::SeqCst);
        let period = self.period;
        // ROS time has stepped back: the next tick is one period after the time it stepped to.
        let (steps, stepped_to) = self.clock.steps_back();
        if self.steps_seen.swap(steps, Ordering::SeqCst) != steps
            && self.kind == ClockKind::Ros
            && self.clock.is_simulated()
        {
            let due = stepped_to.saturating_add(period);
            self.due.store(due, Ordering::SeqCst);
            return due.saturating_sub(reading);
        }
        due.saturating_sub(reading)
    }

    /// Whether the time until this timer is due passes by itself; simulated time moves only with
    /// messages of `/clock`.
    pub(crate) fn runs_by_itself(&self) -> bool {
        self.kind == ClockKind::Steady || !self.clock.is_simulated()
    }

    /// Runs the callback once. The next due time is a whole number of periods after this one; ticks
    /// that were missed are skipped.
    pub(crate) fn fire(&self) {
        let period = self.period;
        if period <= 0 {
            self.cancelled.store(true, Ordering::SeqCst);
        } else {
            let reading = self.clock.reading(self.kind);
            let due = self.due.load(Ordering::SeqCst);
            let missed = (reading - due).max(0) / period;
            self.due
                .store(due.saturating_add((missed + 1).saturating_mul(period)), Ordering::SeqCst);
        }
        (self.callback.lock())();
    }
}
