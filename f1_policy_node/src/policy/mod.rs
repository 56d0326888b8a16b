//! What the nodes ask of a policy, wherever it computes: [`Policy`] takes an observation,
//! [`Perceived`] turns it into a chunk of actions and, where the policy foresees, an image.
//!
//! [`network`] is the network of this process. Others, as a policy server's client, are put
//! together with the nodes by the program; the nodes know none of them.

pub mod network;

use std::sync::Arc;

use f1_model::{ActRequest, CameraInput, HistoryFrame};
use image::RgbImage;

use crate::observation::Observation;
use crate::stages::StageTimes;

/// Why a policy gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The network of this process refuses or fails.
    #[error(transparent)]
    Network(#[from] f1_model::Error),
    /// A policy beyond this process gives none: the sentence says which and why.
    #[error("{0}")]
    Remote(String),
}

/// What a policy says of itself; it does not change while it is loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyInfo {
    /// Its foresight; `None` for a policy that foresees nothing and needs no history.
    pub foresight: Option<ForesightInfo>,
    /// Control steps between two history frames, and from now to the foreseen image.
    pub stride_steps: usize,
    /// Whether no chunk may be asked for before the history is whole.
    pub full_history: bool,
    /// Whether the first rows of a chunk can be held to those of the one before it (`rtc`).
    pub takes_guidance: bool,
    /// Frames of the history camera, now included, that the policy is shown as further cameras;
    /// `None` where it sees the present alone.
    pub past_frames: Option<usize>,
    /// Which parts of [`Policy::perceive`] there are alone.
    pub passes: Passes,
}

/// Which passes a policy runs one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passes {
    /// Whether an image is foreseen where no chunk is asked for.
    pub foresight_alone: bool,
    /// [`Perceived::renew`]: an observation with the foresight of an earlier one; else why there is
    /// none.
    pub renew: Result<(), String>,
    /// [`Policy::understand`]: an observation without foresight; else why there is none.
    pub understand: Result<(), String>,
}

impl Passes {
    /// Those of a policy that answers an observation with all that it has, for this reason.
    #[must_use]
    pub fn whole_only(reason: &str) -> Self {
        let refused = || Err(reason.to_owned());
        Self { foresight_alone: false, renew: refused(), understand: refused() }
    }
}

impl PolicyInfo {
    /// Frames of the history that it needs, now included.
    #[must_use]
    pub fn history_frames(&self) -> usize {
        let of_foresight = self.foresight.map(|foresight| foresight.history_frames);
        of_foresight.max(self.past_frames).unwrap_or(1).max(1)
    }
}

/// A policy's foresight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForesightInfo {
    /// Frames of the history, now included.
    pub history_frames: usize,
    /// Side of the foreseen image, which is square, pixels.
    pub side: usize,
    /// The part of the camera's image that is seen: its shorter side is shrunk to `side /
    /// crop_ratio`, and the middle is cut out.
    pub crop_ratio: f64,
}

/// A past frame of the history camera, as the policy keeps it; cheap to clone.
#[derive(Clone)]
pub enum PastFrame {
    /// Encoded by the network of this process.
    Encoded(HistoryFrame),
    /// Pixels, for a policy that encodes them itself.
    Image(Arc<RgbImage>),
}

impl PastFrame {
    /// Token ids of all scales, small to large; none of a frame that is not encoded.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        match self {
            PastFrame::Encoded(frame) => frame.tokens(),
            PastFrame::Image(_) => &[],
        }
    }
}

/// One observation on its way into a policy.
pub struct PerceiveRequest<'a> {
    /// The observation.
    pub observation: &'a Arc<Observation>,
    /// The seed of every draw for it.
    pub seed: u64,
    /// Whether the foreseen image will be asked for.
    pub show: bool,
}

/// A policy, shared by the nodes. Every method blocks its caller until it is done; the nodes call
/// them on workers.
pub trait Policy: Send + Sync {
    /// What it says of itself.
    fn info(&self) -> &PolicyInfo;

    /// Rows of a chunk; of a policy that does not say it, those of its last chunk, and 1 before
    /// the first.
    fn horizon(&self) -> usize;

    /// Makes ready for an instruction: called once for each, before its first observation.
    ///
    /// # Errors
    /// Words that the policy refuses.
    fn instruct(&self, text: &str) -> Result<(), PolicyError>;

    /// Keeps a frame for the history: called once for each frame, as it arrives.
    ///
    /// # Errors
    /// An image without pixels, or a policy without a history.
    fn keep(&self, image: &Arc<RgbImage>) -> Result<PastFrame, PolicyError>;

    /// Fits a frame of the history camera that is shown as a further camera later
    /// ([`PolicyInfo::past_frames`]).
    ///
    /// # Errors
    /// An image without pixels, or a policy that is not shown past images.
    fn fit_past(&self, _: &RgbImage) -> Result<CameraInput, PolicyError> {
        Err(PolicyError::Remote("this policy is not shown past images".into()))
    }

    /// Takes an observation: understanding and foresight, with the time of each stage.
    ///
    /// # Errors
    /// An observation that the policy refuses.
    fn perceive(
        &self,
        request: &PerceiveRequest<'_>,
        times: &mut StageTimes,
    ) -> Result<Arc<dyn Perceived>, PolicyError>;

    /// Takes an observation without foresight: no image can be imagined from it.
    ///
    /// # Errors
    /// An observation that the policy refuses, or [`Passes::understand`].
    fn understand(
        &self,
        _: &PerceiveRequest<'_>,
        _: &mut StageTimes,
    ) -> Result<Arc<dyn Perceived>, PolicyError> {
        Err(absent(&self.info().passes.understand))
    }

    /// How often foresight was computed in this process since the policy was loaded.
    fn generation_passes(&self) -> u64 {
        0
    }
}

fn absent(pass: &Result<(), String>) -> PolicyError {
    let reason = pass.as_ref().err().map_or("this policy has no such pass", String::as_str);
    PolicyError::Remote(reason.to_owned())
}

/// What a policy made of an observation.
pub trait Perceived: Send + Sync {
    /// A chunk, `[horizon][width]`, as the decoder of its [`crate::resources::Resources`] takes it:
    /// normalised for the network, in the units of the robot file's action layout for a server.
    ///
    /// # Errors
    /// What the policy refuses, or why no answer came.
    fn act(
        &self,
        request: &ActRequest,
        times: &mut StageTimes,
    ) -> Result<Vec<Vec<f32>>, PolicyError>;

    /// The foreseen image. It may wait until [`Perceived::act`] has its answer.
    ///
    /// # Errors
    /// A policy that does not foresee, or why no image came.
    fn imagine(&self) -> Result<RgbImage, PolicyError>;

    /// A new observation with the foresight of this one: tokens, confidence and image stay.
    ///
    /// # Errors
    /// [`Passes::renew`], or an observation of another number of cameras or words.
    fn renew(
        &self,
        _: &PerceiveRequest<'_>,
        _: &mut StageTimes,
    ) -> Result<Arc<dyn Perceived>, PolicyError> {
        Err(PolicyError::Remote("this policy's foresight is not used again".into()))
    }

    /// Foresight token ids of each generated scale; none where the policy does not show them.
    fn tokens(&self) -> &[Vec<u32>] {
        &[]
    }

    /// The policy's probability of each foresight token, scale after scale.
    fn token_confidence(&self) -> &[f32] {
        &[]
    }
}
