//! The locks: sources that can stop the robot and have to keep saying that they do not. Timed on
//! the steady clock, so that neither a simulation that stands still nor a clock that is set keeps a
//! silent lock open.

use std::time::Duration;

use f1_robot::safety::{Event, Response, Rule};

/// The locks and when each was last heard.
#[derive(Debug)]
pub(super) struct Locks {
    /// Name, and when it was last heard with what it said (true: locked).
    locks: Vec<(String, Option<(Duration, bool)>)>,
    timeout: Duration,
}

impl Locks {
    /// All silent, so all locked.
    pub fn new(names: &[String], timeout: Duration) -> Self {
        Self { locks: names.iter().map(|name| (name.clone(), None)).collect(), timeout }
    }

    /// Silence for longer counts as locked.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// A heartbeat at `now`.
    pub fn hear(&mut self, name: &str, now: Duration, locked: bool) {
        for (_, heard) in self.locks.iter_mut().filter(|(known, _)| known == name) {
            *heard = Some((now, locked));
        }
    }

    /// The locks that are closed or silent: the event, and the reason in words.
    pub fn closed(&self, now: Duration) -> Vec<(Event, String)> {
        let event = |name: &str| Event::new(Rule::Lock, Response::Stopped).joint(name);
        let closed = self.locks.iter().filter_map(|(name, heard)| match heard {
            None => Some((event(name), format!("lock {name} was never heard"))),
            Some((_, true)) => Some((event(name), format!("lock {name} is engaged"))),
            Some((at, false)) => {
                let age = now.saturating_sub(*at);
                let (age, limit) = (age.as_secs_f64(), self.timeout.as_secs_f64());
                (age > limit).then(|| {
                    (
                        event(name).numbers(age, limit),
                        format!("lock {name} is silent for {age:.2} s"),
                    )
                })
            }
        });
        closed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_lock_is_a_locked_one() {
        let half = Duration::from_millis(500);
        let mut locks = Locks::new(&["pendant".to_owned()], half);
        assert_eq!(locks.closed(Duration::ZERO).len(), 1);
        locks.hear("pendant", Duration::ZERO, false);
        assert!(locks.closed(half).is_empty());
        let (event, reason) = locks.closed(half + Duration::from_millis(20)).remove(0);
        assert_eq!(
            (event.limit, reason.as_str()),
            (Some(0.5), "lock pendant is silent for 0.52 s")
        );
        locks.hear("pendant", half, true);
        assert_eq!(locks.closed(half)[0].1, "lock pendant is engaged");
        locks.hear("other", half, false);
        assert_eq!(locks.closed(half).len(), 1);
    }
}
