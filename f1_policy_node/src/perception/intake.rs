//! From messages to observations: decoding, stamps, matching, and what is said about sources that
//! do not deliver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_image::{ImageError, decode, decode_compressed, into_rgb};
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_middleware::Clock;
use f1_model::HistoryFrame;
use image::RgbImage;
use parking_lot::Mutex;

use super::frozen::FrozenWatch;
use super::history::{HistoryRing, HistorySettings};
use super::joints::JointBuffer;
use super::matching::{StampFault, StampMatcher};
use super::settings::PerceptionSettings;
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::observation::{CameraFrame, JointSample, Observation};
use crate::resources::Resources;
use crate::stages::{StageTimes, stage};

/// The board's entry while a network that was trained on whole histories waits for one.
const HISTORY: &str = "history";

/// A camera message as it came.
pub(super) enum CameraMessage {
    Raw(Arc<Image>),
    Compressed(Arc<CompressedImage>),
}

impl CameraMessage {
    fn frame_id(&self) -> &str {
        match self {
            CameraMessage::Raw(message) => &message.header.frame_id,
            CameraMessage::Compressed(message) => &message.header.frame_id,
        }
    }

    /// The pixels. Those of an unpadded rgb8 message that nobody else holds are moved, not copied.
    fn decode(self) -> Result<RgbImage, ImageError> {
        match self {
            CameraMessage::Raw(message) => {
                Arc::try_unwrap(message).map_or_else(|shared| decode(&shared), into_rgb)
            }
            CameraMessage::Compressed(message) => decode_compressed(&message),
        }
    }
}

/// A camera message on its way to the decoder.
pub(super) struct Arrival {
    pub message: CameraMessage,
    pub stamp_ns: i64,
    /// On the steady clock.
    pub arrived: Duration,
}

/// What the decoder made of it.
pub(super) struct Decoded {
    camera: usize,
    outcome: Result<(CameraFrame, Duration), String>,
    frozen_ns: i64,
}

/// What is known of one camera, or of the joints; times on the steady clock.
#[derive(Clone, Default)]
struct Source {
    /// When a message last came.
    heard: Duration,
    /// When one was last good.
    used: Duration,
    /// Why the last one was not.
    fault: Option<String>,
}

/// Buffers of one activation.
struct Buffers {
    matcher: StampMatcher<CameraFrame>,
    joints: JointBuffer,
    cameras: Vec<Source>,
    joint_source: Source,
    /// When messages last belonged together.
    matched: Duration,
    last_history: Duration,
}

/// State that callbacks share.
pub(super) struct Shared {
    pub core: Arc<Core>,
    pub resources: Arc<Resources>,
    pub settings: PerceptionSettings,
    pub active: AtomicBool,
    clock: Clock,
    buffers: Mutex<Buffers>,
    history: Mutex<HistoryRing<HistoryFrame>>,
    /// (index in the robot file, required) of the cameras that are subscribed, in the matcher's
    /// order.
    pub sources: Vec<(usize, bool)>,
    names: Vec<String>,
}

impl Shared {
    /// Checks the parameters against the robot's cameras.
    pub fn new(
        core: Arc<Core>,
        resources: Arc<Resources>,
        settings: PerceptionSettings,
        clock: Clock,
    ) -> NodeResult<Arc<Self>> {
        let cameras = &resources.robot.file().cameras;
        let names: Vec<String> = cameras.iter().map(|camera| camera.name.clone()).collect();
        let wrong =
            |reason: String| Err(NodeError::Parameter(format!("optional_cameras: {reason}")));
        let optional = &settings.optional_cameras;
        if let Some(unknown) = optional.iter().find(|name| !names.contains(name)) {
            return wrong(format!(
                "the robot file has no camera {unknown} (it has {})",
                names.join(", ")
            ));
        }
        let history = resources.history_camera().filter(|_| resources.foresees());
        if let Some(camera) = history.filter(|camera| optional.contains(&names[*camera])) {
            return wrong(format!(
                "foresight needs the past frames of the camera {}",
                names[camera]
            ));
        }
        let sources: Vec<(usize, bool)> = cameras
            .iter()
            .enumerate()
            .filter(|(_, camera)| camera.mask)
            .map(|(index, camera)| (index, !optional.contains(&camera.name)))
            .collect();
        let required: Vec<bool> = sources.iter().map(|(_, required)| *required).collect();
        if !required.contains(&true) {
            return wrong("at least one camera must be required".into());
        }
        let config = resources.policy.config();
        let step_ns = (1e9 / resources.robot.rate_hz()).round() as i64;
        let history = HistorySettings {
            frames: config.run.history_frames.max(1),
            stride_ns: step_ns * config.run.obs_img_stride as i64,
            period_ns: if settings.history_period_ns > 0 {
                settings.history_period_ns
            } else {
                step_ns
            },
        };
        let buffers = Buffers {
            matcher: StampMatcher::new(settings.matching(), &required),
            joints: JointBuffer::default(),
            cameras: vec![Source::default(); sources.len()],
            joint_source: Source::default(),
            matched: Duration::ZERO,
            last_history: Duration::ZERO,
        };
        Ok(Arc::new(Self {
            core,
            resources,
            settings,
            active: AtomicBool::new(false),
            clock,
            buffers: Mutex::new(buffers),
            history: Mutex::new(HistoryRing::new(history)),
            sources,
            names,
        }))
    }

    fn key(&self, source: usize) -> String {
        format!("camera {}", self.names[self.sources[source].0])
    }

    /// A camera message came. Whether it is worth decoding: its stamp is neither ahead of the clock
    /// nor long past.
    pub fn heard(&self, source: usize, stamp_ns: i64, arrived: Duration, now_ns: i64) -> bool {
        if !self.active.load(Ordering::SeqCst) {
            return false;
        }
        self.buffers.lock().cameras[source].heard = arrived;
        let key = self.key(source);
        let fault = self.stamp_fault(&key, stamp_ns, now_ns);
        if let Some(fault) = fault {
            self.buffers.lock().cameras[source].fault = Some(fault);
            self.core.board.lock().dropped_frames += 1;
            return false;
        }
        true
    }

    /// What is wrong with a stamp; notes it on the board. After the first one from the future
    /// everything starts anew.
    fn stamp_fault(&self, key: &str, stamp_ns: i64, now_ns: i64) -> Option<String> {
        let seconds = |ns: i64| ns as f64 * 1e-9;
        let ahead_ns = stamp_ns.saturating_sub(now_ns);
        let future = ahead_ns > self.settings.future_ns;
        let fault = if future {
            Some(format!("{key}: its stamp lies {:.3} s in the future", seconds(ahead_ns)))
        } else if -ahead_ns > self.settings.stale_ns {
            Some(format!("{key}: its stamp lies {:.3} s in the past", seconds(-ahead_ns)))
        } else {
            None
        };
        let news = self.core.board.lock().condition(&format!("{key} stamp"), fault.clone());
        if future && news {
            self.start_anew(fault.as_deref().unwrap_or_default());
        }
        fault
    }

    /// Runs on the camera's decoder: pixels, frozen check, and the history frame when one is due.
    pub fn decode(
        &self,
        source: usize,
        arrival: Arrival,
        watch: &mut FrozenWatch,
        frame_id: &mut Arc<str>,
    ) -> Decoded {
        let (camera, _) = self.sources[source];
        if frame_id.as_ref() != arrival.message.frame_id() {
            *frame_id = arrival.message.frame_id().into();
        }
        let (stamp_ns, arrived) = (arrival.stamp_ns, arrival.arrived);
        let (image, decode) = stage!("decode", || arrival.message.decode());
        let outcome = image.map_err(|error| error.to_string()).and_then(|image| {
            watch.observe(image.as_raw(), stamp_ns);
            let history = self.encode_history(camera, stamp_ns, &image)?;
            let (frame_id, image) = (frame_id.clone(), Arc::new(image));
            Ok((CameraFrame { stamp_ns, frame_id, image, decode, arrived }, history))
        });
        Decoded { camera, outcome, frozen_ns: watch.frozen_for_ns() }
    }

    /// Encodes the frame once, as it arrives, when it is the history camera's and a frame is due.
    fn encode_history(
        &self,
        camera: usize,
        stamp_ns: i64,
        image: &RgbImage,
    ) -> Result<Duration, String> {
        let (policy, threads) = (&self.resources.policy, &self.resources.threads);
        if !self.resources.foresees()
            || self.resources.history_camera() != Some(camera)
            || !self.history.lock().wants(stamp_ns)
        {
            return Ok(Duration::ZERO);
        }
        let (frame, took) = stage!("history", || threads.infer(|| policy.encode_frame(image)));
        let frame = frame.map_err(|error| format!("history frame: {error}"))?;
        self.history.lock().push(stamp_ns, frame);
        Ok(took)
    }

    /// Runs on the executor.
    pub fn decoded(&self, source: usize, decoded: Decoded, now_ns: i64) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let key = format!("camera {}", self.names[decoded.camera]);
        let undecoded = decoded.outcome.as_ref().err().map(|reason| format!("{key}: {reason}"));
        let frozen = self.settings.frozen_ns > 0 && decoded.frozen_ns > self.settings.frozen_ns;
        let seconds = decoded.frozen_ns as f64 * 1e-9;
        let frozen = frozen.then(|| format!("{key}: the image has not changed for {seconds:.1} s"));
        {
            let mut board = self.core.board.lock();
            board.dropped_frames += u64::from(undecoded.is_some());
            board.condition(&format!("{key} decoding"), undecoded.clone());
            if undecoded.is_none() {
                board.condition(&format!("{key} frozen"), frozen.clone());
            }
        }
        if undecoded.is_none() && self.sources[source].1 {
            // A world that only seems to stand still must not be acted on to the end of the chunk.
            self.core.hold(&format!("{key} frozen"), frozen.clone());
        }
        let (frame, history) = match (decoded.outcome, frozen) {
            (Ok(frame), None) => frame,
            (_, reason) => {
                self.buffers.lock().cameras[source].fault = undecoded.or(reason);
                return;
            }
        };
        let pushed = {
            let mut buffers = self.buffers.lock();
            if !history.is_zero() {
                buffers.last_history = history;
            }
            let (stamp_ns, arrived) = (frame.stamp_ns, frame.arrived);
            let pushed = buffers.matcher.push(source, stamp_ns, frame, now_ns);
            let camera = &mut buffers.cameras[source];
            match &pushed {
                Ok(()) => (camera.used, camera.fault) = (arrived, None),
                Err(fault) => camera.fault = Some(format!("{key}: {fault}")),
            }
            pushed
        };
        match pushed {
            Ok(()) => self.assemble(),
            // A repeated or reordered message is normal on best-effort links: counted, and told
            // when nothing else comes.
            Err(StampFault::NotNewer { .. } | StampFault::Future { .. }) => {
                self.core.board.lock().dropped_frames += 1;
            }
            Err(StampFault::ClockJump { back_ns }) => {
                self.core.board.lock().dropped_frames += 1;
                self.clock_jumped(Duration::from_nanos(back_ns.unsigned_abs()));
            }
        }
    }

    /// The clock went back: nothing that is kept can be compared with what comes.
    pub fn clock_jumped(&self, back: Duration) {
        self.start_anew(&format!("the clock jumped back by {:.3} s", back.as_secs_f64()));
    }

    /// Empties the buffers and restarts the policy's memory: no motion until everything is fresh.
    fn start_anew(&self, reason: &str) {
        self.history.lock().clear();
        {
            let mut buffers = self.buffers.lock();
            buffers.matcher.reset();
            buffers.joints.clear();
        }
        self.core.restart(reason);
    }

    /// A joint state came.
    pub fn joints_arrived(&self, message: &JointState, arrived: Duration, now_ns: i64) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let stamp_ns = message.header.stamp.nanoseconds();
        self.buffers.lock().joint_source.heard = arrived;
        let robot = &self.resources.robot;
        let sample = robot.joint_vector(&message.name, &message.position).and_then(|positions| {
            let state = self.resources.encoder.encode(&message.name, &message.position)?;
            Ok(JointSample { stamp_ns, positions, state, arrived })
        });
        let unusable = sample.as_ref().err().map(ToString::to_string);
        self.core.board.lock().condition("joint states", unusable.clone());
        let fault = unusable.or_else(|| self.stamp_fault("joint states", stamp_ns, now_ns));
        let sample = match (sample, fault) {
            (Ok(sample), None) => sample,
            (_, fault) => {
                self.buffers.lock().joint_source.fault = fault;
                return;
            }
        };
        let jumped_ns = {
            let mut buffers = self.buffers.lock();
            (buffers.joint_source.used, buffers.joint_source.fault) = (arrived, None);
            let jumped = buffers.joints.newest().map_or(0, |newest| newest.stamp_ns - stamp_ns);
            buffers.joints.push(sample);
            jumped
        };
        self.core.board.lock().joints_ns = Some(stamp_ns);
        if jumped_ns > self.settings.jump_ns {
            self.clock_jumped(Duration::from_nanos(jumped_ns.unsigned_abs()));
        }
        self.assemble();
    }

    /// Puts the newest observation together, if one is complete, and hands it on.
    fn assemble(&self) {
        let instruction = match self.core.instruction() {
            Ok(instruction) => instruction,
            Err(error) => {
                self.core
                    .board
                    .lock()
                    .condition("instruction", Some(format!("instruction: {error}")));
                return;
            }
        };
        let observation = {
            let mut buffers = self.buffers.lock();
            let slop = self.settings.slop_ns;
            // The joints must have arrived before a set is taken: a set is served once.
            let Some(newest) = self
                .sources
                .iter()
                .enumerate()
                .filter(|(_, (_, required))| *required)
                .map(|(source, _)| buffers.matcher.newest_ns(source))
                .min()
                .flatten()
            else {
                return;
            };
            if buffers.joints.newest().is_none_or(|joints| joints.stamp_ns < newest - slop) {
                return;
            }
            let Some(set) = buffers.matcher.newest() else { return };
            let Some(joints) = buffers.joints.nearest(set.stamp_ns, slop).cloned() else { return };
            buffers.matched = self.clock.steady();
            let (history, missing_ns) = if self.resources.foresees() {
                let ring = self.history.lock();
                match ring.window(set.stamp_ns) {
                    Some(history) => (history, ring.missing_ns(set.stamp_ns)),
                    None => return,
                }
            } else {
                (Vec::new(), 0)
            };
            let mut cameras = vec![None; self.names.len()];
            let (mut decode, mut arrived) = (Duration::ZERO, joints.arrived);
            for ((camera, _), value) in self.sources.iter().zip(set.values) {
                if let Some((_, frame)) = value {
                    decode += frame.decode;
                    arrived = arrived.max(frame.arrived);
                    cameras[*camera] = Some(frame);
                }
            }
            let times =
                StageTimes { decode, history: buffers.last_history, ..StageTimes::default() };
            let stamp_ns = set.stamp_ns;
            {
                let mut board = self.core.board.lock();
                board.observation_ns = Some(stamp_ns);
                board.observation_rate.tick(stamp_ns);
            }
            let waits = self.resources.policy.config().run.full_history && missing_ns > 0;
            let seconds = missing_ns as f64 * 1e-9;
            let reason = waits.then(|| format!("{HISTORY}: {seconds:.1} s of images are missing"));
            self.core.board.lock().condition(HISTORY, reason);
            let (Some(instruction), false) = (instruction, waits) else { return };
            Observation { stamp_ns, cameras, history, joints, instruction, arrived, times }
        };
        self.core.observations.send(Arc::new(observation));
    }

    /// Names sources that send nothing, or nothing that can be used.
    pub fn look_for_silence(&self, now: Duration) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let limit = Duration::from_nanos(self.settings.silent_ns.unsigned_abs());
        let (cameras, joints, apart) = {
            let buffers = self.buffers.lock();
            let apart = self.apart(&buffers, now, limit);
            (buffers.cameras.clone(), buffers.joint_source.clone(), apart)
        };
        let no_clock = self.clock.is_simulated() && self.clock.now().nanoseconds() == 0;
        let mut board = self.core.board.lock();
        board.condition(
            "clock",
            no_clock.then(|| "use_sim_time is set, but nothing came on /clock".into()),
        );
        board.condition("synchronisation", apart);
        let mut told = |key: &str, source: &Source| {
            let silent = now.saturating_sub(source.heard);
            let unused = now.saturating_sub(source.used);
            let reason = if silent > limit {
                Some(format!("{key}: nothing received for {:.1} s", silent.as_secs_f64()))
            } else if unused > limit {
                let fault = source.fault.as_deref();
                fault.map(|fault| {
                    format!("nothing usable for {:.1} s: {fault}", unused.as_secs_f64())
                })
            } else {
                None
            };
            board.condition(&format!("{key} silent"), reason);
        };
        for ((camera, required), source) in self.sources.iter().zip(&cameras) {
            if *required {
                told(&format!("camera {}", self.names[*camera]), source);
            }
        }
        told("joint states", &joints);
    }

    /// Why nothing fits together although every source delivers: the two whose newest stamps are
    /// furthest apart.
    fn apart(&self, buffers: &Buffers, now: Duration, limit: Duration) -> Option<String> {
        let fresh = |source: &Source| now.saturating_sub(source.used) <= limit;
        let unmatched = now.saturating_sub(buffers.matched);
        let cameras = self.sources.iter().zip(&buffers.cameras).enumerate();
        let required: Vec<_> = cameras.filter(|(_, ((_, required), _))| *required).collect();
        if unmatched <= limit
            || !fresh(&buffers.joint_source)
            || !required.iter().all(|(_, (_, s))| fresh(s))
        {
            return None;
        }
        let mut stamps: Vec<(i64, String)> = required
            .iter()
            .filter_map(|(source, _)| {
                Some((buffers.matcher.newest_ns(*source)?, self.key(*source)))
            })
            .chain(
                buffers.joints.newest().map(|newest| (newest.stamp_ns, "joint states".to_owned())),
            )
            .collect();
        stamps.sort();
        let ((oldest, late), (newest, early)) = (stamps.first()?, stamps.last()?);
        Some(format!(
            "no observation for {:.1} s: stamps of {late} lie {:.3} s before those of {early}, sync_slop is {:.3} s",
            unmatched.as_secs_f64(),
            (newest - oldest) as f64 * 1e-9,
            self.settings.slop_ns as f64 * 1e-9
        ))
    }

    /// A new activation, at `now` on the steady clock.
    pub fn restart(&self, now: Duration) {
        self.history.lock().clear();
        let mut buffers = self.buffers.lock();
        buffers.matcher.reset();
        buffers.joints.clear();
        buffers.cameras.fill(Source { heard: now, used: now, fault: None });
        buffers.joint_source = Source { heard: now, used: now, fault: None };
        buffers.matched = now;
    }

    /// Nothing of what was said about sources holds any longer.
    pub fn clear_conditions(&self) {
        self.core.release_holds();
        let mut board = self.core.board.lock();
        board.conditions.retain(|source, _| {
            !(source.starts_with("camera ")
                || source.starts_with("joint states")
                || source == "synchronisation"
                || source == HISTORY
                || source == "clock")
        });
    }
}
