//! Clocks, stages and what a machine can do.

use std::time::Instant;

use anyhow::Context;
use candle_core::{Device, Tensor};

/// Wall and processor time, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: f64,
    pub cpu: f64,
}

impl std::ops::Sub for Cost {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { wall: self.wall - other.wall, cpu: self.cpu - other.cpu }
    }
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// A moment on both clocks.
#[derive(Clone, Copy)]
pub struct Moment {
    wall: Instant,
    cpu: f64,
}

impl Moment {
    fn now() -> Self {
        Self { wall: Instant::now(), cpu: processor_seconds() }
    }

    /// What was spent since.
    pub fn elapsed(&self) -> Cost {
        Cost { wall: self.wall.elapsed().as_secs_f64(), cpu: processor_seconds() - self.cpu }
    }
}

/// Processor time of all threads of this process.
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Times work on a device, waiting for the device to finish.
pub struct Clock {
    device: Device,
}

impl Clock {
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone() }
    }

    pub fn start(&self) -> Moment {
        Moment::now()
    }

    pub fn stop(&self, begin: Moment) -> anyhow::Result<Cost> {
        self.device.synchronize()?;
        Ok(begin.elapsed())
    }

    pub fn time<R>(&self, work: impl FnOnce() -> R) -> anyhow::Result<(R, Cost)> {
        let begin = self.start();
        let result = work();
        Ok((result, self.stop(begin)?))
    }
}

/// A stage of one observation, as in the paper's table of latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    ImageProcess,
    HistoryEncode,
    ImageEncoder,
    Prefix,
    ForesightGeneration,
    Action,
    ForesightDecode,
}

impl Stage {
    pub const ALL: [Self; 7] = [
        Self::ImageProcess,
        Self::HistoryEncode,
        Self::ImageEncoder,
        Self::Prefix,
        Self::ForesightGeneration,
        Self::Action,
        Self::ForesightDecode,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ImageProcess => "image_process",
            Self::HistoryEncode => "history_encode",
            Self::ImageEncoder => "image_encoder",
            Self::Prefix => "prefix",
            Self::ForesightGeneration => "foresight_generation",
            Self::Action => "action",
            Self::ForesightDecode => "foresight_decode",
        }
    }
}

/// The costs of each stage, one an observation.
#[derive(Default)]
pub struct Stages {
    runs: Vec<[Cost; Stage::ALL.len()]>,
}

impl Stages {
    /// One observation.
    pub fn push(&mut self, run: [Cost; Stage::ALL.len()]) {
        self.runs.push(run);
    }

    /// Every stage and the two totals: name, median and minimum.
    pub fn rows(&self) -> Vec<(&'static str, Cost, Cost)> {
        let stage = |index: usize| self.runs.iter().map(|run| run[index]).collect::<Vec<_>>();
        let sum = |count: usize| {
            let add = |run: &[Cost; Stage::ALL.len()]| {
                run[..count].iter().copied().fold(Cost::default(), |a, b| a + b)
            };
            self.runs.iter().map(add).collect::<Vec<_>>()
        };
        let mut rows: Vec<_> = Stage::ALL
            .iter()
            .enumerate()
            .map(|(index, name)| (name.name(), stage(index)))
            .collect();
        rows.push(("total_without_decode", sum(Stage::ALL.len() - 1)));
        rows.push(("total", sum(Stage::ALL.len())));
        rows.into_iter()
            .map(|(name, costs)| (name, summary(&costs, middle), summary(&costs, first)))
            .collect()
    }
}

fn summary(costs: &[Cost], pick: fn(Vec<f64>) -> f64) -> Cost {
    Cost {
        wall: pick(costs.iter().map(|cost| cost.wall).collect()),
        cpu: pick(costs.iter().map(|cost| cost.cpu).collect()),
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 0 => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}

fn first(values: Vec<f64>) -> f64 {
    values.into_iter().min_by(f64::total_cmp).unwrap_or(0.0)
}

/// What this machine multiplies: f32, 1024 x 1024 x 1024.
#[derive(Clone, Copy)]
pub struct GemmRate {
    /// GFLOP in a second of wall time.
    pub wall: f64,
    /// GFLOP in a second of processor time; `None` on an accelerator.
    pub cpu: Option<f64>,
}

/// The best of several products, by candle, on as many threads as the network uses.
pub fn gemm_rate(device: &Device, clock: &Clock) -> anyhow::Result<GemmRate> {
    const SIDE: usize = 1024;
    let gflop = 2.0 * (SIDE as f64).powi(3) * 1e-9;
    let a = Tensor::randn(0f32, 1f32, (SIDE, SIDE), device)?;
    let b = Tensor::randn(0f32, 1f32, (SIDE, SIDE), device)?;
    let mut best = Cost { wall: f64::INFINITY, cpu: f64::INFINITY };
    for _ in 0..10 {
        let (product, cost) = clock.time(|| a.matmul(&b))?;
        product.context("multiplying to rate the machine")?;
        best = Cost { wall: best.wall.min(cost.wall), cpu: best.cpu.min(cost.cpu) };
    }
    Ok(GemmRate { wall: gflop / best.wall, cpu: device.is_cpu().then_some(gflop / best.cpu) })
}

/// A memory figure of this process (`VmRSS:`, `VmHWM:`) in MB of a million bytes; `None` where
/// /proc is not kept.
pub fn memory_mb(key: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 * 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_the_stages_of_one_observation() {
        let mut stages = Stages::default();
        for factor in [1.0, 2.0, 9.0] {
            stages
                .push(std::array::from_fn(|i| Cost { wall: factor * (i + 1) as f64, cpu: factor }));
        }
        let rows = stages.rows();
        let find = |name| rows.iter().find(|row| row.0 == name).unwrap();
        let (_, median, minimum) = find("total_without_decode");
        assert_eq!((median.wall, minimum.wall), (42.0, 21.0));
        let (_, median, minimum) = find("total");
        assert_eq!((median.cpu, minimum.cpu), (14.0, 7.0));
        assert_eq!(find("action").1.wall, 12.0);
    }
}
