//! Locks: sources that can stop the robot and have to repeat that they do not. A lock that is
//! silent for longer than the timeout counts as engaged (twist_mux's rule).
//!
//! Times are on whatever clock the caller passes in. The node passes the steady clock, so that
//! neither a simulation that stands still nor a clock that is set keeps a silent lock released.

use std::fmt;
use std::time::Duration;

use super::{Event, Response, Rule};

/// The locks and what each said last.
#[derive(Debug, Clone)]
pub struct Locks {
    locks: Vec<Lock>,
    timeout: Duration,
}

#[derive(Debug, Clone)]
struct Lock {
    name: String,
    /// When its last message was received, and whether it said "stop".
    last: Option<(Duration, bool)>,
}

/// A lock that stops the robot, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngagedLock {
    /// The lock's name.
    pub name: String,
    /// Why it counts as engaged.
    pub reason: LockReason,
}

/// Why a lock counts as engaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockReason {
    /// No message was ever received.
    NeverReceived,
    /// Its last message said so.
    Engaged,
    /// Its last message is older than the timeout.
    Silent {
        /// The message's age.
        age: Duration,
        /// The timeout.
        timeout: Duration,
    },
}

impl EngagedLock {
    /// The event, with the lock's name and, for a silent lock, its age and the timeout.
    pub fn event(&self) -> Event {
        let event = Event::new(Rule::Lock, Response::Stopped).joint(&self.name);
        match self.reason {
            LockReason::Silent { age, timeout } => {
                event.numbers(age.as_secs_f64(), timeout.as_secs_f64())
            }
            LockReason::NeverReceived | LockReason::Engaged => event,
        }
    }
}

impl fmt::Display for EngagedLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.reason {
            LockReason::NeverReceived => write!(f, "lock {name} has never sent a message"),
            LockReason::Engaged => write!(f, "lock {name} is engaged"),
            LockReason::Silent { age, .. } => {
                write!(f, "lock {name} is silent for {:.2} s", age.as_secs_f64())
            }
        }
    }
}

impl Locks {
    /// Locks without a message yet, so all engaged.
    pub fn new(names: &[String], timeout: Duration) -> Self {
        let lock = |name: &String| Lock { name: name.clone(), last: None };
        Self { locks: names.iter().map(lock).collect(), timeout }
    }

    /// Changes how long a lock may be silent.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// A message of a lock, received at `now`. Returns `false` if there is no such lock.
    pub fn receive(&mut self, name: &str, now: Duration, engaged: bool) -> bool {
        let lock = self.locks.iter_mut().find(|lock| lock.name == name);
        let known = lock.is_some();
        if let Some(lock) = lock {
            lock.last = Some((now, engaged));
        }
        known
    }

    /// The locks that are engaged or silent at `now`.
    pub fn engaged(&self, now: Duration) -> Vec<EngagedLock> {
        let engaged = self.locks.iter().filter_map(|lock| {
            let reason = match lock.last {
                None => LockReason::NeverReceived,
                Some((_, true)) => LockReason::Engaged,
                Some((at, false)) => {
                    let (age, timeout) = (now.saturating_sub(at), self.timeout);
                    if age <= timeout {
                        return None;
                    }
                    LockReason::Silent { age, timeout }
                }
            };
            Some(EngagedLock { name: lock.name.clone(), reason })
        });
        engaged.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_lock_counts_as_engaged() {
        let half = Duration::from_millis(500);
        let mut locks = Locks::new(&["pendant".to_owned(), "door".to_owned()], half);
        assert_eq!(locks.engaged(Duration::ZERO).len(), 2);
        assert!(locks.receive("door", Duration::from_secs(60), false));
        assert!(locks.receive("pendant", Duration::ZERO, false));
        assert!(!locks.receive("other", Duration::ZERO, true));
        assert!(locks.engaged(half).is_empty());
        let silent = locks.engaged(half + Duration::from_millis(20)).remove(0);
        assert_eq!(silent.to_string(), "lock pendant is silent for 0.52 s");
        let event = silent.event();
        assert_eq!((event.asked, event.limit), (Some(0.52), Some(0.5)));
        locks.receive("pendant", half, true);
        assert_eq!(locks.engaged(half)[0].reason, LockReason::Engaged);
        locks.receive("pendant", half, false);
        assert!(locks.engaged(half).is_empty());
    }
}
