//! Subscriptions while a page is open: of each topic the newest message, how often messages come,
//! and when the last one came.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::Message;
use f1_interfaces::f1_msgs::msg::ActionChunk;
use f1_interfaces::nav_msgs::msg::Path;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_interfaces::std_msgs::msg::Bool;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_middleware::{Node, Subscription};
use f1_robot::Robot;
use f1_view::ImageState;
use image::RgbImage;
use parking_lot::Mutex;
use serde_json::Value;

use super::state;
use crate::error::NodeResult;
use crate::stages::RateMeter;
use crate::topics::{self, Topic};

/// The newest message of a topic.
struct Newest<T> {
    message: Option<Arc<T>>,
    /// Messages so far.
    count: u64,
    /// When the newest came, on the steady clock.
    at: Option<Duration>,
    meter: RateMeter,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self { message: None, count: 0, at: None, meter: RateMeter::default() }
    }
}

/// A topic that is followed.
pub(super) struct Followed<T: Message> {
    /// As the table of topics names it.
    pub name: String,
    newest: Arc<Mutex<Newest<T>>>,
    _subscription: Subscription<T>,
}

impl<T: Message> Followed<T> {
    fn open(node: &Node, topic: &Topic<T>, name: &str) -> NodeResult<Self> {
        let newest: Arc<Mutex<Newest<T>>> = Arc::default();
        let (into, clock) = (newest.clone(), node.clock());
        // One message is enough: a page shows the newest.
        let qos = topic.recording_qos().keep_last(1);
        let subscription = node.create_subscription::<T>(name, qos, move |message, _| {
            let now = clock.steady();
            let mut newest = into.lock();
            newest.message = Some(message);
            newest.count += 1;
            newest.at = Some(now);
            newest.meter.tick(steady_ns(now));
        })?;
        Ok(Self { name: name.to_owned(), newest, _subscription: subscription })
    }

    /// The newest message.
    pub fn message(&self) -> Option<Arc<T>> {
        self.newest.lock().message.clone()
    }

    /// Messages a second, and the newest one's age, s.
    pub fn pace(&self, now: Duration) -> (f64, Option<f64>) {
        let mut newest = self.newest.lock();
        let age = newest.at.map(|at| now.saturating_sub(at).as_secs_f64());
        (newest.meter.rate(steady_ns(now)), age)
    }

    fn counted(&self) -> Option<(u64, Arc<T>)> {
        let newest = self.newest.lock();
        newest.message.clone().map(|message| (newest.count, message))
    }
}

fn steady_ns(now: Duration) -> i64 {
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

/// All topics of one kind.
fn follow<T: Message>(
    node: &Node,
    topic: &Topic<T>,
    robot: &Robot,
    locks: &[String],
) -> NodeResult<Vec<Followed<T>>> {
    topic.names(robot, locks).iter().map(|name| Followed::open(node, topic, name)).collect()
}

/// An image as it came.
pub(super) enum Coded {
    Raw(u64, Arc<Image>),
    Compressed(u64, Arc<CompressedImage>),
}

impl Coded {
    /// The image with its number; `None` where it cannot be decoded.
    pub fn decode(&self) -> Option<(u64, RgbImage)> {
        match self {
            Self::Raw(count, message) => {
                f1_image::decode(message).ok().map(|image| (*count, image))
            }
            Self::Compressed(count, message) => {
                f1_image::decode_compressed(message).ok().map(|image| (*count, image))
            }
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Raw(count, _) | Self::Compressed(count, _) => *count,
        }
    }
}

/// The subscriptions of an open page.
pub(super) struct Feed {
    robot: Arc<Robot>,
    pub(super) cameras: Vec<Followed<Image>>,
    pub(super) compressed: Vec<Followed<CompressedImage>>,
    pub(super) joints: Vec<Followed<JointState>>,
    pub(super) locks: Vec<Followed<Bool>>,
    pub(super) chunk: Followed<ActionChunk>,
    pub(super) paths: Vec<Followed<Path>>,
    pub(super) trajectories: Vec<Followed<JointTrajectory>>,
    foreseen: Followed<Image>,
    comparison: Followed<Image>,
}

impl Feed {
    /// Subscribes to what a page shows of this robot.
    pub fn open(node: &Node, robot: Arc<Robot>, locks: &[String]) -> NodeResult<Self> {
        Ok(Self {
            cameras: follow(node, &topics::CAMERA, &robot, locks)?,
            compressed: follow(node, &topics::COMPRESSED_CAMERA, &robot, locks)?,
            joints: follow(node, &topics::JOINT_STATES, &robot, locks)?,
            locks: follow(node, &topics::LOCK, &robot, locks)?,
            chunk: Followed::open(node, &topics::CHUNK, topics::CHUNK.name)?,
            paths: follow(node, &topics::PATH, &robot, locks)?,
            trajectories: follow(node, &topics::JOINT_TRAJECTORY, &robot, locks)?,
            foreseen: Followed::open(node, &topics::FORESIGHT_IMAGE, topics::FORESIGHT_IMAGE.name)?,
            comparison: Followed::open(
                node,
                &topics::FORESIGHT_COMPARISON,
                topics::FORESIGHT_COMPARISON.name,
            )?,
            robot,
        })
    }

    pub fn robot(&self) -> &Arc<Robot> {
        &self.robot
    }

    /// Each image with its name on the page: `section/caption`.
    fn coded_images(&self) -> impl Iterator<Item = (String, Coded)> {
        let caption = |topic: &str| {
            let cameras = &self.robot.file().cameras;
            let camera = cameras.iter().find(|camera| camera.topic == topic);
            format!("cameras/{}", camera.map_or(topic, |camera| camera.name.as_str()))
        };
        let raw = self.cameras.iter().filter_map(move |one| {
            one.counted().map(|(count, message)| (caption(&one.name), Coded::Raw(count, message)))
        });
        let compressed = self.compressed.iter().filter_map(move |one| {
            let (count, message) = one.counted()?;
            Some((caption(&one.name), Coded::Compressed(count, message)))
        });
        let foresight = [
            (&self.comparison, "foresight/before, what was foreseen, what came one stride later"),
            (&self.foreseen, "foresight/foreseen now, still to come"),
        ];
        let foresight = foresight.into_iter().filter_map(|(one, key)| {
            one.counted().map(|(count, message)| (key.to_owned(), Coded::Raw(count, message)))
        });
        raw.chain(compressed).chain(foresight)
    }

    pub fn images(&self) -> Vec<ImageState> {
        let shown = |(key, coded): (String, Coded)| ImageState { key, sequence: coded.count() };
        self.coded_images().map(shown).collect()
    }

    /// An image as it came.
    pub fn coded(&self, key: &str) -> Option<Coded> {
        self.coded_images().find(|(name, _)| name == key).map(|(_, coded)| coded)
    }

    /// Adds what came to the page's state.
    pub fn describe(&self, value: &mut Value, now_ns: i64, steady: Duration) {
        let keys: Vec<String> = self.coded_images().map(|(key, _)| key).collect();
        value["images"] = keys.into();
        value["joints"] = state::joints(self, now_ns);
        value["path"] = state::paths(self);
        value["publishers"] = state::publishers(self, steady);
    }
}
