//! The node `perception`: its life, its parameters, its subscriptions.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use f1_interfaces::f1_msgs::srv::{SetInstruction, SetInstructionResponse};
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_middleware::{ClockKind, Node, Qos, Urgency, Worker};
use parking_lot::Mutex;

use super::frozen::FrozenWatch;
use super::intake::{Arrival, CameraMessage, Decoded, Shared};
use super::settings::PerceptionSettings;
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::instruction;

/// Name of the node, and of its entries on the board.
pub const NAME: &str = "perception";

/// The node `perception`: subscriptions live while it is configured, observations flow while it is
/// active.
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
    /// Declares parameters and offers the instruction's topic, service and parameter; they exist in
    /// every state.
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
        node.keep(instruction::subscribe(&node, move |message| {
            told.set_instruction(&message.data);
        })?);
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
        let shared = Shared::new(self.core.clone(), resources, settings, self.node.clock())?;
        let mut keep: Vec<Box<dyn std::any::Any + Send + Sync>> = Vec::new();
        for source in 0..shared.sources.len() {
            self.subscribe_camera(&shared, source, &mut keep)?;
        }
        self.subscribe_joints(&shared, &mut keep)?;
        let watch = shared.clone();
        let node = self.node.clone();
        keep.push(Box::new(self.node.create_timer(
            Duration::from_millis(100),
            ClockKind::Steady,
            {
                let clock = node.clock();
                move || watch.look_for_silence(clock.steady())
            },
        )));
        let jumped = shared.clone();
        keep.push(Box::new(self.node.on_jump_back(move |jump| {
            jumped.clock_jumped(jump.before.since(jump.after));
        })));
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
        self.core.set_future(configured.shared.settings.future_ns);
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
        self.core.release(NAME);
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
                Urgency::Motion,
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
            if shared.heard(source, stamp_ns, arrived, clock.now().nanoseconds())
                && submit.submit(Arrival { message, stamp_ns, arrived })
            {
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
            keep.push(Box::new(self.node.create_subscription::<Image>(
                &description.topic,
                qos,
                {
                    move |message, _| {
                        let stamp_ns = message.header.stamp.nanoseconds();
                        heard(CameraMessage::Raw(message), stamp_ns);
                    }
                },
            )?));
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
        let subscription = self.node.create_subscription::<JointState>(
            &topic,
            Qos::sensor_data(),
            move |message, _| {
                shared.joints_arrived(&message, clock.steady(), clock.now().nanoseconds());
            },
        )?;
        keep.push(Box::new(subscription));
        Ok(())
    }
}
