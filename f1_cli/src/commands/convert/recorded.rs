//! What a recording holds of a robot.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use f1_interfaces::f1_msgs::msg::{ActionChunk, PolicyStatus};
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_interfaces::std_msgs::msg::{Bool, String as StringMessage};
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_policy_node::recording::{Bag, BagMessage};
use f1_policy_node::topics;
use f1_robot::Robot;
use image::RgbImage;

/// The messages that matter, in the order of their receipt.
pub(super) struct Recorded {
    /// The robot's cameras that are there, in the robot file's order.
    pub cameras: Vec<CameraTrack>,
    /// Messages of joint states.
    pub joints: Vec<RecordedJoints>,
    /// Instructions and when they began; an empty one ends the one before.
    pub instructions: Vec<(i64, String)>,
    /// When a person took the robot and handed it back, ns; `None` in a recording
    /// that does not say.
    pub takeovers: Option<Vec<(i64, bool)>>,
    /// Trajectories with the time of their receipt.
    pub trajectories: Vec<(i64, JointTrajectory)>,
    /// Chunks with the time of their receipt.
    pub chunks: Vec<(i64, ActionChunk)>,
    /// Topics of the controllers' trajectories.
    pub trajectory_topics: Vec<String>,
}

/// One camera's images.
pub(super) struct CameraTrack {
    /// Name in the robot file.
    pub name: String,
    pub images: Vec<RecordedImage>,
    /// Images are read from it when they are needed.
    bag: Arc<Bag>,
}

/// One message of a camera; times are ns of ROS time.
pub(super) struct RecordedImage {
    pub stamp_ns: i64,
    pub received_ns: i64,
    /// Number of the message in the recording.
    pub order: usize,
}

/// One message of joint states; times are ns of ROS time.
pub(super) struct RecordedJoints {
    pub stamp_ns: i64,
    pub received_ns: i64,
    /// Number of the message in the recording.
    pub order: usize,
    pub message: JointState,
}

impl Recorded {
    pub fn read(
        bag: &Arc<Bag>,
        robot: &Robot,
        namespace: &str,
        task: Option<&str>,
    ) -> Result<Self> {
        if bag.is_empty() {
            bail!("the recording holds no message: was the robot running, and in this namespace?");
        }
        let file = robot.file();
        let absolute = |topic: &str| topics::absolute(namespace, topic);
        let all = |names: Vec<String>| names.iter().map(|name| absolute(name)).collect();
        let cameras: Vec<(String, String)> = file
            .cameras
            .iter()
            .filter(|camera| camera.mask)
            .map(|camera| (camera.name.clone(), absolute(&camera.topic)))
            .collect();
        let joint_topics: Vec<String> = all(topics::JOINT_STATES.names(robot, &[]));
        let trajectory_topics: Vec<String> = all(topics::JOINT_TRAJECTORY.names(robot, &[]));
        let instruction = absolute(topics::INSTRUCTION.name);
        let active = absolute(topics::INSTRUCTION_ACTIVE.name);
        let taken = absolute(topics::TAKEOVER_ACTIVE.name);
        let status = absolute(topics::STATUS.name);
        let chunk = absolute(topics::CHUNK.name);

        let mut held: BTreeMap<String, usize> = BTreeMap::new();
        let mut recorded = Self {
            cameras: cameras
                .iter()
                .map(|(name, _)| CameraTrack {
                    name: name.clone(),
                    images: Vec::new(),
                    bag: Arc::clone(bag),
                })
                .collect(),
            joints: Vec::new(),
            instructions: Vec::new(),
            takeovers: None,
            trajectories: Vec::new(),
            chunks: Vec::new(),
            trajectory_topics,
        };
        let (mut given, mut statuses) = (Vec::new(), Vec::new());
        for (order, message) in bag.messages().enumerate() {
            let message = message?;
            *held.entry(message.topic.clone()).or_default() += 1;
            let received_ns = message.stamp_ns;
            if let Some(number) = cameras.iter().position(|(_, topic)| *topic == message.topic) {
                let stamp_ns = stamp_of_image(&message)?;
                let image = RecordedImage { stamp_ns, received_ns, order };
                recorded.cameras[number].images.push(image);
            } else if joint_topics.contains(&message.topic) {
                let message: JointState = message.decode()?;
                let stamp_ns = message.header.stamp.nanoseconds();
                recorded.joints.push(RecordedJoints { stamp_ns, received_ns, order, message });
            } else if recorded.trajectory_topics.contains(&message.topic) {
                recorded.trajectories.push((received_ns, message.decode()?));
            } else if message.topic == instruction || message.topic == active {
                given.push((received_ns, message.decode::<StringMessage>()?.data));
            } else if message.topic == taken {
                let taken = message.decode::<Bool>()?.data;
                recorded.takeovers.get_or_insert_default().push((received_ns, taken));
            } else if message.topic == status {
                let status = status_of(&message)?;
                // What the policy does not follow at the moment is no demonstration of it.
                let follows = matches!(
                    status.state,
                    PolicyStatus::STATE_RUNNING | PolicyStatus::STATE_HOLDING
                );
                let text = if follows { status.instruction } else { String::new() };
                statuses.push((received_ns, text));
            } else if message.topic == chunk {
                recorded.chunks.push((received_ns, message.decode()?));
            }
        }
        let topics = || {
            let list: Vec<String> =
                held.iter().map(|(topic, count)| format!("{topic} ({count})")).collect();
            list.join(", ")
        };
        for (track, (name, topic)) in recorded.cameras.iter().zip(&cameras) {
            if track.images.is_empty() {
                bail!("no image of camera `{name}` on {topic}; the recording holds {}", topics());
            }
        }
        let joint_topics = joint_topics.join(" or ");
        if recorded.joints.is_empty() {
            bail!("no joint states on {joint_topics}; the recording holds {}", topics());
        }
        recorded.names_every_joint(robot, &joint_topics)?;
        recorded.instructions = match task {
            Some(task) => vec![(i64::MIN, task.to_owned())],
            None => instructions(given, statuses, &recorded.chunks),
        };
        if !recorded.instructions.iter().any(|(_, text)| !text.is_empty()) {
            bail!(
                "no instruction on {instruction}, {status} or {chunk}: give it with --task \"...\""
            );
        }
        Ok(recorded)
    }

    /// Whether a person moved the robot at a time.
    pub fn is_taken(&self, time_ns: i64) -> bool {
        let changes = self.takeovers.iter().flatten();
        changes.take_while(|(at, _)| *at <= time_ns).last().is_some_and(|(_, taken)| *taken)
    }

    /// Refuses a recording that never measures some of the robot's joints.
    fn names_every_joint(&self, robot: &Robot, topics: &str) -> Result<()> {
        let mut seen: BTreeMap<&str, f64> = BTreeMap::new();
        for joints in &self.joints {
            let measured = joints.message.name.iter().zip(&joints.message.position);
            // A position that is not a number at one time is dropped with its message.
            seen.extend(measured.map(|(name, position)| {
                (name.as_str(), if position.is_nan() { 0.0 } else { *position })
            }));
        }
        let names: Vec<String> = seen.keys().map(|name| (*name).to_owned()).collect();
        let positions: Vec<f64> = seen.into_values().collect();
        robot
            .joint_vector(&names, &positions)
            .map(|_| ())
            .with_context(|| format!("no usable message on {topics}"))
    }

    /// Takes the times of receipt as stamps.
    pub fn stamp_by_receipt(&mut self) {
        for image in self.cameras.iter_mut().flat_map(|camera| &mut camera.images) {
            image.stamp_ns = image.received_ns;
        }
        for joints in &mut self.joints {
            joints.stamp_ns = joints.received_ns;
        }
    }

    /// Moves all times of receipt back by `offset_ns`, onto the clock of the stamps.
    pub fn shift_receipts(&mut self, offset_ns: i64) {
        let shift = |time_ns: &mut i64| *time_ns = time_ns.saturating_sub(offset_ns);
        for image in self.cameras.iter_mut().flat_map(|camera| &mut camera.images) {
            shift(&mut image.received_ns);
        }
        self.joints.iter_mut().for_each(|joints| shift(&mut joints.received_ns));
        self.instructions.iter_mut().for_each(|(time_ns, _)| shift(time_ns));
        self.takeovers.iter_mut().flatten().for_each(|(time_ns, _)| shift(time_ns));
        self.trajectories.iter_mut().for_each(|(time_ns, _)| shift(time_ns));
        self.chunks.iter_mut().for_each(|(time_ns, _)| shift(time_ns));
    }
}

impl CameraTrack {
    /// Reads and decodes one image.
    pub fn image(&self, number: usize) -> Result<RgbImage> {
        let RecordedImage { stamp_ns, order, .. } = &self.images[number];
        let message = self.bag.message(*order)?;
        let decoded = match message.decode::<Image>() {
            Ok(image) => f1_image::into_rgb(image),
            Err(_) => f1_image::decode_compressed(&message.decode::<CompressedImage>()?),
        };
        let seconds = *stamp_ns as f64 * 1e-9;
        decoded.with_context(|| format!("camera `{}` at {seconds:.3} s", self.name))
    }
}

/// The status of the policy goes first: a goal of `execute_task` is never on the instruction's
/// topic.
fn instructions(
    given: Vec<(i64, String)>,
    statuses: Vec<(i64, String)>,
    chunks: &[(i64, ActionChunk)],
) -> Vec<(i64, String)> {
    let any = |list: &[(i64, String)]| list.iter().any(|(_, text)| !text.is_empty());
    let list = if any(&statuses) {
        statuses
    } else if any(&given) {
        given
    } else {
        chunks.iter().map(|(received, chunk)| (*received, chunk.instruction.clone())).collect()
    };
    let mut out: Vec<(i64, String)> = Vec::new();
    for (time, text) in list {
        let text = text.trim();
        if out.last().map_or("", |(_, before)| before) != text {
            out.push((time, text.to_owned()));
        }
    }
    out
}

fn stamp_of_image(message: &BagMessage) -> Result<i64> {
    let stamp = match message.decode::<Image>() {
        Ok(image) => image.header.stamp,
        Err(_) => message.decode::<CompressedImage>()?.header.stamp,
    };
    Ok(stamp.nanoseconds())
}

/// The policy's status. In recordings of earlier versions it ends before the list `unchecked`.
fn status_of(message: &BagMessage) -> Result<PolicyStatus> {
    message.decode().or_else(|fault| {
        // An empty list is zeros, with up to three for its alignment.
        let mut longer = message.data.clone();
        longer.extend([0; 8]);
        BagMessage { data: longer, ..message.clone() }.decode().map_err(|_| fault.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use f1_interfaces::cdr;

    #[test]
    fn a_status_of_an_earlier_version_is_read() {
        for name in ["", "a", "ab", "abc", "abcd"] {
            let status = PolicyStatus {
                state: PolicyStatus::STATE_RUNNING,
                instruction: "go".into(),
                locks: vec![name.into()],
                ..PolicyStatus::default()
            };
            let mut data = cdr::to_bytes(&status).unwrap();
            // As it was: it ended with the last lock's name and its zero.
            let padding = (4 - (name.len() + 1) % 4) % 4;
            data.truncate(data.len() - 4 - padding);
            let message = BagMessage {
                topic: "status".into(),
                type_name: "f1_msgs/msg/PolicyStatus".into(),
                stamp_ns: 0,
                data,
            };
            assert!(message.decode::<PolicyStatus>().is_err());
            assert_eq!(status_of(&message).unwrap(), status);
            let mut cut = message;
            cut.data.truncate(100);
            assert!(status_of(&cut).is_err());
        }
    }
}
