//! The distance of two convex hulls, by the algorithm of Gilbert, Johnson and Keerthi (GJK): the
//! point of the hulls' difference that is nearest to the origin.

use nalgebra::{Point3, Vector3};

/// More steps than this are not made; what is known then is a lower bound of the distance.
const STEPS: usize = 64;

/// Relative accuracy of the distance.
const ACCURACY: f64 = 1e-9;

/// The distance between the hulls of `a` and `b`, m; 0 where they touch or overlap. Never more than
/// the true distance, and less by a 1e-9 part at most. A distance of `cutoff` or more is not
/// computed further: the answer is then any number from `cutoff` to the distance.
pub fn hull_distance(a: &[Point3<f64>], b: &[Point3<f64>], cutoff: f64) -> f64 {
    let (Some(first_a), Some(first_b)) = (a.first(), b.first()) else { return f64::INFINITY };
    let mut simplex = Simplex::new(first_a - first_b);
    let mut nearest = simplex.points[0];
    let mut least = 0.0_f64;
    for _ in 0..STEPS {
        let square = nearest.norm_squared();
        if square <= 1e-24 {
            return 0.0;
        }
        let next = support(a, b, &nearest);
        // The plane through `next` across `nearest` keeps the whole difference from the origin.
        let along = nearest.dot(&next);
        least = least.max(along / square.sqrt());
        if least >= cutoff || square - along <= ACCURACY * square || simplex.contains(&next) {
            break;
        }
        simplex.push(next);
        match simplex.reduce() {
            Some(point) => nearest = point,
            None => return 0.0,
        }
    }
    least.max(0.0)
}

/// The point of the difference of the hulls that is furthest against `direction`.
fn support(a: &[Point3<f64>], b: &[Point3<f64>], direction: &Vector3<f64>) -> Vector3<f64> {
    let extreme = |points: &[Point3<f64>], sign: f64| {
        let mut best = (f64::INFINITY, Vector3::zeros());
        for point in points {
            let along = sign * direction.dot(&point.coords);
            if along < best.0 {
                best = (along, point.coords);
            }
        }
        best.1
    };
    extreme(a, 1.0) - extreme(b, -1.0)
}

/// At most four points of the difference.
struct Simplex {
    points: [Vector3<f64>; 4],
    count: usize,
}

impl Simplex {
    fn new(point: Vector3<f64>) -> Self {
        Self { points: [point; 4], count: 1 }
    }

    fn contains(&self, point: &Vector3<f64>) -> bool {
        self.points[..self.count].contains(point)
    }

    fn push(&mut self, point: Vector3<f64>) {
        // `reduce` leaves at most three.
        self.points[self.count.min(3)] = point;
        self.count = (self.count + 1).min(4);
    }

    fn keep(&mut self, indices: &[usize]) {
        let points = self.points;
        for (place, index) in indices.iter().enumerate() {
            self.points[place] = points[*index];
        }
        self.count = indices.len();
    }

    /// The point of the simplex that is nearest to the origin; what it does not depend on is
    /// dropped. `None`: the origin is inside.
    fn reduce(&mut self) -> Option<Vector3<f64>> {
        match self.count {
            1 => Some(self.points[0]),
            2 => {
                let (point, kept) = on_segment(&self.points, [0, 1]);
                self.keep(kept.indices());
                Some(point)
            }
            3 => {
                let (point, kept) = on_triangle(&self.points, [0, 1, 2]);
                self.keep(kept.indices());
                Some(point)
            }
            _ => {
                let mut best: Option<(f64, Vector3<f64>, Kept)> = None;
                for (face, opposite) in
                    [([0, 1, 2], 3), ([0, 1, 3], 2), ([0, 2, 3], 1), ([1, 2, 3], 0)]
                {
                    if !self.is_outside(face, opposite) {
                        continue;
                    }
                    let (point, kept) = on_triangle(&self.points, face);
                    let square = point.norm_squared();
                    if best.as_ref().is_none_or(|(least, ..)| square < *least) {
                        best = Some((square, point, kept));
                    }
                }
                let (_, point, kept) = best?;
                self.keep(kept.indices());
                Some(point)
            }
        }
    }

    /// Whether the origin is on the other side of a face than the opposite point (or the
    /// tetrahedron is flat).
    fn is_outside(&self, [a, b, c]: [usize; 3], opposite: usize) -> bool {
        let (a, b, c) = (self.points[a], self.points[b], self.points[c]);
        let normal = (b - a).cross(&(c - a));
        let (origin, other) = (-normal.dot(&a), normal.dot(&(self.points[opposite] - a)));
        origin * other <= 0.0
    }
}

/// Which points of a simplex the nearest point depends on.
#[derive(Clone, Copy)]
struct Kept {
    indices: [usize; 3],
    count: usize,
}

impl Kept {
    fn new(kept: &[usize]) -> Self {
        let mut indices = [0; 3];
        indices[..kept.len()].copy_from_slice(kept);
        Self { indices, count: kept.len() }
    }

    fn indices(&self) -> &[usize] {
        &self.indices[..self.count]
    }
}

fn on_segment(points: &[Vector3<f64>; 4], [i, j]: [usize; 2]) -> (Vector3<f64>, Kept) {
    let (a, b) = (points[i], points[j]);
    let way = b - a;
    let length = way.norm_squared();
    let t = if length > 0.0 { -a.dot(&way) / length } else { 0.0 };
    if t <= 0.0 {
        (a, Kept::new(&[i]))
    } else if t >= 1.0 {
        (b, Kept::new(&[j]))
    } else {
        (a + way * t, Kept::new(&[i, j]))
    }
}

/// The triangle's point nearest to the origin (Ericson, Real-Time Collision Detection, 5.1.5).
fn on_triangle(points: &[Vector3<f64>; 4], [i, j, k]: [usize; 3]) -> (Vector3<f64>, Kept) {
    let (a, b, c) = (points[i], points[j], points[k]);
    let (ab, ac) = (b - a, c - a);
    let normal = ab.cross(&ac);
    let square = normal.norm_squared();
    // A flat triangle is its sides.
    if square > 1e-30 {
        // Signed areas of the three parts that the origin's foot point makes.
        let of_a = normal.dot(&b.cross(&c));
        let of_b = normal.dot(&c.cross(&a));
        let of_c = normal.dot(&a.cross(&b));
        if of_a > 0.0 && of_b > 0.0 && of_c > 0.0 {
            return (normal * (normal.dot(&a) / square), Kept::new(&[i, j, k]));
        }
    }
    let sides = [[i, j], [j, k], [i, k]].map(|side| on_segment(points, side));
    let mut best = sides[0];
    for side in &sides[1..] {
        if side.0.norm_squared() < best.0.norm_squared() {
            best = *side;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use parry3d::math::{Pose, Vector};
    use parry3d::query;
    use parry3d::shape::ConvexPolyhedron;
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::clearance::segment_distance;

    fn cloud(generator: &mut ChaCha8Rng, count: usize, size: f64, at: f64) -> Vec<Point3<f64>> {
        let mut number = || generator.random_range(-size..size);
        (0..count).map(|_| Point3::new(at + number(), number(), number())).collect()
    }

    #[test]
    fn distances_of_hulls_agree_with_parry() {
        let mut generator = ChaCha8Rng::seed_from_u64(11);
        let parry = |points: &[Point3<f64>]| {
            let points: Vec<Vector> =
                points.iter().map(|p| Vector::new(p.x as f32, p.y as f32, p.z as f32)).collect();
            ConvexPolyhedron::from_convex_hull(&points).unwrap()
        };
        let (mut apart, mut overlapping) = (0, 0);
        for case in 0..3000 {
            let count = 4 + case % 20;
            let at = generator.random_range(0.0..1.5);
            let (a, b) =
                (cloud(&mut generator, count, 0.4, 0.0), cloud(&mut generator, count + 3, 0.3, at));
            let theirs = f64::from(
                query::distance(&Pose::IDENTITY, &parry(&a), &Pose::IDENTITY, &parry(&b))
                    .unwrap()
                    .distance,
            );
            let ours = hull_distance(&a, &b, f64::INFINITY);
            // Theirs is an upper bound, to a thousandth of the distance; ours a lower one.
            let gap = theirs - ours;
            assert!(gap > -1e-5 && gap < 1.5e-3 * theirs + 1e-5, "case {case}: {ours} {theirs}");
            apart += usize::from(ours > 1e-3);
            overlapping += usize::from(ours == 0.0);
            let cut = hull_distance(&a, &b, 0.1);
            assert!(if ours < 0.1 { (cut - ours).abs() < 1e-9 } else { cut >= 0.1 && cut <= ours });
        }
        assert!(apart > 500 && overlapping > 500, "{apart} {overlapping}");
    }

    #[test]
    fn two_points_are_a_segment_and_one_is_a_point() {
        let mut generator = ChaCha8Rng::seed_from_u64(12);
        for case in 0..5000 {
            let mut points = cloud(&mut generator, 4, 1.0, 0.0);
            match case % 4 {
                1 => points[1] = points[0],
                2 => points[3] = points[2] + (points[1] - points[0]) * 0.7,
                _ => {}
            }
            let expected = segment_distance(&points[0], &points[1], &points[2], &points[3]);
            let found = hull_distance(&points[..2], &points[2..], f64::INFINITY);
            assert!((found - expected).abs() < 1e-7, "case {case}: {found} {expected}");
        }
        assert_eq!(hull_distance(&[], &[Point3::origin()], 1.0), f64::INFINITY);
    }
}
