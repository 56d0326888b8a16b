//! The node `perception`: its life, its parameters, its subscriptions.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use f1_interfaces::f1_msgs::srv::SetInstructionResponse;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image};
use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_middleware::{ClockKind, Node, Urgency, Worker};
use parking_lot::Mutex;

use super::frozen::FrozenWatch;
use super::intake::{Arrival, CameraMessage, Decoded, Shared};
use super::settings::PerceptionSettings;
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::names::PERCEPTION as NAME;
use crate::{instruction, topics};

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

/// Keeps the instruction in force on its topic, whichever way it came.
fn publish_active(node: &Node, core: &Core) -> NodeResult<()> {
    let publisher = topics::INSTRUCTION_ACTIVE.publisher(node)?;
    publisher.publish(StringMessage::default())?;
    core.instructions.handle(move |text| {
        if let Err(error) = publisher.publish(StringMessage { data: text.to_string() }) {
            tracing::warn!(%error, "the instruction in force is not published");
        }
    });
    Ok(())
}

impl Perception {
    /// Declares parameters and offers the instruction's topic, service and parameter; they exist in
    /// every state.
    ///
    /// # Errors
    /// Parameters or names that the middleware refuses.
    pub fn new(node: Node, core: Arc<Core>) -> NodeResult<Self> {
        PerceptionSettings::declare(node.parameters())?;
        publish_active(&node, &core)?;
        core.set_instruction(&node.parameters().get::<String>("instruction")?);
        let by_parameter = core.clone();
        node.parameters().on_change(move |changes| {
            for (name, value) in changes {
                if name == "instruction"
                    && let f1_middleware::parameters::Value::String(text) = value
                {
                    by_parameter.set_instruction(text);
                }
            }
        });
        let by_topic = core.clone();
        node.keep(instruction::subscribe(&node, move |message| {
            by_topic.set_instruction(&message.data);
        })?);
        let by_service = core.clone();
        let service = topics::SET_INSTRUCTION.offer(&node, move |request| {
            let changed = by_service.set_instruction(&request.instruction);
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
        for camera in 0..shared.cameras.len() {
            self.subscribe_camera(&shared, camera, &mut keep)?;
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
            let back_ns = i64::try_from(jump.before.since(jump.after).as_nanos());
            jumped.clock_jumped(back_ns.unwrap_or(i64::MAX));
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
        self.core.status.lock().active.insert(NAME, true);
        Ok(())
    }

    /// Observations stop.
    pub fn deactivate(&self) {
        if let Some(configured) = &*self.configured.lock() {
            configured.shared.active.store(false, Ordering::SeqCst);
            configured.shared.clear_conditions();
        }
        self.core.status.lock().active.insert(NAME, false);
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
        camera: usize,
        keep: &mut Vec<Box<dyn std::any::Any + Send + Sync>>,
    ) -> NodeResult<()> {
        let (index, _) = shared.cameras[camera];
        let description = shared.resources.robot.file().cameras[index].clone();
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
                move |arrival: Arrival| shared.decode(camera, arrival, &mut watch, &mut frame_id),
                move |decoded: Decoded| done.decoded(camera, decoded, clock.now().nanoseconds()),
            )?
        };
        let worker = Arc::new(worker);
        let clock = self.node.clock();
        let (shared, submit) = (shared.clone(), worker.clone());
        let received = move |message: CameraMessage, stamp_ns: i64| {
            let arrived = clock.steady();
            if shared.received(camera, stamp_ns, arrived, clock.now().nanoseconds())
                && submit.submit(Arrival { message, stamp_ns, arrived })
            {
                shared.core.status.lock().dropped_frames += 1;
            }
        };
        let topic = &description.topic;
        if description.compressed {
            let callback = move |message: Arc<CompressedImage>, _| {
                let stamp_ns = message.header.stamp.nanoseconds();
                received(CameraMessage::Compressed(message), stamp_ns);
            };
            let subscription =
                topics::COMPRESSED_CAMERA.subscription_to(&self.node, topic, callback)?;
            keep.push(Box::new(subscription));
        } else {
            let callback = move |message: Arc<Image>, _| {
                let stamp_ns = message.header.stamp.nanoseconds();
                received(CameraMessage::Raw(message), stamp_ns);
            };
            keep.push(Box::new(topics::CAMERA.subscription_to(&self.node, topic, callback)?));
        }
        keep.push(Box::new(worker));
        Ok(())
    }

    fn subscribe_joints(
        &self,
        shared: &Arc<Shared>,
        keep: &mut Vec<Box<dyn std::any::Any + Send + Sync>>,
    ) -> NodeResult<()> {
        for topic in topics::JOINT_STATES.names(&shared.resources.robot, &[]) {
            let (shared, clock) = (shared.clone(), self.node.clock());
            let subscription =
                topics::JOINT_STATES.subscription_to(&self.node, &topic, move |message, _| {
                    shared.joints_arrived(&message, clock.steady(), clock.now().nanoseconds());
                })?;
            keep.push(Box::new(subscription));
        }
        Ok(())
    }
}
