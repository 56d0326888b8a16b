//! What all episodes of a run came to: the summary and the table.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use f1_sim::Outcome;
use f1_sim::score::{Score, TRUSTED};
use f1_sim::showcase::{quantile, wilson};
use serde_json::{Value, json};

use super::graph::Played;

/// The results of all episodes.
#[derive(Default)]
pub struct Tally {
    /// Episodes that were played to their end.
    pub episodes: u64,
    /// Those in which the task was done.
    pub successes: u64,
    /// Those in which something happened in mid-episode.
    pub disturbed: u64,
    violations: u64,
    events: usize,
    starved: u64,
    /// Of each chunk, ms.
    pub latency_ms: Vec<f64>,
    /// Foresight against what came.
    pub score: Score,
    /// Chunks, and what they cost.
    processor: Duration,
    chunks: u64,
    /// Passes of the generation expert.
    pub generations: u64,
    ends: BTreeMap<String, u64>,
    rules: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts an episode.
    pub fn add(&mut self, played: &Played) {
        self.episodes += 1;
        self.successes += u64::from(played.outcome == Outcome::Success);
        self.disturbed += u64::from(played.disturbed.is_some());
        self.violations += played.violations;
        self.events += played.events.len();
        self.starved += played.starved;
        self.latency_ms.extend(&played.latency_ms);
        self.score.merge(&played.score);
        self.processor += played.processor.total();
        self.chunks += played.latency_ms.len() as u64;
        self.generations += played.generations;
        *self.ends.entry(format!("{:?}", played.outcome)).or_default() += 1;
        for event in &played.events {
            *self.rules.entry(event.rule.clone()).or_default() += 1;
        }
    }

    /// Median and 99th percentile of the latencies, ms.
    fn latencies(&self) -> (f64, f64) {
        let mut sorted = self.latency_ms.clone();
        sorted.sort_by(f64::total_cmp);
        (quantile(&sorted, 0.5), quantile(&sorted, 0.99))
    }

    /// Processor time of a chunk with everything beside it (history frames, foresight, its error),
    /// ms.
    pub fn cpu_ms(&self) -> Option<f64> {
        (self.chunks > 0).then(|| self.processor.as_secs_f64() * 1e3 / self.chunks as f64)
    }

    /// The numbers, for scripts.
    pub fn summary(&self) -> Value {
        let (p50, p99) = self.latencies();
        let found = self.score.detector();
        json!({
            "episodes": self.episodes,
            "successes": self.successes,
            "success_rate": self.successes as f64 / self.episodes.max(1) as f64,
            "interval": wilson(self.successes, self.episodes),
            "disturbed": self.disturbed,
            "violations": self.violations,
            "cpu_ms": self.cpu_ms(),
            "chunks": self.chunks,
            "generation_passes": self.generations,
            "latency_ms": {"p50": p50, "p99": p99},
            "foresight": self.score.numbers(),
            "detector": {"true_images": found, "trusted": found.is_some_and(|share| share >= TRUSTED)},
            "safety_events": self.events,
            "starved": self.starved,
            "outcomes": self.ends,
            "safety_rules": self.rules,
        })
    }

    /// The numbers, for a terminal; `out` is where images and summary are.
    pub fn table(&self, out: &Path) -> String {
        let [low, high] = wilson(self.successes, self.episodes);
        let (p50, p99) = self.latencies();
        let mut rows = vec![
            (
                "success",
                format!(
                    "{} of {} ({:.0} %, 95 % interval {:.0} to {:.0} %)",
                    self.successes,
                    self.episodes,
                    100.0 * self.successes as f64 / self.episodes.max(1) as f64,
                    100.0 * low,
                    100.0 * high
                ),
            ),
            ("limits broken at the controllers", self.violations.to_string()),
            ("safety events", self.events.to_string()),
            ("chunks used up before the next came", self.starved.to_string()),
            (
                "latency of a chunk",
                match p50.is_nan() {
                    true => "no chunk".to_string(),
                    false => format!("median {p50:.0} ms, 99 % below {p99:.0} ms"),
                },
            ),
        ];
        if let Some(cpu) = self.cpu_ms() {
            rows.push(("processor time a chunk, whole policy", format!("{cpu:.0} ms")));
        }
        if self.disturbed > 0 {
            rows.push(("episodes that were disturbed", self.disturbed.to_string()));
        }
        rows.extend(self.foresight_rows());
        rows.push(("images, recording, summary", out.display().to_string()));
        let mut table = String::from("\n");
        for (name, value) in rows {
            table.push_str(&format!("  {name:<36} {value}\n"));
        }
        table
    }

    /// Foresight beside the newest frame repeated; nothing for a policy that foresees nothing.
    fn foresight_rows(&self) -> Vec<(&'static str, String)> {
        let numbers = self.score.numbers();
        if numbers.frames == 0 {
            return Vec::new();
        }
        let number = |value: Option<f64>, digits: usize, unit: &str| {
            value.map_or("-".to_owned(), |value| format!("{value:.digits$}{unit}"))
        };
        let percent = |share: Option<f64>| number(share.map(|share| 100.0 * share), 1, " %");
        let beside = |foreseen: String, repeated: String| {
            format!("{foreseen}, newest frame repeated {repeated}")
        };
        let decibels = |value| number(value, 1, " dB");
        let mut rows = vec![
            (
                "foresight, whole image",
                beside(decibels(numbers.psnr), decibels(numbers.psnr_repeat)),
            ),
            (
                "foresight, changed pixels",
                beside(decibels(numbers.psnr_changed), decibels(numbers.psnr_changed_repeat)),
            ),
            (
                "foresight, SSIM",
                beside(number(numbers.ssim, 3, ""), number(numbers.ssim_repeat, 3, "")),
            ),
            (
                "objects foreseen in place and colour",
                beside(percent(numbers.objects), percent(numbers.objects_repeat)),
            ),
            ("false objects an image", number(numbers.false_objects, 2, "")),
            ("foreseen tokens that came", percent(numbers.token_accuracy)),
            ("foreseen images compared", numbers.frames.to_string()),
        ];
        let found = self.score.detector();
        if found.is_some_and(|share| share < TRUSTED) {
            rows.push((
                "the detector is not to be trusted",
                format!("it finds {} of the objects in true images", percent(found)),
            ));
        }
        rows
    }
}
