//! The policy that computes in this process.

use std::sync::Arc;

use f1_model::sampling::TokenSource;
use f1_model::{ActRequest, CameraInput, F1Policy, HistoryFrame, PolicyInput, Prefix, Prompt};
use f1_robot::Robot;
use f1_robot::robot_file::CameraRole;
use image::RgbImage;
use parking_lot::Mutex;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::{
    ForesightInfo, PastFrame, PerceiveRequest, Perceived, Policy, PolicyError, PolicyInfo,
};
use crate::resources::cameras_with;
use crate::stages::{StageTimes, stage};
use crate::threads::Threads;

/// A loaded network with the threads that it computes in.
pub struct NetworkPolicy {
    info: PolicyInfo,
    network: Arc<Computing>,
    /// The robot file's cameras that the understanding expert sees, in order.
    cameras: Vec<usize>,
    /// The instruction in force, encoded once.
    prompt: Mutex<Option<(String, Prompt)>>,
}

struct Computing {
    policy: Arc<F1Policy>,
    threads: Threads,
}

impl NetworkPolicy {
    /// A loaded network for a robot's cameras.
    #[must_use]
    pub fn new(policy: Arc<F1Policy>, robot: &Robot) -> Self {
        let config = policy.config();
        let run = &config.run;
        let foresight = config.frame_side().map(|side| ForesightInfo {
            history_frames: run.history_frames.max(1),
            side,
            crop_ratio: run.crop_ratio,
        });
        let info = PolicyInfo {
            foresight,
            stride_steps: run.obs_img_stride,
            full_history: run.full_history,
            takes_guidance: true,
        };
        let threads = Threads::new(policy.network().device().is_cpu());
        let cameras = cameras_with(robot, CameraRole::Und);
        let network = Arc::new(Computing { policy, threads });
        Self { info, network, cameras, prompt: Mutex::new(None) }
    }

    fn prompt(&self, text: &str) -> Result<Prompt, PolicyError> {
        let mut slot = self.prompt.lock();
        if let Some((known, prompt)) = &*slot
            && known == text
        {
            return Ok(prompt.clone());
        }
        let prompt = self.network.policy.encode_prompt(text)?;
        if let Some(warning) = prompt.warning() {
            tracing::warn!("{warning}");
        }
        *slot = Some((text.to_owned(), prompt.clone()));
        Ok(prompt)
    }

    fn encode(&self, image: &RgbImage) -> Result<HistoryFrame, PolicyError> {
        let Computing { policy, threads } = &*self.network;
        Ok(threads.infer(|| policy.encode_frame(image))?)
    }
}

impl Policy for NetworkPolicy {
    fn info(&self) -> &PolicyInfo {
        &self.info
    }

    fn horizon(&self) -> usize {
        self.network.policy.config().chunk_size
    }

    fn instruct(&self, text: &str) -> Result<(), PolicyError> {
        self.prompt(text).map(|_| ())
    }

    fn keep(&self, image: &Arc<RgbImage>) -> Result<PastFrame, PolicyError> {
        Ok(PastFrame::Encoded(self.encode(image)?))
    }

    fn perceive(
        &self,
        request: &PerceiveRequest<'_>,
        times: &mut StageTimes,
    ) -> Result<Arc<dyn Perceived>, PolicyError> {
        let PerceiveRequest { observation, seed, .. } = request;
        let Computing { policy, threads } = &*self.network;
        let (cameras, resize) = stage!("resize", || threads.infer(|| {
            let prepared =
                self.cameras.as_slice().into_par_iter().map(|camera| {
                    match observation.cameras.get(*camera).and_then(Option::as_ref) {
                        Some(frame) => policy.prepare_camera(&frame.image).map(Some),
                        None => Ok(None),
                    }
                });
            prepared.collect::<Result<Vec<Option<CameraInput>>, _>>()
        }));
        let history = observation.history.iter().map(|(_, frame)| match frame {
            PastFrame::Encoded(frame) => Ok(frame.clone()),
            PastFrame::Image(image) => self.encode(image),
        });
        let input = PolicyInput {
            cameras: cameras?,
            prompt: self.prompt(&observation.instruction.text)?,
            history: history.collect::<Result<_, _>>()?,
        };
        // The two halves of `F1Policy::perceive`, so that each has its time.
        let (embedded, image_encoder) =
            stage!("image_encoder", || threads.infer(|| policy.embed(&input)));
        let embedded = embedded?;
        let run = &policy.config().run;
        let mut source = TokenSource::new(run.top_k, run.top_p, *seed);
        let (prefix, foresight) = stage!("foresight", || threads
            .infer(|| policy.perceive_embedded(&embedded, &input.history, &mut source)));
        *times = StageTimes { resize, image_encoder, foresight, ..*times };
        Ok(Arc::new(Perception {
            network: self.network.clone(),
            prefix: prefix?,
            state: observation.joints.state.clone(),
        }))
    }
}

/// Keys, values and foresight tokens of one observation.
struct Perception {
    network: Arc<Computing>,
    prefix: Prefix,
    /// The robot's state, normalised.
    state: Vec<f32>,
}

impl Perceived for Perception {
    fn act(
        &self,
        request: &ActRequest,
        times: &mut StageTimes,
    ) -> Result<Vec<Vec<f32>>, PolicyError> {
        let Computing { policy, threads } = &*self.network;
        let (chunk, action) =
            stage!("action", || threads.infer(|| policy.act(&self.prefix, &self.state, request)));
        times.action = action;
        Ok(chunk?)
    }

    fn imagine(&self) -> Result<RgbImage, PolicyError> {
        let Computing { policy, threads } = &*self.network;
        let (image, _) = stage!("imagine", || threads.show(|| policy.imagine(&self.prefix)));
        Ok(image?)
    }

    fn tokens(&self) -> &[Vec<u32>] {
        self.prefix.tokens()
    }

    fn token_confidence(&self) -> &[f32] {
        self.prefix.token_confidence()
    }
}
