//! The words of a run file, each a choice by name.

use f1_model::parameters::Group;
use f1_model::training::LossReduction;
use f1_robot::robot_file::Normalisation;
use serde::{Deserialize, Serialize};

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
