//! Clocks: ROS time (system, simulated by `/clock`, or virtual) and steady time.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::time::{Time, nanoseconds};

/// Which clock a timer runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockKind {
    /// Never jumps, not touched by `use_sim_time`: watchdogs and control cycles.
    Steady,
    /// ROS time: the system clock, or `/clock` while `use_sim_time` is true.
    Ros,
}

type JumpCallback = dyn Fn(Jump) + Send + Sync;
type Waker = Arc<dyn Fn() + Send + Sync>;

/// A step of simulated time into the past (a simulation or a recording that started again).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The time before.
    pub before: Time,
    /// The time after, earlier than `before`.
    pub after: Time,
}

/// Ends its callback when it is dropped; made by [`crate::Node::on_jump_back`].
#[must_use = "dropping a listener ends its callback"]
pub struct JumpListener {
    _callback: Arc<JumpCallback>,
}

enum Base {
    /// Time that only the executor moves; ROS and steady time are the same.
    Virtual(AtomicI64),
    Real {
        start: Instant,
    },
}

/// The time that all clocks of one context share.
pub(crate) struct TimeBase {
    base: Base,
    simulated: AtomicI64,
    /// How often simulated time has stepped back, and the time it stepped to last.
    steps_back: AtomicU64,
    stepped_to: AtomicI64,
    /// Weak: a callback ends with its listener.
    jumps: Mutex<Vec<Weak<JumpCallback>>>,
    wakers: Mutex<Vec<Waker>>,
}

impl TimeBase {
    pub(crate) fn real() -> Arc<TimeBase> {
        TimeBase::new(Base::Real { start: Instant::now() })
    }

    pub(crate) fn virtual_from(start: Time) -> Arc<TimeBase> {
        TimeBase::new(Base::Virtual(AtomicI64::new(start.nanoseconds())))
    }

    fn new(base: Base) -> Arc<TimeBase> {
        Arc::new(TimeBase {
            base,
            simulated: AtomicI64::new(0),
            steps_back: AtomicU64::new(0),
            stepped_to: AtomicI64::new(0),
            jumps: Mutex::new(Vec::new()),
            wakers: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.base, Base::Virtual(_))
    }

    /// Moves virtual time forward; without effect on a real clock.
    pub(crate) fn advance_to(&self, time: Time) {
        if let Base::Virtual(now) = &self.base {
            now.fetch_max(time.nanoseconds(), Ordering::SeqCst);
        }
    }

    pub(crate) fn steady(&self) -> Duration {
        match &self.base {
            Base::Virtual(now) => Duration::from_nanos(now.load(Ordering::SeqCst).max(0) as u64),
            Base::Real { start } => start.elapsed(),
        }
    }

    fn system(&self) -> Time {
        match &self.base {
            Base::Virtual(now) => Time::from_nanoseconds(now.load(Ordering::SeqCst)),
            Base::Real { .. } => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => Time::from_nanoseconds(nanoseconds(since)),
                Err(_) => Time::ZERO,
            },
        }
    }

    /// Calls back whenever simulated time moves, so that executors check their timers again.
    pub(crate) fn on_tick(&self, waker: Waker) {
        self.wakers.lock().push(waker);
    }

    /// Takes one message of `/clock`.
    pub(crate) fn set_simulated(&self, time: Time) {
        let before =
            Time::from_nanoseconds(self.simulated.swap(time.nanoseconds(), Ordering::SeqCst));
        if time < before {
            self.stepped_to.store(time.nanoseconds(), Ordering::SeqCst);
            self.steps_back.fetch_add(1, Ordering::SeqCst);
            let callbacks: Vec<_> = self.jumps.lock().iter().filter_map(Weak::upgrade).collect();
            for callback in callbacks {
                callback(Jump { before, after: time });
            }
        }
        let wakers = self.wakers.lock().clone();
        for wake in wakers {
            wake();
        }
    }
}

/// A node's clock.
#[derive(Clone)]
pub struct Clock {
    base: Arc<TimeBase>,
    use_simulated: Arc<AtomicBool>,
}

impl Clock {
    pub(crate) fn new(base: Arc<TimeBase>) -> Clock {
        Clock { base, use_simulated: Arc::new(AtomicBool::new(false)) }
    }

    /// ROS time: virtual where the context runs on a virtual clock; else `/clock` while the node's
    /// `use_sim_time` is true (zero until the first message, as in rclcpp); else the system
    /// clock.
    pub fn now(&self) -> Time {
        if self.is_simulated() {
            Time::from_nanoseconds(self.base.simulated.load(Ordering::SeqCst))
        } else {
            self.base.system()
        }
    }

    /// Time on the steady clock since the context was made; never jumps.
    pub fn steady(&self) -> Duration {
        self.base.steady()
    }

    /// Whether ROS time follows `/clock`.
    pub fn is_simulated(&self) -> bool {
        !self.base.is_virtual() && self.use_simulated.load(Ordering::SeqCst)
    }

    /// Whether only the executor moves this clock.
    pub fn is_virtual(&self) -> bool {
        self.base.is_virtual()
    }

    pub(crate) fn use_simulated(&self, simulated: bool) {
        self.use_simulated.store(simulated, Ordering::SeqCst);
    }

    /// Calls back when simulated time steps back, until the listener is dropped. The callback runs
    /// on the thread that receives `/clock`.
    pub(crate) fn on_jump_back(
        &self,
        callback: impl Fn(Jump) + Send + Sync + 'static,
    ) -> JumpListener {
        let callback: Arc<JumpCallback> = Arc::new(callback);
        let mut jumps = self.base.jumps.lock();
        jumps.retain(|known| known.strong_count() > 0);
        jumps.push(Arc::downgrade(&callback));
        JumpListener { _callback: callback }
    }

    /// How often simulated time has stepped back, and the time it stepped to last, in nanoseconds.
    pub(crate) fn steps_back(&self) -> (u64, i64) {
        (self.base.steps_back.load(Ordering::SeqCst), self.base.stepped_to.load(Ordering::SeqCst))
    }

    /// The reading of one of the two clocks, in nanoseconds, for timers.
    pub(crate) fn reading(&self, kind: ClockKind) -> i64 {
        match kind {
            ClockKind::Steady => nanoseconds(self.steady()),
            ClockKind::Ros => self.now().nanoseconds(),
        }
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_time_is_used_only_by_clocks_that_ask_for_it() {
        let base = TimeBase::real();
        let (with, without) = (Clock::new(base.clone()), Clock::new(base.clone()));
        with.use_simulated(true);
        base.set_simulated(Time::from_seconds(5.0));
        assert_eq!(with.now(), Time::from_seconds(5.0));
        assert!(without.now() > Time::from_seconds(1e9));
    }

    #[test]
    fn a_step_back_is_reported_once_and_a_step_forward_is_not() {
        let base = TimeBase::real();
        let clock = Clock::new(base.clone());
        let jumps = Arc::new(Mutex::new(Vec::new()));
        let seen = jumps.clone();
        let listener = clock.on_jump_back(move |jump| seen.lock().push(jump));
        for seconds in [1.0, 2.0, 0.5, 0.6] {
            base.set_simulated(Time::from_seconds(seconds));
        }
        assert_eq!(
            *jumps.lock(),
            [Jump { before: Time::from_seconds(2.0), after: Time::from_seconds(0.5) }]
        );
        drop(listener);
        base.set_simulated(Time::ZERO);
        assert_eq!(jumps.lock().len(), 1, "a dropped listener gets no more");
    }

    #[test]
    fn virtual_time_moves_forward_only() {
        let base = TimeBase::virtual_from(Time::from_seconds(1.0));
        let clock = Clock::new(base.clone());
        base.advance_to(Time::from_seconds(3.0));
        base.advance_to(Time::from_seconds(2.0));
        assert_eq!(clock.now(), Time::from_seconds(3.0));
        assert_eq!(clock.steady(), Duration::from_secs(3));
    }
}
