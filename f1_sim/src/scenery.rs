//! What the cameras see: the bodies of arm, belt, bin and objects, and where the cameras stand.

use f1_robot::Robot;
use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use rand_chacha::ChaCha8Rng;
use urdf_rs::Geometry;

use crate::arm::{Arm, ArmError};
use crate::layout as l;
use crate::objects::{Object, Rest};
use crate::random::normal;
use crate::render::{Body, Exposure, Paint, Pinhole, Solid};
use crate::settings::CameraId;
use crate::world::World;

type V3 = Vector3<f32>;

const TABLE: Paint = Paint::plain([0.42, 0.36, 0.29]);
const BELT: [f32; 3] = [0.085, 0.09, 0.10];
const RAIL: Paint = Paint::plain([0.45, 0.46, 0.48]);
const BIN_WALL: Paint = Paint::plain([0.36, 0.22, 0.42]);
const UNPAINTED: [f32; 3] = [0.5, 0.5, 0.5];

/// Vertical field of view of the fixed camera, rad.
const FIXED_VIEW: f32 = 0.72;
/// Vertical field of view of the wrist camera, rad.
const WRIST_VIEW: f32 = 1.25;

/// Where the cameras are in this episode, and how they see.
#[derive(Clone, Debug)]
pub struct Cameras {
    /// Link and pose of the optical frame in it.
    fixed: (usize, Isometry3<f32>),
    wrist: (usize, Isometry3<f32>),
    image: [u32; 2],
    /// Lamp, gain and noise.
    pub exposure: Exposure,
}

impl Cameras {
    /// Cameras at their frames of the URDF, with a little jitter. A camera whose name contains
    /// "wrist" is the wrist camera.
    ///
    /// # Errors
    /// A robot file without a fixed and a wrist camera that have frames.
    pub fn draw(
        robot: &Robot,
        image: [u32; 2],
        disturbance: f32,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ArmError> {
        let mut n = |sigma: f32| sigma * disturbance * normal(rng) as f32;
        let mut mounted = |wrist: bool,
                           metres: f32,
                           radians: f32|
         -> Result<(usize, Isometry3<f32>), ArmError> {
            let camera =
                robot.file().cameras.iter().find(|camera| camera.name.contains("wrist") == wrist);
            let frame = camera.and_then(|camera| camera.frame.as_deref());
            let frame = frame.ok_or(ArmError::Camera(if wrist { "wrist" } else { "fixed" }))?;
            let link =
                robot.kinematics().link(frame).ok_or_else(|| ArmError::Link(frame.to_owned()))?;
            let shift = V3::new(n(metres), n(metres), n(metres));
            let turn = V3::new(n(radians), n(radians), n(radians));
            Ok((link, Isometry3::new(shift, turn)))
        };
        let fixed = mounted(false, 0.003, 0.003)?;
        let wrist = mounted(true, 0.0005, 0.003)?;
        let nominal = Exposure::default();
        let lamp = nominal.lamp.map(|c| c + n(0.03));
        let exposure = Exposure { lamp, gain: 1.0 + n(0.03), noise: nominal.noise * disturbance };
        Ok(Cameras { fixed, wrist, image, exposure })
    }

    /// The camera with the arm as it is.
    #[must_use]
    pub fn pinhole(&self, camera: CameraId, arm: &Arm) -> Pinhole {
        let ((link, jitter), field_of_view) = match camera {
            CameraId::Fixed => (self.fixed, FIXED_VIEW),
            CameraId::Wrist => (self.wrist, WRIST_VIEW),
        };
        let pose = arm.link_poses()[link].cast::<f32>() * jitter;
        Pinhole { pose, field_of_view, width: self.image[0], height: self.image[1] }
    }
}

/// A visual element of the URDF that can be drawn.
#[derive(Clone, Debug)]
pub struct Visual {
    link: usize,
    origin: Isometry3<f32>,
    solid: Solid,
    paint: Paint,
}

impl Visual {
    /// The visuals of a robot's URDF; meshes are left out.
    ///
    /// # Errors
    /// A URDF that cannot be read.
    pub fn of(robot: &Robot) -> Result<Vec<Visual>, ArmError> {
        let urdf = urdf_rs::read_from_string(robot.urdf())
            .map_err(|error| ArmError::Link(error.to_string()))?;
        let colour = |material: &urdf_rs::Material| {
            let own = material.color.as_ref();
            let shared = urdf
                .materials
                .iter()
                .find(|m| m.name == material.name)
                .and_then(|m| m.color.as_ref());
            own.or(shared).map(|c| [c.rgba[0] as f32, c.rgba[1] as f32, c.rgba[2] as f32])
        };
        let mut visuals = Vec::new();
        for link in &urdf.links {
            let Some(index) = robot.kinematics().link(&link.name) else { continue };
            for visual in &link.visual {
                let solid = match &visual.geometry {
                    Geometry::Box { size } => {
                        Solid::Cuboid { half: V3::from(size.0.map(|s| 0.5 * s as f32)) }
                    }
                    Geometry::Cylinder { radius, length } => Solid::Cylinder {
                        radius: *radius as f32,
                        half_height: 0.5 * *length as f32,
                    },
                    Geometry::Capsule { radius, length } => {
                        Solid::Capsule { radius: *radius as f32, half_height: 0.5 * *length as f32 }
                    }
                    Geometry::Sphere { radius } => Solid::Ball { radius: *radius as f32 },
                    Geometry::Mesh { .. } => continue,
                };
                let [roll, pitch, yaw] = visual.origin.rpy.0.map(|a| a as f32);
                let [x, y, z] = visual.origin.xyz.0.map(|a| a as f32);
                let origin = Isometry3::from_parts(
                    Translation3::new(x, y, z),
                    UnitQuaternion::from_euler_angles(roll, pitch, yaw),
                );
                // Colours are seen colours; reflectance is their square under this camera's gamma.
                let paint = visual
                    .material
                    .as_ref()
                    .and_then(colour)
                    .map_or(UNPAINTED, |c| c.map(|v| v * v * 0.8));
                visuals.push(Visual { link: index, origin, solid, paint: Paint::plain(paint) });
            }
        }
        Ok(visuals)
    }
}

fn cuboid(centre: [f64; 3], half: [f64; 3], paint: Paint) -> Body {
    let [x, y, z] = centre.map(|c| c as f32);
    Body {
        pose: Isometry3::translation(x, y, z),
        solid: Solid::Cuboid { half: V3::from(half.map(|h| h as f32)) },
        paint,
    }
}

/// Bodies before the objects in [`bodies`]: table, belt, two rails, and the bin's walls and floor.
pub const BEFORE_OBJECTS: usize = 9;

/// The objects that are drawn, in the order of their bodies.
pub fn drawn(world: &World) -> impl Iterator<Item = &Object> {
    world.objects.iter().filter(|object| object.rest != Rest::Gone)
}

/// Everything that stands or moves on the bench.
#[must_use]
pub fn bodies(visuals: &[Visual], arm: &Arm, world: &World) -> Vec<Body> {
    let mut bodies = vec![cuboid([0.3, 0.0, -0.05], [0.9, 1.2, 0.05], TABLE)];
    let belt = Paint { colour: BELT, stripes: [0.25, 0.12, world.belt_travel as f32] };
    let half = 0.5 * l::BELT_TOP;
    bodies.push(cuboid(
        [l::BELT_X, 0.0, half],
        [l::BELT_HALF_WIDTH, l::BELT_HALF_LENGTH, half],
        belt,
    ));
    for side in [-1.0, 1.0] {
        let x = l::BELT_X + side * (l::BELT_HALF_WIDTH + 0.008);
        bodies.push(cuboid([x, 0.0, 0.026], [0.008, l::BELT_HALF_LENGTH, 0.026], RAIL));
    }
    let [x, y] = l::BIN;
    let (outer, wall, height) = (l::BIN_HALF + 0.004, 0.004, 0.5 * l::BIN_HEIGHT);
    for side in [-1.0, 1.0] {
        bodies.push(cuboid([x + side * outer, y, height], [wall, outer, height], BIN_WALL));
        bodies.push(cuboid([x, y + side * outer, height], [outer, wall, height], BIN_WALL));
    }
    bodies.push(cuboid([x, y, 0.0025], [l::BIN_HALF, l::BIN_HALF, 0.0025], BIN_WALL));
    for object in drawn(world) {
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), object.yaw);
        let pose = Isometry3::from_parts(Translation3::from(object.position), turn).cast();
        let paint = Paint::plain(object.kind.colour.reflectance());
        bodies.push(Body { pose, solid: object.kind.shape.solid(), paint });
    }
    bodies.extend(visuals.iter().map(|visual| Body {
        pose: arm.link_poses()[visual.link].cast::<f32>() * visual.origin,
        solid: visual.solid,
        paint: visual.paint,
    }));
    bodies
}
