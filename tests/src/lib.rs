//! What the checks that cross crates share. The checks are in `tests/tests/it`, one module a
//! subject.

pub mod documents;
pub mod environment;
pub mod hub;
pub mod peer;

/// Parameters of a policy on a machine that also compiles: it may be late and its motion odd, and
/// neither ends a test before its time.
pub const PATIENT: [&str; 5] = [
    "latch_count:=0",
    "chunk_age:=30.0",
    "observation_age:=30.0",
    "inference_age:=30.0",
    "joint_state_age:=30.0",
];
