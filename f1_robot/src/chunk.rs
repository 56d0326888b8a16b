//! A chunk of actions in joint space, as the policy asked for it: nothing about it is checked yet.

use crate::trajectory::{SECOND, Stamp};

/// Joint waypoints from the policy. Only [`crate::safety::SafetyFilter`] makes motion of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RawChunk {
    /// The moment of the observation behind the chunk, nanoseconds. Row `i` is due at `stamp + (i + 1) / rate_hz`.
    pub stamp: Stamp,
    /// Counts restarts of the policy; a chunk of an epoch other than the filter's is late and is refused.
    pub epoch: u64,
    /// Counts chunks within the epoch; must increase.
    pub sequence: u64,
    /// The joints of the columns.
    pub joint_names: Vec<String>,
    /// Positions, rad (m for sliding joints), `[row][joint]`.
    pub rows: Vec<Vec<f64>>,
    /// Rows a second, Hz.
    pub rate_hz: f64,
}

impl RawChunk {
    /// When row `row` is due.
    pub fn due(&self, row: usize) -> Stamp {
        due(self.stamp, row, self.rate_hz)
    }
}

/// When row `row` of a chunk of `stamp` is due, nanoseconds.
pub fn due(stamp: Stamp, row: usize, rate_hz: f64) -> Stamp {
    stamp.saturating_add(((row as f64 + 1.0) * SECOND as f64 / rate_hz).round() as i64)
}
