//! What reaches a controller. Everything here takes [`CheckedTrajectory`]s, which only the safety
//! filter can make.

use std::collections::BTreeMap;
use std::sync::Arc;

use f1_interfaces::builtin_interfaces::msg::{Duration as WireDuration, Time as WireTime};
use f1_interfaces::std_msgs::msg::Header;
use f1_interfaces::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use f1_middleware::{Node, Publisher};
use f1_robot::Robot;
use f1_robot::robot_file::ControllerInterface;
use f1_robot::safety::{CheckedPoint, CheckedTrajectory};

use super::controllers::Answers;
use super::goals::TrajectoryGoals;
use super::gripper::GripperGoals;
use super::stream::PositionStream;
use crate::core::Core;
use crate::error::NodeResult;
use crate::topics::JOINT_TRAJECTORY;

/// Positions a second where the robot file, which was checked, states none, Hz.
const STREAM_RATE: f64 = 250.0;

/// How one controller is commanded.
enum Output {
    Topic(Publisher<JointTrajectory>),
    Goals(TrajectoryGoals),
    Gripper(GripperGoals),
    Stream(PositionStream),
}

/// The publishers and action clients to all controllers.
pub(super) struct Outputs {
    outputs: BTreeMap<String, Output>,
}

impl Outputs {
    /// Opens one output a controller. `prefer_goals`: controllers on the topic get goals instead.
    /// `efforts`: greatest effort by joint.
    pub(super) fn open(
        node: &Node,
        robot: &Robot,
        prefer_goals: bool,
        efforts: &BTreeMap<usize, f64>,
        core: &Arc<Core>,
    ) -> NodeResult<Self> {
        let mut outputs = BTreeMap::new();
        for controller in robot.controllers() {
            let name = controller.full_name();
            let answers = Answers::of(core, &name);
            let effort = controller.joints.iter().find_map(|joint| efforts.get(joint)).copied();
            let joint = controller.joints.first().and_then(|joint| robot.joints().get(*joint));
            let range = joint.map_or(0.0, |joint| joint.upper - joint.lower);
            let gripper = |parallel| {
                GripperGoals::open(node, &name, parallel, effort, range, answers.clone())
            };
            let output = match controller.interface {
                ControllerInterface::JointTrajectory if !prefer_goals => Output::Topic(
                    JOINT_TRAJECTORY.publisher_on(node, &JOINT_TRAJECTORY.named(&name))?,
                ),
                ControllerInterface::JointTrajectory
                | ControllerInterface::FollowJointTrajectory => {
                    Output::Goals(TrajectoryGoals::open(node, &name, answers.clone())?)
                }
                ControllerInterface::PositionStream => {
                    let (joints, rate) = (controller.joints.len(), controller.rate);
                    let rate = rate.unwrap_or(STREAM_RATE);
                    Output::Stream(PositionStream::open(node, core, &name, joints, rate)?)
                }
                ControllerInterface::GripperCommand => Output::Gripper(gripper(false)?),
                ControllerInterface::ParallelGripperCommand => Output::Gripper(gripper(true)?),
            };
            outputs.insert(name, output);
        }
        Ok(Self { outputs })
    }

    /// Sends what was checked, at ROS time `now_ns`.
    pub(super) fn send(&self, trajectories: &[CheckedTrajectory], now_ns: i64) {
        for trajectory in trajectories {
            let sent = match self.outputs.get(trajectory.controller()) {
                Some(Output::Topic(publisher)) => publisher.publish(message(trajectory)),
                Some(Output::Goals(goals)) => goals.send(message(trajectory)),
                Some(Output::Gripper(goals)) => goals.follow(trajectory, now_ns),
                Some(Output::Stream(stream)) => {
                    stream.follow(trajectory);
                    Ok(())
                }
                None => continue,
            };
            if let Err(error) = sent {
                tracing::error!(%error, controller = trajectory.controller(), "trajectory not sent");
            }
        }
    }

    /// Sends grippers behind an action their goals when the moment of each has come.
    pub(super) fn tick(&self, now_ns: i64) {
        for (controller, output) in &self.outputs {
            if let Output::Gripper(goals) = output
                && let Err(error) = goals.tick(now_ns)
            {
                tracing::error!(%error, controller, "gripper command not sent");
            }
        }
    }

    /// Sends nothing more by itself: something else moves the robot.
    pub(super) fn forget(&self) {
        for output in self.outputs.values() {
            match output {
                Output::Gripper(goals) => goals.forget(),
                Output::Stream(stream) => stream.forget(),
                Output::Topic(_) | Output::Goals(_) => {}
            }
        }
    }

    /// Whether positions of a motion are still sent one by one.
    pub(super) fn is_streaming(&self) -> bool {
        let mut outputs = self.outputs.values();
        outputs.any(|output| matches!(output, Output::Stream(stream) if stream.is_moving()))
    }

    /// Cancels goals that are still open. For a robot at rest: a controller that is cancelled in
    /// motion stops without braking.
    pub(super) fn cancel(&self) {
        for (controller, output) in &self.outputs {
            if let Output::Goals(goals) = output
                && let Err(error) = goals.cancel()
            {
                tracing::error!(%error, controller, "goal not cancelled");
            }
        }
    }
}

/// The trajectory as a controller reads it: stamped, with positions, velocities and accelerations.
///
/// The stamp is the instant of the first point, which may lie a fraction of a millisecond after the
/// filter's own start: the running motion goes on until then, so that there is no gap to fill.
pub(super) fn message(trajectory: &CheckedTrajectory) -> JointTrajectory {
    let first = trajectory.points().first().map_or(0, CheckedPoint::time_from_start);
    let points = trajectory.points().iter().map(|point| JointTrajectoryPoint {
        positions: point.position.clone(),
        velocities: point.velocity.clone(),
        accelerations: point.acceleration.clone(),
        effort: Vec::new(),
        time_from_start: WireDuration::saturating_from_nanoseconds(point.time_from_start() - first),
    });
    JointTrajectory {
        header: Header {
            stamp: WireTime::saturating_from_nanoseconds(trajectory.stamp().saturating_add(first)),
            frame_id: String::new(),
        },
        joint_names: trajectory.joint_names().to_vec(),
        points: points.collect(),
    }
}
