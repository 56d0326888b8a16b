//! One episode through the whole graph: the bench as a robot, the four nodes, and a listener that
//! keeps score, all on topics.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use f1_interfaces::f1_msgs::msg::{ForesightError, SafetyEvent};
use f1_middleware::{Backend, Context, ContextOptions, RosArgs};
use f1_model::LoadOptions;
use f1_policy_node::FoxgloveSession;
use f1_policy_node::foresight::ServerOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::recording::RecordSession;
use f1_policy_node::stages::ProcessorTimes;
use f1_robot::Robot;
use f1_sim::episode::Foreseen;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::score::Score;
use f1_sim::{BenchSettings, Disturbed, Outcome};
use parking_lot::Mutex;

use super::listener::{Received, listen};
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
    /// Parameters of the nodes: node, name, value.
    pub parameters: Vec<(&'static str, &'static str, String)>,
    /// Folder or server of the policy.
    pub model: String,
    /// Ends an episode early when set.
    pub stop: Arc<AtomicBool>,
    /// Where a live page is served.
    pub view: Option<f1_view::Settings>,
    /// The port of loopback on which viewers are served.
    pub foxglove: Option<u16>,
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
    /// Foresight against what came.
    pub score: Score,
    /// The foresight errors that the policy published.
    pub errors: Vec<ForesightError>,
    /// Foresights as images, where they are kept.
    pub foreseen: Vec<Foreseen>,
    /// What happened in mid-episode.
    pub disturbed: Option<Disturbed>,
    /// Stamps of the history camera's images since the episode was laid out, ns, and whether the
    /// disturbance shows in each.
    pub shows: Vec<(i64, bool)>,
    /// What the policy cost; exact on a virtual clock.
    pub processor: ProcessorTimes,
    /// Passes of the generation expert.
    pub generations: u64,
    /// Messages recorded.
    pub recorded: Option<u64>,
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
        let args = self.ros_args()?;
        let context = Context::new(ContextOptions { backend: self.backend.clone(), args })?;
        let played = self.play_on(&context, settings, record, images);
        context.shutdown();
        context.executor().spin_for(Duration::from_millis(1));
        context.join();
        played
    }

    /// The nodes' parameters as ROS arguments.
    fn ros_args(&self) -> Result<RosArgs> {
        let mut all: Vec<String> = ["f1", "--ros-args"].map(String::from).to_vec();
        for (node, name, value) in &self.parameters {
            all.extend(["-p".into(), format!("/**/{node}:{name}:={value}")]);
        }
        Ok(RosArgs::parse(all)?.0)
    }

    fn play_on(
        &self,
        context: &Context,
        settings: &BenchSettings,
        record: Option<&Path>,
        images: bool,
    ) -> Result<Played> {
        let options = SimOptions { truth: true, ..SimOptions::default() };
        let sim = SimNode::start(context, &self.robot, settings.clone(), &options)?;
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
        let _viewers = self
            .foxglove
            .map(|port| FoxgloveSession::start(context, &self.robot, NAMESPACE, &[], port))
            .transpose()?;
        let received: Arc<Mutex<Received>> = Arc::default();
        let _listener = listen(context, NAMESPACE, &self.robot, &process, &received)?;

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
        let received = std::mem::take(&mut *received.lock());
        let truths = sim.truths();
        let resources = process.core().resources();
        let judged = received.judge(&truths, resources.as_deref(), images)?;
        Ok(Played {
            outcome,
            instruction,
            seconds,
            violations: sim.violations(),
            events: received.events,
            latency_ms: received.latency_ms,
            starved: received.starved,
            score: judged.score,
            errors: received.errors,
            foreseen: judged.images,
            disturbed: sim.disturbed(),
            shows: truths.iter().map(|truth| (truth.stamp_ns, truth.disturbed)).collect(),
            processor: process.status().processor,
            generations: resources.map_or(0, |resources| resources.policy.generation_passes()),
            recorded,
        })
    }
}
