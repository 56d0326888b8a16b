//! Distances between the robot's links and to fixed obstacles.
//!
//! Every link has convex shapes that enclose it ([`Shape`]); obstacles are boxes. Which pairs are
//! looked at is settled once, when the robot is loaded.

mod cache;
mod capsule;
mod fit;
mod gjk;
mod links;
mod mesh;
mod pairs;
mod scene;
mod shapes;

use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};

pub use capsule::{segment_box_distance, segment_distance};
pub use gjk::hull_distance;
pub(crate) use links::LinkShapes;
pub use pairs::{LeftOut, LeftOutReason};
pub use scene::{HeldObject, PreparedScene, Scene, SceneObject, Solid};
pub use shapes::Shape;

use self::pairs::Pairs;
use crate::JointLimits;
use crate::kinematics::{Kinematics, Tree};
use crate::robot_file::RobotFile;
use crate::robot_file::reader::Faults;

/// A shape with its link and a sphere around it.
#[derive(Debug, Clone, PartialEq)]
struct LinkShape {
    link: usize,
    shape: Shape,
    center: Point3<f64>,
    bound: f64,
}

impl LinkShape {
    fn new(link: usize, shape: Shape) -> Self {
        let points = &shape.points;
        let (least, greatest) = points.iter().fold(
            (Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY)),
            |(least, greatest), point| (least.inf(&point.coords), greatest.sup(&point.coords)),
        );
        let center = Point3::from((least + greatest) * 0.5);
        let furthest = points.iter().map(|point| (point - center).norm()).fold(0.0, f64::max);
        Self { link, center, bound: furthest + shape.radius, shape }
    }
}

#[derive(Debug, Clone)]
struct ObstacleBox {
    name: String,
    inverse: Isometry3<f64>,
    half: Vector3<f64>,
    /// In the root frame.
    corners: [Point3<f64>; 8],
}

/// What is nearest: a distance in m (negative: shapes overlap by that much at most) and between
/// what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// The distance, or the cut-off if nothing is nearer.
    pub distance: f64,
    /// Between which two: link indices for the robot itself; a link and an obstacle's index for
    /// the scene. `None` if nothing is nearer than the cut-off.
    pub pair: Option<(usize, usize)>,
}

/// The nearest pairs at one configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distances {
    /// Between the robot's own links.
    pub own: Nearest,
    /// Between links and obstacles.
    pub scene: Nearest,
}

/// Buffers kept between calls.
#[derive(Debug, Clone, Default)]
pub struct ClearanceScratch {
    poses: Vec<Isometry3<f64>>,
    placed: Vec<Placed>,
    /// The points of all shapes, one shape after the other.
    points: Vec<Point3<f64>>,
}

/// A shape at a configuration, with its bounding sphere.
#[derive(Debug, Clone, Copy)]
struct Placed {
    /// Its points among those of all shapes: the first, and the one after the last.
    points: (usize, usize),
    radius: f64,
    center: Point3<f64>,
    bound: f64,
}

impl ClearanceScratch {
    fn points_of(&self, placed: &Placed) -> &[Point3<f64>] {
        &self.points[placed.points.0..placed.points.1]
    }

    /// The distance of two shapes; one of `cutoff` or more may be less than it really is.
    fn own_distance(&self, i: usize, j: usize, cutoff: f64) -> f64 {
        let (a, b) = (&self.placed[i], &self.placed[j]);
        let radii = a.radius + b.radius;
        let (a, b) = (self.points_of(a), self.points_of(b));
        match (segment(a), segment(b)) {
            (Some((a0, a1)), Some((b0, b1))) => segment_distance(a0, a1, b0, b1) - radii,
            _ => hull_distance(a, b, cutoff + radii) - radii,
        }
    }
}

/// The ends of a hull that is a segment or a point.
fn segment(points: &[Point3<f64>]) -> Option<(&Point3<f64>, &Point3<f64>)> {
    match points {
        [only] => Some((only, only)),
        [a, b] => Some((a, b)),
        _ => None,
    }
}

/// The clearance checks of one robot.
#[derive(Debug, Clone)]
pub struct Clearance {
    kinematics: Kinematics,
    shapes: Vec<LinkShape>,
    obstacles: Vec<ObstacleBox>,
    /// Shape against shape.
    own_pairs: Vec<(usize, usize)>,
    /// Shape against obstacle.
    scene_pairs: Vec<(usize, usize)>,
    /// By link: whether the joints move it.
    moving: Vec<bool>,
    /// By link: the first link of its rigid body.
    bodies: Vec<usize>,
    left_out: Vec<LeftOut>,
    unchecked: Vec<String>,
    fitted: Vec<String>,
    given: Vec<String>,
    self_distance: f64,
    scene_distance: f64,
}

impl Clearance {
    pub(crate) fn new(
        tree: &Tree,
        kinematics: &Kinematics,
        joints: &[JointLimits],
        home: &[f64],
        file: &RobotFile,
        of_links: LinkShapes,
        faults: &mut Faults,
    ) -> Self {
        let shapes = of_links.shapes.into_iter().enumerate();
        let shapes: Vec<LinkShape> = shapes
            .flat_map(|(link, shapes)| {
                shapes.into_iter().map(move |shape| LinkShape::new(link, shape))
            })
            .collect();
        let obstacles = file
            .scene
            .iter()
            .map(|obstacle| {
                let [roll, pitch, yaw] = obstacle.rpy;
                let rotation = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
                let pose = Isometry3::from_parts(Point3::from(obstacle.center).into(), rotation);
                let half = Vector3::from(obstacle.size) * 0.5;
                let corners = std::array::from_fn(|corner| {
                    let sign = |axis: usize| if corner >> axis & 1 == 0 { -1.0 } else { 1.0 };
                    pose * Point3::new(sign(0) * half.x, sign(1) * half.y, sign(2) * half.z)
                });
                ObstacleBox { name: obstacle.name.clone(), inverse: pose.inverse(), half, corners }
            })
            .collect();
        let mut clearance = Self {
            kinematics: kinematics.clone(),
            shapes,
            obstacles,
            own_pairs: Vec::new(),
            scene_pairs: Vec::new(),
            moving: Vec::new(),
            bodies: Vec::new(),
            left_out: Vec::new(),
            unchecked: of_links.unchecked,
            fitted: of_links.fitted,
            given: of_links.given,
            self_distance: file.clearance.self_distance,
            scene_distance: file.clearance.scene_distance,
        };
        let Pairs { own, scene, left_out, bodies } =
            Pairs::choose(&clearance, tree, joints, home, file);
        clearance.moving = bodies.iter().map(|body| *body != bodies[0]).collect();
        clearance.bodies = bodies;
        (clearance.own_pairs, clearance.scene_pairs) = (own, scene);
        clearance.left_out = left_out;
        let at_home = clearance.distances(home, f64::INFINITY, &mut ClearanceScratch::default());
        for (nearest, least, key) in [
            (at_home.own, clearance.self_distance, "self_distance"),
            (at_home.scene, clearance.scene_distance, "scene_distance"),
        ] {
            if let Some(pair) = nearest.pair.filter(|_| nearest.distance < least) {
                let (one, other) = if key == "self_distance" {
                    clearance.own_names(pair)
                } else {
                    clearance.scene_names(pair)
                };
                let distance = nearest.distance;
                let way = match key {
                    "self_distance" => format!(
                        "; another home, a smaller {key}, closer shapes (`collision_shapes`), or, \
                         where the two cannot touch, clearance.ignore: [[{one}, {other}]]"
                    ),
                    _ => String::new(),
                };
                faults.add(
                    "home",
                    format!(
                        "`{one}` and `{other}` are {distance:.4} m apart, less than \
                         clearance.{key} = {least}{way}"
                    ),
                );
            }
        }
        clearance
    }

    /// Least distance between the robot's own links that must be kept, m.
    pub fn self_distance(&self) -> f64 {
        self.self_distance
    }

    /// Least distance to obstacles that must be kept, m.
    pub fn scene_distance(&self) -> f64 {
        self.scene_distance
    }

    /// The names of a pair of [`Distances::own`].
    pub fn own_names(&self, pair: (usize, usize)) -> (&str, &str) {
        let names = self.kinematics.link_names();
        (&names[pair.0], &names[pair.1])
    }

    /// The names of a pair of [`Distances::scene`].
    pub fn scene_names(&self, pair: (usize, usize)) -> (&str, &str) {
        (&self.kinematics.link_names()[pair.0], &self.obstacles[pair.1].name)
    }

    /// Whether the robot's joints move a link.
    pub fn moves(&self, link: usize) -> bool {
        self.moving.get(link).copied().unwrap_or(false)
    }

    /// Pairs that are left out because they are too near as built.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What nothing checks, a sentence each: links without a shape, and the pairs of
    /// [`Self::left_out`].
    pub fn not_checked(&self) -> Vec<String> {
        let links = self.unchecked.iter().map(|link| format!("{link}: no collision shape"));
        links.chain(self.left_out.iter().map(ToString::to_string)).collect()
    }

    /// Links without a collision shape, which the robot file allows: their distances are not
    /// checked.
    pub fn unchecked(&self) -> &[String] {
        &self.unchecked
    }

    /// Links whose shapes were made from collision meshes.
    pub fn fitted(&self) -> &[String] {
        &self.fitted
    }

    /// Links whose shapes the robot file gives.
    pub fn given(&self) -> &[String] {
        &self.given
    }

    /// The shapes with their links' names, in the links' frames.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &Shape)> {
        let names = self.kinematics.link_names();
        self.shapes.iter().map(|shape| (names[shape.link].as_str(), &shape.shape))
    }

    /// For each joint a bound on how far any point of the robot moves per unit of its motion within
    /// the joints' bounds (`positions`), m/rad (m/m): two points come closer by no more than
    /// the sum over all joints, because a joint that moves both does not change their distance.
    pub fn reach(&self, kinematics: &Kinematics, positions: &[(f64, f64)]) -> Vec<f64> {
        let mut reach = vec![0.0_f64; kinematics.dof()];
        for LinkShape { link, shape, .. } in &self.shapes {
            let furthest = shape.points.iter().map(|point| point.coords.norm()).fold(0.0, f64::max);
            let levers = kinematics.levers(*link, furthest + shape.radius, positions);
            reach.iter_mut().zip(levers).for_each(|(reach, lever)| *reach = reach.max(lever));
        }
        // Two fingers of one joint come closer twice as fast as each moves.
        let several =
            reach.iter_mut().enumerate().filter(|(joint, _)| kinematics.drives_several(*joint));
        several.for_each(|(_, reach)| *reach *= 2.0);
        reach
    }

    /// The numbers of shapes, own pairs and scene pairs that are looked at.
    pub fn size(&self) -> (usize, usize, usize) {
        (self.shapes.len(), self.own_pairs.len(), self.scene_pairs.len())
    }

    fn place(&self, positions: &[f64], scratch: &mut ClearanceScratch) {
        self.kinematics.link_poses_into(positions, &mut scratch.poses);
        let ClearanceScratch { poses, placed, points } = scratch;
        placed.clear();
        points.clear();
        for LinkShape { link, shape, center, bound } in &self.shapes {
            let pose = &poses[*link];
            let first = points.len();
            points.extend(shape.points.iter().map(|point| pose * point));
            placed.push(Placed {
                points: (first, points.len()),
                radius: shape.radius,
                center: pose * center,
                bound: *bound,
            });
        }
    }

    /// The nearest pairs at a joint vector. Only distances below `cutoff` are looked for (the
    /// sharper, the faster); infinity finds the nearest pair however far.
    pub fn distances(
        &self,
        positions: &[f64],
        cutoff: f64,
        scratch: &mut ClearanceScratch,
    ) -> Distances {
        self.place(positions, scratch);
        let placed = &scratch.placed;
        let mut own = Nearest { distance: cutoff, pair: None };
        for &(i, j) in &self.own_pairs {
            let (a, b) = (&placed[i], &placed[j]);
            let reach = own.distance + a.bound + b.bound;
            if reach > 0.0 && (a.center - b.center).norm_squared() < reach * reach {
                let distance = scratch.own_distance(i, j, own.distance);
                if distance < own.distance {
                    let pair = Some((self.shapes[i].link, self.shapes[j].link));
                    own = Nearest { distance, pair };
                }
            }
        }
        let mut scene = Nearest { distance: cutoff, pair: None };
        for &(i, j) in &self.scene_pairs {
            let (shape, obstacle) = (&placed[i], &self.obstacles[j]);
            if obstacle.point_distance(&shape.center) - shape.bound < scene.distance {
                let distance = obstacle.distance(scratch, i, scene.distance);
                if distance < scene.distance {
                    scene = Nearest { distance, pair: Some((self.shapes[i].link, j)) };
                }
            }
        }
        Distances { own, scene }
    }
}

impl ObstacleBox {
    fn point_distance(&self, point: &Point3<f64>) -> f64 {
        let local = (self.inverse * point).coords.abs() - self.half;
        local.sup(&Vector3::zeros()).norm()
    }

    /// The distance of a shape; one of `cutoff` or more may be less than it really is.
    fn distance(&self, scratch: &ClearanceScratch, shape: usize, cutoff: f64) -> f64 {
        let placed = &scratch.placed[shape];
        let distance = match scratch.points_of(placed) {
            [only] => self.point_distance(only),
            [a, b] => segment_box_distance(&(self.inverse * a), &(self.inverse * b), &self.half),
            points => hull_distance(points, &self.corners, cutoff + placed.radius),
        };
        distance - placed.radius
    }
}
