//! From messages to observations: decoding, checks of stamps, matching.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_image::{ImageError, decode, decode_compressed, into_rgb};
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_middleware::Clock;
use f1_model::CameraInput;
use image::RgbImage;
use parking_lot::Mutex;

use super::frozen::FrozenWatch;
use super::history::{HistoryRing, HistorySettings};
use super::matching::StampFault;
use super::settings::PerceptionSettings;
use super::synchroniser::{JointsTaken, MatchedSet, StampRefused, Synchroniser};
use crate::condition::{Check, Condition, Restart, Sensor, Source};
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::observation::{CameraFrame, Observation};
use crate::policy::PastFrame;
use crate::resources::Resources;
use crate::stages::{StageTimes, stage};

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

    /// The pixels. Those of an unpadded rgb8 message with no other owner are moved, not copied.
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
pub(super) struct Health {
    /// When a message last came.
    pub received: Duration,
    /// When one could last be used.
    pub used: Duration,
    /// Why the last one could not.
    pub fault: Option<String>,
}

/// Buffers of one activation.
pub(super) struct Buffers {
    pub synchroniser: Synchroniser<CameraFrame>,
    pub cameras: Vec<Health>,
    pub joints: Health,
    /// When messages last belonged together.
    pub matched: Duration,
    last_history: Duration,
}

/// State that callbacks share.
pub(super) struct Shared {
    pub core: Arc<Core>,
    pub resources: Arc<Resources>,
    pub settings: PerceptionSettings,
    pub active: AtomicBool,
    pub clock: Clock,
    pub buffers: Mutex<Buffers>,
    history: Mutex<HistoryRing<PastFrame>>,
    /// The same frames as cameras take them, for a policy that is shown them.
    past: Mutex<HistoryRing<CameraInput>>,
    /// (index in the robot file, required) of the cameras that are subscribed, in the
    /// synchroniser's order.
    pub cameras: Vec<(usize, bool)>,
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
        let needed = resources.foresees() || resources.shows_past();
        let history = resources.history_camera().filter(|_| needed);
        if let Some(camera) = history.filter(|camera| optional.contains(&names[*camera])) {
            return wrong(format!(
                "foresight needs the past frames of the camera {}",
                names[camera]
            ));
        }
        let used: Vec<(usize, bool)> = cameras
            .iter()
            .enumerate()
            .filter(|(_, camera)| camera.mask)
            .map(|(index, camera)| (index, !optional.contains(&camera.name)))
            .collect();
        let required: Vec<bool> = used.iter().map(|(_, required)| *required).collect();
        if !required.contains(&true) {
            return wrong("at least one camera must be required".into());
        }
        let info = resources.policy.info();
        let step_ns = (1e9 / resources.robot.rate_hz()).round() as i64;
        let history = HistorySettings {
            frames: info.history_frames(),
            stride_ns: step_ns * info.stride_steps as i64,
            period_ns: if settings.history_period_ns > 0 {
                settings.history_period_ns
            } else {
                step_ns
            },
        };
        let buffers = Buffers {
            synchroniser: Synchroniser::new(&resources.robot, &settings, required),
            cameras: vec![Health::default(); used.len()],
            joints: Health::default(),
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
            past: Mutex::new(HistoryRing::new(history)),
            cameras: used,
            names,
        }))
    }

    /// The camera at this place of the synchroniser.
    pub fn sensor(&self, camera: usize) -> Sensor {
        Sensor::Camera(self.names[self.cameras[camera].0].clone())
    }

    /// A camera message came. Whether it is worth decoding: its stamp is neither ahead of the clock
    /// nor long past.
    pub fn received(&self, camera: usize, stamp_ns: i64, arrived: Duration, now_ns: i64) -> bool {
        if !self.active.load(Ordering::SeqCst) {
            return false;
        }
        self.buffers.lock().cameras[camera].received = arrived;
        if let Some(fault) = self.stamp_fault(&self.sensor(camera), stamp_ns, now_ns) {
            self.buffers.lock().cameras[camera].fault = Some(fault.to_string());
            self.core.status.lock().dropped_frames += 1;
            return false;
        }
        true
    }

    /// What is wrong with a stamp; notes it in the status. The first one from the future empties
    /// the buffers.
    fn stamp_fault(&self, sensor: &Sensor, stamp_ns: i64, now_ns: i64) -> Option<Condition> {
        let refused = StampRefused::of(stamp_ns, now_ns, &self.settings);
        let sensor = sensor.clone();
        let fault = refused.map(|refused| match refused {
            StampRefused::Ahead(ns) => {
                Condition::StampAhead { sensor: sensor.clone(), seconds: ns as f64 * 1e-9 }
            }
            StampRefused::Past(ns) => {
                Condition::StampPast { sensor: sensor.clone(), seconds: ns as f64 * 1e-9 }
            }
        });
        let news = self.core.status.lock().set(&sensor.source(Check::Stamp), fault.clone());
        if news && let Some(Condition::StampAhead { sensor, seconds }) = fault.clone() {
            self.start_anew(Restart::StampAhead { sensor, seconds });
        }
        fault
    }

    /// Runs on the camera's decoder: pixels, frozen check, and the history frame when one is due.
    pub fn decode(
        &self,
        camera: usize,
        arrival: Arrival,
        watch: &mut FrozenWatch,
        frame_id: &mut Arc<str>,
    ) -> Decoded {
        let (camera, _) = self.cameras[camera];
        if frame_id.as_ref() != arrival.message.frame_id() {
            *frame_id = arrival.message.frame_id().into();
        }
        let (stamp_ns, arrived) = (arrival.stamp_ns, arrival.arrived);
        let (image, decode) = stage!("decode", || arrival.message.decode());
        let outcome = image.map_err(|error| error.to_string()).and_then(|image| {
            watch.observe(image.as_raw(), stamp_ns);
            let image = Arc::new(image);
            let history = self.keep_history(camera, stamp_ns, &image)?;
            let frame_id = frame_id.clone();
            Ok((CameraFrame { stamp_ns, frame_id, image, decode, arrived }, history))
        });
        Decoded { camera, outcome, frozen_ns: watch.frozen_for_ns() }
    }

    /// Whether the policy is given history frames.
    fn wants_history(&self) -> bool {
        self.resources.foresees() && !self.core.is_without_foresight()
    }

    /// Keeps the frame once, as it arrives, when it is the history camera's and a frame is due.
    fn keep_history(
        &self,
        camera: usize,
        stamp_ns: i64,
        image: &Arc<RgbImage>,
    ) -> Result<Duration, String> {
        let policy = &self.resources.policy;
        let is_of_history = self.resources.history_camera() == Some(camera);
        if is_of_history && self.resources.shows_past() && self.past.lock().wants(stamp_ns) {
            let image = policy.fit_past(image).map_err(|error| format!("past image: {error}"))?;
            self.past.lock().push(stamp_ns, image);
        }
        if !is_of_history || !self.wants_history() || !self.history.lock().wants(stamp_ns) {
            return Ok(Duration::ZERO);
        }
        let (frame, took) = stage!("history", || {
            self.core.spend(|times| &mut times.history, || policy.keep(image))
        });
        let frame = frame.map_err(|error| format!("history frame: {error}"))?;
        self.history.lock().push(stamp_ns, frame);
        Ok(took)
    }

    /// Runs on the executor.
    pub fn decoded(&self, camera: usize, decoded: Decoded, now_ns: i64) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let name = || self.names[decoded.camera].clone();
        let source = |check| Source::Camera(name(), check);
        let unreadable = decoded.outcome.as_ref().err();
        let unreadable = unreadable
            .map(|reason| Condition::Unreadable { camera: name(), reason: reason.clone() });
        let frozen = self.settings.frozen_ns > 0 && decoded.frozen_ns > self.settings.frozen_ns;
        let seconds = decoded.frozen_ns as f64 * 1e-9;
        let frozen = frozen.then(|| Condition::Frozen { camera: name(), seconds });
        {
            let mut status = self.core.status.lock();
            status.dropped_frames += u64::from(unreadable.is_some());
            status.set(&source(Check::Content), unreadable.clone());
            if unreadable.is_none() {
                status.set(&source(Check::Frozen), frozen.clone());
            }
        }
        if unreadable.is_none() && self.cameras[camera].1 {
            // A scene that only seems to stand still must not be acted on to the end of the chunk.
            self.core.hold(&source(Check::Frozen), frozen.clone());
        }
        let (frame, history) = match (decoded.outcome, frozen) {
            (Ok(frame), None) => frame,
            (_, frozen) => {
                let fault = unreadable.or(frozen).map(|condition| condition.to_string());
                self.buffers.lock().cameras[camera].fault = fault;
                return;
            }
        };
        let pushed = {
            let mut buffers = self.buffers.lock();
            if !history.is_zero() {
                buffers.last_history = history;
            }
            let (stamp_ns, arrived) = (frame.stamp_ns, frame.arrived);
            let pushed = buffers.synchroniser.frame(camera, stamp_ns, frame, now_ns);
            let health = &mut buffers.cameras[camera];
            match &pushed {
                Ok(()) => (health.used, health.fault) = (arrived, None),
                Err(fault) => health.fault = Some(format!("{}: {fault}", self.sensor(camera))),
            }
            pushed
        };
        match pushed {
            Ok(()) => self.assemble(),
            // A repeated or reordered message is normal on best-effort links: it is counted, and
            // named when nothing else comes.
            Err(StampFault::NotNewer { .. } | StampFault::Future { .. }) => {
                self.core.status.lock().dropped_frames += 1;
            }
            Err(StampFault::ClockJump { back_ns }) => {
                self.core.status.lock().dropped_frames += 1;
                self.clock_jumped(back_ns);
            }
        }
    }

    /// The clock went back by `back_ns`: nothing that is kept can be compared with what comes.
    pub fn clock_jumped(&self, back_ns: i64) {
        self.start_anew(Restart::ClockBack { seconds: back_ns.unsigned_abs() as f64 * 1e-9 });
    }

    /// Empties the buffers and restarts the policy's memory: no motion until everything is fresh.
    fn start_anew(&self, reason: Restart) {
        self.history.lock().clear();
        self.past.lock().clear();
        self.buffers.lock().synchroniser.clear();
        self.core.restart(reason);
    }

    /// A message of joint states came.
    pub fn joints_arrived(&self, message: &JointState, arrived: Duration, now_ns: i64) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let stamp_ns = message.header.stamp.nanoseconds();
        {
            let mut buffers = self.buffers.lock();
            buffers.joints.received = arrived;
            if !buffers.synchroniser.concerns(message) {
                return;
            }
        }
        if let Some(fault) = self.stamp_fault(&Sensor::Joints, stamp_ns, now_ns) {
            self.buffers.lock().joints.fault = Some(fault.to_string());
            return;
        }
        let encode = |names: &[String], positions: &[f64]| {
            let vector = self.resources.robot.joint_vector(names, positions)?;
            Ok((vector, self.resources.encoder.encode(names, positions)?))
        };
        let taken = {
            let mut buffers = self.buffers.lock();
            let taken = buffers.synchroniser.joint_states(message, stamp_ns, arrived, &encode);
            match &taken {
                JointsTaken::Sample => {
                    (buffers.joints.used, buffers.joints.fault) = (arrived, None);
                }
                JointsTaken::Refused(reason) => buffers.joints.fault = Some(reason.clone()),
                JointsTaken::Nothing | JointsTaken::ClockBack(_) => {}
            }
            taken
        };
        let source = Source::JointStates(Check::Content);
        match taken {
            JointsTaken::Sample => {
                {
                    let mut status = self.core.status.lock();
                    status.clear(&source);
                    status.joints_ns = Some(stamp_ns);
                }
                self.assemble();
            }
            JointsTaken::Refused(reason) => {
                self.core.status.lock().raise(Condition::Joints(reason));
            }
            JointsTaken::ClockBack(back_ns) => self.clock_jumped(back_ns),
            JointsTaken::Nothing => {}
        }
    }

    /// Puts the newest observation together, if one is complete, and hands it on.
    fn assemble(&self) {
        let instruction = match self.core.instruction() {
            Ok(instruction) => instruction,
            Err(error) => {
                let refused = Condition::InstructionRefused(error.to_string());
                self.core.status.lock().raise(refused);
                return;
            }
        };
        let (set, history, past, missing_ns, last_history) = {
            let mut buffers = self.buffers.lock();
            let Some(set) = buffers.synchroniser.take() else { return };
            buffers.matched = self.clock.steady();
            let (history, missing_ns) = if self.wants_history() {
                let ring = self.history.lock();
                match ring.window(set.stamp_ns) {
                    Some(history) => (history, ring.missing_ns(set.stamp_ns)),
                    None => return,
                }
            } else {
                (Vec::new(), 0)
            };
            let (past, missing_ns) = if self.resources.shows_past() {
                let ring = self.past.lock();
                let Some(mut past) = ring.window(set.stamp_ns) else { return };
                // The newest is among the cameras already.
                past.pop();
                let missing_ns = missing_ns.max(ring.missing_ns(set.stamp_ns));
                (past.into_iter().map(|(_, image)| image).collect(), missing_ns)
            } else {
                (Vec::new(), missing_ns)
            };
            (set, history, past, missing_ns, buffers.last_history)
        };
        let MatchedSet { stamp_ns, frames, joints } = set;
        let mut cameras = vec![None; self.names.len()];
        let (mut decode, mut arrived) = (Duration::ZERO, joints.arrived);
        for ((camera, _), frame) in self.cameras.iter().zip(frames) {
            if let Some((_, frame)) = frame {
                decode += frame.decode;
                arrived = arrived.max(frame.arrived);
                cameras[*camera] = Some(frame);
            }
        }
        let times = StageTimes { decode, history: last_history, ..StageTimes::default() };
        let waits = self.resources.policy.info().full_history && missing_ns > 0;
        {
            let mut status = self.core.status.lock();
            status.observation_ns = Some(stamp_ns);
            status.observation_rate.tick(stamp_ns);
            let seconds = missing_ns as f64 * 1e-9;
            let missing = waits.then_some(Condition::HistoryMissing { seconds });
            status.set(&Source::History, missing);
        }
        let (Some(instruction), false) = (instruction, waits) else { return };
        let observation =
            Observation { stamp_ns, cameras, history, past, joints, instruction, arrived, times };
        self.core.observations.send(Arc::new(observation));
    }

    /// A new activation, at `now` on the steady clock.
    pub fn restart(&self, now: Duration) {
        self.history.lock().clear();
        self.past.lock().clear();
        let mut buffers = self.buffers.lock();
        buffers.synchroniser.clear();
        let fresh = Health { received: now, used: now, fault: None };
        buffers.cameras.fill(fresh.clone());
        buffers.joints = fresh;
        buffers.matched = now;
    }

    /// Conditions of sensors no longer hold once the node is inactive.
    pub fn clear_conditions(&self) {
        self.core.release_holds();
        self.core.status.lock().conditions.retain(|source, _| !source.is_of_perception());
    }
}
