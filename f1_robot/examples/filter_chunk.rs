//! Uses this crate as a library: loads a robot file, computes where the end effector is, and passes
//! one chunk of joint positions through the safety filter.
//!
//!     cargo run -p f1_robot --example filter_chunk -- config/robots/bench_arm.yaml

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use f1_robot::safety::{FilterInput, FilterSettings, MeasuredState, SafetyFilter};
use f1_robot::trajectory::SECOND;
use f1_robot::{RawChunk, Robot};

/// The chunk asks the first joint to move so far, rad or m.
const WAY: f64 = 0.2;

fn main() -> Result<(), Box<dyn Error>> {
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
    let path = std::env::args_os().nth(1).map_or(shipped, PathBuf::from);
    let robot = Arc::new(Robot::load(&path)?);
    for (arm, chain) in robot.kinematics().arms().iter().enumerate() {
        let tip = robot.kinematics().tip_pose(arm, robot.home());
        println!("{}: the end effector at home is at {:.3?} m", chain.name, tip.translation);
    }

    // A chunk of one second: the first joint moves away smoothly, the others stay at home.
    let rate_hz = robot.rate_hz();
    let rows: Vec<Vec<f64>> = (1..=rate_hz as usize)
        .map(|row| {
            let part = row as f64 / rate_hz;
            let mut positions = robot.home().to_vec();
            positions[0] += WAY * part * part * (3.0 - 2.0 * part);
            positions
        })
        .collect();
    let joint_names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let now = 10 * SECOND;
    let input = FilterInput {
        now,
        state: Some(MeasuredState {
            stamp: now,
            names: joint_names.clone(),
            positions: robot.home().to_vec(),
            velocities: vec![0.0; robot.dof()],
        }),
        chunk: Some(RawChunk { stamp: now, sequence: 1, epoch: 0, joint_names, rate_hz, rows }),
        lock: false,
    };
    let mut filter = SafetyFilter::new(robot, FilterSettings::default());
    let output = filter.step(&input);
    println!("verdict: {:?}", output.verdict);
    for event in &output.events {
        println!("{event:?}");
    }
    for trajectory in &output.trajectories {
        let last = trajectory.points().last();
        println!(
            "{}: {} points, at rest after {:.2} s",
            trajectory.controller(),
            trajectory.points().len(),
            last.map_or(0.0, |point| point.t)
        );
    }
    Ok(())
}
