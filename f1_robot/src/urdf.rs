//! Reading a URDF: its text, its tree, and which limits it really states.

use std::collections::BTreeMap;

use roxmltree::{Document, Node, ParsingOptions};

use crate::kinematics::Tree;
use crate::robot_file::reader::Faults;

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

/// A URDF that was read.
pub(crate) struct Urdf {
    /// Its links and joints.
    pub(crate) tree: Tree,
    /// The limits that each joint states.
    stated: BTreeMap<String, StatedLimits>,
}

/// The limits that a joint's URDF element states. A number that a default made up is not stated: a
/// velocity of zero, an absent bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct StatedLimits {
    pub(crate) lower: Option<f64>,
    pub(crate) upper: Option<f64>,
    /// Bounds of `<safety_controller>`.
    pub(crate) soft_lower: Option<f64>,
    pub(crate) soft_upper: Option<f64>,
    pub(crate) velocity: Option<f64>,
    pub(crate) acceleration: Option<f64>,
    pub(crate) jerk: Option<f64>,
    /// There is a velocity of zero, which counts as not stated.
    pub(crate) zero_velocity: bool,
}

impl Urdf {
    /// Reads a URDF; faults have the path `urdf` and name the joint or link.
    pub(crate) fn parse(text: &str, faults: &mut Faults) -> Option<Self> {
        if !is_shallow(text) {
            faults.add(
                "urdf",
                format!("not a URDF: elements are nested deeper than {MAX_URDF_DEPTH}"),
            );
            return None;
        }
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let document = match Document::parse_with_options(text, options) {
            Ok(document) => document,
            Err(error) => {
                faults.add("urdf", format!("not a URDF: {error}"));
                return None;
            }
        };
        let robot = match urdf_rs::read_from_string(text) {
            Ok(robot) => robot,
            Err(error) => {
                if !blame(&document, text, faults) {
                    faults.add("urdf", format!("not a URDF: {error}"));
                }
                return None;
            }
        };
        let tree = Tree::new(&robot, faults)?;
        let mut stated: BTreeMap<String, StatedLimits> = BTreeMap::new();
        for element in elements(&document).filter(|element| element.has_tag_name("joint")) {
            let name = element.attribute("name").unwrap_or_default();
            if let Some(joint) = robot.joints.iter().find(|joint| joint.name == name) {
                stated.insert(name.into(), StatedLimits::of(&element, joint));
            }
        }
        Some(Self { tree, stated })
    }

    /// The limits that a joint states.
    pub(crate) fn stated(&self, joint: &str) -> StatedLimits {
        self.stated.get(joint).cloned().unwrap_or_default()
    }
}

/// The elements of `<robot>`.
fn elements<'a, 'input>(document: &'a Document<'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    document.root_element().children().filter(Node::is_element)
}

/// Finds the joints and links that cannot be read, by reading each alone. Whether there are any.
fn blame(document: &Document<'_>, text: &str, faults: &mut Faults) -> bool {
    let version = document.root_element().attribute("version").unwrap_or("1.0");
    let before = faults.list.len();
    for element in elements(document) {
        let kind = element.tag_name().name();
        if !matches!(kind, "joint" | "link") {
            continue;
        }
        let Some(own) = text.get(element.range()) else { continue };
        let alone = format!("<robot name=\"alone\" version=\"{version}\">{own}</robot>");
        if let Err(error) = urdf_rs::read_from_string(&alone) {
            let line = document.text_pos_at(element.range().start).row;
            let named = match element.attribute("name") {
                Some(name) => format!("{kind} `{name}`"),
                None => format!("a {kind} without a name"),
            };
            faults.add("urdf", format!("{named} (line {line}): {error}"));
        }
    }
    faults.list.len() > before
}

impl StatedLimits {
    fn of(element: &Node<'_, '_>, joint: &urdf_rs::Joint) -> Self {
        let child = |name: &str| element.children().find(|child| child.has_tag_name(name));
        let mut stated = Self::default();
        if let Some(limit) = child("limit") {
            let urdf = &joint.limit;
            let has = |name: &str, value: f64| {
                (limit.has_attribute(name) && value.is_finite()).then_some(value)
            };
            stated.zero_velocity = urdf.velocity == 0.0 && limit.has_attribute("velocity");
            stated.velocity = has("velocity", urdf.velocity).filter(|velocity| *velocity != 0.0);
            // Some exporters write zeros for everything that was left open.
            let all_zero = urdf.lower == 0.0 && urdf.upper == 0.0 && urdf.velocity == 0.0;
            if !all_zero {
                stated.lower = has("lower", urdf.lower);
                stated.upper = has("upper", urdf.upper);
            }
            let acceleration = urdf.acceleration.min(urdf.deceleration);
            stated.acceleration = acceleration.is_finite().then_some(acceleration);
            stated.jerk = urdf.jerk.is_finite().then_some(urdf.jerk);
        }
        if let (Some(controller), Some(urdf)) =
            (child("safety_controller"), &joint.safety_controller)
        {
            let has = |name: &str, value: f64| {
                (controller.has_attribute(name) && value.is_finite()).then_some(value)
            };
            let (lower, upper) = (urdf.soft_lower_limit, urdf.soft_upper_limit);
            // Both zero is what a default makes of a controller without soft limits.
            if lower != 0.0 || upper != 0.0 {
                stated.soft_lower = has("soft_lower_limit", lower);
                stated.soft_upper = has("soft_upper_limit", upper);
            }
        }
        stated
    }
}
