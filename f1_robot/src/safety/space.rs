//! What a motion does in space: end-effector speed, workspace box, clearance.

use std::sync::Arc;

use super::limiters::{clearance, end_effector_speed, workspace};
use super::{Rule, Speed};
use crate::Robot;
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
    /// The tightest clearances: rule, pair of links, distance and the least distance allowed, m.
    fn clearances(&self, positions: &[f64]) -> Vec<(Rule, String, f64, f64)>;
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

    fn clearances(&self, _positions: &[f64]) -> Vec<(Rule, String, f64, f64)> {
        Vec::new()
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

/// Time between samples, seconds.
const STEP: f64 = 0.01;

/// Follows a motion. `dues` are the ends of its intervals, nanoseconds after the start; what follows the last
/// belongs to the last.
pub fn examine(motion: &Motion, space: &dyn Space, speed: Speed, check_clearance: bool, dues: &[i64]) -> Findings {
    let mut findings = Findings { speed: vec![0.0; dues.len()], ..Findings::default() };
    let limit = space.speed_limit(speed);
    let total = motion.end() - motion.start();
    let steps = (seconds(total) / STEP).ceil().max(1.0) as i64;
    let mut states: Vec<State> = Vec::new();
    let (mut positions, mut velocities) = (Vec::new(), Vec::new());
    let mut start_speed = vec![0.0; space.arms()];
    let mut start_outside = vec![0.0; space.arms()];
    let mut start_clearances = Vec::new();
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
            let clearances = space.clearances(&positions);
            for (i, (rule, name, distance, least)) in clearances.iter().enumerate() {
                let start = start_clearances.get(i).copied().unwrap_or(f64::INFINITY);
                if step > 0 && !clearance::allows(*distance, *least, start) && findings.breach.is_none() {
                    let name = name.clone();
                    findings.breach = Some(Breach { time, rule: *rule, name, asked: *distance, limit: *least });
                }
            }
            if step == 0 {
                start_clearances = clearances.iter().map(|(_, _, distance, _)| *distance).collect();
            }
        }
    }
    findings
}
