//! What the filter knows, for RViz: the workspace box, the scene, the robot's collision shapes, and
//! what limits motion.

use f1_interfaces::builtin_interfaces::msg::Time as WireTime;
use f1_interfaces::geometry_msgs::msg::{Point, Pose, Vector3 as WireVector};
use f1_interfaces::std_msgs::msg::ColorRGBA;
use f1_interfaces::visualization_msgs::msg::{Marker, MarkerArray};
use f1_robot::Robot;
use f1_robot::clearance::{Scene, Shape, Solid};
use nalgebra::{Isometry3, Point3, Rotation3, UnitQuaternion, Vector3};

const BOX: [f32; 4] = [0.2, 0.6, 1.0, 0.6];
const OBSTACLE: [f32; 4] = [0.6, 0.6, 0.6, 0.5];
const OBJECT: [f32; 4] = [0.9, 0.7, 0.2, 0.8];
const LINK: [f32; 4] = [0.3, 0.8, 0.3, 0.25];
const NEAR: [f32; 4] = [1.0, 0.2, 0.1, 0.6];
const TEXT: [f32; 4] = [1.0, 1.0, 1.0, 1.0];

/// Width of lines, m.
const LINE: f64 = 0.004;
/// A body of at most so many corners is drawn by the lines between all of them.
const FEW: usize = 8;

/// What is shown beside the robot's own shapes.
pub(super) struct Shown<'a> {
    /// Objects that came.
    pub scene: Option<&'a Scene>,
    /// Pairs of links and objects that are near each other, as `a - b; c - d`.
    pub near: &'a str,
    /// What limits motion, in words.
    pub text: &'a str,
    /// ROS time, ns.
    pub now_ns: i64,
}

impl Shown<'_> {
    fn is_near(&self, name: &str) -> bool {
        self.near.split("; ").flat_map(|pair| pair.split(" - ")).any(|one| one == name)
    }
}

struct Drawing {
    markers: Vec<Marker>,
    stamp: WireTime,
    root: String,
}

/// All markers; the first one removes those of before.
pub(super) fn markers(robot: &Robot, shown: &Shown<'_>) -> MarkerArray {
    let names = robot.kinematics().link_names();
    let root = names.first().cloned().unwrap_or_default();
    let stamp = WireTime::saturating_from_nanoseconds(shown.now_ns);
    let mut drawing = Drawing { markers: Vec::new(), stamp, root };
    let clear = Marker { action: Marker::DELETEALL, ..Marker::default() };
    drawing.markers.push(clear);
    for space in &robot.file().workspace {
        let (min, max) = (Vector3::from(space.min), Vector3::from(space.max));
        let corners = corners(&((max - min) * 0.5));
        let center = Isometry3::translation_from((min + max) * 0.5);
        drawing.edges("workspace", &corners, &center, BOX);
    }
    for obstacle in &robot.file().scene {
        let [roll, pitch, yaw] = obstacle.rpy;
        let turn = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
        let pose = Isometry3::from_parts(Vector3::from(obstacle.center).into(), turn);
        let marker = drawing.new_marker("scene", Marker::CUBE, OBSTACLE, &pose);
        marker.scale = vector(&Vector3::from(obstacle.size));
    }
    for (link, shape) in robot.clearance().shapes() {
        let color = if shown.is_near(link) { NEAR } else { LINK };
        drawing.shape("links", Some(link), shape, color);
    }
    if let Some(scene) = shown.scene {
        for object in &scene.objects {
            let color = if shown.is_near(&object.name) { NEAR } else { OBJECT };
            for solid in &object.solids {
                if let Solid::Hull(shape) = solid {
                    drawing.shape("objects", None, shape, color);
                }
            }
        }
        for held in &scene.held {
            let color = if shown.is_near(&held.name) { NEAR } else { OBJECT };
            for shape in &held.shapes {
                drawing.shape("held", Some(&held.link), shape, color);
            }
        }
    }
    if !shown.text.is_empty() {
        let above = Isometry3::translation(0.0, 0.0, 1.2);
        let marker = drawing.new_marker("limit", Marker::TEXT_VIEW_FACING, TEXT, &above);
        marker.scale = vector(&Vector3::repeat(0.06));
        marker.text = shown.text.to_owned();
    }
    MarkerArray { markers: drawing.markers }
}

/// A translation without a rotation.
trait TranslationFrom {
    fn translation_from(by: Vector3<f64>) -> Self;
}

impl TranslationFrom for Isometry3<f64> {
    fn translation_from(by: Vector3<f64>) -> Self {
        Isometry3::from_parts(by.into(), UnitQuaternion::identity())
    }
}

fn corners(half: &Vector3<f64>) -> Vec<Point3<f64>> {
    let sign = |corner: usize, axis: usize| if corner >> axis & 1 == 0 { -1.0 } else { 1.0 };
    let corner =
        |c: usize| Point3::new(sign(c, 0) * half.x, sign(c, 1) * half.y, sign(c, 2) * half.z);
    (0..8).map(corner).collect()
}

fn vector(of: &Vector3<f64>) -> WireVector {
    WireVector { x: of.x, y: of.y, z: of.z }
}

fn point(of: &Point3<f64>) -> Point {
    Point { x: of.x, y: of.y, z: of.z }
}

fn pose(of: &Isometry3<f64>) -> Pose {
    let mut message = Pose { position: point(&of.translation.vector.into()), ..Pose::default() };
    let turn = of.rotation;
    (message.orientation.x, message.orientation.y) = (turn.i, turn.j);
    (message.orientation.z, message.orientation.w) = (turn.k, turn.w);
    message
}

impl Drawing {
    fn new_marker(
        &mut self,
        namespace: &str,
        kind: i32,
        [r, g, b, a]: [f32; 4],
        at: &Isometry3<f64>,
    ) -> &mut Marker {
        let mut marker = Marker {
            ns: namespace.to_owned(),
            id: i32::try_from(self.markers.len()).unwrap_or(i32::MAX),
            r#type: kind,
            pose: pose(at),
            color: ColorRGBA { r, g, b, a },
            ..Marker::default()
        };
        marker.header.stamp = self.stamp;
        marker.header.frame_id.clone_from(&self.root);
        let index = self.markers.len();
        self.markers.push(marker);
        &mut self.markers[index]
    }

    /// The edges of a box, given its corners.
    fn edges(
        &mut self,
        namespace: &str,
        corners: &[Point3<f64>],
        at: &Isometry3<f64>,
        color: [f32; 4],
    ) {
        let marker = self.new_marker(namespace, Marker::LINE_LIST, color, at);
        marker.scale.x = LINE;
        for (a, one) in corners.iter().enumerate() {
            for (b, other) in corners.iter().enumerate().skip(a + 1) {
                if (a ^ b).is_power_of_two() {
                    marker.points.extend([point(one), point(other)]);
                }
            }
        }
    }

    /// A convex body, in a link's frame or in the root.
    fn shape(&mut self, namespace: &str, link: Option<&str>, shape: &Shape, color: [f32; 4]) {
        let first = self.markers.len();
        let still = Isometry3::identity();
        if shape.radius > 0.0 || shape.points.len() > FEW {
            let marker = self.new_marker(namespace, Marker::SPHERE_LIST, color, &still);
            marker.scale = vector(&Vector3::repeat((2.0 * shape.radius).max(2.0 * LINE)));
            marker.points = shape.points.iter().map(point).collect();
        }
        if let [a, b] = shape.points[..] {
            let axis = b - a;
            let turn = Rotation3::rotation_between(&Vector3::z(), &axis);
            // Opposite to z, any axis across it will do.
            let turn = turn.unwrap_or_else(|| {
                Rotation3::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI)
            });
            let at = Isometry3::from_parts(
                (a + axis * 0.5).coords.into(),
                UnitQuaternion::from_rotation_matrix(&turn),
            );
            let marker = self.new_marker(namespace, Marker::CYLINDER, color, &at);
            marker.scale =
                vector(&Vector3::new(2.0 * shape.radius, 2.0 * shape.radius, axis.norm()));
        } else if shape.points.len() <= FEW {
            let marker = self.new_marker(namespace, Marker::LINE_LIST, color, &still);
            marker.scale.x = LINE;
            for (index, one) in shape.points.iter().enumerate() {
                for other in &shape.points[index + 1..] {
                    marker.points.extend([point(one), point(other)]);
                }
            }
        }
        if let Some(link) = link {
            for marker in &mut self.markers[first..] {
                // It moves with the link between two messages.
                marker.frame_locked = true;
                marker.header.frame_id = link.to_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use f1_robot::clearance::SceneObject;

    use super::*;

    #[test]
    fn workspace_scene_links_and_text_are_drawn_and_what_is_near_has_another_colour() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
        let robot = Robot::load(&file).unwrap();
        let cup = SceneObject {
            name: "cup".into(),
            solids: vec![Solid::Hull(Shape::cuboid([0.1, 0.1, 0.1]))],
        };
        let scene = Scene { objects: vec![cup], ..Scene::default() };
        let shown = Shown {
            scene: Some(&scene),
            near: "tool_link - cup; tool_link - link70",
            text: "velocity of joint1",
            now_ns: 5,
        };
        let markers = markers(&robot, &shown).markers;
        let of = |namespace: &str| -> Vec<&Marker> {
            markers.iter().filter(|marker| marker.ns == namespace).collect()
        };
        assert_eq!(markers[0].action, Marker::DELETEALL);
        // A box has twelve edges.
        assert!(of("workspace").iter().all(|marker| marker.points.len() == 24));
        assert_eq!(of("workspace").len(), robot.file().workspace.len());
        assert_eq!(of("scene").len(), robot.file().scene.len());
        assert_eq!(of("limit")[0].text, "velocity of joint1");
        let red = |marker: &Marker| marker.color.r == NEAR[0];
        assert!(of("objects").iter().all(|marker| red(marker)));
        let links = of("links");
        let near = |marker: &Marker| marker.header.frame_id == "tool_link";
        assert!(links.iter().all(|marker| red(marker) == near(marker) && marker.frame_locked));
        let mut ids: Vec<i32> = markers.iter().map(|marker| marker.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), markers.len());
    }
}
