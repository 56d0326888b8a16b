//! The two forms of the result: a table to paste, and JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::Outcome;
use super::measure::{Cost, GemmRate, Stages};

/// What was measured, and on what.
pub struct Summary {
    pub device: &'static str,
    pub dtype: &'static str,
    pub quant: Option<&'static str>,
    /// Where there can be any.
    pub cuda_graphs: Option<bool>,
    pub threads: usize,
    pub runs: usize,
    pub cameras: usize,
    pub load: Cost,
    pub gemm: GemmRate,
    pub outcome: Outcome,
}

impl Summary {
    /// The object that `--json` prints.
    pub fn json(&self) -> Value {
        json!({
            "cold": stages_json(&self.outcome.cold),
            "steady": stages_json(&self.outcome.steady),
            "peak_rss_mb": self.outcome.peak_rss_mb,
            "device_memory_mb": self.outcome.device_memory_mb,
            "device": self.device,
            "cuda_graphs": self.cuda_graphs,
            "dtype": self.dtype,
            "threads": self.threads,
            "quant": self.quant,
            "cameras": self.cameras,
            "runs": self.runs,
            "load_ms": self.load.wall * 1e3,
            "prefix_tokens": self.outcome.prefix_tokens,
            "resident_first_mb": self.outcome.resident_mb[0],
            "resident_last_mb": self.outcome.resident_mb[1],
            "gemm_gflops": self.gemm.wall,
            "gemm_gflops_per_cpu_second": self.gemm.cpu,
        })
    }

    /// The table that people read.
    pub fn table(&self, reference: Option<&Reference>) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{} {}{}{}, {} threads, {} cameras, {} runs; {} prefix tokens; loaded in {:.2} s",
            self.device,
            self.dtype,
            self.quant.map(|quant| format!(" + {quant}")).unwrap_or_default(),
            if self.cuda_graphs == Some(true) { " with graphs" } else { "" },
            self.threads,
            self.cameras,
            self.runs,
            self.outcome.prefix_tokens,
            self.load.wall,
        );
        let _ = write!(text, "f32 GEMM {:.0} GFLOP/s", self.gemm.wall);
        if let Some(cpu) = self.gemm.cpu {
            let _ = write!(text, " ({cpu:.0} in a second of processor time)");
        }
        let megabytes = |value: Option<f64>| {
            value.map_or("unknown".to_string(), |value| format!("{value:.0} MB"))
        };
        let _ = writeln!(
            text,
            "; peak memory {}, resident after the first steady run {}, after the last {}",
            megabytes(self.outcome.peak_rss_mb),
            megabytes(self.outcome.resident_mb[0]),
            megabytes(self.outcome.resident_mb[1]),
        );
        if let Some(megabytes) = self.outcome.device_memory_mb {
            let _ = writeln!(text, "GPU memory in use {megabytes:.0} MB");
        }
        for (name, stages) in [("cold", &self.outcome.cold), ("steady", &self.outcome.steady)] {
            let _ = write!(
                text,
                "\n{name:<22}{:>11}{:>11}{:>11}{:>11}",
                "wall ms", "min", "cpu ms", "min"
            );
            let _ =
                writeln!(text, "{}", if reference.is_some() { "  cpu / reference" } else { "" });
            for (stage, median, least) in stages.rows() {
                let _ = write!(
                    text,
                    "{stage:<22}{:>11.1}{:>11.1}{:>11.1}{:>11.1}",
                    median.wall * 1e3,
                    least.wall * 1e3,
                    median.cpu * 1e3,
                    least.cpu * 1e3
                );
                match reference.and_then(|reference| reference.cpu_seconds(stage)) {
                    Some(seconds) => {
                        let _ =
                            writeln!(text, "{:>10.2} of {:.3} s", median.cpu / seconds, seconds);
                    }
                    None => text.push('\n'),
                }
            }
        }
        text
    }
}

fn stages_json(stages: &Stages) -> Value {
    let rows = stages.rows().into_iter().map(|(name, median, least)| {
        let row = json!({
            "wall_ms": median.wall * 1e3,
            "cpu_ms": median.cpu * 1e3,
            "wall_min_ms": least.wall * 1e3,
            "cpu_min_ms": least.cpu * 1e3,
        });
        (name.to_string(), row)
    });
    Value::Object(rows.collect())
}

/// Processor seconds of the reference network, by its own names of the sections.
pub struct Reference {
    table: serde_json::Map<String, Value>,
}

impl Reference {
    /// Reads a table as the reference's timing script writes it: `{"table": {SECTION:
    /// {"cpu_median_s": x}}}`.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let file: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        let table = file.get("table").and_then(Value::as_object).cloned();
        let table =
            table.with_context(|| format!("{} has no \"table\" of sections", path.display()))?;
        Ok(Self { table })
    }

    fn cpu_seconds(&self, stage: &str) -> Option<f64> {
        let section = match stage {
            "history_encode" => "vq_encode",
            "image_encoder" => "prefix_embed_siglip",
            "prefix" => "first_pass_prefix_forward",
            "foresight_generation" => "generate_4_scales",
            "action" => "action_10_steps",
            "foresight_decode" => "foresight_decode",
            "total_without_decode" => "policy_total_without_decode",
            "total" => "total",
            _ => return None,
        };
        self.table.get(section)?.get("cpu_median_s")?.as_f64()
    }
}
