//! Checks of a robot file for itself; what concerns the URDF is checked in [`crate::Robot::load`].

use std::collections::BTreeSet;

use super::reader::Faults;
use super::{
    ActionPart, Binarise, CameraRole, ControllerInterface, JointLimit, MAX_ENTRIES, RobotFile,
    RotationFormat, StatePart, full_name,
};

/// The fastest action rate, Hz.
const MAX_RATE_HZ: f64 = 1000.0;

/// Whether the file is of a size worth checking; a longer one gets a fault.
pub(crate) fn sizes(file: &RobotFile, faults: &mut Faults) -> bool {
    let limits = [
        ("state.parts", file.state_dim()),
        ("action.parts", file.action_dim()),
        ("controllers", file.controllers.iter().map(|controller| controller.joints.len()).sum()),
        ("arms", file.arms.iter().map(|arm| arm.joints.len()).sum()),
        ("scene", file.scene.iter().map(|obstacle| obstacle.allow.len() + 1).sum()),
    ];
    let mut good = true;
    for (path, entries) in limits {
        if entries > MAX_ENTRIES {
            faults.add(path, format!("{entries} entries; at most {MAX_ENTRIES}"));
            good = false;
        }
    }
    good
}

/// Adds every fault of `file`.
pub(crate) fn check(file: &RobotFile, faults: &mut Faults) {
    name(&file.name, "name", faults);
    if file.urdf.is_empty() {
        faults.add("urdf", "empty");
    }
    joint_states(file, faults);
    cameras(file, faults);
    arms(file, faults);
    grippers(file, faults);
    state(file, faults);
    action(file, faults);
    if file.statistics.name.is_empty() {
        faults.add("statistics.name", "empty");
    }
    controllers(file, faults);
    for (joint, limit) in &file.joint_limits {
        joint_limit(&format!("joint_limits.{joint}"), limit, faults);
    }
    surroundings(file, faults);
    home(file, faults);
}

fn name(value: &str, path: &str, faults: &mut Faults) {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if value.is_empty()
        || !value.chars().all(good)
        || value.starts_with(|c: char| c.is_ascii_digit())
    {
        faults.add(
            path,
            format!("`{value}` is not a name: letters, digits and `_`, not first a digit"),
        );
    }
}

fn topic(value: &str, path: &str, faults: &mut Faults) {
    let good = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let relative = value.strip_prefix('/').unwrap_or(value);
    if !relative.split('/').all(good) {
        faults.add(path, format!("`{value}` is not a topic name"));
    }
}

fn joint_states(file: &RobotFile, faults: &mut Faults) {
    let topics = file.joint_states.as_slice();
    if topics.is_empty() {
        faults.add("joint_states", "at least one topic is needed");
    }
    let path = |index: usize| match topics.len() {
        1 => "joint_states".to_owned(),
        _ => format!("joint_states[{index}]"),
    };
    for (index, name) in topics.iter().enumerate() {
        topic(name, &path(index), faults);
    }
    twice(topics.iter().enumerate().map(|(i, t)| (path(i), t.as_str())), "topic", faults);
}

/// Reports names that occur twice.
fn twice<'a>(names: impl Iterator<Item = (String, &'a str)>, what: &str, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for (path, name) in names {
        if !seen.insert(name) {
            faults.add(path, format!("{what} `{name}` is named twice"));
        }
    }
}

fn cameras(file: &RobotFile, faults: &mut Faults) {
    if file.cameras.is_empty() {
        faults.add("cameras", "at least one camera is needed");
    }
    let named = file
        .cameras
        .iter()
        .enumerate()
        .map(|(i, c)| (format!("cameras[{i}].name"), c.name.as_str()));
    twice(named, "camera", faults);
    let topics = file.cameras.iter().enumerate().filter(|(_, camera)| camera.mask);
    twice(topics.map(|(i, c)| (format!("cameras[{i}].topic"), c.topic.as_str())), "topic", faults);
    for (i, camera) in file.cameras.iter().enumerate() {
        name(&camera.name, &format!("cameras[{i}].name"), faults);
        topic(&camera.topic, &format!("cameras[{i}].topic"), faults);
        if camera.roles.is_empty() {
            faults.add(format!("cameras[{i}].roles"), "no role: `und`, `history` or both");
        }
        for (j, role) in camera.roles.iter().enumerate() {
            if camera.roles[..j].contains(role) {
                faults.add(format!("cameras[{i}].roles[{j}]"), "named twice");
            }
        }
        if !camera.mask && camera.roles.contains(&CameraRole::History) {
            faults.add(format!("cameras[{i}].mask"), "the history camera cannot be masked");
        }
    }
    let with = |role| file.cameras.iter().filter(|camera| camera.roles.contains(&role)).count();
    if with(CameraRole::History) != 1 {
        faults.add(
            "cameras",
            format!(
                "{} cameras have the role `history`; exactly one must",
                with(CameraRole::History)
            ),
        );
    }
    if !file.cameras.iter().any(|camera| camera.mask && camera.roles.contains(&CameraRole::Und)) {
        faults.add("cameras", "no camera has the role `und`");
    }
}

fn arms(file: &RobotFile, faults: &mut Faults) {
    if file.arms.is_empty() {
        faults.add("arms", "at least one arm is needed");
    }
    let named =
        file.arms.iter().enumerate().map(|(i, arm)| (format!("arms[{i}].name"), arm.name.as_str()));
    twice(named, "arm", faults);
    for (i, arm) in file.arms.iter().enumerate() {
        name(&arm.name, &format!("arms[{i}].name"), faults);
        if arm.joints.is_empty() {
            faults.add(format!("arms[{i}].joints"), "empty");
        }
    }
    let joints = file.arms.iter().enumerate().flat_map(|(i, arm)| {
        arm.joints
            .iter()
            .enumerate()
            .map(move |(j, joint)| (format!("arms[{i}].joints[{j}]"), joint.as_str()))
    });
    twice(joints, "joint", faults);
}

fn grippers(file: &RobotFile, faults: &mut Faults) {
    let named = file.grippers.iter().enumerate();
    twice(named.map(|(i, g)| (format!("grippers[{i}].name"), g.name.as_str())), "gripper", faults);
    let joints = file.grippers.iter().enumerate();
    twice(joints.map(|(i, g)| (format!("grippers[{i}].joint"), g.joint.as_str())), "joint", faults);
    for (i, gripper) in file.grippers.iter().enumerate() {
        let at = format!("grippers[{i}]");
        name(&gripper.name, &format!("{at}.name"), faults);
        if gripper.open == gripper.closed {
            faults.add(format!("{at}.open"), "open and closed are the same position");
        }
        let [least, greatest] = gripper.action_range;
        if least >= greatest {
            faults.add(
                format!("{at}.action_range"),
                format!("[{least}, {greatest}]: the first must be the lesser"),
            );
        }
        if let Binarise::At(threshold) = gripper.binarise
            && !(least..=greatest).contains(&threshold)
        {
            faults.add(
                format!("{at}.binarise"),
                format!("the threshold {threshold} is outside action_range [{least}, {greatest}]"),
            );
        }
        if gripper.max_effort.is_some_and(|effort| effort <= 0.0) {
            faults.add(format!("{at}.max_effort"), "must be greater than 0");
        }
        if file.arms.iter().any(|arm| arm.joints.contains(&gripper.joint)) {
            faults
                .add(format!("{at}.joint"), format!("joint `{}` belongs to an arm", gripper.joint));
        }
    }
}

/// Reports an arm or gripper that does not exist, unless that section itself could not be read.
fn known(exists: bool, section: &str, what: &str, name: &str, path: String, faults: &mut Faults) {
    if !exists && !faults.touches_unreadable(section) {
        faults.add(path, format!("unknown {what} `{name}`"));
    }
}

fn state(file: &RobotFile, faults: &mut Faults) {
    if file.state.parts.is_empty() {
        faults.add("state.parts", "empty");
    }
    for (i, part) in file.state.parts.iter().enumerate() {
        let at = format!("state.parts[{i}]");
        match part {
            StatePart::JointPositions(part) => {
                if part.joints.is_empty() {
                    faults.add(format!("{at}.joints"), "empty");
                }
                scale(&part.scale, part.joints.len(), &at, faults);
                offset(&part.offset, part.joints.len(), &at, faults);
            }
            StatePart::EndEffectorPose(part) => {
                let exists = file.arm(&part.arm).is_some();
                known(exists, "arms", "arm", &part.arm, format!("{at}.arm"), faults);
            }
            StatePart::Gripper(part) => {
                let exists = file.gripper(&part.gripper).is_some();
                known(
                    exists,
                    "grippers",
                    "gripper",
                    &part.gripper,
                    format!("{at}.gripper"),
                    faults,
                );
            }
            StatePart::Padding(part) => padding(part.width, &at, faults),
        }
    }
}

/// A factor for each joint, or none.
fn scale(scale: &[f64], joints: usize, at: &str, faults: &mut Faults) {
    if !scale.is_empty() && scale.len() != joints {
        faults.add(format!("{at}.scale"), format!("{} factors for {joints} joints", scale.len()));
    }
    for (j, _) in scale.iter().enumerate().filter(|(_, scale)| **scale == 0.0) {
        faults.add(format!("{at}.scale[{j}]"), "must not be 0");
    }
}

/// An offset for each joint, or none.
fn offset(offset: &[f64], joints: usize, at: &str, faults: &mut Faults) {
    if !offset.is_empty() && offset.len() != joints {
        faults.add(format!("{at}.offset"), format!("{} offsets for {joints} joints", offset.len()));
    }
}

fn padding(width: usize, at: &str, faults: &mut Faults) {
    if !(1..=MAX_ENTRIES).contains(&width) {
        faults.add(format!("{at}.width"), format!("must be 1 to {MAX_ENTRIES}"));
    }
}

fn action(file: &RobotFile, faults: &mut Faults) {
    let rate = file.action.rate_hz;
    if !(rate > 0.0 && rate <= MAX_RATE_HZ) {
        faults.add(
            "action.rate_hz",
            format!("{rate} is not a rate: above 0, at most {MAX_RATE_HZ} Hz"),
        );
    }
    if file.action.parts.is_empty() {
        faults.add("action.parts", "empty");
    }
    let mut commanded: Vec<(String, &str)> = Vec::new();
    for (i, part) in file.action.parts.iter().enumerate() {
        let at = format!("action.parts[{i}]");
        let joints = match part {
            ActionPart::JointPositions(part) => {
                scale(&part.scale, part.joints.len(), &at, faults);
                offset(&part.offset, part.joints.len(), &at, faults);
                Some(&part.joints)
            }
            ActionPart::JointDeltas(part) => {
                scale(&part.scale, part.joints.len(), &at, faults);
                Some(&part.joints)
            }
            _ => None,
        };
        if let Some(joints) = joints {
            if joints.is_empty() {
                faults.add(format!("{at}.joints"), "empty");
            }
            commanded.extend(
                joints
                    .iter()
                    .enumerate()
                    .map(|(j, name)| (format!("{at}.joints[{j}]"), name.as_str())),
            );
        }
        match part {
            ActionPart::EndEffectorDelta(part) => {
                let arm = file.arm(&part.arm);
                known(arm.is_some(), "arms", "arm", &part.arm, format!("{at}.arm"), faults);
                commanded.extend(
                    arm.iter()
                        .flat_map(|arm| &arm.joints)
                        .map(|joint| (format!("{at}.arm"), joint.as_str())),
                );
                if !matches!(part.rotation, RotationFormat::AxisAngle | RotationFormat::Rpy) {
                    faults.add(
                        format!("{at}.rotation"),
                        "a delta is written as `axis_angle` or `rpy`",
                    );
                }
                for (key, scale) in [
                    ("position_scale", part.position_scale),
                    ("rotation_scale", part.rotation_scale),
                ] {
                    if scale <= 0.0 {
                        faults.add(format!("{at}.{key}"), "must be greater than 0");
                    }
                }
            }
            ActionPart::Gripper(part) => {
                let gripper = file.gripper(&part.gripper);
                known(
                    gripper.is_some(),
                    "grippers",
                    "gripper",
                    &part.gripper,
                    format!("{at}.gripper"),
                    faults,
                );
                commanded.extend(
                    gripper.map(|gripper| (format!("{at}.gripper"), gripper.joint.as_str())),
                );
            }
            ActionPart::Padding(part) => padding(part.width, &at, faults),
            ActionPart::JointPositions(_) | ActionPart::JointDeltas(_) => {}
        }
    }
    twice(commanded.into_iter(), "joint", faults);
}

fn controllers(file: &RobotFile, faults: &mut Faults) {
    if file.controllers.is_empty() {
        faults.add("controllers", "at least one controller is needed");
    }
    let full = |i: usize| full_name(&file.controllers[i].namespace, &file.controllers[i].name);
    for (i, controller) in file.controllers.iter().enumerate() {
        let at = format!("controllers[{i}]");
        topic(&controller.name, &format!("{at}.name"), faults);
        if !matches!(controller.namespace.as_str(), "" | "/") {
            topic(&controller.namespace, &format!("{at}.namespace"), faults);
        }
        if (0..i).any(|j| full(j) == full(i)) {
            faults.add(
                format!("{at}.name"),
                format!("controller `{}` is named twice", controller.name),
            );
        }
        if controller.joints.is_empty() {
            faults.add(format!("{at}.joints"), "empty");
        }
        let streams = controller.interface == ControllerInterface::PositionStream;
        match controller.rate {
            Some(rate) if streams && (50.0..=1000.0).contains(&rate) => {}
            None if !streams => {}
            Some(_) if !streams => {
                faults.add(format!("{at}.rate"), "only `interface: position_stream` has a rate");
            }
            _ => {
                let rate = format!("{at}.rate");
                faults.add(rate, "`interface: position_stream` needs a rate of 50 to 1000 Hz");
            }
        }
        let for_gripper = matches!(
            controller.interface,
            ControllerInterface::GripperCommand | ControllerInterface::ParallelGripperCommand
        );
        let one_gripper = controller.joints.len() == 1
            && file.grippers.iter().any(|gripper| gripper.joint == controller.joints[0]);
        if for_gripper && !one_gripper && !faults.touches_unreadable("grippers") {
            faults.add(
                format!("{at}.interface"),
                "a gripper action moves exactly one joint, a gripper's",
            );
        }
    }
    let owned: Vec<(String, &str, &str)> = file
        .controllers
        .iter()
        .enumerate()
        .flat_map(|(i, controller)| {
            let joints = controller.joints.iter().enumerate();
            joints.map(move |(j, joint)| {
                (format!("controllers[{i}].joints[{j}]"), joint.as_str(), controller.name.as_str())
            })
        })
        .collect();
    for (i, (path, joint, _)) in owned.iter().enumerate() {
        if let Some((_, _, first)) = owned[..i].iter().find(|(_, other, _)| other == joint) {
            faults.add(
                path.as_str(),
                format!("joint `{joint}` is moved by controller `{first}` already"),
            );
        }
    }
    if faults.touches_unreadable("arms")
        || faults.touches_unreadable("grippers")
        || faults.touches_unreadable("action")
    {
        return;
    }
    let commanded = file.action_joints();
    for joint in &commanded {
        if !owned.iter().any(|(_, owned, _)| owned == joint) {
            faults.add(
                "controllers",
                format!("no controller moves joint `{joint}` of the action layout"),
            );
        }
    }
    for (path, joint, _) in owned {
        if !commanded.iter().any(|name| name == joint) {
            faults.add(
                path,
                format!("joint `{joint}` is not in the action layout: nothing would command it"),
            );
        }
    }
}

fn joint_limit(at: &str, limit: &JointLimit, faults: &mut Faults) {
    if let (Some(lower), Some(upper)) = (limit.lower, limit.upper)
        && lower > upper
    {
        faults.add(format!("{at}.lower"), format!("lower {lower} is greater than upper {upper}"));
    }
    for (key, value) in
        [("velocity", limit.velocity), ("acceleration", limit.acceleration), ("jerk", limit.jerk)]
    {
        if let Some(value) = value.filter(|value| *value < 0.0) {
            faults.add(format!("{at}.{key}"), format!("{value} is negative"));
        }
    }
}

fn surroundings(file: &RobotFile, faults: &mut Faults) {
    let speed = &file.end_effector_speed;
    for (key, value) in [("full", speed.full), ("teach", speed.teach)] {
        if value <= 0.0 {
            faults.add(format!("end_effector_speed.{key}"), "must be greater than 0");
        }
    }
    let named = file.workspace.iter().enumerate();
    twice(named.map(|(i, w)| (format!("workspace[{i}].arm"), w.arm.as_str())), "arm", faults);
    for (i, workspace) in file.workspace.iter().enumerate() {
        let at = format!("workspace[{i}]");
        let exists = file.arm(&workspace.arm).is_some();
        known(exists, "arms", "arm", &workspace.arm, format!("{at}.arm"), faults);
        for (axis, label) in ["x", "y", "z"].into_iter().enumerate() {
            let (min, max) = (workspace.min[axis], workspace.max[axis]);
            if min >= max {
                faults.add(
                    format!("{at}.min[{axis}]"),
                    format!("{label}: min {min} is not less than max {max}"),
                );
            }
        }
    }
    let named = file.scene.iter().enumerate();
    twice(named.map(|(i, o)| (format!("scene[{i}].name"), o.name.as_str())), "obstacle", faults);
    for (i, obstacle) in file.scene.iter().enumerate() {
        name(&obstacle.name, &format!("scene[{i}].name"), faults);
        for (axis, _) in obstacle.size.iter().enumerate().filter(|(_, size)| **size <= 0.0) {
            faults.add(format!("scene[{i}].size[{axis}]"), "must be greater than 0");
        }
    }
    for (key, value) in [
        ("self_distance", file.clearance.self_distance),
        ("scene_distance", file.clearance.scene_distance),
    ] {
        if value < 0.0 {
            faults.add(format!("clearance.{key}"), "is negative");
        }
    }
    for (link, shapes) in &file.collision_shapes {
        let at = format!("collision_shapes.{link}");
        if shapes.is_empty() {
            faults.add(&at, "empty; a link without shapes is listed in `unchecked_links`");
        }
        for (i, shape) in shapes.iter().enumerate() {
            if shape.points.is_empty() {
                faults.add(format!("{at}[{i}].points"), "at least one point is needed");
            }
            if shape.radius < 0.0 || (shape.radius == 0.0 && shape.points.len() < 2) {
                faults.add(format!("{at}[{i}].radius"), "must be greater than 0");
            }
        }
    }
    for (i, pair) in file.clearance.ignore.iter().enumerate().filter(|(_, pair)| pair.len() != 2) {
        faults
            .add(format!("clearance.ignore[{i}]"), format!("{} links; a pair is two", pair.len()));
    }
}

fn home(file: &RobotFile, faults: &mut Faults) {
    if ["arms", "grippers", "action"].into_iter().any(|section| faults.touches_unreadable(section))
    {
        return;
    }
    let commanded = file.action_joints();
    for joint in &commanded {
        if !file.home.contains_key(joint) {
            faults.add("home", format!("joint `{joint}` of the action layout has no position"));
        }
    }
}
