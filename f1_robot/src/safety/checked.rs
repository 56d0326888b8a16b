//! What may be published.

use serde::Serialize;

use crate::ControllerJoints;
use crate::trajectory::{Motion, Quintic, Stamp, State, seconds};

/// A point of a [`CheckedTrajectory`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedPoint {
    /// Seconds after the trajectory's stamp.
    pub t: f64,
    /// rad or m, in the order of the trajectory's joints.
    pub position: Vec<f64>,
    /// rad/s or m/s
    pub velocity: Vec<f64>,
    /// rad/s² or m/s²
    pub acceleration: Vec<f64>,
}

impl CheckedPoint {
    fn state(&self, joint: usize) -> State {
        State {
            position: self.position[joint],
            velocity: self.velocity[joint],
            acceleration: self.acceleration[joint],
        }
    }

    /// Nanoseconds after the trajectory's stamp, exact.
    pub fn time_from_start(&self) -> i64 {
        (self.t * 1e9).round() as i64
    }
}

/// A trajectory for one controller that passed every check. Only [`super::SafetyFilter`] makes
/// them, so a publisher that takes nothing else cannot send unchecked motion:
///
/// ```compile_fail
/// let trajectory = f1_robot::safety::CheckedTrajectory {
///     controller: "arm".into(),
///     joint_names: vec![],
///     stamp: 0,
///     points: vec![],
/// };
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedTrajectory {
    controller: String,
    joint_names: Vec<String>,
    #[serde(skip)]
    stamp: Stamp,
    points: Vec<CheckedPoint>,
}

impl CheckedTrajectory {
    /// The part of a checked motion that belongs to one controller.
    pub(super) fn new(motion: &Motion, controller: &ControllerJoints, names: &[String]) -> Self {
        let points = motion
            .times()
            .iter()
            .enumerate()
            .map(|(knot, &time)| {
                let states = motion.knot(knot);
                let pick = |of: fn(&crate::trajectory::State) -> f64| {
                    controller
                        .joints
                        .iter()
                        .filter_map(|&joint| states.get(joint).map(of))
                        .collect()
                };
                CheckedPoint {
                    t: seconds(time),
                    position: pick(|state| state.position),
                    velocity: pick(|state| state.velocity),
                    acceleration: pick(|state| state.acceleration),
                }
            })
            .collect();
        Self {
            controller: controller.full_name(),
            joint_names: controller
                .joints
                .iter()
                .filter_map(|&joint| names.get(joint).cloned())
                .collect(),
            stamp: motion.start(),
            points,
        }
    }

    /// The controller's name with its namespace: see [`ControllerJoints::full_name`].
    pub fn controller(&self) -> &str {
        &self.controller
    }

    /// The joints, in the order of the points' numbers.
    pub fn joint_names(&self) -> &[String] {
        &self.joint_names
    }

    /// The instant from which the points' times count, nanoseconds; the same for all controllers of
    /// one motion.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The instant of the first point, nanoseconds. Until then what ran before is under way.
    pub fn begin(&self) -> Stamp {
        self.at(self.points.first())
    }

    /// The instant of the last point, nanoseconds.
    pub fn end(&self) -> Stamp {
        self.at(self.points.last())
    }

    fn at(&self, point: Option<&CheckedPoint>) -> Stamp {
        self.stamp.saturating_add(point.map_or(0, CheckedPoint::time_from_start))
    }

    /// The joints' positions at an instant, rad or m: quintics between the points, as a
    /// JointTrajectoryController computes them; before the first point its positions, after the
    /// last point those.
    pub fn positions_at(&self, at: Stamp) -> Vec<f64> {
        let time = at.saturating_sub(self.stamp);
        let after = self.points.partition_point(|point| point.time_from_start() <= time);
        let before = self.points.get(after.saturating_sub(1)).or(self.points.first());
        let Some(before) = before else { return Vec::new() };
        let Some(next) = self.points.get(after).filter(|_| after > 0) else {
            return before.position.clone();
        };
        let since = |earlier: &CheckedPoint, time: i64| seconds(time - earlier.time_from_start());
        let duration = since(before, next.time_from_start());
        (0..before.position.len())
            .map(|joint| {
                let quintic = Quintic::between(&before.state(joint), &next.state(joint), duration);
                quintic.sample(since(before, time)).position
            })
            .collect()
    }

    /// The points: increasing times, the last one at rest.
    pub fn points(&self) -> &[CheckedPoint] {
        &self.points
    }
}
