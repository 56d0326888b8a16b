//! Running callbacks: in real time, or deterministically on a virtual clock.
//!
//! An executor runs one callback group. On a virtual clock a context has a single group: ready
//! callbacks run first in, first out, then time moves to the next timer; timers that are due at the
//! same instant run in the order of their creation.

mod group;
mod timer;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use group::Timer;
pub(crate) use group::{CallbackGroup, Source};

use crate::clock::{Clock, TimeBase};
use crate::time::Time;

/// Drives the callbacks of a context.
#[derive(Clone)]
pub struct Executor {
    pub(crate) group: Arc<CallbackGroup>,
    pub(crate) base: Arc<TimeBase>,
}

impl Executor {
    /// Runs callbacks until the context shuts down. On a virtual clock time runs as fast as the
    /// callbacks allow; it returns early when neither a timer nor a message is left.
    pub fn spin(&self) {
        if self.base.is_virtual() {
            while !self.group.is_stopped() && self.step_virtual(i64::MAX) {}
        } else {
            self.group.spin();
        }
    }

    /// Runs what is ready now, and waits at most `timeout` for something to become ready. Returns
    /// whether anything ran. On a virtual clock it runs everything that is ready at this
    /// instant and time stands still.
    pub fn spin_once(&self, timeout: Duration) -> bool {
        if self.base.is_virtual() {
            let mut ran = false;
            while self.group.run_ready() {
                ran = true;
            }
            return ran;
        }
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.group.turn(left) {
                return true;
            }
            if left.is_zero() || self.group.is_stopped() {
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
            while !self.group.is_stopped() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                self.group.turn(left);
            }
        }
    }

    /// Runs callbacks until ROS time `time`; afterwards a virtual clock shows exactly `time`.
    pub fn spin_until(&self, time: Time) {
        if self.base.is_virtual() {
            while !self.group.is_stopped() && self.step_virtual(time.nanoseconds()) {}
            self.base.advance_to(time);
        } else {
            let clock = Clock::new(self.base.clone());
            while !self.group.is_stopped() && clock.now() < time {
                self.group.turn(time.since(clock.now()).min(Duration::from_millis(100)));
            }
        }
    }

    /// Runs what is due before ROS time `time` and moves a virtual clock there; what is due at
    /// `time` itself has not run yet. A recording is played so: a message of that instant is
    /// published before the timers of that instant run. In real time this is
    /// [`Executor::spin_until`].
    pub fn spin_before(&self, time: Time) {
        if self.base.is_virtual() {
            let limit = time.nanoseconds().saturating_sub(1);
            while !self.group.is_stopped() && self.step_virtual(limit) {}
            self.base.advance_to(time);
        } else {
            self.spin_until(time);
        }
    }

    /// Runs callbacks while `go_on` returns true, at most for `timeout` of the context's time.
    /// Returns true when `go_on` ended it, false when the time was over or the context shut down.
    pub fn spin_while(&self, timeout: Duration, mut go_on: impl FnMut() -> bool) -> bool {
        let clock = Clock::new(self.base.clone());
        let until = clock.steady() + timeout;
        while go_on() {
            if self.group.is_stopped() || clock.steady() >= until {
                return false;
            }
            if self.base.is_virtual() {
                if !self.step_virtual(i64::try_from(until.as_nanos()).unwrap_or(i64::MAX)) {
                    self.base.advance_to(Time::from_nanoseconds(
                        i64::try_from(until.as_nanos()).unwrap_or(i64::MAX),
                    ));
                }
            } else {
                self.group.turn((until - clock.steady()).min(Duration::from_millis(20)));
            }
        }
        true
    }

    /// One virtual step: everything ready, or the next timer not after `limit`. False when nothing
    /// is left to do.
    fn step_virtual(&self, limit: i64) -> bool {
        if self.group.has_ready() {
            return self.group.run_ready();
        }
        let now = Clock::new(self.base.clone()).now();
        match self.group.next_timer() {
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

    /// Runs `work` on this executor, after the callbacks that are ready already.
    pub fn post(&self, work: impl FnOnce() + Send + 'static) {
        self.group.post(Box::new(work));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use parking_lot::Mutex;

    use super::*;
    use crate::clock::ClockKind;

    fn executor(base: Arc<TimeBase>) -> Executor {
        Executor { group: CallbackGroup::new(&base), base }
    }

    fn virtual_executor() -> (Executor, Clock) {
        let base = TimeBase::virtual_from(Time::ZERO);
        (executor(base.clone()), Clock::new(base))
    }

    #[test]
    fn timers_fire_in_order_of_time_then_of_creation() {
        let (executor, clock) = virtual_executor();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let timers: Vec<Timer> = [(3, 'a'), (2, 'b'), (6, 'c')]
            .into_iter()
            .map(|(period, name)| {
                let (seen, clock) = (seen.clone(), clock.clone());
                let period = Duration::from_secs(period);
                executor.group.add_timer(
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
    fn a_message_of_an_instant_runs_before_the_timers_of_that_instant() {
        let (executor, clock) = virtual_executor();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (into, timer_clock) = (seen.clone(), clock.clone());
        let period = Duration::from_secs(1);
        let _timer = executor.group.add_timer(
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
    fn a_late_timer_fires_once_and_skips_the_ticks_that_it_missed() {
        let (executor, clock) = virtual_executor();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (into, timer_clock) = (seen.clone(), clock.clone());
        let period = Duration::from_millis(10);
        let _timer = executor.group.add_timer(
            &clock,
            ClockKind::Steady,
            period,
            period,
            Box::new(move || into.lock().push(timer_clock.steady().as_millis())),
        );
        // As if a callback had taken so long.
        executor.base.advance_to(Time::from_seconds(0.055));
        executor.spin_until(Time::from_seconds(0.075));
        assert_eq!(*seen.lock(), [55, 60, 70]);
    }

    #[test]
    fn posted_work_wakes_a_waiting_executor() {
        let executor = executor(TimeBase::real());
        let waiting = executor.clone();
        let (sender, woken) = channel();
        // Alone it would wait for an hour.
        let thread = std::thread::spawn(move || {
            while !waiting.group.is_stopped() {
                waiting.group.turn(Duration::from_secs(3600));
            }
            sender.send(()).unwrap();
        });
        std::thread::sleep(Duration::from_millis(20));
        let group = executor.group.clone();
        executor.post(move || group.stop());
        woken.recv_timeout(Duration::from_secs(60)).expect("the executor was not woken");
        thread.join().unwrap();
    }

    #[test]
    fn a_cancelled_timer_frees_its_callback_at_once() {
        let (executor, clock) = virtual_executor();
        let owned = Arc::new(());
        let held = owned.clone();
        let period = Duration::from_secs(1);
        let callback = Box::new(move || drop(Arc::clone(&held)));
        let timer = executor.group.add_timer(&clock, ClockKind::Steady, period, period, callback);
        drop(timer);
        assert_eq!(Arc::strong_count(&owned), 1);
    }

    #[test]
    fn a_stopped_group_frees_what_still_waits() {
        let (executor, clock) = virtual_executor();
        let owned = Arc::new(());
        let (in_work, in_timer, too_late) = (owned.clone(), owned.clone(), owned.clone());
        executor.post(move || drop(in_work));
        let period = Duration::from_secs(1);
        let callback = Box::new(move || drop(Arc::clone(&in_timer)));
        let timer = executor.group.add_timer(&clock, ClockKind::Steady, period, period, callback);
        executor.group.stop();
        executor.post(move || drop(too_late));
        assert_eq!(Arc::strong_count(&owned), 1);
        drop(timer);
    }
}
