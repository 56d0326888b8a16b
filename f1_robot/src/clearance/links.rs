//! Which collision shapes each link has, and which links have none.
//!
//! Shapes come from the robot file's `collision_shapes`, else from the URDF: primitives as they
//! are, meshes enclosed in convex shapes where their files are at hand. A link that can touch
//! something has to have a shape, or the robot file names it in `unchecked_links`.

use std::path::Path;

use nalgebra::Point3;
use urdf_rs::Geometry;

use super::shapes::{self, Shape};
use super::{cache, mesh};
use crate::kinematics::{Tree, TreeLink, isometry, moves};
use crate::robot_file::reader::Faults;
use crate::robot_file::{CollisionShape, RobotFile};

/// The shapes of all links.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinkShapes {
    /// By link, in the order of the tree.
    pub(super) shapes: Vec<Vec<Shape>>,
    /// Links without a (whole) shape that `unchecked_links` allows.
    pub(super) unchecked: Vec<String>,
    /// Links whose shapes were made from meshes.
    pub(super) fitted: Vec<String>,
    /// Links whose shapes the robot file gives.
    pub(super) given: Vec<String>,
}

impl LinkShapes {
    /// The shapes of a robot's links. `folder` is the URDF's; without one no mesh is looked for.
    /// Every link without a shape that is not listed becomes part of a fault, and every mesh that
    /// cannot be used one of its own.
    pub(crate) fn of(
        tree: &Tree,
        file: &RobotFile,
        folder: Option<&Path>,
        faults: &mut Faults,
    ) -> Self {
        let mut found = Self::default();
        let mut whole = Vec::with_capacity(tree.links.len());
        for link in &tree.links {
            let allowed = file.unchecked_links.contains(&link.name);
            let mut shapes = Vec::new();
            let mut complete = true;
            if let Some(own) = file.collision_shapes.get(&link.name) {
                shapes.extend(own.iter().map(of_file));
                // An empty list is a fault of its own.
                complete = !own.is_empty();
                found.given.push(link.name.clone());
            } else {
                let mut fitted = false;
                for collision in &link.collision {
                    match of_collision(collision, folder) {
                        Ok(list) => {
                            fitted |= matches!(collision.geometry, Geometry::Mesh { .. });
                            shapes.extend(list);
                        }
                        Err(message) => {
                            complete = false;
                            if !allowed {
                                faults.add("urdf", format!("link `{}`: {message}", link.name));
                            }
                        }
                    }
                }
                if fitted {
                    found.fitted.push(link.name.clone());
                }
            }
            whole.push(complete);
            found.shapes.push(shapes);
        }
        let missing = missing(tree, &found.shapes);
        let mut refused = Vec::new();
        for (link, entry) in tree.links.iter().enumerate() {
            let listed = file.unchecked_links.contains(&entry.name);
            if missing.contains(&link) && !listed {
                refused.push(entry.name.clone());
            }
            if listed && (missing.contains(&link) || !whole[link]) {
                found.unchecked.push(entry.name.clone());
            }
        }
        if !refused.is_empty() {
            // Links with a mesh that is not found have a fault of their own.
            let named = |link: &String| tree.link(link).is_some_and(|link| !whole[link]);
            let bare: Vec<&str> =
                refused.iter().filter(|link| !named(link)).map(String::as_str).collect();
            if !bare.is_empty() {
                faults.add(
                    "unchecked_links",
                    format!(
                        "links without a collision shape, whose distances nothing would check: {0}; \
                         give them shapes (`collision_shapes`, or <collision> in the URDF), or \
                         accept it with unchecked_links: [{0}]",
                        bare.join(", ")
                    ),
                );
            }
        }
        found
    }
}

/// The links that can touch something and have no shape: those that can be seen, and the first link
/// of each moving body that has no shape at all.
fn missing(tree: &Tree, shapes: &[Vec<Shape>]) -> Vec<usize> {
    // The first link of the rigid body that each link belongs to.
    let mut body: Vec<usize> = (0..tree.links.len()).collect();
    for (link, entry) in tree.links.iter().enumerate() {
        if let Some((parent, joint)) = &entry.parent
            && !moves(joint)
        {
            body[link] = body[*parent];
        }
    }
    let has_shape = |of: usize| (0..body.len()).any(|l| body[l] == of && !shapes[l].is_empty());
    let is_missing = |link: &usize| {
        let entry: &TreeLink = &tree.links[*link];
        let first_of_bare_body =
            body[*link] == *link && entry.parent.is_some() && !has_shape(*link);
        shapes[*link].is_empty() && (entry.is_visible || first_of_bare_body)
    };
    (0..tree.links.len()).filter(is_missing).collect()
}

fn of_file(shape: &CollisionShape) -> Shape {
    Shape { points: shape.points.iter().map(|p| Point3::from(*p)).collect(), radius: shape.radius }
}

/// The shapes of one `<collision>`, in the link's frame.
fn of_collision(
    collision: &urdf_rs::Collision,
    folder: Option<&Path>,
) -> Result<Vec<Shape>, String> {
    let numbers = collision.origin.xyz.iter().chain(collision.origin.rpy.iter());
    if numbers.clone().any(|number| !number.is_finite()) {
        return Err("the collision shape's origin is not finite".into());
    }
    let Geometry::Mesh { filename, scale } = &collision.geometry else {
        return shapes::primitive(collision).map_err(Into::into);
    };
    let advice = "give the link's shapes in `collision_shapes` (f1 doctor --fit-collisions writes \
                  them where the meshes are), or list it in `unchecked_links`";
    let Some(folder) = folder else {
        return Err(format!("the collision mesh `{filename}` is not at hand; {advice}"));
    };
    let scale = scale.map_or([1.0; 3], |scale| scale.0);
    if scale.iter().any(|scale| !scale.is_finite() || *scale == 0.0) {
        return Err(format!("the scale of mesh `{filename}` is 0 or not finite"));
    }
    let shapes = mesh::find(filename, folder)
        .and_then(|path| cache::shapes(&path, scale))
        .map_err(|message| format!("collision mesh: {message}; {advice}"))?;
    let pose = isometry(&collision.origin);
    Ok(shapes
        .into_iter()
        .map(|shape| Shape {
            points: shape.points.iter().map(|point| pose * point).collect(),
            radius: shape.radius,
        })
        .collect())
}
