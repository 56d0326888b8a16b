//! Collision meshes: where their files are, and their triangles.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nalgebra::Point3;

/// The largest mesh file that is read, bytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// The most triangles of a mesh.
const MAX_TRIANGLES: usize = 5_000_000;

/// A triangle, m.
pub(crate) type Triangle = [Point3<f64>; 3];

/// The file that a URDF's `filename` names: `package://NAME/PATH`, `file:///PATH`, `model://`, or a
/// path relative to the URDF's folder.
///
/// Packages are looked for in the folders above the URDF (one that has the package's name, or holds
/// one that has), then in `AMENT_PREFIX_PATH` and `ROS_PACKAGE_PATH`.
///
/// # Errors
/// No such file, with the places that were looked at.
pub(crate) fn find(filename: &str, folder: &Path) -> Result<PathBuf, String> {
    let packaged = filename.strip_prefix("package://").or(filename.strip_prefix("model://"));
    let candidates: Vec<PathBuf> = match packaged.and_then(|rest| rest.split_once('/')) {
        Some((package, rest)) => {
            packages(package, folder).into_iter().map(|package| package.join(rest)).collect()
        }
        None => vec![folder.join(filename.strip_prefix("file://").unwrap_or(filename))],
    };
    match candidates.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => {
            let tried: Vec<String> =
                candidates.iter().map(|path| path.display().to_string()).collect();
            Err(format!("`{filename}` is not found (tried {})", tried.join(", ")))
        }
    }
}

/// Folders that may be the package `name`.
fn packages(name: &str, folder: &Path) -> Vec<PathBuf> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let mut found = Vec::new();
    for above in folder.ancestors() {
        if above.file_name().is_some_and(|own| own == name) {
            found.push(above.to_path_buf());
        }
        let below = above.join(name);
        if below.is_dir() {
            found.push(below);
        }
    }
    let listed = |variable: &str| -> Vec<PathBuf> {
        std::env::var_os(variable)
            .map(|list| std::env::split_paths(&list).collect())
            .unwrap_or_default()
    };
    found.extend(listed("AMENT_PREFIX_PATH").iter().map(|prefix| prefix.join("share").join(name)));
    found.extend(listed("ROS_PACKAGE_PATH").iter().map(|path| path.join(name)));
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    found
}

/// The bytes of a mesh file.
///
/// # Errors
/// A file that cannot be read or is too large.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let size = std::fs::metadata(path).map_err(named)?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("{}: larger than {MAX_FILE_BYTES} bytes", path.display()));
    }
    std::fs::read(path).map_err(named)
}

/// The triangles of a mesh file (STL, OBJ, COLLADA), scaled.
///
/// # Errors
/// A file that is no such mesh, is empty or has vertices that are not finite.
pub(crate) fn triangles(
    bytes: &[u8],
    path: &Path,
    scale: [f64; 3],
) -> Result<Vec<Triangle>, String> {
    let named = |what: &str| format!("{}: {what}", path.display());
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("dae")) {
        placed_once(bytes).map_err(|what| named(&what))?;
    }
    // The loader panics at some files that contradict themselves.
    let load = || mesh_loader::Loader::default().load_from_slice(bytes, path);
    let scene = std::panic::catch_unwind(load)
        .map_err(|_| named("the mesh contradicts itself"))?
        .map_err(|error| named(&error.to_string()))?;
    let mut triangles = Vec::new();
    for mesh in &scene.meshes {
        for face in &mesh.faces {
            let corner = |index: u32| {
                let [x, y, z] = mesh.vertices.get(index as usize)?.map(f64::from);
                let point = Point3::new(x * scale[0], y * scale[1], z * scale[2]);
                point.coords.iter().all(|x| x.is_finite()).then_some(point)
            };
            match face.map(corner) {
                [Some(a), Some(b), Some(c)] => triangles.push([a, b, c]),
                _ => return Err(named("a vertex is missing or not finite")),
            }
        }
        if triangles.len() > MAX_TRIANGLES {
            return Err(named(&format!("more than {MAX_TRIANGLES} triangles")));
        }
    }
    if triangles.is_empty() {
        return Err(named("the mesh has no triangles"));
    }
    Ok(triangles)
}

/// The loader keeps one place of each COLLADA geometry: a file that places one twice would lose a
/// part.
fn placed_once(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let mut seen = BTreeSet::new();
    let instances =
        document.descendants().filter(|node| node.tag_name().name() == "instance_geometry");
    for url in instances.filter_map(|node| node.attribute("url")) {
        if !seen.insert(url) {
            return Err(format!("geometry {url} is placed twice; convert the mesh to STL"));
        }
    }
    Ok(())
}
