//! The bench as a pure machine: time in, images and joints out. The same seed gives the same
//! episode to the last bit.

use std::sync::Arc;

use f1_model::image_measures::CHANGED;
use f1_robot::Robot;
use image::RgbImage;
use nalgebra::Vector3;

use crate::arm::{Arm, ArmError};
use crate::detector::{LEAST_PIXELS, SIDE};
use crate::disturb::{self, Disturbed, Pending};
use crate::jtc::Trajectory;
use crate::objects::{Kind, Scene};
use crate::random::stream;
use crate::render::Exposure;
use crate::scenery::{self, Cameras, Visual};
use crate::settings::{BenchSettings, CameraId};
use crate::task::Outcome;
use crate::world::{Hand, World};

/// Controller periods between two looks at what may be disturbed.
const LOOK: i64 = 5;

/// Seconds between two controller periods: 100 Hz, a usual update rate of ros2_control.
pub const PERIOD: f64 = 0.01;

/// An object in a camera's image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visible {
    /// What it is.
    pub kind: Kind,
    /// Pixels whose middle shows it; a fraction when the image was brought to another size.
    pub pixels: f64,
    /// Mean place of those pixels' middles: right, down.
    pub centre: [f64; 2],
}

/// Measured joints at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct JointReading {
    /// Seconds.
    pub time: f64,
    /// The robot's joints, in its order.
    pub names: Vec<String>,
    /// rad or m.
    pub positions: Vec<f64>,
    /// Per second.
    pub velocities: Vec<f64>,
}

/// The bench during an episode.
#[derive(Clone, Debug)]
pub struct Bench {
    settings: BenchSettings,
    arm: Arm,
    world: World,
    cameras: Cameras,
    visuals: Arc<Vec<Visual>>,
    ticks: i64,
    outcome: Outcome,
    pending: Option<Pending>,
    disturbed: Option<Disturbed>,
    /// The world as it would be without the disturbance, until the difference shows.
    undisturbed: Option<Box<World>>,
}

impl Bench {
    /// Lays out an episode.
    ///
    /// # Errors
    /// A robot that the bench cannot play.
    pub fn new(robot: Arc<Robot>, settings: BenchSettings) -> Result<Self, ArmError> {
        // Streams of their own, so that a change in one draw does not move the others.
        let stream = |number: u64| stream(settings.seed, number);
        let scene = Scene::draw(&settings, &mut stream(1));
        let start = settings.start.clone().unwrap_or_else(|| robot.home().to_vec());
        let cameras = Cameras::draw(&robot, settings.image, settings.disturbance, &mut stream(2))?;
        let visuals = Arc::new(Visual::of(&robot)?);
        let arm = Arm::new(robot, &start, settings.lag)?;
        let lead = (settings.lead_in.max(0.0) / PERIOD).round();
        Ok(Bench {
            arm,
            world: World::before(scene, lead * PERIOD),
            cameras,
            visuals,
            ticks: -(lead as i64),
            outcome: Outcome::Running,
            pending: settings.disturb.map(|kind| Pending::draw(kind, stream(20))),
            disturbed: None,
            undisturbed: None,
            settings,
        })
    }

    /// Seconds since the episode began; negative during the lead-in.
    #[must_use]
    pub fn time(&self) -> f64 {
        self.ticks as f64 * PERIOD
    }

    /// The episode's settings.
    #[must_use]
    pub fn settings(&self) -> &BenchSettings {
        &self.settings
    }

    /// The sentence for the policy.
    #[must_use]
    pub fn instruction(&self) -> String {
        self.settings.task.instruction(self.world.objects[0].kind)
    }

    /// Arm and controllers.
    #[must_use]
    pub fn arm(&self) -> &Arm {
        &self.arm
    }

    /// Belt and objects: what the expert may look at and a policy may not.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// How the episode stands; it stays as it was when it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Hands a trajectory to a controller; a start of `None` is the present.
    ///
    /// # Errors
    /// An unknown controller, or the controller's refusal.
    pub fn command(&mut self, controller: &str, trajectory: &Trajectory) -> Result<(), ArmError> {
        self.arm.command(self.time(), controller, trajectory)
    }

    /// Runs whole controller periods up to `seconds` on the bench's clock.
    pub fn advance_to(&mut self, seconds: f64) {
        let until = (seconds / PERIOD + 1e-6).floor() as i64;
        while self.ticks < until {
            self.tick();
        }
    }

    /// Runs `dt` seconds, in whole controller periods.
    pub fn advance(&mut self, dt: f64) {
        let ticks = (dt / PERIOD).round() as u64;
        for _ in 0..ticks {
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.ticks += 1;
        let now = self.time();
        self.arm.advance(now, PERIOD, self.world.finger_stop());
        let hand = Hand { tool: self.arm.tool(), half_opening: self.arm.half_opening() };
        self.world.advance(PERIOD, &hand);
        if let Some(world) = &mut self.undisturbed {
            world.advance(PERIOD, &hand);
        }
        self.disturb(now, &hand);
        if self.ticks > 0 && !self.outcome.is_over() {
            self.outcome = self.world.outcome(self.settings.task, now);
        }
    }

    /// Lets the disturbance of this episode happen when its moment has come.
    fn disturb(&mut self, now: f64, hand: &Hand) {
        let Some(pending) = &mut self.pending else { return };
        if pending.is_past(now) || self.outcome.is_over() {
            self.pending = None;
            return;
        }
        // What is in view is looked for as often as a camera would.
        if !pending.is_due(now) || self.ticks % LOOK != 0 {
            return;
        }
        let Some(mut pending) = self.pending.take() else { return };
        let [width, height] = self.settings.image.map(f64::from);
        let least = LEAST_PIXELS * width * height / (SIDE * SIDE);
        let visible = disturb::in_view(&self.world, &self.visible(CameraId::Fixed), least);
        let before = self.world.clone();
        let tool = hand.tool.translation.vector;
        self.disturbed = pending.disturb(&mut self.world, &visible, &tool, now);
        match self.disturbed {
            Some(_) => self.undisturbed = Some(Box::new(before)),
            None => self.pending = Some(pending),
        }
    }

    /// What happened in mid-episode, by [`BenchSettings::disturb`].
    #[must_use]
    pub fn disturbed(&self) -> Option<Disturbed> {
        self.disturbed
    }

    /// Whether the disturbance shows in a camera's image: without noise, at least as many pixels as
    /// a visible object has differ from what would be seen without it, in a channel by more than
    /// [`CHANGED`].
    #[must_use]
    pub fn disturbance_shows(&self, camera: CameraId) -> bool {
        let Some(undisturbed) = &self.undisturbed else { return false };
        let pinhole = self.cameras.pinhole(camera, &self.arm);
        let exposure = Exposure { noise: 0.0, ..self.cameras.exposure };
        let [is, would_be] = [&self.world, undisturbed].map(|world| {
            let bodies = scenery::bodies(&self.visuals, &self.arm, world);
            crate::render::draw(&bodies, &pinhole, &exposure, 0)
        });
        let differs = |(a, b): (&image::Rgb<u8>, &image::Rgb<u8>)| {
            a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > CHANGED)
        };
        let pixels = is.pixels().zip(would_be.pixels()).filter(|pair| differs(*pair)).count();
        let area = f64::from(pinhole.width) * f64::from(pinhole.height);
        pixels as f64 >= LEAST_PIXELS * area / (SIDE * SIDE)
    }

    /// The measured joints now.
    #[must_use]
    pub fn joint_state(&self) -> JointReading {
        JointReading {
            time: self.time(),
            names: self.arm.robot().joints().iter().map(|joint| joint.name.clone()).collect(),
            positions: self.arm.position().to_vec(),
            velocities: self.arm.velocity().to_vec(),
        }
    }

    /// What a camera sees now.
    #[must_use]
    pub fn render(&self, camera: CameraId) -> RgbImage {
        self.render_again(camera, 0)
    }

    /// As [`Bench::render`] with draw number `draw` of the sensor's noise.
    #[must_use]
    pub fn render_again(&self, camera: CameraId, draw: u64) -> RgbImage {
        let bodies = scenery::bodies(&self.visuals, &self.arm, &self.world);
        let number = match camera {
            CameraId::Fixed => 1,
            CameraId::Wrist => 2,
        };
        let seed = self.settings.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ ((self.ticks as u64) << 2)
            ^ number
            ^ (draw << 48);
        let pinhole = self.cameras.pinhole(camera, &self.arm);
        crate::render::draw(&bodies, &pinhole, &self.cameras.exposure, seed)
    }

    /// The objects that a camera sees now, each with its pixels that nothing hides.
    #[must_use]
    pub fn visible(&self, camera: CameraId) -> Vec<Visible> {
        let bodies = scenery::bodies(&self.visuals, &self.arm, &self.world);
        let pinhole = self.cameras.pinhole(camera, &self.arm);
        let width = pinhole.width as usize;
        let kinds: Vec<Kind> = scenery::drawn(&self.world).map(|object| object.kind).collect();
        let mut sums = vec![(0.0, [0.0, 0.0]); kinds.len()];
        for (at, body) in crate::render::bodies_seen(&bodies, &pinhole).into_iter().enumerate() {
            let object = body.and_then(|body| body.checked_sub(scenery::BEFORE_OBJECTS));
            if let Some((pixels, sum)) = object.and_then(|object| sums.get_mut(object)) {
                *pixels += 1.0;
                sum[0] += (at % width) as f64 + 0.5;
                sum[1] += (at / width) as f64 + 0.5;
            }
        }
        kinds
            .into_iter()
            .zip(sums)
            .filter(|(_, (pixels, _))| *pixels > 0.0)
            .map(|(kind, (pixels, sum))| Visible {
                kind,
                pixels,
                centre: sum.map(|sum| sum / pixels),
            })
            .collect()
    }

    /// Where a point of the world falls in a camera's image, in pixels.
    #[must_use]
    pub fn project(&self, camera: CameraId, point: &Vector3<f64>) -> Option<[f32; 2]> {
        self.cameras.pinhole(camera, &self.arm).project(point.cast())
    }
}
