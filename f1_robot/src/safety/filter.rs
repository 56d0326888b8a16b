//! The safety filter itself: the order of checks, the running motion, and what is released.

mod chunk;
mod measured;
mod origin;
mod straight;

use std::collections::VecDeque;
use std::sync::Arc;

use self::measured::Measured;
use self::origin::join;
use super::latch::Latch;
use super::plan::{Planned, Planner, Row};
use super::settings::{FilterSettings, Mode};
use super::space::{self, RobotSpace, Space};
use super::stop::Running;
use super::watchdogs::{self, Seen};
use super::{Bounds, CheckedTrajectory, Event, Response, Rule, Verdict, verify};
use crate::clearance::ClearanceScratch;
use crate::decode::due;
use crate::trajectory::brake::GRID;
use crate::trajectory::{Motion, SECOND, Stamp, State, nanoseconds, seconds};
use crate::{ControllerJoints, JointLimits, RawChunk, Robot};

/// A measured joint state, as a `sensor_msgs/JointState` gives it: joints are taken by name.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredState {
    /// When it was measured, nanoseconds.
    pub stamp: Stamp,
    /// Names; more than the robot's joints may be there.
    pub names: Vec<String>,
    /// rad or m, as many.
    pub positions: Vec<f64>,
    /// rad/s or m/s, at most as many. One that is not a number, or that the list is too short for,
    /// was not measured: it counts as zero and is not compared with the running motion.
    pub velocities: Vec<f64>,
}

/// One step's input.
#[derive(Debug, Clone, Default)]
pub struct FilterInput {
    /// Now, nanoseconds on the one clock of all stamps.
    pub now: Stamp,
    /// A new measured state, if one came.
    pub state: Option<MeasuredState>,
    /// A new chunk, if one came.
    pub chunk: Option<RawChunk>,
    /// True: stop. A caller with several locks passes whether any of [`super::Locks`] is engaged.
    pub lock: bool,
}

/// One step's outcome.
#[derive(Debug, Clone)]
pub struct FilterOutput {
    /// What became of the chunk.
    pub verdict: Verdict,
    /// Every decision, with its number.
    pub events: Vec<Event>,
    /// What to send: one trajectory a controller, all with the same stamp; empty: nothing, what
    /// runs goes on.
    pub trajectories: Vec<CheckedTrajectory>,
}

/// So many motions are remembered at most.
const LONGEST_TRAIL: usize = 32;

/// After so many tracking delays at rest a robot has reached its last set-point.
const SETTLED: i64 = 5;

/// How far one joint's measured state may be from the running motion.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    /// rad or m
    position: f64,
    /// rad/s or m/s
    velocity: f64,
    /// A held object may stop it anywhere.
    gripper: bool,
}

fn tolerances(bounds: &[Bounds], grippers: &[bool], settings: &FilterSettings) -> Vec<Tolerance> {
    bounds
        .iter()
        .zip(grippers)
        .map(|(bounds, &gripper)| {
            let at_least =
                |wide: f64, tolerance: f64| if gripper { tolerance.max(wide) } else { tolerance };
            Tolerance {
                position: at_least(bounds.upper - bounds.lower, settings.position_tolerance),
                velocity: at_least(2.0 * bounds.velocity, settings.velocity_tolerance),
                gripper,
            }
        })
        .collect()
}

/// The safety filter. Nothing it returns breaks a limit, whatever comes in; `docs/safety.md` says
/// how and why.
///
/// A stop that a lock demands comes in as [`FilterInput::lock`]. [`super::Locks`] keeps the locks
/// themselves, on a clock of its caller's.
///
/// ```
/// # use std::path::Path;
/// # use std::sync::Arc;
/// use f1_robot::safety::{FilterInput, FilterSettings, MeasuredState, SafetyFilter, Verdict};
/// use f1_robot::{RawChunk, Robot};
///
/// # fn main() -> Result<(), f1_robot::RobotFileError> {
/// # let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
/// let robot = Arc::new(Robot::load(&root.join("config/robots/bench_arm.yaml"))?);
/// let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
/// let mut filter = SafetyFilter::new(robot.clone(), FilterSettings::default());
/// // Measured at home; the chunk asks for one radian of the first joint at once.
/// let mut far = robot.home().to_vec();
/// far[0] += 1.0;
/// let output = filter.step(&FilterInput {
///     now: 0,
///     state: Some(MeasuredState {
///         stamp: 0,
///         names: names.clone(),
///         positions: robot.home().to_vec(),
///         velocities: Vec::new(),
///     }),
///     chunk: Some(RawChunk {
///         stamp: 0,
///         sequence: 1,
///         epoch: 0,
///         joint_names: names,
///         rate_hz: robot.rate_hz(),
///         rows: vec![far],
///     }),
///     lock: false,
/// });
/// // The motion takes more time, so that it keeps every limit; the events say why.
/// assert_eq!(output.verdict, Verdict::Modified);
/// assert!(!output.events.is_empty());
/// // One trajectory for each controller, which ends at rest.
/// assert_eq!(output.trajectories.len(), robot.controllers().len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SafetyFilter {
    joints: Vec<JointLimits>,
    names: Vec<String>,
    bounds: Vec<Bounds>,
    tolerances: Vec<Tolerance>,
    controllers: Vec<ControllerJoints>,
    rate_hz: f64,
    space: Option<Arc<dyn Space>>,
    settings: FilterSettings,
    latch: Latch,
    now: Option<Stamp>,
    seen: Seen,
    running: Option<Running>,
    /// What ran before, until when: a robot follows with a delay (see
    /// [`FilterSettings::tracking_delay`]).
    trail: VecDeque<(Motion, Stamp)>,
    measured: Option<Measured>,
    /// What was sent is no longer known: the next motion starts where the robot is measured.
    lost: bool,
    /// Something stopped the robot and it has not moved since.
    stopped: bool,
    /// What runs is a stop.
    braking: bool,
    /// The space has changed since the running motion was looked at.
    look_again: bool,
    /// What runs is no chunk's motion: only joint states are waited for.
    straight: bool,
    /// The part of its speed at which the controllers run what was sent, and since when that is
    /// taken into account.
    scale: f64,
    scaled_at: Option<Stamp>,
    /// No chunk is taken that is not younger than this (the clock was set back then).
    fresh_after: Option<Stamp>,
    epoch: u64,
    last_sequence: Option<u64>,
    last_stamp: Option<Stamp>,
    /// Chunks that are still averaged with new ones, oldest first.
    history: VecDeque<RawChunk>,
}

impl SafetyFilter {
    /// The filter of a robot.
    pub fn new(robot: Arc<Robot>, settings: FilterSettings) -> Self {
        let space: Arc<dyn Space> = Arc::new(RobotSpace::new(robot.clone()));
        let grippers: Vec<&str> = robot.file().grippers.iter().map(|g| g.joint.as_str()).collect();
        Self::with_parts(
            robot.joints().to_vec(),
            &grippers,
            robot.controllers().to_vec(),
            robot.rate_hz(),
            Some(space),
            settings,
        )
    }

    /// A filter of joints and controllers, with whatever is known of the space around them.
    /// `grippers` are joints that a held object may stop.
    pub fn with_parts(
        joints: Vec<JointLimits>,
        grippers: &[&str],
        controllers: Vec<ControllerJoints>,
        rate_hz: f64,
        space: Option<Arc<dyn Space>>,
        settings: FilterSettings,
    ) -> Self {
        let bounds: Vec<Bounds> = joints.iter().map(Bounds::new).collect();
        let grippers: Vec<bool> =
            joints.iter().map(|joint| grippers.contains(&joint.name.as_str())).collect();
        Self {
            names: joints.iter().map(|joint| joint.name.clone()).collect(),
            tolerances: tolerances(&bounds, &grippers, &settings),
            bounds,
            controllers,
            rate_hz,
            space,
            latch: Latch::new(&settings),
            now: None,
            seen: Seen::default(),
            running: None,
            trail: VecDeque::new(),
            measured: None,
            lost: false,
            stopped: false,
            braking: false,
            straight: false,
            look_again: false,
            scale: 1.0,
            scaled_at: None,
            fresh_after: None,
            epoch: 0,
            last_sequence: None,
            last_stamp: None,
            history: VecDeque::new(),
            joints,
            settings,
        }
    }

    /// The parameters.
    pub fn settings(&self) -> &FilterSettings {
        &self.settings
    }

    /// Changes the parameters; the latch keeps its state unless its own parameters change.
    ///
    /// # Errors
    /// All that is wrong with the new parameters; the old ones stay.
    pub fn set_settings(&mut self, settings: FilterSettings) -> Result<(), Vec<String>> {
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        let latch = |settings: &FilterSettings| (settings.latch_count, settings.latch_window);
        if latch(&settings) != latch(&self.settings) {
            self.latch = Latch::new(&settings);
        }
        let grippers: Vec<bool> =
            self.tolerances.iter().map(|tolerance| tolerance.gripper).collect();
        self.tolerances = tolerances(&self.bounds, &grippers, &settings);
        self.settings = settings;
        Ok(())
    }

    /// The joints with the limits in force, in the order of a chunk's columns.
    pub fn joints(&self) -> &[JointLimits] {
        &self.joints
    }

    /// How far measured and running position may be apart, rad (m), joint by joint.
    pub fn position_tolerances(&self) -> impl Iterator<Item = f64> {
        self.tolerances.iter().map(|tolerance| tolerance.position)
    }

    /// What is around the robot has changed. A motion that runs and would now touch something is
    /// stopped at the next step, as fast as the limits allow.
    pub fn set_space(&mut self, space: Arc<dyn Space>) {
        self.space = Some(space);
        self.look_again = true;
    }

    /// Whether what runs would touch something that has come; looked at once.
    fn touches(&mut self, now: Stamp) -> Option<Event> {
        if !std::mem::take(&mut self.look_again) || !self.moves(now) {
            return None;
        }
        let (running, space) = (self.running.as_ref()?, self.space.as_deref()?);
        let rest = running.motion.piece(now, running.motion.end(), GRID);
        let breach = space::breach(&rest, space, self.settings.clearance)?;
        let event = Event::new(breach.rule, Response::Stopped).joint(&breach.name);
        Some(event.numbers(breach.asked, breach.limit))
    }

    /// The names of what is nearer than `cutoff` (m) to what it must not touch at these positions,
    /// the nearest pair of each kind; `None` if there is nothing.
    pub fn nearest(&self, positions: &[f64], cutoff: f64) -> Option<String> {
        let space = self.space.as_deref()?;
        let mut scratch = ClearanceScratch::default();
        let found = space.distances(positions, cutoff, &mut scratch);
        let objects = space.objects(cutoff, &mut scratch);
        let own = found.own.pair.map(|_| space.pair(Rule::SelfClearance, &found));
        let scene = found.scene.pair.map(|_| space.pair(Rule::SceneClearance, &found));
        let object = objects.pair.map(|_| space.object_pair(&objects));
        let names: Vec<String> = [own, scene, object].into_iter().flatten().collect();
        (!names.is_empty()).then(|| names.join("; "))
    }

    /// Clears a latched stop.
    pub fn reset(&mut self) {
        self.latch.reset();
    }

    /// Forgets all history of chunks and takes only chunks of `epoch` from now on; what runs goes
    /// on to its rest. To stop as well, step with a lock.
    pub fn restart(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.forget_history();
    }

    /// The controllers run what was sent at `scale` times its speed, and did so since the last
    /// call; `scale` is between 0 and 1. What runs is later by what they have not done.
    pub fn set_progress(&mut self, now: Stamp, scale: f64) {
        let since = self.scaled_at.replace(now).unwrap_or(now);
        self.scale = if scale.is_finite() { scale.clamp(0.0, 1.0) } else { 1.0 };
        let Some(running) = &mut self.running else { return };
        let elapsed = now.saturating_sub(since.max(running.motion.begin())).max(0);
        let late = (elapsed as f64 * (1.0 - self.scale)).round() as i64;
        if late == 0 {
            return;
        }
        running.motion.delay(late);
        if running.unclean_until != Stamp::MIN {
            running.unclean_until = running.unclean_until.saturating_add(late);
        }
    }

    /// Something else moves the robot, or has moved it: what was sent is forgotten, and the next
    /// motion starts where the robot is measured from now on.
    pub fn hand_over(&mut self) {
        self.running = None;
        self.trail.clear();
        self.measured = None;
        self.seen = Seen::default();
        self.lost = false;
        self.braking = false;
        (self.stopped, self.straight) = (true, false);
        self.forget_history();
    }

    /// Where the joints were measured last, carried on to `at`, rad or m; `None` where that is
    /// longer ago than the watchdog allows.
    pub fn measured_at(&self, at: Stamp) -> Option<Vec<f64>> {
        let measured = self.measured.as_ref()?;
        let fresh = seconds(at.saturating_sub(measured.stamp)) <= self.settings.joint_state_age;
        fresh.then(|| measured.at(at).iter().map(|state| state.position).collect())
    }

    /// Where the running motion is at an instant: positions, velocities and accelerations, in the
    /// order of the joints; `None` before anything was sent.
    pub fn running_at(&self, at: Stamp) -> Option<Vec<State>> {
        self.running.as_ref().map(|running| running.motion.sample(at))
    }

    /// Whether anything that was sent still moves at `at` or later.
    pub fn moves(&self, at: Stamp) -> bool {
        self.running.as_ref().is_some_and(|running| !running.motion.is_at_rest(at))
    }

    fn forget_history(&mut self) {
        self.history.clear();
        self.last_sequence = None;
        self.last_stamp = None;
    }

    /// One step: checks what came in and returns what to send. To be called for every chunk and
    /// measured state, and often enough for the watchdogs.
    pub fn step(&mut self, input: &FilterInput) -> FilterOutput {
        let mut events = Vec::new();
        let now = input.now;
        let mut restart = self.check_clock(now, &mut events);
        let set_back = restart;
        let state_is_good = self.take_state(now, input.state.as_ref(), &mut events);
        restart |= self.compare(state_is_good, &mut events);
        let chunk = input.chunk.as_ref().filter(|chunk| {
            let good = self.check_chunk(now, chunk, state_is_good, &mut events);
            if good {
                self.note(now, chunk);
            }
            good
        });
        let refused = input.chunk.is_some() && chunk.is_none();
        // A slow machine is no fault in what the policy asks for; the watchdogs brake when nothing
        // comes in time.
        let overtaken = events.last().is_some_and(|event| {
            event.rule == Rule::Epoch
                || (event.rule == Rule::Age && event.asked.is_some_and(|late| late >= 0.0))
        });
        if refused && !set_back && !overtaken {
            self.latch.intervene(now);
        }
        let mut stops = self.stops(now, input.lock);
        stops.extend(self.touches(now));
        let stop = !stops.is_empty();
        events.extend(stops);
        if stop {
            self.forget_history();
        }
        self.straight &= chunk.is_none();
        let (verdict, release) = if stop {
            (Verdict::Stopped, self.stop(now, restart, &mut events))
        } else if let Some(chunk) = chunk {
            self.follow(now, chunk, restart, &mut events)
        } else {
            let verdict = if refused || set_back { Verdict::Rejected } else { Verdict::Accepted };
            // Nothing new: what runs goes on, unless the robot is not where it runs.
            (verdict, if restart { self.stop(now, true, &mut events) } else { None })
        };
        self.stopped = stop
            || (self.stopped && !matches!(verdict, Verdict::Accepted | Verdict::Modified))
            || (self.stopped && chunk.is_none());
        let Some(running) = release else {
            return FilterOutput { verdict, events, trajectories: Vec::new() };
        };
        let trajectories = self.release(now, running, restart, &mut events);
        let refused = trajectories.is_empty() && !self.controllers.is_empty();
        self.braking &= !refused;
        let verdict = if refused && !stop { Verdict::Rejected } else { verdict };
        FilterOutput { verdict, events, trajectories }
    }

    /// The clock must not go backwards. Whether it did.
    fn check_clock(&mut self, now: Stamp, events: &mut Vec<Event>) -> bool {
        let back = self.now.filter(|&before| now < before);
        self.now = Some(now);
        let Some(before) = back else { return false };
        events.push(
            Event::new(Rule::Clock, Response::Restarted).numbers(seconds(now), seconds(before)),
        );
        // The running motion's place on the new clock is unknown.
        self.lost |= self.running.take().is_some();
        self.trail.clear();
        self.measured = None;
        self.seen = Seen::default();
        self.latch.forget_times();
        self.forget_history();
        self.fresh_after = Some(now);
        self.stopped = true;
        true
    }

    /// What demands a stop now.
    fn stops(&self, now: Stamp, lock: bool) -> Vec<Event> {
        let mut stops = Vec::new();
        if self.moves(now) {
            let expired = watchdogs::expired(&self.seen, &self.settings, now).into_iter();
            stops.extend(expired.filter(|one| !self.straight || one.rule == Rule::JointStateAge));
        }
        if lock {
            stops.push(Event::new(Rule::Lock, Response::Stopped));
        }
        stops.extend(self.latch.latched());
        stops
    }

    /// Makes motion of a chunk that passed its checks.
    fn follow(
        &mut self,
        now: Stamp,
        chunk: &RawChunk,
        restart: bool,
        events: &mut Vec<Event>,
    ) -> (Verdict, Option<Running>) {
        if restart {
            self.history.clear();
        }
        let Some((at, first, before, measured)) = self.origin(now, restart) else {
            events.push(Event::new(Rule::State, Response::Refused));
            return (Verdict::Rejected, None);
        };
        let rows = self.spliced(self.unwrapped(chunk, &first));
        // The stop of a measured state is needed in any case, to know that there is one; that of a
        // running motion only if nothing else can be done.
        let stop = if measured {
            match self.stop_from(at, &first, true) {
                Ok(stop) => Some(stop),
                Err(joint) => {
                    self.unstoppable(joint, &first, events);
                    return (Verdict::Rejected, None);
                }
            }
        } else {
            None
        };
        let due = |step| due(chunk.stamp, step, self.rate_hz);
        // Due before the new motion takes over, though not yet: left to the running motion.
        let under_way = (0..rows.len()).rev().find(|&step| due(step) > now && due(step) <= at);
        if let Some(step) = under_way {
            events.push(Event::new(Rule::Splice, Response::Skipped).step(step));
        }
        let rows: Vec<Row> = rows
            .into_iter()
            .enumerate()
            .map(|(step, positions)| Row { step, due: due(step).saturating_sub(at), positions })
            .filter(|row| row.due > 0)
            .collect();
        let planner = Planner {
            joints: &self.joints,
            bounds: &self.bounds,
            space: self.space.as_deref(),
            settings: &self.settings,
        };
        let brake = || stop.clone().or_else(|| self.stop_from(at, &first, false).ok());
        let planned = planner.plan(at, &first, rows, brake, events);
        match planned {
            Some(Planned { running, exact, intervention }) => {
                if intervention {
                    self.latch.intervene(now);
                }
                self.braking = false;
                let verdict = if exact && under_way.is_none() {
                    Verdict::Accepted
                } else {
                    Verdict::Modified
                };
                (verdict, Some(join(before, running)))
            }
            None => {
                self.latch.intervene(now);
                if self.settings.mode == Mode::Clamp {
                    events.push(Event::new(Rule::Unreachable, Response::Refused));
                }
                // What runs goes on to its rest, unless the robot is not where it runs.
                let send = restart || first.iter().any(|state| state.velocity != 0.0);
                self.braking |= stop.is_some() && send;
                (Verdict::Rejected, stop.filter(|_| send).map(|stop| join(before, stop)))
            }
        }
    }

    /// Makes a motion the running one and gives it out. Here every motion is checked once more,
    /// whatever made it.
    fn release(
        &mut self,
        now: Stamp,
        running: Running,
        restart: bool,
        events: &mut Vec<Event>,
    ) -> Vec<CheckedTrajectory> {
        let checked = if running.unclean_until == Stamp::MIN {
            verify::motion(&running.motion, &self.bounds).is_ok()
        } else {
            verify::stop(&running.motion, &self.bounds).is_ok()
        };
        let in_time = running.motion.start() >= now && running.motion.start() - now <= SECOND;
        if !checked || !in_time {
            events.push(Event::new(Rule::Unreachable, Response::Refused));
            return Vec::new();
        }
        let trajectories = self
            .controllers
            .iter()
            .map(|controller| CheckedTrajectory::new(&running.motion, controller, &self.names))
            .collect();
        if std::mem::take(&mut self.lost) && !restart {
            events.push(Event::new(Rule::Resume, Response::Restarted));
        }
        let start = running.motion.start();
        match self.running.replace(running) {
            Some(before) if !restart => self.trail.push_back((before.motion, start)),
            _ => self.trail.clear(),
        }
        let oldest =
            start.saturating_sub(SETTLED * nanoseconds(self.settings.tracking_delay) + SECOND);
        while self.trail.front().is_some_and(|(_, until)| *until < oldest)
            || self.trail.len() > LONGEST_TRAIL
        {
            self.trail.pop_front();
        }
        trajectories
    }
}
