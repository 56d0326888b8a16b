//! Watchdogs, locks and the latch: what stops the robot whatever the chunk says.

use std::collections::VecDeque;

use super::settings::{FilterSettings, LatchSettings, LockSettings};
use super::{Event, Response, Rule};
use crate::trajectory::{Stamp, seconds};

/// The locks and when each was last heard.
#[derive(Debug, Clone)]
pub struct Locks {
    locks: Vec<(LockSettings, Option<(Stamp, bool)>)>,
}

impl Locks {
    /// All silent, so all locked.
    pub fn new(settings: &[LockSettings]) -> Self {
        Self { locks: settings.iter().map(|lock| (lock.clone(), None)).collect() }
    }

    /// A heartbeat. An unknown lock is ignored (`false`).
    pub fn hear(&mut self, name: &str, now: Stamp, locked: bool) -> bool {
        let lock = self.locks.iter_mut().find(|(lock, _)| lock.name == name);
        let known = lock.is_some();
        if let Some((_, heard)) = lock {
            *heard = Some((now, locked));
        }
        known
    }

    /// Forgets all heartbeats: all locked until heard again.
    pub fn forget(&mut self) {
        self.locks.iter_mut().for_each(|(_, heard)| *heard = None);
    }

    /// The locks that are engaged or silent.
    pub fn engaged(&self, now: Stamp) -> Vec<Event> {
        let event = |name: &str| Event::new(Rule::Lock, Response::Stopped).joint(name);
        self.locks
            .iter()
            .filter_map(|(lock, heard)| match heard {
                None => Some(event(&lock.name)),
                Some((_, true)) => Some(event(&lock.name)),
                Some((at, false)) => {
                    let age = seconds(now.saturating_sub(*at));
                    (age > lock.timeout).then(|| event(&lock.name).numbers(age, lock.timeout))
                }
            })
            .collect()
    }
}

/// Counts interventions and latches.
#[derive(Debug, Clone)]
pub struct Latch {
    settings: Option<LatchSettings>,
    recent: VecDeque<Stamp>,
    latched: bool,
}

impl Latch {
    /// Open.
    pub fn new(settings: Option<LatchSettings>) -> Self {
        Self { settings, recent: VecDeque::new(), latched: false }
    }

    /// Counts an intervention.
    pub fn intervene(&mut self, now: Stamp) {
        let Some(settings) = self.settings else { return };
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|&at| seconds(now.saturating_sub(at)) > settings.window)
        {
            self.recent.pop_front();
        }
        self.latched |= self.recent.len() >= settings.count;
    }

    /// Whether the stop is latched; with the count and the limit.
    pub fn latched(&self) -> Option<Event> {
        let limit = self.settings.map_or(0, |settings| settings.count);
        self.latched.then(|| {
            Event::new(Rule::Latch, Response::Stopped)
                .numbers(self.recent.len() as f64, limit as f64)
        })
    }

    /// Opens the latch.
    pub fn reset(&mut self) {
        self.recent.clear();
        self.latched = false;
    }

    /// Forgets when interventions were (the clock changed), not that the stop is latched.
    pub fn forget_times(&mut self) {
        self.recent.clear();
    }
}

/// When the things that the watchdogs wait for were last seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// The stamp of the newest measured joint state.
    pub joint_state: Option<Stamp>,
    /// The stamp of the observation behind the newest chunk.
    pub observation: Option<Stamp>,
    /// When the newest chunk came.
    pub chunk: Option<Stamp>,
}

/// The watchdogs that bite, for a robot that moves.
pub fn bites(seen: &Seen, settings: &FilterSettings, now: Stamp) -> Vec<Event> {
    [
        (Rule::ObservationAge, seen.observation, settings.observation_age),
        (Rule::JointStateAge, seen.joint_state, settings.joint_state_age),
        (Rule::InferenceAge, seen.chunk, settings.inference_age),
    ]
    .into_iter()
    .filter_map(|(rule, at, limit)| {
        let age = seconds(now.saturating_sub(at?));
        (age > limit).then(|| Event::new(rule, Response::Stopped).numbers(age, limit))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::SECOND;

    #[test]
    fn a_silent_lock_is_a_locked_one() {
        let settings = [LockSettings { name: "pendant".into(), timeout: 0.5 }];
        let mut locks = Locks::new(&settings);
        assert_eq!(locks.engaged(0).len(), 1);
        assert!(locks.hear("pendant", 0, false) && !locks.hear("other", 0, true));
        assert_eq!(locks.engaged(SECOND / 2).len(), 0);
        assert_eq!(locks.engaged(SECOND / 2 + 1)[0].limit, Some(0.5));
        locks.hear("pendant", SECOND, true);
        assert_eq!(locks.engaged(SECOND).len(), 1);
    }

    #[test]
    fn interventions_latch_within_the_window_only_and_reset_opens() {
        let mut latch = Latch::new(Some(LatchSettings { count: 3, window: 1.0 }));
        for at in [0, SECOND, 3 * SECOND, 4 * SECOND] {
            latch.intervene(at);
            assert_eq!(latch.latched(), None);
        }
        latch.intervene(4 * SECOND);
        assert!(latch.latched().is_some());
        latch.reset();
        assert_eq!(latch.latched(), None);
    }

    #[test]
    fn each_watchdog_bites_at_its_own_age() {
        let settings = FilterSettings::default();
        let seen = Seen { joint_state: Some(0), observation: Some(0), chunk: Some(0) };
        let rules = |at: f64| {
            bites(&seen, &settings, (at * 1e9) as i64)
                .into_iter()
                .map(|e| e.rule)
                .collect::<Vec<_>>()
        };
        assert_eq!(rules(0.2), []);
        assert_eq!(rules(0.3), [Rule::JointStateAge]);
        assert_eq!(rules(1.6), [Rule::JointStateAge, Rule::InferenceAge]);
        assert_eq!(rules(2.1).len(), 3);
        assert_eq!(bites(&Seen::default(), &settings, SECOND).len(), 0);
    }
}
