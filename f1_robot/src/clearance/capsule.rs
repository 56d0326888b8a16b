//! Distances of segments: what capsules are made of.

use nalgebra::{Point3, Vector3};

/// The distance between the segments `a0 a1` and `b0 b1`, m.
pub fn segment_distance(
    a0: &Point3<f64>,
    a1: &Point3<f64>,
    b0: &Point3<f64>,
    b1: &Point3<f64>,
) -> f64 {
    const TINY: f64 = 1e-18;
    let (u, v, w) = (a1 - a0, b1 - b0, a0 - b0);
    let (uu, vv, uv) = (u.norm_squared(), v.norm_squared(), u.dot(&v));
    let (uw, vw) = (u.dot(&w), v.dot(&w));
    // The nearest points are a0 + s u and b0 + t v with s, t in 0..1 (Ericson, Real-Time Collision
    // Detection, 5.1.9).
    let (s, t) = if uu <= TINY && vv <= TINY {
        (0.0, 0.0)
    } else if uu <= TINY {
        (0.0, (vw / vv).clamp(0.0, 1.0))
    } else if vv <= TINY {
        ((-uw / uu).clamp(0.0, 1.0), 0.0)
    } else {
        let determinant = uu * vv - uv * uv;
        // Parallel segments have a whole range of nearest points; any start will do.
        let s = if determinant > 1e-12 * uu * vv {
            ((uv * vw - uw * vv) / determinant).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let t = (uv * s + vw) / vv;
        if t < 0.0 {
            ((-uw / uu).clamp(0.0, 1.0), 0.0)
        } else if t > 1.0 {
            (((uv - uw) / uu).clamp(0.0, 1.0), 1.0)
        } else {
            (s, t)
        }
    };
    (w + u * s - v * t).norm()
}

/// The distance between the segment `a b` and the solid box of half lengths `half` about the
/// origin, m; 0 inside.
pub fn segment_box_distance(a: &Point3<f64>, b: &Point3<f64>, half: &Vector3<f64>) -> f64 {
    let direction = b - a;
    // Squared distance along the segment is convex and piecewise quadratic; pieces meet where a
    // coordinate crosses a face. Its slope only grows, so the minimum is in the piece whose
    // slopes change sign.
    let outside = |t: f64| {
        let p = a.coords + direction * t;
        p - p.sup(&-half).inf(half)
    };
    let slope = |t: f64| outside(t).dot(&direction);
    if slope(0.0) >= 0.0 {
        return outside(0.0).norm();
    }
    if slope(1.0) <= 0.0 {
        return outside(1.0).norm();
    }
    let (mut low, mut high) = (0.0, 1.0);
    for axis in 0..3 {
        if direction[axis].abs() < 1e-15 {
            continue;
        }
        for face in [-half[axis], half[axis]] {
            let t = (face - a[axis]) / direction[axis];
            if t > low && t < high {
                if slope(t) < 0.0 { low = t } else { high = t }
            }
        }
    }
    // Within a piece the slope is linear.
    let (left, right) = (slope(low), slope(high));
    let t = if right - left > 0.0 { low - left * (high - low) / (right - left) } else { low };
    outside(t).norm()
}
