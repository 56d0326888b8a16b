//! What a motion does in space: end-effector speed, workspace box, clearance.

use std::sync::Arc;

use super::limiters::{clearance, end_effector_speed, workspace};
use super::{Rule, Speed};
use crate::Robot;
use crate::clearance::{ClearanceScratch, Distances};
use crate::trajectory::quintic::Hull;
use crate::trajectory::{Motion, State, nanoseconds, seconds};

/// The robot in space, as far as the filter asks. `positions` and `velocities` have the order of
/// [`Robot::joints`].
pub trait Space: std::fmt::Debug + Send + Sync {
    /// How many arms.
    fn arms(&self) -> usize;
    /// An arm's name.
    fn arm(&self, arm: usize) -> &str;
    /// The end effectors' greatest speed, m/s.
    fn speed_limit(&self, speed: Speed) -> f64;
    /// The end effector's position in the root frame, m.
    fn tip(&self, arm: usize, positions: &[f64]) -> [f64; 3];
    /// The end effector's speed, m/s.
    fn tip_speed(&self, arm: usize, positions: &[f64], velocities: &[f64]) -> f64;
    /// The box that the end effector stays in: least and greatest x, y, z in the root frame, m.
    fn workspace(&self, arm: usize) -> Option<([f64; 3], [f64; 3])>;
    /// The nearest pairs below `cutoff`, m.
    fn distances(&self, positions: &[f64], cutoff: f64, scratch: &mut ClearanceScratch) -> Distances;
    /// The least distances to be kept, m: of the robot to itself, to the scene.
    fn least_distances(&self) -> (f64, f64);
    /// The names of the nearest pair of the robot itself (`SelfClearance`) or with the scene.
    fn pair(&self, rule: Rule, distances: &Distances) -> String;
    /// For each joint a bound on how far the end effector moves per unit of joint motion, m/rad (m/m).
    fn tip_reach(&self, arm: usize) -> &[f64];
    /// The same for any point of the robot and any joint.
    fn reach(&self) -> f64;
}

/// The shipped implementation of [`Space`].
#[derive(Debug, Clone)]
pub struct RobotSpace {
    robot: Arc<Robot>,
    boxes: Vec<Option<([f64; 3], [f64; 3])>>,
    tip_reach: Vec<Vec<f64>>,
    reach: f64,
}

impl RobotSpace {
    /// The space of a robot.
    pub fn new(robot: Arc<Robot>) -> Self {
        let file = robot.file();
        let find = |arm: &str| file.workspace.iter().find(|w| w.arm == arm).map(|w| (w.min, w.max));
        let kinematics = robot.kinematics();
        let boxes = kinematics.arms().iter().map(|arm| find(&arm.name)).collect();
        let positions: Vec<(f64, f64)> =
            robot.joints().iter().map(|joint| (joint.lower, joint.upper)).collect();
        let tip_reach: Vec<Vec<f64>> =
            (0..kinematics.arms().len()).map(|arm| kinematics.tip_reach(arm, &positions)).collect();
        let reach = robot.clearance().reach(kinematics, &positions);
        Self { robot, boxes, tip_reach, reach }
    }
}

impl Space for RobotSpace {
    fn arms(&self) -> usize {
        self.boxes.len()
    }

    fn arm(&self, arm: usize) -> &str {
        self.robot.kinematics().arms().get(arm).map_or("", |arm| &arm.name)
    }

    fn speed_limit(&self, speed: Speed) -> f64 {
        let limit = &self.robot.file().end_effector_speed;
        match speed {
            Speed::Full => limit.full,
            Speed::Teach => limit.teach,
        }
    }

    fn tip(&self, arm: usize, positions: &[f64]) -> [f64; 3] {
        self.robot.kinematics().tip_pose(arm, positions).translation.vector.into()
    }

    fn tip_speed(&self, arm: usize, positions: &[f64], velocities: &[f64]) -> f64 {
        self.robot.kinematics().tip_speed(arm, positions, velocities)
    }

    fn workspace(&self, arm: usize) -> Option<([f64; 3], [f64; 3])> {
        self.boxes.get(arm).copied().flatten()
    }

    fn distances(&self, positions: &[f64], cutoff: f64, scratch: &mut ClearanceScratch) -> Distances {
        self.robot.clearance().distances(positions, cutoff, scratch)
    }

    fn least_distances(&self) -> (f64, f64) {
        (self.robot.clearance().self_distance(), self.robot.clearance().scene_distance())
    }

    fn pair(&self, rule: Rule, distances: &Distances) -> String {
        let clearance = self.robot.clearance();
        let (nearest, own) = match rule {
            Rule::SelfClearance => (distances.own, true),
            _ => (distances.scene, false),
        };
        nearest.pair.map_or(String::new(), |pair| {
            let (a, b) = if own { clearance.own_names(pair) } else { clearance.scene_names(pair) };
            format!("{a} - {b}")
        })
    }

    fn tip_reach(&self, arm: usize) -> &[f64] {
        self.tip_reach.get(arm).map_or(&[], Vec::as_slice)
    }

    fn reach(&self) -> f64 {
        self.reach
    }
}

/// Where a motion leaves what is allowed in space.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// Nanoseconds after the motion's start.
    pub time: i64,
    /// The rule.
    pub rule: Rule,
    /// The arm or the pair of links.
    pub name: String,
    /// The coordinate or distance, m.
    pub asked: f64,
    /// Its limit, m.
    pub limit: f64,
}

/// What was found along a motion.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// For each interval, how many times the planned end-effector speed was reached.
    pub speed: Vec<f64>,
    /// The fastest: excess, arm, interval, speed and limit, m/s.
    pub fastest: Option<(f64, usize, usize, f64, f64)>,
    /// The first breach of workspace or clearance.
    pub breach: Option<Breach>,
}

/// Time between samples where it has to be looked closely, seconds.
pub const STEP: f64 = 0.01;

/// The same for a first look at a motion that will be looked at closely before it is released.
pub const ROUGH_STEP: f64 = 0.05;

/// Distances beyond what is allowed by more than this are not told apart, m.
const FAR: f64 = 0.3;

/// Follows a motion, sampled every `step` seconds where it may matter. `dues` are the ends of its intervals, nanoseconds after the start; what follows the last
/// belongs to the last.
///
/// Segments through which the end effectors can neither get too fast nor use up what was left of workspace and
/// clearance, judged by the joints' greatest speeds, are passed over; the others are sampled.
pub fn examine(
    motion: &Motion,
    space: &dyn Space,
    speed: Speed,
    check_clearance: bool,
    step: f64,
    dues: &[i64],
) -> Findings {
    let mut watch = Watch::new(motion, space, speed, check_clearance, step, dues.len());
    let mut fastest: Vec<f64> = Vec::with_capacity(motion.joints());
    for (segment, a, b, duration) in motion.segments() {
        fastest.clear();
        fastest.extend(a.iter().zip(b).map(|(a, b)| {
            let velocity = Hull::between(a, b, duration).velocity;
            velocity.iter().fold(0.0_f64, |most, v| most.max(v.abs()))
        }));
        let from = motion.times()[segment];
        let until = motion.times()[segment + 1];
        let interval = dues.partition_point(|&due| due < until).min(dues.len().saturating_sub(1));
        watch.follow(motion, from, until, &fastest, interval);
    }
    watch.findings
}

/// What is known of one arm on the way.
#[derive(Debug, Clone, Copy, Default)]
struct ArmWatch {
    start_speed: f64,
    start_outside: f64,
    /// How far the end effector may still go before it has to be looked where it is, m.
    left: f64,
    /// A bound on its speed in this segment, m/s.
    bound: f64,
}

struct Watch<'a> {
    space: &'a dyn Space,
    limit: f64,
    check_clearance: bool,
    /// Time between samples, seconds.
    step: f64,
    findings: Findings,
    arms: Vec<ArmWatch>,
    /// Clearances that are allowed: the least distances, or the start's where it was closer.
    allowed: (f64, f64),
    clearance_left: f64,
    scratch: ClearanceScratch,
    states: Vec<State>,
    positions: Vec<f64>,
    velocities: Vec<f64>,
}

impl<'a> Watch<'a> {
    fn new(
        motion: &Motion,
        space: &'a dyn Space,
        speed: Speed,
        check_clearance: bool,
        step: f64,
        intervals: usize,
    ) -> Self {
        let mut watch = Self {
            space,
            limit: space.speed_limit(speed),
            check_clearance,
            step,
            findings: Findings { speed: vec![0.0; intervals], ..Findings::default() },
            arms: vec![ArmWatch::default(); space.arms()],
            allowed: (f64::INFINITY, f64::INFINITY),
            clearance_left: f64::INFINITY,
            scratch: ClearanceScratch::default(),
            states: Vec::new(),
            positions: Vec::new(),
            velocities: Vec::new(),
        };
        watch.sample(motion, 0);
        for arm in 0..watch.arms.len() {
            watch.arms[arm].start_speed = space.tip_speed(arm, &watch.positions, &watch.velocities);
            watch.arms[arm].start_outside = f64::INFINITY;
            watch.arms[arm].start_outside = watch.workspace(arm, 0);
        }
        watch.clearance(0);
        watch
    }

    fn sample(&mut self, motion: &Motion, time: i64) {
        motion.sample_into(motion.start() + time, &mut self.states);
        self.positions.clear();
        self.positions.extend(self.states.iter().map(|state| state.position));
        self.velocities.clear();
        self.velocities.extend(self.states.iter().map(|state| state.velocity));
    }

    fn follow(&mut self, motion: &Motion, from: i64, until: i64, fastest: &[f64], interval: usize) {
        let mut fast = false;
        for (arm, watch) in self.arms.iter_mut().enumerate() {
            let reach = self.space.tip_reach(arm);
            watch.bound = fastest.iter().zip(reach).map(|(speed, reach)| speed * reach).sum();
            fast |= end_effector_speed::excess(watch.bound, self.limit, watch.start_speed) > 1.0;
        }
        let moving = fastest.iter().sum::<f64>() * self.space.reach();
        let duration = seconds(until - from);
        let far = self.arms.iter().any(|arm| arm.left <= arm.bound * duration)
            || self.clearance_left <= moving * duration;
        let steps = if fast || far { (duration / self.step).ceil().max(1.0) } else { 1.0 };
        let step = duration / steps;
        for i in 1..=steps as i64 {
            self.arms.iter_mut().for_each(|arm| arm.left -= arm.bound * step);
            self.clearance_left -= moving * step;
            let look = self.arms.iter().any(|arm| arm.left <= 0.0) || self.clearance_left <= 0.0;
            if !(fast || look) {
                continue;
            }
            let time = if i == steps as i64 { until } else { from + nanoseconds(i as f64 * step) };
            self.sample(motion, time);
            for arm in 0..self.arms.len() {
                if fast {
                    self.speed(arm, interval);
                }
                if self.arms[arm].left <= 0.0 {
                    self.workspace(arm, time);
                }
            }
            if self.clearance_left <= 0.0 {
                self.clearance(time);
            }
        }
    }

    fn speed(&mut self, arm: usize, interval: usize) {
        let speed = self.space.tip_speed(arm, &self.positions, &self.velocities);
        let excess = end_effector_speed::excess(speed, self.limit, self.arms[arm].start_speed);
        if let Some(worst) = self.findings.speed.get_mut(interval) {
            *worst = worst.max(excess);
        }
        if self.findings.fastest.is_none_or(|(worst, ..)| excess > worst) {
            self.findings.fastest = Some((excess, arm, interval, speed, self.limit));
        }
    }

    /// Looks where an end effector is; how far outside its box.
    fn workspace(&mut self, arm: usize, time: i64) -> f64 {
        let Some((min, max)) = self.space.workspace(arm) else {
            self.arms[arm].left = f64::INFINITY;
            return 0.0;
        };
        let tip = self.space.tip(arm, &self.positions);
        let (outside, broken) = workspace::outside(tip, min, max);
        let inside = (0..3).map(|axis| (tip[axis] - min[axis]).min(max[axis] - tip[axis]));
        self.arms[arm].left = inside.fold(f64::INFINITY, f64::min).max(0.0);
        if !workspace::allows(outside, self.arms[arm].start_outside)
            && self.findings.breach.is_none()
            && let Some((_, asked, limit)) = broken
        {
            let name = self.space.arm(arm).to_string();
            self.findings.breach = Some(Breach { time, rule: Rule::Workspace, name, asked, limit });
        }
        outside
    }

    fn clearance(&mut self, time: i64) {
        if !self.check_clearance || self.findings.breach.is_some() {
            return;
        }
        let (own, scene) = self.space.least_distances();
        let found = self.space.distances(&self.positions, own.max(scene) + FAR, &mut self.scratch);
        if time == 0 {
            self.allowed = (own.min(found.own.distance), scene.min(found.scene.distance));
        }
        let left = (found.own.distance - self.allowed.0).min(found.scene.distance - self.allowed.1);
        self.clearance_left = left.max(0.0);
        self.findings.breach = [
            (Rule::SelfClearance, found.own.distance, own, self.allowed.0),
            (Rule::SceneClearance, found.scene.distance, scene, self.allowed.1),
        ]
        .into_iter()
        .find(|(_, distance, least, start)| !clearance::allows(*distance, *least, *start))
        .map(|(rule, asked, limit, _)| Breach {
            time,
            rule,
            name: self.space.pair(rule, &found),
            asked,
            limit,
        });
    }
}
