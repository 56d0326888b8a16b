//! Shapes and colours, and which pairs are kept out of training.

use nalgebra::Vector3;
use serde::{Deserialize, Serialize};

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
