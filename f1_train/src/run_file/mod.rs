//! The run file: one YAML a run.

mod names;
mod sections;

use std::path::{Path, PathBuf};

use f1_model::parameters::Group;
use serde::{Deserialize, Serialize};

pub use self::names::{
    Crop, DeviceName, GroupName, NormalisationName, Precision, Reduction, Stage,
};
pub use self::sections::{
    DataSection, LoraSection, LossSection, ModelSection, Rates, SourceSection,
};
use crate::optimizer::AdamW;
use crate::schedule::{Schedule, Shape};
use crate::{Result, TrainError};

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// What is trained.
    pub stage: Stage,
    /// Folder of the run: metrics, checkpoints, the trained model.
    pub output: PathBuf,
    /// Seed of everything random.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Device.
    #[serde(default)]
    pub device: DeviceName,
    /// Number type.
    #[serde(default)]
    pub precision: Precision,
    /// The model.
    pub model: ModelSection,
    /// The data.
    pub data: DataSection,
    /// Samples a batch on one device.
    pub batch: usize,
    /// Batches whose gradients are added before an update.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Updates; or `epochs`.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Passes over all samples; or `steps`.
    #[serde(default)]
    pub epochs: Option<f64>,
    /// Learning rates.
    pub learning_rate: Rates,
    /// Schedule.
    pub schedule: Schedule,
    /// AdamW.
    #[serde(default)]
    pub optimizer: AdamW,
    /// Loss.
    #[serde(default)]
    pub loss: LossSection,
    /// Groups that are not trained although the stage trains them.
    #[serde(default)]
    pub freeze: Vec<GroupName>,
    /// Adapters.
    #[serde(default)]
    pub lora: Option<LoraSection>,
    /// Decay of an exponential average of the weights, kept beside them.
    #[serde(default)]
    pub ema: Option<f64>,
    /// Updates between two lines of the journal.
    #[serde(default = "ten")]
    pub log_every: u64,
    /// Updates between two checkpoints.
    #[serde(default = "thousand")]
    pub save_every: u64,
    /// Checkpoints kept; 0 writes none but where a run is stopped before its end.
    #[serde(default = "two")]
    pub keep: usize,
}

fn seed() -> u64 {
    42
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

fn ten() -> u64 {
    10
}

fn thousand() -> u64 {
    1000
}

impl RunFile {
    /// Reads a run file; `${NAME}` stands for an environment variable.
    ///
    /// # Errors
    /// With the place of a fault, or all faults of the values at once.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(TrainError::io(path))?;
        Self::parse(&text, &place, overrides)
    }

    /// Reads a run from text; `overrides` are `key.key=value` from the command line.
    ///
    /// # Errors
    /// As [`RunFile::load`].
    pub fn parse(text: &str, place: &str, overrides: &[String]) -> Result<Self> {
        Self::parse_with(text, place, overrides, |name| std::env::var(name).ok())
    }

    /// As [`RunFile::parse`], with the values of `${NAME}` from `lookup`.
    ///
    /// # Errors
    /// As [`RunFile::load`].
    pub fn parse_with(
        text: &str,
        place: &str,
        overrides: &[String],
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let fault = |what: String| TrainError::Run { place: place.to_owned(), faults: vec![what] };
        let text = expand(text, lookup).map_err(fault)?;
        let run: Self = serde_saphyr::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let run = if overrides.is_empty() {
            run
        } else {
            let mut value = serde_json::to_value(&run).map_err(|error| fault(error.to_string()))?;
            for change in overrides {
                replace(&mut value, change).map_err(fault)?;
            }
            serde_json::from_value(value).map_err(|error| fault(error.to_string()))?
        };
        let faults = run.faults();
        if faults.is_empty() {
            Ok(run)
        } else {
            Err(TrainError::Run { place: place.to_owned(), faults })
        }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |good: bool, what: &str| {
            if !good {
                faults.push(what.to_owned());
            }
        };
        check(!self.data.sources.is_empty(), "data.sources is empty");
        for (name, source) in &self.data.sources {
            let Some(other) = &source.statistics_of else { continue };
            let given = self.data.sources.get(other);
            check(
                given.is_some_and(|given| given.statistics_of.is_none())
                    && source.statistics.is_none(),
                &format!(
                    "data.sources.{name}.statistics_of is `{other}`: it must name another source, one with \
                     statistics of its own, and excludes `statistics`"
                ),
            );
        }
        check(self.batch > 0, "batch must be positive");
        check(self.accumulate > 0, "accumulate must be positive");
        check(
            self.log_every > 0 && self.save_every > 0,
            "log_every and save_every must be positive",
        );
        check(self.steps.is_some() != self.epochs.is_some(), "give either steps or epochs");
        check(self.learning_rate.default >= 0.0, "learning_rate.default must not be negative");
        check(self.ema.is_none_or(|decay| (0.0..1.0).contains(&decay)), "ema must lie in 0..1");
        check(
            self.loss.chroma >= 0.0 && self.loss.input_noise >= 0.0,
            "loss.chroma and loss.input_noise must not be negative",
        );
        check(
            (0.0..=1.0).contains(&self.loss.hide_foresight),
            "loss.hide_foresight must lie in 0 to 1",
        );
        check(
            (0.0..=1.0).contains(&self.loss.unquantised_share),
            "loss.unquantised_share must lie in 0..=1",
        );
        check(self.loss.flow_draws > 0, "loss.flow_draws must be positive");
        check(self.data.workers > 0, "data.workers must be positive");
        let lora = self.lora.as_ref();
        check(
            lora.is_none_or(|lora| lora.rank > 0 && !lora.groups.is_empty()),
            "lora needs a rank and groups",
        );
        check(
            lora.is_none() || self.stage != Stage::Tokenizer,
            "lora is for the experts, not for the tokenizer",
        );
        check(
            self.schedule.shape == Shape::Constant || self.schedule.min_ratio <= 1.0,
            "schedule.min_ratio must not exceed 1",
        );
        faults
    }

    /// Whether the run trains this group's own weights.
    #[must_use]
    pub fn trains(&self, group: Group) -> bool {
        let frozen = self.freeze.iter().any(|name| Group::from(*name) == group);
        self.stage.groups().contains(&group) && !frozen && !self.adapts(group)
    }

    /// Whether the run trains adapters on this group.
    #[must_use]
    pub fn adapts(&self, group: Group) -> bool {
        self.lora
            .as_ref()
            .is_some_and(|lora| lora.groups.iter().any(|name| Group::from(*name) == group))
    }
}

/// Puts environment variables in place of `${NAME}`.
fn expand(
    text: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> std::result::Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find("${") {
        let Some(length) = rest[open..].find('}') else { break };
        let name = &rest[open + 2..open + length];
        let value =
            lookup(name).ok_or_else(|| format!("environment variable {name} is not set"))?;
        out.push_str(&rest[..open]);
        out.push_str(&value);
        rest = &rest[open + length + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Applies `key.key=value`, the value read as YAML.
fn replace(value: &mut serde_json::Value, change: &str) -> std::result::Result<(), String> {
    let (path, text) =
        change.split_once('=').ok_or_else(|| format!("`{change}` is not key=value"))?;
    let new: serde_json::Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let mut target = value;
    for key in path.split('.') {
        let object = target
            .as_object_mut()
            .ok_or_else(|| format!("`{path}`: `{key}` is below a plain value"))?;
        target = object.entry(key).or_insert(serde_json::Value::Null);
        if target.is_null() {
            *target = serde_json::Value::Object(serde_json::Map::new());
        }
    }
    *target = new;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "
stage: stage3
output: runs/x
model: {config: models/x}
data:
  sources:
    bench: {path: data/bench, n_obs_img_steps: 12, n_pred_img_steps: 3, obs_img_stride: 3}
batch: 8
steps: 100
learning_rate: {default: 5e-5, vision: 2.5e-5}
schedule: {shape: cosine, warmup_steps: 10}
";

    #[test]
    fn defaults_are_the_recipes() {
        let run = RunFile::parse(RUN, "run", &[]).unwrap();
        assert_eq!(run.optimizer.betas, [0.9, 0.95]);
        assert_eq!(run.optimizer.weight_decay, 1e-10);
        assert_eq!(run.loss.generation_weight, 0.1);
        assert_eq!(run.learning_rate.of(Group::Vision), 2.5e-5);
        assert_eq!(run.learning_rate.of(Group::Action), 5e-5);
        assert!(run.trains(Group::Action) && !run.trains(Group::Tokenizer));
    }

    #[test]
    fn a_value_of_the_command_line_replaces_that_of_the_file() {
        let changes = ["steps=7".to_owned(), "learning_rate.default=1e-3".to_owned()];
        let run = RunFile::parse(RUN, "run", &changes).unwrap();
        assert_eq!((run.steps, run.learning_rate.default), (Some(7), 1e-3));
        assert!(RunFile::parse(RUN, "run", &["stepz=7".to_owned()]).is_err());
    }

    #[test]
    fn a_source_can_use_the_statistics_of_another() {
        let with = |line: &str| {
            let more = format!(
                "obs_img_stride: 3}}\n    more: {{path: data/more, n_obs_img_steps: 12, n_pred_img_steps: 3, obs_img_stride: 3, {line}}}"
            );
            RunFile::parse(&RUN.replace("obs_img_stride: 3}", &more), "run.yaml", &[])
        };
        assert!(with("statistics_of: bench").is_ok());
        for line in [
            "statistics_of: bank",
            "statistics_of: more",
            "statistics_of: bench, statistics: stats.json",
        ] {
            let message = with(line).unwrap_err().to_string();
            assert!(message.contains("data.sources.more.statistics_of"), "{message}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_their_place() {
        let text = RUN.replace("batch: 8", "batch: 8\nbatches: 9");
        let message = RunFile::parse(&text, "run.yaml", &[]).unwrap_err().to_string();
        assert!(message.contains("batches"), "{message}");
    }

    #[test]
    fn all_faults_are_listed_at_once() {
        let text =
            RUN.replace("batch: 8", "batch: 0").replace("steps: 100", "steps: 100\nepochs: 2");
        let message = RunFile::parse(&text, "run.yaml", &[]).unwrap_err().to_string();
        assert!(
            message.contains("batch must") && message.contains("either steps or epochs"),
            "{message}"
        );
    }
}
