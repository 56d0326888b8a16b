//! The policy that computes in this process.

use std::sync::Arc;

use f1_model::sampling::TokenSource;
use f1_model::{
    ActRequest, AttentionMode, CameraInput, Config, Embedded, F1Policy, HistoryFrame, PolicyInput,
    Prefix, Prompt,
};
use f1_robot::Robot;
use f1_robot::robot_file::CameraRole;
use image::RgbImage;
use parking_lot::Mutex;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::{
    ForesightInfo, Passes, PastFrame, PerceiveRequest, Perceived, Policy, PolicyError, PolicyInfo,
};
use crate::observation::Observation;
use crate::resources::cameras_with;
use crate::stages::{StageTimes, stage};
use crate::threads::Threads;

/// A loaded network with the threads that it computes in.
pub struct NetworkPolicy {
    info: PolicyInfo,
    network: Arc<Computing>,
}

struct Computing {
    policy: Arc<F1Policy>,
    threads: Threads,
    /// The robot file's cameras that the understanding expert sees, in order.
    cameras: Vec<usize>,
    /// The instruction in force, encoded once.
    prompt: Mutex<Option<(String, Prompt)>>,
}

impl NetworkPolicy {
    /// A loaded network for a robot's cameras.
    #[must_use]
    pub fn new(policy: Arc<F1Policy>, robot: &Robot) -> Self {
        let config = policy.config();
        let run = &config.run;
        let frames = run.history_frames.max(1);
        let foresight = config.frame_side().map(|side| ForesightInfo {
            history_frames: frames,
            side,
            crop_ratio: run.crop_ratio,
        });
        let info = PolicyInfo {
            foresight,
            stride_steps: run.obs_img_stride,
            full_history: run.full_history,
            takes_guidance: true,
            past_frames: run.history_in_understanding.then_some(frames),
            passes: passes(config),
        };
        let threads = Threads::new(policy.network().device().is_cpu());
        let cameras = cameras_with(robot, CameraRole::Und);
        let prompt = Mutex::new(None);
        Self { info, network: Arc::new(Computing { policy, threads, cameras, prompt }) }
    }

    /// An observation that was embedded, with its prefix as `compute` makes it.
    fn perception(
        network: &Arc<Computing>,
        request: &PerceiveRequest<'_>,
        times: &mut StageTimes,
        compute: impl FnOnce(&F1Policy, &Embedded, &[HistoryFrame]) -> f1_model::Result<Prefix> + Send,
    ) -> Result<Arc<dyn Perceived>, PolicyError> {
        let Computing { policy, threads, .. } = &**network;
        let observation = request.observation;
        // The two halves of `F1Policy::perceive`, so that each has its time.
        let (embedded, history) = network.embed(observation, times)?;
        let (prefix, foresight) =
            stage!("foresight", || threads.infer(|| compute(policy, &embedded, &history)));
        times.foresight = foresight;
        Ok(Arc::new(Perception {
            network: network.clone(),
            prefix: prefix?,
            state: observation.joints.state.clone(),
        }))
    }
}

/// The passes of a network.
fn passes(config: &Config) -> Passes {
    let foresees = config.generation.is_some();
    let joined = foresees && config.run.attention == AttentionMode::Released;
    let renew = if joined {
        Err("with attention \"released\" understanding sees the condition, so that foresight can \
             neither be kept nor left out"
            .to_owned())
    } else {
        Ok(())
    };
    let understand = if foresees && !joined && !config.run.optional_foresight {
        Err("the model was not trained to act without foresight (loss.hide_foresight of its run \
             file, f1.optional_foresight of its config.json)"
            .into())
    } else {
        renew.clone()
    };
    Passes { foresight_alone: true, renew, understand }
}

impl Computing {
    fn prompt(&self, text: &str) -> Result<Prompt, PolicyError> {
        let mut slot = self.prompt.lock();
        if let Some((known, prompt)) = &*slot
            && known == text
        {
            return Ok(prompt.clone());
        }
        let prompt = self.policy.encode_prompt(text)?;
        if let Some(warning) = prompt.warning() {
            tracing::warn!("{warning}");
        }
        *slot = Some((text.to_owned(), prompt.clone()));
        Ok(prompt)
    }

    fn encode(&self, image: &RgbImage) -> Result<HistoryFrame, PolicyError> {
        Ok(self.threads.infer(|| self.policy.encode_frame(image))?)
    }

    /// The understanding tokens of an observation, and its history.
    fn embed(
        &self,
        observation: &Observation,
        times: &mut StageTimes,
    ) -> Result<(Embedded, Vec<HistoryFrame>), PolicyError> {
        let Self { policy, threads, .. } = self;
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
        let mut cameras = cameras?;
        cameras.extend(observation.past.iter().cloned().map(Some));
        let history = observation.history.iter().map(|(_, frame)| match frame {
            PastFrame::Encoded(frame) => Ok(frame.clone()),
            PastFrame::Image(image) => self.encode(image),
        });
        let input = PolicyInput {
            cameras,
            prompt: self.prompt(&observation.instruction.text)?,
            history: history.collect::<Result<_, _>>()?,
        };
        let (embedded, image_encoder) =
            stage!("image_encoder", || threads.infer(|| policy.embed(&input)));
        (times.resize, times.image_encoder) = (resize, image_encoder);
        Ok((embedded?, input.history))
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
        self.network.prompt(text).map(|_| ())
    }

    fn keep(&self, image: &Arc<RgbImage>) -> Result<PastFrame, PolicyError> {
        Ok(PastFrame::Encoded(self.network.encode(image)?))
    }

    fn fit_past(&self, image: &RgbImage) -> Result<CameraInput, PolicyError> {
        let Computing { policy, threads, .. } = &*self.network;
        Ok(threads.infer(|| policy.prepare_camera(image))?)
    }

    fn perceive(
        &self,
        request: &PerceiveRequest<'_>,
        times: &mut StageTimes,
    ) -> Result<Arc<dyn Perceived>, PolicyError> {
        let seed = request.seed;
        Self::perception(&self.network, request, times, |policy, embedded, history| {
            let run = &policy.config().run;
            let mut source = TokenSource::new(run.top_k, run.top_p, seed);
            policy.perceive_embedded(embedded, history, &mut source)
        })
    }

    fn understand(
        &self,
        request: &PerceiveRequest<'_>,
        times: &mut StageTimes,
    ) -> Result<Arc<dyn Perceived>, PolicyError> {
        Self::perception(&self.network, request, times, |policy, embedded, _| {
            policy.understand(embedded)
        })
    }

    fn generation_passes(&self) -> u64 {
        self.network.policy.generation_passes()
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
        let Computing { policy, threads, .. } = &*self.network;
        let (chunk, action) =
            stage!("action", || threads.infer(|| policy.act(&self.prefix, &self.state, request)));
        times.action = action;
        Ok(chunk?)
    }

    fn imagine(&self) -> Result<RgbImage, PolicyError> {
        let Computing { policy, threads, .. } = &*self.network;
        let (image, _) = stage!("imagine", || threads.show(|| policy.imagine(&self.prefix)));
        Ok(image?)
    }

    fn renew(
        &self,
        request: &PerceiveRequest<'_>,
        times: &mut StageTimes,
    ) -> Result<Arc<dyn Perceived>, PolicyError> {
        NetworkPolicy::perception(&self.network, request, times, |policy, embedded, _| {
            policy.renew(embedded, &self.prefix)
        })
    }

    fn tokens(&self) -> &[Vec<u32>] {
        self.prefix.tokens()
    }

    fn token_confidence(&self) -> &[f32] {
        self.prefix.token_confidence()
    }
}
