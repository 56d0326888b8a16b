//! Recording a whole robot: everything that goes into the policy and everything that comes out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use f1_interfaces::Message;
use f1_interfaces::f1_msgs::msg::{ActionChunk, ForesightError, PolicyStatus, SafetyEvent};
use f1_interfaces::nav_msgs::msg::Path as PathMessage;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_interfaces::std_msgs::msg::{Bool, String as StringMessage};
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::{Context, Node, NodeOptions, Qos};
use f1_robot::Robot;

use super::Recorder;
use crate::error::NodeResult;
use crate::instruction;

/// A recording that runs until it is finished.
pub struct RecordSession {
    recorder: Arc<Recorder>,
    messages: Arc<AtomicU64>,
    _node: Node,
    _keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

struct Opening {
    node: Node,
    recorder: Arc<Recorder>,
    messages: Arc<AtomicU64>,
    keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

impl Opening {
    /// What writes a topic's messages, with the time at which they come.
    fn writing<T: Message>(&self, topic: &str) -> NodeResult<impl Fn(&T) + Send + Sync + 'static> {
        let name = self.node.resolve_topic(topic)?;
        let writer = self.recorder.topic::<T>(&name)?;
        let (clock, messages) = (self.node.clock(), self.messages.clone());
        Ok(move |message: &T| match writer.write(clock.now().nanoseconds(), message) {
            Ok(()) => {
                messages.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => tracing::error!(%error, "not recorded"),
        })
    }

    fn topic<T: Message>(&mut self, topic: &str, qos: Qos) -> NodeResult<()> {
        let write = self.writing::<T>(topic)?;
        let subscription =
            self.node.create_subscription::<T>(topic, qos, move |message, _| write(&message))?;
        self.keep.push(Box::new(subscription));
        Ok(())
    }

    fn instruction(&mut self) -> NodeResult<()> {
        let write = self.writing::<StringMessage>("instruction")?;
        self.keep.push(Box::new(instruction::subscribe(&self.node, write)?));
        Ok(())
    }
}

impl RecordSession {
    /// Opens the file and subscribes: cameras, joint states, instruction and the safety filter's
    /// `locks`; foresight, chunk, path, trajectories, events and status. What goes through
    /// services and actions (instructions, goals of controllers) is not in the file.
    ///
    /// # Errors
    /// A file that cannot be made, topics that the middleware refuses.
    pub fn start(
        context: &Context,
        robot: &Robot,
        namespace: &str,
        locks: &[String],
        path: &Path,
    ) -> NodeResult<Self> {
        let node = context.create_node_with("recorder", NodeOptions::in_namespace(namespace))?;
        let recorder = Arc::new(Recorder::create(path)?);
        recorder.begin(node.now().nanoseconds())?;
        let mut opening = Opening { node, recorder, messages: Arc::default(), keep: Vec::new() };
        let file = robot.file();
        let sensor = Qos::sensor_data().keep_last(30);
        for camera in file.cameras.iter().filter(|camera| camera.mask) {
            if camera.compressed {
                opening.topic::<CompressedImage>(&camera.topic, sensor)?;
            } else {
                opening.topic::<Image>(&camera.topic, sensor)?;
            }
        }
        opening.topic::<JointState>(&file.joint_states, Qos::sensor_data().keep_last(200))?;
        let reliable = Qos::reliable().keep_last(20);
        opening.instruction()?;
        for lock in locks {
            opening.topic::<Bool>(lock, reliable)?;
        }
        opening.topic::<Image>("foresight/image", reliable.best_effort())?;
        opening.topic::<Image>("foresight/comparison", reliable)?;
        opening.topic::<ForesightError>("foresight/error", reliable)?;
        opening.topic::<ActionChunk>("action/chunk", reliable)?;
        match file.arms.as_slice() {
            [_] => opening.topic::<PathMessage>("action/path", reliable)?,
            arms => {
                for arm in arms {
                    opening.topic::<PathMessage>(&format!("action/path/{}", arm.name), reliable)?;
                }
            }
        }
        for controller in robot.controllers() {
            let name = controller.full_name();
            opening.topic::<JointTrajectory>(&format!("{name}/joint_trajectory"), reliable)?;
        }
        opening.topic::<SafetyEvent>("safety_filter/event", reliable.keep_last(100))?;
        opening.topic::<PolicyStatus>("status", reliable.transient_local())?;
        let Opening { node, recorder, messages, keep } = opening;
        Ok(Self { recorder, messages, _node: node, _keep: keep })
    }

    /// Messages written so far.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(self) -> NodeResult<u64> {
        let messages = self.messages();
        self.recorder.finish()?;
        Ok(messages)
    }
}
