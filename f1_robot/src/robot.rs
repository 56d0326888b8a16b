//! A robot: its file and its URDF, checked against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use urdf_rs::JointType;

use crate::angle::nearest_turn;
use crate::circles::Circles;
use crate::clearance::{Clearance, LinkShapes};
use crate::kinematics::Kinematics;
use crate::limits::{self, JointLimits, LimitSources};
use crate::robot_file::reader::Faults;
use crate::robot_file::{
    CameraRole, Controller, ControllerInterface, MAX_FILE_BYTES, RobotFile, RobotFileError,
    Workspace, full_name,
};
use crate::urdf::Urdf;

mod against_urdf;

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
    /// Joints that turn without end.
    circles: BTreeSet<String>,
    sources: Vec<LimitSources>,
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
    /// Its namespace: relative to the robot's, or absolute (`/`, `/left`); empty: the robot's own.
    pub namespace: String,
    /// How it is commanded.
    pub interface: ControllerInterface,
    /// Positions a second, Hz, of one that takes them one at a time.
    pub rate: Option<f64>,
    /// True: a trajectory may end with a velocity.
    pub allow_nonzero_velocity_at_end: bool,
    /// The joints in the controller's order, as indices into [`Robot::joints`].
    pub joints: Vec<usize>,
}

impl ControllerJoints {
    /// The name under which the controller's topics and actions are found: absolute if name or
    /// namespace are, else relative to the robot's namespace.
    pub fn full_name(&self) -> String {
        full_name(&self.namespace, &self.name)
    }
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
        let folder = path.parent().unwrap_or(Path::new("")).join(&file.urdf);
        let folder = folder.parent().map(Path::to_path_buf);
        Self::assemble(file, urdf, folder.as_deref(), faults).map_err(|faults| named(faults.list))
    }

    /// As [`Self::load`], from the two texts. Collision meshes are not looked for: there is no
    /// folder that their paths could start from.
    ///
    /// # Errors
    /// Every fault of either text.
    pub fn from_text(robot_file: &str, urdf: &str) -> Result<Self, RobotFileError> {
        let mut faults = Faults::default();
        let file = RobotFile::read_text(robot_file, &mut faults);
        match file {
            Some(file) => Self::assemble(file, Some(urdf.into()), None, faults),
            None => Err(faults),
        }
        .map_err(|faults| RobotFileError { file: String::new(), faults: faults.list })
    }

    fn assemble(
        file: RobotFile,
        urdf_text: Option<String>,
        folder: Option<&Path>,
        mut faults: Faults,
    ) -> Result<Self, Faults> {
        let urdf = urdf_text.as_deref().and_then(|text| Urdf::parse(text, &mut faults));
        let (Some(urdf), Some(urdf_text)) = (urdf, urdf_text) else { return Err(faults) };
        let tree = &urdf.tree;
        against_urdf::check_names(&file, &urdf, &mut faults);
        let names = file.action_joints();
        let limits = names.iter().filter_map(|name| {
            let own = file.joint_limits.get(name);
            limits::join(tree.joints.get(name)?, &urdf.stated(name), own, &mut faults)
        });
        let (joints, sources): (Vec<JointLimits>, Vec<LimitSources>) = limits.unzip();
        against_urdf::check_positions(&file, &urdf, &joints, &mut faults);
        let shapes = LinkShapes::of(tree, &file, folder, &mut faults);
        let held: BTreeMap<String, f64> = file
            .home
            .iter()
            .filter(|(name, _)| !names.contains(name))
            .map(|(n, p)| (n.clone(), *p))
            .collect();
        let kinematics = Kinematics::new(tree, &names, &held, &file.arms);
        let home: Vec<f64> = names.iter().filter_map(|name| file.home.get(name).copied()).collect();
        // Distances are judged only of a robot that is right otherwise.
        let Some(kinematics) = kinematics.filter(|_| faults.list.is_empty()) else {
            return Err(faults);
        };
        let clearance =
            Clearance::new(tree, &kinematics, &joints, &home, &file, shapes, &mut faults);
        if !faults.list.is_empty() {
            return Err(faults);
        }
        let of_type = |kind: JointType| {
            let joints = tree.joints.values().filter(move |joint| joint.joint_type == kind);
            joints.map(|joint| joint.name.clone()).collect()
        };
        let workspaces = file
            .arms
            .iter()
            .map(|arm| file.workspace.iter().position(|w| w.arm == arm.name))
            .collect();
        Ok(Self {
            controllers: controllers(&file, &names),
            mimics: mimics(&urdf),
            sliding: of_type(JointType::Prismatic),
            circles: of_type(JointType::Continuous),
            workspaces,
            urdf: urdf_text,
            file,
            joints,
            sources,
            kinematics,
            clearance,
            home,
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

    /// Where the limits of [`Self::joints`] come from, in the same order.
    pub fn limit_sources(&self) -> &[LimitSources] {
        &self.sources
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

    /// Whether a joint of the URDF turns without end: its positions are angles on a circle.
    pub fn is_circle(&self, joint: &str) -> bool {
        self.circles.contains(joint)
    }

    /// A joint's position as state vectors and data sets write it: that of a joint that turns
    /// without end within half a turn of its home position (0 without one), others as they are.
    pub fn canonical(&self, joint: &str, position: f64) -> f64 {
        if self.is_circle(joint) {
            nearest_turn(position, self.file.home.get(joint).copied().unwrap_or(0.0))
        } else {
            position
        }
    }

    /// Which entries of state and action vectors are angles of joints that turn without end.
    pub fn circles(&self) -> Circles {
        Circles::of(self)
    }

    /// Whether a joint of the URDF slides (metres) instead of turning (radians).
    pub fn is_sliding(&self, joint: &str) -> bool {
        self.sliding.contains(joint)
    }
}

/// The controllers with their joints as indices into `names`.
fn controllers(file: &RobotFile, names: &[String]) -> Vec<ControllerJoints> {
    let index = |name: &String| names.iter().position(|joint| joint == name);
    file.controllers
        .iter()
        .map(|controller: &Controller| ControllerJoints {
            name: controller.name.clone(),
            namespace: controller.namespace.clone(),
            interface: controller.interface,
            rate: controller.rate,
            allow_nonzero_velocity_at_end: controller.allow_nonzero_velocity_at_end,
            joints: controller.joints.iter().filter_map(index).collect(),
        })
        .collect()
}

/// The joints that follow another: (joint, driver, multiplier, offset).
fn mimics(urdf: &Urdf) -> Vec<(String, String, f64, f64)> {
    let mimics = urdf.tree.joints.values().filter_map(|joint| {
        let mimic = joint.mimic.as_ref()?;
        let (multiplier, offset) = (mimic.multiplier.unwrap_or(1.0), mimic.offset.unwrap_or(0.0));
        Some((joint.name.clone(), mimic.joint.clone(), multiplier, offset))
    });
    mimics.collect()
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
