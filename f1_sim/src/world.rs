//! Belt, objects and grasping, purely by geometry: what lies on the belt moves with it, what
//! closing fingers meet is centred and then held, what is let go falls.

use nalgebra::{Isometry3, Vector3};

use crate::layout;
use crate::objects::{Object, Rest, Scene};
use crate::task::{Outcome, Task};

/// The gripper as the world meets it, at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Hand {
    /// Tool frame in the world: origin between the finger tips, z out of the hand, y the closing
    /// direction.
    pub tool: Isometry3<f64>,
    /// Distance of each finger's inner face from the middle, m.
    pub half_opening: f64,
}

/// Reach of a finger's pad about the tool point, m: along the hand's x, above and below along its
/// z.
const PAD_HALF_WIDTH: f64 = 0.022;
const PAD_UP: f64 = 0.065;
const PAD_DOWN: f64 = 0.008;
const FINGER_THICKNESS: f64 = 0.012;
const GRAVITY: f64 = 9.81;
/// How much wider than the object the fingers must be to let it go, m.
const RELEASE: f64 = 0.002;

/// Belt and objects.
#[derive(Clone, Debug)]
pub struct World {
    /// The objects; the first is the one asked for.
    pub objects: Vec<Object>,
    /// Signed belt speed along y, m/s.
    pub belt_velocity: f64,
    /// How far the belt has moved, m.
    pub belt_travel: f64,
    held: Option<Held>,
    /// Seconds for which the target has been up.
    up: f64,
}

#[derive(Clone, Debug)]
struct Held {
    object: usize,
    /// Object's centre in the tool frame.
    offset: Vector3<f64>,
    yaw: f64,
    half_width: f64,
}

impl World {
    /// The world at the start of an episode.
    #[must_use]
    pub fn new(scene: Scene) -> Self {
        World {
            objects: scene.objects,
            belt_velocity: scene.belt_velocity,
            belt_travel: 0.0,
            held: None,
            up: 0.0,
        }
    }

    /// The world `seconds` before the scene is as it was drawn: what lies on the belt is still
    /// upstream.
    #[must_use]
    pub fn before(mut scene: Scene, seconds: f64) -> Self {
        for object in &mut scene.objects {
            object.position.y -= scene.belt_velocity * seconds;
        }
        World { belt_travel: -scene.belt_velocity * seconds, ..World::new(scene) }
    }

    /// Index of the object between the fingers.
    #[must_use]
    pub fn held(&self) -> Option<usize> {
        self.held.as_ref().map(|held| held.object)
    }

    /// The half opening at which the fingers cannot close further, m (0 with nothing between them).
    #[must_use]
    pub fn finger_stop(&self) -> f64 {
        self.held.as_ref().map_or(0.0, |held| held.half_width)
    }

    /// Moves everything by `dt` seconds; `hand` is where the gripper is at the end of the step.
    pub fn advance(&mut self, dt: f64, hand: &Hand) {
        self.belt_travel += self.belt_velocity * dt;
        if let Some(held) = &self.held {
            if hand.half_opening > held.half_width + RELEASE {
                let object = &mut self.objects[held.object];
                object.rest = Rest::Free;
                object.fall = 0.0;
                self.held = None;
            } else {
                let object = &mut self.objects[held.object];
                object.position = hand.tool.transform_point(&held.offset.into()).coords;
                object.yaw = held.yaw + yaw_of(&hand.tool);
            }
        }
        for object in &mut self.objects {
            match object.rest {
                Rest::Belt => {
                    object.position.y += self.belt_velocity * dt;
                    if object.position.y * self.belt_velocity.signum() > layout::END_Y {
                        object.rest = Rest::Gone;
                    }
                }
                Rest::Free => fall(object, dt),
                Rest::Held | Rest::Gone => {}
            }
        }
        if self.held.is_none() {
            self.meet_fingers(hand);
        }
        let target = &self.objects[0];
        self.up = if target.rest == Rest::Held && target.position.z > layout::PICKED_Z {
            self.up + dt
        } else {
            0.0
        };
    }

    /// Pushes what the fingers touch; an object touched from both sides is held.
    fn meet_fingers(&mut self, hand: &Hand) {
        for index in 0..self.objects.len() {
            let object = &mut self.objects[index];
            if object.rest == Rest::Gone {
                continue;
            }
            let local = hand.tool.inverse_transform_point(&object.position.into()).coords;
            let half_width = object.kind.shape.half_width(object.yaw - yaw_of(&hand.tool));
            let beside = local.x.abs() > PAD_HALF_WIDTH;
            let above_or_below = local.z > PAD_DOWN || local.z < -PAD_UP;
            if beside || above_or_below {
                continue;
            }
            let reach = hand.half_opening + FINGER_THICKNESS + half_width;
            if local.y.abs() > reach {
                continue;
            }
            let outside = local.y.abs() > hand.half_opening + 0.5 * FINGER_THICKNESS;
            let mut to = local;
            if outside {
                // A finger came down on it or swept it from outside: it slides away.
                to.y = reach * local.y.signum();
            } else {
                let slack = hand.half_opening - half_width;
                if slack <= 0.0 {
                    // Both fingers touch it.
                    to.y = 0.0;
                    object.position = hand.tool.transform_point(&to.into()).coords;
                    object.rest = Rest::Held;
                    let yaw = object.yaw - yaw_of(&hand.tool);
                    self.held = Some(Held { object: index, offset: to, yaw, half_width });
                    return;
                }
                to.y = local.y.clamp(-slack, slack);
            }
            let moved = hand.tool.transform_point(&to.into()).coords;
            object.position.x = moved.x;
            object.position.y = moved.y;
        }
    }

    /// How the episode stands at `time` seconds.
    #[must_use]
    pub fn outcome(&self, task: Task, time: f64) -> Outcome {
        let target = &self.objects[0];
        if self.objects[1..].iter().any(|o| o.rest == Rest::Held && o.position.z > layout::PICKED_Z)
        {
            return Outcome::WrongObject;
        }
        let done = match task {
            Task::Dynamic | Task::Static => self.up >= 0.3,
            Task::Bin => {
                target.rest == Rest::Free && in_bin(&target.position) && target.fall == 0.0
            }
        };
        if done {
            Outcome::Success
        } else if target.rest == Rest::Gone || past_reach(target, self.belt_velocity) {
            Outcome::Missed
        } else if target.rest == Rest::Free && target.fall == 0.0 && !over_belt(&target.position) {
            Outcome::Lost
        } else if time > task.time_limit() {
            Outcome::TimeOut
        } else {
            Outcome::Running
        }
    }
}

/// Rotation of the hand about the vertical, against fingers that close along y.
fn yaw_of(tool: &Isometry3<f64>) -> f64 {
    let closing = tool.rotation * Vector3::y();
    // The closing direction has no sign: fold into a half turn.
    let yaw = (-closing.x).atan2(closing.y);
    if yaw > std::f64::consts::FRAC_PI_2 {
        yaw - std::f64::consts::PI
    } else if yaw < -std::f64::consts::FRAC_PI_2 {
        yaw + std::f64::consts::PI
    } else {
        yaw
    }
}

fn past_reach(object: &Object, belt_velocity: f64) -> bool {
    object.rest == Rest::Belt
        && object.position.y * belt_velocity.signum() > layout::REACH_Y + 0.12
        && belt_velocity != 0.0
}

fn over_belt(position: &Vector3<f64>) -> bool {
    (position.x - layout::BELT_X).abs() < layout::BELT_HALF_WIDTH
        && position.y.abs() < layout::BELT_HALF_LENGTH
}

fn in_bin(position: &Vector3<f64>) -> bool {
    let [x, y] = layout::BIN;
    (position.x - x).abs() < layout::BIN_HALF
        && (position.y - y).abs() < layout::BIN_HALF
        && position.z < layout::BIN_HEIGHT + 0.02
}

/// Falls to whatever is below: belt, or table (the bin stands on the table).
fn fall(object: &mut Object, dt: f64) {
    let on_belt = over_belt(&object.position);
    let surface = if on_belt { layout::BELT_TOP } else { 0.005 };
    let floor = surface + object.kind.shape.rest_height();
    object.fall += GRAVITY * dt;
    object.position.z -= object.fall * dt;
    if object.position.z <= floor {
        object.position.z = floor;
        object.fall = 0.0;
        if on_belt {
            object.rest = Rest::Belt;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Colour, Kind, Shape};
    use nalgebra::UnitQuaternion;

    /// A hand that points straight down at (x, y, z).
    fn hand(x: f64, y: f64, z: f64, half_opening: f64) -> Hand {
        let down = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
        Hand { tool: Isometry3::from_parts(Vector3::new(x, y, z).into(), down), half_opening }
    }

    fn world(y: f64, velocity: f64) -> World {
        let kind = Kind { colour: Colour::Red, shape: Shape::Cube };
        let position = Vector3::new(layout::BELT_X, y, layout::BELT_TOP + kind.shape.rest_height());
        let object = Object { kind, position, yaw: 0.0, fall: 0.0, rest: Rest::Belt };
        World::new(Scene { objects: vec![object], belt_velocity: velocity })
    }

    #[test]
    fn what_lies_on_the_belt_moves_with_it() {
        let mut w = world(0.0, 0.1);
        for _ in 0..100 {
            w.advance(0.01, &hand(layout::BELT_X, 0.0, 0.4, 0.045));
        }
        assert!((w.objects[0].position.y - 0.1).abs() < 1e-9);
    }

    #[test]
    fn closing_fingers_centre_hold_lift_and_let_go() {
        let mut w = world(0.012, 0.0);
        let mut opening = 0.045;
        while w.held().is_none() && opening > 0.0 {
            opening -= 0.001;
            w.advance(0.01, &hand(layout::BELT_X, 0.0, layout::GRASP_Z, opening));
        }
        assert_eq!(w.held(), Some(0));
        assert!(w.objects[0].position.y.abs() < 1e-9, "centred");
        for _ in 0..50 {
            w.advance(0.01, &hand(layout::BELT_X, 0.0, 0.3, opening));
        }
        assert_eq!(w.outcome(Task::Static, 1.0), Outcome::Success);
        w.advance(0.01, &hand(layout::BELT_X, 0.0, 0.3, 0.045));
        for _ in 0..60 {
            w.advance(0.01, &hand(layout::BELT_X, 0.0, 0.3, 0.045));
        }
        assert_eq!(w.objects[0].rest, Rest::Belt);
        assert!((w.objects[0].position.z - layout::BELT_TOP - 0.023).abs() < 1e-9);
    }

    #[test]
    fn fingers_beside_or_above_hold_nothing() {
        for (x, z) in
            [(layout::BELT_X + 0.03, layout::GRASP_Z), (layout::BELT_X, layout::GRASP_Z + 0.05)]
        {
            let mut w = world(0.0, 0.0);
            for step in 0..45 {
                w.advance(0.01, &hand(x, 0.0, z, 0.045 - 0.001 * f64::from(step)));
            }
            assert_eq!(w.held(), None);
        }
    }

    #[test]
    fn a_finger_that_comes_down_on_an_object_pushes_it_away() {
        let mut w = world(0.05, 0.0);
        w.advance(0.01, &hand(layout::BELT_X, 0.0, layout::GRASP_Z, 0.04));
        assert_eq!(w.held(), None);
        assert!(w.objects[0].position.y > 0.07);
    }

    #[test]
    fn an_object_past_the_reach_is_missed() {
        let mut w = world(0.3, 0.15);
        for _ in 0..100 {
            w.advance(0.01, &hand(layout::BELT_X, 0.0, 0.4, 0.045));
        }
        assert_eq!(w.outcome(Task::Dynamic, 1.0), Outcome::Missed);
    }
}
