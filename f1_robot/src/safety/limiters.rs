//! One limiter a module, each with its table of numbers. The planner asks them, joint by joint,
//! what a waypoint or a segment exceeds and by how much.

pub mod acceleration;
pub mod clearance;
pub mod end_effector_speed;
pub mod jerk;
pub mod position;
pub mod start_jump;
pub mod velocity;
pub mod workspace;

/// `asked / limit`, where nothing asked of nothing is 0 and something asked of nothing is infinite.
pub(crate) fn ratio(asked: f64, limit: f64) -> f64 {
    if asked == 0.0 { 0.0 } else { asked / limit }
}
