//! Forward kinematics, the Jacobian and the velocity of the end effector.

use std::collections::BTreeMap;

use nalgebra::{Isometry3, Matrix6xX, Translation3, Unit, UnitQuaternion, Vector3};
use urdf_rs::JointType;

use super::tree::{Tree, isometry, moves};

/// How a link moves against its parent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Motion {
    Fixed,
    /// `multiplier * q[joint] + offset` about or along `axis`.
    Joint {
        joint: usize,
        multiplier: f64,
        offset: f64,
        axis: Unit<Vector3<f64>>,
        prismatic: bool,
    },
}

#[derive(Debug, Clone)]
struct Link {
    parent: Option<usize>,
    origin: Isometry3<f64>,
    motion: Motion,
}

/// One arm's chain.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmChain {
    /// The arm's name in the robot file.
    pub name: String,
    /// The link index of the base.
    pub base: usize,
    /// The link index of the end effector.
    pub tip: usize,
    /// The arm's joints, in the chain's order, as indices into the joint vector.
    pub joints: Vec<usize>,
    /// The moving joints from base to tip; what is fixed between them is multiplied out.
    steps: Vec<Step>,
    /// From the last moving joint to the tip.
    tail: Isometry3<f64>,
    /// The base in the root frame, if nothing between them moves.
    standing: Option<Isometry3<f64>>,
}

/// One moving joint of a chain.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    /// From the joint before.
    origin: Isometry3<f64>,
    joint: usize,
    /// The joint's place in [`ArmChain::joints`].
    column: usize,
    multiplier: f64,
    offset: f64,
    axis: Unit<Vector3<f64>>,
    prismatic: bool,
}

/// The kinematic tree of a robot, driven by the joint vector.
#[derive(Debug, Clone)]
pub struct Kinematics {
    names: Vec<String>,
    links: Vec<Link>,
    arms: Vec<ArmChain>,
    dof: usize,
}

impl Kinematics {
    /// Builds the tree. `joints` are the joint vector's names, `held` the positions of joints that
    /// are not in it (0 where it names none), `arms` (name, base link, tip link, joint names).
    pub(crate) fn new(
        tree: &Tree,
        joints: &[String],
        held: &BTreeMap<String, f64>,
        arms: &[crate::robot_file::Arm],
    ) -> Option<Self> {
        let index = |name: &str| joints.iter().position(|joint| joint == name);
        let links: Vec<Link> = tree
            .links
            .iter()
            .map(|link| {
                let Some((parent, joint)) = &link.parent else {
                    return Link {
                        parent: None,
                        origin: Isometry3::identity(),
                        motion: Motion::Fixed,
                    };
                };
                let origin = isometry(&joint.origin);
                let parent = Some(*parent);
                if !moves(joint) {
                    return Link { parent, origin, motion: Motion::Fixed };
                }
                let axis = Unit::new_normalize(Vector3::from(joint.axis.xyz.0));
                let prismatic = joint.joint_type == JointType::Prismatic;
                let (driver, multiplier, offset) = match &joint.mimic {
                    Some(mimic) => (
                        mimic.joint.as_str(),
                        mimic.multiplier.unwrap_or(1.0),
                        mimic.offset.unwrap_or(0.0),
                    ),
                    None => (joint.name.as_str(), 1.0, 0.0),
                };
                match index(driver) {
                    Some(joint) => {
                        let motion = Motion::Joint { joint, multiplier, offset, axis, prismatic };
                        Link { parent, origin, motion }
                    }
                    None => {
                        let value = multiplier * held.get(driver).copied().unwrap_or(0.0) + offset;
                        Link {
                            parent,
                            origin: displaced(&origin, &axis, prismatic, value),
                            motion: Motion::Fixed,
                        }
                    }
                }
            })
            .collect();
        let arms = arms
            .iter()
            .map(|arm| {
                let (base, tip) = (tree.link(&arm.base)?, tree.link(&arm.tip)?);
                let joints =
                    arm.joints.iter().map(|joint| index(joint)).collect::<Option<Vec<usize>>>()?;
                let mut path = Vec::new();
                let mut at = tip;
                while at != base {
                    path.push(at);
                    at = links[at].parent?;
                }
                let (mut steps, mut fixed) = (Vec::new(), Isometry3::identity());
                for link in path.into_iter().rev() {
                    fixed *= links[link].origin;
                    let Motion::Joint { joint, multiplier, offset, axis, prismatic } =
                        links[link].motion
                    else {
                        continue;
                    };
                    let column = joints.iter().position(|index| *index == joint)?;
                    steps.push(Step {
                        origin: fixed,
                        joint,
                        column,
                        multiplier,
                        offset,
                        axis,
                        prismatic,
                    });
                    fixed = Isometry3::identity();
                }
                let mut standing = Some(Isometry3::identity());
                let mut at = Some(base);
                while let Some(link) = at {
                    let moves = matches!(links[link].motion, Motion::Joint { .. });
                    standing = standing.filter(|_| !moves).map(|pose| links[link].origin * pose);
                    at = links[link].parent;
                }
                let name = arm.name.clone();
                Some(ArmChain { name, base, tip, joints, steps, tail: fixed, standing })
            })
            .collect::<Option<Vec<ArmChain>>>()?;
        let names = tree.links.iter().map(|link| link.name.clone()).collect();
        Some(Self { names, links, arms, dof: joints.len() })
    }

    /// The links' names, in the order of [`Self::link_poses`].
    pub fn link_names(&self) -> &[String] {
        &self.names
    }

    /// The index of a link.
    pub fn link(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|link| link == name)
    }

    /// The arms, in the robot file's order.
    pub fn arms(&self) -> &[ArmChain] {
        &self.arms
    }

    /// The index of the arm called `name`.
    pub fn arm(&self, name: &str) -> Option<usize> {
        self.arms.iter().position(|arm| arm.name == name)
    }

    /// The length of the joint vector.
    pub fn dof(&self) -> usize {
        self.dof
    }

    /// The pose of every link in the root frame at `positions` (missing entries count as 0).
    pub fn link_poses(&self, positions: &[f64]) -> Vec<Isometry3<f64>> {
        let mut poses = Vec::new();
        self.link_poses_into(positions, &mut poses);
        poses
    }

    /// As [`Self::link_poses`], into a buffer that is kept between calls.
    pub fn link_poses_into(&self, positions: &[f64], poses: &mut Vec<Isometry3<f64>>) {
        poses.clear();
        for link in &self.links {
            let parent = link.parent.and_then(|parent| poses.get(parent).copied());
            let local = link.local(positions);
            poses.push(match parent {
                Some(parent) => parent * local,
                None => local,
            });
        }
    }

    /// The pose of an arm's end effector in the root frame. `arm` is an index below `arms().len()`.
    pub fn tip_pose(&self, arm: usize, positions: &[f64]) -> Isometry3<f64> {
        self.base_pose(arm, positions) * self.end_effector(arm, positions)
    }

    /// The pose of an arm's base link in the root frame.
    pub fn base_pose(&self, arm: usize, positions: &[f64]) -> Isometry3<f64> {
        if let Some(standing) = self.arms[arm].standing {
            return standing;
        }
        let mut pose = Isometry3::identity();
        let mut at = Some(self.arms[arm].base);
        while let Some(index) = at {
            pose = self.links[index].local(positions) * pose;
            at = self.links[index].parent;
        }
        pose
    }

    /// The pose of an arm's end effector in the arm's base link.
    pub fn end_effector(&self, arm: usize, positions: &[f64]) -> Isometry3<f64> {
        let chain = &self.arms[arm];
        chain.steps.iter().fold(Isometry3::identity(), |pose, step| step.after(&pose, positions))
            * chain.tail
    }

    /// For each joint of the joint vector a bound on how far the end effector's origin moves per
    /// unit of joint motion (m per rad; 1 for sliding joints; 0 for joints that do not move
    /// it): the length of the chain behind the joint, however it is folded. `positions` bounds
    /// the joints' positions: least and greatest.
    pub fn tip_reach(&self, arm: usize, positions: &[(f64, f64)]) -> Vec<f64> {
        self.arms
            .get(arm)
            .map_or_else(|| vec![0.0; self.dof], |arm| self.levers(arm.tip, 0.0, positions))
    }

    /// The same for a point at most `length` metres from a link's origin.
    pub(crate) fn levers(
        &self,
        link: usize,
        mut length: f64,
        positions: &[(f64, f64)],
    ) -> Vec<f64> {
        let mut reach = vec![0.0; self.dof];
        let mut at = Some(link);
        while let Some(link) = at.and_then(|index| self.links.get(index)) {
            if let Motion::Joint { joint, multiplier, offset, prismatic, .. } = link.motion {
                let (lower, upper) = positions.get(joint).copied().unwrap_or((0.0, 0.0));
                if let Some(reach) = reach.get_mut(joint) {
                    *reach += multiplier.abs() * if prismatic { 1.0 } else { length };
                }
                if prismatic {
                    length += (multiplier * lower + offset)
                        .abs()
                        .max((multiplier * upper + offset).abs());
                }
            }
            length += link.origin.translation.vector.norm();
            at = link.parent;
        }
        reach
    }

    /// Whether a joint moves several links by itself, as that of two fingers does.
    pub(crate) fn drives_several(&self, joint: usize) -> bool {
        let driven = |link: &&Link| matches!(link.motion, Motion::Joint { joint: driver, .. } if driver == joint);
        self.links.iter().filter(driven).count() > 1
    }

    /// An arm's geometric Jacobian at the end effector's origin, in the arm's base frame: `[6, arm
    /// joints]`, rows vx vy vz (m/s) and wx wy wz (rad/s) per unit of joint speed. The end
    /// effector's pose comes with it.
    pub fn jacobian(&self, arm: usize, positions: &[f64]) -> (Isometry3<f64>, Matrix6xX<f64>) {
        let chain = &self.arms[arm];
        let mut jacobian = Matrix6xX::zeros(chain.joints.len());
        let mut pose = Isometry3::identity();
        // First each turning joint's velocity at the base's origin, -w x o; once the tip is known,
        // w x tip is added.
        for step in &chain.steps {
            pose = step.after(&pose, positions);
            let axis = pose.rotation * step.axis.into_inner() * step.multiplier;
            let mut column = jacobian.column_mut(step.column);
            if step.prismatic {
                let mut linear = column.fixed_rows_mut::<3>(0);
                linear += axis;
            } else {
                let mut linear = column.fixed_rows_mut::<3>(0);
                linear -= axis.cross(&pose.translation.vector);
                let mut angular = column.fixed_rows_mut::<3>(3);
                angular += axis;
            }
        }
        let tip = pose * chain.tail;
        for mut column in jacobian.column_iter_mut() {
            let angular: Vector3<f64> = column.fixed_rows::<3>(3).into();
            let mut linear = column.fixed_rows_mut::<3>(0);
            linear += angular.cross(&tip.translation.vector);
        }
        (tip, jacobian)
    }

    /// The end effector's pose in the arm's base link, and the velocity of its origin there (m/s),
    /// at `positions` moving with `velocities` (missing entries count as 0).
    pub fn tip_motion(
        &self,
        arm: usize,
        positions: &[f64],
        velocities: &[f64],
    ) -> (Isometry3<f64>, Vector3<f64>) {
        let chain = &self.arms[arm];
        let mut pose = Isometry3::identity();
        let (mut linear, mut angular) = (Vector3::zeros(), Vector3::zeros());
        for step in &chain.steps {
            pose = step.after(&pose, positions);
            let speed = step.multiplier * velocities.get(step.joint).copied().unwrap_or(0.0);
            let axis = pose.rotation * step.axis.into_inner() * speed;
            if step.prismatic {
                linear += axis;
            } else {
                linear -= axis.cross(&pose.translation.vector);
                angular += axis;
            }
        }
        let tip = pose * chain.tail;
        (tip, linear + angular.cross(&tip.translation.vector))
    }

    /// The speed of an arm's end-effector origin, m/s, at `positions` moving with `velocities`,
    /// seen from its base.
    pub fn tip_speed(&self, arm: usize, positions: &[f64], velocities: &[f64]) -> f64 {
        self.tip_motion(arm, positions, velocities).1.norm()
    }
}

impl Step {
    /// The joint's frame after it has moved, from the frame of the joint before.
    fn after(&self, pose: &Isometry3<f64>, positions: &[f64]) -> Isometry3<f64> {
        let position = positions.get(self.joint).copied().unwrap_or(0.0);
        pose * displaced(
            &self.origin,
            &self.axis,
            self.prismatic,
            self.multiplier * position + self.offset,
        )
    }
}

/// `origin` followed by a turn about or a way along `axis`.
fn displaced(
    origin: &Isometry3<f64>,
    axis: &Unit<Vector3<f64>>,
    prismatic: bool,
    value: f64,
) -> Isometry3<f64> {
    let Isometry3 { rotation, translation } = *origin;
    if prismatic {
        let way = rotation * (axis.into_inner() * value);
        Isometry3::from_parts(Translation3::from(translation.vector + way), rotation)
    } else {
        Isometry3::from_parts(translation, rotation * UnitQuaternion::from_axis_angle(axis, value))
    }
}

impl Link {
    /// The pose in the parent's frame.
    fn local(&self, positions: &[f64]) -> Isometry3<f64> {
        match &self.motion {
            Motion::Fixed => self.origin,
            Motion::Joint { joint, multiplier, offset, axis, prismatic } => {
                let position = positions.get(*joint).copied().unwrap_or(0.0);
                displaced(&self.origin, axis, *prismatic, multiplier * position + offset)
            }
        }
    }
}
