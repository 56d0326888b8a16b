//! The shipped robots in their space: end-effector speed, workspace, clearance, and the joints'
//! limits as ever.

use std::path::PathBuf;
use std::sync::Arc;

use f1_robot::clearance::ClearanceScratch;
use f1_robot::safety::{
    FilterInput, FilterSettings, MeasuredState, Mode, Rule, SafetyFilter, Speed, Verdict,
};
use f1_robot::{RawChunk, Robot};

use crate::checker::Checker;
use crate::filter_any_input::{Random, cases};

const ROBOTS: [&str; 6] = ["bench_arm", "franka", "widowx", "google_robot", "genie1", "arx_lift2"];

fn robot(name: &str) -> Arc<Robot> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../config/robots/{name}.yaml"));
    Arc::new(Robot::load(&path).unwrap())
}

/// How the robot stands in space.
struct Standing {
    outside: Vec<f64>,
    own: f64,
    scene: f64,
}

fn standing(robot: &Robot, positions: &[f64], scratch: &mut ClearanceScratch) -> Standing {
    let outside = (0..robot.kinematics().arms().len())
        .map(|arm| {
            let tip = robot.kinematics().tip_pose(arm, positions).translation.vector;
            robot.workspace(arm).map_or(0.0, |space| {
                (0..3)
                    .map(|i| (space.min[i] - tip[i]).max(tip[i] - space.max[i]))
                    .fold(0.0, f64::max)
            })
        })
        .collect();
    let distances = robot.clearance().distances(positions, 0.1, scratch);
    Standing { outside, own: distances.own.distance, scene: distances.scene.distance }
}

#[test]
fn shipped_robots_stay_within_their_limits_in_joints_and_in_space() {
    let total = cases(600);
    let mut random = Random(5);
    let mut counts = [0; 4];
    let mut scratch = ClearanceScratch::default();
    let mut done = 0;
    while done < total {
        let robot = robot(ROBOTS[done % ROBOTS.len()]);
        let speed = if random.one_in(2) { Speed::Teach } else { Speed::Full };
        let cap = if speed == Speed::Teach {
            robot.file().end_effector_speed.teach
        } else {
            robot.file().end_effector_speed.full
        };
        let mode = if random.one_in(5) { Mode::Reject } else { Mode::Clamp };
        let settings = FilterSettings { speed, mode, latch_count: 0, ..FilterSettings::default() };
        let mut filter = SafetyFilter::new(robot.clone(), settings);
        let mut checker = Checker::default();
        let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
        let mut now = 0;
        for k in 0..6 {
            let at: Vec<f64> = filter
                .running_at(now)
                .map_or(robot.home().to_vec(), |s| s.iter().map(|s| s.position).collect());
            let velocities = filter
                .running_at(now)
                .map_or(vec![0.0; at.len()], |s| s.iter().map(|s| s.velocity).collect());
            let (kind, n) = (random.below(4), 1 + random.below(50));
            let goal: Vec<f64> =
                robot.joints().iter().map(|j| random.within(j.lower, j.upper)).collect();
            let rows = (1..=n)
                .map(|i| {
                    let u = i as f64 / n as f64;
                    at.iter()
                        .zip(&goal)
                        .map(|(a, b)| match kind {
                            0 => a + 0.05 * (b - a) * u,
                            1 => a + (b - a) * u,
                            2 => a + 0.3 * (b - a) * (6.0 * u).sin(),
                            _ => *b,
                        })
                        .collect()
                })
                .collect();
            let chunk = RawChunk {
                stamp: now,
                sequence: k + 1,
                epoch: 0,
                joint_names: names.clone(),
                rate_hz: robot.rate_hz(),
                rows,
            };
            let state = MeasuredState {
                stamp: now,
                names: names.clone(),
                positions: at.clone(),
                velocities,
            };
            let input =
                FilterInput { now, state: Some(state), chunk: Some(chunk), lock: random.one_in(8) };
            let before = checker.before(now, input.state.as_ref(), robot.joints());
            let output = filter.step(&input);
            done += 1;
            counts[output.verdict as usize] += 1;
            checker
                .check(&before, &output, robot.joints(), 1e-3)
                .unwrap_or_else(|fault| panic!("{} {fault}", robot.file().name));
            if !output.trajectories.is_empty() && output.verdict != Verdict::Stopped {
                in_space(&robot, &filter, now, cap, &mut scratch);
            }
            now += random.below(1_500_000_000) as i64;
        }
    }
    println!("{done}: {counts:?}");
    assert!(counts[0] > 0 && counts[1] > total / 10, "{counts:?}");
}

fn in_space(
    robot: &Robot,
    filter: &SafetyFilter,
    now: i64,
    cap: f64,
    scratch: &mut ClearanceScratch,
) {
    let sample = |at: i64| -> Vec<f64> {
        filter.running_at(at).unwrap().iter().map(|s| s.position).collect()
    };
    let start = standing(robot, &sample(now), scratch);
    let tip = |arm: usize, p: &[f64]| robot.kinematics().end_effector(arm, p).translation.vector;
    let ms = 1_000_000;
    let mut at = now;
    let arms = robot.kinematics().arms().len();
    let first: Vec<f64> = (0..arms)
        .map(|arm| (tip(arm, &sample(now + ms)) - tip(arm, &sample(now))).norm() * 1e3)
        .collect();
    while filter.moves(at) {
        let (here, next) = (sample(at), sample(at + ms));
        for (arm, first) in first.iter().enumerate() {
            let speed = (tip(arm, &next) - tip(arm, &here)).norm() * 1e3;
            assert!(
                speed <= (cap * 1.01).max(first * 1.01),
                "{}: {speed} m/s of {cap}",
                robot.file().name
            );
        }
        if (at - now) % (5 * ms) == 0 {
            let stands = standing(robot, &here, scratch);
            let least = (robot.clearance().self_distance(), robot.clearance().scene_distance());
            for (out, began) in stands.outside.iter().zip(&start.outside) {
                assert!(
                    *out <= began + 2e-3,
                    "{}: {out} m out of the workspace, began {began}",
                    robot.file().name
                );
            }
            assert!(
                stands.own >= least.0.min(start.own) - 2e-3,
                "{}: {} m",
                robot.file().name,
                stands.own
            );
            assert!(
                stands.scene >= least.1.min(start.scene) - 2e-3,
                "{}: {} m",
                robot.file().name,
                stands.scene
            );
        }
        at += ms;
    }
}

#[test]
fn too_fast_for_teaching_is_slowed_down() {
    let robot = robot("franka");
    let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let home = robot.home().to_vec();
    let rows: Vec<Vec<f64>> = (1..=30)
        .map(|i| {
            let u = f64::from(i) / 30.0;
            let s = u * u * u * (10.0 - 15.0 * u + 6.0 * u * u);
            home.iter().enumerate().map(|(j, p)| if j == 0 { p + s } else { *p }).collect()
        })
        .collect();
    for (speed, verdict) in [(Speed::Full, Verdict::Accepted), (Speed::Teach, Verdict::Modified)] {
        let mut filter =
            SafetyFilter::new(robot.clone(), FilterSettings { speed, ..FilterSettings::default() });
        let state = MeasuredState {
            stamp: 0,
            names: names.clone(),
            positions: home.clone(),
            velocities: vec![],
        };
        let chunk = RawChunk {
            stamp: 0,
            sequence: 1,
            epoch: 0,
            joint_names: names.clone(),
            rate_hz: robot.rate_hz(),
            rows: rows.clone(),
        };
        let output = filter.step(&FilterInput {
            now: 0,
            state: Some(state),
            chunk: Some(chunk),
            lock: false,
        });
        assert_eq!(output.verdict, verdict, "{:?}", output.events);
        assert_eq!(
            output.events.iter().any(|event| event.rule == Rule::EndEffectorSpeed),
            speed == Speed::Teach
        );
    }
}
