//! Images of the bench by ray casting: shading, one hard shadow, smooth edges, sensor noise.
//!
//! An image is drawn in three passes. Every body is intersected only within the rectangle it can
//! cover on the screen; then each pixel is lit and a ray is sent to the lamp; last, pixels where
//! the nearest body changes are sampled four times, so that the position of an object a few pixels
//! wide is kept to a fraction of a pixel.

mod solids;

use image::RgbImage;
use nalgebra::{Isometry3, Matrix3, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use solids::Solid;

type V3 = Vector3<f32>;

/// What a surface looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    /// Red, green and blue reflectance, 0 to 1.
    pub colour: [f32; 3],
    /// Stripes across y: amplitude (share of the colour), period in metres and offset in metres;
    /// amplitude 0 is plain.
    pub stripes: [f32; 3],
}

impl Paint {
    /// One colour without a pattern.
    #[must_use]
    pub const fn plain(colour: [f32; 3]) -> Self {
        Paint { colour, stripes: [0.0, 1.0, 0.0] }
    }
}

/// A solid at a place in the world.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// From the body's frame to the world.
    pub pose: Isometry3<f32>,
    /// Its shape.
    pub solid: Solid,
    /// Its surface.
    pub paint: Paint,
}

/// A pinhole camera; the optical frame has z forward, x right and y down (REP 103).
#[derive(Clone, Copy, Debug)]
pub struct Pinhole {
    /// From the optical frame to the world.
    pub pose: Isometry3<f32>,
    /// Full vertical field of view in radians.
    pub field_of_view: f32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Pinhole {
    /// A camera at `eye` that looks at `target`; `down` is the direction that points down in the
    /// image.
    #[must_use]
    pub fn looking(
        eye: V3,
        target: V3,
        down: V3,
        field_of_view: f32,
        width: u32,
        height: u32,
    ) -> Self {
        let forward = (target - eye).normalize();
        let right = down.cross(&forward).normalize();
        let down = forward.cross(&right);
        let rotation =
            nalgebra::Rotation3::from_matrix_unchecked(nalgebra::Matrix3::from_columns(&[
                right, down, forward,
            ]));
        let pose = Isometry3::from_parts(
            eye.into(),
            nalgebra::UnitQuaternion::from_rotation_matrix(&rotation),
        );
        Pinhole { pose, field_of_view, width, height }
    }

    /// Focal length in pixels.
    #[must_use]
    pub fn focal(&self) -> f32 {
        0.5 * self.height as f32 / (0.5 * self.field_of_view).tan()
    }

    /// Where a point of the world falls, in pixels; `None` behind the camera.
    #[must_use]
    pub fn project(&self, point: V3) -> Option<[f32; 2]> {
        let p = self.pose.inverse_transform_point(&point.into());
        let f = self.focal();
        (p.z > 1e-3).then(|| {
            [f * p.x / p.z + 0.5 * self.width as f32, f * p.y / p.z + 0.5 * self.height as f32]
        })
    }
}

/// Light and sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Direction from the scene to the lamp, any length.
    pub lamp: [f32; 3],
    /// Gain on the whole image; 1 is nominal.
    pub gain: f32,
    /// Standard deviation of the pixel noise, of 255.
    pub noise: f32,
}

impl Default for Exposure {
    fn default() -> Self {
        Exposure { lamp: [0.35, -0.25, 1.0], gain: 1.0, noise: 2.0 }
    }
}

const AMBIENT: f32 = 0.5;
/// Bodies whose bounding ball is larger cast no shadow, m.
const LARGE: f32 = 0.5;
const NOTHING: u16 = u16::MAX;
const BACKGROUND: [f32; 3] = [0.16, 0.17, 0.2];
/// Sub-pixel places of the smooth edges.
const GRID: [[f32; 2]; 4] = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]];

/// A body prepared for one image: what all its rays share is computed once.
struct Prepared {
    body: Body,
    radius: f32,
    /// World to body.
    turn: Matrix3<f32>,
    eye: V3,
    lamp: V3,
    /// Large flat bodies that nothing lies under are left out of the shadow search.
    casts: bool,
    /// Columns and rows it can cover, end excluded.
    window: [u32; 4],
}

impl Prepared {
    /// Hit of a ray from the eye; the normal is in the body's frame.
    fn seen(&self, eye: V3, direction: V3) -> Option<(f32, V3)> {
        let to = self.body.pose.translation.vector - eye;
        let along = to.dot(&direction);
        if to.norm_squared() - along * along > self.radius * self.radius || along < -self.radius {
            return None;
        }
        self.body.solid.hit(self.eye, self.turn * direction)
    }

    /// Whether it stands between `point` and the lamp (unit direction `lamp`).
    fn shades(&self, point: V3, lamp: V3) -> bool {
        let to = self.body.pose.translation.vector - point;
        let along = to.dot(&lamp);
        along > -self.radius
            && to.norm_squared() - along * along <= self.radius * self.radius
            && self.body.solid.hit(self.turn * -to, self.lamp).is_some()
    }
}

/// Draws what `camera` sees of `bodies`; `seed` fixes the sensor noise.
#[must_use]
pub fn draw(bodies: &[Body], camera: &Pinhole, exposure: &Exposure, seed: u64) -> RgbImage {
    let image = View::new(bodies, camera, exposure);
    let (width, height) = (camera.width, camera.height);
    let Hits { rays, depth, nearest, normals } = image.hits();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut out = RgbImage::new(width, height);
    for y in 0..height {
        for x in 0..width {
            let at = (y * width + x) as usize;
            let edge = (x + 1 < width && nearest[at + 1] != nearest[at])
                || (x > 0 && nearest[at - 1] != nearest[at])
                || (y + 1 < height && nearest[at + width as usize] != nearest[at])
                || (y > 0 && nearest[at - width as usize] != nearest[at]);
            let colour = if edge {
                let samples =
                    GRID.map(|[u, v]| image.trace(image.ray(x as f32 + u, y as f32 + v), x, y));
                std::array::from_fn(|c| {
                    samples.iter().map(|sample| sample[c]).sum::<f32>() / samples.len() as f32
                })
            } else if nearest[at] == NOTHING {
                BACKGROUND
            } else {
                image.shade(usize::from(nearest[at]), image.eye + rays[at] * depth[at], normals[at])
            };
            let pixel = colour.map(|c| {
                let noise = exposure.noise * triangular(&mut rng);
                // A gamma of 2 is close to a camera's and needs no power function.
                ((c.max(0.0) * exposure.gain).sqrt() * 255.0 + noise).round().clamp(0.0, 255.0)
                    as u8
            });
            out.put_pixel(x, y, image::Rgb(pixel));
        }
    }
    out
}

/// The index of the body that each pixel's middle shows, row by row; `None` where there is none.
#[must_use]
pub fn bodies_seen(bodies: &[Body], camera: &Pinhole) -> Vec<Option<usize>> {
    let hits = View::new(bodies, camera, &Exposure::default()).hits();
    hits.nearest.into_iter().map(|index| (index != NOTHING).then_some(usize::from(index))).collect()
}

/// What the ray through each pixel's middle meets first.
struct Hits {
    rays: Vec<V3>,
    depth: Vec<f32>,
    nearest: Vec<u16>,
    /// In the body's frame.
    normals: Vec<V3>,
}

/// A sum of two uniform numbers, scaled to unit variance: noise that costs one draw.
fn triangular(rng: &mut ChaCha8Rng) -> f32 {
    let bits: u32 = rng.random();
    let (a, b) = ((bits & 0xffff) as f32, (bits >> 16) as f32);
    ((a + b) / 65535.0 - 1.0) * 2.449_49
}

struct View {
    bodies: Vec<Prepared>,
    eye: V3,
    camera: Pinhole,
    focal: f32,
    lamp: V3,
}

impl View {
    fn new(bodies: &[Body], camera: &Pinhole, exposure: &Exposure) -> Self {
        let focal = camera.focal();
        let (eye, lamp) = (camera.pose.translation.vector, V3::from(exposure.lamp).normalize());
        let prepared = bodies.iter().map(|body| {
            let radius = body.solid.bounding_radius();
            let centre = body.pose.translation.vector;
            let turn = body.pose.rotation.inverse().to_rotation_matrix().into_inner();
            Prepared {
                window: window(camera, focal, centre, radius),
                eye: turn * (eye - centre),
                lamp: turn * lamp,
                casts: radius < LARGE,
                body: *body,
                radius,
                turn,
            }
        });
        View { bodies: prepared.collect(), eye, camera: *camera, focal, lamp }
    }

    fn hits(&self) -> Hits {
        let (width, height) = (self.camera.width, self.camera.height);
        let count = (width * height) as usize;
        let mut depth = vec![f32::INFINITY; count];
        let mut nearest = vec![NOTHING; count];
        let mut normals = vec![V3::zeros(); count];
        let rays: Vec<V3> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| self.ray(x as f32 + 0.5, y as f32 + 0.5))
            .collect();
        for (index, prepared) in self.bodies.iter().enumerate() {
            let [x0, x1, y0, y1] = prepared.window;
            for y in y0..y1 {
                for x in x0..x1 {
                    let at = (y * width + x) as usize;
                    if let Some((t, normal)) = prepared.seen(self.eye, rays[at])
                        && t < depth[at]
                    {
                        depth[at] = t;
                        nearest[at] = index as u16;
                        normals[at] = normal;
                    }
                }
            }
        }
        Hits { rays, depth, nearest, normals }
    }

    /// Unit direction through a place of the image, in pixels.
    fn ray(&self, x: f32, y: f32) -> V3 {
        let c = &self.camera;
        let local = V3::new(
            (x - 0.5 * c.width as f32) / self.focal,
            (y - 0.5 * c.height as f32) / self.focal,
            1.0,
        );
        (c.pose.rotation * local).normalize()
    }

    fn trace(&self, direction: V3, x: u32, y: u32) -> [f32; 3] {
        let mut best: Option<(f32, V3, usize)> = None;
        for (index, body) in self.bodies.iter().enumerate() {
            let [x0, x1, y0, y1] = body.window;
            if x < x0 || x >= x1 || y < y0 || y >= y1 {
                continue;
            }
            if let Some((t, normal)) = body.seen(self.eye, direction)
                && best.is_none_or(|(nearest, ..)| t < nearest)
            {
                best = Some((t, normal, index));
            }
        }
        best.map_or(BACKGROUND, |(t, normal, index)| {
            self.shade(index, self.eye + direction * t, normal)
        })
    }

    /// Light leaving the surface of body `index` at `point` of the world; the normal is in the
    /// body's frame.
    fn shade(&self, index: usize, point: V3, normal: V3) -> [f32; 3] {
        let body = &self.bodies[index].body;
        let normal = body.pose.rotation * normal;
        let facing = normal.dot(&self.lamp).max(0.0);
        let start = point + normal * 1e-3;
        let lit = facing > 0.0
            && !self
                .bodies
                .iter()
                .enumerate()
                .any(|(other, b)| b.casts && other != index && b.shades(start, self.lamp));
        let light = AMBIENT + if lit { (1.0 - AMBIENT) * facing } else { 0.0 };
        let [amplitude, period, offset] = body.paint.stripes;
        let pattern = if amplitude > 0.0 && normal.z > 0.5 {
            let phase = ((point.y - offset) / period).rem_euclid(1.0);
            1.0 - amplitude * if phase < 0.12 { 1.0 } else { 0.0 }
        } else {
            1.0
        };
        body.paint.colour.map(|c| c * light * pattern)
    }
}

/// The rectangle of pixels that a ball can cover, as first and end column, first and end row.
fn window(camera: &Pinhole, focal: f32, centre: V3, radius: f32) -> [u32; 4] {
    let (w, h) = (camera.width, camera.height);
    let c = camera.pose.inverse_transform_point(&centre.into());
    if c.z < -radius {
        return [0; 4];
    }
    if c.z < 1.5 * radius {
        return [0, w, 0, h];
    }
    // Exact on each axis: the angle to the centre plus and minus the angle of the ball.
    let range = |offset: f32, size: u32| -> [u32; 2] {
        let angle = offset.atan2(c.z);
        let spread = (radius / offset.hypot(c.z)).min(1.0).asin();
        let side = |a: f32, far: f32| {
            if a.abs() < 1.5 { focal * a.tan() + 0.5 * size as f32 } else { far }
        };
        let low = side(angle - spread, 0.0).floor() - 1.0;
        let high = side(angle + spread, size as f32).ceil() + 1.0;
        [low.clamp(0.0, size as f32) as u32, high.clamp(0.0, size as f32) as u32]
    };
    let ([x0, x1], [y0, y1]) = (range(c.x, w), range(c.y, h));
    [x0, x1, y0, y1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> (Vec<Body>, Pinhole) {
        let table = Body {
            pose: Isometry3::translation(0.0, 0.0, -0.05),
            solid: Solid::Cuboid { half: V3::new(1.0, 1.0, 0.05) },
            paint: Paint::plain([0.5; 3]),
        };
        let ball = Body {
            pose: Isometry3::translation(0.1, -0.05, 0.05),
            solid: Solid::Ball { radius: 0.05 },
            paint: Paint::plain([0.9, 0.1, 0.1]),
        };
        let camera = Pinhole::looking(V3::new(0.8, 0.0, 0.8), V3::zeros(), -V3::z(), 0.7, 96, 64);
        (vec![table, ball], camera)
    }

    #[test]
    fn a_body_appears_where_the_pinhole_projects_it() {
        let (bodies, camera) = scene();
        let exposure = Exposure { noise: 0.0, ..Exposure::default() };
        let image = draw(&bodies, &camera, &exposure, 0);
        let (mut sum, mut mass) = ([0.0; 2], 0.0);
        for (x, y, pixel) in image.enumerate_pixels() {
            let redness = (f32::from(pixel[0]) - f32::from(pixel[1])).max(0.0);
            mass += redness;
            sum = [sum[0] + redness * (x as f32 + 0.5), sum[1] + redness * (y as f32 + 0.5)];
        }
        let expected = camera.project(V3::new(0.1, -0.05, 0.05)).unwrap_or_default();
        assert!((sum[0] / mass - expected[0]).abs() < 0.5, "{} {}", sum[0] / mass, expected[0]);
        assert!((sum[1] / mass - expected[1]).abs() < 0.8, "{} {}", sum[1] / mass, expected[1]);
    }

    #[test]
    fn a_shadow_falls_away_from_the_lamp() {
        let (bodies, camera) = scene();
        let exposure = Exposure { noise: 0.0, lamp: [0.0, 1.0, 1.0], gain: 1.0 };
        let image = draw(&bodies, &camera, &exposure, 0);
        let at = |point: V3| {
            let [x, y] = camera.project(point).unwrap_or_default();
            image.get_pixel(x as u32, y as u32)[1]
        };
        let shadow = at(V3::new(0.1, -0.12, 0.0));
        let light = at(V3::new(0.1, 0.12, 0.0));
        assert!(shadow + 30 < light, "{shadow} {light}");
    }

    #[test]
    fn the_same_seed_gives_the_same_image() {
        let (bodies, camera) = scene();
        let exposure = Exposure::default();
        assert_eq!(draw(&bodies, &camera, &exposure, 7), draw(&bodies, &camera, &exposure, 7));
        assert_ne!(draw(&bodies, &camera, &exposure, 7), draw(&bodies, &camera, &exposure, 8));
    }

    #[test]
    fn culling_by_window_never_loses_a_pixel() {
        let (bodies, camera) = scene();
        let near = Pinhole::looking(
            V3::new(0.1, -0.05, 0.3),
            V3::new(0.15, 0.0, 0.0),
            V3::x(),
            1.4,
            64,
            64,
        );
        for camera in [camera, near] {
            let image = View::new(&bodies, &camera, &Exposure::default());
            for (y, x) in (0..camera.height).flat_map(|y| (0..camera.width).map(move |x| (y, x))) {
                let direction = image.ray(x as f32 + 0.5, y as f32 + 0.5);
                for body in &image.bodies {
                    if body.seen(image.eye, direction).is_some() {
                        let [x0, x1, y0, y1] = body.window;
                        assert!(
                            (x0..x1).contains(&x) && (y0..y1).contains(&y),
                            "{x} {y} {:?}",
                            body.window
                        );
                    }
                }
            }
        }
    }
}
