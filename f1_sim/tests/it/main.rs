//! The bench as its users meet it, one behaviour a module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod demonstrations;
mod disturbed;
mod expert;
mod filtered;
mod repeatable;

use std::path::Path;
use std::sync::Arc;

use f1_robot::Robot;

/// The shipped bench arm.
fn robot() -> Arc<Robot> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
    Arc::new(Robot::load(&file).unwrap())
}
