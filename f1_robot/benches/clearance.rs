//! Clearance and kinematics of whole chunks: `cargo bench -p f1_robot --bench clearance`.

use std::path::PathBuf;

use divan::{Bencher, black_box};
use f1_robot::Robot;
use f1_robot::clearance::ClearanceScratch;
use f1_robot::kinematics::InverseOptions;

fn main() {
    divan::main();
}

const ROBOTS: [&str; 3] = ["bench_arm", "genie1", "arx_lift2"];

#[allow(clippy::panic)] // A benchmark without its robot has nothing to measure.
fn load(name: &str) -> Robot {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../config/robots/{name}.yaml"));
    Robot::load(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// Fifty rows on a slow weave about home.
fn chunk(robot: &Robot) -> Vec<Vec<f64>> {
    (0..50)
        .map(|row| {
            let home = robot.home().iter().enumerate();
            home.map(|(i, position)| position + 0.1 * (0.1 * f64::from(row) + i as f64).sin())
                .collect()
        })
        .collect()
}

/// Own and scene distances below 0.1 m of 50 rows.
#[divan::bench(args = ROBOTS)]
fn fifty_rows_with_cutoff(bencher: Bencher, name: &str) {
    let robot = load(name);
    let (rows, mut scratch) = (chunk(&robot), ClearanceScratch::default());
    bencher.bench_local(|| {
        for row in &rows {
            black_box(robot.clearance().distances(black_box(row), 0.1, &mut scratch));
        }
    });
}

/// The nearest pairs of 50 rows however far.
#[divan::bench(args = ROBOTS)]
fn fifty_rows_nearest(bencher: Bencher, name: &str) {
    let robot = load(name);
    let (rows, mut scratch) = (chunk(&robot), ClearanceScratch::default());
    bencher.bench_local(|| {
        for row in &rows {
            black_box(robot.clearance().distances(black_box(row), f64::INFINITY, &mut scratch));
        }
    });
}

/// End-effector speeds of 50 rows, every arm.
#[divan::bench(args = ROBOTS)]
fn fifty_rows_tip_speed(bencher: Bencher, name: &str) {
    let robot = load(name);
    let rows = chunk(&robot);
    let velocities = vec![0.5; robot.dof()];
    bencher.bench_local(|| {
        for row in &rows {
            for arm in 0..robot.kinematics().arms().len() {
                black_box(robot.kinematics().tip_speed(arm, black_box(row), &velocities));
            }
        }
    });
}

/// One step of a followed path: 2 mm and 10 mrad away.
#[divan::bench(args = ROBOTS)]
fn inverse_tracking_step(bencher: Bencher, name: &str) {
    let robot = load(name);
    let mut moved = robot.home().to_vec();
    robot.kinematics().arms()[0].joints.iter().for_each(|joint| moved[*joint] += 0.003);
    let target = robot.kinematics().end_effector(0, &moved);
    bencher.bench_local(|| {
        let options = InverseOptions::tracking();
        black_box(robot.kinematics().inverse(0, &target, robot.home(), robot.joints(), &options))
    });
}
