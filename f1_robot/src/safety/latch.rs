//! The latch: repeated interventions stop the robot until someone resets it.

use std::collections::VecDeque;

use super::{Event, FilterSettings, Response, Rule};
use crate::trajectory::{Stamp, seconds};

/// Counts interventions and latches.
///
/// An intervention is a chunk that was refused, cut, moved into bounds or slowed down for a start
/// jump. One that was only slowed down is none, nor is one that came too late or was made for an
/// instruction that no longer holds.
#[derive(Debug, Clone)]
pub(super) struct Latch {
    /// So many interventions latch; 0: never.
    count: usize,
    /// They have to happen within so many seconds.
    window: f64,
    recent: VecDeque<Stamp>,
    latched: bool,
}

impl Latch {
    /// Not latched.
    pub fn new(settings: &FilterSettings) -> Self {
        let FilterSettings { latch_count, latch_window, .. } = *settings;
        Self { count: latch_count, window: latch_window, recent: VecDeque::new(), latched: false }
    }

    /// Counts an intervention.
    pub fn intervene(&mut self, now: Stamp) {
        if self.count == 0 {
            return;
        }
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|&at| seconds(now.saturating_sub(at)) > self.window) {
            self.recent.pop_front();
        }
        self.latched |= self.recent.len() >= self.count;
    }

    /// Whether the stop is latched; with the count and the limit.
    pub fn latched(&self) -> Option<Event> {
        self.latched.then(|| {
            Event::new(Rule::Latch, Response::Stopped)
                .numbers(self.recent.len() as f64, self.count as f64)
        })
    }

    /// Clears the latched stop.
    pub fn reset(&mut self) {
        self.recent.clear();
        self.latched = false;
    }

    /// Forgets when interventions were (the clock changed), not that the stop is latched.
    pub fn forget_times(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::SECOND;

    #[test]
    fn interventions_latch_only_within_the_window_and_until_reset() {
        let settings =
            FilterSettings { latch_count: 3, latch_window: 1.0, ..FilterSettings::default() };
        let mut latch = Latch::new(&settings);
        for at in [0, SECOND, 3 * SECOND, 4 * SECOND] {
            latch.intervene(at);
            assert_eq!(latch.latched(), None);
        }
        latch.intervene(4 * SECOND);
        assert!(latch.latched().is_some());
        latch.reset();
        assert_eq!(latch.latched(), None);
    }
}
