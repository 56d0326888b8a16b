//! Angles of joints that turn without end, in the vectors of a data set.
//!
//! A driver reports such a joint within one turn, so that a data set made by other software jumps
//! by a whole turn where the joint passes its end. Live and in data sets of our own, a state's
//! angle is within half a turn of the joint's home, and an action's on the turn nearest to the
//! state: [`Circles::bring`] makes the same of any data set.

use crate::Robot;
use crate::angle::nearest_turn;
use crate::robot_file::{ActionPart, JointUnits, StatePart};

/// The entries of a robot's vectors that are angles on a circle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Circles {
    state: Vec<StateAngle>,
    action: Vec<ActionAngle>,
    /// Entries of the two vectors.
    widths: (usize, usize),
    /// Actions that the layout has as changes are set-points.
    set_points: bool,
}

/// An entry of the state vector.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StateAngle {
    pub(crate) entry: usize,
    pub(crate) units: JointUnits,
    joint: String,
    /// The middle of the turn, rad.
    home: f64,
}

/// An entry of the action vector.
#[derive(Debug, Clone, PartialEq)]
struct ActionAngle {
    entry: usize,
    units: JointUnits,
    near: Near,
    /// The layout has a change of position here.
    is_change: bool,
}

/// What an action's angle is near to.
#[derive(Debug, Clone, PartialEq)]
enum Near {
    /// The state's entry of the same joint, by its place in [`Circles::state`].
    State(usize),
    /// Home, rad, where the state has no such entry.
    Home(f64),
}

impl Circles {
    pub(crate) fn of(robot: &Robot) -> Self {
        let home = |joint: &str| robot.file().home.get(joint).copied().unwrap_or(0.0);
        let mut circles = Self {
            widths: (robot.file().state_dim(), robot.file().action_dim()),
            ..Self::default()
        };
        let mut first = 0;
        for part in &robot.file().state.parts {
            if let StatePart::JointPositions(part) = part {
                for (i, name) in circular(robot, &part.joints) {
                    let units = JointUnits::new(part.units, false, &part.scale, &part.offset, i);
                    let (joint, home) = (name.clone(), home(name));
                    circles.state.push(StateAngle { entry: first + i, units, joint, home });
                }
            }
            first += part.width();
        }
        let mut first = 0;
        for part in &robot.file().action.parts {
            let (joints, units, scale, offset, is_change) = match part {
                ActionPart::JointPositions(part) => {
                    (part.joints.as_slice(), part.units, &part.scale, part.offset.as_slice(), false)
                }
                ActionPart::JointDeltas(part) => {
                    (part.joints.as_slice(), part.units, &part.scale, &[][..], true)
                }
                other => {
                    first += other.width();
                    continue;
                }
            };
            for (i, name) in circular(robot, joints) {
                let units = JointUnits::new(units, false, scale, offset, i);
                let state = circles.state.iter().position(|angle| angle.joint == *name);
                let near = state.map_or(Near::Home(home(name)), Near::State);
                circles.action.push(ActionAngle { entry: first + i, units, near, is_change });
            }
            first += part.width();
        }
        circles
    }

    /// For a data set whose actions are set-points where the layout has changes: a run file's
    /// `delta_actions` makes the differences later.
    #[must_use]
    pub fn of_set_points(self) -> Self {
        Self { set_points: true, ..self }
    }

    /// Whether the robot has no joint that turns without end.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.state.is_empty() && self.action.is_empty()
    }

    /// The numbers of entries that state and action vectors of the robot have.
    #[must_use]
    pub fn widths(&self) -> (usize, usize) {
        self.widths
    }

    pub(crate) fn state(&self) -> &[StateAngle] {
        &self.state
    }

    /// Moves the angles of state and action rows (`[frame][entry]`, data-set units) by whole turns
    /// to where the live policy has them. Numbers that are there already keep their bits; entries
    /// that a row does not have are passed over.
    pub fn bring(&self, state: &mut [Vec<f32>], action: &mut [Vec<f32>]) {
        for row in state.iter_mut() {
            for angle in &self.state {
                moved(row, angle.entry, &angle.units, angle.home);
            }
        }
        for (frame, row) in action.iter_mut().enumerate() {
            for angle in &self.action {
                let reference = match angle.near {
                    _ if angle.is_change && !self.set_points => Some(0.0),
                    Near::Home(home) => Some(home),
                    Near::State(place) => self.state.get(place).and_then(|of| {
                        let number = state.get(frame)?.get(of.entry)?;
                        Some(of.units.read(f64::from(*number)))
                    }),
                };
                if let Some(reference) = reference {
                    moved(row, angle.entry, &angle.units, reference);
                }
            }
        }
    }
}

/// The joints of a list that turn without end, with their places.
fn circular<'a>(
    robot: &'a Robot,
    joints: &'a [String],
) -> impl Iterator<Item = (usize, &'a String)> {
    joints.iter().enumerate().filter(|(_, name)| robot.is_circle(name))
}

/// Moves one entry to the turn nearest to `reference`, rad.
fn moved(row: &mut [f32], entry: usize, units: &JointUnits, reference: f64) {
    let Some(number) = row.get_mut(entry) else { return };
    let position = units.read(f64::from(*number));
    let near = nearest_turn(position, reference);
    // Rounding alone is no reason to change a number.
    if (near - position).abs() > 1.0 {
        *number = units.write(near) as f32;
    }
}
