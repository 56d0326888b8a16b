//! What a recording holds of a robot, in order of time.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use f1_interfaces::f1_msgs::msg::{ActionChunk, PolicyStatus};
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_policy_node::recording::{Bag, BagMessage};
use f1_robot::Robot;
use f1_robot::state::raw_state;
use image::RgbImage;

/// Stamps further than this from the time of receipt come from another clock and are not used, ns.
const OTHER_CLOCK_NS: u64 = 5_000_000_000;

/// The messages that matter, by their stamps.
pub(super) struct Recorded {
    /// The robot's cameras that are there, in the robot file's order.
    pub cameras: Vec<CameraTrack>,
    /// Measured joints, by stamp.
    pub joints: Vec<Joints>,
    /// Instructions and when they began; an empty one ends the one before.
    pub instructions: Vec<(i64, String)>,
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
    /// Stamp and number of the message in the recording, by stamp.
    pub images: Vec<(i64, usize)>,
}

/// One measurement of all joints.
pub(super) struct Joints {
    /// ns of ROS time.
    pub stamp_ns: i64,
    /// In the order of the robot's joints, rad or m.
    pub positions: Vec<f64>,
    /// The state vector in the units of the robot file's layout.
    pub state: Vec<f64>,
}

impl Recorded {
    pub fn read(bag: &Bag, robot: &Robot, namespace: &str, task: Option<&str>) -> Result<Self> {
        if bag.is_empty() {
            bail!("the recording holds no message: was the robot running, and in this namespace?");
        }
        let file = robot.file();
        let absolute = |topic: &str| resolve(namespace, topic);
        let cameras: Vec<(String, String)> = file
            .cameras
            .iter()
            .filter(|camera| camera.mask)
            .map(|camera| (camera.name.clone(), absolute(&camera.topic)))
            .collect();
        let joint_topic = absolute(&file.joint_states);
        let trajectory_topics: Vec<String> = robot
            .controllers()
            .iter()
            .map(|controller| absolute(&format!("{}/joint_trajectory", controller.full_name())))
            .collect();
        let (told, status, chunk) =
            (absolute("instruction"), absolute("status"), absolute("action/chunk"));

        let mut held: BTreeMap<String, usize> = BTreeMap::new();
        let mut recorded = Self {
            cameras: cameras
                .iter()
                .map(|(name, _)| CameraTrack { name: name.clone(), images: Vec::new() })
                .collect(),
            joints: Vec::new(),
            instructions: Vec::new(),
            trajectories: Vec::new(),
            chunks: Vec::new(),
            trajectory_topics,
        };
        let mut positions: BTreeMap<String, f64> = BTreeMap::new();
        let (mut said, mut statuses) = (Vec::new(), Vec::new());
        let mut unusable = None;
        for (place, message) in bag.messages().enumerate() {
            let message = message?;
            *held.entry(message.topic.clone()).or_default() += 1;
            let received = message.stamp_ns;
            if let Some(number) = cameras.iter().position(|(_, topic)| *topic == message.topic) {
                let stamp_ns = stamp_of_image(&message)?;
                recorded.cameras[number].images.push((usable(stamp_ns, received), place));
            } else if message.topic == joint_topic {
                let state: JointState = message.decode()?;
                // Several drivers may share the topic, each with its own joints.
                positions.extend(state.name.iter().cloned().zip(state.position.iter().copied()));
                let names: Vec<String> = positions.keys().cloned().collect();
                let values: Vec<f64> = positions.values().copied().collect();
                match (robot.joint_vector(&names, &values), raw_state(robot, &names, &values)) {
                    (Ok(positions), Ok(state_vector)) => recorded.joints.push(Joints {
                        stamp_ns: usable(state.header.stamp.nanoseconds(), received),
                        positions,
                        state: state_vector,
                    }),
                    (Err(fault), _) | (_, Err(fault)) => unusable = Some(fault),
                }
            } else if recorded.trajectory_topics.contains(&message.topic) {
                recorded.trajectories.push((received, message.decode()?));
            } else if message.topic == told {
                said.push((received, message.decode::<StringMessage>()?.data));
            } else if message.topic == status {
                let status: PolicyStatus = message.decode()?;
                // What the policy does not follow at the moment is no demonstration of it.
                let follows = matches!(
                    status.state,
                    PolicyStatus::STATE_RUNNING | PolicyStatus::STATE_HOLDING
                );
                statuses.push((received, if follows { status.instruction } else { String::new() }));
            } else if message.topic == chunk {
                recorded.chunks.push((received, message.decode()?));
            }
        }
        let topics = || {
            let list: Vec<String> =
                held.iter().map(|(topic, count)| format!("{topic} ({count})")).collect();
            list.join(", ")
        };
        for (track, (name, topic)) in recorded.cameras.iter_mut().zip(&cameras) {
            if track.images.is_empty() {
                bail!("no image of camera `{name}` on {topic}; the recording holds {}", topics());
            }
            track.images.sort_by_key(|(stamp, _)| *stamp);
        }
        if recorded.joints.is_empty() {
            match unusable {
                Some(fault) => {
                    return Err(fault).context(format!("no usable message on {joint_topic}"));
                }
                None => bail!("no joint states on {joint_topic}; the recording holds {}", topics()),
            }
        }
        recorded.joints.sort_by_key(|joints| joints.stamp_ns);
        recorded.instructions = match task {
            Some(task) => vec![(i64::MIN, task.to_owned())],
            None => instructions(said, statuses, &recorded.chunks),
        };
        if !recorded.instructions.iter().any(|(_, text)| !text.is_empty()) {
            bail!("no instruction on {told}, {status} or {chunk}: give it with --task \"...\"");
        }
        Ok(recorded)
    }

    /// Reads and decodes one image of a camera.
    pub fn image(&self, bag: &Bag, camera: usize, number: usize) -> Result<RgbImage> {
        let track = &self.cameras[camera];
        let (stamp, place) = &track.images[number];
        let message = bag.message(*place)?;
        let decoded = match message.decode::<Image>() {
            Ok(image) => f1_image::into_rgb(image),
            Err(_) => f1_image::decode_compressed(&message.decode::<CompressedImage>()?),
        };
        decoded.with_context(|| format!("camera `{}` at {:.3} s", track.name, *stamp as f64 * 1e-9))
    }
}

/// The policy's own word goes first: a goal of `execute_task` is never on the instruction's topic.
fn instructions(
    said: Vec<(i64, String)>,
    statuses: Vec<(i64, String)>,
    chunks: &[(i64, ActionChunk)],
) -> Vec<(i64, String)> {
    let any = |list: &[(i64, String)]| list.iter().any(|(_, text)| !text.is_empty());
    let list = if any(&statuses) {
        statuses
    } else if any(&said) {
        said
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

/// A message's own stamp, unless it has none or one of another clock.
fn usable(stamp_ns: i64, received_ns: i64) -> i64 {
    if stamp_ns == 0 || stamp_ns.abs_diff(received_ns) > OTHER_CLOCK_NS {
        received_ns
    } else {
        stamp_ns
    }
}

fn resolve(namespace: &str, topic: &str) -> String {
    match topic.strip_prefix('/') {
        Some(_) => topic.to_owned(),
        None => match namespace.trim_matches('/') {
            "" => format!("/{topic}"),
            space => format!("/{space}/{topic}"),
        },
    }
}
