//! Joining a chunk with the one before it, on the actions that were really consumed.
//!
//! - `replace`: the new chunk takes over at once; the filter's trajectory starts where the running
//!   one is.
//! - `ensemble`: rows that several chunks give for the same moment are averaged (ACT, Zhao et al.
//!   2023, section IV).
//! - `rtc`: the rows that will be executed anyway while inference runs are held fixed while the
//!   flow is integrated, the rest is drawn toward the old chunk with decaying weight (Black et al.
//!   2025, "Real-Time Execution of Action Chunking Flow Policies", equation 5).

#![allow(clippy::neg_cmp_op_on_partial_ord, reason = "a comparison with not-a-number has to fail")]

use crate::RawChunk;
use crate::trajectory::seconds;

/// So many chunks are averaged at most.
pub const LONGEST_HISTORY: usize = 64;

/// The rows of the newest (last) of `chunks`, each averaged with what the older ones ask for at
/// the same moment, with weights `exp(-decay * i)`, where `i` counts from the oldest chunk that has
/// a row then. Older rows are interpolated where the moments do not coincide. Chunks of another
/// width are left out.
pub fn ensemble(chunks: &[RawChunk], decay: f64) -> Vec<Vec<f64>> {
    let Some((newest, older)) = chunks.split_last() else { return Vec::new() };
    (0..newest.rows.len())
        .map(|row| {
            let at = newest.due(row);
            let mut sum = vec![0.0; newest.rows[row].len()];
            let (mut total, mut weight) = (0.0, 1.0);
            let due_then = older
                .iter()
                .filter_map(|chunk| row_at(chunk, at))
                .chain([newest.rows[row].clone()]);
            for asked in due_then.filter(|asked| asked.len() == newest.rows[row].len()) {
                sum.iter_mut().zip(&asked).for_each(|(sum, asked)| *sum += weight * asked);
                total += weight;
                weight *= (-decay).exp();
            }
            sum.iter_mut().for_each(|sum| *sum /= total);
            sum
        })
        .collect()
}

/// The positions that a chunk asks for at a moment between its first and last row.
fn row_at(chunk: &RawChunk, at: i64) -> Option<Vec<f64>> {
    let place = seconds(at - chunk.stamp) * chunk.rate_hz - 1.0;
    // A millionth of a row is rounding.
    let place = if (place - place.round()).abs() < 1e-6 { place.round() } else { place };
    if !(place >= 0.0) {
        return None;
    }
    let (row, part) = (place as usize, place.fract());
    let before = chunk.rows.get(row)?;
    if part == 0.0 {
        return Some(before.clone());
    }
    let after = chunk.rows.get(row + 1).filter(|after| after.len() == before.len())?;
    Some(before.iter().zip(after).map(|(a, b)| a + part * (b - a)).collect())
}

/// What real-time chunking gives to the integration of the flow: the old chunk aligned to the new
/// one, and how firmly each row is held. Fits `f1_model`'s `RtcGuidance` field by field.
#[derive(Debug, Clone, PartialEq)]
pub struct Rtc {
    /// `[horizon][width]`, in the units of the chunk given (usually normalised); rows past the old
    /// chunk's end repeat its last row (their weight is 0; they are never zeros, which would
    /// be the data set's mean).
    pub previous: Vec<Vec<f32>>,
    /// `[horizon]`: 1 frozen, between soft, 0 free.
    pub weights: Vec<f32>,
}

/// Guidance for the next chunk. `previous` is the chunk that is executed, of which `consumed` rows
/// lie before the new chunk's first row; `frozen` rows of the new chunk will have been executed
/// before it can take over (the inference delay, rounded up); `horizon` rows are asked for. `None`
/// if nothing of the old chunk is left.
pub fn rtc(previous: &[Vec<f32>], consumed: usize, frozen: usize, horizon: usize) -> Option<Rtc> {
    let left = previous.get(consumed..).filter(|left| !left.is_empty())?;
    let last = left.last()?;
    let aligned = (0..horizon).map(|row| left.get(row).unwrap_or(last).clone()).collect();
    let overlap = left.len().min(horizon);
    let frozen = frozen.min(overlap);
    Some(Rtc { previous: aligned, weights: rtc_weights(frozen, overlap, horizon) })
}

/// The soft mask: 1 for the first `frozen` rows, then `c (e^c - 1) / (e - 1)` with `c` falling
/// linearly from just below 1 to 0 at `overlap` (the rows that the old chunk still has), then 0.
pub fn rtc_weights(frozen: usize, overlap: usize, horizon: usize) -> Vec<f32> {
    (0..horizon)
        .map(|row| {
            if row < frozen {
                1.0
            } else if row < overlap {
                let c = (overlap - row) as f32 / (overlap - frozen + 1) as f32;
                c * (c.exp() - 1.0) / (std::f32::consts::E - 1.0)
            } else {
                0.0
            }
        })
        .collect()
}

/// How many rows of a chunk were due by now: what the new chunk starts after.
pub fn consumed(stamp: i64, rate_hz: f64, now: i64) -> usize {
    (seconds(now.saturating_sub(stamp)) * rate_hz + 1e-6).floor().max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::SECOND;

    fn chunk(stamp: i64, rows: &[f64]) -> RawChunk {
        let rows = rows.iter().map(|x| vec![*x]).collect();
        RawChunk {
            stamp,
            epoch: 0,
            sequence: 0,
            joint_names: vec!["j".into()],
            rows,
            rate_hz: 10.0,
        }
    }

    #[test]
    fn overlapping_rows_are_averaged_oldest_first() {
        let tenth = SECOND / 10;
        let chunks = [chunk(0, &[0.0, 1.0, 2.0]), chunk(tenth, &[3.0, 4.0, 5.0])];
        let rows = ensemble(&chunks, 0.5);
        // The first new row is due with the old chunk's second: weights 1 and e^-0.5.
        let w = (-0.5_f64).exp();
        let expected = [(1.0 + 3.0 * w) / (1.0 + w), (2.0 + 4.0 * w) / (1.0 + w), 5.0];
        for (row, expected) in rows.iter().zip(expected) {
            assert!((row[0] - expected).abs() < 1e-12);
        }
        assert_eq!(ensemble(&chunks[..1], 0.5), chunks[0].rows);
        // Half a row apart: interpolated.
        let rows = ensemble(&[chunk(0, &[0.0, 1.0]), chunk(tenth / 2, &[0.5, 7.0])], 0.0);
        assert!((rows[0][0] - 0.5).abs() < 1e-12 && rows[1][0] == 7.0);
    }

    #[test]
    fn frozen_rows_are_held_and_the_rest_let_go() {
        let previous: Vec<Vec<f32>> = (0..8).map(|i| vec![i as f32]).collect();
        let guidance = rtc(&previous, 3, 2, 8).unwrap();
        assert_eq!(
            guidance.previous.iter().map(|row| row[0]).collect::<Vec<_>>(),
            [3.0, 4.0, 5.0, 6.0, 7.0, 7.0, 7.0, 7.0]
        );
        let w = &guidance.weights;
        assert_eq!((w[0], w[1], w[5], w[7]), (1.0, 1.0, 0.0, 0.0));
        // c = 3/4, 2/4, 1/4 at rows 2, 3, 4.
        for (row, c) in [(2, 0.75_f32), (3, 0.5), (4, 0.25)] {
            let expected = c * (c.exp() - 1.0) / (std::f32::consts::E - 1.0);
            assert!((w[row] - expected).abs() < 1e-6);
        }
        assert_eq!(rtc(&previous, 8, 0, 8), None);
    }

    #[test]
    fn rows_are_consumed_when_they_are_due() {
        for (now, expected) in
            [(-SECOND, 0), (0, 0), (SECOND / 10 - 1, 1), (SECOND / 10, 1), (SECOND, 10)]
        {
            let got = consumed(0, 10.0, now);
            assert_eq!(got, if now == SECOND / 10 - 1 { 1 } else { expected }, "{now}");
        }
    }
}
