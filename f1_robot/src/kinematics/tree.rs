//! A URDF as a checked tree of links.

use std::collections::BTreeMap;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use urdf_rs::JointType;

use crate::robot_file::MAX_ENTRIES;
use crate::robot_file::reader::Faults;

/// A URDF as a checked tree: each link after its parent.
pub(crate) struct Tree {
    pub(crate) links: Vec<TreeLink>,
    pub(crate) joints: BTreeMap<String, urdf_rs::Joint>,
}

pub(crate) struct TreeLink {
    pub(crate) name: String,
    /// The parent link's index and the joint between.
    pub(crate) parent: Option<(usize, urdf_rs::Joint)>,
    pub(crate) collision: Vec<urdf_rs::Collision>,
    /// Whether the URDF shows something of it: it is more than a frame.
    pub(crate) is_visible: bool,
}

impl Tree {
    /// Checks a URDF; faults have the path `urdf`.
    pub(crate) fn new(urdf: &urdf_rs::Robot, faults: &mut Faults) -> Option<Self> {
        if urdf.links.len().max(urdf.joints.len()) > MAX_ENTRIES {
            faults.add("urdf", format!("more than {MAX_ENTRIES} links or joints"));
            return None;
        }
        let before = faults.list.len();
        let mut links: BTreeMap<&str, &urdf_rs::Link> = BTreeMap::new();
        for link in &urdf.links {
            if links.insert(&link.name, link).is_some() {
                faults.add("urdf", format!("link `{}` is defined twice", link.name));
            }
        }
        let mut joints: BTreeMap<String, urdf_rs::Joint> = BTreeMap::new();
        let mut parent_of: BTreeMap<&str, &urdf_rs::Joint> = BTreeMap::new();
        for joint in &urdf.joints {
            check_joint(joint, faults);
            if joints.insert(joint.name.clone(), joint.clone()).is_some() {
                faults.add("urdf", format!("joint `{}` is defined twice", joint.name));
            }
            for link in [&joint.parent.link, &joint.child.link] {
                if !links.contains_key(link.as_str()) {
                    faults.add(
                        "urdf",
                        format!("joint `{}` names the unknown link `{link}`", joint.name),
                    );
                }
            }
            if let Some(other) = parent_of.insert(&joint.child.link, joint) {
                faults.add(
                    "urdf",
                    format!(
                        "link `{}` is the child of joints `{}` and `{}`",
                        joint.child.link, other.name, joint.name
                    ),
                );
            }
        }
        for joint in &urdf.joints {
            if let Some(mimic) = &joint.mimic {
                match joints.get(&mimic.joint) {
                    None => faults.add(
                        "urdf",
                        format!(
                            "joint `{}` mimics the unknown joint `{}`",
                            joint.name, mimic.joint
                        ),
                    ),
                    Some(other) if other.mimic.is_some() || !moves(other) => faults.add(
                        "urdf",
                        format!(
                            "joint `{}` mimics `{}`, which does not move by itself",
                            joint.name, mimic.joint
                        ),
                    ),
                    Some(_) => {}
                }
            }
        }
        let roots: Vec<&urdf_rs::Link> =
            urdf.links.iter().filter(|link| !parent_of.contains_key(link.name.as_str())).collect();
        if roots.len() != 1 {
            faults
                .add("urdf", format!("{} links have no parent; a robot has one root", roots.len()));
        }
        if faults.list.len() > before {
            return None;
        }
        let mut ordered: Vec<TreeLink> = Vec::with_capacity(urdf.links.len());
        let link = |link: &urdf_rs::Link, parent| TreeLink {
            name: link.name.clone(),
            parent,
            collision: link.collision.clone(),
            is_visible: !link.visual.is_empty() || !link.collision.is_empty(),
        };
        ordered.extend(roots.iter().map(|root| link(root, None)));
        let mut next = 0;
        while next < ordered.len() {
            let name = ordered[next].name.clone();
            for joint in urdf.joints.iter().filter(|joint| joint.parent.link == name) {
                ordered.extend(
                    links
                        .get(joint.child.link.as_str())
                        .map(|l| link(l, Some((next, joint.clone())))),
                );
            }
            next += 1;
        }
        if ordered.len() != urdf.links.len() {
            faults.add("urdf", "some links form a ring that is not joined to the root");
            return None;
        }
        Some(Self { links: ordered, joints })
    }

    pub(crate) fn link(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.name == name)
    }

    /// The joints that move by themselves between two links, in order; `None` if `tip` is not below
    /// `base`.
    pub(crate) fn chain(&self, base: usize, tip: usize) -> Option<Vec<String>> {
        let mut joints = Vec::new();
        let mut at = tip;
        while at != base {
            let (parent, joint) = self.links[at].parent.as_ref()?;
            if moves(joint) && joint.mimic.is_none() {
                joints.push(joint.name.clone());
            }
            at = *parent;
        }
        joints.reverse();
        Some(joints)
    }
}

/// Whether a joint moves at all.
pub(crate) fn moves(joint: &urdf_rs::Joint) -> bool {
    joint.joint_type != JointType::Fixed
}

fn check_joint(joint: &urdf_rs::Joint, faults: &mut Faults) {
    let name = &joint.name;
    match joint.joint_type {
        JointType::Revolute | JointType::Continuous | JointType::Prismatic | JointType::Fixed => {}
        _ => faults.add(
            "urdf",
            format!("joint `{name}`: floating, planar and spherical joints are not supported"),
        ),
    }
    let numbers =
        joint.origin.xyz.iter().chain(joint.origin.rpy.iter()).chain(joint.axis.xyz.iter());
    let mimic = joint.mimic.iter().flat_map(|mimic| [mimic.multiplier, mimic.offset]).flatten();
    if numbers.copied().chain(mimic).any(|number| !number.is_finite()) {
        faults.add("urdf", format!("joint `{name}`: a number is not finite"));
    }
    if moves(joint) && Vector3::from(joint.axis.xyz.0).norm() < 1e-6 {
        faults.add("urdf", format!("joint `{name}`: the axis has no direction"));
    }
}

/// A URDF pose as an isometry: fixed-axis roll, pitch, yaw.
pub(crate) fn isometry(pose: &urdf_rs::Pose) -> Isometry3<f64> {
    let [x, y, z] = pose.xyz.0;
    let [roll, pitch, yaw] = pose.rpy.0;
    Isometry3::from_parts(
        Translation3::new(x, y, z),
        UnitQuaternion::from_euler_angles(roll, pitch, yaw),
    )
}
