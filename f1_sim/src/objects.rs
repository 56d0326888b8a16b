//! What lies on the belt: how an episode is laid out.

use nalgebra::Vector3;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

pub use crate::kinds::{COLOURS, Colour, HELD_OUT, Kind, SHAPES, Shape};
use crate::layout;
use crate::settings::BenchSettings;

/// Where an object is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// On the belt, moving with it.
    Belt,
    /// On the table or in the bin, or falling there.
    Free,
    /// Between the fingers.
    Held,
    /// Out of the scene.
    Gone,
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its centre in the world, m.
    pub position: Vector3<f64>,
    /// Rotation about z, rad.
    pub yaw: f64,
    /// Speed of its fall, m/s.
    pub fall: f64,
    /// What carries it.
    pub rest: Rest,
}

/// Objects and belt speed at the start of an episode; the first object is the one asked for.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Objects, target first.
    pub objects: Vec<Object>,
    /// Signed belt speed along y, m/s.
    pub belt_velocity: f64,
}

impl Scene {
    /// Draws an episode.
    #[must_use]
    pub fn draw(settings: &BenchSettings, rng: &mut ChaCha8Rng) -> Scene {
        let BenchSettings { task, split, speed, kind, ref beside, anywhere, .. } = *settings;
        let kinds: Vec<Kind> = Kind::all().filter(|kind| split.allows(*kind)).collect();
        let drawn =
            kinds.choose(rng).copied().unwrap_or(Kind { colour: Colour::Red, shape: Shape::Cube });
        let target = kind.unwrap_or(drawn);
        let drawn_speed = split.speed(rng);
        let speed = if task.belt_moves() { speed.unwrap_or(drawn_speed).max(0.0) } else { 0.0 };
        let direction = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let y = if speed > 0.0 {
            // Far enough upstream that it stays within reach for a grasp and a little more.
            let least = (3.2 * speed - layout::REACH_Y).clamp(0.06, 0.28);
            -direction * rng.random_range(least..0.30)
        } else {
            rng.random_range(-0.18..0.18)
        };
        let mut objects = vec![place(target, across_belt(rng), y, rng)];
        // Distractors differ in colour from what is asked for: the instruction is never ambiguous.
        let mut others: Vec<Kind> =
            Kind::all().filter(|k| k.colour != target.colour && split.shows(*k)).collect();
        others.shuffle(rng);
        let mut count = rng.random_range(1..=2);
        if !beside.is_empty() {
            others.retain(|kind| beside.contains(kind));
            count = 1;
        }
        let mut ahead = rng.random_bool(0.5);
        // Of three in a row any is equally likely the one asked for, or always the one in the
        // middle.
        let same_side = anywhere && rng.random_bool(2.0 / 3.0);
        let mut from = y;
        for kind in others.into_iter().take(count) {
            let gap = rng.random_range(0.10..0.16) * if ahead { 1.0 } else { -1.0 };
            objects.push(place(kind, across_belt(rng), from + gap, rng));
            if same_side {
                from += gap;
            } else {
                ahead = !ahead;
            }
        }
        if anywhere && speed == 0.0 {
            // The row is where it is whichever of it is asked for.
            let ys = || objects.iter().map(|object| object.position.y);
            let middle =
                0.5 * (ys().fold(f64::INFINITY, f64::min) + ys().fold(f64::NEG_INFINITY, f64::max));
            let shift = rng.random_range(-0.12..0.12) - middle;
            objects.iter_mut().for_each(|object| object.position.y += shift);
        }
        Scene { objects, belt_velocity: direction * speed }
    }
}

fn across_belt(rng: &mut ChaCha8Rng) -> f64 {
    layout::BELT_X + rng.random_range(-layout::LANE..layout::LANE)
}

fn place(kind: Kind, x: f64, y: f64, rng: &mut ChaCha8Rng) -> Object {
    let yaw = if kind.shape == Shape::Cube { rng.random_range(-0.2..0.2) } else { 0.0 };
    let position = Vector3::new(x, y, layout::BELT_TOP + kind.shape.rest_height());
    Object { kind, position, yaw, fall: 0.0, rest: Rest::Belt }
}
