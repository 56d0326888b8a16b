//! What `f1 doctor` says of a robot's limits and collision shapes, and `--fit-collisions`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use f1_robot::clearance::LeftOutReason;
use f1_robot::robot_file::ControllerInterface;
use f1_robot::{LimitSource, Robot};

use super::finding::Finding;

/// The joints' limits: how many come from where, and what the URDF does not state.
pub fn limits(robot: &Robot) -> Finding {
    let mut counts = [("the URDF", 0), ("soft limits", 0), ("the robot file", 0), ("unbounded", 0)];
    let mut not_stated = Vec::new();
    for (joint, sources) in robot.joints().iter().zip(robot.limit_sources()) {
        for source in
            [sources.lower, sources.upper, sources.velocity, sources.acceleration, sources.jerk]
        {
            counts[source_index(source)].1 += 1;
        }
        if !sources.not_stated.is_empty() {
            not_stated.push(format!("{} ({})", joint.name, sources.not_stated.join(", ")));
        }
    }
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(from, count)| format!("{count} from {from}")).collect();
    let mut found = counts.join(", ").replace(" from unbounded", " unbounded");
    if !not_stated.is_empty() {
        let _ = write!(found, "; the URDF does not state: {}", not_stated.join(", "));
    }
    Finding::good("limits", found)
}

fn source_index(source: LimitSource) -> usize {
    match source {
        LimitSource::Urdf => 0,
        LimitSource::SafetyController => 1,
        LimitSource::RobotFile => 2,
        LimitSource::Unbounded => 3,
    }
}

/// What a controller of positions does when our process dies; `None` without such a controller.
pub fn streams(robot: &Robot) -> Option<Finding> {
    let streams = robot.controllers().iter();
    let streams = streams.filter(|one| one.interface == ControllerInterface::PositionStream);
    let names: Vec<String> = streams.map(|one| one.full_name()).collect();
    (!names.is_empty()).then(|| {
        Finding::warning(
            "position_stream",
            format!(
                "{} hold their last position when nothing more comes: if this process dies in \
                 motion, the robot stops as hard as its drives do it",
                names.join(", ")
            ),
            "use a JointTrajectoryController (interface: joint_trajectory) where there is one",
        )
    })
}

/// What the clearance check looks at, and what it leaves out.
pub fn clearance(robot: &Robot) -> Finding {
    let clearance = robot.clearance();
    let (shapes, own, scene) = clearance.size();
    let mut found =
        format!("{shapes} shapes, {own} pairs of links' shapes, {scene} with the scene");
    if !clearance.fitted().is_empty() {
        let _ = write!(found, "; shapes made from meshes: {}", clearance.fitted().join(", "));
    }
    if !clearance.given().is_empty() {
        let _ = write!(found, "; from the robot file: {}", clearance.given().join(", "));
    }
    if !clearance.left_out().is_empty() {
        let pairs: Vec<String> = clearance.left_out().iter().map(ToString::to_string).collect();
        let _ = write!(found, "; not checked: {}", pairs.join(", "));
    }
    let at_home = clearance.left_out().iter().any(|pair| pair.reason == LeftOutReason::AtHome);
    match clearance.unchecked() {
        [] if at_home => Finding::warning(
            "clearance",
            found,
            "see that the two cannot collide elsewhere, or give them closer shapes: \
             `collision_shapes` in the robot file",
        ),
        [] => Finding::good("clearance", found),
        links => Finding::warning(
            "clearance",
            format!(
                "links without a collision shape, never checked: {}; {found}",
                links.join(", ")
            ),
            "give them shapes: `collision_shapes` in the robot file, or <collision> in the URDF",
        ),
    }
}

/// Writes the robot file with the shapes of all links, so that it can be used where the meshes are
/// not.
///
/// # Errors
/// A robot file that cannot be loaded or has shapes already; a file that cannot be written.
pub fn fit_collisions(file: &Path, output: &Path) -> anyhow::Result<()> {
    let robot = Robot::load(file)?;
    if !robot.file().collision_shapes.is_empty() {
        bail!("{} has collision_shapes already: take them out to make new ones", file.display());
    }
    let mut text = std::fs::read_to_string(file)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&shapes_section(&robot));
    std::fs::write(output, text)
        .with_context(|| format!("{} cannot be written", output.display()))?;
    println!("{}", output.display());
    Ok(())
}

/// `collision_shapes` as YAML.
fn shapes_section(robot: &Robot) -> String {
    let mut text = String::from(
        "# Convex shapes that enclose the links' collision meshes (f1 doctor --fit-collisions).\n\
         collision_shapes:\n",
    );
    let mut last = "";
    for (link, shape) in robot.clearance().shapes() {
        if link != last {
            let _ = writeln!(text, "  {link}:");
            last = link;
        }
        let points: Vec<String> = shape
            .points
            .iter()
            .map(|point| format!("[{:?}, {:?}, {:?}]", point.x, point.y, point.z))
            .collect();
        let _ = writeln!(
            text,
            "    - radius: {:?}\n      points: [{}]",
            shape.radius,
            points.join(", ")
        );
    }
    text
}
