//! Running callbacks: in real time, or deterministically on a virtual clock.
//!
//! A lane is a queue of things that have something to run, and the timers. Callbacks of one lane
//! never run at the same time. Every source stands in the queue at most once and keeps its own
//! bounded store, so a lane never grows with the rate of messages. On a virtual clock there is one
//! lane: ready callbacks run first in, first out, then time moves to the next timer; timers due at
//! the same instant run in the order of their making.

mod timer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

pub use timer::Timer;
pub(crate) use timer::{TimerCallback, TimerCore};

use crate::clock::{Clock, ClockKind, TimeBase};
use crate::time::Time;

/// Something that waits in a lane to be run.
pub(crate) trait Runnable: Send + Sync {
    /// Runs one unit of work.
    fn run(self: Arc<Self>);
}

struct Posted(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Runnable for Posted {
    fn run(self: Arc<Self>) {
        if let Some(work) = self.0.lock().take() {
            work();
        }
    }
}

#[derive(Default)]
struct LaneState {
    ready: VecDeque<Arc<dyn Runnable>>,
    timers: Vec<Arc<TimerCore>>,
    woken: bool,
}

/// A queue of callbacks that run one after another.
pub(crate) struct Lane {
    state: Mutex<LaneState>,
    changed: Condvar,
    stopped: AtomicBool,
    next_timer: AtomicU64,
}

impl Lane {
    pub(crate) fn new() -> Arc<Lane> {
        Arc::new(Lane {
            state: Mutex::new(LaneState::default()),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
            next_timer: AtomicU64::new(0),
        })
    }

    pub(crate) fn enqueue(&self, source: Arc<dyn Runnable>) {
        self.state.lock().ready.push_back(source);
        self.changed.notify_one();
    }

    pub(crate) fn post(&self, work: Box<dyn FnOnce() + Send>) {
        self.enqueue(Arc::new(Posted(Mutex::new(Some(work)))));
    }

    pub(crate) fn wake(&self) {
        self.state.lock().woken = true;
        self.changed.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn add_timer(
        self: &Arc<Lane>,
        clock: &Clock,
        kind: ClockKind,
        first: Duration,
        period: Duration,
        callback: TimerCallback,
    ) -> Timer {
        let core = self.insert_timer(clock, kind, first, period, callback);
        Timer { core, lane: self.clone() }
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
        self.state.lock().timers.push(core.clone());
        self.wake();
        core
    }

    /// Runs one ready callback; false when none waits.
    fn run_ready(&self) -> bool {
        let next = self.state.lock().ready.pop_front();
        match next {
            Some(source) => {
                source.run();
                true
            }
            None => false,
        }
    }

    /// The timer that is due next with the time until then; cancelled timers are forgotten here.
    fn next_timer(&self) -> Option<(i64, Arc<TimerCore>)> {
        let mut state = self.state.lock();
        state.timers.retain(|timer| !timer.is_cancelled());
        state
            .timers
            .iter()
            .map(|timer| (timer.remaining(), timer))
            .min_by_key(|(remaining, timer)| (*remaining, timer.id))
            .map(|(remaining, timer)| (remaining, timer.clone()))
    }

    fn has_ready(&self) -> bool {
        !self.state.lock().ready.is_empty()
    }

    /// One turn in real time: a due timer, or a ready callback, or a wait of at most `limit`.
    fn turn(&self, limit: Duration) -> bool {
        let timer = self.next_timer();
        if let Some((remaining, timer)) = &timer
            && *remaining <= 0
        {
            timer.fire();
            // Messages do not starve behind a timer that is always due.
            self.run_ready();
            return true;
        }
        if self.run_ready() {
            return true;
        }
        let mut wait = limit;
        if let Some(remaining) = self.next_slept() {
            wait = wait.min(Duration::from_nanos(remaining.max(0) as u64));
        }
        let mut state = self.state.lock();
        if state.ready.is_empty() && !state.woken && !wait.is_zero() && !self.is_stopped() {
            self.changed.wait_for(&mut state, wait);
        }
        state.woken = false;
        false
    }

    fn next_slept(&self) -> Option<i64> {
        self.state
            .lock()
            .timers
            .iter()
            .filter(|timer| timer.is_slept())
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

/// Drives the callbacks of a context.
#[derive(Clone)]
pub struct Executor {
    pub(crate) lane: Arc<Lane>,
    pub(crate) base: Arc<TimeBase>,
}

impl Executor {
    pub(crate) fn new(lane: Arc<Lane>, base: Arc<TimeBase>) -> Executor {
        let weak = Arc::downgrade(&lane);
        base.on_tick(Arc::new(move || {
            if let Some(lane) = weak.upgrade() {
                lane.wake();
            }
        }));
        Executor { lane, base }
    }

    /// Runs callbacks until the context shuts down. On a virtual clock time runs as fast as the
    /// callbacks allow; it returns early when neither a timer nor a message is left.
    pub fn spin(&self) {
        if self.base.is_virtual() {
            while !self.lane.is_stopped() && self.step_virtual(i64::MAX) {}
        } else {
            self.lane.spin();
        }
    }

    /// Runs what is ready now, and waits at most `timeout` for something to become ready. Returns
    /// whether anything ran. On a virtual clock it runs everything that is ready at this
    /// instant and time stands still.
    pub fn spin_once(&self, timeout: Duration) -> bool {
        if self.base.is_virtual() {
            let mut ran = false;
            while self.lane.run_ready() {
                ran = true;
            }
            return ran;
        }
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.lane.turn(left) {
                return true;
            }
            if left.is_zero() || self.lane.is_stopped() {
                return false;
            }
        }
    }

    /// Runs callbacks for `duration` of the context's time.
    pub fn spin_for(&self, duration: Duration) {
        if self.base.is_virtual() {
            let now = Clock::new(self.base.clone()).now();
            self.spin_until(now + duration);
        } else {
            let until = Instant::now() + duration;
            while !self.lane.is_stopped() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                self.lane.turn(left);
            }
        }
    }

    /// Runs callbacks until ROS time `time`; afterwards a virtual clock shows exactly `time`.
    pub fn spin_until(&self, time: Time) {
        if self.base.is_virtual() {
            while !self.lane.is_stopped() && self.step_virtual(time.nanoseconds()) {}
            self.base.advance_to(time);
        } else {
            let clock = Clock::new(self.base.clone());
            while !self.lane.is_stopped() && clock.now() < time {
                self.lane.turn(time.since(clock.now()).min(Duration::from_millis(100)));
            }
        }
    }

    /// Runs what comes before ROS time `time` and moves a virtual clock there; what is due at
    /// `time` itself has not run yet. Whoever plays a recording puts a message of that instant
    /// before the timers of that instant so. In real time it is [`Executor::spin_until`].
    pub fn spin_before(&self, time: Time) {
        if self.base.is_virtual() {
            let limit = time.nanoseconds().saturating_sub(1);
            while !self.lane.is_stopped() && self.step_virtual(limit) {}
            self.base.advance_to(time);
        } else {
            self.spin_until(time);
        }
    }

    /// Runs callbacks until `done` says so or `timeout` of the context's time has passed; returns
    /// what `done` said last.
    pub fn spin_while(&self, timeout: Duration, mut go_on: impl FnMut() -> bool) -> bool {
        let clock = Clock::new(self.base.clone());
        let until = clock.steady() + timeout;
        while go_on() {
            if self.lane.is_stopped() || clock.steady() >= until {
                return false;
            }
            if self.base.is_virtual() {
                if !self.step_virtual(i64::try_from(until.as_nanos()).unwrap_or(i64::MAX)) {
                    self.base.advance_to(Time::from_nanoseconds(
                        i64::try_from(until.as_nanos()).unwrap_or(i64::MAX),
                    ));
                }
            } else {
                self.lane.turn((until - clock.steady()).min(Duration::from_millis(20)));
            }
        }
        true
    }

    /// One virtual step: everything ready, or the next timer not after `limit`. False when nothing
    /// is left to do.
    fn step_virtual(&self, limit: i64) -> bool {
        if self.lane.has_ready() {
            return self.lane.run_ready();
        }
        let now = Clock::new(self.base.clone()).now();
        match self.lane.next_timer() {
            Some((remaining, timer))
                if now.nanoseconds().saturating_add(remaining.max(0)) <= limit =>
            {
                self.base.advance_to(now + Duration::from_nanos(remaining.max(0) as u64));
                timer.fire();
                true
            }
            _ => false,
        }
    }

    /// Runs `work` on this executor, after what is already waiting.
    pub fn post(&self, work: impl FnOnce() + Send + 'static) {
        self.lane.post(Box::new(work));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn virtual_executor() -> (Executor, Clock) {
        let base = TimeBase::virtual_from(Time::ZERO);
        (Executor::new(Lane::new(), base.clone()), Clock::new(base))
    }

    #[test]
    fn timers_fire_in_order_of_time_then_of_making() {
        let (executor, clock) = virtual_executor();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let timers: Vec<Timer> = [(3, 'a'), (2, 'b'), (6, 'c')]
            .into_iter()
            .map(|(period, name)| {
                let (seen, clock) = (seen.clone(), clock.clone());
                let period = Duration::from_secs(period);
                executor.lane.add_timer(
                    &clock.clone(),
                    ClockKind::Steady,
                    period,
                    period,
                    Box::new(move || seen.lock().push((clock.steady().as_secs(), name))),
                )
            })
            .collect();
        executor.spin_until(Time::from_seconds(6.0));
        assert_eq!(*seen.lock(), [(2, 'b'), (3, 'a'), (4, 'b'), (6, 'a'), (6, 'b'), (6, 'c')]);
        assert_eq!(clock.now(), Time::from_seconds(6.0));
        drop(timers);
        assert!(!executor.step_virtual(i64::MAX), "dropped timers are cancelled");
    }

    #[test]
    fn what_is_due_at_an_instant_runs_after_what_is_put_there() {
        let (executor, clock) = virtual_executor();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (into, timer_clock) = (seen.clone(), clock.clone());
        let period = Duration::from_secs(1);
        let _timer = executor.lane.add_timer(
            &clock,
            ClockKind::Steady,
            period,
            period,
            Box::new(move || into.lock().push(("timer", timer_clock.steady().as_secs()))),
        );
        executor.spin_before(Time::from_seconds(2.0));
        assert_eq!(clock.now(), Time::from_seconds(2.0));
        let (into, posted_clock) = (seen.clone(), clock.clone());
        executor.post(move || into.lock().push(("message", posted_clock.steady().as_secs())));
        // The same instant again: only what is ready runs.
        executor.spin_before(Time::from_seconds(2.0));
        executor.spin_until(Time::from_seconds(2.0));
        assert_eq!(*seen.lock(), [("timer", 1), ("message", 2), ("timer", 2)]);
    }

    #[test]
    fn a_late_real_timer_skips_what_it_missed() {
        let base = TimeBase::real();
        let executor = Executor::new(Lane::new(), base.clone());
        let count = Arc::new(AtomicU64::new(0));
        let counter = count.clone();
        let _timer = executor.lane.add_timer(
            &Clock::new(base),
            ClockKind::Steady,
            Duration::from_millis(1),
            Duration::from_millis(1),
            Box::new(move || {
                counter.fetch_add(1, Ordering::SeqCst);
            }),
        );
        std::thread::sleep(Duration::from_millis(50));
        executor.spin_for(Duration::from_millis(10));
        let fired = count.load(Ordering::SeqCst);
        assert!((1..=15).contains(&fired), "{fired} ticks in 10 ms");
    }

    #[test]
    fn posted_work_wakes_a_waiting_executor() {
        let executor = Executor::new(Lane::new(), TimeBase::real());
        let other = executor.clone();
        let worker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            let lane = other.lane.clone();
            other.post(move || lane.stop());
        });
        let start = Instant::now();
        executor.spin();
        assert!(
            start.elapsed() < Duration::from_millis(90),
            "the executor slept on: {:?}",
            start.elapsed()
        );
        worker.join().unwrap();
    }
}
