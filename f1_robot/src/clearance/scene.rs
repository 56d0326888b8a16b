//! Objects that come and go, and objects that links hold: a scene beside the robot file's.

use std::collections::BTreeSet;

use nalgebra::{Isometry3, Point3, Vector3};

use super::gjk::hull_distance;
use super::shapes::Shape;
use super::{Clearance, ClearanceScratch, LinkShape, Nearest, Placed};
use crate::JointLimits;
use crate::kinematics::Kinematics;

/// The space that an object takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Solid {
    /// A convex body, in the root frame.
    Hull(Shape),
    /// A thin plane without end, in the root frame: the points `p` with `normal * p = offset`.
    Plane {
        /// A unit vector.
        normal: Vector3<f64>,
        /// m
        offset: f64,
    },
}

/// An object in the root frame.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneObject {
    /// Its name in messages.
    pub name: String,
    /// Its parts.
    pub solids: Vec<Solid>,
}

/// An object that moves with a link.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldObject {
    /// Its name in messages.
    pub name: String,
    /// The link that holds it.
    pub link: String,
    /// Its parts in the link's frame.
    pub shapes: Vec<Shape>,
    /// Links that may touch it.
    pub touch_links: Vec<String>,
}

/// All of them, and what may touch what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scene {
    /// Objects that stand in the root frame.
    pub objects: Vec<SceneObject>,
    /// Objects that links hold.
    pub held: Vec<HeldObject>,
    /// Pairs of names (links, objects) that may touch, in either order.
    pub allowed: BTreeSet<(String, String)>,
}

impl Scene {
    fn allows(&self, a: &str, b: &str) -> bool {
        let pair = |a: &str, b: &str| self.allowed.contains(&(a.to_owned(), b.to_owned()));
        pair(a, b) || pair(b, a)
    }
}

/// What a shape of the robot, or of what it holds, is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Other {
    /// A solid of an object.
    Solid(usize),
    /// An obstacle of the robot file.
    Obstacle(usize),
    /// A shape of a link.
    Link(usize),
}

/// A scene as the clearance checks of one robot look at it.
#[derive(Debug, Clone)]
pub struct PreparedScene {
    /// Each with its object's name and a sphere around it (plane: none).
    solids: Vec<(String, Solid, Point3<f64>, f64)>,
    held: Vec<(String, LinkShape)>,
    /// A shape, counted over the links' shapes and then the held ones, and what it may not touch.
    pairs: Vec<(usize, Other)>,
}

impl PreparedScene {
    /// Prepares a scene.
    ///
    /// # Errors
    /// The name of the first held object whose link the robot does not have.
    pub fn new(clearance: &Clearance, scene: &Scene) -> Result<Self, String> {
        let mut prepared = Self { solids: Vec::new(), held: Vec::new(), pairs: Vec::new() };
        let links = clearance.kinematics.link_names();
        for object in &scene.objects {
            for solid in &object.solids {
                let (center, bound) = match solid {
                    Solid::Hull(shape) => {
                        let sphere = LinkShape::new(0, shape.clone());
                        (sphere.center, sphere.bound)
                    }
                    Solid::Plane { .. } => (Point3::origin(), f64::INFINITY),
                };
                prepared.solids.push((object.name.clone(), solid.clone(), center, bound));
            }
        }
        for (shape, part) in clearance.shapes.iter().enumerate() {
            if !clearance.moving[part.link] {
                continue;
            }
            for (solid, (name, ..)) in prepared.solids.iter().enumerate() {
                if !scene.allows(&links[part.link], name) {
                    prepared.pairs.push((shape, Other::Solid(solid)));
                }
            }
        }
        for held in &scene.held {
            prepared.hold(clearance, scene, held)?;
        }
        Ok(prepared)
    }

    fn hold(
        &mut self,
        clearance: &Clearance,
        scene: &Scene,
        held: &HeldObject,
    ) -> Result<(), String> {
        let link = clearance.kinematics.link(&held.link).ok_or_else(|| held.name.clone())?;
        let names = clearance.kinematics.link_names();
        for shape in &held.shapes {
            let index = clearance.shapes.len() + self.held.len();
            self.held.push((held.name.clone(), LinkShape::new(link, shape.clone())));
            for (solid, (name, ..)) in self.solids.iter().enumerate() {
                if !scene.allows(&held.name, name) {
                    self.pairs.push((index, Other::Solid(solid)));
                }
            }
            for obstacle in 0..clearance.obstacles.len() {
                self.pairs.push((index, Other::Obstacle(obstacle)));
            }
            for (other, part) in clearance.shapes.iter().enumerate() {
                let name = &names[part.link];
                let touches = clearance.bodies[part.link] == clearance.bodies[link]
                    || held.touch_links.contains(name)
                    || scene.allows(&held.name, name);
                if !touches {
                    self.pairs.push((index, Other::Link(other)));
                }
            }
        }
        Ok(())
    }

    /// The nearest pair of an object and what must not touch it, below `cutoff`. `scratch` is as
    /// [`Clearance::distances`] left it for these positions.
    pub fn distance(
        &self,
        clearance: &Clearance,
        cutoff: f64,
        scratch: &mut ClearanceScratch,
    ) -> Nearest {
        let count = clearance.shapes.len();
        scratch.forget_after(count);
        for (_, shape) in &self.held {
            scratch.place(shape);
        }
        let mut nearest = Nearest { distance: cutoff, pair: None };
        for (index, (shape, other)) in self.pairs.iter().enumerate() {
            let placed = scratch.placed[*shape];
            let distance = match other {
                Other::Solid(solid) => {
                    let (_, solid, center, bound) = &self.solids[*solid];
                    solid_distance(scratch, &placed, (solid, center, *bound), nearest.distance)
                }
                Other::Obstacle(obstacle) => {
                    let obstacle = &clearance.obstacles[*obstacle];
                    if obstacle.point_distance(&placed.center) - placed.bound >= nearest.distance {
                        continue;
                    }
                    obstacle.distance(scratch, *shape, nearest.distance)
                }
                Other::Link(link) => {
                    let link_shape = scratch.placed[*link];
                    let reach = nearest.distance + placed.bound + link_shape.bound;
                    let apart = (placed.center - link_shape.center).norm();
                    if apart >= reach {
                        continue;
                    }
                    scratch.own_distance(*shape, *link, nearest.distance)
                }
            };
            if distance < nearest.distance {
                nearest = Nearest { distance, pair: Some((index, 0)) };
            }
        }
        nearest
    }

    /// The names of a pair of [`Self::distance`].
    pub fn names(&self, clearance: &Clearance, pair: (usize, usize)) -> String {
        let links = clearance.kinematics.link_names();
        let Some((shape, other)) = self.pairs.get(pair.0) else { return String::new() };
        let count = clearance.shapes.len();
        let one = match shape.checked_sub(count) {
            Some(held) => &self.held[held].0,
            None => &links[clearance.shapes[*shape].link],
        };
        let other = match other {
            Other::Solid(solid) => &self.solids[*solid].0,
            Other::Obstacle(obstacle) => &clearance.obstacles[*obstacle].name,
            Other::Link(link) => &links[clearance.shapes[*link].link],
        };
        format!("{one} - {other}")
    }

    /// Raises `reach` ([`Clearance::reach`]) by what links hold.
    pub fn widen_reach(&self, kinematics: &Kinematics, joints: &[JointLimits], reach: &mut [f64]) {
        let positions: Vec<(f64, f64)> =
            joints.iter().map(|joint| (joint.lower, joint.upper)).collect();
        for (_, LinkShape { link, shape, .. }) in &self.held {
            let furthest = shape.points.iter().map(|point| point.coords.norm()).fold(0.0, f64::max);
            let levers = kinematics.levers(*link, furthest + shape.radius, &positions);
            for (joint, (reach, lever)) in reach.iter_mut().zip(levers).enumerate() {
                let twice = if kinematics.drives_several(joint) { 2.0 } else { 1.0 };
                *reach = reach.max(lever * twice);
            }
        }
    }
}

/// The distance of a placed shape from a solid; one of `cutoff` or more may be less than it is.
fn solid_distance(
    scratch: &ClearanceScratch,
    placed: &Placed,
    (solid, center, bound): (&Solid, &Point3<f64>, f64),
    cutoff: f64,
) -> f64 {
    let points = scratch.points_of(placed);
    match solid {
        Solid::Hull(shape) => {
            if (placed.center - center).norm() - placed.bound - bound >= cutoff {
                return cutoff;
            }
            let radii = placed.radius + shape.radius;
            hull_distance(points, &shape.points, cutoff + radii) - radii
        }
        Solid::Plane { normal, offset } => {
            let sides = points.iter().map(|point| normal.dot(&point.coords) - offset);
            let (least, greatest) = sides
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), side| {
                    (least.min(side), greatest.max(side))
                });
            // Points on both sides: it is cut.
            least.max(-greatest).max(0.0) - placed.radius
        }
    }
}

impl ClearanceScratch {
    /// Forgets what was placed after the first `count` shapes.
    fn forget_after(&mut self, count: usize) {
        self.placed.truncate(count);
        self.points.truncate(self.placed.last().map_or(0, |placed| placed.points.1));
    }

    /// Places one more shape.
    fn place(&mut self, LinkShape { link, shape, center, bound }: &LinkShape) {
        let pose = self.poses[*link];
        let first = self.points.len();
        self.points.extend(shape.points.iter().map(|point| pose * point));
        self.placed.push(Placed {
            points: (first, self.points.len()),
            radius: shape.radius,
            center: pose * center,
            bound: *bound,
        });
    }
}

/// A round body is enclosed by a prism of so many sides: at most 2 % wider than it is.
const SIDES: usize = 16;

/// A body of more points is enclosed by fewer, grown by a radius.
const MOST_POINTS: usize = 256;

impl Shape {
    /// A box around its center, edges in m.
    #[must_use]
    pub fn cuboid([x, y, z]: [f64; 3]) -> Shape {
        let corner = |corner: usize| {
            let half = |axis: usize, size: f64| {
                if corner >> axis & 1 == 0 { -0.5 * size } else { 0.5 * size }
            };
            Point3::new(half(0, x), half(1, y), half(2, z))
        };
        Shape { points: (0..8).map(corner).collect(), radius: 0.0 }
    }

    /// A ball.
    #[must_use]
    pub fn ball(radius: f64) -> Shape {
        Shape { points: vec![Point3::origin()], radius }
    }

    /// A cylinder along z around its center.
    #[must_use]
    pub fn cylinder(height: f64, radius: f64) -> Shape {
        let mut points = ring(-0.5 * height, radius);
        points.extend(ring(0.5 * height, radius));
        Shape { points, radius: 0.0 }
    }

    /// A cone along z, its tip up, the middle of its axis at the origin.
    #[must_use]
    pub fn cone(height: f64, radius: f64) -> Shape {
        let mut points = ring(-0.5 * height, radius);
        points.push(Point3::new(0.0, 0.0, 0.5 * height));
        Shape { points, radius: 0.0 }
    }

    /// The convex hull of these points, or a body of fewer points that encloses it.
    #[must_use]
    pub fn hull(points: Vec<Point3<f64>>) -> Shape {
        if points.len() <= MOST_POINTS {
            return Shape { points, radius: 0.0 };
        }
        // The furthest points in directions that are spread evenly (a spiral over the sphere).
        let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
        let mut chosen = BTreeSet::new();
        for i in 0..MOST_POINTS {
            let z = 1.0 - (2.0 * i as f64 + 1.0) / MOST_POINTS as f64;
            let (radius, turn) = ((1.0 - z * z).sqrt(), golden * i as f64);
            let direction = Vector3::new(radius * turn.cos(), radius * turn.sin(), z);
            let along = points.iter().map(|point| direction.dot(&point.coords));
            let furthest = along.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            chosen.extend(furthest.map(|(index, _)| index));
        }
        let mut shape =
            Shape { points: chosen.iter().map(|index| points[*index]).collect(), radius: 0.0 };
        let outside = points.iter().map(|point| shape.distance(point)).fold(0.0, f64::max);
        shape.radius = outside * (1.0 + 1e-6);
        shape
    }

    /// The same shape, moved.
    #[must_use]
    pub fn moved(&self, pose: &Isometry3<f64>) -> Shape {
        let points = self.points.iter().map(|point| pose * point).collect();
        Shape { points, radius: self.radius }
    }
}

/// Corners of a polygon around a circle, at height `z`.
fn ring(z: f64, radius: f64) -> Vec<Point3<f64>> {
    let outer = radius / (std::f64::consts::PI / SIDES as f64).cos();
    let corner = |side: usize| {
        let turn = std::f64::consts::TAU * side as f64 / SIDES as f64;
        Point3::new(outer * turn.cos(), outer * turn.sin(), z)
    };
    (0..SIDES).map(corner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_enclose_what_they_stand_for() {
        let turn = |i: usize, of: usize| std::f64::consts::TAU * i as f64 / of as f64;
        let (cylinder, cone) = (Shape::cylinder(0.4, 0.1), Shape::cone(0.4, 0.1));
        for i in 0..360 {
            let (x, y) = (0.1 * turn(i, 360).cos(), 0.1 * turn(i, 360).sin());
            for z in [-0.2, 0.0, 0.2] {
                assert!(cylinder.distance(&Point3::new(x, y, z)) < 1e-9);
            }
            assert!(cone.distance(&Point3::new(x, y, -0.2)) < 1e-9);
            assert!(cone.distance(&Point3::new(0.5 * x, 0.5 * y, 0.0)) < 1e-9);
        }
        assert!(cylinder.distance(&Point3::new(0.103, 0.0, 0.0)) > 0.0);
        assert!(cone.distance(&Point3::new(0.09, 0.0, 0.15)) > 0.02);
        let cuboid = Shape::cuboid([0.2, 0.4, 0.6]);
        assert!(cuboid.distance(&Point3::new(0.1, 0.2, 0.3)) < 1e-12);
        assert!((cuboid.distance(&Point3::new(0.2, 0.0, 0.0)) - 0.1).abs() < 1e-9);
        assert!((Shape::ball(0.1).distance(&Point3::new(0.0, 0.0, 0.3)) - 0.2).abs() < 1e-12);
        // A mesh of many points is enclosed by fewer, a little larger.
        let points: Vec<Point3<f64>> = (0..3000)
            .map(|i| {
                let (a, b) = (turn(i * 7, 3000), turn(i * 13, 1511));
                Point3::new(0.1 * a.cos() * b.sin(), 0.1 * a.sin() * b.sin(), 0.1 * b.cos())
            })
            .collect();
        let hull = Shape::hull(points.clone());
        assert!(hull.points.len() <= MOST_POINTS && hull.radius < 0.01, "{}", hull.radius);
        assert!(points.iter().all(|point| hull.distance(point) < 1e-9));
    }
}
