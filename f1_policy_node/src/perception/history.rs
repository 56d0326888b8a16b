//! The history ring: encoded frames of one camera, kept at the data set's stride in TIME, not in
//! frames received.

use std::collections::VecDeque;

/// What the policy was trained on, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct HistorySettings {
    /// Frames the network sees, `n_obs_img_steps`.
    pub frames: usize,
    /// Distance of two of them, `obs_img_stride` data-set steps, ns.
    pub stride_ns: i64,
    /// A new frame is taken when this much has passed since the last one: one data-set step, ns.
    pub period_ns: i64,
}

/// Encoded frames with their stamps, oldest first. `F` is cheap to clone.
#[derive(Debug)]
pub struct HistoryRing<F> {
    settings: HistorySettings,
    ring: VecDeque<(i64, F)>,
}

impl<F: Clone> HistoryRing<F> {
    /// An empty ring.
    #[must_use]
    pub fn new(settings: HistorySettings) -> Self {
        Self { settings, ring: VecDeque::new() }
    }

    /// Whether a frame with this stamp is due. A tenth of the period is forgiven, so that a camera
    /// at the data set's own rate with a little jitter is taken frame by frame.
    #[must_use]
    pub fn wants(&self, stamp_ns: i64) -> bool {
        self.ring.back().is_none_or(|(last, _)| {
            stamp_ns - last >= self.settings.period_ns - self.settings.period_ns / 10
        })
    }

    /// Keeps an encoded frame. A stamp at or before the last one is ignored; after a gap of more
    /// than two strides history starts anew, because frames from before the gap would show a
    /// motion that was not.
    pub fn push(&mut self, stamp_ns: i64, frame: F) {
        if let Some((last, _)) = self.ring.back() {
            if stamp_ns <= *last {
                return;
            }
            if stamp_ns - last > 2 * self.settings.stride_ns.max(self.settings.period_ns) {
                self.ring.clear();
            }
        }
        self.ring.push_back((stamp_ns, frame));
        let span =
            self.settings.stride_ns * (self.settings.frames as i64) + self.settings.period_ns;
        while self.ring.front().is_some_and(|(first, _)| stamp_ns - first > span) {
            self.ring.pop_front();
        }
    }

    /// How much further back from `now_ns` the network looks than the ring reaches, ns; zero when
    /// the ring is full, to half a period.
    #[must_use]
    pub fn missing_ns(&self, now_ns: i64) -> i64 {
        let reach = self.settings.stride_ns * (self.settings.frames as i64 - 1)
            - self.settings.period_ns / 2;
        let reached = self.ring.front().map_or(0, |(first, _)| now_ns - first);
        (reach - reached).max(0)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ring.clear();
    }

    /// The frames for an observation at `now_ns`, oldest first, with their stamps: for each instant
    /// `now - k * stride` the nearest kept frame that is not newer than `now`. Before the ring
    /// reaches back that far the first frame is repeated, as in training. `None` when no frame
    /// is kept.
    #[must_use]
    pub fn window(&self, now_ns: i64) -> Option<Vec<(i64, F)>> {
        let usable =
            self.ring.iter().filter(|(stamp, _)| *stamp <= now_ns + self.settings.period_ns / 2);
        let usable: Vec<&(i64, F)> = usable.collect();
        if usable.is_empty() {
            return None;
        }
        let newest = usable.last()?.0.min(now_ns);
        let window = (0..self.settings.frames).rev().filter_map(|back| {
            let wanted = newest - back as i64 * self.settings.stride_ns;
            usable
                .iter()
                .min_by_key(|(stamp, _)| stamp.abs_diff(wanted))
                .map(|entry| (*entry).clone())
        });
        Some(window.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn ring() -> HistoryRing<i64> {
        HistoryRing::new(HistorySettings { frames: 4, stride_ns: 300 * MS, period_ns: 100 * MS })
    }

    fn fill(ring: &mut HistoryRing<i64>, stamps: impl IntoIterator<Item = i64>) {
        for stamp in stamps {
            if ring.wants(stamp * MS) {
                ring.push(stamp * MS, stamp);
            }
        }
    }

    #[test]
    fn frames_are_kept_by_time_whatever_rate_the_camera_has() {
        let mut thirty_hertz = ring();
        fill(&mut thirty_hertz, (0..60).map(|frame| frame * 1000 / 30));
        let stamps: Vec<i64> =
            thirty_hertz.window(1966 * MS).unwrap().iter().map(|(_, frame)| *frame).collect();
        for (frame, wanted) in stamps.iter().zip([1000, 1300, 1600, 1900]) {
            assert!((frame - wanted).abs() <= 70, "{stamps:?}");
        }
        let gaps: Vec<i64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (250..=350).contains(gap)), "{gaps:?}");
    }

    #[test]
    fn before_enough_frames_exist_the_first_is_repeated() {
        let mut ring = ring();
        fill(&mut ring, [0, 100]);
        let frames: Vec<i64> =
            ring.window(100 * MS).unwrap().iter().map(|(_, frame)| *frame).collect();
        assert_eq!(frames, [0, 0, 0, 100]);
    }

    #[test]
    fn it_is_full_when_it_reaches_as_far_back_as_the_network_looks() {
        let mut ring = ring();
        assert_eq!(ring.missing_ns(0), 850 * MS);
        fill(&mut ring, [0, 100, 200, 300, 400, 500, 600, 700, 800]);
        assert_eq!(ring.missing_ns(800 * MS), 50 * MS);
        fill(&mut ring, [900]);
        assert_eq!(ring.missing_ns(900 * MS), 0);
        // After a gap it fills again.
        fill(&mut ring, [3000]);
        assert!(ring.missing_ns(3000 * MS) > 0);
    }

    #[test]
    fn after_a_gap_history_starts_anew() {
        let mut ring = ring();
        fill(&mut ring, [0, 100, 200, 300, 400, 2000]);
        let frames: Vec<i64> =
            ring.window(2000 * MS).unwrap().iter().map(|(_, frame)| *frame).collect();
        assert_eq!(frames, [2000; 4]);
    }

    #[test]
    fn the_ring_does_not_grow() {
        let mut ring = ring();
        fill(&mut ring, (0..10_000).map(|step| step * 100));
        assert!(ring.ring.len() <= 14, "{}", ring.ring.len());
    }

    #[test]
    fn an_empty_ring_has_no_window() {
        assert!(ring().window(0).is_none());
    }
}
