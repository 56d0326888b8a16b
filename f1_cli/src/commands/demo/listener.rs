//! A node that keeps score of an episode: it subscribes to what the policy publishes.

use std::sync::Arc;

use anyhow::Result;
use f1_image::decode;
use f1_interfaces::f1_msgs::msg::{ActionChunk, ForesightError, SafetyEvent};
use f1_interfaces::sensor_msgs::msg::Image;
use f1_middleware::{Context, Node, NodeOptions};
use f1_policy_node::process::PolicyProcess;
use f1_policy_node::resources::Resources;
use f1_policy_node::topics;
use f1_robot::Robot;
use f1_robot::robot_file::CameraRole;
use f1_sim::episode::Foreseen;
use f1_sim::score::{Score, Truth};
use image::RgbImage;
use parking_lot::Mutex;

/// A frame belongs to a moment when its stamp is within this of it, ns.
const SAME: i64 = 60_000_000;

/// What the subscriptions received.
#[derive(Default)]
pub struct Received {
    /// Images of the history camera with their stamps, ns.
    seen: Vec<(i64, RgbImage)>,
    /// Foreseen images with the moment that they show, ns.
    foreseen: Vec<(i64, RgbImage)>,
    /// Observation and foreseen moment of each chunk, and when its last row is due, ns.
    chunks: Vec<(i64, i64, i64)>,
    /// Foresight errors, in order.
    pub errors: Vec<ForesightError>,
    /// Events of the safety filter.
    pub events: Vec<SafetyEvent>,
    /// All stages of each chunk together, ms.
    pub latency_ms: Vec<f64>,
    /// Times at which the newest chunk was used up before the next one came.
    pub starved: u64,
}

/// What was foreseen, and how well.
#[derive(Default)]
pub struct Judged {
    /// The measures over all foreseen images whose moment came.
    pub score: Score,
    /// The images, where they are wanted.
    pub images: Vec<Foreseen>,
}

/// Subscribes to chunks, events, foresight and the history camera.
///
/// # Errors
/// The middleware refuses a topic.
pub fn listen(
    context: &Context,
    namespace: &str,
    robot: &Robot,
    process: &PolicyProcess,
    received: &Arc<Mutex<Received>>,
) -> Result<Node> {
    let node = context.create_node_with("demo", NodeOptions::in_namespace(namespace))?;
    let core = process.core().clone();
    let into = received.clone();
    node.keep(node.create_subscription::<ActionChunk>(
        topics::CHUNK.name,
        topics::CHUNK.recording_qos(),
        move |chunk, _| {
            let stages = core.status.lock().stages;
            let mut received = into.lock();
            received.latency_ms.push(stages.total().as_secs_f64() * 1e3);
            let stamp = chunk.header.stamp.nanoseconds();
            let length = (f64::from(chunk.rows) / chunk.rate.max(1e-9) * 1e9) as i64;
            let came = stamp + chunk.latency.nanoseconds();
            if received.chunks.last().is_some_and(|(_, _, end)| *end < came) {
                received.starved += 1;
            }
            received.chunks.push((stamp, chunk.foresight_stamp.nanoseconds(), stamp + length));
        },
    )?);
    let into = received.clone();
    node.keep(node.create_subscription::<ForesightError>(
        topics::FORESIGHT_ERROR.name,
        topics::FORESIGHT_ERROR.recording_qos(),
        move |error, _| into.lock().errors.push((*error).clone()),
    )?);
    let into = received.clone();
    node.keep(node.create_subscription::<SafetyEvent>(
        topics::EVENT.name,
        topics::EVENT.recording_qos(),
        move |event, _| into.lock().events.push((*event).clone()),
    )?);
    let cameras = &robot.file().cameras;
    let history = cameras
        .iter()
        .find(|camera| camera.roles.contains(&CameraRole::History))
        .or_else(|| cameras.iter().find(|camera| !camera.name.contains("wrist")));
    let topic = history.map_or("front/image_raw", |camera| camera.topic.as_str()).to_owned();
    type Images = fn(&mut Received) -> &mut Vec<(i64, RgbImage)>;
    let seen: Images = |received| &mut received.seen;
    let foreseen: Images = |received| &mut received.foreseen;
    for (topic, qos, images) in [
        (topic.as_str(), topics::CAMERA.recording_qos(), seen),
        (topics::FORESIGHT_IMAGE.name, topics::FORESIGHT_IMAGE.recording_qos(), foreseen),
    ] {
        let into = received.clone();
        node.keep(node.create_subscription::<Image>(topic, qos, move |message, _| {
            if let Ok(image) = decode(&message) {
                let stamp = message.header.stamp.nanoseconds();
                images(&mut into.lock()).push((stamp, image));
            }
        })?);
    }
    Ok(node)
}

/// The entry whose stamp is nearest to `moment`, if that is near enough.
fn nearest<T>(entries: &[T], moment: i64, stamp: fn(&T) -> i64) -> Option<&T> {
    let entry = entries.iter().min_by_key(|entry| (stamp(entry) - moment).abs())?;
    ((stamp(entry) - moment).abs() < SAME).then_some(entry)
}

impl Received {
    /// How far ahead foresight looks, ns, from the stamps of the chunks.
    fn stride_ns(&self) -> i64 {
        self.chunks
            .iter()
            .map(|(stamp, foreseen, _)| foreseen - stamp)
            .find(|ahead| *ahead > 0)
            .unwrap_or(0)
    }

    /// Compares every foreseen image whose moment came with the camera's image at that moment and
    /// with the one at its observation, both as the network sees them.
    ///
    /// # Errors
    /// An image that cannot be prepared.
    pub fn judge(
        &self,
        truths: &[Truth],
        resources: Option<&Resources>,
        images: bool,
    ) -> Result<Judged> {
        let mut judged = Judged::default();
        for error in &self.errors {
            judged.score.add_tokens(error.token_agreement);
        }
        let Some(resources) = resources else { return Ok(judged) };
        let stride_ns = self.stride_ns();
        let first = self.seen.first().map_or(0, |(stamp, _)| *stamp);
        let ratio = resources.policy.info().foresight.map_or(1.0, |info| info.crop_ratio);
        for (moment, foreseen) in &self.foreseen {
            let observed = moment - stride_ns;
            let view = |at: i64| {
                let frame = nearest(&self.seen, at, |(stamp, _)| *stamp);
                frame.map(|(_, image)| resources.history_view(image)).transpose()
            };
            let (Some(now), came) = (view(observed)?, view(*moment)?) else { continue };
            if let Some(came) = &came {
                let truth = nearest(truths, *moment, |truth| truth.stamp_ns);
                let visible = truth.map(|truth| truth.fitted(foreseen.width() as usize, ratio));
                judged.score.add(foreseen, &now, came, visible.as_deref());
            }
            if images {
                judged.images.push(Foreseen {
                    time: (observed - first) as f64 * 1e-9,
                    now,
                    foreseen: Some(foreseen.clone()),
                    came,
                    token_accuracy: None,
                });
            }
        }
        Ok(judged)
    }
}
