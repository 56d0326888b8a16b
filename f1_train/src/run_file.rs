//! The run file: one YAML a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use f1_data::augment::Augmentation;
use f1_model::parameters::Group;
use f1_model::training::LossReduction;
use f1_robot::robot_file::Normalisation;
use serde::{Deserialize, Serialize};

use crate::optimizer::AdamW;
use crate::schedule::{Schedule, Shape};
use crate::{Result, TrainError};

/// What a run trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The image tokenizer by itself.
    Tokenizer,
    /// The generation expert, teacher forced, all scales.
    Stage1,
    /// All three experts on a mixture.
    Stage2,
    /// All three experts on a task.
    Stage3,
}

impl Stage {
    /// Groups the stage trains unless the run freezes some.
    #[must_use]
    pub fn groups(self) -> &'static [Group] {
        match self {
            Self::Tokenizer => &[Group::Tokenizer],
            Self::Stage1 => &[Group::Generation],
            Self::Stage2 | Self::Stage3 => {
                &[Group::Vision, Group::Understanding, Group::Generation, Group::Action]
            }
        }
    }
}

/// Where weights come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSection {
    /// `config.json`, a folder with one, or the name of a preset (released, released-2 ..
    /// released-10, pi0).
    pub config: PathBuf,
    /// Checkpoint to start from; fresh weights without one.
    #[serde(default)]
    pub init: Option<PathBuf>,
    /// Tokenizer weights to put over those of `init`: a checkpoint of ours or a VAR `.pth`.
    #[serde(default)]
    pub image_tokenizer: Option<PathBuf>,
    /// `tokenizer.json` of the prompt; beside `init` or `config` without it.
    #[serde(default)]
    pub prompt_tokenizer: Option<PathBuf>,
    /// Initialise tensors that `init` lacks (a pi0 checkpoint has no generation expert), and
    /// position embeddings whose number differs because `init` was trained with other scales.
    #[serde(default)]
    pub allow_missing: bool,
    /// Actions in a chunk, where it differs from `config`.
    #[serde(default)]
    pub chunk_size: Option<usize>,
    /// Scales generated, where it differs from `config`.
    #[serde(default)]
    pub num_resolutions: Option<usize>,
}

/// One data set of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    /// Folder of the data set.
    pub path: PathBuf,
    /// Cameras of the understanding expert, in order; all of them without it.
    #[serde(default)]
    pub cameras: Option<Vec<String>>,
    /// Camera of history and foresight; the first without it.
    #[serde(default)]
    pub history_camera: Option<String>,
    /// Columns, or ranges of columns, that make up the state.
    #[serde(default)]
    pub state: Option<Vec<String>>,
    /// Columns, or ranges of columns, that make up the action.
    #[serde(default)]
    pub action: Option<Vec<String>>,
    /// Weight of each sample.
    #[serde(default = "one")]
    pub weight: f64,
    /// Span of the history in data-set steps.
    pub n_obs_img_steps: usize,
    /// Span of the foresight in data-set steps.
    pub n_pred_img_steps: usize,
    /// Steps between two frames.
    pub obs_img_stride: usize,
    /// Samples an episode, evenly spread (stage I).
    #[serde(default)]
    pub samples_per_episode: Option<usize>,
    /// Use one sample in so many (AgiBot in stage II: 3).
    #[serde(default)]
    pub one_in: Option<usize>,
    /// Only frames whose whole history was recorded become samples; the ones before are history.
    /// Without it an episode's first frame stands for what was before it.
    #[serde(default)]
    pub full_history: bool,
    /// Actions come this many steps after their frame (AgiBot: 1).
    #[serde(default)]
    pub action_shift: usize,
    /// Actions as differences, the first against the state.
    #[serde(default)]
    pub delta_actions: bool,
    /// Normalisation of state and action.
    #[serde(default)]
    pub normalisation: NormalisationName,
    /// Dimensions of the state without meaning: normalised to 0.
    #[serde(default)]
    pub ignored_state: Vec<usize>,
    /// Dimensions of the action without meaning: normalised to 0.
    #[serde(default)]
    pub ignored_action: Vec<usize>,
    /// Statistics file (`stats.json`), entry of this source's name; computed from the data set
    /// without it.
    #[serde(default)]
    pub statistics: Option<PathBuf>,
    /// Normalise with the statistics of this other source: several data sets of one robot.
    #[serde(default)]
    pub statistics_of: Option<String>,
    /// Episodes left out.
    #[serde(default)]
    pub skip_episodes: Vec<usize>,
    /// Cut instructions at this character (AgiBot: `|`).
    #[serde(default)]
    pub cut_task_at: Option<char>,
}

fn one() -> f64 {
    1.0
}

/// A normalisation by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalisationName {
    /// (x - mean) / std.
    #[default]
    MeanStd,
    /// (x - min) / (max - min): 0 to 1.
    MinMax,
    /// 2 (x - q01) / (q99 - q01) - 1: -1 to 1, not clipped.
    Quantile,
    /// x itself.
    None,
}

impl From<NormalisationName> for Normalisation {
    fn from(name: NormalisationName) -> Self {
        match name {
            NormalisationName::MeanStd => Self::MeanStd,
            NormalisationName::MinMax => Self::MinMax,
            NormalisationName::Quantile => Self::Quantile,
            NormalisationName::None => Self::None,
        }
    }
}

/// How history frames are cut to their square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crop {
    /// At random, all frames of a sample alike: every frame is encoded each time it is seen.
    #[default]
    Random,
    /// From the centre: every frame is encoded once and its tokens are kept.
    Center,
}

/// Data of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// Data sets by name.
    pub sources: BTreeMap<String, SourceSection>,
    /// Cut of the history frames.
    #[serde(default)]
    pub crop: Crop,
    /// Augmentation of the understanding expert's images.
    #[serde(default)]
    pub augmentation: Option<Augmentation>,
    /// Threads that decode.
    #[serde(default = "two")]
    pub workers: usize,
    /// Batches prepared ahead.
    #[serde(default = "two")]
    pub ahead: usize,
    /// Gigabytes of encoded episodes kept in memory.
    #[serde(default = "two_gigabytes")]
    pub cache_gb: f64,
    /// Folder where frame tokens are kept between runs (with `crop: center`).
    #[serde(default)]
    pub token_cache: Option<PathBuf>,
}

fn two() -> usize {
    2
}

fn two_gigabytes() -> f64 {
    2.0
}

/// Loss settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossSection {
    /// Weight of the foresight loss in stages II and III.
    pub generation_weight: f64,
    /// `mask_padded`, or `released` to reproduce the reference's numbers.
    pub reduction: Reduction,
    /// Stage I: probability that a sample hides some of its target-input tokens.
    pub hide_sample: f64,
    /// Stage I: probability that a chosen sample's token is hidden.
    pub hide_token: f64,
    /// Stage I: probability that a sample's coarse target tokens are disturbed, the finer ones
    /// then made to fit them.
    pub disturb_sample: f64,
    /// Stage I: largest deviation of that disturbance, in units of the code maps' own.
    pub disturb_token: f64,
    /// Stage I: further weight of tokens that are not those of the newest frame.
    pub change_weight: f64,
    /// Stage I: weight of the squared error of the expected code map, in units of the maps'
    /// variance.
    pub map_weight: f64,
    /// Stages II and III: draws of noise and time for each observation. The prefix is computed
    /// once for all of them, so that four cost about a third more than one and steady the
    /// gradient as four times the batch would for the action expert.
    pub flow_draws: usize,
    /// Tokenizer: weight of the commitment loss.
    pub commitment: f64,
    /// Tokenizer: weight of the absolute error beside the squared one.
    pub absolute: f64,
    /// Tokenizer: further weight of a pixel's errors for its chroma (largest minus smallest channel,
    /// 0 to 1): small coloured things are a hundredth of an image, and a plain mean ignores them.
    pub chroma: f64,
    /// Tokenizer: standard deviation of noise added to the encoder's input alone (pixels span 2):
    /// tokens that do not follow the sensor's noise can be foreseen.
    pub input_noise: f64,
    /// Tokenizer: updates at the start without the quantiser, after which every code is set to what
    /// an image wants of it.
    pub unquantised: u64,
    /// Tokenizer: replace codes that no frame used for so many updates; 0 never.
    pub revive_after: u64,
}

impl Default for LossSection {
    fn default() -> Self {
        Self {
            generation_weight: 0.1,
            reduction: Reduction::MaskPadded,
            hide_sample: 0.1,
            hide_token: 0.15,
            disturb_sample: 0.0,
            disturb_token: 0.0,
            change_weight: 0.0,
            map_weight: 0.0,
            flow_draws: 1,
            commitment: 0.25,
            absolute: 0.5,
            chroma: 0.0,
            input_noise: 0.0,
            unquantised: 0,
            revive_after: 100,
        }
    }
}

/// How the action loss is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Padded steps are left out.
    #[default]
    MaskPadded,
    /// Padded steps count as zeros.
    Released,
}

impl From<Reduction> for LossReduction {
    fn from(reduction: Reduction) -> Self {
        match reduction {
            Reduction::MaskPadded => Self::MaskPadded,
            Reduction::Released => Self::Released,
        }
    }
}

/// Learning rates of the groups; a group without one takes `default`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Every group that has no rate of its own.
    pub default: f64,
    /// SigLIP and projector.
    #[serde(default)]
    pub vision: Option<f64>,
    /// PaliGemma's language model.
    #[serde(default)]
    pub understanding: Option<f64>,
    /// Generation expert.
    #[serde(default)]
    pub generation: Option<f64>,
    /// Action expert.
    #[serde(default)]
    pub action: Option<f64>,
    /// Image tokenizer.
    #[serde(default)]
    pub tokenizer: Option<f64>,
}

impl Rates {
    /// The rate of a group.
    #[must_use]
    pub fn of(&self, group: Group) -> f64 {
        let own = match group {
            Group::Vision => self.vision,
            Group::Understanding => self.understanding,
            Group::Generation => self.generation,
            Group::Action => self.action,
            Group::Tokenizer => self.tokenizer,
        };
        own.unwrap_or(self.default)
    }
}

/// Low-rank adapters instead of whole weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraSection {
    /// Groups whose attention and MLP weights get adapters and are otherwise frozen.
    pub groups: Vec<GroupName>,
    /// Rank.
    pub rank: usize,
    /// Scale is `alpha / rank`.
    pub alpha: f64,
}

/// A group by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupName {
    /// SigLIP and projector.
    Vision,
    /// PaliGemma's language model.
    Understanding,
    /// Generation expert.
    Generation,
    /// Action expert.
    Action,
}

impl From<GroupName> for Group {
    fn from(name: GroupName) -> Self {
        match name {
            GroupName::Vision => Self::Vision,
            GroupName::Understanding => Self::Understanding,
            GroupName::Generation => Self::Generation,
            GroupName::Action => Self::Action,
        }
    }
}

/// Number type of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// bf16 weights and activations, f32 master weights and moments.
    Bf16,
}

/// Where the run computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceName {
    /// The processor.
    #[default]
    Cpu,
    /// The first CUDA device (feature `cuda`), or the one of this rank (feature `nccl`).
    Cuda,
}

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
    #[serde(default = "one_usize")]
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
    /// Groups that are not trained although the stage would.
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

fn one_usize() -> usize {
    1
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
                    "data.sources.{name}.statistics_of must name a source with statistics of its own, and stands without \
                     `statistics`; `{other}` does not do"
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
    let mut place = value;
    for key in path.split('.') {
        let object = place
            .as_object_mut()
            .ok_or_else(|| format!("`{path}`: `{key}` is below a plain value"))?;
        place = object.entry(key).or_insert(serde_json::Value::Null);
        if place.is_null() {
            *place = serde_json::Value::Object(serde_json::Map::new());
        }
    }
    *place = new;
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
    fn a_command_line_value_replaces_the_files() {
        let changes = ["steps=7".to_owned(), "learning_rate.default=1e-3".to_owned()];
        let run = RunFile::parse(RUN, "run", &changes).unwrap();
        assert_eq!((run.steps, run.learning_rate.default), (Some(7), 1e-3));
        assert!(RunFile::parse(RUN, "run", &["stepz=7".to_owned()]).is_err());
    }

    #[test]
    fn statistics_of_another_source_are_its_own() {
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
