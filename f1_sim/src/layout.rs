//! Positions and sizes on the bench. Metres, in the arm's base frame: x away from the arm, y along
//! the belt, z up.

/// Middle of the belt.
pub const BELT_X: f64 = 0.42;
/// Half of the belt's width.
pub const BELT_HALF_WIDTH: f64 = 0.13;
/// Half of the belt's length.
pub const BELT_HALF_LENGTH: f64 = 0.60;
/// Height of the belt's surface.
pub const BELT_TOP: f64 = 0.04;
/// Objects lie within this of the belt's middle.
pub const LANE: f64 = 0.055;
/// The arm takes objects within this of its own middle.
pub const REACH_Y: f64 = 0.24;
/// Beyond this an object has left.
pub const END_Y: f64 = 0.55;
/// Middle of the bin's floor.
pub const BIN: [f64; 2] = [0.18, -0.30];
/// Half of the bin's inner edge.
pub const BIN_HALF: f64 = 0.07;
/// Height of the bin's walls.
pub const BIN_HEIGHT: f64 = 0.06;
/// Height of the tool point at which objects are grasped.
pub const GRASP_Z: f64 = BELT_TOP + 0.012;
/// Height of the tool point while it looks and follows.
pub const HOVER_Z: f64 = BELT_TOP + 0.17;
/// An object counts as picked up when its centre is this far above the belt.
pub const PICKED_Z: f64 = BELT_TOP + 0.12;
