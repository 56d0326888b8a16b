//! Rays against the few solids the bench is made of, each in its own frame (z is the axis of
//! cylinders and capsules).

use nalgebra::Vector3;

type V3 = Vector3<f32>;

/// A solid centred on its own origin; lengths in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Solid {
    /// A ball.
    Ball {
        /// Radius.
        radius: f32,
    },
    /// A box.
    Cuboid {
        /// Half of each edge.
        half: V3,
    },
    /// A cylinder along z.
    Cylinder {
        /// Radius.
        radius: f32,
        /// Half of the height.
        half_height: f32,
    },
    /// A cylinder along z with round ends.
    Capsule {
        /// Radius.
        radius: f32,
        /// Half of the distance between the two end balls' centres.
        half_height: f32,
    },
}

impl Solid {
    /// Radius of the ball about the origin that holds the solid.
    #[must_use]
    pub fn bounding_radius(&self) -> f32 {
        match *self {
            Solid::Ball { radius } => radius,
            Solid::Cuboid { half } => half.norm(),
            Solid::Cylinder { radius, half_height } => radius.hypot(half_height),
            Solid::Capsule { radius, half_height } => radius + half_height,
        }
    }

    /// First hit of the ray `origin + t * direction` (unit length) with `t > 0`, from outside:
    /// distance and normal.
    #[must_use]
    pub fn hit(&self, origin: V3, direction: V3) -> Option<(f32, V3)> {
        match *self {
            Solid::Ball { radius } => {
                ball(origin, direction, radius).map(|t| (t, (origin + direction * t) / radius))
            }
            Solid::Cuboid { half } => cuboid(origin, direction, half),
            Solid::Cylinder { radius, half_height } => {
                cylinder(origin, direction, radius, half_height)
            }
            Solid::Capsule { radius, half_height } => {
                capsule(origin, direction, radius, half_height)
            }
        }
    }
}

fn ball(o: V3, d: V3, radius: f32) -> Option<f32> {
    let b = o.dot(&d);
    let c = o.norm_squared() - radius * radius;
    let disc = b * b - c;
    if disc < 0.0 {
        return None;
    }
    let t = -b - disc.sqrt();
    (t > 0.0).then_some(t)
}

fn cuboid(o: V3, d: V3, half: V3) -> Option<(f32, V3)> {
    let (mut near, mut far) = (f32::NEG_INFINITY, f32::INFINITY);
    let mut axis = 0;
    for i in 0..3 {
        if d[i].abs() < 1e-9 {
            if o[i].abs() > half[i] {
                return None;
            }
            continue;
        }
        let (a, b) = ((-half[i] - o[i]) / d[i], (half[i] - o[i]) / d[i]);
        let (a, b) = (a.min(b), a.max(b));
        if a > near {
            near = a;
            axis = i;
        }
        far = far.min(b);
    }
    if near > far || near <= 0.0 {
        return None;
    }
    let mut normal = V3::zeros();
    normal[axis] = -d[axis].signum();
    Some((near, normal))
}

/// Roots of the infinite cylinder along z: first crossing from outside.
fn tube(o: V3, d: V3, radius: f32) -> Option<f32> {
    let a = d.x * d.x + d.y * d.y;
    if a < 1e-12 {
        return None;
    }
    let b = o.x * d.x + o.y * d.y;
    let c = o.x * o.x + o.y * o.y - radius * radius;
    let disc = b * b - a * c;
    (disc >= 0.0).then(|| (-b - disc.sqrt()) / a)
}

fn cylinder(o: V3, d: V3, radius: f32, half_height: f32) -> Option<(f32, V3)> {
    if let Some(t) = tube(o, d, radius)
        && t > 0.0
    {
        let p = o + d * t;
        if p.z.abs() <= half_height {
            return Some((t, V3::new(p.x, p.y, 0.0) / radius));
        }
    }
    if d.z.abs() > 1e-9 {
        // Only the lid facing the ray can be hit first.
        let side = -d.z.signum();
        let t = (side * half_height - o.z) / d.z;
        let p = o + d * t;
        if t > 0.0 && p.x * p.x + p.y * p.y <= radius * radius {
            return Some((t, V3::new(0.0, 0.0, side)));
        }
    }
    None
}

fn capsule(o: V3, d: V3, radius: f32, half_height: f32) -> Option<(f32, V3)> {
    let mut best: Option<(f32, V3)> = None;
    if let Some(t) = tube(o, d, radius)
        && t > 0.0
    {
        let p = o + d * t;
        if p.z.abs() <= half_height {
            best = Some((t, V3::new(p.x, p.y, 0.0) / radius));
        }
    }
    for end in [-half_height, half_height] {
        let centre = V3::new(0.0, 0.0, end);
        if let Some(t) = ball(o - centre, d, radius)
            && best.is_none_or(|(nearest, _)| t < nearest)
        {
            let p = o + d * t;
            // Outside the tube's span the ball is the surface; inside it is hidden.
            if p.z * end.signum() >= half_height || half_height == 0.0 {
                best = Some((t, (p - centre) / radius));
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marches along the ray with the solid's signed distance: an independent way to the same hit.
    fn marched(solid: Solid, o: V3, d: V3) -> Option<f32> {
        let distance = |p: V3| match solid {
            Solid::Ball { radius } => p.norm() - radius,
            Solid::Cuboid { half } => {
                let q = p.abs() - half;
                q.map(|x| x.max(0.0)).norm() + q.max().min(0.0)
            }
            Solid::Cylinder { radius, half_height } => {
                let q = nalgebra::Vector2::new(p.xy().norm() - radius, p.z.abs() - half_height);
                q.map(|x| x.max(0.0)).norm() + q.max().min(0.0)
            }
            Solid::Capsule { radius, half_height } => {
                (p - V3::new(0.0, 0.0, p.z.clamp(-half_height, half_height))).norm() - radius
            }
        };
        let mut t = 0.0;
        for _ in 0..400 {
            let step = distance(o + d * t);
            if step < 1e-5 {
                return Some(t);
            }
            t += step;
            if t > 10.0 {
                return None;
            }
        }
        None
    }

    #[test]
    fn rays_hit_where_marching_along_the_signed_distance_stops() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let solids = [
            Solid::Ball { radius: 0.4 },
            Solid::Cuboid { half: V3::new(0.2, 0.3, 0.5) },
            Solid::Cylinder { radius: 0.3, half_height: 0.4 },
            Solid::Capsule { radius: 0.2, half_height: 0.3 },
        ];
        let mut hits = 0;
        for _ in 0..4000 {
            let mut v = |r: f32| {
                V3::new(rng.random_range(-r..r), rng.random_range(-r..r), rng.random_range(-r..r))
            };
            let (o, aim) = (v(1.0).normalize() * 2.0, v(0.5));
            let d = (aim - o).normalize();
            for solid in solids {
                match (solid.hit(o, d), marched(solid, o, d)) {
                    (Some((t, n)), Some(m)) => {
                        hits += 1;
                        assert!((t - m).abs() < 2e-3, "{solid:?}: {t} against {m}");
                        assert!((n.norm() - 1.0).abs() < 1e-3 && n.dot(&d) <= 1e-3);
                    }
                    (None, None) => {}
                    // A ray that grazes may be called either way.
                    (found, other) => {
                        let t = found.map(|f| f.0).or(other).unwrap_or(0.0);
                        let p = o + d * t;
                        assert!(
                            marched(solid, p - d * 0.05, d).is_none_or(|m| (m - 0.05).abs() < 0.06),
                            "{solid:?}"
                        );
                    }
                }
            }
        }
        assert!(hits > 2000);
    }
}
