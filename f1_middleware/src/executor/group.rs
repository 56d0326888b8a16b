//! A callback group: callbacks that never run at the same time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::timer::{TimerCallback, TimerCore};
use crate::clock::{Clock, ClockKind, TimeBase};

/// Something with callbacks to run, as a subscription.
pub(crate) trait Source: Send + Sync {
    /// Runs one callback.
    fn run(self: Arc<Self>);
}

/// What waits in the queue of a group.
enum Ready {
    /// Weak: a source that its owner has dropped runs no more, and keeps nothing alive.
    Source(Weak<dyn Source>),
    Work(Box<dyn FnOnce() + Send>),
}

#[derive(Default)]
struct GroupState {
    ready: VecDeque<Ready>,
    timers: Vec<Arc<TimerCore>>,
    woken: bool,
}

/// A queue of sources whose callbacks run one after another, and timers.
///
/// Every source stands in the queue at most once and keeps its own bounded store, so a group does
/// not grow with the rate of messages.
pub(crate) struct CallbackGroup {
    state: Mutex<GroupState>,
    changed: Condvar,
    stopped: AtomicBool,
    next_timer: AtomicU64,
}

impl CallbackGroup {
    /// Makes a group that looks at its timers again whenever simulated time moves.
    pub(crate) fn new(base: &TimeBase) -> Arc<CallbackGroup> {
        let group = Arc::new(CallbackGroup {
            state: Mutex::new(GroupState::default()),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
            next_timer: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&group);
        base.on_tick(Arc::new(move || {
            if let Some(group) = weak.upgrade() {
                group.wake();
            }
        }));
        group
    }

    pub(crate) fn enqueue(&self, source: Weak<dyn Source>) {
        self.push(Ready::Source(source));
    }

    pub(crate) fn post(&self, work: Box<dyn FnOnce() + Send>) {
        self.push(Ready::Work(work));
    }

    /// A group that has stopped runs nothing more, and so keeps nothing.
    fn push(&self, ready: Ready) {
        let mut state = self.state.lock();
        if self.is_stopped() {
            return;
        }
        state.ready.push_back(ready);
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn wake(&self) {
        self.state.lock().woken = true;
        self.changed.notify_one();
    }

    /// Ends the group. What still waits is dropped, because it may own nodes, which own the
    /// context, which owns this group.
    pub(crate) fn stop(&self) {
        let dropped = {
            let mut state = self.state.lock();
            self.stopped.store(true, Ordering::SeqCst);
            state.woken = true;
            (std::mem::take(&mut state.ready), std::mem::take(&mut state.timers))
        };
        self.changed.notify_one();
        for timer in &dropped.1 {
            timer.cancel();
            timer.drop_callback();
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn add_timer(
        self: &Arc<CallbackGroup>,
        clock: &Clock,
        kind: ClockKind,
        first: Duration,
        period: Duration,
        callback: TimerCallback,
    ) -> Timer {
        let core = self.insert_timer(clock, kind, first, period, callback);
        Timer { core, group: self.clone() }
    }

    /// Runs `work` once, after `delay` on the steady clock; it cannot be cancelled.
    pub(crate) fn once(&self, clock: &Clock, delay: Duration, work: TimerCallback) {
        self.insert_timer(clock, ClockKind::Steady, delay, Duration::ZERO, work);
    }

    fn insert_timer(
        &self,
        clock: &Clock,
        kind: ClockKind,
        first: Duration,
        period: Duration,
        callback: TimerCallback,
    ) -> Arc<TimerCore> {
        let id = self.next_timer.fetch_add(1, Ordering::SeqCst);
        let core = Arc::new(TimerCore::new(id, clock.clone(), kind, first, period, callback));
        let mut state = self.state.lock();
        if !self.is_stopped() {
            state.timers.push(core.clone());
        }
        drop(state);
        self.wake();
        core
    }

    /// Runs one ready callback; false if none is waiting.
    pub(super) fn run_ready(&self) -> bool {
        let next = self.state.lock().ready.pop_front();
        match next {
            Some(Ready::Source(source)) => {
                if let Some(source) = source.upgrade() {
                    source.run();
                }
            }
            Some(Ready::Work(work)) => work(),
            None => return false,
        }
        true
    }

    /// The timer that is due next with the time until then.
    pub(super) fn next_timer(&self) -> Option<(i64, Arc<TimerCore>)> {
        // One-shot timers that have fired are removed here, and dropped outside the lock: a
        // callback may own other timers.
        let mut state = self.state.lock();
        let removed: Vec<_> = state.timers.extract_if(.., |timer| timer.is_cancelled()).collect();
        let next = state
            .timers
            .iter()
            .map(|timer| (timer.remaining(), timer))
            .min_by_key(|(remaining, timer)| (*remaining, timer.id))
            .map(|(remaining, timer)| (remaining, timer.clone()));
        drop(state);
        drop(removed);
        next
    }

    /// Drops a cancelled timer at once: its callback may own nodes.
    fn remove_timer(&self, id: u64) {
        let mut state = self.state.lock();
        let removed: Vec<_> = state.timers.extract_if(.., |timer| timer.id == id).collect();
        drop(state);
        drop(removed);
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.state.lock().ready.is_empty()
    }

    /// One turn in real time: a due timer, or a ready callback, or a wait of at most `limit`.
    pub(super) fn turn(&self, limit: Duration) -> bool {
        let timer = self.next_timer();
        if let Some((remaining, timer)) = &timer
            && *remaining <= 0
        {
            timer.fire();
            // A timer that is always due must not keep messages from being handled.
            self.run_ready();
            return true;
        }
        if self.run_ready() {
            return true;
        }
        let mut wait = limit;
        if let Some(remaining) = self.time_until_timer() {
            wait = wait.min(Duration::from_nanos(remaining.max(0) as u64));
        }
        let mut state = self.state.lock();
        if state.ready.is_empty() && !state.woken && !wait.is_zero() && !self.is_stopped() {
            self.changed.wait_for(&mut state, wait);
        }
        state.woken = false;
        false
    }

    /// Nanoseconds until the next timer whose clock runs by itself.
    fn time_until_timer(&self) -> Option<i64> {
        self.state
            .lock()
            .timers
            .iter()
            .filter(|timer| timer.runs_by_itself())
            .map(|timer| timer.remaining())
            .min()
    }

    /// Runs until stopped.
    pub(crate) fn spin(&self) {
        while !self.is_stopped() {
            self.turn(Duration::from_millis(100));
        }
    }
}

/// Handle of a timer; dropping it cancels the timer.
#[must_use = "dropping a timer cancels it"]
pub struct Timer {
    core: Arc<TimerCore>,
    group: Arc<CallbackGroup>,
}

impl Timer {
    /// Stops the timer; it cannot be started again. A callback that is running ends normally.
    pub fn cancel(&self) {
        self.core.cancel();
        self.group.remove_timer(self.core.id);
        self.group.wake();
    }

    /// Starts the period again from now.
    pub fn reset(&self) {
        self.core.restart();
        self.group.wake();
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}
