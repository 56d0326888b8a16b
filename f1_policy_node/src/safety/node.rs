//! The node `safety_filter`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::SafetyEvent;
use f1_interfaces::sensor_msgs::msg::JointState;
use f1_interfaces::std_msgs::msg::Bool;
use f1_interfaces::std_srvs::srv::{Trigger, TriggerResponse};
use f1_middleware::{Clock, ClockKind, Node, Publisher, Qos};
use f1_robot::Robot;
use f1_robot::safety::{
    Event, FilterInput, FilterOutput, MeasuredState, Response, Rule, SafetyFilter, Verdict,
};
use parking_lot::Mutex;

use super::events::{EventLog, sentence};
use super::output::Outputs;
use super::settings::SafetySettings;
use crate::board::MotionState;
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::observation::PolicyChunk;
use crate::stages::timed;

/// Name of the node, and of its entries on the board.
pub const NAME: &str = "safety_filter";

/// The filter with what it last saw; behind one lock, so that every step is whole.
struct Guarded {
    filter: SafetyFilter,
    log: EventLog,
    state: Option<MeasuredState>,
    /// When the joints were last heard, on the steady clock.
    heard: Option<Duration>,
}

struct Shared {
    core: Arc<Core>,
    robot: Arc<Robot>,
    clock: Clock,
    guarded: Mutex<Guarded>,
    outputs: Outputs,
    events: Publisher<SafetyEvent>,
    active: AtomicBool,
    /// Someone asked for a stop (service, deactivation, shut-down, a fault); only a reset or an activation takes it back.
    stop: Mutex<Option<String>>,
}

/// The node `safety_filter`: the only owner of publishers to controllers.
pub struct SafetyFilterNode {
    node: Node,
    core: Arc<Core>,
    configured: Arc<Mutex<Option<Configured>>>,
}

struct Configured {
    shared: Arc<Shared>,
    _keep: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

/// Stops motion from anywhere in the process: a signal handler's thread, a panic, a shut-down. Cheap to clone.
#[derive(Clone)]
pub struct Stopper {
    configured: Arc<Mutex<Option<Configured>>>,
}

impl Stopper {
    /// Sends the braking trajectories now and keeps everything stopped. Returns `false` when the filter could not be reached in time
    /// (its lock is held by a thread that failed): the controllers then end on the braking tail of what they already have.
    pub fn stop(&self, reason: &str) -> bool {
        let Some(guard) = self.configured.try_lock_for(Duration::from_millis(200)) else { return false };
        match &*guard {
            Some(configured) => configured.shared.stop_within(reason, Duration::from_millis(200)),
            None => true,
        }
    }

    /// Whether anything that was sent still moves.
    #[must_use]
    pub fn moves(&self) -> bool {
        let Some(guard) = self.configured.try_lock_for(Duration::from_millis(200)) else { return false };
        guard.as_ref().is_some_and(|configured| configured.shared.moves())
    }
}

impl SafetyFilterNode {
    /// Declares the parameters and offers `safety_filter/stop` and `safety_filter/reset`.
    ///
    /// # Errors
    /// Parameters or names that the middleware refuses.
    pub fn new(node: Node, core: Arc<Core>) -> NodeResult<Self> {
        SafetySettings::declare(node.parameters())?;
        node.parameters().validate()?;
        let configured: Arc<Mutex<Option<Configured>>> = Arc::default();
        let stopper = Stopper { configured: configured.clone() };
        node.keep(node.create_service::<Trigger>("safety_filter/stop", move |_| {
            let success = stopper.stop("safety_filter/stop was called");
            TriggerResponse { success, message: String::new() }
        })?);
        let reached = configured.clone();
        node.keep(node.create_service::<Trigger>(
            "safety_filter/reset",
            move |_| match &*reached.lock() {
                Some(configured) => {
                    configured.shared.reset();
                    TriggerResponse { success: true, message: String::new() }
                }
                None => TriggerResponse { success: false, message: "safety_filter is not configured".into() },
            },
        )?);
        Ok(Self { node, core, configured })
    }

    /// The ROS node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Stops motion from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper { configured: self.configured.clone() }
    }

    /// Loads the resources, opens the controllers, the joint states and the locks.
    ///
    /// # Errors
    /// Resources that cannot be loaded; parameters that are not valid as a whole; topics that the middleware refuses.
    pub fn configure(&self) -> NodeResult<()> {
        let resources = self.core.acquire(NAME)?;
        let node = &self.node;
        let settings = SafetySettings::read(node.parameters()).map_err(NodeError::Parameter)?;
        let robot = resources.robot.clone();
        let efforts: BTreeMap<usize, f64> = robot
            .file()
            .grippers
            .iter()
            .filter_map(|gripper| Some((robot.joint_index(&gripper.joint)?, gripper.max_effort?)))
            .collect();
        let outputs = Outputs::open(node, robot.controllers(), settings.follow_joint_trajectory, &efforts)?;
        let filter = SafetyFilter::new(robot.clone(), settings.filter.clone());
        let shared = Arc::new(Shared {
            core: self.core.clone(),
            robot: robot.clone(),
            clock: node.clock(),
            guarded: Mutex::new(Guarded { filter, log: EventLog::default(), state: None, heard: None }),
            outputs,
            events: node.create_publisher("safety_filter/event", Qos::reliable().keep_last(100))?,
            active: AtomicBool::new(false),
            stop: Mutex::new(None),
        });
        let mut keep: Vec<Box<dyn std::any::Any + Send + Sync>> = Vec::new();
        let heard = shared.clone();
        keep.push(Box::new(node.create_subscription::<JointState>(
            &robot.file().joint_states,
            Qos::sensor_data(),
            move |message, _| heard.joints(&message),
        )?));
        for name in &settings.locks {
            let (heard, lock) = (shared.clone(), name.clone());
            keep.push(Box::new(node.create_subscription::<Bool>(
                name,
                Qos::reliable().keep_last(1),
                move |message, _| {
                    let now = heard.clock.now().nanoseconds();
                    heard.guarded.lock().filter.hear_lock(&lock, now, message.data);
                },
            )?));
        }
        let ticking = shared.clone();
        let period = Duration::from_secs_f64(1.0 / settings.rate_hz);
        keep.push(Box::new(node.create_timer(period, ClockKind::Steady, move || ticking.tick())));
        let weak = Arc::downgrade(&shared);
        let parameters = node.parameters().clone();
        node.parameters().on_change(move |_| {
            if let Some(shared) = weak.upgrade() {
                shared.change_settings(SafetySettings::read(&parameters));
            }
        });
        let weak = Arc::downgrade(&shared);
        self.core.restarts.lock().push(Box::new(move |epoch, reason| {
            if let Some(shared) = weak.upgrade() {
                shared.restarted(epoch, reason);
            }
        }));
        let taker = shared.clone();
        self.core.chunks.take_with(move |chunk| taker.chunk(chunk));
        *self.configured.lock() = Some(Configured { shared, _keep: keep });
        Ok(())
    }

    /// From now on chunks become motion.
    ///
    /// # Errors
    /// A node that is not configured.
    pub fn activate(&self) -> NodeResult<()> {
        let guard = self.configured.lock();
        let configured = guard.as_ref().ok_or(NodeError::NotConfigured(NAME))?;
        let shared = &configured.shared;
        *shared.stop.lock() = None;
        shared.guarded.lock().filter.restart(self.core.epoch());
        shared.active.store(true, Ordering::SeqCst);
        self.core.board.lock().active.insert(NAME, true);
        Ok(())
    }

    /// Comes to a stop and is silent then.
    pub fn deactivate(&self) {
        if let Some(configured) = &*self.configured.lock() {
            configured.shared.stop_within("safety_filter was deactivated", Duration::from_secs(1));
            configured.shared.active.store(false, Ordering::SeqCst);
        }
        self.core.board.lock().active.insert(NAME, false);
    }

    /// Drops controllers, subscriptions and resources.
    pub fn cleanup(&self) {
        self.deactivate();
        self.core.chunks.close();
        *self.configured.lock() = None;
        self.core.board.lock().active.remove(NAME);
        self.core.release(NAME);
    }
}

impl Shared {
    fn joints(&self, message: &JointState) {
        let mut guarded = self.guarded.lock();
        guarded.heard = Some(self.clock.steady());
        guarded.state = Some(MeasuredState {
            stamp: message.header.stamp.nanoseconds(),
            names: message.name.clone(),
            positions: message.position.clone(),
            velocities: message.velocity.clone(),
        });
    }

    /// A chunk came: the filter is asked at once, not at its next tick.
    fn chunk(&self, policy_chunk: PolicyChunk) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let key = (policy_chunk.chunk.sequence, policy_chunk.chunk.epoch);
        let (sent, took) = timed(|| {
            let mut guarded = self.guarded.lock();
            self.step(&mut guarded, Some(policy_chunk.chunk), Some(key))
        });
        if sent {
            let mut board = self.core.board.lock();
            board.stages = policy_chunk.times;
            board.stages.filter += took;
            board.note_latency(self.clock.steady().saturating_sub(policy_chunk.arrived));
        }
    }

    fn tick(&self) {
        if self.active.load(Ordering::SeqCst) {
            self.step(&mut self.guarded.lock(), None, None);
        }
    }

    /// One step of the filter; returns whether motion was sent.
    fn step(
        &self,
        guarded: &mut Guarded,
        chunk: Option<f1_robot::RawChunk>,
        key: Option<(u64, u64)>,
    ) -> bool {
        let now = self.clock.now().nanoseconds();
        let stop = self.stop.lock().clone();
        // Stamps are ROS time, which may stand still with /clock; that the joints are silent is seen on the steady clock too.
        let limit = Duration::from_secs_f64(guarded.filter.settings().joint_state_age);
        let silent = guarded
            .heard
            .map(|heard| self.clock.steady().saturating_sub(heard))
            .filter(|age| *age > limit && guarded.filter.moves(now));
        let input =
            FilterInput { now, state: guarded.state.take(), chunk, lock: stop.is_some() || silent.is_some() };
        let output = guarded.filter.step(&input);
        self.outputs.send(&output.trajectories);
        let moving = guarded.filter.moves(now);
        for message in guarded.log.messages(&output.events, &self.robot, now, key) {
            if let Err(error) = self.events.publish(message) {
                tracing::warn!(%error, "safety event not published");
            }
        }
        self.note(&output, moving, stop, silent, now);
        !output.trajectories.is_empty()
    }

    fn note(
        &self,
        output: &FilterOutput,
        moving: bool,
        stop: Option<String>,
        silent: Option<Duration>,
        now_ns: i64,
    ) {
        let mut board = self.core.board.lock();
        if !output.trajectories.is_empty() {
            board.trajectory_rate.tick(now_ns);
        }
        let intervened =
            |event: &&Event| matches!(event.action, Response::Clamped | Response::Cut | Response::Refused);
        board.interventions += output.events.iter().filter(intervened).count() as u64;
        let lock_events = output.events.iter().filter(|event| event.rule == Rule::Lock);
        board.locks = lock_events.filter_map(|event| event.joint.clone()).collect();
        let stopping = || output.events.iter().find(|event| event.action == Response::Stopped);
        board.motion = if output.events.iter().any(|event| event.rule == Rule::Latch) {
            MotionState::Latched(
                "too many interventions of the safety filter; safety_filter/reset releases it".into(),
            )
        } else if let Some(reason) = stop {
            MotionState::Held(reason)
        } else if let Some(age) = silent {
            MotionState::Held(format!("joint states are silent for {:.2} s", age.as_secs_f64()))
        } else if output.verdict == Verdict::Stopped {
            MotionState::Held(
                stopping().map_or_else(|| "stopped".into(), |event| sentence(event, &self.robot)),
            )
        } else if moving {
            MotionState::Moving
        } else if let MotionState::Held(reason) = &board.motion {
            // At rest after a watchdog: held until motion resumes.
            MotionState::Held(reason.clone())
        } else {
            MotionState::Rest
        };
    }

    /// A new epoch: what runs brakes to rest, and the next chunk starts from the measured state.
    fn restarted(&self, epoch: u64, reason: &str) {
        tracing::info!(epoch, reason, "restart");
        let mut guarded = self.guarded.lock();
        if self.active.load(Ordering::SeqCst) && guarded.filter.moves(self.clock.now().nanoseconds()) {
            let now = self.clock.now().nanoseconds();
            let input = FilterInput { now, lock: true, ..FilterInput::default() };
            let output = guarded.filter.step(&input);
            self.outputs.send(&output.trajectories);
        }
        guarded.filter.restart(epoch);
    }

    fn change_settings(&self, settings: Result<SafetySettings, String>) {
        let Ok(settings) = settings else { return };
        let mut guarded = self.guarded.lock();
        let splice = guarded.filter.settings().splice;
        let filter = f1_robot::safety::FilterSettings { splice, ..settings.filter };
        if let Err(faults) = guarded.filter.set_settings(filter) {
            tracing::error!(faults = faults.join("; "), "parameters refused, the old ones stay");
        }
    }

    fn stop_within(&self, reason: &str, limit: Duration) -> bool {
        *self.stop.lock() = Some(reason.to_owned());
        let Some(mut guarded) = self.guarded.try_lock_for(limit) else { return false };
        if self.active.load(Ordering::SeqCst) {
            self.step(&mut guarded, None, None);
        }
        true
    }

    fn reset(&self) {
        *self.stop.lock() = None;
        self.guarded.lock().filter.reset();
        self.core.restart("safety_filter/reset was called");
    }

    fn moves(&self) -> bool {
        let now = self.clock.now().nanoseconds();
        self.guarded.try_lock_for(Duration::from_millis(200)).is_some_and(|guarded| guarded.filter.moves(now))
    }
}
