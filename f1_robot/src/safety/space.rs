//! What a motion does in space: end-effector speed, workspace box, clearance.

mod speeds;

pub use speeds::{Speeds, speeds};

use std::sync::Arc;

use super::limiters::{clearance, workspace};
use super::{Rule, Speed};
use crate::Robot;
use crate::clearance::{ClearanceScratch, Distances, Nearest, PreparedScene, Scene};
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
    fn distances(
        &self,
        positions: &[f64],
        cutoff: f64,
        scratch: &mut ClearanceScratch,
    ) -> Distances;
    /// The nearest pair of an object that came and what must not touch it, below `cutoff`, m;
    /// `scratch` is as [`Space::distances`] left it for the same positions.
    fn objects(&self, cutoff: f64, scratch: &mut ClearanceScratch) -> Nearest {
        let _ = scratch;
        Nearest { distance: cutoff, pair: None }
    }
    /// The names of a pair of [`Space::objects`].
    fn object_pair(&self, nearest: &Nearest) -> String {
        let _ = nearest;
        String::new()
    }
    /// The least distances to be kept, m: of the robot to itself, to the scene.
    fn least_distances(&self) -> (f64, f64);
    /// The names of the nearest pair of the robot itself (`SelfClearance`) or with the scene.
    fn pair(&self, rule: Rule, distances: &Distances) -> String;
    /// For each joint a bound on how far the end effector moves per unit of joint motion, m/rad
    /// (m/m).
    fn tip_reach(&self, arm: usize) -> &[f64];
    /// The same for any point of the robot.
    fn reach(&self) -> &[f64];
}

/// The shipped implementation of [`Space`].
#[derive(Debug, Clone)]
pub struct RobotSpace {
    robot: Arc<Robot>,
    boxes: Vec<Option<([f64; 3], [f64; 3])>>,
    tip_reach: Vec<Vec<f64>>,
    reach: Vec<f64>,
    /// Objects that came after the robot was loaded.
    scene: Option<Arc<PreparedScene>>,
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
        Self { robot, boxes, tip_reach, reach, scene: None }
    }

    /// The space of a robot among objects that come and go, beside those of its file.
    ///
    /// # Errors
    /// The name of the first held object whose link the robot does not have.
    pub fn among(robot: Arc<Robot>, scene: &Scene) -> Result<Self, String> {
        let mut space = Self::new(robot);
        let scene = PreparedScene::new(space.robot.clearance(), scene)?;
        scene.widen_reach(space.robot.kinematics(), space.robot.joints(), &mut space.reach);
        space.scene = Some(Arc::new(scene));
        Ok(space)
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

    fn distances(
        &self,
        positions: &[f64],
        cutoff: f64,
        scratch: &mut ClearanceScratch,
    ) -> Distances {
        self.robot.clearance().distances(positions, cutoff, scratch)
    }

    fn objects(&self, cutoff: f64, scratch: &mut ClearanceScratch) -> Nearest {
        match &self.scene {
            Some(scene) => scene.distance(self.robot.clearance(), cutoff, scratch),
            None => Nearest { distance: cutoff, pair: None },
        }
    }

    fn object_pair(&self, nearest: &Nearest) -> String {
        let names = self.scene.as_ref().zip(nearest.pair);
        names.map_or(String::new(), |(scene, pair)| scene.names(self.robot.clearance(), pair))
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

    fn reach(&self) -> &[f64] {
        &self.reach
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

/// Time between samples where it has to be looked closely, seconds.
const STEP: f64 = 0.01;

/// Distances that exceed what is allowed by more than this are not distinguished, m.
const FAR: f64 = 0.3;

/// A motion may start nearer to an object than it must keep, down to this part of that distance.
const NEARLY: f64 = 0.5;

/// The greatest size of a curve in Bernstein form.
fn greatest(hull: &[f64]) -> f64 {
    hull.iter().fold(0.0_f64, |most, x| most.max(x.abs()))
}

/// Where a motion first leaves the workspace or comes too close.
///
/// Parts through which the end effectors and links cannot use up what was left of workspace and
/// clearance, judged by the joints' greatest speeds, are passed over; the others are sampled every
/// [`STEP`].
pub fn breach(motion: &Motion, space: &dyn Space, check_clearance: bool) -> Option<Breach> {
    Watch::new(motion, space, check_clearance).follow(motion, STEP)
}

/// The same, looked for at the motion's knots only.
pub fn breach_at_knots(
    motion: &Motion,
    space: &dyn Space,
    check_clearance: bool,
) -> Option<Breach> {
    Watch::new(motion, space, check_clearance).follow(motion, f64::INFINITY)
}

/// What is known of one arm on the way.
#[derive(Debug, Clone, Copy, Default)]
struct ArmWatch {
    start_outside: f64,
    /// How far the end effector may still go before it has to be looked where it is, m.
    left: f64,
    /// A bound on its speed in this segment, m/s.
    bound: f64,
}

struct Watch<'a> {
    space: &'a dyn Space,
    check_clearance: bool,
    breach: Option<Breach>,
    arms: Vec<ArmWatch>,
    /// Clearances that are allowed: the least distances, or the start's where it was closer.
    allowed: (f64, f64),
    /// The same for objects that came.
    allowed_object: f64,
    clearance_left: f64,
    scratch: ClearanceScratch,
    states: Vec<State>,
    positions: Vec<f64>,
}

impl<'a> Watch<'a> {
    fn new(motion: &Motion, space: &'a dyn Space, check_clearance: bool) -> Self {
        let mut watch = Self {
            space,
            check_clearance,
            breach: None,
            arms: vec![ArmWatch::default(); space.arms()],
            allowed: (f64::INFINITY, f64::INFINITY),
            allowed_object: f64::INFINITY,
            clearance_left: f64::INFINITY,
            scratch: ClearanceScratch::default(),
            states: Vec::new(),
            positions: Vec::new(),
        };
        watch.sample(motion, 0);
        for arm in 0..watch.arms.len() {
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
    }

    fn follow(mut self, motion: &Motion, step: f64) -> Option<Breach> {
        let mut fastest: Vec<f64> = Vec::with_capacity(motion.joints());
        for (segment, a, b, duration) in motion.segments() {
            if self.breach.is_some() {
                break;
            }
            fastest.clear();
            fastest.extend(
                a.iter().zip(b).map(|(a, b)| greatest(&Hull::between(a, b, duration).velocity)),
            );
            self.segment(
                motion,
                motion.times()[segment],
                motion.times()[segment + 1],
                &fastest,
                step,
            );
        }
        self.breach
    }

    fn segment(&mut self, motion: &Motion, from: i64, until: i64, fastest: &[f64], step: f64) {
        let sum = |reach: &[f64]| -> f64 {
            fastest.iter().zip(reach).map(|(speed, reach)| speed * reach).sum()
        };
        for (arm, watch) in self.arms.iter_mut().enumerate() {
            watch.bound = sum(self.space.tip_reach(arm));
        }
        let moving = sum(self.space.reach());
        let duration = seconds(until - from);
        let far = self.arms.iter().any(|arm| arm.left <= arm.bound * duration)
            || self.clearance_left <= moving * duration;
        let steps = if far { (duration / step).ceil().max(1.0) } else { 1.0 };
        let step = duration / steps;
        for i in 1..=steps as i64 {
            self.arms.iter_mut().for_each(|arm| arm.left -= arm.bound * step);
            self.clearance_left -= moving * step;
            if self.clearance_left > 0.0 && self.arms.iter().all(|arm| arm.left > 0.0) {
                continue;
            }
            let time = if i == steps as i64 { until } else { from + nanoseconds(i as f64 * step) };
            self.sample(motion, time);
            for arm in 0..self.arms.len() {
                if self.arms[arm].left <= 0.0 {
                    self.workspace(arm, time);
                }
            }
            if self.clearance_left <= 0.0 {
                self.clearance(time);
            }
            if self.breach.is_some() {
                return;
            }
        }
    }

    /// Computes where an end effector is; returns how far outside its box.
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
            && self.breach.is_none()
            && let Some((_, asked, limit)) = broken
        {
            let name = self.space.arm(arm).to_string();
            self.breach = Some(Breach { time, rule: Rule::Workspace, name, asked, limit });
        }
        outside
    }

    fn clearance(&mut self, time: i64) {
        if !self.check_clearance || self.breach.is_some() {
            return;
        }
        let (own, scene) = self.space.least_distances();
        let found = self.space.distances(&self.positions, own.max(scene) + FAR, &mut self.scratch);
        let objects = self.space.objects(own.max(scene) + FAR, &mut self.scratch);
        if time == 0 {
            self.allowed = (own.min(found.own.distance), scene.min(found.scene.distance));
            // Tracking errors may bring a robot a little nearer to an object than was planned; one
            // that (nearly) touches an object which has come is not moved along it.
            let near = objects.distance;
            self.allowed_object = if near >= NEARLY * scene { scene.min(near) } else { scene };
        }
        let left = (found.own.distance - self.allowed.0)
            .min(found.scene.distance - self.allowed.1)
            .min(objects.distance - self.allowed_object);
        self.clearance_left = left.max(0.0);
        self.breach = [
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
        if self.breach.is_none() && !clearance::allows(objects.distance, scene, self.allowed_object)
        {
            let (rule, name) = (Rule::SceneClearance, self.space.object_pair(&objects));
            let (asked, limit) = (objects.distance, scene);
            self.breach = Some(Breach { time, rule, name, asked, limit });
        }
    }
}
