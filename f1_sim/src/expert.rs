//! The scripted expert: it knows where everything is, plans the interception, and is now and then
//! pushed off its way so that demonstrations hold corrections too.
//!
//! What it does next depends only on where hand and objects are measured now and how fast the belt
//! runs: not on a clock, a plan made earlier, or the set-points that it sent before. So the same
//! images and joints always go with the same motion, and there is nothing in a demonstration that
//! a policy cannot see. Far from the object it stays high; the nearer it comes the lower it goes (a
//! funnel); over the object it follows the belt, closes, and lifts.

use std::sync::Arc;

use f1_robot::Robot;
use nalgebra::{Isometry3, UnitQuaternion, Vector2, Vector3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::arm::ArmError;
use crate::bench::Bench;
use crate::ik;
use crate::jtc::{Point, Trajectory};
use crate::layout as l;
use crate::objects::Rest;
use crate::random::stream;
use crate::task::Task;

/// Seconds between two actions: the data set's rate.
pub const STEP: f64 = 0.1;
/// Share of the distance to the object made good in one step. A policy that follows with a belt
/// speed in mind that is wrong by dv stays `dv * STEP / GAIN` beside the object: 8 mm for 0.05 m/s.
const GAIN: f64 = 0.6;
/// Share of the way up or down made good in one step.
const GAIN_Z: f64 = 0.28;
/// Fastest motion of the tool along the belt plane and vertically, m/s.
const SPEED: f64 = 0.28;
const SPEED_Z: f64 = 0.24;
/// Fastest lift while the fingers may still be closing, m/s, and up to which height above the
/// grasp.
const FIRST_LIFT: f64 = 0.06;
const FIRST_LIFT_HEIGHT: f64 = 0.012;
/// Distance within which the hand goes all the way down, m, and height gained for each metre
/// farther away.
const FUNNEL: f64 = 0.018;
const FUNNEL_SLOPE: f64 = 5.0;
/// Share of the gripper's opening that one step changes.
const GRIP_STEP: f64 = 0.25;
/// Distance within which the fingers close, m: well within their opening.
const CLOSE: f64 = 0.02;
/// Height of the tool point while it holds something.
const CARRY_Z: f64 = l::BELT_TOP + 0.19;
/// How far ahead of the measured arm set-points run, s: the lag with which the joints follow.
const LEAD: f64 = 0.04;

/// How much the expert is disturbed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disturbance {
    /// Probability in each step that a push begins.
    pub push: f64,
    /// Share of episodes that begin at a random place instead of near home.
    pub random_start: f64,
}

impl Disturbance {
    /// None: what the expert can do.
    pub const NONE: Disturbance = Disturbance { push: 0.0, random_start: 0.0 };
    /// As demonstrations are made.
    pub const NOMINAL: Disturbance = Disturbance { push: 0.05, random_start: 0.5 };
}

/// The expert of one episode.
#[derive(Clone, Debug)]
pub struct Expert {
    robot: Arc<Robot>,
    /// How the hand is always turned.
    rotation: UnitQuaternion<f64>,
    released: bool,
    rng: ChaCha8Rng,
    disturbance: Disturbance,
    push: Vector3<f64>,
    push_steps: u32,
}

/// What the expert does in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Set-points one [`STEP`] from now, robot's joint order, as the expert wants them.
    pub joints: Vec<f64>,
    /// The gripper: 1 open, 0 closed.
    pub grip: f64,
}

impl Expert {
    /// An expert for the episode laid out in `bench`, at rest where the arm is.
    #[must_use]
    pub fn new(bench: &Bench, disturbance: Disturbance) -> Self {
        let robot = bench.arm().robot().clone();
        let rotation = robot.kinematics().tip_pose(0, robot.home()).rotation;
        let rng = stream(bench.settings().seed, 11);
        Expert {
            robot,
            rotation,
            released: false,
            rng,
            disturbance,
            push: Vector3::zeros(),
            push_steps: 0,
        }
    }

    /// Decides on the next action and sends it; the arm may be pushed, which the returned action
    /// does not show.
    ///
    /// # Errors
    /// A controller's refusal.
    pub fn step(&mut self, bench: &mut Bench) -> Result<Action, ArmError> {
        let (wanted, grip) = self.decide(bench);
        let mut action = Action { joints: self.set_points(bench, wanted), grip };
        let gripper = bench.arm().gripper();
        action.joints[gripper] = grip * open(&self.robot);
        let mut executed = action.joints.clone();
        if let Some(push) = self.pushed(bench) {
            executed = self.set_points(bench, wanted + push);
            executed[gripper] = action.joints[gripper];
        }
        self.send(bench, &executed)?;
        Ok(action)
    }

    /// Joint set-points one [`STEP`] from now that move the measured tool at `velocity`, m/s; the
    /// measured joints where that cannot be reached.
    fn set_points(&self, bench: &Bench, velocity: Vector3<f64>) -> Vec<f64> {
        let measured = bench.arm().position();
        let mut place = bench.arm().tool().translation.vector + velocity * (STEP + LEAD);
        place.z = place.z.max(l::GRASP_Z);
        let tool = Isometry3::from_parts(place.into(), self.rotation);
        ik::solve(&self.robot, &tool, measured).unwrap_or_else(|| measured.to_vec())
    }

    /// The velocity that the tool should have, m/s, and where the gripper should be one step from
    /// now.
    fn decide(&mut self, bench: &Bench) -> (Vector3<f64>, f64) {
        let (task, target) = (bench.settings().task, &bench.world().objects[0]);
        let tool = bench.arm().tool().translation.vector;
        let opening = bench.arm().half_opening() / open(&self.robot);
        let held = bench.world().held();
        if held == Some(0) {
            return self.carry(task, tool, opening);
        }
        if held.is_some() {
            // Not what was asked for: let it go where it is.
            return (Vector3::zeros(), toward(opening, 1.0));
        }
        if self.released {
            return (vertical(CARRY_Z - tool.z), toward(opening, 1.0));
        }
        let high = tool.z > l::HOVER_Z - 0.06;
        if opening < 0.3 && !high {
            // Closed on nothing: up first, then open.
            return (vertical(l::HOVER_Z - tool.z), 0.0);
        }
        let moving = if target.rest == Rest::Belt { bench.world().belt_velocity } else { 0.0 };
        let along = target.position.y;
        let reach = l::REACH_Y + 0.03;
        let place = Vector2::new(target.position.x, along.clamp(-reach, reach));
        let follow = if along.abs() < reach { moving } else { 0.0 };
        let error = place - tool.xy();
        let across = clamped(error * (GAIN / STEP) + Vector2::new(0.0, follow), SPEED);
        let open_enough = opening > 0.85;
        let distance = if open_enough { error.norm() } else { f64::INFINITY };
        let closing = !open_enough && tool.z < l::GRASP_Z + 0.03;
        let height = if closing {
            l::GRASP_Z
        } else {
            (l::GRASP_Z + ((distance - FUNNEL) * FUNNEL_SLOPE).max(0.0)).min(l::HOVER_Z)
        };
        let close = closing || (tool.z < l::GRASP_Z + 0.008 && error.norm() < CLOSE);
        let grip = toward(opening, if close { 0.0 } else { 1.0 });
        let up = vertical(height - tool.z);
        (Vector3::new(across.x, across.y, up.z), grip)
    }

    /// With the right object between the fingers.
    fn carry(&mut self, task: Task, tool: Vector3<f64>, opening: f64) -> (Vector3<f64>, f64) {
        let mut up = vertical(CARRY_Z - tool.z);
        let pressed = toward(opening, 0.0);
        if tool.z < l::GRASP_Z + FIRST_LIFT_HEIGHT {
            up.z = up.z.min(FIRST_LIFT);
        }
        if task != Task::Bin {
            return (up, pressed);
        }
        let [x, y] = l::BIN;
        let error = Vector2::new(x, y) - tool.xy();
        if tool.z < CARRY_Z - 0.05 && error.norm() > 0.03 {
            return (up, pressed);
        }
        let across = clamped(error * (GAIN / STEP), SPEED);
        let low = l::BIN_HEIGHT + 0.06;
        let height = if error.norm() < 0.03 { low } else { CARRY_Z };
        if error.norm() < 0.015 && tool.z < low + 0.01 {
            self.released = true;
        }
        let grip = if self.released { toward(opening, 1.0) } else { pressed };
        (Vector3::new(across.x, across.y, vertical(height - tool.z).z), grip)
    }

    /// The velocity of a push, m/s, while one lasts. An arm that holds something is not pushed.
    fn pushed(&mut self, bench: &Bench) -> Option<Vector3<f64>> {
        if self.push_steps == 0 {
            if bench.world().held().is_some() || !self.rng.random_bool(self.disturbance.push) {
                return None;
            }
            self.push_steps = self.rng.random_range(1..=3);
            let mut side = |r: f64| self.rng.random_range(-r..r);
            self.push = Vector3::new(side(0.25), side(0.25), side(0.15));
        }
        self.push_steps -= 1;
        Some(self.push)
    }

    fn send(&self, bench: &mut Bench, joints: &[f64]) -> Result<(), ArmError> {
        for controller in self.robot.controllers() {
            let columns = &controller.joints;
            let pick = |value: &dyn Fn(usize) -> f64| {
                columns.iter().map(|&joint| value(joint)).collect::<Vec<f64>>()
            };
            let before = bench.arm().commanded().to_vec();
            // At a bound the joint comes to rest there: running on would leave it.
            let speed = |joint: usize| {
                let limits = &self.robot.joints()[joint];
                let inside =
                    joints[joint] > limits.lower + 1e-6 && joints[joint] < limits.upper - 1e-6;
                if inside { (joints[joint] - before[joint]) / STEP } else { 0.0 }
            };
            let zero = vec![0.0; columns.len()];
            // Rolls out to rest if no next action comes.
            let rest = 0.2;
            let point = |time: f64, positions: Vec<f64>, velocities: Vec<f64>| Point {
                time,
                positions,
                velocities,
                accelerations: zero.clone(),
            };
            let clamp = |joint: usize| {
                self.robot.joints()[joint].clamp(joints[joint] + 0.5 * rest * speed(joint))
            };
            let trajectory = Trajectory {
                start: None,
                joints: columns
                    .iter()
                    .map(|&joint| self.robot.joints()[joint].name.clone())
                    .collect(),
                points: vec![
                    point(STEP, pick(&|joint| joints[joint]), pick(&speed)),
                    point(STEP + rest, pick(&clamp), zero.clone()),
                ],
            };
            bench.command(&controller.full_name(), &trajectory)?;
        }
        Ok(())
    }
}

/// The joint position of the open gripper.
pub(crate) fn open(robot: &Robot) -> f64 {
    robot.file().grippers.first().map_or(1.0, |gripper| gripper.open)
}

fn toward(grip: f64, goal: f64) -> f64 {
    grip + (goal - grip).clamp(-GRIP_STEP, GRIP_STEP)
}

fn clamped(velocity: Vector2<f64>, limit: f64) -> Vector2<f64> {
    let norm = velocity.norm();
    if norm > limit { velocity * (limit / norm) } else { velocity }
}

fn vertical(error: f64) -> Vector3<f64> {
    Vector3::new(0.0, 0.0, (error * (GAIN_Z / STEP)).clamp(-SPEED_Z, SPEED_Z))
}

/// Joint positions at which an episode's arm starts: near home, or anywhere over the belt.
#[must_use]
pub fn start(robot: &Robot, seed: u64, disturbance: Disturbance) -> Vec<f64> {
    let mut rng = stream(seed, 12);
    let home = robot.kinematics().tip_pose(0, robot.home());
    let anywhere = rng.random_bool(disturbance.random_start);
    let mut tool = home;
    let mut grip = 1.0;
    if anywhere {
        tool.translation.vector = Vector3::new(
            l::BELT_X + rng.random_range(-0.09..0.09),
            rng.random_range(-0.22..0.22),
            rng.random_range(l::GRASP_Z + 0.06..l::HOVER_Z + 0.04),
        );
        if rng.random_bool(0.2) {
            grip = rng.random_range(0.0..1.0);
        }
    } else if disturbance.random_start > 0.0 {
        let mut side = |r: f64| rng.random_range(-r..r);
        tool.translation.vector += Vector3::new(side(0.02), side(0.02), side(0.02));
    }
    let mut joints = ik::solve(robot, &tool, robot.home()).unwrap_or_else(|| robot.home().to_vec());
    if let Some(index) =
        robot.file().grippers.first().and_then(|gripper| robot.joint_index(&gripper.joint))
    {
        joints[index] = grip * open(robot);
    }
    joints
}
