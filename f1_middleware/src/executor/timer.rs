//! Timers: a period on one of two clocks, and a callback that an executor runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::{Clock, ClockKind};
use crate::time::nanoseconds;

use super::Lane;

pub(crate) type TimerCallback = Box<dyn FnMut() + Send>;

pub(crate) struct TimerCore {
    pub(crate) id: u64,
    clock: Clock,
    kind: ClockKind,
    /// Zero: once only.
    period: AtomicI64,
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
            period: AtomicI64::new(nanoseconds(period)),
            due: AtomicI64::new(due),
            cancelled: AtomicBool::new(false),
            callback: Mutex::new(callback),
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Nanoseconds until the timer is due on its clock (negative: overdue).
    pub(crate) fn remaining(&self) -> i64 {
        let reading = self.clock.reading(self.kind);
        let due = self.due.load(Ordering::SeqCst);
        let period = self.period.load(Ordering::SeqCst);
        // ROS time has stepped back: the next tick is one period after the new beginning, not where
        // it was.
        let (steps, beginning) = self.clock.steps_back();
        if self.steps_seen.swap(steps, Ordering::SeqCst) != steps
            && self.kind == ClockKind::Ros
            && self.clock.is_simulated()
        {
            let due = beginning.saturating_add(period);
            self.due.store(due, Ordering::SeqCst);
            return due.saturating_sub(reading);
        }
        due.saturating_sub(reading)
    }

    /// Whether the wait for this timer can be slept out (simulated time comes when it comes).
    pub(crate) fn is_slept(&self) -> bool {
        self.kind == ClockKind::Steady || !self.clock.is_simulated()
    }

    /// Runs the callback once and sets the next due time on the timer's grid; ticks that were
    /// missed are skipped.
    pub(crate) fn fire(&self) {
        let period = self.period.load(Ordering::SeqCst);
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

/// Handle of a timer; dropping it cancels the timer.
#[must_use = "dropping a timer cancels it"]
pub struct Timer {
    pub(crate) core: Arc<TimerCore>,
    pub(crate) lane: Arc<Lane>,
}

impl Timer {
    /// Stops the timer for good; a callback that is running ends normally.
    pub fn cancel(&self) {
        self.core.cancelled.store(true, Ordering::SeqCst);
        self.lane.wake();
    }

    /// Starts the period anew from now.
    pub fn reset(&self) {
        let period = self.core.period.load(Ordering::SeqCst);
        self.core.due.store(
            self.core.clock.reading(self.core.kind).saturating_add(period),
            Ordering::SeqCst,
        );
        self.lane.wake();
    }

    /// Changes the period, counted from now.
    pub fn set_period(&self, period: Duration) {
        self.core.period.store(nanoseconds(period).max(1), Ordering::SeqCst);
        self.reset();
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}
