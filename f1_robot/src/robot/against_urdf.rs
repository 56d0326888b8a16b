//! The robot file against its URDF: names that must exist, positions that must be within limits.

use crate::JointLimits;
use crate::limits;
use crate::robot_file::reader::Faults;
use crate::robot_file::{ActionPart, Arm, RobotFile, StatePart};
use crate::urdf::Urdf;

/// Looks names up in a URDF and reports those that are not there.
struct Names<'a> {
    urdf: &'a Urdf,
    faults: &'a mut Faults,
}

impl Names<'_> {
    fn link(&mut self, name: &str, path: String) -> Option<usize> {
        let found = self.urdf.tree.link(name);
        if found.is_none() {
            self.faults.add(path, format!("the URDF has no link `{name}`"));
        }
        found
    }

    /// A joint that can be commanded (`own`) or at least measured.
    fn joint(&mut self, name: &str, own: bool, path: String) {
        match self.urdf.tree.joints.get(name) {
            None => self.faults.add(path, format!("the URDF has no joint `{name}`")),
            Some(joint) if !crate::kinematics::moves(joint) => {
                self.faults.add(path, format!("joint `{name}` is fixed"));
            }
            Some(joint) if own && joint.mimic.is_some() => {
                self.faults.add(path, format!("joint `{name}` only mimics another joint"));
            }
            Some(_) => {}
        }
    }

    fn joints(&mut self, names: &[String], own: bool, path: &str) {
        for (j, name) in names.iter().enumerate() {
            self.joint(name, own, format!("{path}.joints[{j}]"));
        }
    }

    fn links(&mut self, names: &[String], path: &str) {
        for (j, name) in names.iter().enumerate() {
            self.link(name, format!("{path}[{j}]"));
        }
    }
}

/// Reports names that the URDF does not have, and arms whose joints are not its chain's.
pub(super) fn check_names(file: &RobotFile, urdf: &Urdf, faults: &mut Faults) {
    let mut names = Names { urdf, faults };
    for (i, camera) in file.cameras.iter().enumerate() {
        if let Some(frame) = &camera.frame {
            names.link(frame, format!("cameras[{i}].frame"));
        }
    }
    let commanded = file.action_joints();
    for (i, arm) in file.arms.iter().enumerate() {
        check_arm(arm, &format!("arms[{i}]"), &commanded, &mut names);
    }
    for (i, gripper) in file.grippers.iter().enumerate() {
        names.joint(&gripper.joint, true, format!("grippers[{i}].joint"));
    }
    for (i, part) in file.state.parts.iter().enumerate() {
        if let StatePart::JointPositions(part) = part {
            names.joints(&part.joints, false, &format!("state.parts[{i}]"));
        }
    }
    for (i, part) in file.action.parts.iter().enumerate() {
        let at = format!("action.parts[{i}]");
        match part {
            ActionPart::JointPositions(part) => names.joints(&part.joints, true, &at),
            ActionPart::JointDeltas(part) => names.joints(&part.joints, true, &at),
            _ => {}
        }
    }
    for name in file.joint_limits.keys() {
        names.joint(name, false, format!("joint_limits.{name}"));
    }
    for name in file.home.keys() {
        names.joint(name, true, format!("home.{name}"));
    }
    for (i, obstacle) in file.scene.iter().enumerate() {
        names.links(&obstacle.allow, &format!("scene[{i}].allow"));
    }
    for (i, pair) in file.clearance.ignore.iter().enumerate() {
        names.links(pair, &format!("clearance.ignore[{i}]"));
    }
    for name in file.collision_shapes.keys() {
        names.link(name, format!("collision_shapes.{name}"));
    }
    names.links(&file.unchecked_links, "unchecked_links");
}

/// One arm: its links and joints exist, its joints are the chain's and are commanded.
fn check_arm(arm: &Arm, at: &str, commanded: &[String], names: &mut Names<'_>) {
    let base = names.link(&arm.base, format!("{at}.base"));
    let tip = names.link(&arm.tip, format!("{at}.tip"));
    names.joints(&arm.joints, true, at);
    for (j, name) in arm.joints.iter().enumerate().filter(|(_, name)| !commanded.contains(name)) {
        names.faults.add(
            format!("{at}.joints[{j}]"),
            format!("joint `{name}` is not in the action layout"),
        );
    }
    let (Some(base), Some(tip)) = (base, tip) else { return };
    let tree = &names.urdf.tree;
    let Some(chain) = tree.chain(base, tip) else {
        let message = format!("link `{}` is not below the base `{}`", arm.tip, arm.base);
        names.faults.add(format!("{at}.tip"), message);
        return;
    };
    // A joint of the chain that nothing commands is held still: it may be left out.
    let chain: Vec<String> = chain
        .into_iter()
        .filter(|joint| arm.joints.contains(joint) || commanded.contains(joint))
        .collect();
    if chain != arm.joints && arm.joints.iter().all(|joint| tree.joints.contains_key(joint)) {
        names.faults.add(
            format!("{at}.joints"),
            format!("the joints from base to tip are, in order: {}", chain.join(", ")),
        );
    }
}

/// Positions that must lie within the limits in force.
pub(super) fn check_positions(
    file: &RobotFile,
    urdf: &Urdf,
    joints: &[JointLimits],
    faults: &mut Faults,
) {
    let mut inside = |name: &str, position: f64, path: String| {
        let commanded = joints
            .iter()
            .find(|joint| joint.name == name)
            .map(|limits| (limits.lower, limits.upper));
        // A joint that is not commanded has the URDF's bounds only.
        let held = || limits::bounds(urdf.tree.joints.get(name)?, &urdf.stated(name));
        let Some((lower, upper)) = commanded.or_else(held) else { return };
        if !(lower..=upper).contains(&position) {
            faults.add(
                path,
                format!("{position} is outside the limits of `{name}`, [{lower}, {upper}]"),
            );
        }
    };
    for (name, position) in &file.home {
        inside(name, *position, format!("home.{name}"));
    }
    for (i, gripper) in file.grippers.iter().enumerate() {
        inside(&gripper.joint, gripper.open, format!("grippers[{i}].open"));
        inside(&gripper.joint, gripper.closed, format!("grippers[{i}].closed"));
    }
}
