//! Convex shapes that enclose a collision mesh.
//!
//! The mesh is cut by planes into a few parts where that makes their convex hulls smaller in sum
//! (an elbow becomes two). Each part's hull is then described by few points, grown by the radius
//! that the other points need. So every point of the mesh's surface is within a shape, and no
//! shape reaches further beyond the mesh's convex hull than its radius.

use std::collections::BTreeSet;

use nalgebra::{Matrix3, Point3, Vector3};
use parry3d::math::Vector;
use parry3d::transformation::try_convex_hull;

use super::gjk::hull_distance;
use super::mesh::Triangle;
use super::shapes::Shape;

/// Counts changes of this file that change its results: cached shapes of another number are
/// computed anew.
pub(crate) const VERSION: u32 = 1;

/// The most parts of one mesh.
const MAX_PARTS: usize = 6;
/// A cut has to save this share of the mesh's first hull.
const WORTH_A_CUT: f64 = 0.06;
/// Points are added until no point of the mesh is further from their hull than this, m.
const TOLERANCE: f64 = 0.0015;
/// The most points of one shape, unless its radius would exceed [`MAX_RADIUS`].
const MAX_POINTS: usize = 64;
/// No shape is grown by more than this, m: it reaches so far beyond the mesh's hull at most.
pub(crate) const MAX_RADIUS: f64 = 0.015;
/// Added to each radius, m: rounding, and a margin for numbers written to a file.
const ROUNDING: f64 = 1e-6;

/// The shapes that enclose a mesh.
pub(crate) fn shapes(triangles: &[Triangle]) -> Vec<Shape> {
    let mut parts = vec![Part::new(triangles.iter().map(|triangle| triangle.to_vec()).collect())];
    let whole = parts[0].volume;
    while parts.len() < MAX_PARTS {
        let cut = parts
            .iter()
            .enumerate()
            .filter_map(|(index, part)| Some((index, part.best_cut()?)))
            .max_by(|(_, a), (_, b)| a.saved.total_cmp(&b.saved));
        let Some((index, cut)) = cut.filter(|(_, cut)| cut.saved > WORTH_A_CUT * whole) else {
            break;
        };
        let [low, high] = parts.swap_remove(index).cut(cut.axis, cut.at);
        // What the cut itself adds is not known before; one that saves nothing is not repeated.
        parts.extend([low, high].into_iter().filter(|part| !part.polygons.is_empty()));
    }
    parts.iter().map(|part| enclose(&part.points())).collect()
}

/// A part of a mesh: convex polygons.
struct Part {
    polygons: Vec<Vec<Point3<f64>>>,
    /// Of the convex hull, m³.
    volume: f64,
}

/// A plane across an axis.
struct Cut {
    axis: usize,
    at: f64,
    /// How much smaller the hulls get in sum, m³.
    saved: f64,
}

impl Part {
    fn new(polygons: Vec<Vec<Point3<f64>>>) -> Self {
        let mut part = Self { polygons, volume: 0.0 };
        part.volume = volume(&part.points());
        part
    }

    /// The corners, each once.
    fn points(&self) -> Vec<Point3<f64>> {
        let mut seen = BTreeSet::new();
        let corners = self.polygons.iter().flatten();
        corners.filter(|p| seen.insert([p.x, p.y, p.z].map(f64::to_bits))).copied().collect()
    }

    /// The cut that makes the hulls smallest, of three across each axis.
    fn best_cut(&self) -> Option<Cut> {
        // Corners on a grid: hundreds instead of tens of thousands, for a choice.
        let mut seen = BTreeSet::new();
        let coarse: Vec<&Vec<Point3<f64>>> = self
            .polygons
            .iter()
            .filter(|polygon| {
                let grid = |p: &Point3<f64>| [p.x, p.y, p.z].map(|x| (x / 0.004).round() as i64);
                let mut fresh = false;
                for corner in polygon.iter() {
                    fresh |= seen.insert(grid(corner));
                }
                // Of a large polygon the corners say nothing about its middle.
                fresh || polygon.iter().any(|corner| (corner - polygon[0]).norm() > 0.012)
            })
            .collect();
        let mut best: Option<Cut> = None;
        for axis in 0..3 {
            let along = coarse.iter().flat_map(|polygon| polygon.iter().map(|p| p[axis]));
            let (least, greatest) =
                along.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
            if greatest - least < 0.02 {
                continue;
            }
            for share in [0.25, 0.4, 0.5, 0.6, 0.75] {
                let at = least + share * (greatest - least);
                let mut halves: [Vec<Point3<f64>>; 2] = [Vec::new(), Vec::new()];
                for polygon in &coarse {
                    for (half, side) in halves.iter_mut().zip([-1.0, 1.0]) {
                        half.extend(clip(polygon, axis, at, side));
                    }
                }
                let saved = self.volume - volume(&halves[0]) - volume(&halves[1]);
                if best.as_ref().is_none_or(|cut| saved > cut.saved) {
                    best = Some(Cut { axis, at, saved });
                }
            }
        }
        best
    }

    /// The parts below and above a plane.
    fn cut(self, axis: usize, at: f64) -> [Self; 2] {
        [-1.0, 1.0].map(|side| {
            let clipped = self.polygons.iter().map(|polygon| clip(polygon, axis, at, side));
            Self::new(clipped.filter(|polygon| !polygon.is_empty()).collect())
        })
    }
}

/// The part of a convex polygon on one side of a plane across an axis (-1: below, 1: above).
fn clip(polygon: &[Point3<f64>], axis: usize, at: f64, side: f64) -> Vec<Point3<f64>> {
    let inside = |p: &Point3<f64>| side * (p[axis] - at) >= 0.0;
    let mut clipped = Vec::with_capacity(polygon.len() + 1);
    for (i, a) in polygon.iter().enumerate() {
        let b = &polygon[(i + 1) % polygon.len()];
        if inside(a) {
            clipped.push(*a);
        }
        if inside(a) != inside(b) {
            let t = (at - a[axis]) / (b[axis] - a[axis]);
            let mut crossing = a + (b - a) * t;
            crossing[axis] = at;
            clipped.push(crossing);
        }
    }
    clipped
}

/// A convex hull: its corners, and its triangles as indices of corners.
type Hull = (Vec<Point3<f64>>, Vec<[u32; 3]>);

/// The convex hull; `None` where the points have none (they are flat).
fn hull(points: &[Point3<f64>]) -> Option<Hull> {
    if is_flat(points) {
        return None;
    }
    let single: Vec<Vector> =
        points.iter().map(|p| Vector::new(p.x as f32, p.y as f32, p.z as f32)).collect();
    // The library panics at some clouds that are almost flat.
    let found = std::panic::catch_unwind(|| try_convex_hull(&single)).ok()?.ok()?;
    let double = |v: &Vector| Point3::new(f64::from(v.x), f64::from(v.y), f64::from(v.z));
    Some((found.0.iter().map(double).collect(), found.1))
}

/// Whether the points lie in a plane, but for a hundredth of a millimetre.
fn is_flat(points: &[Point3<f64>]) -> bool {
    let count = points.len() as f64;
    let mean = points.iter().fold(Vector3::zeros(), |sum, p| sum + p.coords) / count;
    let spread = points.iter().fold(Matrix3::zeros(), |sum: Matrix3<f64>, p| {
        let from = p.coords - mean;
        sum + from * from.transpose()
    });
    points.len() < 4 || (spread / count).symmetric_eigenvalues().min() <= 1e-10
}

/// The volume of the convex hull, m³; 0 if it is flat.
fn volume(points: &[Point3<f64>]) -> f64 {
    if points.len() < 4 {
        return 0.0;
    }
    let Some((corners, triangles)) = hull(points) else { return 0.0 };
    let Some(origin) = corners.first() else { return 0.0 };
    let signed = triangles.iter().map(|triangle| {
        let [a, b, c] = triangle.map(|index| corners[index as usize] - origin);
        a.dot(&b.cross(&c)) / 6.0
    });
    signed.sum::<f64>().abs()
}

/// One shape around points (at least one).
fn enclose(points: &[Point3<f64>]) -> Shape {
    let candidates = hull(points).map_or_else(|| points.to_vec(), |(corners, _)| corners);
    let mut kept: Vec<Point3<f64>> = Vec::new();
    // The two that are far apart along the longest axis, then always the one that is furthest out.
    let along = |axis: usize, sign: f64| {
        let extreme =
            candidates.iter().max_by(|a, b| (sign * a[axis]).total_cmp(&(sign * b[axis])));
        extreme.copied()
    };
    for axis in 0..3 {
        for point in [along(axis, -1.0), along(axis, 1.0)].into_iter().flatten() {
            if !kept.contains(&point) {
                kept.push(point);
            }
        }
    }
    let mut open: Vec<Point3<f64>> = candidates;
    loop {
        let mut furthest = (0.0, None);
        open.retain(|point| {
            let distance = hull_distance(&kept, std::slice::from_ref(point), f64::INFINITY);
            if distance > furthest.0 {
                furthest = (distance, Some(*point));
            }
            distance > TOLERANCE
        });
        let enough = furthest.0 <= TOLERANCE
            || (kept.len() >= MAX_POINTS && furthest.0 <= MAX_RADIUS - 2.0 * ROUNDING);
        match furthest.1 {
            Some(point) if !enough => kept.push(point),
            _ => break,
        }
    }
    let out =
        |point: &Point3<f64>| hull_distance(&kept, std::slice::from_ref(point), f64::INFINITY);
    let radius = points.iter().map(out).fold(0.0, f64::max);
    // The distance is computed from below, by a billionth part.
    Shape { radius: radius * (1.0 + 1e-6) + ROUNDING, points: kept }
}
