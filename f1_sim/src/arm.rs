//! The arm at its controllers: set-points in, lagging joints out, and a count of every limit that a
//! set-point broke.

use std::sync::Arc;

use f1_robot::Robot;
use nalgebra::Isometry3;
use serde::Serialize;

use crate::jtc::{Controller, Refusal, Trajectory};

/// What a set-point broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Outside the joint's bounds, rad or m.
    Position,
    /// Faster than the joint's limit, per second.
    Velocity,
    /// Harder than the joint's limit, per second squared.
    Acceleration,
    /// A change of acceleration beyond the joint's limit, per second cubed.
    Jerk,
}

/// A limit broken at a controller.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// Seconds on the bench's clock.
    pub time: f64,
    /// The joint.
    pub joint: String,
    /// What was broken.
    pub quantity: Quantity,
    /// The set-point's value.
    pub value: f64,
    /// The limit.
    pub limit: f64,
}

/// Rounding that is not a violation: relative to the limit.
const SLACK: f64 = 1e-6;
/// Violations kept word for word; all are counted.
const KEPT: usize = 64;

/// The arm.
#[derive(Clone, Debug)]
pub struct Arm {
    robot: Arc<Robot>,
    controllers: Vec<(Controller, Vec<usize>)>,
    /// Set-point, measured position and velocity, in the robot's joint order.
    commanded: Vec<f64>,
    acceleration: Vec<f64>,
    position: Vec<f64>,
    velocity: Vec<f64>,
    lag: f64,
    gripper: usize,
    gripper_closed: f64,
    violations: Vec<Violation>,
    violation_count: u64,
    poses: Vec<Isometry3<f64>>,
}

/// A robot that the bench cannot play.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ArmError {
    #[error("the bench needs one arm and one gripper; the robot file has {arms} and {grippers}")]
    Parts { arms: usize, grippers: usize },
    #[error("the robot file's gripper joint {0:?} is not commanded")]
    Gripper(String),
    #[error("the URDF has no link {0:?}, where the bench draws or mounts something")]
    Link(String),
    #[error(
        "the robot file has no {0} camera with a frame of its URDF: the bench draws a fixed camera and one whose name holds \"wrist\", as bench_arm has them"
    )]
    Camera(&'static str),
    #[error("there is no controller {0:?}")]
    Controller(String),
    #[error("controller {controller}: {refusal}")]
    Refused { controller: String, refusal: Refusal },
}

impl Arm {
    /// The arm at rest at `positions` (robot's joint order); joints follow set-points with time
    /// constant `lag` seconds.
    ///
    /// # Errors
    /// A robot without exactly one arm and one commanded gripper.
    pub fn new(robot: Arc<Robot>, positions: &[f64], lag: f64) -> Result<Self, ArmError> {
        let file = robot.file();
        let (arms, grippers) = (file.arms.len(), file.grippers.len());
        let [gripper] = file.grippers.as_slice() else {
            return Err(ArmError::Parts { arms, grippers });
        };
        if arms != 1 {
            return Err(ArmError::Parts { arms, grippers });
        }
        let index = robot
            .joint_index(&gripper.joint)
            .ok_or_else(|| ArmError::Gripper(gripper.joint.clone()))?;
        let gripper_closed = gripper.closed;
        let controllers = robot.controllers().iter().map(|c| {
            let names: Vec<String> =
                c.joints.iter().map(|&j| robot.joints()[j].name.clone()).collect();
            let start: Vec<f64> = c.joints.iter().map(|&j| positions[j]).collect();
            (Controller::new(&c.full_name(), &names, &start), c.joints.clone())
        });
        let controllers = controllers.collect();
        let mut arm = Arm {
            controllers,
            commanded: positions.to_vec(),
            acceleration: vec![0.0; positions.len()],
            position: positions.to_vec(),
            velocity: vec![0.0; positions.len()],
            lag,
            gripper: index,
            gripper_closed,
            violations: Vec::new(),
            violation_count: 0,
            poses: Vec::new(),
            robot,
        };
        arm.robot.kinematics().link_poses_into(&arm.position, &mut arm.poses);
        Ok(arm)
    }

    /// The robot.
    #[must_use]
    pub fn robot(&self) -> &Arc<Robot> {
        &self.robot
    }

    /// Hands a trajectory to the controller called `name` at time `now`.
    ///
    /// # Errors
    /// An unknown controller, or the controller's refusal.
    pub fn command(
        &mut self,
        now: f64,
        name: &str,
        trajectory: &Trajectory,
    ) -> Result<(), ArmError> {
        let controller = self.controllers.iter_mut().map(|(c, _)| c).find(|c| c.name() == name);
        let controller = controller.ok_or_else(|| ArmError::Controller(name.to_owned()))?;
        controller
            .command(now, trajectory)
            .map_err(|refusal| ArmError::Refused { controller: name.to_owned(), refusal })
    }

    /// One controller period: set-points at `now`, then the joints follow. Fingers stop at
    /// `finger_stop` metres.
    pub fn advance(&mut self, now: f64, dt: f64, finger_stop: f64) {
        let blend = if self.lag > 0.0 { 1.0 - (-dt / self.lag).exp() } else { 1.0 };
        for (controller, joints) in &mut self.controllers {
            let set_point = controller.update(now);
            for (column, &joint) in joints.iter().enumerate() {
                let limits = &self.robot.joints()[joint];
                let (p, v, a) = (
                    set_point.positions[column],
                    set_point.velocities[column],
                    set_point.accelerations[column],
                );
                // A step between set-points is a velocity too, whatever the trajectory says of
                // itself.
                let v = if (p - self.commanded[joint]).abs() > v.abs() * dt {
                    v.abs().max((p - self.commanded[joint]).abs() / dt)
                } else {
                    v
                };
                let jerk = (a - self.acceleration[joint]) / dt;
                let checks = [
                    (Quantity::Position, p, limits.upper, p > limits.upper + SLACK),
                    (Quantity::Position, p, limits.lower, p < limits.lower - SLACK),
                    (
                        Quantity::Velocity,
                        v,
                        limits.velocity,
                        v.abs() > limits.velocity * (1.0 + SLACK) + 1e-9,
                    ),
                    (
                        Quantity::Acceleration,
                        a,
                        limits.acceleration,
                        a.abs() > limits.acceleration * (1.0 + SLACK) + 1e-9,
                    ),
                    (
                        Quantity::Jerk,
                        jerk,
                        limits.jerk,
                        jerk.abs() > limits.jerk * (1.0 + 1e-3) + 1e-6,
                    ),
                ];
                for (quantity, value, limit, broken) in checks {
                    if broken {
                        self.violation_count += 1;
                        if self.violations.len() < KEPT {
                            let joint = limits.name.clone();
                            self.violations.push(Violation {
                                time: now,
                                joint,
                                quantity,
                                value,
                                limit,
                            });
                        }
                    }
                }
                self.commanded[joint] = p;
                self.acceleration[joint] = a;
            }
        }
        for joint in 0..self.position.len() {
            let before = self.position[joint];
            let mut after = before + (self.commanded[joint] - before) * blend;
            if joint == self.gripper && after < before {
                after = after.max(finger_stop.min(before).max(self.gripper_closed));
            }
            self.position[joint] = after;
            self.velocity[joint] = (after - before) / dt;
        }
        self.robot.kinematics().link_poses_into(&self.position, &mut self.poses);
    }

    /// Set-points, robot's joint order.
    #[must_use]
    pub fn commanded(&self) -> &[f64] {
        &self.commanded
    }

    /// Measured positions, robot's joint order, rad or m.
    #[must_use]
    pub fn position(&self) -> &[f64] {
        &self.position
    }

    /// Measured velocities, robot's joint order.
    #[must_use]
    pub fn velocity(&self) -> &[f64] {
        &self.velocity
    }

    /// Poses of every link in the base frame, in the kinematics' link order.
    #[must_use]
    pub fn link_poses(&self) -> &[Isometry3<f64>] {
        &self.poses
    }

    /// The tool point: the end effector in the base frame.
    #[must_use]
    pub fn tool(&self) -> Isometry3<f64> {
        self.robot.kinematics().tip_pose(0, &self.position)
    }

    /// Distance of each finger from the middle, m.
    #[must_use]
    pub fn half_opening(&self) -> f64 {
        self.position[self.gripper]
    }

    /// Index of the gripper's joint.
    #[must_use]
    pub fn gripper(&self) -> usize {
        self.gripper
    }

    /// The first violations, word for word.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How many limits were broken so far, one for each joint, quantity and controller period.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.violation_count
    }
}
