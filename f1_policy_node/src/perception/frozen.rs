//! A camera that repeats the same frame passes every check of stamps, and its image no longer shows
//! the scene.

/// Watches one camera for identical frames.
#[derive(Debug, Default)]
pub struct FrozenWatch {
    last: Option<u32>,
    since_ns: i64,
    newest_ns: i64,
}

impl FrozenWatch {
    /// Takes the pixels (any packed bytes) of the frame stamped `stamp_ns`. A real sensor's noise
    /// never repeats a whole frame, so equal checksums mean an equal frame.
    pub fn observe(&mut self, pixels: &[u8], stamp_ns: i64) {
        let sum = crc32fast::hash(pixels);
        if self.last != Some(sum) {
            self.last = Some(sum);
            self.since_ns = stamp_ns;
        }
        self.newest_ns = stamp_ns;
    }

    /// How long the image has not changed, ns.
    #[must_use]
    pub fn frozen_for_ns(&self) -> i64 {
        self.newest_ns - self.since_ns
    }

    /// Forgets what was seen.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_frame_ages_and_a_new_one_resets() {
        let mut watch = FrozenWatch::default();
        watch.observe(&[1, 2, 3], 10);
        watch.observe(&[1, 2, 3], 40);
        assert_eq!(watch.frozen_for_ns(), 30);
        watch.observe(&[1, 2, 4], 50);
        assert_eq!(watch.frozen_for_ns(), 0);
    }
}
