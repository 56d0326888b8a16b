//! What lies on the belt: shapes, colours, which pairs are kept out of training, and how an episode
//! is laid out.

use nalgebra::Vector3;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::BenchSettings;
use crate::layout;
use crate::render::Solid;

/// An object's colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Colour {
    Red,
    Green,
    Blue,
    Yellow,
}

/// An object's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Shape {
    Cube,
    Cylinder,
    Ball,
}

/// A colour and a shape: what an instruction names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kind {
    /// Its colour.
    pub colour: Colour,
    /// Its shape.
    pub shape: Shape,
}

/// Every colour.
pub const COLOURS: [Colour; 4] = [Colour::Red, Colour::Green, Colour::Blue, Colour::Yellow];
/// Every shape.
pub const SHAPES: [Shape; 3] = [Shape::Cube, Shape::Cylinder, Shape::Ball];
/// Pairs that training never shows, neither asked for nor lying beside.
pub const HELD_OUT: [Kind; 3] = [
    Kind { colour: Colour::Green, shape: Shape::Cube },
    Kind { colour: Colour::Blue, shape: Shape::Ball },
    Kind { colour: Colour::Yellow, shape: Shape::Cylinder },
];

impl Colour {
    /// The word an instruction uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Colour::Red => "red",
            Colour::Green => "green",
            Colour::Blue => "blue",
            Colour::Yellow => "yellow",
        }
    }

    /// Reflectance, 0 to 1.
    #[must_use]
    pub const fn reflectance(self) -> [f32; 3] {
        match self {
            Colour::Red => [0.78, 0.04, 0.05],
            Colour::Green => [0.05, 0.55, 0.10],
            Colour::Blue => [0.05, 0.14, 0.80],
            Colour::Yellow => [0.90, 0.72, 0.04],
        }
    }
}

impl Shape {
    /// The word an instruction uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Shape::Cube => "cube",
            Shape::Cylinder => "cylinder",
            Shape::Ball => "ball",
        }
    }

    /// The solid, its axis along z.
    #[must_use]
    pub fn solid(self) -> Solid {
        match self {
            Shape::Cube => Solid::Cuboid { half: Vector3::repeat(0.023) },
            Shape::Cylinder => Solid::Cylinder { radius: 0.024, half_height: 0.026 },
            Shape::Ball => Solid::Ball { radius: 0.026 },
        }
    }

    /// Height of the centre above what it rests on, m.
    #[must_use]
    pub const fn rest_height(self) -> f64 {
        match self {
            Shape::Cube => 0.023,
            Shape::Cylinder | Shape::Ball => 0.026,
        }
    }

    /// Half of the width that closing fingers meet, m (a cube's grows with its yaw).
    #[must_use]
    pub fn half_width(self, yaw: f64) -> f64 {
        match self {
            Shape::Cube => 0.023 * (yaw.cos().abs() + yaw.sin().abs()),
            Shape::Cylinder => 0.024,
            Shape::Ball => 0.026,
        }
    }
}

impl Kind {
    /// Every pair.
    pub fn all() -> impl Iterator<Item = Kind> {
        COLOURS
            .into_iter()
            .flat_map(|colour| SHAPES.into_iter().map(move |shape| Kind { colour, shape }))
    }

    /// Whether training may show it.
    #[must_use]
    pub fn is_trained(self) -> bool {
        !HELD_OUT.contains(&self)
    }

    /// "red cube".
    #[must_use]
    pub fn words(self) -> String {
        format!("{} {}", self.colour.word(), self.shape.word())
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    /// From [`Kind::words`].
    fn from_str(text: &str) -> Result<Self, String> {
        Kind::all().find(|kind| kind.words() == text).ok_or_else(|| {
            let known: Vec<String> = Kind::all().map(Kind::words).collect();
            format!("object {text:?} is none of {}", known.join(", "))
        })
    }
}

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
        let mut objects = vec![place(target, lane(rng), y, rng)];
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
            objects.push(place(kind, lane(rng), from + gap, rng));
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

fn lane(rng: &mut ChaCha8Rng) -> f64 {
    layout::BELT_X + rng.random_range(-layout::LANE..layout::LANE)
}

fn place(kind: Kind, x: f64, y: f64, rng: &mut ChaCha8Rng) -> Object {
    let yaw = if kind.shape == Shape::Cube { rng.random_range(-0.2..0.2) } else { 0.0 };
    let position = Vector3::new(x, y, layout::BELT_TOP + kind.shape.rest_height());
    Object { kind, position, yaw, fall: 0.0, rest: Rest::Belt }
}
