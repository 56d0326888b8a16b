//! The four nodes of one process, put together: lifecycle, status, diagnostics, and coming to rest
//! when the process ends, by a signal or a fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::f1_msgs::msg::{ForesightError, PolicyStatus};
use f1_interfaces::std_msgs::msg::Header;
use f1_middleware::diagnostics::Level;
use f1_middleware::lifecycle::{Completion, State};
use f1_middleware::log::Scope;
use f1_middleware::parameters::Descriptor;
use f1_middleware::{
    ClockKind, Context, Diagnostics, Lifecycle, ManagedNode, Node, NodeOptions, Publisher,
};

use crate::action::Action;
use crate::by_name;
use crate::core::{Core, Loader};
use crate::error::NodeResult;
use crate::foresight::Foresight;
use crate::names::{ACTION, FORESIGHT, PERCEPTION, SAFETY_FILTER};
use crate::perception::Perception;
use crate::safety::{SafetyFilterNode, Stopper, home};
use crate::status::{PolicyState, Status};
use crate::task::TaskServer;
use crate::topics;
use crate::view;

/// How long a process that shuts down or fails waits for the robot to come to rest.
const REST: Duration = Duration::from_secs(5);

/// How the nodes are put together.
pub struct ProcessOptions {
    /// Namespace of all nodes unless `-r __ns:=` says otherwise.
    pub namespace: String,
    /// Walks the nodes up to active.
    pub autostart: bool,
    /// Serves the live page; without it the parameter `view` says whether.
    pub view: Option<f1_view::Settings>,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self { namespace: "/f1".into(), autostart: true, view: None }
    }
}

/// The four nodes of one process.
pub struct PolicyProcess {
    core: Arc<Core>,
    stopper: Stopper,
    lifecycles: Vec<Lifecycle>,
    nodes: Vec<Node>,
    started: Arc<AtomicBool>,
    status: Arc<Publisher<PolicyStatus>>,
    view: Option<f1_view::Server>,
    _keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

/// What a managed node does; the four nodes differ only in what is behind this.
trait Part: Send + Sync + 'static {
    fn configure(&self) -> NodeResult<()>;
    fn activate(&self) -> NodeResult<()>;
    fn deactivate(&self);
    fn cleanup(&self);
}

macro_rules! part {
    ($($node:ty),*) => {$(
        impl Part for $node {
            fn configure(&self) -> NodeResult<()> {
                <$node>::configure(self)
            }
            fn activate(&self) -> NodeResult<()> {
                <$node>::activate(self)
            }
            fn deactivate(&self) {
                <$node>::deactivate(self);
            }
            fn cleanup(&self) {
                <$node>::cleanup(self);
            }
        }
    )*};
}

part!(Perception, Foresight, Action, SafetyFilterNode);

struct Managed {
    part: Arc<dyn Part>,
    core: Arc<Core>,
    /// The node's name.
    name: String,
    /// On a virtual clock loading is inline: a thread would end at no certain instant.
    inline: bool,
}

impl ManagedNode for Managed {
    fn on_configure(&mut self, completion: Completion) {
        let (part, core, name) = (self.part.clone(), self.core.clone(), self.name.clone());
        let configure = move || {
            let outcome = part.configure();
            core.note_configured(&name, outcome.as_ref().err().map(ToString::to_string));
            outcome
        };
        if self.inline {
            completion.finish_with(configure());
            return;
        }
        // Loading takes long: services and the other nodes go on meanwhile.
        let scope = Scope::current();
        let spawned = std::thread::Builder::new().name("configure".into()).spawn(move || {
            completion.finish_with(scope.run(configure));
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for loading");
        }
    }

    fn on_activate(&mut self, completion: Completion) {
        completion.finish_with(self.part.activate());
    }

    fn on_deactivate(&mut self, completion: Completion) {
        self.part.deactivate();
        completion.finish_with(Ok::<(), crate::NodeError>(()));
    }

    fn on_cleanup(&mut self, completion: Completion) {
        self.part.cleanup();
        completion.finish_with(Ok::<(), crate::NodeError>(()));
    }

    fn on_shutdown(&mut self, _from: State, completion: Completion) {
        self.part.cleanup();
        completion.finish_with(Ok::<(), crate::NodeError>(()));
    }
}

impl PolicyProcess {
    /// Makes the four nodes on a context. Nothing is loaded yet: that is what configuring does, and
    /// it may fail without ending the process.
    ///
    /// # Errors
    /// Parameters or names that the middleware refuses.
    pub fn compose(
        context: &Context,
        loader: LoaderOf,
        options: &ProcessOptions,
    ) -> NodeResult<Self> {
        let namespace = NodeOptions::in_namespace(options.namespace.clone()).with_logger_services();
        // What leads to motion has threads of its own: neither an image nor a parameter call
        // delays it.
        let safety_node =
            context.create_node_with(SAFETY_FILTER, namespace.clone().on_own_thread())?;
        let perception_node =
            context.create_node_with(PERCEPTION, namespace.clone().on_own_thread())?;
        let foresight_node = context.create_node_with(FORESIGHT, namespace.clone())?;
        let action_node = context.create_node_with(ACTION, namespace.on_own_thread())?;
        let core = Core::new(loader(&foresight_node), 1);
        let safety = Arc::new(SafetyFilterNode::new(safety_node.clone(), core.clone())?);
        let foresight = Arc::new(Foresight::new(foresight_node.clone(), core.clone())?);
        let action = Arc::new(Action::new(action_node.clone(), core.clone())?);
        let perception = Arc::new(Perception::new(perception_node.clone(), core.clone())?);
        let stopper = safety.stopper();

        let mut keep: Vec<Box<dyn std::any::Any + Send + Sync>> = Vec::new();
        let mut lifecycles = Vec::new();
        // Downstream first: what a node sends finds an active receiver.
        let parts: [(&Node, Arc<dyn Part>); 4] = [
            (&safety_node, safety),
            (&action_node, action),
            (&foresight_node, foresight),
            (&perception_node, perception),
        ];
        for (node, part) in parts {
            let managed = Managed {
                part,
                core: core.clone(),
                name: node.name().to_owned(),
                inline: context.is_virtual(),
            };
            lifecycles.push(Lifecycle::manage(node, managed)?);
            keep.push(Box::new(diagnose(node, &core)?));
        }
        let status = Arc::new(topics::STATUS.publisher(&safety_node)?);
        keep.push(Box::new(publish_status(&safety_node, &core, status.clone())));
        keep.push(Box::new(TaskServer::offer(&action_node, &core)?));
        keep.push(Box::new(home::offer(&safety_node, &core)?));
        come_to_rest_on_shutdown(context, &stopper);
        let nodes = vec![perception_node, foresight_node, action_node, safety_node];
        let started = Arc::new(AtomicBool::new(false));
        let view = None;
        let mut process =
            Self { core, stopper, lifecycles, nodes, started, status, view, _keep: keep };
        if let Some(node) = process.nodes.first() {
            let of = (&process.core, &process.stopper);
            process.view = view::open(context, node, of, process.locks(), options.view.clone())?;
        }
        let autostart = process.nodes.first().map_or(Ok(true), |node| {
            let descriptor =
                Descriptor::new("Walk the four nodes up to active at start.").read_only();
            node.parameters().declare("autostart", true, descriptor)
        })?;
        if let (Some(node), undeclared @ [_, ..]) =
            (process.nodes.last(), &process.undeclared_parameters()[..])
        {
            node.logger().warn(format!(
                "no node declares {}, so it has no effect: is it spelled as in docs/parameters.md?",
                undeclared.join(", ")
            ));
        }
        if autostart && options.autostart {
            process.start();
        }
        Ok(process)
    }

    /// Where the live page is, where it is served.
    #[must_use]
    pub fn view_address(&self) -> Option<std::net::SocketAddr> {
        self.view.as_ref().map(f1_view::Server::address)
    }

    /// Parameters that were given on the command line or in a file to a node, and that neither it
    /// declares nor, where all nodes were given them, another.
    #[must_use]
    pub fn undeclared_parameters(&self) -> Vec<String> {
        let given: Vec<Vec<String>> =
            self.nodes.iter().map(|node| node.parameters().unknown()).collect();
        let mut names: Vec<String> = Vec::new();
        for (node, unknown) in self.nodes.iter().zip(&given) {
            for name in unknown {
                let taken = self.nodes.iter().any(|other| other.parameters().is_taken(name));
                // Qualities of service are the middleware's.
                if !taken && !name.starts_with("qos_overrides.") {
                    let everywhere = given.iter().all(|others| others.contains(name));
                    names.push(match everywhere {
                        true => name.clone(),
                        false => format!("{}:{name}", node.name()),
                    });
                }
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Walks all nodes up to active, the safety filter first; a node that fails stays where it is,
    /// with its reason on `status`.
    pub fn start(&self) {
        fn next(mut left: std::vec::IntoIter<Lifecycle>, done: Arc<AtomicBool>) {
            match left.next() {
                Some(lifecycle) => lifecycle.start(move |success| {
                    if success {
                        next(left, done);
                    }
                }),
                None => done.store(true, Ordering::SeqCst),
            }
        }
        next(self.lifecycles.clone().into_iter(), self.started.clone());
    }

    /// Whether [`PolicyProcess::start`] brought every node up.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::SeqCst)
    }

    /// What the nodes share.
    #[must_use]
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Stops motion from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    /// The nodes' lives: safety filter, action, foresight, perception.
    #[must_use]
    pub fn lifecycles(&self) -> &[Lifecycle] {
        &self.lifecycles
    }

    /// perception, foresight, action, safety_filter.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Topics of the safety filter's locks.
    #[must_use]
    pub fn locks(&self) -> Vec<String> {
        // The safety filter is the last of them.
        self.nodes.last().and_then(|node| node.parameters().get("locks").ok()).unwrap_or_default()
    }

    /// A copy of the status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.core.status.lock().clone()
    }

    /// From now on a panic in any thread of the process stops motion first and then ends the
    /// process with a failure.
    pub fn stop_on_panic(&self) {
        let (core, stopper, status) =
            (self.core.clone(), self.stopper.clone(), self.status.clone());
        let clock = self.nodes.first().map(Node::clock);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            let thread = std::thread::current();
            let reason = format!("thread {} panicked", thread.name().unwrap_or("without name"));
            // The panicking thread may hold locks: everything else happens on another one, and this
            // one waits for it.
            let (core, stopper, publisher) = (core.clone(), stopper.clone(), status.clone());
            let now_ns = clock.as_ref().map_or(0, |clock| clock.now().nanoseconds());
            let stopping = std::thread::spawn(move || {
                const FREE: Duration = Duration::from_millis(100);
                if let Some(mut status) = core.status.try_lock_for(FREE) {
                    status.fault = Some(reason.clone());
                }
                stopper.stop(&reason);
                // From here: the thread that publishes the status may be the one that panicked.
                let message = match core.status.try_lock_for(FREE) {
                    Some(mut status) => status_message(&mut status, now_ns),
                    // It holds the status, which cannot be read then; the reason is sent all the
                    // same.
                    None => fault_message(reason, now_ns),
                };
                if let Err(error) = publisher.publish(message) {
                    tracing::error!(%error, "status not published");
                }
                wait_for_rest(&stopper);
                // The reason must be on its way before the process is gone.
                std::thread::sleep(Duration::from_millis(300));
                std::process::exit(101);
            });
            if stopping.join().is_err() {
                std::process::exit(101);
            }
        }));
    }
}

impl Drop for PolicyProcess {
    fn drop(&mut self) {
        // Handlers of ports and restarts refer to the core that holds them: without this a process
        // that was not cleaned up would never be freed.
        self.core.observations.close();
        self.core.prefixes.close();
        self.core.chunks.close();
        self.core.instructions.close();
        self.core.homes.close();
        self.core.restarts.lock().clear();
    }
}

/// Makes the loader of the resources from the node `foresight`, which has the parameters that say
/// what to load.
pub type LoaderOf = Box<dyn FnOnce(&Node) -> Loader>;

/// A loader that reads robot file and model from the parameters of the node `foresight`.
#[must_use]
pub fn load_from_parameters() -> LoaderOf {
    Box::new(|node: &Node| {
        let parameters = node.parameters().clone();
        Box::new(move || {
            use crate::resources::{ResourceError, Resources};
            let text = |name: &str| parameters.get::<String>(name).unwrap_or_default();
            let (robot, model) = (text("robot_file"), text("model"));
            for (name, value) in [("robot_file", &robot), ("model", &model)] {
                if value.is_empty() {
                    return Err(ResourceError::Parameter(format!("{name} is not set")));
                }
            }
            let options = crate::foresight::load_options(&parameters)
                .map_err(|error| ResourceError::Parameter(error.to_string()))?;
            let model = by_name::folder(&model, &f1_hub::MODEL_FILES)?;
            let tokenizer = by_name::tokenizer(&text("tokenizer"))?;
            Resources::load_with(robot.as_ref(), &model, tokenizer.as_deref(), &options)
        })
    })
}

/// Waits until nothing moves, for at most [`REST`]: what cannot be known counts as motion.
fn wait_for_rest(stopper: &Stopper) {
    let end = Instant::now() + REST;
    while stopper.moves() != Some(false) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn come_to_rest_on_shutdown(context: &Context, stopper: &Stopper) {
    // The context owns its hooks: a hook that owned the filter's publishers would keep the context
    // alive for ever.
    let stopper = stopper.downgrade();
    let inline = context.is_virtual();
    context.on_shutdown(move |guard| {
        let Some(stopper) = stopper.upgrade() else { return };
        stopper.stop("the process shuts down");
        if inline || stopper.moves() == Some(false) {
            return;
        }
        // The controllers brake by themselves on what was sent; the process stays until they are at
        // rest. Callbacks go on meanwhile, so that measured joints still come.
        let spawned = std::thread::Builder::new().name("rest".into()).spawn(move || {
            wait_for_rest(&stopper);
            drop(guard);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread to wait for the robot's rest");
        }
    });
}

fn diagnose(node: &Node, core: &Arc<Core>) -> NodeResult<Diagnostics> {
    let diagnostics = Diagnostics::start(node, "f1_policy")?;
    let (core, name, clock) = (core.clone(), node.name().to_owned(), node.clock());
    diagnostics.add(move |report| {
        let mut status = core.status.lock();
        let (state, reason) = status.state();
        match state {
            PolicyState::Fault => report.raise(Level::Error, reason),
            PolicyState::Stopped => report.raise(Level::Error, reason),
            PolicyState::Holding | PolicyState::Waiting => report.raise(Level::Warn, reason),
            PolicyState::Unconfigured | PolicyState::Inactive | PolicyState::Running => {
                report.raise(Level::Ok, reason);
            }
        }
        let milliseconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64() * 1e3);
        for (stage, took) in status.stages.rows() {
            report.value(format!("{stage} (ms)"), milliseconds(took));
        }
        report.value("latency (ms)", milliseconds(status.latency));
        report.value("latency, median (ms)", milliseconds(status.latency_quantile(0.5)));
        report.value("latency, 99 % (ms)", milliseconds(status.latency_quantile(0.99)));
        let now_ns = clock.now().nanoseconds();
        let age = |stamp: Option<i64>| match stamp {
            Some(stamp) => format!("{:.3}", (now_ns - stamp) as f64 * 1e-9),
            None => "none yet".to_owned(),
        };
        report.value("observation age (s)", age(status.observation_ns));
        report.value("joint state age (s)", age(status.joints_ns));
        match name.as_str() {
            PERCEPTION => {
                report.value(
                    "observations (Hz)",
                    format!("{:.1}", status.observation_rate.rate(now_ns)),
                );
                report.value("dropped frames", status.dropped_frames);
                report.value("overtaken observations", status.overtaken);
            }
            FORESIGHT => {
                if let Some(error) = &status.foresight {
                    let decibels = |value: f64| format!("{value:.2}");
                    report.value("foresight PSNR (dB)", decibels(error.psnr));
                    report.value("newest frame PSNR (dB)", decibels(error.psnr_if_still));
                    report.value("changed pixels PSNR (dB)", decibels(error.psnr_changed));
                    report.value("foresight SSIM", format!("{:.3}", error.ssim));
                    report.value(
                        "foresight token agreement",
                        format!("{:.3}", error.token_agreement),
                    );
                }
                if status.configured && !status.foresees {
                    report.value("foresight", "none: this policy foresees nothing");
                }
            }
            ACTION => {
                report.value("chunks", status.total_chunks);
                report.value("chunks (Hz)", format!("{:.1}", status.chunk_rate.rate(now_ns)));
            }
            _ => {
                report.value(
                    "trajectories (Hz)",
                    format!("{:.1}", status.trajectory_rate.rate(now_ns)),
                );
                report.value("interventions", status.interventions);
                report.value("locks", status.locks.join(" "));
                report.value("distances not checked", status.unchecked.join("; "));
            }
        }
    });
    Ok(diagnostics)
}

/// Publishes `status` five times a second, and at once when state or reason change.
fn publish_status(
    node: &Node,
    core: &Arc<Core>,
    publisher: Arc<Publisher<PolicyStatus>>,
) -> f1_middleware::Timer {
    let (core, clock) = (core.clone(), node.clock());
    let mut last: Option<(PolicyState, String)> = None;
    let mut ticks = 0_u32;
    node.create_timer(Duration::from_millis(50), ClockKind::Steady, move || {
        let now_ns = clock.now().nanoseconds();
        let message = {
            let mut status = core.status.lock();
            let state = status.state();
            ticks = (ticks + 1) % 4;
            let news = last
                .as_ref()
                .is_none_or(|last| last.0 != state.0 || (last.1.is_empty() != state.1.is_empty()));
            if !news && ticks != 0 {
                return;
            }
            last = Some(state);
            status_message(&mut status, now_ns)
        };
        if let Err(error) = publisher.publish(message) {
            tracing::warn!(%error, "status not published");
        }
    })
}

/// The status as a message, at ROS time `now_ns`.
#[must_use]
pub fn status_message(status: &mut Status, now_ns: i64) -> PolicyStatus {
    let (state, reason) = status.state();
    let age =
        |stamp: Option<i64>| stamp.map_or(f64::INFINITY, |stamp| (now_ns - stamp) as f64 * 1e-9);
    let last = status.foresight.as_ref();
    let foresight = |value: fn(&ForesightError) -> f64| last.map_or(f64::NAN, value);
    PolicyStatus {
        header: Header {
            stamp: WireTime::saturating_from_nanoseconds(now_ns),
            frame_id: String::new(),
        },
        state: match state {
            PolicyState::Unconfigured => PolicyStatus::STATE_UNCONFIGURED,
            PolicyState::Inactive => PolicyStatus::STATE_INACTIVE,
            PolicyState::Waiting => PolicyStatus::STATE_WAITING,
            PolicyState::Running => PolicyStatus::STATE_RUNNING,
            PolicyState::Holding => PolicyStatus::STATE_HOLDING,
            PolicyState::Stopped => PolicyStatus::STATE_STOPPED,
            PolicyState::Fault => PolicyStatus::STATE_FAULT,
        },
        reason,
        robot: status.robot.clone(),
        model: status.model.clone(),
        instruction: status.instruction.to_string(),
        epoch: status.epoch,
        chunks: status.chunks,
        observation_rate: status.observation_rate.rate(now_ns),
        chunk_rate: status.chunk_rate.rate(now_ns),
        trajectory_rate: status.trajectory_rate.rate(now_ns),
        decode_time: status.stages.decode.as_secs_f64(),
        resize_time: status.stages.resize.as_secs_f64(),
        history_time: status.stages.history.as_secs_f64(),
        image_encoder_time: status.stages.image_encoder.as_secs_f64(),
        foresight_time: status.stages.foresight.as_secs_f64(),
        action_time: status.stages.action.as_secs_f64(),
        network_time: status.stages.network.as_secs_f64(),
        server_time: status.stages.server.as_secs_f64(),
        filter_time: status.stages.filter.as_secs_f64(),
        latency: status.latency.as_secs_f64(),
        observation_age: age(status.observation_ns),
        joint_state_age: age(status.joints_ns),
        foresight_psnr: foresight(|error| error.psnr),
        foresight_token_agreement: foresight(|error| error.token_agreement),
        foresight_psnr_if_still: foresight(|error| error.psnr_if_still),
        foresight_psnr_changed: foresight(|error| error.psnr_changed),
        foresight_psnr_changed_if_still: foresight(|error| error.psnr_changed_if_still),
        foresight_ssim: foresight(|error| error.ssim),
        foresight_ssim_if_still: foresight(|error| error.ssim_if_still),
        foresight_psnr_worst: foresight(|error| error.psnr_worst),
        dropped_frames: status.dropped_frames,
        overtaken_observations: status.overtaken,
        interventions: status.interventions,
        locks: status.locks.clone(),
        unchecked: status.unchecked.clone(),
    }
}

/// A status that says only that the process fails, and why.
fn fault_message(reason: String, now_ns: i64) -> PolicyStatus {
    PolicyStatus {
        header: Header {
            stamp: WireTime::saturating_from_nanoseconds(now_ns),
            frame_id: String::new(),
        },
        state: PolicyStatus::STATE_FAULT,
        reason,
        ..PolicyStatus::default()
    }
}
