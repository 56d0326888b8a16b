//! Shapes of meshes, kept between loads: fitting takes up to a second a mesh, reading a moment.
//!
//! The cache is a folder of JSON files named by the mesh's content, its scale and the version of
//! the fitting (`$XDG_CACHE_HOME/f1_policy/shapes`, else `~/.cache/f1_policy/shapes`). What is read
//! from it is used only if every vertex of the mesh is inside.

use std::hash::Hasher as _;
use std::path::{Path, PathBuf};

use nalgebra::Point3;
use serde::{Deserialize, Serialize};

use super::mesh::Triangle;
use super::shapes::Shape;
use super::{fit, mesh};

/// A vertex may be so far outside a cached shape, m: what rounding of a file's numbers makes.
const ROUNDING: f64 = 1e-9;

/// A shape in a file.
#[derive(Serialize, Deserialize)]
struct Stored {
    points: Vec<[f64; 3]>,
    radius: f64,
}

/// The shapes that enclose a mesh file, from the cache where it has them.
///
/// # Errors
/// A file that cannot be read or is no mesh.
pub(super) fn shapes(path: &Path, scale: [f64; 3]) -> Result<Vec<Shape>, String> {
    shapes_by(path, scale, folder().as_deref())
}

/// The same with a cache in `folder`.
fn shapes_by(path: &Path, scale: [f64; 3], folder: Option<&Path>) -> Result<Vec<Shape>, String> {
    let bytes = mesh::bytes(path)?;
    let triangles = mesh::triangles(&bytes, path, scale)?;
    let place = folder.map(|folder| folder.join(format!("{:016x}.json", key(&bytes, scale))));
    if let Some(shapes) = place.as_deref().and_then(|place| read(place, &triangles)) {
        return Ok(shapes);
    }
    let shapes = fit::shapes(&triangles);
    if let Some(place) = place {
        // A cache that cannot be written costs time at the next load, nothing else.
        let _ = write(&place, &shapes);
    }
    Ok(shapes)
}

fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))?;
    Some(base.join("f1_policy/shapes"))
}

/// FNV-1a, 64 bits: the same on every machine and in every version.
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn key(bytes: &[u8], scale: [f64; 3]) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(&fit::VERSION.to_le_bytes());
    for scale in scale {
        hasher.write(&scale.to_bits().to_le_bytes());
    }
    hasher.write(bytes);
    hasher.finish()
}

/// Cached shapes, if they enclose the mesh.
fn read(place: &Path, triangles: &[Triangle]) -> Option<Vec<Shape>> {
    let text = std::fs::read_to_string(place).ok()?;
    let stored: Vec<Stored> = serde_json::from_str(&text).ok()?;
    let shapes: Vec<Shape> = stored
        .into_iter()
        .map(|shape| Shape {
            points: shape.points.into_iter().map(Point3::from).collect(),
            radius: shape.radius,
        })
        .collect();
    let inside = |point: &Point3<f64>| shapes.iter().any(|s| s.distance(point) <= ROUNDING);
    let sound = shapes.iter().all(|shape| (0.0..=fit::MAX_RADIUS).contains(&shape.radius));
    (sound && triangles.iter().flatten().all(inside)).then_some(shapes)
}

/// Writes beside the place and renames, so that no reader sees half a file.
fn write(place: &Path, shapes: &[Shape]) -> std::io::Result<()> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let stored: Vec<Stored> = shapes
        .iter()
        .map(|shape| Stored {
            points: shape.points.iter().map(|point| point.coords.into()).collect(),
            radius: shape.radius,
        })
        .collect();
    let beside = place.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&beside, serde_json::to_string(&stored)?)?;
    std::fs::rename(&beside, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tetrahedron as a text STL.
    const STL: &str = "solid t
facet normal 0 0 0\nouter loop\nvertex 0 0 0\nvertex 0.1 0 0\nvertex 0 0.1 0\nendloop\nendfacet
facet normal 0 0 0\nouter loop\nvertex 0 0 0\nvertex 0.1 0 0\nvertex 0 0 0.1\nendloop\nendfacet
facet normal 0 0 0\nouter loop\nvertex 0 0 0\nvertex 0 0.1 0\nvertex 0 0 0.1\nendloop\nendfacet
facet normal 0 0 0\nouter loop\nvertex 0.1 0 0\nvertex 0 0.1 0\nvertex 0 0 0.1\nendloop\nendfacet
endsolid t
";

    #[test]
    fn shapes_are_kept_and_a_file_that_does_not_enclose_the_mesh_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let (mesh, cache) = (folder.path().join("t.stl"), folder.path().join("cache"));
        std::fs::write(&mesh, STL).unwrap();
        let fitted = shapes_by(&mesh, [1.0; 3], Some(&cache)).unwrap();
        // The JSON reader is good to the last digit but one.
        let as_fitted = || {
            let read = shapes_by(&mesh, [1.0; 3], Some(&cache)).unwrap();
            read.len() == fitted.len()
                && read.iter().zip(&fitted).all(|(a, b)| {
                    (a.radius - b.radius).abs() < 1e-12
                        && a.points.len() == b.points.len()
                        && a.points.iter().zip(&b.points).all(|(a, b)| (a - b).norm() < 1e-12)
                })
        };
        // A convex mesh is one shape.
        assert!(fitted.len() == 1 && as_fitted());
        // Another scale is another mesh.
        let double = shapes_by(&mesh, [2.0; 3], Some(&cache)).unwrap();
        assert!(double[0].distance(&Point3::new(0.2, 0.0, 0.0)) == 0.0);
        assert!(fitted[0].distance(&Point3::new(0.2, 0.0, 0.0)) > 0.05);
        let places: Vec<PathBuf> =
            std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(places.len(), 2);
        for place in &places {
            let far = "[{\"points\": [[5, 0, 0]], \"radius\": 0.01}]";
            for forged in ["[]", "not JSON", far] {
                std::fs::write(place, forged).unwrap();
                assert!(as_fitted(), "{forged}");
            }
        }
    }
}
