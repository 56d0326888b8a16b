//! Normalisation statistics: the file `stats.json`, its checks, and the normalisation itself.
//!
//! The file is a map from a data set's name to its entry. An entry has LeRobot's names:
//! `observation.state` and `action`, each with `mean`, `std`, `min`, `max`, `count` and, if known,
//! `q01` and `q99` (lists with one number a dimension). `state` is read as `observation.state`;
//! other features of an entry (cameras, indices) are passed over, so the `meta/stats.json` of a
//! LeRobot data set is itself an entry.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::robot_file::Normalisation;

/// A spread below this is noise, not motion; dividing by it would blow the noise up.
pub const MIN_SPREAD: f64 = 1e-6;

/// Added to every divisor.
pub const EPSILON: f64 = 1e-8;

/// The largest `stats.json` that is read, bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Statistics that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatisticsError {
    /// The file cannot be read or is no `stats.json`.
    #[error("{place}: {message}")]
    File {
        /// The file.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The file has no such entry.
    #[error("no statistics named `{name}`; the file has: {known}")]
    NoEntry {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The numbers are not usable: every fault.
    #[error("statistics: {}", faults.join("; "))]
    Numbers {
        /// Every fault, with its feature and dimension.
        faults: Vec<String>,
    },
}

/// Statistics of one vector feature, one number a dimension.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VectorStatistics {
    /// Least value.
    pub min: Vec<f64>,
    /// Greatest value.
    pub max: Vec<f64>,
    /// Mean.
    pub mean: Vec<f64>,
    /// Standard deviation.
    pub std: Vec<f64>,
    /// First percentile; empty when the source does not give it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub q01: Vec<f64>,
    /// 99th percentile; empty when the source does not give it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub q99: Vec<f64>,
    /// Number of frames behind the numbers, as a list of one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub count: Vec<u64>,
    /// Dimensions that training left out (a joint that never moves): the network saw 0 there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<usize>,
}

impl VectorStatistics {
    /// Number of dimensions.
    pub fn dims(&self) -> usize {
        self.mean.len()
    }

    /// Every reason not to trust the numbers; `name` is the feature's, `dims` the length it must
    /// have.
    pub fn faults(&self, name: &str, dims: usize) -> Vec<String> {
        let mut faults = Vec::new();
        let lists = [
            ("mean", &self.mean, true),
            ("std", &self.std, true),
            ("min", &self.min, true),
            ("max", &self.max, true),
            ("q01", &self.q01, false),
            ("q99", &self.q99, false),
        ];
        for (list, values, required) in lists {
            if values.len() != dims && (required || !values.is_empty()) {
                faults.push(format!("{name}.{list} has {} numbers, not {dims}", values.len()));
            }
            for (i, value) in values.iter().enumerate().filter(|(_, value)| !value.is_finite()) {
                faults.push(format!("{name}.{list}[{i}] is {value}"));
            }
        }
        for (i, std) in self.std.iter().enumerate().filter(|(_, std)| **std < 0.0) {
            faults.push(format!("{name}.std[{i}] is negative: {std}"));
        }
        for (low, high, lows, highs) in
            [("min", "max", &self.min, &self.max), ("q01", "q99", &self.q01, &self.q99)]
        {
            for (i, (a, b)) in lows.iter().zip(highs).enumerate().filter(|(_, (a, b))| a > b) {
                faults.push(format!("{name}.{low}[{i}] = {a} is greater than {high} = {b}"));
            }
        }
        faults
    }
}

/// Statistics of one data set: an entry of `stats.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetStatistics {
    /// Of the state vector.
    #[serde(rename = "observation.state", alias = "state")]
    pub state: VectorStatistics,
    /// Of the action, as the action layout writes it.
    pub action: VectorStatistics,
}

impl DatasetStatistics {
    /// Checks shapes and values.
    ///
    /// # Errors
    /// All faults at once.
    pub fn check(&self, state_dim: usize, action_dim: usize) -> Result<(), StatisticsError> {
        let mut faults = self.state.faults("observation.state", state_dim);
        faults.extend(self.action.faults("action", action_dim));
        if faults.is_empty() { Ok(()) } else { Err(StatisticsError::Numbers { faults }) }
    }
}

/// `stats.json`: one entry a data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatisticsFile {
    /// The entries by the data set's name.
    pub entries: BTreeMap<String, DatasetStatistics>,
}

impl StatisticsFile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`StatisticsError::File`] with the place of the fault.
    pub fn parse(text: &str) -> Result<Self, StatisticsError> {
        serde_json::from_str(text).map_err(|error| StatisticsError::File {
            place: "stats.json".into(),
            message: error.to_string(),
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`StatisticsError::File`] with the path.
    pub fn load(path: &Path) -> Result<Self, StatisticsError> {
        let fail =
            |message: String| StatisticsError::File { place: path.display().to_string(), message };
        let file = std::fs::File::open(path).map_err(|error| fail(error.to_string()))?;
        let mut text = String::new();
        let read = file
            .take(MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(|e| fail(e.to_string()))?;
        if read as u64 > MAX_FILE_BYTES {
            return Err(fail(format!("larger than {MAX_FILE_BYTES} bytes")));
        }
        serde_json::from_str(&text).map_err(|error| fail(error.to_string()))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`StatisticsError::File`] with the path.
    pub fn save(&self, path: &Path) -> Result<(), StatisticsError> {
        let fail =
            |message: String| StatisticsError::File { place: path.display().to_string(), message };
        let text = serde_json::to_string_pretty(self).map_err(|error| fail(error.to_string()))?;
        std::fs::write(path, text + "\n").map_err(|error| fail(error.to_string()))
    }

    /// The entry called `name`.
    ///
    /// # Errors
    /// [`StatisticsError::NoEntry`] with the names there are.
    pub fn get(&self, name: &str) -> Result<&DatasetStatistics, StatisticsError> {
        self.entries.get(name).ok_or_else(|| StatisticsError::NoEntry {
            name: name.into(),
            known: self.entries.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }
}

/// A normalisation and its inverse: `normalised = (raw - offset) / divisor + shift`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normaliser {
    offset: Vec<f64>,
    divisor: Vec<f64>,
    shift: f64,
    /// Dimensions without meaning: 0 when they are normalised.
    ignored: Vec<bool>,
    /// What an ignored dimension is when it is denormalised: the mean of one that training left
    /// out, 0 of any other.
    rest: Vec<f64>,
}

impl Normaliser {
    /// A normaliser for vectors of `ignored.len()` numbers; `ignored` marks dimensions without
    /// meaning (padding), whose statistics are not looked at. `name` is the feature's, for
    /// messages.
    ///
    /// # Errors
    /// [`StatisticsError::Numbers`] with every list of the wrong length, value that is not finite,
    /// and spread that is smaller than [`MIN_SPREAD`].
    pub fn new(
        statistics: &VectorStatistics,
        kind: Normalisation,
        ignored: &[bool],
        name: &str,
    ) -> Result<Self, StatisticsError> {
        let dims = ignored.len();
        let mut faults = Vec::new();
        let mut ignored = ignored.to_vec();
        let mut rest = vec![0.0; dims];
        for dim in &statistics.ignored {
            match (ignored.get_mut(*dim), statistics.mean.get(*dim)) {
                (Some(ignored), Some(mean)) => (*ignored, rest[*dim]) = (true, *mean),
                _ => faults.push(format!("{name}.ignored: there is no dimension {dim}")),
            }
        }
        if kind == Normalisation::None && faults.is_empty() {
            return Ok(Self { rest, ..Self::identity(&ignored) });
        }
        let (offset, high, spread_name) = match kind {
            Normalisation::MeanStd => (&statistics.mean, None, "std"),
            Normalisation::MinMax => (&statistics.min, Some(&statistics.max), "max - min"),
            _ => (&statistics.q01, Some(&statistics.q99), "q99 - q01"),
        };
        for (list, values) in [("offset", offset), (spread_name, high.unwrap_or(&statistics.std))] {
            if values.len() != dims {
                faults.push(format!("{name}: {} numbers for {list}, not {dims}", values.len()));
            }
        }
        if !faults.is_empty() {
            return Err(StatisticsError::Numbers { faults });
        }
        let mut divisor = Vec::with_capacity(dims);
        for i in 0..dims {
            let spread = match high {
                Some(high) => high[i] - offset[i],
                None => statistics.std[i],
            };
            if !ignored[i] {
                if !offset[i].is_finite() || !spread.is_finite() {
                    faults.push(format!("{name}[{i}] is not finite"));
                } else if spread < MIN_SPREAD {
                    faults.push(format!(
                        "{name}[{i}]: the spread {spread_name} = {spread} is too small to divide by"
                    ));
                }
            }
            divisor.push(spread + EPSILON);
        }
        if !faults.is_empty() {
            return Err(StatisticsError::Numbers { faults });
        }
        let mut normaliser = Self { offset: offset.clone(), divisor, shift: 0.0, ignored, rest };
        if kind == Normalisation::Quantile {
            // 2 (x - q01) / d - 1 is (x - q01) / (d / 2) - 1.
            normaliser.divisor.iter_mut().for_each(|divisor| *divisor *= 0.5);
            normaliser.shift = -1.0;
        }
        Ok(normaliser)
    }

    /// A normaliser that changes nothing.
    pub fn identity(ignored: &[bool]) -> Self {
        Self {
            offset: vec![0.0; ignored.len()],
            divisor: vec![1.0; ignored.len()],
            shift: 0.0,
            ignored: ignored.to_vec(),
            rest: vec![0.0; ignored.len()],
        }
    }

    /// Number of dimensions.
    pub fn dims(&self) -> usize {
        self.offset.len()
    }

    /// Raw to normalised, in place; entries beyond [`Self::dims`] are left alone.
    pub fn normalise(&self, row: &mut [f64]) {
        for (i, value) in row.iter_mut().enumerate().take(self.dims()) {
            *value = if self.ignored[i] {
                0.0
            } else {
                (*value - self.offset[i]) / self.divisor[i] + self.shift
            };
        }
    }

    /// Normalised to raw, in place; entries beyond [`Self::dims`] are left alone.
    pub fn denormalise(&self, row: &mut [f64]) {
        for (i, value) in row.iter_mut().enumerate().take(self.dims()) {
            *value = if self.ignored[i] {
                self.rest[i]
            } else {
                (*value - self.shift) * self.divisor[i] + self.offset[i]
            };
        }
    }
}
