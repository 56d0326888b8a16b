//! Shapes of messages as convex bodies.

use f1_interfaces::geometry_msgs::msg::Pose;
use f1_interfaces::shape_msgs::msg::{Mesh, Plane, SolidPrimitive};
use f1_robot::clearance::Shape;
use nalgebra::{Isometry3, Point3, Quaternion, Translation3, UnitQuaternion, Vector3};

/// Points of a mesh; a larger one is refused, because its hull would take too long.
const MOST_VERTICES: usize = 200_000;

/// Nothing further away than this is a place, m.
const FURTHEST: f64 = 1e4;

/// A part of an object, in the object's own frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// A convex body.
    Body(Shape),
    /// A plane: a point of it and its unit normal.
    Plane(Point3<f64>, Vector3<f64>),
}

impl Part {
    pub(super) fn moved(&self, pose: &Isometry3<f64>) -> Part {
        match self {
            Part::Body(shape) => Part::Body(shape.moved(pose)),
            Part::Plane(point, normal) => Part::Plane(pose * point, pose * normal),
        }
    }
}

/// A pose; a quaternion of zeros stands for no rotation, as MoveIt takes it.
///
/// # Errors
/// Numbers that are no pose.
pub(super) fn pose(message: &Pose) -> Result<Isometry3<f64>, String> {
    let (position, orientation) = (&message.position, &message.orientation);
    let translation = [position.x, position.y, position.z];
    if !translation.iter().all(|x| x.abs() <= FURTHEST) {
        return Err(format!("its position {translation:?} is not in range"));
    }
    let quaternion = Quaternion::new(orientation.w, orientation.x, orientation.y, orientation.z);
    let norm = quaternion.norm();
    let rotation = if norm == 0.0 {
        UnitQuaternion::identity()
    } else if (norm - 1.0).abs() < 0.1 {
        UnitQuaternion::from_quaternion(quaternion)
    } else {
        return Err(format!("its orientation has the length {norm:.3}, not 1"));
    };
    Ok(Isometry3::from_parts(Translation3::from(translation), rotation))
}

/// A box, sphere, cylinder, cone or prism.
///
/// # Errors
/// Another type, or sizes that are none.
pub(super) fn primitive(message: &SolidPrimitive) -> Result<Part, String> {
    let sizes: &[f64] = &message.dimensions;
    let size = |index: u8| sizes.get(usize::from(index)).copied().unwrap_or(f64::NAN);
    let needs = |count: usize| {
        let good = sizes.len() >= count
            && sizes[..count].iter().all(|size| *size > 0.0 && *size <= FURTHEST);
        if good { Ok(()) } else { Err(format!("sizes {sizes:?}")) }
    };
    let shape = match message.r#type {
        SolidPrimitive::BOX => {
            needs(3)?;
            let edges =
                [SolidPrimitive::BOX_X, SolidPrimitive::BOX_Y, SolidPrimitive::BOX_Z].map(size);
            Shape::cuboid(edges)
        }
        SolidPrimitive::SPHERE => {
            needs(1)?;
            Shape::ball(size(SolidPrimitive::SPHERE_RADIUS))
        }
        SolidPrimitive::CYLINDER => {
            needs(2)?;
            let height = size(SolidPrimitive::CYLINDER_HEIGHT);
            Shape::cylinder(height, size(SolidPrimitive::CYLINDER_RADIUS))
        }
        SolidPrimitive::CONE => {
            needs(2)?;
            Shape::cone(size(SolidPrimitive::CONE_HEIGHT), size(SolidPrimitive::CONE_RADIUS))
        }
        SolidPrimitive::PRISM => {
            needs(1)?;
            let half = 0.5 * size(SolidPrimitive::PRISM_HEIGHT);
            let corners = message.polygon.points.iter();
            let points = corners.flat_map(|point| {
                [-half, half].map(|z| Point3::new(f64::from(point.x), f64::from(point.y), z))
            });
            Shape::hull(finite(points.collect())?)
        }
        other => return Err(format!("a primitive of type {other}, which is not known")),
    };
    Ok(Part::Body(shape))
}

/// The convex hull of a mesh.
///
/// # Errors
/// A mesh without vertices, with too many, or with numbers that are no place.
pub(super) fn mesh(message: &Mesh) -> Result<Part, String> {
    if message.vertices.len() > MOST_VERTICES {
        return Err(format!("a mesh of {} vertices", message.vertices.len()));
    }
    let points = message.vertices.iter().map(|point| Point3::new(point.x, point.y, point.z));
    Ok(Part::Body(Shape::hull(finite(points.collect())?)))
}

fn finite(points: Vec<Point3<f64>>) -> Result<Vec<Point3<f64>>, String> {
    if points.is_empty() {
        return Err("a shape without points".to_owned());
    }
    let near = |point: &Point3<f64>| point.iter().all(|x| x.abs() <= FURTHEST);
    if !points.iter().all(near) {
        Err("a shape whose points are not in range".into())
    } else {
        Ok(points)
    }
}

/// The plane `ax + by + cz + d = 0`.
///
/// # Errors
/// Numbers that are no plane.
pub(super) fn plane(message: &Plane) -> Result<Part, String> {
    let [a, b, c, d] = message.coef;
    let normal = Vector3::new(a, b, c);
    let length = normal.norm();
    if !(length > 1e-9 && length.is_finite() && (d / length).abs() <= FURTHEST) {
        return Err(format!("a plane with the coefficients {:?}", message.coef));
    }
    let unit = normal / length;
    Ok(Part::Plane(Point3::from(unit * (-d / length)), unit))
}
