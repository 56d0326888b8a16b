//! The node `perception`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_interfaces::f1_msgs::srv::{SetInstruction, SetInstructionResponse};
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_middleware::{ClockKind, Node, Qos, Worker};
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
use crate::stages::{StageTimes, timed};

/// Name of the node, and of its entries on the board.
pub const NAME: &str = "perception";

/// A camera message as it came.
enum CameraMessage {
    Raw(Arc<Image>),
    Compressed(Arc<CompressedImage>),
}

/// A camera message on its way to the decoder.
struct Arrival {
    message: CameraMessage,
    stamp_ns: i64,
    /// On the steady clock.
    arrived: Duration,
}

/// What the decoder made of it.
struct Decoded {
    camera: usize,
    arrived: Duration,
    outcome: Result<(CameraFrame, Duration), String>,
    frozen_ns: i64,
}

/// Buffers of one activation.
struct Buffers {
    matcher: StampMatcher<CameraFrame>,
    joints: JointBuffer,
    /// When each camera and the joints were last heard, on the steady clock.
    heard: Vec<Duration>,
    joints_heard: Duration,
    last_arrival: Duration,
    last_history: Duration,
}

/// State that callbacks share.
struct Shared {
    core: Arc<Core>,
    resources: Arc<Resources>,
    settings: PerceptionSettings,
    active: AtomicBool,
    buffers: Mutex<Buffers>,
    history: Mutex<HistoryRing<HistoryFrame>>,
    /// (index in the robot file, required) of the cameras that are subscribed, in the matcher's order.
    sources: Vec<(usize, bool)>,
    names: Vec<String>,
}

/// The node `perception`: subscriptions live while it is configured, observations flow while it is active.
pub struct Perception {
    node: Node,
    core: Arc<Core>,
    configured: Mutex<Option<Configured>>,
}

struct Configured {
    shared: Arc<Shared>,
    /// Subscriptions, timers and workers; dropped on cleanup.
    _keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

impl Perception {
    /// Declares parameters and offers the instruction's topic, service and parameter; they exist in every state.
    ///
    /// # Errors
    /// Parameters or names that the middleware refuses.
    pub fn new(node: Node, core: Arc<Core>) -> NodeResult<Self> {
        PerceptionSettings::declare(node.parameters())?;
        core.set_instruction(&node.parameters().get::<String>("instruction")?);
        let told = core.clone();
        node.parameters().on_change(move |changes| {
            for (name, value) in changes {
                if name == "instruction"
                    && let f1_middleware::parameters::Value::String(text) = value
                {
                    told.set_instruction(text);
                }
            }
        });
        let told = core.clone();
        let subscription = node.create_subscription::<StringMessage>(
            "instruction",
            Qos::reliable().transient_local().keep_last(1),
            move |message, _| {
                told.set_instruction(&message.data);
            },
        )?;
        node.keep(subscription);
        let told = core.clone();
        let service =
            node.create_service::<SetInstruction>("perception/set_instruction", move |request| {
                let changed = told.set_instruction(&request.instruction);
                let message = if changed { "" } else { "that is the instruction already" };
                SetInstructionResponse { success: true, message: message.to_owned() }
            })?;
        node.keep(service);
        Ok(Self { node, core, configured: Mutex::new(None) })
    }

    /// The ROS node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Loads the resources, subscribes cameras and joints.
    ///
    /// # Errors
    /// Resources that cannot be loaded; a parameter that names no camera.
    pub fn configure(&self) -> NodeResult<()> {
        let resources = self.core.acquire(NAME)?;
        let settings = PerceptionSettings::read(self.node.parameters())?;
        let shared = self.shared(resources, settings)?;
        let mut keep: Vec<Box<dyn std::any::Any + Send + Sync>> = Vec::new();
        for source in 0..shared.sources.len() {
            self.subscribe_camera(&shared, source, &mut keep)?;
        }
        self.subscribe_joints(&shared, &mut keep)?;
        let watch = shared.clone();
        let node = self.node.clone();
        keep.push(Box::new(self.node.create_timer(Duration::from_millis(100), ClockKind::Steady, {
            let clock = node.clock();
            move || watch.look_for_silence(clock.steady())
        })));
        let weak = Arc::downgrade(&shared);
        self.node.clock().on_jump_back(move |jump| {
            if let Some(shared) = weak.upgrade() {
                shared.clock_jumped(jump.before.since(jump.after));
            }
        });
        *self.configured.lock() = Some(Configured { shared, _keep: keep });
        Ok(())
    }

    /// From now on observations flow.
    ///
    /// # Errors
    /// A node that is not configured.
    pub fn activate(&self) -> NodeResult<()> {
        let guard = self.configured.lock();
        let configured = guard.as_ref().ok_or(NodeError::NotConfigured(NAME))?;
        configured.shared.restart(self.node.steady_now());
        configured.shared.active.store(true, Ordering::SeqCst);
        self.core.board.lock().active.insert(NAME, true);
        Ok(())
    }

    /// Observations stop.
    pub fn deactivate(&self) {
        if let Some(configured) = &*self.configured.lock() {
            configured.shared.active.store(false, Ordering::SeqCst);
            configured.shared.clear_conditions();
        }
        self.core.board.lock().active.insert(NAME, false);
    }

    /// Drops subscriptions, workers and resources.
    pub fn cleanup(&self) {
        self.deactivate();
        *self.configured.lock() = None;
        self.core.board.lock().active.remove(NAME);
        self.core.release(NAME);
    }

    fn shared(&self, resources: Arc<Resources>, settings: PerceptionSettings) -> NodeResult<Arc<Shared>> {
        let cameras = &resources.robot.file().cameras;
        let names: Vec<String> = cameras.iter().map(|camera| camera.name.clone()).collect();
        if let Some(unknown) = settings.optional_cameras.iter().find(|name| !names.contains(name)) {
            return Err(NodeError::Parameter(format!(
                "optional_cameras: the robot file has no camera {unknown} (it has {})",
                names.join(", ")
            )));
        }
        let sources: Vec<(usize, bool)> = cameras
            .iter()
            .enumerate()
            .filter(|(_, camera)| camera.mask)
            .map(|(index, camera)| (index, !settings.optional_cameras.contains(&camera.name)))
            .collect();
        if !sources.iter().any(|(_, required)| *required) {
            return Err(NodeError::Parameter(
                "optional_cameras: at least one camera must be required".into(),
            ));
        }
        let required: Vec<bool> = sources.iter().map(|(_, required)| *required).collect();
        let config = resources.policy.config();
        let step_ns = (1e9 / resources.robot.rate_hz()).round() as i64;
        let history = HistorySettings {
            frames: config.run.history_frames.max(1),
            stride_ns: step_ns * config.run.obs_img_stride as i64,
            period_ns: if settings.history_period_ns > 0 { settings.history_period_ns } else { step_ns },
        };
        let buffers = Buffers {
            matcher: StampMatcher::new(settings.matching(), &required),
            joints: JointBuffer::default(),
            heard: vec![Duration::ZERO; sources.len()],
            joints_heard: Duration::ZERO,
            last_arrival: Duration::ZERO,
            last_history: Duration::ZERO,
        };
        Ok(Arc::new(Shared {
            core: self.core.clone(),
            resources,
            settings,
            active: AtomicBool::new(false),
            buffers: Mutex::new(buffers),
            history: Mutex::new(HistoryRing::new(history)),
            sources,
            names,
        }))
    }

    fn subscribe_camera(
        &self,
        shared: &Arc<Shared>,
        source: usize,
        keep: &mut Vec<Box<dyn std::any::Any + Send + Sync>>,
    ) -> NodeResult<()> {
        let (camera, _) = shared.sources[source];
        let description = shared.resources.robot.file().cameras[camera].clone();
        let worker = {
            let (shared, done) = (shared.clone(), shared.clone());
            let clock = self.node.clock();
            let mut watch = FrozenWatch::default();
            let mut frame_id: Arc<str> = "".into();
            Worker::spawn(
                &self.node,
                &format!("decode {}", description.name),
                Duration::ZERO,
                move |arrival: Arrival| shared.decode(source, arrival, &mut watch, &mut frame_id),
                move |decoded: Decoded| done.decoded(source, decoded, clock.now().nanoseconds()),
            )?
        };
        let worker = Arc::new(worker);
        let clock = self.node.clock();
        let qos = Qos::sensor_data();
        let (shared, submit) = (shared.clone(), worker.clone());
        let heard = move |message: CameraMessage, stamp_ns: i64| {
            let arrived = clock.steady();
            shared.buffers.lock().heard[source] = arrived;
            if shared.active.load(Ordering::SeqCst) && submit.submit(Arrival { message, stamp_ns, arrived }) {
                shared.core.board.lock().dropped_frames += 1;
            }
        };
        if description.compressed {
            keep.push(Box::new(self.node.create_subscription::<CompressedImage>(
                &description.topic,
                qos,
                {
                    move |message, _| {
                        let stamp_ns = message.header.stamp.nanoseconds();
                        heard(CameraMessage::Compressed(message), stamp_ns);
                    }
                },
            )?));
        } else {
            keep.push(Box::new(self.node.create_subscription::<Image>(&description.topic, qos, {
                move |message, _| {
                    let stamp_ns = message.header.stamp.nanoseconds();
                    heard(CameraMessage::Raw(message), stamp_ns);
                }
            })?));
        }
        keep.push(Box::new(worker));
        Ok(())
    }

    fn subscribe_joints(
        &self,
        shared: &Arc<Shared>,
        keep: &mut Vec<Box<dyn std::any::Any + Send + Sync>>,
    ) -> NodeResult<()> {
        let topic = shared.resources.robot.file().joint_states.clone();
        let (shared, clock) = (shared.clone(), self.node.clock());
        let subscription =
            self.node.create_subscription::<JointState>(&topic, Qos::sensor_data(), move |message, _| {
                shared.joints_arrived(&message, clock.steady(), clock.now().nanoseconds());
            })?;
        keep.push(Box::new(subscription));
        Ok(())
    }
}

impl Shared {
    /// Runs on the camera's decoder: pixels, frozen check, and the history frame when one is due.
    fn decode(
        &self,
        source: usize,
        arrival: Arrival,
        watch: &mut FrozenWatch,
        frame_id: &mut Arc<str>,
    ) -> Decoded {
        let (camera, _) = self.sources[source];
        let (image, decode) = timed(|| -> Result<RgbImage, String> {
            match &arrival.message {
                CameraMessage::Raw(message) => f1_middleware::image::decode(message),
                CameraMessage::Compressed(message) => f1_middleware::image::decode_compressed(message),
            }
            .map_err(|error| error.to_string())
        });
        let outcome = image.and_then(|image| {
            watch.observe(image.as_raw(), arrival.stamp_ns);
            let id = match &arrival.message {
                CameraMessage::Raw(message) => &message.header.frame_id,
                CameraMessage::Compressed(message) => &message.header.frame_id,
            };
            if frame_id.as_ref() != id.as_str() {
                *frame_id = id.as_str().into();
            }
            let image = Arc::new(image);
            let history = self.encode_history(camera, arrival.stamp_ns, &image)?;
            Ok((
                CameraFrame { stamp_ns: arrival.stamp_ns, frame_id: frame_id.clone(), image, decode },
                history,
            ))
        });
        Decoded { camera, arrived: arrival.arrived, outcome, frozen_ns: watch.frozen_for_ns() }
    }

    /// Encodes the frame once, as it arrives, when it is the history camera's and a frame is due.
    fn encode_history(&self, camera: usize, stamp_ns: i64, image: &RgbImage) -> Result<Duration, String> {
        let policy = &self.resources.policy;
        if !self.resources.foresees()
            || self.resources.history_camera() != Some(camera)
            || !self.history.lock().wants(stamp_ns)
        {
            return Ok(Duration::ZERO);
        }
        let (frame, took) = timed(|| policy.encode_frame(image));
        let frame = frame.map_err(|error| format!("history frame: {error}"))?;
        self.history.lock().push(stamp_ns, frame);
        Ok(took)
    }

    /// Runs on the executor.
    fn decoded(&self, source: usize, decoded: Decoded, now_ns: i64) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let name = &self.names[decoded.camera];
        let key = format!("camera {name}");
        let (frame, history) = match decoded.outcome {
            Ok(frame) => frame,
            Err(reason) => {
                let mut board = self.core.board.lock();
                board.dropped_frames += 1;
                board.condition(&format!("{key} decoding"), Some(format!("{key}: {reason}")));
                return;
            }
        };
        self.core.board.lock().condition(&format!("{key} decoding"), None);
        let frozen = self.settings.frozen_ns > 0 && decoded.frozen_ns > self.settings.frozen_ns;
        let seconds = decoded.frozen_ns as f64 * 1e-9;
        let reason = frozen.then(|| format!("{key}: the picture has not changed for {seconds:.1} s"));
        self.core.board.lock().condition(&format!("{key} frozen"), reason);
        if frozen {
            return;
        }
        let stamp_ns = frame.stamp_ns;
        {
            let mut buffers = self.buffers.lock();
            buffers.last_arrival = buffers.last_arrival.max(decoded.arrived);
            if !history.is_zero() {
                buffers.last_history = history;
            }
            if let Err(fault) = buffers.matcher.push(source, stamp_ns, frame, now_ns) {
                drop(buffers);
                self.stamp_fault(&key, fault);
                return;
            }
        }
        self.core.board.lock().condition(&format!("{key} stamp"), None);
        self.assemble();
    }

    fn stamp_fault(&self, key: &str, fault: StampFault) {
        let mut board = self.core.board.lock();
        board.dropped_frames += 1;
        match fault {
            // A repeated or reordered message is normal on best-effort links: counted, not told.
            StampFault::NotNewer { .. } => {}
            StampFault::Future { .. } => {
                board.condition(&format!("{key} stamp"), Some(format!("{key}: {fault}")));
            }
            StampFault::ClockJump { back_ns } => {
                drop(board);
                self.clock_jumped(Duration::from_nanos(back_ns.unsigned_abs()));
            }
        }
    }

    fn clock_jumped(&self, back: Duration) {
        self.history.lock().clear();
        {
            let mut buffers = self.buffers.lock();
            buffers.matcher.reset();
            buffers.joints.clear();
        }
        self.core.restart(&format!("the clock jumped back by {:.3} s", back.as_secs_f64()));
    }

    fn joints_arrived(&self, message: &JointState, arrived: Duration, now_ns: i64) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let stamp_ns = message.header.stamp.nanoseconds();
        let robot = &self.resources.robot;
        let sample = robot.joint_vector(&message.name, &message.position).and_then(|positions| {
            let state = self.resources.encoder.encode(&message.name, &message.position)?;
            Ok(JointSample { stamp_ns, positions, state })
        });
        let reason = match sample {
            Ok(_) if stamp_ns - now_ns > self.settings.future_ns => {
                Some(format!("joint states: stamp {stamp_ns} ns lies in the future"))
            }
            Ok(sample) => {
                let mut buffers = self.buffers.lock();
                buffers.joints_heard = arrived;
                let jumped = buffers.joints.newest().map_or(0, |newest| newest.stamp_ns - stamp_ns);
                buffers.joints.push(sample);
                drop(buffers);
                if jumped > self.settings.jump_ns {
                    self.clock_jumped(Duration::from_nanos(jumped.unsigned_abs()));
                }
                None
            }
            Err(error) => Some(error.to_string()),
        };
        let good = reason.is_none();
        {
            let mut board = self.core.board.lock();
            board.condition("joint states", reason);
            if good {
                board.joints_ns = Some(stamp_ns);
            }
        }
        if good {
            self.assemble();
        }
    }

    /// Puts the newest observation together, if one is complete, and hands it on.
    fn assemble(&self) {
        let instruction = match self.core.instruction() {
            Ok(instruction) => instruction,
            Err(error) => {
                self.core.board.lock().condition("instruction", Some(format!("instruction: {error}")));
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
            let Some(joints) = buffers.joints.nearest(set.stamp_ns, slop).cloned() else {
                self.core.board.lock().condition(
                    "synchronisation",
                    Some("joint states and cameras have stamps further apart than sync_slop".into()),
                );
                return;
            };
            self.core.board.lock().condition("synchronisation", None);
            let history = if self.resources.foresees() {
                match self.history.lock().window(set.stamp_ns) {
                    Some(history) => history,
                    None => return,
                }
            } else {
                Vec::new()
            };
            let mut cameras = vec![None; self.names.len()];
            let mut decode = Duration::ZERO;
            for ((camera, _), value) in self.sources.iter().zip(set.values) {
                if let Some((_, frame)) = value {
                    decode += frame.decode;
                    cameras[*camera] = Some(frame);
                }
            }
            let times = StageTimes { decode, history: buffers.last_history, ..StageTimes::default() };
            let arrived = buffers.last_arrival.max(buffers.joints_heard);
            let stamp_ns = set.stamp_ns;
            {
                let mut board = self.core.board.lock();
                board.observation_ns = Some(stamp_ns);
                board.observation_rate.tick(stamp_ns);
            }
            let Some(instruction) = instruction else { return };
            Observation { stamp_ns, cameras, history, joints, instruction, arrived, times }
        };
        self.core.observations.send(Arc::new(observation));
    }

    /// Names sources that send nothing.
    fn look_for_silence(&self, now: Duration) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let limit = Duration::from_nanos(self.settings.silent_ns.unsigned_abs());
        let (heard, joints) = {
            let buffers = self.buffers.lock();
            (buffers.heard.clone(), buffers.joints_heard)
        };
        let mut board = self.core.board.lock();
        let mut told = |key: &str, heard: Duration, required: bool| {
            let age = now.saturating_sub(heard);
            let silent = required && age > limit;
            board.condition(
                &format!("{key} silent"),
                silent.then(|| format!("{key}: nothing received for {:.1} s", age.as_secs_f64())),
            );
        };
        for ((camera, required), heard) in self.sources.iter().zip(heard) {
            told(&format!("camera {}", self.names[*camera]), heard, *required);
        }
        told("joint states", joints, true);
    }

    fn restart(&self, now: Duration) {
        self.history.lock().clear();
        let mut buffers = self.buffers.lock();
        buffers.matcher.reset();
        buffers.joints.clear();
        buffers.heard.fill(now);
        buffers.joints_heard = now;
    }

    fn clear_conditions(&self) {
        let mut board = self.core.board.lock();
        board.conditions.retain(|source, _| {
            !(source.starts_with("camera ")
                || source.starts_with("joint states")
                || source == "synchronisation")
        });
    }
}
