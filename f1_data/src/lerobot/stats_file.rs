//! The statistics that LeRobot keeps beside a data set: each column's min, max, mean, std and
//! count.

use image::RgbImage;
use serde_json::{Map, Value, json};

use super::table::{Rows, numbers};
use f1_robot::statistics::{DatasetStatistics, VectorStatistics};

/// Running sums of one camera's pixel values, each in 0..1.
#[derive(Debug, Clone)]
pub(super) struct PixelSums {
    min: [f64; 3],
    max: [f64; 3],
    sum: [f64; 3],
    squares: [f64; 3],
    pixels: f64,
    frames: u64,
}

impl PixelSums {
    pub fn new() -> Self {
        Self {
            min: [f64::INFINITY; 3],
            max: [f64::NEG_INFINITY; 3],
            sum: [0.0; 3],
            squares: [0.0; 3],
            pixels: 0.0,
            frames: 0,
        }
    }

    /// Every fourth pixel of a frame: these numbers are for people and for ImageNet-style input,
    /// which F1 does not use.
    pub fn add(&mut self, image: &RgbImage) {
        for pixel in image.pixels().step_by(4) {
            for channel in 0..3 {
                let value = f64::from(pixel.0[channel]) / 255.0;
                self.min[channel] = self.min[channel].min(value);
                self.max[channel] = self.max[channel].max(value);
                self.sum[channel] += value;
                self.squares[channel] += value * value;
            }
            self.pixels += 1.0;
        }
        self.frames += 1;
    }

    fn statistics(&self) -> VectorStatistics {
        let mean: Vec<f64> = self.sum.iter().map(|sum| sum / self.pixels).collect();
        let std = (0..3)
            .map(|c| (self.squares[c] / self.pixels - mean[c] * mean[c]).max(0.0).sqrt())
            .collect();
        VectorStatistics {
            min: self.min.to_vec(),
            max: self.max.to_vec(),
            mean,
            std,
            count: vec![self.frames],
            ..VectorStatistics::default()
        }
    }
}

/// Statistics of every column of one episode, in column order.
pub(super) type ColumnStatistics = Vec<(String, VectorStatistics)>;

pub(super) fn episode_statistics(
    cameras: &[String],
    sums: &[PixelSums],
    rows: &Rows,
    episode: usize,
    first_index: usize,
    fps: f64,
) -> ColumnStatistics {
    let mut out: ColumnStatistics =
        cameras.iter().zip(sums).map(|(name, sums)| (name.clone(), sums.statistics())).collect();
    out.push((super::STATE.into(), crate::statistics::of_rows(&rows.state)));
    out.push((super::ACTION.into(), crate::statistics::of_rows(&rows.action)));
    let scalar = |value: &dyn Fn(usize) -> f64| {
        let column: Vec<Vec<f32>> = (0..rows.len()).map(|i| vec![value(i) as f32]).collect();
        crate::statistics::of_rows(&column)
    };
    out.push(("timestamp".into(), scalar(&|i| i as f64 / fps)));
    out.push(("frame_index".into(), scalar(&|i| i as f64)));
    out.push(("episode_index".into(), scalar(&|_| episode as f64)));
    out.push(("index".into(), scalar(&|i| (first_index + i) as f64)));
    out.push(("task_index".into(), scalar(&|i| rows.task_index[i] as f64)));
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
    let mut out: Vec<(&'static str, &[f64])> = vec![
        ("min", &column.min),
        ("max", &column.max),
        ("mean", &column.mean),
        ("std", &column.std),
    ];
    if !column.q01.is_empty() {
        out.push(("q01", &column.q01));
        out.push(("q99", &column.q99));
    }
    out
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
            q99: list("q99"),
            count: list("count").into_iter().map(|v| v as u64).collect(),
            ignored: Vec::new(),
        };
        (!statistics.mean.is_empty()).then_some(statistics)
    };
    Some(DatasetStatistics { state: column(super::STATE)?, action: column(super::ACTION)? })
}
