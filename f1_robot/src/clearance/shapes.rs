//! Convex collision shapes: the hull of a few points, grown by a radius. One point makes a sphere,
//! two make a capsule.

use nalgebra::{Isometry3, Point3, Vector3};
use urdf_rs::Geometry;

use super::gjk::hull_distance;
use crate::kinematics::isometry;

/// More strips than this are not cut out of one box.
const MAX_STRIPS: f64 = 8.0;
/// A box whose capsules would reach further beyond it than this, m, is taken as it is: eight points
/// cost more than a capsule, but a thick box's capsule is half as wide again as the box.
const MAX_BEYOND: f64 = 0.02;

/// A convex shape fixed to a link: the hull of `points`, grown by `radius`.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The points in the link's frame, m.
    pub points: Vec<Point3<f64>>,
    /// The radius, m.
    pub radius: f64,
}

impl Shape {
    fn capsule(a: Point3<f64>, b: Point3<f64>, radius: f64) -> Self {
        Self { points: vec![a, b], radius }
    }

    /// The distance of a point (in the link's frame) from the shape, m; 0 inside.
    pub fn distance(&self, point: &Point3<f64>) -> f64 {
        (hull_distance(&self.points, std::slice::from_ref(point), f64::INFINITY) - self.radius)
            .max(0.0)
    }
}

/// The shapes that enclose a collision shape of the URDF that is no mesh.
pub(super) fn primitive(collision: &urdf_rs::Collision) -> Result<Vec<Shape>, &'static str> {
    let pose = isometry(&collision.origin);
    let positive = |sizes: &[f64]| sizes.iter().all(|size| size.is_finite() && *size > 0.0);
    match &collision.geometry {
        Geometry::Sphere { radius } if positive(&[*radius]) => {
            let center = pose * Point3::origin();
            Ok(vec![Shape { points: vec![center], radius: *radius }])
        }
        // The rim of a cylinder's end is one radius away from the end of its axis.
        Geometry::Cylinder { radius, length } | Geometry::Capsule { radius, length }
            if positive(&[*radius, *length]) =>
        {
            let half = Vector3::new(0.0, 0.0, 0.5 * length);
            Ok(vec![Shape::capsule(pose * Point3::from(-half), pose * Point3::from(half), *radius)])
        }
        Geometry::Box { size } if positive(&size.0) => Ok(strips(&pose, &size.0)),
        Geometry::Mesh { .. } => Err("a mesh is no primitive shape"),
        _ => Err("the collision shape's sizes must be greater than 0"),
    }
}

/// A box as the hull of its corners.
fn corners(pose: &Isometry3<f64>, size: &[f64; 3]) -> Shape {
    let corner = |i: usize| {
        let half = |axis: usize| if i >> axis & 1 == 0 { -0.5 } else { 0.5 } * size[axis];
        pose * Point3::new(half(0), half(1), half(2))
    };
    Shape { points: (0..8).map(corner).collect(), radius: 0.0 }
}

/// A box as capsules side by side along its longest edge: a flat box takes several, so that they
/// stay thin.
fn strips(pose: &Isometry3<f64>, size: &[f64; 3]) -> Vec<Shape> {
    let mut axes = [0, 1, 2];
    axes.sort_by(|a, b| size[*b].total_cmp(&size[*a]));
    let [long, middle, short] = axes.map(|axis| size[axis]);
    let count = (middle / short).ceil().clamp(1.0, MAX_STRIPS);
    let width = middle / count;
    let radius = (0.25 * (width * width + short * short)).sqrt();
    // A capsule reaches beyond the box's ends by its radius.
    if radius > MAX_BEYOND {
        return vec![corners(pose, size)];
    }
    (0..count as usize)
        .map(|i| {
            let mut center = Vector3::zeros();
            center[axes[1]] = -0.5 * middle + (i as f64 + 0.5) * width;
            let mut half = Vector3::zeros();
            half[axes[0]] = 0.5 * long;
            Shape::capsule(
                pose * Point3::from(center - half),
                pose * Point3::from(center + half),
                radius,
            )
        })
        .collect()
}
