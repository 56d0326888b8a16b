//! What happens between a chunk and the controllers: every step of the filter, what demands a stop,
//! and its events and status.

mod demands;
mod handover;
mod homing;
mod objects;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::SafetyEvent;
use f1_interfaces::sensor_msgs::msg::JointState;
use f1_interfaces::std_msgs::msg::Bool;
use f1_middleware::{Clock, Publisher};
use f1_robot::Robot;
use f1_robot::clearance::Scene;
use f1_robot::safety::{
    Event, FilterInput, FilterOutput, FilterSettings, Locks, MeasuredState, Response, Rule,
    SafetyFilter, Splice, Verdict,
};
use parking_lot::Mutex;

use self::demands::Demands;
use self::homing::Homing;
use super::events::{EventLog, sentence};
use super::outputs::Outputs;
use super::scaling::SpeedScaling;
use super::settings::SafetySettings;
use super::takeover::Takeover;
use crate::action::Joining;
use crate::condition::{Condition, Restart, Source};
use crate::core::Core;
use crate::measured::{JointMerge, Merged};
use crate::observation::PolicyChunk;
use crate::stages::stage;
use crate::status::MotionState;
use crate::topics::RESET_FILTER;

/// Below this part of its velocity limit a measured joint is at rest: above the noise of encoders.
const AT_REST: f64 = 0.005;
/// How long after the end of a motion joints that lag behind it are waited for.
const FOLLOWS: Duration = Duration::from_secs(1);
/// A stamp of a joint this far before its last one is a jump of the clock, ns.
const JUMP_NS: i64 = 500_000_000;
/// How long a caller waits for the filter's lock to ask whether the robot moves.
const ASK: Duration = Duration::from_millis(200);

/// The filter with what it last saw; behind one lock, so that every step is whole.
struct Guarded {
    filter: SafetyFilter,
    log: EventLog,
    locks: Locks,
    /// What was measured of each joint, by whichever driver.
    merge: JointMerge,
    /// All joints together, for the next step.
    state: Option<MeasuredState>,
    /// When joints were last measured, on the steady clock.
    measured: Option<Duration>,
    /// Whether any joint was then faster than [`AT_REST`].
    fast: bool,
    /// The text of the watchdog that stopped the robot; until it moves again.
    watchdog: Option<String>,
    /// The clock went back: what runs is not known, the next measured state is brought to rest.
    unknown: bool,
    /// Whether goals of controllers may still be open after a stop.
    open_goals: bool,
    takeover: Takeover,
    scaling: SpeedScaling,
    /// Objects that came.
    scene: Option<Scene>,
    /// What limited motion last, and when, on the steady clock.
    limited: Option<(Duration, String)>,
    /// Why the planning scene lets nothing move.
    scene_hold: Option<String>,
    home: Option<Homing>,
    /// Part of the velocity limits at which the robot goes home.
    home_speed: f64,
    /// A person moves the robot: nothing is sent, whatever comes.
    handed_over: bool,
}

/// State that callbacks share.
pub(super) struct Shared {
    core: Arc<Core>,
    robot: Arc<Robot>,
    clock: Clock,
    guarded: Mutex<Guarded>,
    outputs: Outputs,
    reports: Reports,
    pub active: AtomicBool,
    /// A stop was asked for (service, deactivation, shut-down, a fault); only a reset or an
    /// activation takes it back.
    stop: StopRequest,
}

/// The reason of a stop that was asked for. It is set without the filter's lock: a step that is
/// held up obeys it when it goes on.
pub(super) type StopRequest = Arc<Mutex<Option<String>>>;

/// What decides whether motion goes on.
pub(super) struct Checks {
    pub filter: SafetyFilter,
    pub locks: Locks,
    pub takeover: Takeover,
    /// Part of the velocity limits at which the robot goes home.
    pub home_speed: f64,
}

/// What is said beside the status.
pub(super) struct Reports {
    pub events: Publisher<SafetyEvent>,
    /// Whether a person moves the robot.
    pub taken: Publisher<Bool>,
}

impl Shared {
    pub fn new(
        core: Arc<Core>,
        robot: Arc<Robot>,
        clock: Clock,
        Checks { filter, locks, takeover, home_speed }: Checks,
        outputs: Outputs,
        reports: Reports,
        stop: StopRequest,
    ) -> Self {
        let guarded = Guarded {
            filter,
            log: EventLog::default(),
            locks,
            merge: JointMerge::new(&robot, JUMP_NS),
            state: None,
            measured: None,
            fast: false,
            watchdog: None,
            unknown: false,
            open_goals: false,
            takeover,
            scaling: SpeedScaling::default(),
            scene: None,
            limited: None,
            scene_hold: None,
            home: None,
            home_speed,
            handed_over: false,
        };
        let guarded = Mutex::new(guarded);
        let active = AtomicBool::new(false);
        let shared = Self { core, robot, clock, guarded, outputs, reports, active, stop };
        shared.report_taken(false);
        shared
    }

    /// From now on chunks become motion; every stop but a latched one is forgotten.
    pub fn activate(&self) {
        *self.stop.lock() = None;
        {
            let mut guarded = self.guarded.lock();
            guarded.filter.restart(self.core.epoch());
            guarded.watchdog = None;
            self.note_unchecked(&mut guarded);
        }
        self.active.store(true, Ordering::SeqCst);
    }

    /// Names the links and pairs whose distances nothing checks, in the log and as an event.
    fn note_unchecked(&self, guarded: &mut Guarded) {
        let unchecked = self.robot.clearance().not_checked();
        if unchecked.is_empty() {
            return;
        }
        let reason = format!("distances that are not checked: {}", unchecked.join("; "));
        tracing::warn!("{reason}");
        let now = self.clock.now().nanoseconds();
        let noted = SafetyEvent::ACTION_NOTED;
        let message = guarded.log.note(now, "self_clearance", noted, &reason);
        self.publish(message);
    }

    /// Joints were measured; the next step takes all joints together, each as it was last measured.
    pub fn joints(&self, message: &JointState) {
        let (now_ns, steady) = (self.clock.now().nanoseconds(), self.clock.steady());
        let stamp_ns = message.header.stamp.nanoseconds();
        // Clocks of two machines differ: a little ahead is now, further ahead is refused by the
        // filter.
        let ahead = (1..=self.core.future_ns()).contains(&(stamp_ns - now_ns));
        let stamp_ns = if ahead { now_ns } else { stamp_ns };
        let mut guarded = self.guarded.lock();
        match guarded.merge.push(message, stamp_ns, steady) {
            Ok(Merged::Measured | Merged::ClockBack(_)) => {}
            Ok(Merged::Nothing) => return,
            Err(_) => {
                // The filter refuses it with an event.
                guarded.state = Some(MeasuredState {
                    stamp: stamp_ns,
                    names: message.name.clone(),
                    positions: message.position.clone(),
                    velocities: message.velocity.clone(),
                });
                return;
            }
        }
        let Some(joints) = guarded.merge.joints() else { return };
        guarded.measured = Some(steady);
        guarded.fast = joints.names.iter().zip(&joints.velocities).any(|(name, velocity)| {
            let joint = self.robot.joint_index(name).map(|index| &self.robot.joints()[index]);
            joint.is_some_and(|joint| velocity.abs() > AT_REST * joint.velocity)
        });
        let limit_ns = (guarded.filter.settings().joint_state_age * 1e9) as i64;
        if let Some(reason) = joints.apart(limit_ns) {
            // The state as a whole is as old as its oldest joint: the watchdog runs on.
            self.core.status.lock().raise(Condition::MeasuredRefused(reason));
            return;
        }
        guarded.state = Some(MeasuredState {
            stamp: joints.stamp_ns,
            names: joints.names,
            positions: joints.positions,
            velocities: joints.velocities,
        });
    }

    /// A lock's message came. One that engages acts at once.
    pub fn lock_received(&self, name: &str, locked: bool) {
        self.guarded.lock().locks.receive(name, self.clock.steady(), locked);
        if locked {
            self.tick();
        }
    }

    /// A chunk came: the filter is asked at once, not at its next tick.
    pub fn chunk(&self, policy_chunk: PolicyChunk) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let key = (policy_chunk.chunk.epoch, policy_chunk.chunk.sequence);
        let ((sent, refused), took) = stage!("filter", || {
            let mut guarded = self.guarded.lock();
            if guarded.home.is_some() {
                return (false, None);
            }
            self.join_as(&mut guarded, policy_chunk.joining);
            if guarded.state.is_some() {
                self.step(&mut guarded, None, None);
            }
            let output = self.step(&mut guarded, Some(policy_chunk.chunk), None);
            let followed = matches!(output.verdict, Verdict::Accepted | Verdict::Modified)
                && !output.trajectories.is_empty();
            if followed {
                guarded.watchdog = None;
                self.core.follow(Some(key));
            }
            (followed, self.refusal(&output))
        });
        let mut status = self.core.status.lock();
        status.set(&Source::Chunk, refused);
        if sent {
            status.clear(&Source::Restart);
            status.stages = policy_chunk.times;
            status.stages.filter += took;
            status.note_latency(self.clock.steady().saturating_sub(policy_chunk.arrived));
        }
    }

    /// Why a chunk was refused.
    fn refusal(&self, output: &FilterOutput) -> Option<Condition> {
        let refused = output.events.iter().filter(|event| event.action == Response::Refused);
        let reasons: Vec<String> = refused.map(|event| sentence(event, &self.robot)).collect();
        let rejected = output.verdict == Verdict::Rejected;
        rejected.then(|| Condition::ChunkRefused(reasons.join("; ")))
    }

    /// Sets how the filter joins chunks, where the action node's choice has changed.
    fn join_as(&self, guarded: &mut Guarded, joining: Joining) {
        let splice = match joining {
            Joining::Ensemble => Splice::Ensemble,
            Joining::Replace | Joining::Rtc => Splice::Replace,
        };
        if guarded.filter.settings().splice != splice {
            let settings = FilterSettings { splice, ..guarded.filter.settings().clone() };
            if let Err(faults) = guarded.filter.set_settings(settings) {
                tracing::error!(faults = faults.join("; "), "chunks are joined as before");
            }
        }
    }

    /// Looks at watchdogs and locks.
    pub fn tick(&self) {
        if !self.active.load(Ordering::SeqCst) {
            return;
        }
        let (taken_back, home) = {
            let mut guarded = self.guarded.lock();
            let asked = guarded.home.as_ref().and_then(Homing::stops).map(str::to_owned);
            let output = self.step(&mut guarded, None, asked.as_deref());
            let now_ns = self.clock.now().nanoseconds();
            let home = self.home(&mut guarded, &output, now_ns);
            (self.hand_over(&mut guarded, now_ns), home)
        };
        self.finish_home(home);
        if taken_back {
            // Nothing that the policy made of what it saw meanwhile is followed.
            self.core.restart(Restart::HandedBack);
        }
        self.outputs.tick(self.clock.now().nanoseconds());
        self.note_inference();
    }

    /// Sets a condition when inference takes longer than the watchdog allows.
    fn note_inference(&self) {
        let limit = self.guarded.lock().filter.settings().inference_age;
        let since = self.core.pacer.lock().in_flight_since();
        let age = since.map(|since| self.clock.steady().saturating_sub(since).as_secs_f64());
        let late = age.filter(|age| *age > limit);
        let late = late.map(|seconds| Condition::InferenceLate { seconds });
        self.core.status.lock().set(&Source::Inference, late);
    }

    /// A message of a controller's speed came; it holds from the next step on.
    pub fn scaling(&self, receive: impl FnOnce(&mut SpeedScaling, Duration)) {
        receive(&mut self.guarded.lock().scaling, self.clock.steady());
    }

    fn demands(&self, guarded: &Guarded, now_ns: i64) -> Demands {
        let (steady, settings) = (self.clock.steady(), guarded.filter.settings());
        // Stamps are ROS time, which may stand still with /clock; that a joint is silent is seen on
        // the steady clock too.
        let limit = Duration::from_secs_f64(settings.joint_state_age);
        let silent = guarded
            .merge
            .longest_silent()
            .map(|(joint, arrived)| (joint.to_owned(), steady.saturating_sub(arrived)))
            .filter(|(_, age)| *age > limit && guarded.filter.moves(now_ns));
        let mut demands = Demands {
            stop: self.stop.lock().clone(),
            holds: self.core.holds(),
            locks: Vec::new(),
            silent,
        };
        for lock in guarded.locks.engaged(steady) {
            demands.locks.push(lock.event());
            demands.holds.push(lock.to_string());
        }
        if guarded.unknown {
            demands.holds.push("the clock jumped back".into());
        }
        demands.holds.extend(guarded.takeover.hold(steady));
        demands.holds.extend(guarded.scaling.hold(steady));
        demands.holds.extend(guarded.scene_hold.clone());
        demands
    }

    /// One step of the filter; `asked` demands a stop in this step, for a reason.
    fn step(
        &self,
        guarded: &mut Guarded,
        chunk: Option<f1_robot::RawChunk>,
        asked: Option<&str>,
    ) -> FilterOutput {
        let now = self.clock.now().nanoseconds();
        if guarded.handed_over {
            return self.step_aside(guarded, now);
        }
        let mut demands = self.demands(guarded, now);
        demands.holds.extend(asked.map(str::to_owned));
        let key = chunk.as_ref().map(|chunk| (chunk.sequence, chunk.epoch));
        let measured = guarded.state.is_some();
        let input = FilterInput { now, state: guarded.state.take(), chunk, lock: demands.any() };
        let factor = guarded.scaling.factor(self.clock.steady());
        guarded.filter.set_progress(now, factor);
        let mut output = guarded.filter.step(&input);
        self.outputs.send(&output.trajectories, now);
        if output.events.iter().any(|event| event.rule == Rule::Clock) {
            guarded.unknown = true;
        } else if measured && self.measured_is_good(&output) {
            guarded.unknown = false;
        }
        if !demands.locks.is_empty() {
            // The locks themselves instead of the filter's nameless one.
            output.events.retain(|event| event.rule != Rule::Lock || event.joint.is_some());
            output.events.extend(demands.locks.iter().cloned());
        }
        let moving = guarded.filter.moves(now);
        let reason = demands.reason();
        for message in guarded.log.messages(&output.events, &self.robot, now, key, &reason) {
            self.publish(message);
        }
        if measured && key.is_none() {
            self.note_measured(&output);
        }
        if output.verdict == Verdict::Stopped {
            self.core.follow(None);
            guarded.open_goals = true;
        }
        if guarded.open_goals && !moving {
            // At rest after a stop: no goal is left that a controller might go on with.
            self.outputs.cancel();
            guarded.open_goals = false;
        }
        self.note(guarded, &output, moving, &demands, now);
        output
    }

    fn publish(&self, message: SafetyEvent) {
        if let Err(error) = self.reports.events.publish(message) {
            tracing::warn!(%error, "safety event not published");
        }
    }

    fn measured_is_good(&self, output: &FilterOutput) -> bool {
        !output.events.iter().any(of_measured)
    }

    /// The reason why the filter does not take the measured joints.
    fn note_measured(&self, output: &FilterOutput) {
        let refused = output.events.iter().find(|event| of_measured(event));
        let refused = refused.map(|event| Condition::MeasuredRefused(sentence(event, &self.robot)));
        self.core.status.lock().set(&Source::MeasuredState, refused);
    }

    fn note(
        &self,
        guarded: &mut Guarded,
        output: &FilterOutput,
        moving: bool,
        demands: &Demands,
        now_ns: i64,
    ) {
        let stopping = output.events.iter().find(|event| event.action == Response::Stopped);
        let watchdog = demands.silent.is_some()
            || stopping.is_some_and(|event| !matches!(event.rule, Rule::Lock | Rule::Latch));
        let stopped = match stopping {
            _ if demands.any() => demands.reason(),
            Some(event) => sentence(event, &self.robot),
            None => "stopped".into(),
        };
        let mut status = self.core.status.lock();
        if !output.trajectories.is_empty() {
            status.trajectory_rate.tick(now_ns);
        }
        let limits = |event: &&Event| {
            !matches!(event.action, Response::Reported | Response::Skipped | Response::Restarted)
        };
        if let Some(event) = output.events.iter().find(limits) {
            guarded.limited = Some((self.clock.steady(), sentence(event, &self.robot)));
        }
        let intervened = |event: &&Event| {
            matches!(event.action, Response::Clamped | Response::Cut | Response::Refused)
        };
        status.interventions += output.events.iter().filter(intervened).count() as u64;
        status.locks = demands.locks.iter().filter_map(|event| event.joint.clone()).collect();
        status.motion = if output.events.iter().any(|event| event.rule == Rule::Latch) {
            MotionState::Latched(format!(
                "too many interventions of the safety filter; {} releases it",
                RESET_FILTER.name
            ))
        } else if let Some(latched) = demands.stop_state() {
            latched
        } else if output.verdict == Verdict::Stopped {
            if watchdog {
                guarded.watchdog = Some(stopped.clone());
            }
            MotionState::Held(stopped)
        } else if let Some(reason) = &guarded.watchdog {
            // Decelerating or at rest after a watchdog: held until a chunk moves the robot again.
            MotionState::Held(reason.clone())
        } else if moving {
            MotionState::Moving
        } else {
            MotionState::Rest
        };
    }

    /// A new epoch: what runs brakes to rest, and the next chunk starts from the measured state.
    pub fn restarted(&self, epoch: u64, reason: &Restart) {
        let reason = reason.to_string();
        tracing::info!(epoch, reason, "restart");
        let mut guarded = self.guarded.lock();
        let now = self.clock.now().nanoseconds();
        guarded.watchdog = None;
        if let Some(home) = &mut guarded.home {
            home.stop(&reason);
        }
        if self.active.load(Ordering::SeqCst) {
            if guarded.filter.moves(now) {
                self.step(&mut guarded, None, Some(&reason));
            } else {
                let message = guarded.log.note(now, "restart", SafetyEvent::ACTION_NOTED, &reason);
                self.publish(message);
            }
        }
        guarded.filter.restart(epoch);
    }

    /// Parameters were changed; they hold from the next step on.
    pub fn change_settings(&self, settings: Result<SafetySettings, String>) {
        let Ok(settings) = settings else { return };
        let mut guarded = self.guarded.lock();
        guarded.locks.set_timeout(settings.lock_timeout());
        guarded.takeover.set_timeout(settings.takeover_timeout);
        guarded.home_speed = settings.home_speed;
        let splice = guarded.filter.settings().splice;
        if let Err(faults) =
            guarded.filter.set_settings(FilterSettings { splice, ..settings.filter })
        {
            tracing::error!(faults = faults.join("; "), "parameters refused, the old ones stay");
        }
    }

    /// Stops for good; `false` when the filter's lock was not free within `limit`.
    pub fn stop_within(&self, reason: &str, limit: Duration) -> bool {
        *self.stop.lock() = Some(reason.to_owned());
        let Some(mut guarded) = self.guarded.try_lock_for(limit) else { return false };
        if self.active.load(Ordering::SeqCst) {
            self.step(&mut guarded, None, None);
        }
        true
    }

    /// Takes a stop back, latched or asked for; everything starts anew from the measured state.
    pub fn reset(&self) {
        *self.stop.lock() = None;
        {
            let mut guarded = self.guarded.lock();
            guarded.filter.reset();
            guarded.takeover.reset(self.clock.steady());
            guarded.watchdog = None;
            let (now, reason) = (self.clock.now().nanoseconds(), Restart::FilterReset.to_string());
            let message = guarded.log.note(now, "latch", SafetyEvent::ACTION_RELEASED, &reason);
            self.publish(message);
        }
        self.core.restart(Restart::FilterReset);
    }

    /// Whether positions of a motion are still sent one by one.
    pub fn is_streaming(&self) -> bool {
        self.outputs.is_streaming()
    }

    /// Whether anything that was sent still moves, or the joints have not yet followed it to rest;
    /// `None` when the filter's lock is not free in time, so that it is not known.
    pub fn moves(&self) -> Option<bool> {
        let now = self.clock.now().nanoseconds();
        let guarded = self.guarded.try_lock_for(ASK)?;
        let recent = guarded.measured.is_some_and(|at| self.clock.steady() < at + FOLLOWS);
        let follows = || guarded.filter.moves(now.saturating_sub(FOLLOWS.as_nanos() as i64));
        let moves = guarded.filter.moves(now) || self.outputs.is_streaming();
        Some(moves || (recent && guarded.fast && follows()))
    }
}

/// Whether an event of a step without a chunk says that the measured state was refused.
fn of_measured(event: &Event) -> bool {
    event.action == Response::Refused
        && matches!(event.rule, Rule::Finite | Rule::Names | Rule::State)
}

#[cfg(test)]
mod tests;
