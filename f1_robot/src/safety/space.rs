//! What a motion does in space: end-effector speed, workspace box, clearance.

use std::sync::Arc;

use super::limiters::{clearance, end_effector_speed, workspace};
use super::{Rule, Speed};
use crate::Robot;
use crate::clearance::{ClearanceScratch, Distances};
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
    /// A length that no point of the robot is further from any of its joints' axes than, m.
    fn reach(&self) -> f64;
}

/// The shipped implementation of [`Space`].
#[derive(Debug, Clone)]
pub struct RobotSpace {
    robot: Arc<Robot>,
    boxes: Vec<Option<([f64; 3], [f64; 3])>>,
}

impl RobotSpace {
    /// The space of a robot.
    pub fn new(robot: Arc<Robot>) -> Self {
        let file = robot.file();
        let find = |arm: &str| file.workspace.iter().find(|w| w.arm == arm).map(|w| (w.min, w.max));
        let boxes = robot.kinematics().arms().iter().map(|arm| find(&arm.name)).collect();
        Self { robot, boxes }
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

    fn reach(&self) -> f64 {
        REACH
    }
}

/// No shipped robot reaches further from any of its joints.
const REACH: f64 = 2.0;

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

/// Time between samples, seconds.
const STEP: f64 = 0.01;

/// Follows a motion. `dues` are the ends of its intervals, nanoseconds after the start; what follows the last
/// belongs to the last.
pub fn examine(
    motion: &Motion,
    space: &dyn Space,
    speed: Speed,
    check_clearance: bool,
    dues: &[i64],
) -> Findings {
    let mut findings = Findings { speed: vec![0.0; dues.len()], ..Findings::default() };
    let limit = space.speed_limit(speed);
    let total = motion.end() - motion.start();
    let steps = (seconds(total) / STEP).ceil().max(1.0) as i64;
    let mut states: Vec<State> = Vec::new();
    let (mut positions, mut velocities) = (Vec::new(), Vec::new());
    let mut start_speed = vec![0.0; space.arms()];
    let mut start_outside = vec![0.0; space.arms()];
    let mut watch = ClearanceWatch::default();
    for step in 0..=steps {
        let time = if step == steps { total } else { nanoseconds(step as f64 * STEP) };
        motion.sample_into(motion.start() + time, &mut states);
        positions.clear();
        positions.extend(states.iter().map(|state| state.position));
        velocities.clear();
        velocities.extend(states.iter().map(|state| state.velocity));
        let interval = dues.partition_point(|&due| due < time).min(dues.len().saturating_sub(1));
        for arm in 0..space.arms() {
            let moved = space.tip_speed(arm, &positions, &velocities);
            if step == 0 {
                start_speed[arm] = moved;
            }
            let excess = end_effector_speed::excess(moved, limit, start_speed[arm]);
            if let Some(worst) = findings.speed.get_mut(interval) {
                *worst = worst.max(excess);
            }
            if findings.fastest.is_none_or(|(worst, ..)| excess > worst) {
                findings.fastest = Some((excess, arm, interval, moved, limit));
            }
            if let Some((min, max)) = space.workspace(arm) {
                let (outside, broken) = workspace::outside(space.tip(arm, &positions), min, max);
                if step == 0 {
                    start_outside[arm] = outside;
                }
                if !workspace::allows(outside, start_outside[arm])
                    && findings.breach.is_none()
                    && let Some((_, asked, limit)) = broken
                {
                    let name = space.arm(arm).to_string();
                    findings.breach = Some(Breach { time, rule: Rule::Workspace, name, asked, limit });
                }
            }
        }
        if check_clearance && findings.breach.is_none() {
            findings.breach = watch.look(space, &positions, time);
        }
    }
    findings
}

/// Looks at clearances only as often as the robot can have moved through what was left over.
#[derive(Debug, Default)]
struct ClearanceWatch {
    scratch: ClearanceScratch,
    /// What is allowed: the least distances, or the start's if that was closer.
    allowed: Option<(f64, f64)>,
    /// Where it was last looked and how far any point may have moved since.
    looked: Vec<f64>,
    left: f64,
}

/// Distances beyond what is allowed by more than this are not told apart, m.
const FAR: f64 = 0.3;

impl ClearanceWatch {
    fn look(&mut self, space: &dyn Space, positions: &[f64], time: i64) -> Option<Breach> {
        let moved: f64 = positions.iter().zip(&self.looked).map(|(a, b)| (a - b).abs()).sum();
        if self.allowed.is_some() && moved * space.reach() < self.left {
            return None;
        }
        let (own, scene) = space.least_distances();
        let found = space.distances(positions, own.max(scene) + FAR, &mut self.scratch);
        self.looked.clear();
        self.looked.extend_from_slice(positions);
        let allowed =
            *self.allowed.get_or_insert((own.min(found.own.distance), scene.min(found.scene.distance)));
        self.left = (found.own.distance - allowed.0).min(found.scene.distance - allowed.1);
        [
            (Rule::SelfClearance, found.own.distance, own, allowed.0),
            (Rule::SceneClearance, found.scene.distance, scene, allowed.1),
        ]
        .into_iter()
        .find(|(_, distance, least, start)| !clearance::allows(*distance, *least, *start))
        .map(|(rule, asked, limit, _)| Breach {
            time,
            rule,
            name: space.pair(rule, &found),
            asked,
            limit,
        })
    }
}
