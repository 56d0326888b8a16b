//! What reaches a controller. Everything here takes [`CheckedTrajectory`]s, which only the safety filter can make.

use std::collections::BTreeMap;

use f1_interfaces::builtin_interfaces::msg::{Duration as WireDuration, Time as WireTime};
use f1_interfaces::std_msgs::msg::Header;
use f1_interfaces::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use f1_middleware::{Node, Publisher, Qos};
use f1_robot::ControllerJoints;
use f1_robot::robot_file::ControllerInterface;
use f1_robot::safety::CheckedTrajectory;

use super::goals::{GripperGoals, TrajectoryGoals};
use crate::error::NodeResult;

/// One controller's way in.
enum Output {
    Topic(Publisher<JointTrajectory>),
    Goals(TrajectoryGoals),
    Gripper(GripperGoals),
}

/// The publishers and action clients to all controllers.
pub(super) struct Outputs {
    outputs: BTreeMap<String, Output>,
}

impl Outputs {
    /// Opens one output a controller. `prefer_goals`: controllers on the topic get goals instead.
    pub(super) fn open(
        node: &Node,
        controllers: &[ControllerJoints],
        prefer_goals: bool,
        efforts: &BTreeMap<usize, f64>,
    ) -> NodeResult<Self> {
        let mut outputs = BTreeMap::new();
        for controller in controllers {
            let name = match controller.namespace.as_str() {
                "" => controller.name.clone(),
                namespace => format!("{namespace}/{}", controller.name),
            };
            let effort = controller.joints.iter().find_map(|joint| efforts.get(joint)).copied();
            let output = match controller.interface {
                ControllerInterface::JointTrajectory if !prefer_goals => Output::Topic(
                    node.create_publisher(&format!("{name}/joint_trajectory"), Qos::reliable().keep_last(1))?,
                ),
                ControllerInterface::JointTrajectory | ControllerInterface::FollowJointTrajectory => {
                    Output::Goals(TrajectoryGoals::open(node, &name)?)
                }
                ControllerInterface::GripperCommand => {
                    Output::Gripper(GripperGoals::open(node, &name, false, effort)?)
                }
                ControllerInterface::ParallelGripperCommand => {
                    Output::Gripper(GripperGoals::open(node, &name, true, effort)?)
                }
            };
            outputs.insert(controller.name.clone(), output);
        }
        Ok(Self { outputs })
    }

    /// Sends what was checked.
    pub(super) fn send(&self, trajectories: &[CheckedTrajectory]) {
        for trajectory in trajectories {
            let sent = match self.outputs.get(trajectory.controller()) {
                Some(Output::Topic(publisher)) => publisher.publish(message(trajectory)),
                Some(Output::Goals(goals)) => goals.send(message(trajectory)),
                Some(Output::Gripper(goals)) => goals.send(trajectory),
                None => continue,
            };
            if let Err(error) = sent {
                tracing::error!(%error, controller = trajectory.controller(), "trajectory not sent");
            }
        }
    }
}

/// The trajectory as a controller reads it: stamped, with positions, velocities and accelerations.
pub(super) fn message(trajectory: &CheckedTrajectory) -> JointTrajectory {
    let points = trajectory.points().iter().map(|point| JointTrajectoryPoint {
        positions: point.position.clone(),
        velocities: point.velocity.clone(),
        accelerations: point.acceleration.clone(),
        effort: Vec::new(),
        time_from_start: WireDuration::saturating_from_nanoseconds(point.time_from_start()),
    });
    JointTrajectory {
        header: Header {
            stamp: WireTime::saturating_from_nanoseconds(trajectory.stamp()),
            frame_id: String::new(),
        },
        joint_names: trajectory.joint_names().to_vec(),
        points: points.collect(),
    }
}
