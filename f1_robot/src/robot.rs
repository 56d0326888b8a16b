//! A robot: its file and its URDF, checked against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use crate::clearance::Clearance;
use crate::kinematics::{Kinematics, Tree};
use crate::limits::{self, JointLimits};
use crate::robot_file::reader::Faults;
use crate::robot_file::{
    ActionPart, CameraRole, Controller, ControllerInterface, MAX_FILE_BYTES, RobotFile,
    RobotFileError, StatePart, Workspace,
};

/// A robot that can be used: every check passed. Shared by `Arc`.
///
/// ```
/// # use std::path::Path;
/// use f1_robot::Robot;
///
/// # fn main() -> Result<(), f1_robot::RobotFileError> {
/// # let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
/// let robot = Robot::load(&root.join("config/robots/bench_arm.yaml"))?;
/// assert_eq!(robot.dof(), 8);
/// // Forward kinematics: the first arm's end effector at home, in the URDF's root frame.
/// let tip = robot.kinematics().tip_pose(0, robot.home());
/// assert!(tip.translation.vector.norm() < 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Robot {
    file: RobotFile,
    urdf: String,
    joints: Vec<JointLimits>,
    controllers: Vec<ControllerJoints>,
    kinematics: Kinematics,
    clearance: Clearance,
    home: Vec<f64>,
    /// (joint, driver, multiplier, offset)
    mimics: Vec<(String, String, f64, f64)>,
    sliding: BTreeSet<String>,
    /// For each arm its box.
    workspaces: Vec<Option<usize>>,
}

/// What a checkpoint's network takes and gives, for [`Robot::check_policy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyShape {
    /// The longest state vector; shorter ones are padded.
    pub max_state_dim: usize,
    /// The longest action row; shorter ones are padded.
    pub max_action_dim: usize,
    /// The number of images for the understanding expert, masked ones included, if it is fixed.
    pub cameras: Option<usize>,
}

/// A controller and the joints it moves.
#[derive(Debug, Clone, PartialEq)]
pub struct ControllerJoints {
    /// The controller's name.
    pub name: String,
    /// Its namespace, relative to the robot's; empty: the robot's own.
    pub namespace: String,
    /// How it is commanded.
    pub interface: ControllerInterface,
    /// True: a trajectory may end with a velocity.
    pub allow_nonzero_velocity_at_end: bool,
    /// The joints in the controller's order, as indices into [`Robot::joints`].
    pub joints: Vec<usize>,
}

impl Robot {
    /// Reads a robot file and the URDF it names.
    ///
    /// # Errors
    /// Every fault of either, with its path in the robot file (`urdf` for faults of the URDF).
    pub fn load(path: &Path) -> Result<Self, RobotFileError> {
        let named = |faults| RobotFileError { file: path.display().to_string(), faults };
        let mut faults = Faults::default();
        let text = match read(path) {
            Ok(text) => text,
            Err(message) => {
                faults.add("", message);
                return Err(named(faults.list));
            }
        };
        let Some(file) = RobotFile::read_text(&text, &mut faults) else {
            return Err(named(faults.list));
        };
        let mut urdf = None;
        if !file.urdf.is_empty() {
            let beside = path.parent().unwrap_or(Path::new("")).join(&file.urdf);
            match read(&beside) {
                Ok(text) => urdf = Some(text),
                Err(message) => {
                    let hint = "a relative path starts at the robot file's folder";
                    faults.add("urdf", format!("{}: {message}; {hint}", beside.display()));
                }
            }
        }
        Self::assemble(file, urdf, faults).map_err(|faults| named(faults.list))
    }

    /// As [`Self::load`], from the two texts.
    ///
    /// # Errors
    /// Every fault of either text.
    pub fn from_text(robot_file: &str, urdf: &str) -> Result<Self, RobotFileError> {
        let mut faults = Faults::default();
        let file = RobotFile::read_text(robot_file, &mut faults);
        match file {
            Some(file) => Self::assemble(file, Some(urdf.into()), faults),
            None => Err(faults),
        }
        .map_err(|faults| RobotFileError { file: String::new(), faults: faults.list })
    }

    fn assemble(file: RobotFile, urdf: Option<String>, mut faults: Faults) -> Result<Self, Faults> {
        let tree = urdf.as_deref().and_then(|text| parse_urdf(text, &mut faults));
        let (Some(tree), Some(urdf)) = (tree, urdf) else { return Err(faults) };
        check_against_urdf(&file, &tree, &mut faults);
        let names = file.action_joints();
        let joints: Vec<Option<JointLimits>> = names
            .iter()
            .map(|name| {
                limits::join(tree.joints.get(name)?, file.joint_limits.get(name), &mut faults)
            })
            .collect();
        let joints: Vec<JointLimits> = joints.into_iter().flatten().collect();
        check_positions(&file, &tree, &joints, &mut faults);
        let held: BTreeMap<String, f64> = file
            .home
            .iter()
            .filter(|(name, _)| !names.contains(name))
            .map(|(n, p)| (n.clone(), *p))
            .collect();
        let kinematics = Kinematics::new(&tree, &names, &held, &file.arms);
        let index = |name: &String| names.iter().position(|joint| joint == name);
        let controllers: Vec<ControllerJoints> = file
            .controllers
            .iter()
            .map(|controller: &Controller| ControllerJoints {
                name: controller.name.clone(),
                namespace: controller.namespace.clone(),
                interface: controller.interface,
                allow_nonzero_velocity_at_end: controller.allow_nonzero_velocity_at_end,
                joints: controller.joints.iter().filter_map(index).collect(),
            })
            .collect();
        let home: Vec<f64> = names.iter().filter_map(|name| file.home.get(name).copied()).collect();
        let mimics = tree.joints.values().filter_map(|joint| {
            let mimic = joint.mimic.as_ref()?;
            let (multiplier, offset) =
                (mimic.multiplier.unwrap_or(1.0), mimic.offset.unwrap_or(0.0));
            Some((joint.name.clone(), mimic.joint.clone(), multiplier, offset))
        });
        let mimics = mimics.collect();
        let is_sliding =
            |joint: &&urdf_rs::Joint| joint.joint_type == urdf_rs::JointType::Prismatic;
        let sliding =
            tree.joints.values().filter(is_sliding).map(|joint| joint.name.clone()).collect();
        let workspaces = file
            .arms
            .iter()
            .map(|arm| file.workspace.iter().position(|w| w.arm == arm.name))
            .collect();
        // Distances are judged only of a robot that is right otherwise.
        let Some(kinematics) = kinematics.filter(|_| faults.list.is_empty()) else {
            return Err(faults);
        };
        let clearance = Clearance::new(&tree, &kinematics, &joints, &home, &file, &mut faults);
        if !faults.list.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            file,
            urdf,
            joints,
            controllers,
            kinematics,
            clearance,
            home,
            mimics,
            sliding,
            workspaces,
        })
    }

    /// Whether a checkpoint fits the robot's layouts.
    ///
    /// # Errors
    /// Every dimension that does not fit, with its path in the robot file.
    pub fn check_policy(&self, shape: &PolicyShape) -> Result<(), RobotFileError> {
        let mut faults = Faults::default();
        for (path, has, takes) in [
            ("state.parts", self.file.state_dim(), shape.max_state_dim),
            ("action.parts", self.file.action_dim(), shape.max_action_dim),
        ] {
            if has > takes {
                faults
                    .add(path, format!("{has} entries, but the checkpoint takes at most {takes}"));
            }
        }
        let und = self
            .file
            .cameras
            .iter()
            .filter(|camera| camera.roles.contains(&CameraRole::Und))
            .count();
        if let Some(cameras) = shape.cameras.filter(|cameras| *cameras != und) {
            faults.add(
                "cameras",
                format!("{und} cameras have the role `und`, but the checkpoint takes {cameras}; add masked ones or leave some out"),
            );
        }
        if faults.list.is_empty() {
            Ok(())
        } else {
            Err(RobotFileError { file: self.file.name.clone(), faults: faults.list })
        }
    }

    /// The robot file.
    pub fn file(&self) -> &RobotFile {
        &self.file
    }

    /// The URDF's text.
    pub fn urdf(&self) -> &str {
        &self.urdf
    }

    /// The commanded joints with the limits in force, in the order of the action layout, grippers
    /// included: the columns of a decoded chunk and of every joint vector of this crate.
    pub fn joints(&self) -> &[JointLimits] {
        &self.joints
    }

    /// The number of commanded joints.
    pub fn dof(&self) -> usize {
        self.joints.len()
    }

    /// The index of a commanded joint.
    pub fn joint_index(&self, name: &str) -> Option<usize> {
        self.joints.iter().position(|joint| joint.name == name)
    }

    /// The controllers, each with at least one joint; together they move every commanded joint
    /// exactly once.
    pub fn controllers(&self) -> &[ControllerJoints] {
        &self.controllers
    }

    /// Rows of an action chunk per second, Hz.
    pub fn rate_hz(&self) -> f64 {
        self.file.action.rate_hz
    }

    /// The rest posture as a joint vector.
    pub fn home(&self) -> &[f64] {
        &self.home
    }

    /// Forward, differential and inverse kinematics.
    pub fn kinematics(&self) -> &Kinematics {
        &self.kinematics
    }

    /// Distances between links and to obstacles.
    pub fn clearance(&self) -> &Clearance {
        &self.clearance
    }

    /// The box that an arm's end effector stays in, if the robot file gives one. `arm` is an index
    /// into [`Kinematics::arms`].
    pub fn workspace(&self, arm: usize) -> Option<&Workspace> {
        self.workspaces.get(arm).copied().flatten().and_then(|index| self.file.workspace.get(index))
    }

    /// Joints that follow another: (joint, driver, multiplier, offset).
    pub(crate) fn mimics(&self) -> &[(String, String, f64, f64)] {
        &self.mimics
    }

    /// Whether a joint of the URDF slides (metres) instead of turning (radians).
    pub fn is_sliding(&self, joint: &str) -> bool {
        self.sliding.contains(joint)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let mut text = String::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    let bytes = read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes as u64 > MAX_FILE_BYTES {
        return Err(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    Ok(text)
}

/// Elements nested deeper than this are no URDF; the parser below would follow them until its stack
/// ends.
const MAX_URDF_DEPTH: usize = 64;

/// Whether elements are nested no deeper than [`MAX_URDF_DEPTH`].
fn is_shallow(text: &str) -> bool {
    let (mut rest, mut depth) = (text, 0usize);
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        if let Some(data) = rest.strip_prefix("![CDATA[") {
            rest = data.find("]]>").map_or("", |end| &data[end + 3..]);
            continue;
        }
        // The tag ends at the first `>` outside quotes.
        let mut quote = None;
        let mut inside = |c: char| match quote {
            Some(open) => {
                quote = (c != open).then_some(open);
                true
            }
            None => {
                quote = matches!(c, '"' | '\'').then_some(c);
                c != '>'
            }
        };
        let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let tag = &rest[..end];
        rest = &rest[end..];
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.starts_with(['?', '!']) && !tag.ends_with('/') {
            depth += 1;
        }
        if depth > MAX_URDF_DEPTH {
            return false;
        }
    }
    true
}

fn parse_urdf(text: &str, faults: &mut Faults) -> Option<Tree> {
    if !is_shallow(text) {
        faults.add("urdf", format!("not a URDF: elements are nested deeper than {MAX_URDF_DEPTH}"));
        return None;
    }
    match urdf_rs::read_from_string(text) {
        Ok(urdf) => Tree::new(&urdf, faults),
        Err(error) => {
            faults.add("urdf", format!("not a URDF: {error}"));
            None
        }
    }
}

/// Names that must exist in the URDF.
fn check_against_urdf(file: &RobotFile, tree: &Tree, faults: &mut Faults) {
    let link = |name: &str, path: String, faults: &mut Faults| {
        let found = tree.link(name);
        if found.is_none() {
            faults.add(path, format!("the URDF has no link `{name}`"));
        }
        found
    };
    // A joint that can be commanded (`own`) or at least measured.
    let joint =
        |name: &str, own: bool, path: String, faults: &mut Faults| match tree.joints.get(name) {
            None => faults.add(path, format!("the URDF has no joint `{name}`")),
            Some(joint) if !crate::kinematics::moves(joint) => {
                faults.add(path, format!("joint `{name}` is fixed"));
            }
            Some(joint) if own && joint.mimic.is_some() => {
                faults.add(path, format!("joint `{name}` only mimics another joint"));
            }
            Some(_) => {}
        };
    for (i, camera) in file.cameras.iter().enumerate() {
        if let Some(frame) = &camera.frame {
            link(frame, format!("cameras[{i}].frame"), faults);
        }
    }
    for (i, arm) in file.arms.iter().enumerate() {
        let base = link(&arm.base, format!("arms[{i}].base"), faults);
        let tip = link(&arm.tip, format!("arms[{i}].tip"), faults);
        for (j, name) in arm.joints.iter().enumerate() {
            joint(name, true, format!("arms[{i}].joints[{j}]"), faults);
        }
        if let (Some(base), Some(tip)) = (base, tip) {
            match tree.chain(base, tip) {
                None => faults.add(
                    format!("arms[{i}].tip"),
                    format!("link `{}` is not below the base `{}`", arm.tip, arm.base),
                ),
                Some(chain) => {
                    // A joint of the chain that nothing commands is held still: it may be left out.
                    let commanded = file.action_joints();
                    let chain: Vec<String> = chain
                        .into_iter()
                        .filter(|joint| arm.joints.contains(joint) || commanded.contains(joint))
                        .collect();
                    if chain != arm.joints
                        && arm.joints.iter().all(|joint| tree.joints.contains_key(joint))
                    {
                        faults.add(
                            format!("arms[{i}].joints"),
                            format!(
                                "the joints from base to tip are, in order: {}",
                                chain.join(", ")
                            ),
                        );
                    }
                }
            }
        }
    }
    for (i, gripper) in file.grippers.iter().enumerate() {
        joint(&gripper.joint, true, format!("grippers[{i}].joint"), faults);
    }
    for (i, part) in file.state.parts.iter().enumerate() {
        if let StatePart::JointPositions(part) = part {
            for (j, name) in part.joints.iter().enumerate() {
                joint(name, false, format!("state.parts[{i}].joints[{j}]"), faults);
            }
        }
    }
    for (i, part) in file.action.parts.iter().enumerate() {
        let joints = match part {
            ActionPart::JointPositions(part) => &part.joints,
            ActionPart::JointDeltas(part) => &part.joints,
            _ => continue,
        };
        for (j, name) in joints.iter().enumerate() {
            joint(name, true, format!("action.parts[{i}].joints[{j}]"), faults);
        }
    }
    let commanded = file.action_joints();
    for (i, arm) in file.arms.iter().enumerate() {
        for (j, name) in arm.joints.iter().enumerate().filter(|(_, name)| !commanded.contains(name))
        {
            faults.add(
                format!("arms[{i}].joints[{j}]"),
                format!("joint `{name}` is not in the action layout"),
            );
        }
    }
    for name in file.joint_limits.keys() {
        joint(name, false, format!("joint_limits.{name}"), faults);
    }
    for name in file.home.keys() {
        joint(name, true, format!("home.{name}"), faults);
    }
    for (i, obstacle) in file.scene.iter().enumerate() {
        for (j, name) in obstacle.allow.iter().enumerate() {
            link(name, format!("scene[{i}].allow[{j}]"), faults);
        }
    }
    for (i, pair) in file.clearance.ignore.iter().enumerate() {
        for (j, name) in pair.iter().enumerate() {
            link(name, format!("clearance.ignore[{i}][{j}]"), faults);
        }
    }
}

/// Positions that must lie within the limits in force.
fn check_positions(file: &RobotFile, tree: &Tree, joints: &[JointLimits], faults: &mut Faults) {
    let mut inside = |name: &str, position: f64, path: String| {
        let commanded = joints
            .iter()
            .find(|joint| joint.name == name)
            .map(|limits| (limits.lower, limits.upper));
        // A joint that is not commanded has the URDF's bounds only.
        let held = || limits::bounds(tree.joints.get(name)?);
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
