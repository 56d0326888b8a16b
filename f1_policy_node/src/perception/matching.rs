//! Approximate-time matching: the newest set of messages, one a source, whose stamps lie within a
//! slop of each other.
//!
//! What `message_filters::ApproximateTime` does for the nodes of ROS, reduced to what a policy
//! wants: the newest set wins and older ones are forgotten, so that nothing grows and nothing is
//! served late.

use std::collections::VecDeque;

/// Why a message did not enter the matcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StampFault {
    /// The stamp is not newer than the source's last one by more than a jump: a repeated or
    /// reordered message.
    #[error("stamp {stamp_ns} ns is not newer than the last one, {last_ns} ns")]
    NotNewer {
        /// Stamp of the message, ns.
        stamp_ns: i64,
        /// Newest stamp of this source so far, ns.
        last_ns: i64,
    },
    /// The stamp lies so far before the last one that the clock must have jumped.
    #[error("the clock jumped back by {back_ns} ns")]
    ClockJump {
        /// How far back, ns.
        back_ns: i64,
    },
    /// The stamp lies ahead of the clock by more than the tolerance.
    #[error("stamp {stamp_ns} ns lies {ahead_ns} ns in the future")]
    Future {
        /// Stamp of the message, ns.
        stamp_ns: i64,
        /// How far ahead of now, ns.
        ahead_ns: i64,
    },
}

/// What a matcher tolerates; all in nanoseconds of ROS time.
#[derive(Debug, Clone, Copy)]
pub struct MatchSettings {
    /// Largest distance of two stamps in one set.
    pub slop_ns: i64,
    /// A stamp this far before the last one is a jump of the clock, not a late message.
    pub jump_ns: i64,
    /// A stamp may lie this far ahead of now (clocks of two machines differ).
    pub future_ns: i64,
    /// Messages kept a source.
    pub depth: usize,
}

/// One set of messages that belong together.
#[derive(Debug, Clone)]
pub struct Matched<T> {
    /// Stamp that the set is named by: the oldest of the required messages' stamps, ns.
    pub stamp_ns: i64,
    /// One entry a source with its own stamp; `None` only for an optional source without a fitting
    /// message.
    pub values: Vec<Option<(i64, T)>>,
}

#[derive(Debug)]
struct Source<T> {
    required: bool,
    ring: VecDeque<(i64, T)>,
    last_ns: Option<i64>,
}

/// Rings of recent messages, one a source, and the search for the newest set.
#[derive(Debug)]
pub struct StampMatcher<T> {
    settings: MatchSettings,
    sources: Vec<Source<T>>,
    /// Stamp of the last set handed out: a set is served once.
    served_ns: Option<i64>,
    /// (stamp, spread) of the sets that lately became whole, ns.
    spreads: VecDeque<(i64, i64)>,
    /// How many sets became whole since the last that was handed out.
    passed: usize,
}

/// Sets whose spreads differ by no more than this are equally good: below the jitter of stamps that
/// hosts give.
const TIGHT_NS: i64 = 2_000_000;

impl<T: Clone> StampMatcher<T> {
    /// A matcher of `required.len()` sources; at least one must be required.
    #[must_use]
    pub fn new(settings: MatchSettings, required: &[bool]) -> Self {
        let sources = required
            .iter()
            .map(|&required| Source { required, ring: VecDeque::new(), last_ns: None })
            .collect();
        Self { settings, sources, served_ns: None, spreads: VecDeque::new(), passed: 0 }
    }

    /// Takes a message of `source` stamped `stamp_ns` at the moment `now_ns`.
    ///
    /// # Errors
    /// A stamp that is not newer, lies in the future, or shows that the clock jumped back; after a
    /// jump every ring is empty.
    pub fn push(
        &mut self,
        source: usize,
        stamp_ns: i64,
        value: T,
        now_ns: i64,
    ) -> Result<(), StampFault> {
        let ahead_ns = stamp_ns.saturating_sub(now_ns);
        if ahead_ns > self.settings.future_ns {
            return Err(StampFault::Future { stamp_ns, ahead_ns });
        }
        let Some(slot) = self.sources.get_mut(source) else { return Ok(()) };
        if let Some(last_ns) = slot.last_ns
            && stamp_ns <= last_ns
        {
            let back_ns = last_ns.saturating_sub(stamp_ns);
            if back_ns <= self.settings.jump_ns {
                return Err(StampFault::NotNewer { stamp_ns, last_ns });
            }
            self.reset();
            return Err(StampFault::ClockJump { back_ns });
        }
        slot.last_ns = Some(stamp_ns);
        slot.ring.push_back((stamp_ns, value));
        while slot.ring.len() > self.settings.depth {
            slot.ring.pop_front();
        }
        Ok(())
    }

    /// Forgets everything: after a jump of the clock, or on activation.
    pub fn reset(&mut self) {
        for source in &mut self.sources {
            source.ring.clear();
            source.last_ns = None;
        }
        self.served_ns = None;
        self.spreads.clear();
        self.passed = 0;
    }

    /// Newest stamp of a source, ns.
    #[must_use]
    pub fn newest_ns(&self, source: usize) -> Option<i64> {
        self.sources.get(source).and_then(|source| source.last_ns)
    }

    /// The newest set not served yet: every required source within the slop, optional ones where
    /// they fit.
    ///
    /// A set has a latest message and of every other source what came last before that: it is whole
    /// the moment its last message is here. Cameras that run free give one such set a message,
    /// some tighter than others; those much looser than the tightest of the last two rounds are
    /// passed over, because a tighter one is less than a round away; where the stamps are so
    /// irregular that none came for a round, whatever lies within the slop is served.
    pub fn newest(&mut self) -> Option<Matched<T>> {
        let required = self.sources.iter().filter(|source| source.required);
        let mut latest: Vec<i64> =
            required.flat_map(|source| source.ring.iter().map(|(stamp, _)| *stamp)).collect();
        latest.sort_unstable_by(|a, b| b.cmp(a));
        latest.dedup();
        let news = |set: &Matched<T>| self.served_ns.is_none_or(|served| set.stamp_ns > served);
        let candidates = latest.iter().map_while(|&latest| self.set_before(latest));
        let fresh: Vec<(i64, Matched<T>)> = candidates.take_while(|(_, set)| news(set)).collect();
        let newest_seen = self.spreads.back().map(|&(stamp, _)| stamp);
        for (spread, set) in fresh.iter().rev() {
            if newest_seen.is_none_or(|seen| set.stamp_ns > seen) {
                self.spreads.push_back((set.stamp_ns, *spread));
                self.passed += 1;
            }
        }
        // Two rounds: one message may be missing from one of them.
        while self.spreads.len() > 2 * self.sources.len() {
            self.spreads.pop_front();
        }
        let tightest = self.spreads.iter().map(|(_, spread)| *spread).min()?;
        let tight = if self.passed > self.sources.len() {
            i64::MAX
        } else {
            tightest + tightest / 4 + TIGHT_NS
        };
        let bound = tight.min(self.settings.slop_ns);
        let (_, found) = fresh.into_iter().find(|(spread, _)| *spread <= bound)?;
        self.served_ns = Some(found.stamp_ns);
        self.passed = 0;
        // What is older than a served set can never be served again.
        for source in &mut self.sources {
            source.ring.retain(|(stamp, _)| *stamp >= found.stamp_ns - self.settings.slop_ns);
        }
        Some(found)
    }

    /// The set whose latest message is stamped `latest`, with the distance of its stamps; `None`
    /// where a required source has nothing that old.
    fn set_before(&self, latest: i64) -> Option<(i64, Matched<T>)> {
        let mut values = Vec::with_capacity(self.sources.len());
        let mut oldest = latest;
        for source in &self.sources {
            let before = source.ring.iter().rev().find(|(stamp, _)| *stamp <= latest);
            match before {
                Some((stamp, value)) if source.required => {
                    oldest = oldest.min(*stamp);
                    values.push(Some((*stamp, value.clone())));
                }
                Some((stamp, value)) if latest - stamp <= self.settings.slop_ns => {
                    values.push(Some((*stamp, value.clone())));
                }
                None if source.required => return None,
                _ => values.push(None),
            }
        }
        Some((latest - oldest, Matched { stamp_ns: oldest, values }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn matcher(required: &[bool]) -> StampMatcher<u32> {
        let settings =
            MatchSettings { slop_ns: 20 * MS, jump_ns: 500 * MS, future_ns: 50 * MS, depth: 8 };
        StampMatcher::new(settings, required)
    }

    #[test]
    fn the_newest_set_within_the_slop_is_served_once() {
        let mut matcher = matcher(&[true, true]);
        for (source, stamp) in [(0, 0), (1, 5), (0, 33), (1, 38), (0, 66)] {
            matcher.push(source, stamp * MS, stamp as u32, 70 * MS).unwrap();
        }
        let set = matcher.newest().unwrap();
        assert_eq!(set.stamp_ns, 33 * MS);
        assert_eq!(set.values[1], Some((38 * MS, 38)));
        assert!(matcher.newest().is_none());
    }

    /// Three cameras with a period of 33 ms: their phases, and the stamps of the sets served as
    /// (message that completes it, its stamps).
    fn free_running(phases: [i64; 3]) -> Vec<(i64, Vec<i64>)> {
        let settings =
            MatchSettings { slop_ns: 50 * MS, jump_ns: 500 * MS, future_ns: 50 * MS, depth: 8 };
        let mut matcher: StampMatcher<u32> = StampMatcher::new(settings, &[true; 3]);
        let mut messages: Vec<(i64, usize)> = (0..20)
            .flat_map(|round| {
                phases.iter().enumerate().map(move |(camera, phase)| (33 * round + phase, camera))
            })
            .collect();
        messages.sort_unstable();
        let mut served = Vec::new();
        for (stamp, camera) in messages {
            matcher.push(camera, stamp * MS, 0, stamp * MS).unwrap();
            if let Some(set) = matcher.newest() {
                served.push((
                    stamp,
                    set.values.into_iter().flatten().map(|(stamp, _)| stamp / MS).collect(),
                ));
            }
        }
        served
    }

    #[test]
    fn of_free_running_cameras_the_tight_sets_are_served_with_their_last_message() {
        let served = free_running([0, 3, 30]);
        assert!(served.len() >= 19, "{served:?}");
        for (at, stamps) in &served[2..] {
            let (oldest, newest) = (stamps.iter().min().unwrap(), stamps.iter().max().unwrap());
            assert_eq!((newest, newest - oldest), (at, 6), "{stamps:?}");
        }
        // Equally spaced, every message completes an equally good set.
        let served = free_running([0, 11, 22]);
        assert!(
            served.len() >= 55 && served.iter().all(|(at, stamps)| stamps.contains(at)),
            "{served:?}"
        );
    }

    #[test]
    fn irregular_stamps_are_served_at_least_once_in_a_round_and_a_message() {
        let settings =
            MatchSettings { slop_ns: 50 * MS, jump_ns: 500 * MS, future_ns: 50 * MS, depth: 8 };
        let mut matcher: StampMatcher<u32> = StampMatcher::new(settings, &[true, true]);
        let mut served = 0;
        for round in 0..100_i64 {
            // The first set is tight, none after it is.
            let apart = if round == 0 { 0 } else { 20 + round * 7919 % 25 };
            for (camera, stamp) in [(0, 100 * round), (1, 100 * round + apart)] {
                matcher.push(camera, stamp * MS, 0, stamp * MS).unwrap();
                served += usize::from(matcher.newest().is_some());
            }
        }
        assert!(served >= 40, "{served}");
    }

    #[test]
    fn a_required_source_outside_the_slop_gives_nothing() {
        let mut matcher = matcher(&[true, true]);
        matcher.push(0, 0, 1, 0).unwrap();
        matcher.push(1, 21 * MS, 2, 21 * MS).unwrap();
        assert!(matcher.newest().is_none());
    }

    #[test]
    fn an_optional_source_that_is_silent_is_left_out() {
        let mut matcher = matcher(&[true, false]);
        matcher.push(0, 0, 1, 0).unwrap();
        assert_eq!(matcher.newest().unwrap().values, vec![Some((0, 1)), None]);
    }

    #[test]
    fn a_late_message_is_refused_and_a_jump_of_the_clock_empties_the_rings() {
        let mut matcher = matcher(&[true]);
        matcher.push(0, 1000 * MS, 1, 1000 * MS).unwrap();
        assert!(matches!(
            matcher.push(0, 990 * MS, 2, 1000 * MS),
            Err(StampFault::NotNewer { .. })
        ));
        assert!(matches!(
            matcher.push(0, 1000 * MS, 2, 1000 * MS),
            Err(StampFault::NotNewer { .. })
        ));
        assert!(matches!(
            matcher.push(0, 100 * MS, 3, 1000 * MS),
            Err(StampFault::ClockJump { .. })
        ));
        assert!(matcher.newest().is_none());
        matcher.push(0, 110 * MS, 4, 110 * MS).unwrap();
        assert_eq!(matcher.newest().unwrap().stamp_ns, 110 * MS);
    }

    #[test]
    fn a_stamp_in_the_future_is_refused() {
        let mut matcher = matcher(&[true]);
        assert!(matches!(matcher.push(0, 51 * MS, 1, 0), Err(StampFault::Future { .. })));
        assert!(matcher.push(0, 49 * MS, 1, 0).is_ok());
    }
}
