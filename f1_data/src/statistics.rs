//! Normalisation statistics of state and action: computed, aggregated, checked, saved.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::lerobot::{ACTION, DataError, STATE};

/// Statistics of one vector feature, one number a dimension.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VectorStatistics {
    /// Smallest value.
    pub min: Vec<f64>,
    /// Largest value.
    pub max: Vec<f64>,
    /// Mean.
    pub mean: Vec<f64>,
    /// Standard deviation (population).
    pub std: Vec<f64>,
    /// First percentile; empty when the source does not give it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub q01: Vec<f64>,
    /// 99th percentile; empty when the source does not give it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub q99: Vec<f64>,
    /// Number of frames behind the numbers.
    #[serde(default)]
    pub count: Vec<u64>,
}

impl VectorStatistics {
    /// Exact statistics of `rows` (`[frame][dimension]`).
    #[must_use]
    pub fn compute(rows: &[Vec<f32>]) -> Self {
        let dims = rows.first().map_or(0, Vec::len);
        let mut out = Self { count: vec![rows.len() as u64], ..Self::default() };
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
            out.q99.push(percentile(&values, 0.99));
        }
        out
    }

    /// Number of dimensions.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.mean.len()
    }

    /// Statistics of the union of several sets of frames. Means and deviations are exact; percentiles of a union cannot be
    /// known from percentiles of the parts, so the outermost ones are kept.
    #[must_use]
    pub fn aggregate(parts: &[Self]) -> Self {
        let parts: Vec<&Self> = parts.iter().filter(|part| part.dims() > 0).collect();
        let Some(first) = parts.first() else { return Self::default() };
        let frames = |part: &Self| part.count.first().copied().unwrap_or(1).max(1);
        let total: u64 = parts.iter().map(|part| frames(part)).sum();
        let mut out = Self { count: vec![total], ..Self::default() };
        let quantiles = parts.iter().all(|part| part.q01.len() == part.dims());
        for dim in 0..first.dims() {
            let share = |part: &Self| frames(part) as f64 / total as f64;
            let mean: f64 = parts.iter().map(|part| share(part) * part.mean[dim]).sum();
            let variance: f64 = parts
                .iter()
                .map(|part| share(part) * (part.std[dim].powi(2) + (part.mean[dim] - mean).powi(2)))
                .sum();
            let least = |of: fn(&Self) -> &Vec<f64>| parts.iter().map(|p| of(p)[dim]).fold(f64::INFINITY, f64::min);
            let most = |of: fn(&Self) -> &Vec<f64>| parts.iter().map(|p| of(p)[dim]).fold(f64::NEG_INFINITY, f64::max);
            out.mean.push(mean);
            out.std.push(variance.sqrt());
            out.min.push(least(|p| &p.min));
            out.max.push(most(|p| &p.max));
            if quantiles {
                out.q01.push(least(|p| &p.q01));
                out.q99.push(most(|p| &p.q99));
            }
        }
        out
    }

    /// What a careful person would want to know before trusting these numbers.
    fn faults(&self, name: &str) -> Vec<String> {
        let mut out = Vec::new();
        let dims = self.dims();
        let lists = [("min", &self.min), ("max", &self.max), ("std", &self.std)];
        for (list, values) in lists {
            if values.len() != dims {
                out.push(format!("{name}.{list} has {} numbers, {name}.mean has {dims}", values.len()));
            }
        }
        for (list, values) in [("q01", &self.q01), ("q99", &self.q99)] {
            if !values.is_empty() && values.len() != dims {
                out.push(format!("{name}.{list} has {} numbers, {name}.mean has {dims}", values.len()));
            }
        }
        if !out.is_empty() {
            return out;
        }
        for dim in 0..dims {
            let all = [self.min[dim], self.max[dim], self.mean[dim], self.std[dim]];
            if all.iter().any(|v| !v.is_finite()) {
                out.push(format!("{name}[{dim}] is not finite"));
            } else if self.std[dim] < 0.0 || self.min[dim] > self.max[dim] {
                out.push(format!("{name}[{dim}]: min {} max {} std {}", self.min[dim], self.max[dim], self.std[dim]));
            }
        }
        out
    }

    /// Dimensions that never move: normalising by their spread would blow noise up.
    #[must_use]
    pub fn constant_dimensions(&self) -> Vec<usize> {
        (0..self.dims()).filter(|&dim| self.std[dim] < 1e-6).collect()
    }
}

/// Linear interpolation between order statistics, as numpy's default does.
fn percentile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let low = place.floor() as usize;
    let high = place.ceil() as usize;
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

/// Statistics of one data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// `observation.state`.
    #[serde(rename = "observation.state")]
    pub state: VectorStatistics,
    /// `action`.
    pub action: VectorStatistics,
}

impl Statistics {
    /// Exact statistics of a data set's rows.
    #[must_use]
    pub fn compute(state: &[Vec<f32>], action: &[Vec<f32>]) -> Self {
        Self { state: VectorStatistics::compute(state), action: VectorStatistics::compute(action) }
    }

    /// Statistics of several data sets taken as one.
    #[must_use]
    pub fn aggregate(parts: &[Self]) -> Self {
        let of = |pick: fn(&Self) -> &VectorStatistics| -> Vec<VectorStatistics> {
            parts.iter().map(|part| pick(part).clone()).collect()
        };
        Self {
            state: VectorStatistics::aggregate(&of(|p| &p.state)),
            action: VectorStatistics::aggregate(&of(|p| &p.action)),
        }
    }

    /// Checks shapes and values.
    ///
    /// # Errors
    /// All faults at once.
    pub fn check(&self, state_dim: usize, action_dim: usize, place: &Path) -> Result<(), DataError> {
        let mut faults = self.state.faults(STATE);
        faults.extend(self.action.faults(ACTION));
        for (name, has, wants) in [(STATE, self.state.dims(), state_dim), (ACTION, self.action.dims(), action_dim)] {
            if has != wants {
                faults.push(format!("{name} has {has} dimensions, the data set has {wants}"));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(DataError::content(place, faults.join("; "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_aggregate_to_the_whole() {
        let rows: Vec<Vec<f32>> = (0..50).map(|i| vec![(i as f32 * 0.7).sin(), i as f32]).collect();
        let whole = VectorStatistics::compute(&rows);
        let parts = [VectorStatistics::compute(&rows[..13]), VectorStatistics::compute(&rows[13..])];
        let joined = VectorStatistics::aggregate(&parts);
        for dim in 0..2 {
            assert!((whole.mean[dim] - joined.mean[dim]).abs() < 1e-9);
            assert!((whole.std[dim] - joined.std[dim]).abs() < 1e-9);
            assert_eq!(whole.min[dim], joined.min[dim]);
            assert_eq!(whole.max[dim], joined.max[dim]);
        }
        assert_eq!(joined.count, [50]);
    }

    #[test]
    fn percentiles_interpolate_between_neighbours() {
        let rows: Vec<Vec<f32>> = (0..=100).map(|i| vec![i as f32]).collect();
        let statistics = VectorStatistics::compute(&rows);
        assert!((statistics.q01[0] - 1.0).abs() < 1e-12);
        assert!((statistics.q99[0] - 99.0).abs() < 1e-12);
    }
}
