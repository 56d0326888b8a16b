//! The statistics that LeRobot keeps beside a data set: each column's min, max, mean, std, count
//! and quantiles, under the names that version 0.6.1 of the package uses.

use image::RgbImage;
use serde_json::{Map, Value, json};

use super::table::numbers;
use f1_robot::statistics::{DatasetStatistics, VectorStatistics};

/// Vectors of the episode that is being written.
#[derive(Debug, Default)]
pub(super) struct Vectors {
    /// `[frame][dimension]`.
    state: Vec<Vec<f32>>,
    /// `[frame][dimension]`.
    action: Vec<Vec<f32>>,
    /// The column of booleans, where there is one.
    pub flag: Vec<bool>,
    /// Index of the instruction, one a frame.
    pub task_index: Vec<i64>,
}

impl Vectors {
    pub fn push(&mut self, state: &[f32], action: &[f32], task_index: i64) {
        self.state.push(state.to_vec());
        self.action.push(action.to_vec());
        self.task_index.push(task_index);
    }

    pub fn len(&self) -> usize {
        self.task_index.len()
    }
}

/// How often each value was seen in one camera's channels.
#[derive(Debug, Clone)]
pub(super) struct PixelSums {
    /// `[channel][value]`.
    counts: [Vec<u64>; 3],
    frames: u64,
}

impl PixelSums {
    pub fn new() -> Self {
        Self { counts: std::array::from_fn(|_| vec![0; 256]), frames: 0 }
    }

    /// Every fourth pixel of a frame: these numbers are for people and for ImageNet-style input,
    /// which F1 does not use.
    pub fn add(&mut self, image: &RgbImage) {
        for pixel in image.pixels().step_by(4) {
            for (counts, value) in self.counts.iter_mut().zip(pixel.0) {
                counts[usize::from(value)] += 1;
            }
        }
        self.frames += 1;
    }

    /// Statistics of the values, each in 0..1.
    fn statistics(&self) -> VectorStatistics {
        let mut out = VectorStatistics { count: vec![self.frames], ..VectorStatistics::default() };
        for counts in &self.counts {
            let seen = || counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let values = || seen().map(|(value, count)| (value as f64 / 255.0, *count as f64));
            let pixels: f64 = values().map(|(_, count)| count).sum();
            let mean = values().map(|(value, count)| value * count).sum::<f64>() / pixels;
            let squares = values().map(|(value, count)| value * value * count).sum::<f64>();
            out.min.push(values().map(|(value, _)| value).next().unwrap_or(0.0));
            out.max.push(values().map(|(value, _)| value).next_back().unwrap_or(0.0));
            out.mean.push(mean);
            out.std.push((squares / pixels - mean * mean).max(0.0).sqrt());
            let quantile = |share: f64| {
                let mut below = 0.0;
                let reached = values().find(|(_, count)| {
                    below += count;
                    below >= share * pixels
                });
                reached.map_or(0.0, |(value, _)| value)
            };
            out.q01.push(quantile(0.01));
            out.q10.push(quantile(0.10));
            out.q50.push(quantile(0.50));
            out.q90.push(quantile(0.90));
            out.q99.push(quantile(0.99));
        }
        out
    }
}

/// Statistics of every column of one episode, in column order.
pub(super) type ColumnStatistics = Vec<(String, VectorStatistics)>;

pub(super) fn episode_statistics(
    cameras: &[String],
    sums: &[PixelSums],
    vectors: &Vectors,
    (episode, first_index): (usize, usize),
    fps: f64,
    flag: Option<&String>,
) -> ColumnStatistics {
    let mut out: ColumnStatistics =
        cameras.iter().zip(sums).map(|(name, sums)| (name.clone(), sums.statistics())).collect();
    out.push((super::STATE.into(), crate::statistics::of_rows(&vectors.state)));
    out.push((super::ACTION.into(), crate::statistics::of_rows(&vectors.action)));
    let scalar = |value: &dyn Fn(usize) -> f64| {
        let column: Vec<Vec<f32>> = (0..vectors.len()).map(|i| vec![value(i) as f32]).collect();
        crate::statistics::of_rows(&column)
    };
    if let Some(flag) = flag {
        out.push((flag.clone(), scalar(&|i| f64::from(u8::from(vectors.flag[i])))));
    }
    out.push(("timestamp".into(), scalar(&|i| i as f64 / fps)));
    out.push(("frame_index".into(), scalar(&|i| i as f64)));
    out.push(("episode_index".into(), scalar(&|_| episode as f64)));
    out.push(("index".into(), scalar(&|i| (first_index + i) as f64)));
    out.push(("task_index".into(), scalar(&|i| vectors.task_index[i] as f64)));
    out
}

/// Images' statistics have shape `[3, 1, 1]` in these files, vectors' `[dimensions]`.
pub(super) fn to_json(statistics: &ColumnStatistics, cameras: &[String]) -> Value {
    let mut out = Map::new();
    for (name, column) in statistics {
        let image = cameras.contains(name);
        let list = |values: &[f64]| match image {
            true => values.iter().map(|v| json!([[v]])).collect::<Value>(),
            false => json!(values),
        };
        let mut entry = Map::new();
        for (key, values) in fields(column) {
            entry.insert(key.into(), list(values));
        }
        entry.insert("count".into(), json!(column.count));
        out.insert(name.clone(), Value::Object(entry));
    }
    Value::Object(out)
}

/// The lists of numbers a column has, under their names.
pub(super) fn fields(column: &VectorStatistics) -> Vec<(&'static str, &[f64])> {
    let lists: [(&'static str, &[f64]); 9] = [
        ("min", &column.min),
        ("max", &column.max),
        ("mean", &column.mean),
        ("std", &column.std),
        ("q01", &column.q01),
        ("q10", &column.q10),
        ("q50", &column.q50),
        ("q90", &column.q90),
        ("q99", &column.q99),
    ];
    lists.into_iter().filter(|(_, values)| !values.is_empty()).collect()
}

/// Reads state and action out of one `stats` object; nothing when either is missing.
pub(super) fn from_json(value: &Value) -> Option<DatasetStatistics> {
    let column = |name: &str| -> Option<VectorStatistics> {
        let entry = value.get(name)?;
        let list = |key: &str| numbers(&entry[key]);
        let statistics = VectorStatistics {
            min: list("min"),
            max: list("max"),
            mean: list("mean"),
            std: list("std"),
            q01: list("q01"),
            q10: list("q10"),
            q50: list("q50"),
            q90: list("q90"),
            q99: list("q99"),
            count: list("count").into_iter().map(|v| v as u64).collect(),
            ignored: Vec::new(),
        };
        (!statistics.mean.is_empty()).then_some(statistics)
    };
    Some(DatasetStatistics { state: column(super::STATE)?, action: column(super::ACTION)? })
}
