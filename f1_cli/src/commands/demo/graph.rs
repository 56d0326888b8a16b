//! One episode through the whole graph: the bench as a robot, the four nodes, and a listener that
//! keeps score, all on topics.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use f1_interfaces::f1_msgs::msg::{ActionChunk, ForesightError, SafetyEvent};
use f1_interfaces::sensor_msgs::msg::Image;
use f1_middleware::{Backend, Context, ContextOptions, Node, NodeOptions};
use f1_model::LoadOptions;
use f1_policy_node::foresight::ServerOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::recording::RecordSession;
use f1_policy_node::topics;
use f1_robot::Robot;
use f1_sim::episode::Foreseen;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::{BenchSettings, Outcome};
use image::RgbImage;
use parking_lot::Mutex;

use crate::assembly;

/// Namespace of all topics.
const NAMESPACE: &str = "/f1";
/// Longest wait for the nodes to come up, s on the context's clock.
const START: u64 = 20;
/// How often the outcome is looked at, s.
const LOOK: Duration = Duration::from_millis(50);

/// Where and with what episodes are played.
#[derive(Clone)]
pub struct Stage {
    /// What carries the messages.
    pub backend: Backend,
    /// How a checkpoint is loaded.
    pub options: LoadOptions,
    /// How a policy server is used.
    pub server: ServerOptions,
    /// The robot file.
    pub robot_file: PathBuf,
    /// The robot file, read.
    pub robot: Arc<Robot>,
    /// Folder or server of the policy.
    pub model: String,
    /// Ends an episode early when set.
    pub stop: Arc<AtomicBool>,
    /// Where a live page is served.
    pub view: Option<f1_view::Settings>,
}

/// What happened in an episode.
pub struct Played {
    /// How it ended; still running if it was stopped.
    pub outcome: Outcome,
    /// The sentence.
    pub instruction: String,
    /// Seconds on the bench's clock.
    pub seconds: f64,
    /// Set-points outside a limit, counted at the controllers by the bench.
    pub violations: u64,
    /// All events of the safety filter.
    pub events: Vec<SafetyEvent>,
    /// All stages of each chunk together, measured on the machine's clock, ms.
    pub latency_ms: Vec<f64>,
    /// Times at which the policy's newest chunk was used up before the next one came.
    pub starved: u64,
    /// PSNR in dB and share of equal tokens of each foresight against the frame that came.
    pub foresight: Vec<(f64, f64)>,
    /// Foresights as images, where they are kept.
    pub foreseen: Vec<Foreseen>,
    /// Messages recorded.
    pub recorded: Option<u64>,
}

/// What the subscriptions received.
#[derive(Default)]
struct Received {
    /// Images of the history camera with their stamps, ns.
    seen: VecDeque<(i64, RgbImage)>,
    /// Foreseen images with the moment that they show, ns.
    foreseen: Vec<(i64, RgbImage)>,
    /// Observation and foreseen moment of each chunk, and when its last row is due, ns.
    chunks: Vec<(i64, i64, i64)>,
    errors: Vec<(f64, f64)>,
    events: Vec<SafetyEvent>,
    latency_ms: Vec<f64>,
    starved: u64,
}

impl Stage {
    /// Plays one episode; `record` records all topics in an MCAP file, `images`
    /// keeps what was foreseen.
    ///
    /// # Errors
    /// The graph cannot be built, or its nodes do not come up.
    pub fn play(
        &self,
        settings: &BenchSettings,
        record: Option<&Path>,
        images: bool,
    ) -> Result<Played> {
        let context = Context::new(ContextOptions::new(self.backend.clone()))?;
        let played = self.play_on(&context, settings, record, images);
        context.shutdown();
        context.executor().spin_for(Duration::from_millis(1));
        context.join();
        played
    }

    fn play_on(
        &self,
        context: &Context,
        settings: &BenchSettings,
        record: Option<&Path>,
        images: bool,
    ) -> Result<Played> {
        let sim = SimNode::start(context, &self.robot, settings.clone(), &SimOptions::default())?;
        let (robot_file, model) = (self.robot_file.clone(), self.model.clone());
        let (options, server) = (self.options, self.server.clone());
        let load = move || assembly::load(&robot_file, &model, &options, &server);
        let process = PolicyProcess::compose(
            context,
            Box::new(move |_| Box::new(load)),
            &ProcessOptions { view: self.view.clone(), ..ProcessOptions::default() },
        )?;
        if let Some(address) = process.view_address() {
            eprintln!("live page at http://{address}");
        }
        let recording = record
            .map(|path| RecordSession::start(context, &self.robot, NAMESPACE, &[], path))
            .transpose()
            .context("the recording cannot be made")?;
        let received: Arc<Mutex<Received>> = Arc::default();
        let _listener = self.listen(context, &process, &received, images)?;

        let executor = context.executor();
        let mut waited = Duration::ZERO;
        while !process.is_started() {
            if waited > Duration::from_secs(START) {
                bail!("the nodes did not come up: {}", process.status().state().1);
            }
            executor.spin_for(LOOK);
            waited += LOOK;
        }
        // The episode begins now, with a policy that has a history.
        sim.reset(settings.clone())?;
        while sim.time() < 0.0 && !self.stop.load(Ordering::Relaxed) {
            executor.spin_for(LOOK);
        }
        let instruction = sim.instruction();
        process.core().set_instruction(&instruction);
        let limit = settings.task.time_limit() + 2.0;
        while !sim.outcome().is_over() && sim.time() < limit && !self.stop.load(Ordering::Relaxed) {
            executor.spin_for(LOOK);
        }
        let (outcome, seconds) = (sim.outcome(), sim.time());
        process.core().set_instruction("");
        // What was foreseen last may still come, and the arm comes to rest: both belong to the
        // episode.
        executor.spin_for(Duration::from_millis(600));
        let recorded = recording.map(RecordSession::finish).transpose()?;
        let stride_ns = stride_ns(&received.lock());
        let mut received = std::mem::take(&mut *received.lock());
        let foreseen = received.pair(stride_ns);
        Ok(Played {
            outcome,
            instruction,
            seconds,
            violations: sim.violations(),
            events: received.events,
            latency_ms: received.latency_ms,
            starved: received.starved,
            foresight: received.errors,
            foreseen,
            recorded,
        })
    }

    /// A node that subscribes to what the demo shows.
    fn listen(
        &self,
        context: &Context,
        process: &PolicyProcess,
        received: &Arc<Mutex<Received>>,
        images: bool,
    ) -> Result<Node> {
        let node = context.create_node_with("demo", NodeOptions::in_namespace(NAMESPACE))?;
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
            move |error, _| into.lock().errors.push((error.psnr, error.token_agreement)),
        )?);
        let into = received.clone();
        node.keep(node.create_subscription::<SafetyEvent>(
            topics::EVENT.name,
            topics::EVENT.recording_qos(),
            move |event, _| into.lock().events.push((*event).clone()),
        )?);
        if images {
            let camera =
                self.robot.file().cameras.iter().find(|camera| !camera.name.contains("wrist"));
            let topic = camera.map_or("front/image_raw", |camera| camera.topic.as_str()).to_owned();
            let into = received.clone();
            node.keep(node.create_subscription::<Image>(
                &topic,
                topics::CAMERA.recording_qos(),
                move |message, _| {
                    if let Ok(image) = f1_image::decode(&message) {
                        into.lock().seen.push_back((message.header.stamp.nanoseconds(), image));
                    }
                },
            )?);
            let into = received.clone();
            node.keep(node.create_subscription::<Image>(
                topics::FORESIGHT_IMAGE.name,
                topics::FORESIGHT_IMAGE.recording_qos(),
                move |message, _| {
                    if let Ok(image) = f1_image::decode(&message) {
                        into.lock().foreseen.push((message.header.stamp.nanoseconds(), image));
                    }
                },
            )?);
        }
        Ok(node)
    }
}

/// How far ahead foresight looks, ns, from the stamps of the chunks.
fn stride_ns(received: &Received) -> i64 {
    received
        .chunks
        .iter()
        .map(|(stamp, foreseen, _)| foreseen - stamp)
        .find(|ahead| *ahead > 0)
        .unwrap_or(0)
}

impl Received {
    /// Pairs each foreseen image with the camera's images at its observation and at its moment.
    fn pair(&mut self, stride_ns: i64) -> Vec<Foreseen> {
        let first = self.seen.front().map_or(0, |(stamp, _)| *stamp);
        let nearest = |moment: i64| {
            let found = self.seen.iter().min_by_key(|(stamp, _)| (stamp - moment).abs())?;
            ((found.0 - moment).abs() < 60_000_000).then(|| found.1.clone())
        };
        let foreseen = std::mem::take(&mut self.foreseen);
        foreseen
            .into_iter()
            .filter_map(|(moment, image)| {
                Some(Foreseen {
                    time: (moment - stride_ns - first) as f64 * 1e-9,
                    now: nearest(moment - stride_ns)?,
                    foreseen: Some(image),
                    came: nearest(moment),
                    token_accuracy: None,
                })
            })
            .collect()
    }
}
