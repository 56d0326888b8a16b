//! Recent joint samples, found again by stamp.

use std::collections::VecDeque;

use crate::observation::JointSample;

/// Joint samples of the last second, oldest first.
#[derive(Debug, Default)]
pub struct JointBuffer {
    ring: VecDeque<JointSample>,
}

impl JointBuffer {
    const SPAN_NS: i64 = 1_000_000_000;
    /// A robot at 4 kHz still fits.
    const MOST: usize = 4096;

    /// Keeps a sample. One that is not newer than the last is ignored; a stamp far before it
    /// empties the buffer.
    pub fn push(&mut self, sample: JointSample) {
        if let Some(last) = self.ring.back() {
            if sample.stamp_ns < last.stamp_ns - Self::SPAN_NS {
                self.ring.clear();
            } else if sample.stamp_ns <= last.stamp_ns {
                return;
            }
        }
        let oldest = sample.stamp_ns - Self::SPAN_NS;
        self.ring.push_back(sample);
        while self.ring.len() > Self::MOST
            || self.ring.front().is_some_and(|first| first.stamp_ns < oldest)
        {
            self.ring.pop_front();
        }
    }

    /// The sample nearest to `stamp_ns`, if it is within `slop_ns`.
    #[must_use]
    pub fn nearest(&self, stamp_ns: i64, slop_ns: i64) -> Option<&JointSample> {
        let after = self.ring.partition_point(|sample| sample.stamp_ns < stamp_ns);
        let candidates = [after.checked_sub(1), Some(after)];
        let near = candidates.into_iter().flatten().filter_map(|index| self.ring.get(index));
        near.min_by_key(|sample| sample.stamp_ns.abs_diff(stamp_ns))
            .filter(|sample| sample.stamp_ns.abs_diff(stamp_ns) <= slop_ns.unsigned_abs())
    }

    /// The newest sample.
    #[must_use]
    pub fn newest(&self) -> Option<&JointSample> {
        self.ring.back()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ring.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sample(stamp_ns: i64) -> JointSample {
        JointSample { stamp_ns, positions: Vec::new(), state: Vec::new(), arrived: Duration::ZERO }
    }

    #[test]
    fn the_nearest_sample_within_the_slop_is_found() {
        let mut buffer = JointBuffer::default();
        for stamp in [10, 20, 30] {
            buffer.push(sample(stamp));
        }
        assert_eq!(buffer.nearest(24, 5).unwrap().stamp_ns, 20);
        assert_eq!(buffer.nearest(26, 5).unwrap().stamp_ns, 30);
        assert_eq!(buffer.nearest(2, 8).unwrap().stamp_ns, 10);
        assert_eq!(buffer.nearest(100, 69).map(|found| found.stamp_ns), None);
    }

    #[test]
    fn the_buffer_holds_a_second_and_restarts_after_a_jump() {
        let mut buffer = JointBuffer::default();
        for step in 0..5000 {
            buffer.push(sample(step * 1_000_000));
        }
        assert!(buffer.ring.len() <= 1001);
        buffer.push(sample(7));
        assert_eq!(buffer.newest().unwrap().stamp_ns, 7);
    }
}
