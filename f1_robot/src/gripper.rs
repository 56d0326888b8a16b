//! Gripper conventions: between a policy's gripper number and the joint's position.

use crate::robot_file::{Binarise, Gripper, GripperConvention};

impl Gripper {
    /// How far open an action asks the gripper to be: 0 closed, 1 open. Actions outside
    /// `action_range` count as its nearest end; one that is not finite stays so.
    pub fn opening_of_action(&self, action: f64) -> f64 {
        let [least, greatest] = self.action_range;
        let share = match self.binarise {
            Binarise::None => ((action - least) / (greatest - least)).clamp(0.0, 1.0),
            Binarise::At(_) if !action.is_finite() => action,
            Binarise::At(threshold) => f64::from(u8::from(action >= threshold)),
        };
        if self.inverted { 1.0 - share } else { share }
    }

    /// The joint position for an opening between 0 (closed) and 1 (open), rad or m.
    pub fn position_of_opening(&self, opening: f64) -> f64 {
        // Written so that 0 and 1 give exactly the two stated positions.
        if opening == 1.0 { self.open } else { self.closed + (self.open - self.closed) * opening }
    }

    /// The joint position that an action asks for, rad or m.
    pub fn position_of_action(&self, action: f64) -> f64 {
        self.position_of_opening(self.opening_of_action(action))
    }

    /// How far open a measured joint position is: 0 closed, 1 open; slightly outside if the joint
    /// is.
    pub fn opening_of_position(&self, position: f64) -> f64 {
        (position - self.closed) / (self.open - self.closed)
    }

    /// The action that asks for a joint position (not binarised).
    pub fn action_of_position(&self, position: f64) -> f64 {
        let opening = self.opening_of_position(position);
        let share = if self.inverted { 1.0 - opening } else { opening };
        let [least, greatest] = self.action_range;
        least + (greatest - least) * share
    }

    /// A measured joint position in a convention of the state vector.
    pub fn in_convention(&self, convention: GripperConvention, position: f64) -> f64 {
        match convention {
            GripperConvention::Joint => position,
            GripperConvention::Action => self.action_of_position(position),
            GripperConvention::Opening => self.opening_of_position(position),
            GripperConvention::Closing => 1.0 - self.opening_of_position(position),
        }
    }
}
