//! The F1 network: three experts, one attention, foresight by next-scale prediction, actions by
//! flow matching.
//!
//! [`F1Policy`] is what a robot uses: load, `perceive`, `act`, `imagine`. [`network::F1Network`] is
//! the same network on batches and differentiable, [`training`] its losses, [`checkpoint`] its
//! files, [`goldens`] its proof.

pub mod checkpoint;
pub mod config;
pub mod device;
mod error;
pub mod experts;
pub mod flow;
pub mod foresight;
pub mod goldens;
mod graphs;
pub mod image_measures;
pub mod image_prep;
pub mod inspect;
pub mod kernels;
pub mod linear;
pub mod network;
pub mod ops;
pub mod optim;
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
    ActRequest, CameraInput, DeviceChoice, Dtype, Embedded, F1Policy, FrameInput, HistoryFrame,
    LoadOptions, PolicyInput, Prefix,
};
pub use prompt::{Prompt, PromptEncoder};
