//! Joint angles for a tool pose, for the scripted expert: damped least squares with the third joint
//! set by how far the tool is to the side, so that each pose has one answer and demonstrations of
//! the same motion look the same.

use f1_robot::Robot;
use nalgebra::{DMatrix, DVector, Isometry3, Vector6};

const ITERATIONS: usize = 30;
const DAMPING: f64 = 1e-4;
/// The joint that only turns the elbow about the line from shoulder to wrist.
const ELBOW: usize = 2;
/// Its angle for each metre that the tool is to the side, rad/m: the elbow leans with the arm.
const LEAN: f64 = 0.6;

/// Solves for `tool` (end effector in the base frame) from `start` (robot's joint order); `None` if
/// it does not converge to 0.1 mm and 0.1 mrad. Joints outside the arm keep their values.
#[must_use]
pub fn solve(robot: &Robot, tool: &Isometry3<f64>, start: &[f64]) -> Option<Vec<f64>> {
    let kinematics = robot.kinematics();
    let arm = kinematics.arms().first()?;
    let mut q = start.to_vec();
    if let Some(&elbow) = arm.joints.get(ELBOW) {
        q[elbow] = robot.home()[elbow] + LEAN * tool.translation.y;
    }
    for _ in 0..ITERATIONS {
        let (pose, full) = kinematics.jacobian(0, &q);
        let rotation = (tool.rotation * pose.rotation.inverse()).scaled_axis();
        let translation = tool.translation.vector - pose.translation.vector;
        if translation.norm() < 1e-5 && rotation.norm() < 1e-5 {
            return Some(q);
        }
        let error = Vector6::from_iterator(translation.iter().chain(rotation.iter()).copied());
        let mut jacobian = DMatrix::from_iterator(6, full.ncols(), full.iter().copied());
        jacobian.column_mut(ELBOW).fill(0.0);
        let square = &jacobian * jacobian.transpose() + DMatrix::identity(6, 6) * DAMPING * DAMPING;
        let error = DVector::from_iterator(6, error.iter().copied());
        let step = jacobian.transpose() * square.cholesky()?.solve(&error);
        let scale = (0.5 / step.amax().max(1e-12)).min(1.0);
        for (column, &joint) in arm.joints.iter().enumerate() {
            q[joint] = robot.joints()[joint].clamp(q[joint] + scale * step[column]);
        }
    }
    let pose = kinematics.tip_pose(0, &q);
    let off = (tool.translation.vector - pose.translation.vector).norm();
    let turned = (tool.rotation * pose.rotation.inverse()).angle();
    (off < 1e-4 && turned < 1e-4).then_some(q)
}
