//! The F1 network: three experts, one attention, foresight by next-scale prediction, actions by
//! flow matching.
//!
//! [`F1Policy`] is the interface for a robot: load, `perceive`, `act`, `imagine`.
//! [`network::F1Network`] is the network on batches, differentiable; [`training`] holds its losses,
//! [`checkpoint`] its files. The crate `f1_verify` compares all of it with the reference.

pub mod checkpoint;
pub mod config;
mod error;
pub mod experts;
pub mod flow;
pub mod foresight;
pub mod image_measures;
pub mod image_prep;
pub mod inspect;
pub mod linear;
pub mod network;
pub mod padding;
pub mod parameters;
mod policy;
mod prompt;
pub mod recorder;
pub mod sampling;
pub mod siglip;
pub mod tokenizer;
pub mod training;
pub mod weights;

pub use config::{AttentionMode, Config};
pub use error::{Error, Result};
pub use flow::RtcGuidance;
pub use linear::Quant;
pub use policy::{
    ActRequest, BatchAnswer, BatchItem, CameraInput, DeviceChoice, Dtype, Embedded, F1Policy,
    FrameInput, HistoryFrame, LoadOptions, PolicyInput, Prefix,
};
pub use prompt::{CheckedTasks, Prompt, PromptEncoder, check_tasks};
