//! Something that happens in mid-episode and that no image foretold: what foresight must notice.

use nalgebra::Vector3;
use rand::Rng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::bench::Visible;
use crate::kinds::{COLOURS, Colour, Kind};
use crate::layout;
use crate::objects::{Object, Rest};
use crate::task::FASTEST;
use crate::world::World;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturb {
    /// The belt's speed changes by 40 to 100 %, up or down, within 0 to 0.15 m/s.
    Speed,
    /// An object that is not asked for has another colour, at the same place.
    Swap,
    /// An object is pushed by 2 to 6 cm along the belt.
    Push,
}

/// Every kind.
pub const KINDS: [Disturb; 3] = [Disturb::Speed, Disturb::Swap, Disturb::Push];
/// When it happens, s after the instruction.
pub const WHEN: [f64; 2] = [1.0, 4.0];
/// How much of the belt's speed it adds or takes.
pub const SPEED_SHARE: [f64; 2] = [0.4, 1.0];
/// How far it pushes, m.
pub const PUSH: [f64; 2] = [0.02, 0.06];
/// An object within this of the tool point is left alone: the fingers are about it, m.
const NEAR_HAND: f64 = 0.09;
/// Objects stay this far apart, m: none is pushed into another.
const APART: f64 = 0.06;

impl Disturb {
    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Disturb::Speed => "speed",
            Disturb::Swap => "swap",
            Disturb::Push => "push",
        }
    }
}

impl std::str::FromStr for Disturb {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        KINDS
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("{text:?} is none of speed, swap, push"))
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Disturbed {
    /// When, s on the bench's clock.
    pub time: f64,
    /// What.
    pub kind: Disturb,
    /// Index of the object; the first in view for [`Disturb::Speed`], which moves them all.
    pub object: usize,
    /// Signed belt speed before and after, m/s; for [`Disturb::Speed`].
    pub speed: Option<[f64; 2]>,
    /// Colour before and after; for [`Disturb::Swap`].
    pub colour: Option<[Colour; 2]>,
    /// Signed distance along the belt, m; for [`Disturb::Push`].
    pub push: Option<f64>,
}

/// A disturbance that waits for its moment.
#[derive(Clone, Debug)]
pub struct Pending {
    kind: Disturb,
    rng: ChaCha8Rng,
    at: f64,
}

impl Pending {
    /// Draws the moment.
    #[must_use]
    pub fn draw(kind: Disturb, mut rng: ChaCha8Rng) -> Self {
        let at = rng.random_range(WHEN[0]..WHEN[1]);
        Pending { kind, rng, at }
    }

    /// Whether its moment has come; it waits on, until the last allowed instant, while nothing that
    /// may be disturbed is in view.
    #[must_use]
    pub fn is_due(&self, time: f64) -> bool {
        time >= self.at && time <= WHEN[1]
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_past(&self, time: f64) -> bool {
        time > WHEN[1]
    }

    /// Disturbs the world if something fit is in view. `visible` are the objects that the history
    /// camera shows, by index; `tool` is the gripper's tool point.
    pub fn disturb(
        &mut self,
        world: &mut World,
        visible: &[usize],
        tool: &Vector3<f64>,
        time: f64,
    ) -> Option<Disturbed> {
        let nothing =
            Disturbed { time, kind: self.kind, object: 0, speed: None, colour: None, push: None };
        match self.kind {
            Disturb::Speed => {
                let object = *visible.iter().find(|index| on_belt(&world.objects[**index]))?;
                let before = world.belt_velocity;
                let after = before.signum() * self.other_speed(before.abs())?;
                world.belt_velocity = after;
                Some(Disturbed { object, speed: Some([before, after]), ..nothing })
            }
            Disturb::Swap => {
                // What is asked for keeps its colour: the instruction names it.
                let fit: Vec<usize> = visible.iter().copied().filter(|index| *index > 0).collect();
                let object = *fit.choose(&mut self.rng)?;
                let taken: Vec<Colour> =
                    world.objects.iter().map(|object| object.kind.colour).collect();
                let free: Vec<Colour> =
                    COLOURS.into_iter().filter(|colour| !taken.contains(colour)).collect();
                let after = *free.choose(&mut self.rng)?;
                let kind = &mut world.objects[object].kind;
                let before = kind.colour;
                *kind = Kind { colour: after, ..*kind };
                Some(Disturbed { object, colour: Some([before, after]), ..nothing })
            }
            Disturb::Push => {
                let mut fit: Vec<(usize, f64)> = Vec::new();
                let (length, sign) =
                    (self.rng.random_range(PUSH[0]..PUSH[1]), self.rng.random_bool(0.5));
                let length = if sign { length } else { -length };
                for index in visible {
                    let object = &world.objects[*index];
                    let far = (object.position - tool).norm() > NEAR_HAND;
                    // The other way where this one is not free.
                    let free = [length, -length].into_iter().find(|by| is_free(world, *index, *by));
                    if let (true, true, Some(by)) = (on_belt(object), far, free) {
                        fit.push((*index, by));
                    }
                }
                let (object, by) = *fit.choose(&mut self.rng)?;
                world.objects[object].position.y += by;
                Some(Disturbed { object, push: Some(by), ..nothing })
            }
        }
    }

    /// Another speed; `None` for a belt that stands.
    fn other_speed(&mut self, speed: f64) -> Option<f64> {
        let [least, most] = SPEED_SHARE;
        if speed <= 0.0 {
            return None;
        }
        let up = (FASTEST / speed - 1.0).min(most);
        let down = (1.0 - FASTEST / speed).max(least);
        let share = if up >= least && self.rng.random_bool(0.5) {
            self.rng.random_range(least..=up)
        } else {
            -self.rng.random_range(down..=most)
        };
        Some(speed * (1.0 + share))
    }
}

fn on_belt(object: &Object) -> bool {
    object.rest == Rest::Belt
}

/// Whether the object can be moved by so much along the belt: it stays on it, and beside the
/// others.
fn is_free(world: &World, index: usize, by: f64) -> bool {
    let y = world.objects[index].position.y + by;
    y.abs() < layout::END_Y
        && world.objects.iter().enumerate().all(|(other, object)| {
            let [dx, dy] =
                [object.position.x - world.objects[index].position.x, object.position.y - y];
            other == index || object.rest == Rest::Gone || dx.hypot(dy) > APART
        })
}

/// Indices of the objects that count as in view, from what a camera shows of those that are drawn.
#[must_use]
pub fn in_view(world: &World, visible: &[Visible], least_pixels: f64) -> Vec<usize> {
    let shown = |object: &Object| {
        visible.iter().any(|seen| seen.kind == object.kind && seen.pixels >= least_pixels)
    };
    let objects = world.objects.iter().enumerate();
    objects
        .filter(|(_, object)| object.rest != Rest::Gone && shown(object))
        .map(|(index, _)| index)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Shape;
    use crate::objects::Scene;
    use crate::random::stream;

    fn object(colour: Colour, y: f64) -> Object {
        let kind = Kind { colour, shape: Shape::Cube };
        let position = Vector3::new(layout::BELT_X, y, layout::BELT_TOP + 0.023);
        Object { kind, position, yaw: 0.0, fall: 0.0, rest: Rest::Belt }
    }

    fn world(speed: f64) -> World {
        let objects = vec![object(Colour::Red, 0.0), object(Colour::Blue, 0.12)];
        World::new(Scene { objects, belt_velocity: speed })
    }

    /// Disturbs with each of many seeds, the hand far away.
    fn each(kind: Disturb, speed: f64) -> Vec<(World, Option<Disturbed>)> {
        (0..200)
            .map(|seed| {
                let mut world = world(speed);
                let far = Vector3::new(0.2, 0.0, 0.5);
                let mut pending = Pending::draw(kind, stream(seed, 20));
                assert!((WHEN[0]..WHEN[1]).contains(&pending.at));
                let happened = pending.disturb(&mut world, &[0, 1], &far, 1.5);
                (world, happened)
            })
            .collect()
    }

    #[test]
    fn the_belt_s_speed_changes_by_its_share_within_its_bounds() {
        for speed in [0.05, -0.1, 0.15, 0.3] {
            let mut signs = [false; 2];
            for (world, happened) in each(Disturb::Speed, speed) {
                let [before, after] = happened.unwrap().speed.unwrap();
                assert_eq!((before, after), (speed, world.belt_velocity));
                let share = (after.abs() / before.abs() - 1.0).abs();
                assert!((0.4 - 1e-9..=1.0 + 1e-9).contains(&share), "{before} {after}");
                assert!(after.abs() <= 0.15 + 1e-9 && after * before >= 0.0, "{before} {after}");
                signs[usize::from(after.abs() > before.abs())] = true;
            }
            assert_eq!(signs, [true, speed.abs() < 0.107], "{speed}");
        }
        assert!(each(Disturb::Speed, 0.0).iter().all(|(_, happened)| happened.is_none()));
    }

    #[test]
    fn a_swap_leaves_the_place_and_what_is_asked_for() {
        for (after, happened) in each(Disturb::Swap, 0.1) {
            let happened = happened.unwrap();
            let [old, new] = happened.colour.unwrap();
            assert_eq!((happened.object, old), (1, Colour::Blue));
            assert!(![Colour::Red, Colour::Blue].contains(&new));
            assert_eq!(after.objects[1].kind.colour, new);
            assert_eq!(after.objects[1].position, world(0.1).objects[1].position);
            assert_eq!(after.objects[0].kind, world(0.1).objects[0].kind);
        }
    }

    #[test]
    fn a_push_is_along_the_belt_and_into_no_other_object() {
        let mut pushed = [0; 2];
        for (after, happened) in each(Disturb::Push, 0.1) {
            let happened = happened.unwrap();
            let by = happened.push.unwrap();
            assert!((0.02..0.06).contains(&by.abs()), "{by}");
            let [a, b] = [0, 1].map(|index: usize| after.objects[index].position);
            assert!((a - b).norm() > 0.06);
            assert_eq!(a.x, layout::BELT_X);
            pushed[happened.object] += 1;
        }
        assert!(pushed[0] > 50 && pushed[1] > 50, "{pushed:?}");
    }

    #[test]
    fn what_the_fingers_are_about_is_not_pushed() {
        let mut world = world(0.1);
        let hand = world.objects[0].position;
        let mut pending = Pending::draw(Disturb::Push, stream(1, 20));
        assert_eq!(pending.disturb(&mut world, &[0], &hand, 1.5), None);
        assert_eq!(pending.disturb(&mut world, &[], &hand, 1.5), None);
        assert_eq!(pending.disturb(&mut world, &[1], &hand, 1.5).unwrap().object, 1);
    }
}
