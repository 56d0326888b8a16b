//! The safety filter itself: the order of checks, the running motion, and what is released.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bounds::{GREATEST_POSITION, GREATEST_VELOCITY};
use super::plan::{Planned, Planner, Row};
use super::settings::{FilterSettings, Mode, Splice};
use super::space::{RobotSpace, Space};
use super::stop::{self, Running};
use super::watch::{self, Latch, Locks, Seen};
use super::{Bounds, CheckedTrajectory, Event, Response, Rule, Verdict, verify};
use crate::decode::due;
use crate::trajectory::brake::GRID;
use crate::trajectory::{Motion, SECOND, Stamp, State, nanoseconds, seconds};
use crate::{ControllerJoints, JointLimits, RawChunk, Robot, splice};

/// A measured joint state, as a `sensor_msgs/JointState` gives it: joints are taken by name.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredState {
    /// When it was measured, nanoseconds.
    pub stamp: Stamp,
    /// Names; more than the robot's joints may be there.
    pub names: Vec<String>,
    /// rad or m, as many.
    pub positions: Vec<f64>,
    /// rad/s or m/s, as many; empty: none was measured, taken as zero.
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
    /// True: stop.
    pub lock: bool,
}

/// One step's outcome.
#[derive(Debug, Clone)]
pub struct FilterOutput {
    /// What became of the chunk.
    pub verdict: Verdict,
    /// Every decision, with its number.
    pub events: Vec<Event>,
    /// What to send: one trajectory a controller, all with the same stamp; empty: nothing, what runs goes on.
    pub trajectories: Vec<CheckedTrajectory>,
}

/// So many motions are remembered at most.
const LONGEST_TRAIL: usize = 32;

/// After so many tracking delays at rest a robot stands where it was led.
const SETTLED: i64 = 5;

/// What the filter last knew of the joints.
#[derive(Debug, Clone)]
struct Measured {
    stamp: Stamp,
    states: Vec<State>,
}

impl Measured {
    /// Where the joints are a little after they were measured, if they went on as they did.
    fn at(&self, now: Stamp) -> Vec<State> {
        let age = seconds(now.saturating_sub(self.stamp));
        self.states
            .iter()
            .map(|state| State { position: state.position + age * state.velocity, ..*state })
            .collect()
    }
}

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
            let at_least = |wide: f64, tolerance: f64| if gripper { tolerance.max(wide) } else { tolerance };
            Tolerance {
                position: at_least(bounds.upper - bounds.lower, settings.position_tolerance),
                velocity: at_least(2.0 * bounds.velocity, settings.velocity_tolerance),
                gripper,
            }
        })
        .collect()
}

/// The safety filter. Nothing it returns breaks a limit, whatever comes in; `docs/safety.md` says how and why.
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
    locks: Locks,
    latch: Latch,
    now: Option<Stamp>,
    seen: Seen,
    running: Option<Running>,
    /// What ran before, until when: a robot follows with a delay (see [`FilterSettings::tracking_delay`]).
    trail: VecDeque<(Motion, Stamp)>,
    measured: Option<Measured>,
    /// What was sent is no longer known: the next motion starts where the robot is measured.
    lost: bool,
    /// Something stopped the robot and it has not moved since.
    stopped: bool,
    /// What runs is a stop.
    braking: bool,
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

    /// A filter of joints and controllers, with whatever is known of the space around them. `grippers` are joints
    /// that a held object may stop.
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
            locks: Locks::new(&settings.locks),
            latch: Latch::new(settings.latch),
            now: None,
            seen: Seen::default(),
            running: None,
            trail: VecDeque::new(),
            measured: None,
            lost: false,
            stopped: false,
            braking: false,
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

    /// Changes mode, speed, watchdogs and the like; locks and latch keep their state unless theirs change.
    ///
    /// # Errors
    /// All that is wrong with the new parameters; the old ones stay.
    pub fn set_settings(&mut self, settings: FilterSettings) -> Result<(), Vec<String>> {
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        if settings.locks != self.settings.locks {
            self.locks = Locks::new(&settings.locks);
        }
        if settings.latch != self.settings.latch {
            self.latch = Latch::new(settings.latch);
        }
        let grippers: Vec<bool> = self.tolerances.iter().map(|tolerance| tolerance.gripper).collect();
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

    /// A lock's heartbeat; `false` if there is no such lock.
    pub fn hear_lock(&mut self, name: &str, now: Stamp, locked: bool) -> bool {
        self.locks.hear(name, now, locked)
    }

    /// Clears a latched stop.
    pub fn reset(&mut self) {
        self.latch.reset();
    }

    /// Forgets all history of chunks and takes only chunks of `epoch` from now on; what runs goes on to its rest. To
    /// stop as well, step with a lock.
    pub fn restart(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.forget_history();
    }

    /// Where the running motion is at an instant: positions, velocities and accelerations, in the order of the
    /// joints; `None` before anything was sent.
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

    /// One step: checks what came in and says what to send. To be called for every chunk and measured state, and
    /// often enough for the watchdogs.
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
        // A slow machine is no fault in what the policy asks for; the watchdogs brake when nothing comes in time.
        let overtaken = events.last().is_some_and(|event| {
            event.rule == Rule::Epoch
                || (event.rule == Rule::Age && event.asked.is_some_and(|late| late >= 0.0))
        });
        if refused && !set_back && !overtaken {
            self.latch.intervene(now);
        }
        let stops = self.stops(now, input.lock);
        let stop = !stops.is_empty();
        events.extend(stops);
        if stop {
            self.forget_history();
        }
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
        events.push(Event::new(Rule::Clock, Response::Restarted).numbers(seconds(now), seconds(before)));
        // When the running motion is, on the new clock, nobody knows.
        self.lost |= self.running.take().is_some();
        self.trail.clear();
        self.measured = None;
        self.seen = Seen::default();
        self.locks.forget();
        self.latch.forget_times();
        self.forget_history();
        self.fresh_after = Some(now);
        self.stopped = true;
        true
    }

    /// Takes over a measured state; whether a good one is there, no older than the watchdog allows.
    fn take_state(&mut self, now: Stamp, state: Option<&MeasuredState>, events: &mut Vec<Event>) -> bool {
        if let Some(state) = state {
            match self.read_state(now, state) {
                Ok(states) => {
                    self.measured = Some(Measured { stamp: state.stamp, states });
                    self.seen.joint_state = Some(state.stamp);
                }
                Err(event) => {
                    events.push(event);
                    return false;
                }
            }
        }
        let age = self.measured.as_ref().map(|measured| seconds(now.saturating_sub(measured.stamp)));
        age.is_some_and(|age| age <= self.settings.joint_state_age)
    }

    fn read_state(&self, now: Stamp, state: &MeasuredState) -> Result<Vec<State>, Event> {
        let refused = |rule| Event::new(rule, Response::Refused);
        let count = state.names.len();
        let velocities = state.velocities.len();
        if state.positions.len() != count || (velocities != count && velocities != 0) {
            return Err(refused(Rule::State).numbers(state.positions.len() as f64, count as f64));
        }
        let ahead = seconds(state.stamp.saturating_sub(now));
        if ahead > 1e-3 {
            return Err(refused(Rule::State).numbers(ahead, 1e-3));
        }
        self.names
            .iter()
            .map(|name| {
                let mut places = state.names.iter().enumerate().filter(|(_, other)| *other == name);
                let (Some((place, _)), None) = (places.next(), places.next()) else {
                    return Err(refused(Rule::Names).joint(name));
                };
                let position = state.positions[place];
                let velocity = state.velocities.get(place).copied().unwrap_or(0.0);
                // Written so that not-a-number is refused.
                if !(position.abs() <= GREATEST_POSITION) {
                    return Err(refused(Rule::Finite).joint(name).numbers(position, GREATEST_POSITION));
                }
                if !(velocity.abs() <= GREATEST_VELOCITY) {
                    return Err(refused(Rule::Finite).joint(name).numbers(velocity, GREATEST_VELOCITY));
                }
                Ok(State { position, velocity, acceleration: 0.0 })
            })
            .collect()
    }

    /// Compares the measured state with the running motion; whether the measured state has to replace it.
    ///
    /// A robot follows its set-points with a delay, so a measured state agrees if it lies, but for the tolerance, in the
    /// range that the set-points went through during the last `tracking_delay`.
    fn compare(&mut self, state_is_good: bool, events: &mut Vec<Event>) -> bool {
        let (Some(running), Some(measured)) = (&self.running, &self.measured) else { return false };
        let Some(expected) = self.sent_at(measured.stamp).filter(|_| state_is_good) else { return false };
        let resting = self.stopped && running.motion.is_at_rest(measured.stamp);
        // Most states agree with the very instant; only for others the range is looked up.
        let mut ranges: Option<[Vec<Range>; 2]> = None;
        let mut disagree = false;
        for (joint, (expected, found)) in expected.iter().zip(&measured.states).enumerate() {
            let (name, tolerance) = (&self.names[joint], self.tolerances[joint]);
            let resume = resting && !tolerance.gripper;
            let near = if resume {
                self.settings.resume_tolerance.min(tolerance.position)
            } else {
                tolerance.position
            };
            let off = (found.position - expected.position).abs();
            let too_fast = (found.velocity - expected.velocity).abs();
            if off <= near && too_fast <= tolerance.velocity {
                continue;
            }
            let ranges = ranges.get_or_insert_with(|| [1, SETTLED].map(|n| self.recently(measured.stamp, n)));
            let [range, settling] = [ranges[0][joint], ranges[1][joint]];
            let (off, too_fast) =
                (beyond(found.position, range.position), beyond(found.velocity, range.velocity));
            let moved = beyond(found.position, settling.position);
            let event = if off > tolerance.position {
                Event::new(Rule::Disagreement, Response::Restarted).numbers(off, tolerance.position)
            } else if too_fast > tolerance.velocity {
                Event::new(Rule::Disagreement, Response::Restarted).numbers(too_fast, tolerance.velocity)
            } else if resume && moved > self.settings.resume_tolerance {
                Event::new(Rule::Resume, Response::Restarted).numbers(moved, self.settings.resume_tolerance)
            } else {
                continue;
            };
            disagree = true;
            events.push(event.joint(name));
        }
        disagree
    }

    /// The set-points at an instant, if they are still known.
    fn sent_at(&self, at: Stamp) -> Option<Vec<State>> {
        let running = self.running.as_ref()?;
        if at >= running.motion.start() {
            return Some(running.motion.sample(at));
        }
        let (motion, _) = self.trail.iter().find(|(motion, until)| at >= motion.start() && at < *until)?;
        Some(motion.sample(at))
    }

    /// The ranges of the set-points in `delays` times [`FilterSettings::tracking_delay`] before `at`.
    fn recently(&self, at: Stamp, delays: i64) -> Vec<Range> {
        let (window, step) = (delays * nanoseconds(self.settings.tracking_delay), SECOND / 200);
        let mut ranges = vec![Range::default(); self.names.len()];
        for back in 0..=window / step {
            let Some(states) = self.sent_at(at - back * step) else { break };
            for (range, state) in ranges.iter_mut().zip(states) {
                let widen = |range: &mut (f64, f64), x: f64| *range = (range.0.min(x), range.1.max(x));
                widen(&mut range.position, state.position);
                widen(&mut range.velocity, state.velocity);
            }
        }
        ranges
    }

    /// The checks of a chunk that need no planning, in their order. Whether it passes.
    fn check_chunk(
        &self,
        now: Stamp,
        chunk: &RawChunk,
        state_is_good: bool,
        events: &mut Vec<Event>,
    ) -> bool {
        let refused = |rule| Event::new(rule, Response::Refused);
        let before = events.len();
        let width = chunk.rows.first().map_or(0, Vec::len);
        for (step, row) in chunk.rows.iter().enumerate() {
            // Not-a-number is not at most anything.
            if let Some(joint) = row.iter().position(|asked| !(asked.abs() <= f64::MAX)) {
                let event = refused(Rule::Finite).step(step).numbers(row[joint], f64::MAX);
                events.push(match chunk.joint_names.get(joint) {
                    Some(name) => event.joint(name),
                    None => event,
                });
                return false;
            }
        }
        if chunk.joint_names != self.names {
            let wrong = chunk.joint_names.iter().zip(&self.names).find(|(got, wanted)| got != wanted);
            let event = refused(Rule::Names).numbers(chunk.joint_names.len() as f64, self.names.len() as f64);
            events.push(match wrong {
                Some((got, _)) => event.joint(got),
                None => event,
            });
        } else if chunk.rows.is_empty() {
            events.push(refused(Rule::Shape).numbers(0.0, 1.0));
        } else if let Some(step) = chunk.rows.iter().position(|row| row.len() != self.names.len()) {
            let columns = chunk.rows[step].len() as f64;
            events.push(refused(Rule::Shape).step(step).numbers(columns, self.names.len() as f64));
        } else if !((chunk.rate_hz - self.rate_hz).abs() <= 1e-9 * self.rate_hz) || width == 0 {
            events.push(refused(Rule::Shape).numbers(chunk.rate_hz, self.rate_hz));
        }
        if events.len() > before {
            return false;
        }
        let age = seconds(now.saturating_sub(chunk.stamp));
        let ahead = 1.0 / self.rate_hz;
        let last_due = chunk.due(chunk.rows.len() - 1);
        if age > self.settings.chunk_age {
            events.push(refused(Rule::Age).numbers(age, self.settings.chunk_age));
        } else if -age > ahead + 1e-6 {
            events.push(refused(Rule::Age).numbers(age, -ahead));
        } else if last_due <= now {
            events.push(refused(Rule::Age).numbers(seconds(now.saturating_sub(last_due)), 0.0));
        } else if let Some(since) = self.fresh_after
            && chunk.stamp <= since
        {
            events.push(refused(Rule::Clock).numbers(seconds(chunk.stamp), seconds(since)));
        } else if chunk.epoch != self.epoch {
            events.push(refused(Rule::Epoch).numbers(chunk.epoch as f64, self.epoch as f64));
        } else if let Some(last) = self.last_sequence
            && chunk.sequence <= last
        {
            events.push(refused(Rule::Sequence).numbers(chunk.sequence as f64, last as f64));
        } else if let Some(last) = self.last_stamp
            && chunk.stamp <= last
        {
            events.push(refused(Rule::Sequence).numbers(seconds(chunk.stamp), seconds(last)));
        } else if !state_is_good {
            events.push(refused(Rule::State));
        }
        events.len() == before
    }

    /// Remembers a chunk that passed.
    fn note(&mut self, now: Stamp, chunk: &RawChunk) {
        self.last_sequence = Some(chunk.sequence);
        self.last_stamp = Some(chunk.stamp);
        self.seen.observation = Some(chunk.stamp);
        self.seen.chunk = Some(now);
        self.fresh_after = None;
    }

    /// What demands a stop now.
    fn stops(&self, now: Stamp, lock: bool) -> Vec<Event> {
        let mut stops = Vec::new();
        if self.moves(now) {
            stops.extend(watch::bites(&self.seen, &self.settings, now));
        }
        if lock {
            stops.push(Event::new(Rule::Lock, Response::Stopped));
        }
        stops.extend(self.locks.engaged(now));
        stops.extend(self.latch.latched());
        stops
    }

    /// The instant at which a new motion may take over from the running one, and the running one's part until then.
    fn takeover(&self, now: Stamp) -> (Stamp, Option<Motion>) {
        let lead = nanoseconds(self.settings.lead);
        let Some(running) = &self.running else { return (now, None) };
        if lead <= 0 {
            return (now, None);
        }
        let motion = &running.motion;
        let at = now.saturating_add(lead);
        let knot =
            motion.times().iter().map(|time| motion.start() + time).find(|knot| (knot - at).abs() < GRID);
        let at = knot.unwrap_or(at).max(now);
        (at, Some(motion.piece(now, at, GRID)))
    }

    /// The start of a new motion: instant, states, the running motion's part before it, whether it is measured.
    fn origin(&self, now: Stamp, restart: bool) -> Option<(Stamp, Vec<State>, Option<Motion>, bool)> {
        // A state of long ago says nothing about now.
        let age = |measured: &&Measured| seconds(now.saturating_sub(measured.stamp));
        let measured =
            self.measured.as_ref().filter(|measured| age(measured) <= self.settings.joint_state_age);
        match (&self.running, measured) {
            (Some(running), _) if !restart => {
                let (at, before) = self.takeover(now);
                Some((at, running.motion.sample(at), before, false))
            }
            (_, Some(measured)) => Some((now, measured.at(now), None, true)),
            (Some(running), None) => Some((now, running.motion.sample(now), None, false)),
            (None, None) => None,
        }
    }

    /// The stop from an origin.
    fn stop_from(&self, at: Stamp, first: &[State], measured: bool) -> Result<Running, usize> {
        match &self.running {
            Some(running) if !measured => Ok(stop::running(running, at, &self.bounds)),
            _ => stop::measured(at, first, &self.bounds),
        }
    }

    /// Brings the robot to rest; nothing if it is at rest or already braking.
    fn stop(&mut self, now: Stamp, restart: bool, events: &mut Vec<Event>) -> Option<Running> {
        let (at, first, before, measured) = self.origin(now, restart)?;
        if !restart && self.braking && self.running.is_some() {
            return None;
        }
        if !measured && !self.moves(now) {
            return None;
        }
        if measured && self.running.is_none() && first.iter().all(|state| state.velocity == 0.0) {
            // Nothing of ours runs and nothing moves.
            return None;
        }
        match self.stop_from(at, &first, measured) {
            Ok(stop) => {
                self.braking = true;
                Some(join(before, stop))
            }
            Err(joint) => {
                self.unstoppable(joint, &first, events);
                // What the controllers were given can be stopped at least.
                let running = self.running.as_ref().filter(|_| !self.braking && self.moves(now))?;
                let stop = stop::running(running, now, &self.bounds);
                self.braking = true;
                Some(stop)
            }
        }
    }

    /// A joint was measured moving that cannot be stopped within its limits: nothing harmless starts from there.
    fn unstoppable(&self, joint: usize, first: &[State], events: &mut Vec<Event>) {
        let (velocity, limit) = (first[joint].velocity, self.bounds[joint].acceleration);
        let event = Event::new(Rule::Unstoppable, Response::Reported).joint(&self.names[joint]);
        // So it replaces nothing.
        let replaced = |event: &&mut Event| matches!(event.rule, Rule::Disagreement | Rule::Resume);
        events.iter_mut().filter(replaced).for_each(|event| event.action = Response::Reported);
        events.push(event.numbers(velocity, limit));
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
        let rows = self.spliced(chunk);
        let Some((at, first, before, measured)) = self.origin(now, restart) else {
            events.push(Event::new(Rule::State, Response::Refused));
            return (Verdict::Rejected, None);
        };
        // The stop of a measured state is needed in any case, to know that there is one; that of a running motion only
        // if nothing else can be done.
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
                let verdict =
                    if exact && under_way.is_none() { Verdict::Accepted } else { Verdict::Modified };
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

    /// The chunk's rows, joined with those of the chunks before.
    fn spliced(&mut self, chunk: &RawChunk) -> Vec<Vec<f64>> {
        match self.settings.splice {
            Splice::Replace => chunk.rows.clone(),
            Splice::Ensemble { decay } => {
                self.history.push_back(chunk.clone());
                let newest = chunk.stamp;
                self.history.retain(|old| old.due(old.rows.len().saturating_sub(1)) > newest);
                while self.history.len() > splice::LONGEST_HISTORY {
                    self.history.pop_front();
                }
                splice::ensemble(self.history.make_contiguous(), decay)
            }
        }
    }

    /// Makes a motion the running one and gives it out. Here every motion is checked once more, whatever made it.
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
        let oldest = start.saturating_sub(SETTLED * nanoseconds(self.settings.tracking_delay) + SECOND);
        while self.trail.front().is_some_and(|(_, until)| *until < oldest) || self.trail.len() > LONGEST_TRAIL
        {
            self.trail.pop_front();
        }
        trajectories
    }
}

/// What a joint's set-points went through.
#[derive(Debug, Clone, Copy)]
struct Range {
    position: (f64, f64),
    velocity: (f64, f64),
}

impl Default for Range {
    fn default() -> Self {
        let none = (f64::INFINITY, f64::NEG_INFINITY);
        Self { position: none, velocity: none }
    }
}

/// How far `x` is outside a range.
fn beyond(x: f64, (least, greatest): (f64, f64)) -> f64 {
    (least - x).max(x - greatest).max(0.0)
}

/// The running motion's part before a takeover and what follows it.
fn join(before: Option<Motion>, next: Running) -> Running {
    match before {
        None => next,
        Some(mut motion) => {
            motion.append(&next.motion);
            Running { motion, ..next }
        }
    }
}
