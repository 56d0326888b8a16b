//! Controllers that take positions one at a time (`std_msgs/Float64MultiArray`): the checked
//! trajectory, sampled.
//!
//! Such a controller holds the last position that it got. When a period is missed, the robot has
//! stood at that position for as long, so the stream goes on from there, later by what was missed,
//! and the filter is asked to brake: a jump to where the trajectory is by now would be a step. A
//! trajectory that starts where the robot was measured is no continuation; it runs on time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::std_msgs::msg::{Float64MultiArray, MultiArrayDimension, MultiArrayLayout};
use f1_middleware::{ClockKind, Node, Timer};
use f1_robot::safety::CheckedTrajectory;
use parking_lot::Mutex;

use crate::condition::{Condition, Source};
use crate::core::Core;
use crate::error::NodeResult;
use crate::topics::POSITION_COMMANDS;

/// Trajectories that may wait for their beginning; what is older than so many is not waited for.
const MAX_WAITING: usize = 32;

/// A tick that comes later than so many periods after the one before has missed one.
const LATE: u32 = 2;

/// A trajectory that begins this near to where the one before it is continues it, rad or m.
const JOINED: f64 = 1e-6;

/// What one tick gives.
#[derive(Debug, Default, PartialEq)]
struct Tick {
    /// What to send.
    position: Option<Vec<f64>>,
    /// How long after the one before it came, where that is too long.
    missed: Option<Duration>,
    /// What is sent is the end of the motion.
    ended: bool,
}

/// The motion of one controller as a row of positions.
#[derive(Debug, Default)]
struct Stream {
    period: Duration,
    current: Option<CheckedTrajectory>,
    /// Not begun yet, in their order, and whether each continues the one before it.
    waiting: VecDeque<(CheckedTrajectory, bool)>,
    /// By how much the stream is later than the trajectory, ns.
    shift_ns: i64,
    last: Option<Duration>,
    /// ROS time of the last tick, ns.
    last_ns: Option<i64>,
}

impl Stream {
    fn new(period: Duration) -> Self {
        Self { period, ..Self::default() }
    }

    fn follow(&mut self, trajectory: &CheckedTrajectory) {
        let before = self.waiting.back().map(|(before, _)| before).or(self.current.as_ref());
        let begin = trajectory.begin();
        let joined = before.is_some_and(|before| {
            let ends = before.positions_at(begin);
            let begins = trajectory.positions_at(begin);
            ends.iter().zip(&begins).all(|(a, b)| (a - b).abs() <= JOINED)
        });
        self.waiting.push_back((trajectory.clone(), joined));
        if self.waiting.len() > MAX_WAITING {
            self.waiting.pop_front();
        }
    }

    fn forget(&mut self) {
        *self = Self { last: self.last, ..Self::new(self.period) };
    }

    fn is_moving(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    /// The next position, at ROS time `now_ns` and `steady` on the steady clock.
    fn tick(&mut self, steady: Duration, now_ns: i64) -> Tick {
        let gap = self.last.replace(steady).map(|last| steady.saturating_sub(last));
        if !self.is_moving() {
            return Tick::default();
        }
        let missed = gap.filter(|gap| self.current.is_some() && *gap > LATE * self.period);
        let period_ns = i64::try_from(self.period.as_nanos()).unwrap_or(i64::MAX);
        if missed.is_some()
            && let Some(last_ns) = self.last_ns
        {
            // In ROS time, which may go slower than the steady clock.
            let late = now_ns.saturating_sub(last_ns).saturating_sub(period_ns).max(0);
            self.shift_ns = self.shift_ns.saturating_add(late);
        }
        let mut at = now_ns.saturating_sub(self.shift_ns);
        if self.last_ns.is_some_and(|last_ns| now_ns < last_ns) {
            // The clock went back: where the trajectory is on it is not known. The controller holds
            // its last position.
            self.forget();
            return Tick { missed, ended: true, ..Tick::default() };
        }
        // What starts where the robot is measured replaces all before it.
        let anew =
            self.waiting.iter().rposition(|(next, joined)| !joined && next.begin() <= now_ns);
        if let Some(index) = anew {
            self.current = self.waiting.drain(..=index).next_back().map(|(next, _)| next);
            (self.shift_ns, at) = (0, now_ns);
        }
        while self.waiting.front().is_some_and(|(next, joined)| *joined && next.begin() <= at) {
            self.current = self.waiting.pop_front().map(|(next, _)| next);
        }
        self.last_ns = Some(now_ns);
        let Some(current) = &self.current else { return Tick { missed, ..Tick::default() } };
        let position = Some(current.positions_at(at));
        let ended = at >= current.end() && self.waiting.is_empty();
        if ended {
            self.forget();
        }
        Tick { position, missed, ended }
    }
}

/// One controller's stream, with the timer that sends it.
pub(super) struct PositionStream {
    stream: Arc<Mutex<Stream>>,
    _timer: Timer,
}

impl PositionStream {
    /// Opens the stream of `joints` of a controller, `rate` positions a second, on a thread of its
    /// own: a step of the filter must not delay it.
    pub(super) fn open(
        node: &Node,
        core: &Arc<Core>,
        controller: &str,
        joints: usize,
        rate: f64,
    ) -> NodeResult<Self> {
        let topic = POSITION_COMMANDS.named(controller);
        let publisher = POSITION_COMMANDS.publisher_on(node, &topic)?;
        let period = Duration::from_secs_f64(1.0 / rate);
        let stream = Arc::new(Mutex::new(Stream::new(period)));
        let (streaming, core, name) = (stream.clone(), core.clone(), controller.to_owned());
        let (clock, source) = (node.clock(), Source::Stream(controller.to_owned()));
        let tick = move || {
            let Tick { position, missed, ended } =
                streaming.lock().tick(clock.steady(), clock.now().nanoseconds());
            if let Some(gap) = missed {
                let (name, seconds) = (name.clone(), gap.as_secs_f64());
                tracing::warn!(controller = name, seconds, "a period of the stream was missed");
                core.hold(&source, Some(Condition::StreamLate { name, seconds }));
            }
            if ended {
                core.hold(&source, None);
            }
            if let Some(data) = position
                && let Err(error) = publisher.publish(message(data, joints))
            {
                tracing::error!(%error, controller = name, "position not sent");
            }
        };
        let thread = format!("stream {controller}");
        let timer = node.create_timer_on_thread(&thread, period, ClockKind::Steady, tick)?;
        Ok(Self { stream, _timer: timer })
    }

    /// From its beginning on this trajectory is followed.
    pub(super) fn follow(&self, trajectory: &CheckedTrajectory) {
        self.stream.lock().follow(trajectory);
    }

    /// Sends nothing more; the controller holds its last position.
    pub(super) fn forget(&self) {
        self.stream.lock().forget();
    }

    /// Whether positions are still sent.
    pub(super) fn is_moving(&self) -> bool {
        self.stream.lock().is_moving()
    }
}

fn message(data: Vec<f64>, joints: usize) -> Float64MultiArray {
    let size = u32::try_from(joints).unwrap_or(u32::MAX);
    let dim = vec![MultiArrayDimension { label: "joints".to_owned(), size, stride: size }];
    Float64MultiArray { layout: MultiArrayLayout { dim, data_offset: 0 }, data }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use f1_robot::safety::{FilterInput, FilterSettings, MeasuredState, SafetyFilter};
    use f1_robot::{RawChunk, Robot};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(4);
    const PERIOD_NS: i64 = 4_000_000;

    /// A filter whose robot is at home, and the arm's part of a motion of half a radian.
    fn moving() -> (SafetyFilter, CheckedTrajectory) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
        let robot = Arc::new(Robot::load(&file).unwrap());
        let mut filter = SafetyFilter::new(robot.clone(), FilterSettings::default());
        let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
        let mut target = robot.home().to_vec();
        target[0] += 0.5;
        let chunk = RawChunk {
            stamp: 0,
            sequence: 1,
            epoch: 0,
            joint_names: names.clone(),
            rate_hz: robot.rate_hz(),
            rows: vec![target],
        };
        let state =
            MeasuredState { stamp: 0, names, positions: robot.home().to_vec(), velocities: vec![] };
        let input = FilterInput { now: 0, state: Some(state), chunk: Some(chunk), lock: false };
        let trajectory = filter.step(&input).trajectories.remove(0);
        (filter, trajectory)
    }

    fn at(tick: i64) -> (Duration, i64) {
        (PERIOD * u32::try_from(tick).unwrap(), tick * PERIOD_NS)
    }

    #[test]
    fn a_stream_is_the_trajectory_and_ends_with_its_last_position() {
        let (_, trajectory) = moving();
        let mut stream = Stream::new(PERIOD);
        stream.follow(&trajectory);
        let mut sent = Vec::new();
        for tick in 0..100_000 {
            let (steady, now) = at(tick);
            let Tick { position, missed, ended } = stream.tick(steady, now);
            assert_eq!(missed, None);
            sent.push(position.unwrap());
            if ended {
                break;
            }
        }
        assert!(sent.len() > 50, "{}", sent.len());
        assert_eq!(sent.last(), trajectory.points().last().map(|point| &point.position));
        assert!(!stream.is_moving());
        let (steady, now) = at(sent.len() as i64);
        assert_eq!(stream.tick(steady, now), Tick::default(), "silent at rest");
    }

    #[test]
    fn after_a_missed_period_the_stream_brakes_without_a_step() {
        let (mut filter, trajectory) = moving();
        let mut stream = Stream::new(PERIOD);
        stream.follow(&trajectory);
        let limits: Vec<f64> = filter.joints().iter().map(|joint| joint.velocity).collect();
        let (middle, lost) = (trajectory.end() / 2 / PERIOD_NS, 25);
        let mut sent: Vec<Vec<f64>> = Vec::new();
        let (mut late, mut tick) = (None, 0);
        loop {
            let (steady, now) = at(tick);
            let Tick { position, missed, ended } = stream.tick(steady, now);
            sent.push(position.unwrap());
            if let Some(gap) = missed {
                late = Some(gap);
                // What the node does: it demands a stop.
                let input = FilterInput { now, lock: true, ..FilterInput::default() };
                stream.follow(&filter.step(&input).trajectories[0]);
            }
            if ended {
                break;
            }
            tick += if tick == middle { lost } else { 1 };
            assert!(tick < 100_000);
        }
        assert_eq!(late, Some(PERIOD * u32::try_from(lost).unwrap()));
        let goal = &trajectory.points().last().unwrap().position;
        assert!((sent.last().unwrap()[0] - goal[0]).abs() > 0.01, "it has not braked");
        for (index, pair) in sent.windows(2).enumerate() {
            for (joint, limit) in limits.iter().enumerate().take(pair[0].len()) {
                let speed = (pair[1][joint] - pair[0][joint]).abs() / PERIOD.as_secs_f64();
                assert!(speed <= limit * (1.0 + 1e-9), "tick {index}: {speed} against {limit}");
            }
        }
    }

    #[test]
    fn after_a_missed_period_a_motion_from_the_measured_place_runs_on_time() {
        let (mut filter, trajectory) = moving();
        let mut stream = Stream::new(PERIOD);
        stream.follow(&trajectory);
        let (middle, lost) = (trajectory.end() / 2 / PERIOD_NS, 25);
        for tick in 0..=middle {
            let (steady, now) = at(tick);
            stream.tick(steady, now);
        }
        let (steady, now) = at(middle + lost);
        assert!(stream.tick(steady, now).missed.is_some());
        // The robot was pushed: the filter brakes it from where it is measured.
        let names = filter.joints().iter().map(|joint| joint.name.clone()).collect();
        let mut positions: Vec<f64> =
            filter.running_at(now).unwrap().iter().map(|state| state.position).collect();
        positions[0] += 0.3;
        let state = MeasuredState { stamp: now, names, positions, velocities: vec![] };
        let input = FilterInput { now, state: Some(state), ..FilterInput::default() };
        let from_measured = filter.step(&input).trajectories.remove(0);
        stream.follow(&from_measured);
        let (steady, now) = at(middle + lost + 1);
        let position = stream.tick(steady, now).position.unwrap();
        assert_eq!(position, from_measured.positions_at(now));
    }

    #[test]
    fn a_missed_period_while_ros_time_is_slow_does_not_bring_the_stream_back() {
        let (_, trajectory) = moving();
        let mut stream = Stream::new(PERIOD);
        stream.follow(&trajectory);
        let middle = trajectory.end() / 2 / PERIOD_NS;
        let mut before = Vec::new();
        for tick in 0..=middle {
            let (steady, now) = at(tick);
            before = stream.tick(steady, now).position.unwrap();
        }
        // A tenth of a second on the steady clock, and one period of ROS time.
        let (steady, now) = at(middle);
        let Tick { position, missed, .. } =
            stream.tick(steady + Duration::from_millis(100), now + PERIOD_NS);
        assert!(missed.is_some());
        let moved = position.unwrap()[0] - before[0];
        assert!(moved > 0.0 && moved < 0.01, "{moved}");
    }

    #[test]
    fn a_clock_that_goes_back_ends_the_stream() {
        let (_, trajectory) = moving();
        let mut stream = Stream::new(PERIOD);
        stream.follow(&trajectory);
        for tick in 0..20 {
            let (steady, now) = at(tick);
            assert!(stream.tick(steady, now).position.is_some());
        }
        let (steady, _) = at(20);
        let tick = stream.tick(steady, 0);
        assert!(tick.position.is_none() && tick.ended && !stream.is_moving());
    }
}
