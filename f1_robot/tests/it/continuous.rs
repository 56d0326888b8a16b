//! Joints that turn without end: positions are angles on a circle.

use std::f64::consts::{PI, TAU};

use f1_robot::safety::{FilterSettings, MeasuredState, Rule, Splice, Verdict};
use f1_robot::state::{StateEncoder, raw_state};
use f1_robot::statistics::{DatasetStatistics, VectorStatistics};
use f1_robot::{JointLimits, Robot};

use crate::checker::tracks;
use crate::filter_any_input::{Random, joint};
use crate::filter_behaviour::{Bench, rules, smooth};

fn wheel(name: &str) -> JointLimits {
    JointLimits {
        lower: f64::NEG_INFINITY,
        upper: f64::INFINITY,
        continuous: true,
        ..joint(name.into(), 0.0, 0.0, 1.5, 6.0, 60.0)
    }
}

/// A bench whose joint `a` turns without end and stands at `at`.
fn bench(at: f64, settings: FilterSettings) -> Bench {
    let limits = |name: &str| joint(name.into(), -2.0, 2.0, 1.5, 6.0, 60.0);
    let mut bench = Bench::with(vec![wheel("a"), limits("b"), limits("grip")], settings);
    bench.at = vec![at, 0.0, 0.0];
    bench
}

/// An angle as an encoder gives it: within half a turn of zero.
fn wrapped(angle: f64) -> f64 {
    angle - TAU * (angle / TAU).round()
}

/// The first joint moves by `way` from `from`, the others stay.
fn turned(from: f64, way: f64, n: usize) -> Vec<Vec<f64>> {
    smooth(&[from], way, n).into_iter().map(|row| vec![row[0], 0.0, 0.0]).collect()
}

#[test]
fn the_short_way_is_taken_whatever_turn_is_measured_or_asked() {
    let mut random = Random(3);
    for case in 0..200 {
        let (at, way) = (random.within(-PI, PI), random.within(-0.5, 0.5));
        let turns = |random: &mut Random| TAU * (random.below(9) as f64 - 4.0);
        let measured = at + if case % 2 == 0 { turns(&mut random) } else { 0.0 };
        let mut bench = bench(measured, FilterSettings::default());
        // Each row on a turn of its own.
        let mut rows = turned(at, way, 20);
        rows.iter_mut().for_each(|row| row[0] += turns(&mut random));
        let output = bench.send(rows);
        assert_eq!((output.verdict, rules(&output)), (Verdict::Accepted, vec![]), "{at} {way}");
        let track = &tracks(&bench.joints, &output.trajectories)[0];
        assert!((track.sample(0.0)[0] - measured).abs() < 1e-9);
        assert!((track.sample(9.0)[0] - (measured + way)).abs() < 1e-6);
        assert!(track.end() < 2.6, "{}", track.end());
    }
}

#[test]
fn crossing_the_encoder_s_jump_is_no_disagreement_and_chunks_go_on() {
    // From rest onward through 3.14 and 9.42 rad.
    let angle = |t: f64| 2.9 + 0.5 * (t - t.sin());
    for splice in [Splice::Replace, Splice::Ensemble] {
        let mut bench = bench(2.9, FilterSettings { splice, ..FilterSettings::default() });
        for k in 0..40 {
            let now = bench.now as f64 / 1e9;
            let mut state = bench.state();
            state.positions[0] = wrapped(state.positions[0]);
            // A policy that was trained on encoder angles asks for encoder angles.
            let rows: Vec<Vec<f64>> = (1..=12)
                .map(|i| vec![wrapped(angle(now + 0.1 * f64::from(i))), 0.0, 0.0])
                .collect();
            let mut input = bench.input(Some(rows));
            input.state = Some(state);
            let output = bench.step(&input);
            let expected = (Verdict::Accepted, vec![]);
            assert_eq!((output.verdict, rules(&output)), expected, "{splice:?} {k}");
            bench.wait(0.4);
        }
        let at = bench.state().positions[0];
        assert!((at - angle(16.0)).abs() < 1e-3, "{at}");
    }
}

#[test]
fn a_revolute_joint_with_more_than_a_turn_is_no_circle() {
    let limits = |name: &str| joint(name.into(), -7.0, 7.0, 1.5, 6.0, 60.0);
    let joints = vec![limits("a"), limits("b"), limits("grip")];
    let mut bench = Bench::with(joints, FilterSettings::default());
    bench.at = vec![-3.083, 0.0, 0.0];
    let output = bench.send(turned(3.2, 0.2, 20));
    let track = &tracks(&bench.joints, &output.trajectories)[0];
    // It is asked to go almost a full turn, and does.
    assert!((track.sample(100.0)[0] - 3.4).abs() < 1e-6);
    assert!(track.end() > 3.0);
}

#[test]
fn bounds_of_a_joint_on_a_circle_hold() {
    let bounded = JointLimits { lower: -2.9, upper: 2.9, ..wheel("a") };
    let limits = |name: &str| joint(name.into(), -2.0, 2.0, 1.5, 6.0, 60.0);
    let mut bench =
        Bench::with(vec![bounded, limits("b"), limits("grip")], FilterSettings::default());
    // Measured on another turn: it can only be within the bounds.
    bench.at = vec![2.8 - TAU, 0.0, 0.0];
    let output = bench.send(turned(-2.8, 0.0, 20));
    let track = &tracks(&bench.joints, &output.trajectories)[0];
    assert!((track.sample(0.0)[0] - 2.8).abs() < 1e-9);
    // The near way leads through the gap between the bounds; the far one is taken.
    assert!((track.sample(100.0)[0] + 2.8).abs() < 1e-6);
    assert!((0..10_000).all(|k| track.sample(f64::from(k) * 1e-3)[0].abs() <= 2.9 + 1e-6));
}

#[test]
fn an_angle_too_large_to_be_exact_is_refused() {
    let mut bench = bench(0.0, FilterSettings::default());
    let output = bench.send(turned(1e15, 0.0, 5));
    assert_eq!((output.verdict, rules(&output)), (Verdict::Rejected, vec![Rule::Finite]));
    let state = MeasuredState { positions: vec![1e15, 0.0, 0.0], ..bench.state() };
    let mut input = bench.input(None);
    input.state = Some(state);
    assert_eq!(rules(&bench.step(&input)), vec![Rule::Finite]);
}

/// The bench arm with a first joint that turns without end.
fn robot(home: f64) -> Robot {
    let urdf = crate::shipped::fixture_urdf().replacen(
        "<joint name=\"joint1\" type=\"revolute\">",
        "<joint name=\"joint1\" type=\"continuous\">",
        1,
    );
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let text = text.replacen("  joint1: 0.0\n", &format!("  joint1: {home}\n"), 1);
    Robot::from_text(&text, &urdf).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_joint_that_turns_without_end_needs_no_bounds() {
    let robot = robot(0.0);
    let joint = &robot.joints()[0];
    assert!(joint.continuous && robot.is_circle("joint1") && !robot.is_circle("joint2"));
    assert_eq!((joint.lower, joint.upper), (f64::NEG_INFINITY, f64::INFINITY));
    assert!(robot.joints().iter().skip(1).all(|joint| joint.lower.is_finite()));
}

#[test]
fn states_are_written_on_the_turn_of_home_and_of_the_statistics() {
    let robot = std::sync::Arc::new(robot(0.0));
    let names = crate::shipped::names(&robot);
    let state = |angle: f64| {
        let mut positions = robot.home().to_vec();
        positions[0] = angle;
        positions
    };
    for angle in [-3.083, 3.2, 3.2 + TAU, 0.4 - TAU] {
        let raw = raw_state(&robot, &names, &state(angle)).unwrap();
        assert!((raw[0] - wrapped(angle)).abs() < 1e-9);
    }
    // Data that was recorded on another turn: 0.2 to 6.0.
    let dims = robot.file().state_dim();
    let of = |value: f64| vec![value; dims];
    let mut recorded = VectorStatistics {
        min: of(-4.0),
        max: of(4.0),
        mean: of(0.0),
        std: of(1.0),
        count: vec![100],
        ..VectorStatistics::default()
    };
    (recorded.min[0], recorded.max[0], recorded.mean[0]) = (0.2, 6.0, 3.0);
    let action = VectorStatistics { mean: of(0.0), ..recorded.clone() };
    let encoder =
        StateEncoder::new(robot.clone(), &DatasetStatistics { state: recorded, action }).unwrap();
    for (angle, expected) in [(-1.0, TAU - 1.0), (1.0, 1.0), (5.0, 5.0), (5.0 - TAU, 5.0)] {
        let encoded = encoder.encode(&names, &state(angle)).unwrap();
        assert!((f64::from(encoded[0]) - (expected - 3.0)).abs() < 1e-5, "{angle}: {}", encoded[0]);
    }
}

/// A data set of other software: angles within one turn, whatever the joint did before.
#[test]
fn rows_of_a_data_set_are_brought_to_the_turns_of_the_live_state() {
    for (home, units) in [(0.0, 1.0), (2.0, 1.0), (-1.0, 180.0 / PI), (3.0, -180.0 / PI)] {
        let robot = robot_in(home, units);
        let names = crate::shipped::names(&robot);
        let circles = robot.circles();
        assert_eq!(circles.widths(), (8, 8));
        // From -9 to 9 rad in small steps; the action is 0.05 rad ahead.
        let angles: Vec<f64> = (-180..180).map(|i| 0.05 * f64::from(i)).collect();
        let row = |angle: f64| {
            let mut row = vec![0.25; 8];
            row[0] = (wrapped(angle) * units) as f32;
            row
        };
        let mut state: Vec<Vec<f32>> = angles.iter().map(|angle| row(*angle)).collect();
        let mut action: Vec<Vec<f32>> = angles.iter().map(|angle| row(angle + 0.05)).collect();
        circles.bring(&mut state, &mut action);
        for ((angle, state), action) in angles.iter().zip(&state).zip(&action) {
            let mut positions = robot.home().to_vec();
            positions[0] = *angle;
            let live = raw_state(&robot, &names, &positions).unwrap()[0];
            let turn = TAU * units.abs();
            // At the end of the turn itself either side is right.
            let off = (f64::from(state[0]) - live).abs();
            assert!(off < 1e-3 || (off - turn).abs() < 1e-3, "{home} {angle}: {off}");
            let ahead = f64::from(action[0] - state[0]);
            assert!((ahead - 0.05 * units).abs() < 1e-3, "{home} {angle}: {ahead}");
            assert!(state[1..].iter().chain(&action[1..]).all(|other| *other == 0.25));
        }
    }
}

/// [`robot`] with state and action in these units of a radian.
fn robot_in(home: f64, units: f64) -> Robot {
    let urdf = crate::shipped::fixture_urdf().replacen(
        "<joint name=\"joint1\" type=\"revolute\">",
        "<joint name=\"joint1\" type=\"continuous\">",
        1,
    );
    let text = std::fs::read_to_string(crate::shipped::fixture()).unwrap();
    let scale = format!("kind: joint_positions, scale: [{units}, 1, 1, 1, 1, 1, 1]");
    let text = text
        .replacen("  joint1: 0.0\n", &format!("  joint1: {home}\n"), 1)
        .replace("kind: joint_positions", &scale);
    Robot::from_text(&text, &urdf).unwrap_or_else(|error| panic!("{error}"))
}
