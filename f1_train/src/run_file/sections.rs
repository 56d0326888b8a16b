//! The sections of a run file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use f1_data::augment::Augmentation;
use f1_model::parameters::Group;
use serde::{Deserialize, Serialize};

use super::names::{Crop, GroupName, NormalisationName, Reduction};

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
    /// The robot of the data set, a shipped robot's name or a robot file: angles of its joints that
    /// turn without end are brought to one turn.
    #[serde(default)]
    pub robot: Option<String>,
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

/// Whether a key is as when it is absent: runs from before it existed are resumed as they are.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
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
    /// Weight of the squared error of the expected code map, in units of the maps' variance: in
    /// stage I, and in stages II and III of models with `f1.expected_image`, where it is part of
    /// the foresight loss.
    pub map_weight: f64,
    /// Stages II and III: probability that a sample's foresight is hidden from the action expert,
    /// which so learns to act without (the nodes' parameter `mode`: off).
    #[serde(skip_serializing_if = "is_zero")]
    pub hide_foresight: f64,
    /// Stages II and III: draws of noise and time for each observation. The prefix is computed
    /// once for all of them, so that four cost about a third more than one and steady the
    /// gradient as four times the batch would for the action expert.
    pub flow_draws: usize,
    /// Tokenizer: weight of the commitment loss.
    pub commitment: f64,
    /// Tokenizer: weight of the absolute error beside the squared one.
    pub absolute: f64,
    /// Tokenizer: further weight of a pixel's errors for its chroma (largest minus smallest
    /// channel, 0 to 1): small coloured objects are a hundredth of an image, and a plain mean
    /// ignores them.
    pub chroma: f64,
    /// Tokenizer: standard deviation of noise added to the encoder's input alone (pixels span 2):
    /// tokens that do not follow the sensor's noise can be foreseen.
    pub input_noise: f64,
    /// Tokenizer: updates at the start without the quantiser, after which every code is set to
    /// a residual vector of an image at one of the scales.
    pub unquantised: u64,
    /// Tokenizer: share of a batch's frames that are decoded from their features and not from the
    /// sum of their codes, so that the decoder serves both.
    pub unquantised_share: f64,
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
            hide_foresight: 0.0,
            flow_draws: 1,
            commitment: 0.25,
            absolute: 0.5,
            chroma: 0.0,
            input_noise: 0.0,
            unquantised: 0,
            unquantised_share: 0.0,
            revive_after: 100,
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
