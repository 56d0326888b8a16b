//! Computing and aggregating normalisation statistics; the types, checks and the file are those of
//! [`f1_robot::statistics`].

use f1_robot::statistics::{DatasetStatistics, VectorStatistics};

/// Exact statistics of `rows` (`[frame][dimension]`); nothing in it when there are no rows.
#[must_use]
pub fn of_rows(rows: &[Vec<f32>]) -> VectorStatistics {
    let dims = rows.first().map_or(0, Vec::len);
    let mut out =
        VectorStatistics { count: vec![rows.len() as u64], ..VectorStatistics::default() };
    for dim in 0..dims {
        let mut values: Vec<f64> = rows.iter().map(|row| f64::from(row[dim])).collect();
        values.sort_by(f64::total_cmp);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
        out.min.push(values[0]);
        out.max.push(values[values.len() - 1]);
        out.mean.push(mean);
        out.std.push(variance.sqrt());
        out.q01.push(percentile(&values, 0.01));
        out.q10.push(percentile(&values, 0.10));
        out.q50.push(percentile(&values, 0.50));
        out.q90.push(percentile(&values, 0.90));
        out.q99.push(percentile(&values, 0.99));
    }
    out
}

/// Counts where a state jumps by a whole turn (in radians or degrees) from one frame to the next:
/// the angle of a joint that turns without end, reported within one turn.
#[derive(Debug, Clone, Default)]
pub struct TurnJumps {
    dimensions: Vec<Steps>,
}

/// The steps of one dimension.
#[derive(Debug, Clone, Default)]
struct Steps {
    /// Of a whole turn, in radians and in degrees.
    turns: [usize; 2],
    /// The largest of the others.
    largest: f64,
}

/// A turn in radians and in degrees.
const TURNS: [f64; 2] = [std::f64::consts::TAU, 360.0];

impl TurnJumps {
    /// Counts those of an episode (`[frame][dimension]`).
    pub fn count(&mut self, rows: &[Vec<f32>]) {
        for pair in rows.windows(2) {
            self.dimensions.resize_with(self.dimensions.len().max(pair[0].len()), Steps::default);
            for (dim, (a, b)) in pair[0].iter().zip(&pair[1]).enumerate() {
                let step = f64::from((b - a).abs());
                let turn = TURNS.iter().position(|t| (0.85 * t..1.0001 * t).contains(&step));
                let steps = &mut self.dimensions[dim];
                match turn {
                    Some(unit) => steps.turns[unit] += 1,
                    None => steps.largest = steps.largest.max(step),
                }
            }
        }
    }

    /// The dimensions that jump by a turn and otherwise move by less than a fifth of that, in a
    /// sentence; `None` where there is none.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let jumps = |steps: &Steps| -> usize {
            let units = steps.turns.iter().zip(TURNS);
            units.filter(|(_, turn)| steps.largest < turn / 5.0).map(|(jumps, _)| jumps).sum()
        };
        let found: Vec<String> = self
            .dimensions
            .iter()
            .map(jumps)
            .enumerate()
            .filter(|(_, jumps): &(usize, usize)| *jumps > 0)
            .map(|(dim, jumps)| format!("[{dim}] ({jumps} times)"))
            .collect();
        (!found.is_empty()).then(|| {
            format!(
                "the state jumps by a whole turn in {}: angles of joints that turn without end, \
                 whose statistics and differences are wrong unless they are brought to one turn",
                found.join(", ")
            )
        })
    }
}

/// Exact statistics of a data set's rows.
#[must_use]
pub fn of_dataset(state: &[Vec<f32>], action: &[Vec<f32>]) -> DatasetStatistics {
    DatasetStatistics { state: of_rows(state), action: of_rows(action) }
}

/// Statistics of the union of several sets of frames. Means and deviations are exact; percentiles
/// of a union cannot be known from percentiles of the parts: the outermost ones are kept of the
/// first and the last, and of the others the mean by frames, as the `lerobot` package takes it.
#[must_use]
pub fn aggregate(parts: &[VectorStatistics]) -> VectorStatistics {
    let Some(first) = parts.iter().find(|part| part.dims() > 0) else {
        return VectorStatistics::default();
    };
    // A part whose lists differ in length has faults of its own and would only spoil the rest.
    let whole = |part: &&VectorStatistics| {
        [&part.mean, &part.std, &part.min, &part.max].iter().all(|list| list.len() == first.dims())
    };
    let parts: Vec<&VectorStatistics> = parts.iter().filter(whole).collect();
    let frames = |part: &VectorStatistics| part.count.first().copied().unwrap_or(1).max(1);
    let total: u64 = parts.iter().map(|part| frames(part)).sum();
    let mut out = VectorStatistics { count: vec![total], ..VectorStatistics::default() };
    let known = |of: fn(&VectorStatistics) -> &Vec<f64>| {
        parts.iter().all(|part| of(part).len() == part.dims())
    };
    let (outer, inner) = (
        known(|part| &part.q01) && known(|part| &part.q99),
        known(|part| &part.q10) && known(|part| &part.q50) && known(|part| &part.q90),
    );
    for dim in 0..first.dims() {
        let share = |part: &VectorStatistics| frames(part) as f64 / total as f64;
        let mean: f64 = parts.iter().map(|part| share(part) * part.mean[dim]).sum();
        let variance: f64 = parts
            .iter()
            .map(|part| share(part) * (part.std[dim].powi(2) + (part.mean[dim] - mean).powi(2)))
            .sum();
        let least = |of: fn(&VectorStatistics) -> &Vec<f64>| {
            parts.iter().map(|part| of(part)[dim]).fold(f64::INFINITY, f64::min)
        };
        let most = |of: fn(&VectorStatistics) -> &Vec<f64>| {
            parts.iter().map(|part| of(part)[dim]).fold(f64::NEG_INFINITY, f64::max)
        };
        out.mean.push(mean);
        out.std.push(variance.sqrt());
        out.min.push(least(|part| &part.min));
        out.max.push(most(|part| &part.max));
        if outer {
            out.q01.push(least(|part| &part.q01));
            out.q99.push(most(|part| &part.q99));
        }
        if inner {
            let mean = |of: fn(&VectorStatistics) -> &Vec<f64>| -> f64 {
                parts.iter().map(|part| share(part) * of(part)[dim]).sum()
            };
            out.q10.push(mean(|part| &part.q10));
            out.q50.push(mean(|part| &part.q50));
            out.q90.push(mean(|part| &part.q90));
        }
    }
    out
}

/// Statistics of several data sets taken as one.
#[must_use]
pub fn aggregate_datasets(parts: &[DatasetStatistics]) -> DatasetStatistics {
    let of = |pick: fn(&DatasetStatistics) -> &VectorStatistics| -> VectorStatistics {
        aggregate(&parts.iter().map(|part| pick(part).clone()).collect::<Vec<_>>())
    };
    DatasetStatistics { state: of(|part| &part.state), action: of(|part| &part.action) }
}

/// Share of each dimension's values outside q01..q99: about 0.02 when the percentiles describe
/// these rows.
#[must_use]
pub fn share_outside(rows: &[Vec<f32>], statistics: &VectorStatistics) -> Vec<f64> {
    (0..statistics.q01.len().min(statistics.q99.len()))
        .map(|dim| {
            let (low, high) = (statistics.q01[dim], statistics.q99[dim]);
            let outside =
                rows.iter().filter(|row| f64::from(row[dim]) < low || f64::from(row[dim]) > high);
            outside.count() as f64 / rows.len().max(1) as f64
        })
        .collect()
}

/// Linear interpolation between order statistics, as numpy's default does.
fn percentile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let low = place.floor() as usize;
    let high = place.ceil() as usize;
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_aggregate_to_the_whole() {
        let rows: Vec<Vec<f32>> = (0..50).map(|i| vec![(i as f32 * 0.7).sin(), i as f32]).collect();
        let whole = of_rows(&rows);
        let parts = [of_rows(&rows[..13]), of_rows(&rows[13..])];
        let joined = aggregate(&parts);
        for dim in 0..2 {
            assert!((whole.mean[dim] - joined.mean[dim]).abs() < 1e-9);
            assert!((whole.std[dim] - joined.std[dim]).abs() < 1e-9);
            assert_eq!(whole.min[dim], joined.min[dim]);
            assert_eq!(whole.max[dim], joined.max[dim]);
        }
        assert_eq!(joined.count, [50]);
    }

    #[test]
    fn a_state_that_jumps_by_a_turn_is_named_in_either_unit() {
        let wrapped = |angle: f64, turn: f64| (angle + turn / 2.0).rem_euclid(turn) - turn / 2.0;
        for (turn, step) in [(std::f64::consts::TAU, 0.1), (360.0, 5.0), (360.0, 1.0)] {
            let angles = (0..400).map(|i| f64::from(i) * step);
            let rows: Vec<Vec<f32>> =
                angles.map(|a| vec![0.5, wrapped(a, turn) as f32, (a / 300.0) as f32]).collect();
            let mut jumps = TurnJumps::default();
            jumps.count(&rows);
            let warning = jumps.warning().unwrap();
            assert!(warning.contains(" [1] (") && !warning.contains("[2]"), "{warning}");
        }
        // A joint that moves in large steps everywhere is not taken for one.
        let rows: Vec<Vec<f32>> = (0..50).map(|i| vec![(i % 3) as f32 * 3.0]).collect();
        let mut jumps = TurnJumps::default();
        jumps.count(&rows);
        assert_eq!(jumps.warning(), None);
    }

    #[test]
    fn percentiles_interpolate_between_neighbours() {
        let rows: Vec<Vec<f32>> = (0..=100).map(|i| vec![i as f32]).collect();
        let statistics = of_rows(&rows);
        for (quantile, wanted) in [
            (&statistics.q01, 1.0),
            (&statistics.q10, 10.0),
            (&statistics.q50, 50.0),
            (&statistics.q90, 90.0),
            (&statistics.q99, 99.0),
        ] {
            assert!((quantile[0] - wanted).abs() < 1e-9);
        }
    }
}
