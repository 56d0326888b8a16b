//! One call of the safety filter with a chunk of fifty steps: `cargo bench -p f1_robot --bench
//! filter`.

use std::path::PathBuf;
use std::sync::Arc;

use divan::{Bencher, black_box};
use f1_robot::safety::{FilterInput, FilterSettings, MeasuredState, SafetyFilter, Speed, Verdict};
use f1_robot::{RawChunk, Robot};

fn main() {
    divan::main();
}

const ROBOTS: [&str; 3] = ["bench_arm", "genie1", "arx_lift2"];

#[allow(clippy::panic)] // A benchmark without its robot has nothing to measure.
fn load(name: &str) -> Arc<Robot> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../config/robots/{name}.yaml"));
    Arc::new(Robot::load(&path).unwrap_or_else(|error| panic!("{error}")))
}

/// A request at rest at home with fifty steps of a slow move (`amplitude` rad) from there.
fn request(robot: &Robot, amplitude: f64) -> FilterInput {
    let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let rows = (0..50)
        .map(|row| {
            let t = (f64::from(row) + 1.0) / robot.rate_hz();
            let wave = amplitude * (1.0 - (0.8 * t).cos());
            let step = |(joint, home): (&f1_robot::JointLimits, &f64)| {
                let middle = 0.5 * (joint.lower + joint.upper);
                home + wave * (middle - home).clamp(-0.5, 0.5)
            };
            robot.joints().iter().zip(robot.home()).map(step).collect()
        })
        .collect();
    FilterInput {
        now: 0,
        state: Some(MeasuredState {
            stamp: 0,
            names: names.clone(),
            positions: robot.home().to_vec(),
            velocities: vec![0.0; robot.dof()],
        }),
        chunk: Some(RawChunk {
            stamp: 0,
            sequence: 1,
            epoch: 0,
            joint_names: names,
            rate_hz: robot.rate_hz(),
            rows,
        }),
        lock: false,
    }
}

fn call(bencher: Bencher, name: &str, amplitude: f64, settings: FilterSettings, expected: Verdict) {
    let robot = load(name);
    let input = request(&robot, amplitude);
    let answer = SafetyFilter::new(robot.clone(), settings.clone()).step(&input);
    assert_eq!(answer.verdict, expected, "{name}: {:?}", answer.events);
    bencher.with_inputs(|| SafetyFilter::new(robot.clone(), settings.clone())).bench_local_values(
        |mut filter| {
            black_box(filter.step(black_box(&input)));
            filter
        },
    );
}

/// Clearance checks off.
#[divan::bench(args = ROBOTS)]
fn clearance_off(bencher: Bencher, name: &str) {
    let settings = FilterSettings { clearance: false, ..FilterSettings::default() };
    call(bencher, name, 0.2, settings, Verdict::Accepted);
}

/// Clearance checks on.
#[divan::bench(args = ROBOTS)]
fn clearance_on(bencher: Bencher, name: &str) {
    call(bencher, name, 0.2, FilterSettings::default(), Verdict::Accepted);
}

/// A chunk too fast for teach mode: it has to be stretched.
#[divan::bench(args = ROBOTS)]
fn stretched_for_teaching(bencher: Bencher, name: &str) {
    let settings =
        FilterSettings { clearance: false, speed: Speed::Teach, ..FilterSettings::default() };
    call(bencher, name, 2.0, settings, Verdict::Modified);
}

/// The same with clearance checks.
#[divan::bench(args = ROBOTS)]
fn stretched_for_teaching_with_clearance(bencher: Bencher, name: &str) {
    let settings = FilterSettings { speed: Speed::Teach, ..FilterSettings::default() };
    call(bencher, name, 2.0, settings, Verdict::Modified);
}

/// A chunk beyond the joints' limits, stretched, without clearance checks.
#[divan::bench(args = ROBOTS)]
fn too_fast(bencher: Bencher, name: &str) {
    let settings = FilterSettings { clearance: false, ..FilterSettings::default() };
    call(bencher, name, 4.0, settings, Verdict::Modified);
}
