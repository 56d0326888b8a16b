//! What the filter makes of measured states that are late, old or beyond stopping.

use f1_robot::safety::{FilterInput, FilterSettings, MeasuredState, Mode, Response, Rule, Verdict};

use crate::filter_any_input::joint;
use crate::filter_behaviour::{Bench, rules, smooth};

/// Joints of a nimble arm.
fn nimble(settings: FilterSettings) -> Bench {
    let limits = |name: &str| joint(name.into(), -3.0, 3.0, 2.8, 40.0, 8000.0);
    Bench::with(vec![limits("a"), limits("b"), limits("grip")], settings)
}

/// Back and forth as hard as the limits let it, followed `delay` seconds late: the rules that were
/// named.
fn followed_late(settings: FilterSettings, delay: f64) -> Vec<Rule> {
    let mut bench = nimble(settings);
    let mut named = Vec::new();
    let start = bench.state();
    let mut sent: Vec<(i64, Vec<f64>, Vec<f64>)> = vec![(0, start.positions, start.velocities)];
    for tick in 0..300_i64 {
        bench.now = tick * 20_000_000;
        let late = bench.now - (delay * 1e9) as i64;
        let (_, positions, velocities) =
            sent.iter().rev().find(|(at, ..)| *at <= late).unwrap_or(&sent[0]).clone();
        let state = MeasuredState { stamp: bench.now, names: bench.names(), positions, velocities };
        let at = bench.state().positions;
        let way = if tick / 10 % 2 == 0 { 0.28 } else { -0.28 };
        let rows: Vec<Vec<f64>> =
            (1..=5).map(|i| at.iter().map(|p| p + way * f64::from(i)).collect()).collect();
        let chunk = (tick % 10 == 0).then(|| bench.chunk(rows));
        let output =
            bench.step(&FilterInput { now: bench.now, state: Some(state), chunk, lock: false });
        named.extend(rules(&output));
        let now = bench.state();
        sent.push((bench.now, now.positions, now.velocities));
    }
    named.retain(|rule| matches!(rule, Rule::Disagreement | Rule::Resume));
    named
}

#[test]
fn a_robot_that_follows_late_causes_no_disagreement() {
    assert_eq!(followed_late(FilterSettings::default(), 0.06), []);
    // Without that knowledge, or later than it covers, the two disagree.
    let strict = FilterSettings { tracking_delay: 0.0, ..FilterSettings::default() };
    assert!(!followed_late(strict, 0.06).is_empty());
    assert!(!followed_late(FilterSettings::default(), 0.3).is_empty());
}

#[test]
fn a_robot_that_settles_after_a_stop_resumes_from_its_last_set_point() {
    let mut bench = nimble(FilterSettings::default());
    bench.send(smooth(&[0.0; 3], 0.3, 10));
    bench.wait(0.5);
    bench.lock();
    let before = bench.state();
    bench.wait(0.15);
    assert!(!bench.filter.moves(bench.now));
    // It still lags behind by a part of the braking's way.
    let mut input = bench.input(None);
    if let Some(state) = &mut input.state {
        for (position, before) in state.positions.iter_mut().zip(&before.positions) {
            *position -= 0.2 * (*position - before);
        }
    }
    let at = bench.state().positions;
    input.chunk = Some(bench.chunk(smooth(&at, 0.1, 10)));
    assert_eq!(rules(&bench.step(&input)), []);
}

#[test]
fn a_velocity_that_is_not_measured_changes_nothing() {
    // As the joints move, position-only hardware sends one of these instead of the velocities.
    type Velocities = fn(&[f64]) -> Vec<f64>;
    let unmeasured: [Velocities; 4] = [
        |_| Vec::new(),
        |measured| vec![f64::NAN; measured.len()],
        |measured| measured[..1].to_vec(),
        |measured| measured.iter().enumerate().map(|(i, v)| [*v, f64::NAN][i % 2]).collect(),
    ];
    let play = |velocities: &dyn Fn(&[f64]) -> Vec<f64>| {
        let mut bench = nimble(FilterSettings::default());
        let mut outputs = Vec::new();
        for tick in 0..150 {
            let at = bench.state().positions;
            let way = if tick / 10 % 2 == 0 { 0.25 } else { -0.25 };
            let rows = (tick % 10 == 0).then(|| {
                (1..=5).map(|i| at.iter().map(|p| p + way * f64::from(i)).collect()).collect()
            });
            let mut input = bench.input(rows);
            if let Some(state) = &mut input.state {
                state.velocities = velocities(&state.velocities);
            }
            outputs.push(bench.step(&input));
            bench.now += 20_000_000;
        }
        outputs
    };
    let measured = play(&|measured| measured.to_vec());
    assert!(measured.iter().filter(|output| !output.trajectories.is_empty()).count() >= 10);
    for velocities in unmeasured {
        let outputs = play(&velocities);
        for (tick, (one, other)) in measured.iter().zip(&outputs).enumerate() {
            assert_eq!((one.verdict, rules(one)), (other.verdict, rules(other)), "tick {tick}");
            assert_eq!(one.trajectories.len(), other.trajectories.len(), "tick {tick}");
        }
    }
}

#[test]
fn a_state_of_long_ago_starts_no_motion() {
    // Seconds after a moving robot was measured, and to how many controllers its stop goes.
    for (age, expected) in [(0.2, 2), (0.5, 0)] {
        let mut bench = Bench::new(FilterSettings::default());
        let mut input = bench.input(None);
        if let Some(state) = &mut input.state {
            state.velocities = vec![1.0, 0.0, 0.0];
        }
        assert_eq!(bench.step(&input).trajectories.len(), 0);
        bench.wait(age);
        let output =
            bench.step(&FilterInput { now: bench.now, lock: true, ..FilterInput::default() });
        assert_eq!(
            (output.verdict, output.trajectories.len()),
            (Verdict::Stopped, expected),
            "{age}"
        );
    }
}

#[test]
fn a_lock_stops_what_runs_though_what_is_measured_cannot_be_stopped() {
    let mut bench = Bench::with(
        vec![
            joint("a".into(), -1.0, 1.0, 1.0, 5.0, 0.0),
            joint("b".into(), -1.0, 1.0, 1.0, 5.0, 60.0),
            joint("grip".into(), -1.0, 1.0, 1.0, 5.0, 60.0),
        ],
        FilterSettings::default(),
    );
    let rows =
        smooth(&[0.0; 3], 0.5, 30).into_iter().map(|row| vec![0.0, row[1], row[2]]).collect();
    assert_eq!(bench.send(rows).verdict, Verdict::Accepted);
    bench.wait(1.0);
    let mut input = bench.input(None);
    if let Some(state) = &mut input.state {
        (state.positions[0], state.velocities[0]) = (0.5, 0.5);
    }
    input.lock = true;
    let output = bench.filter.step(&input);
    assert!(rules(&output).contains(&Rule::Unstoppable), "{:?}", output.events);
    assert_eq!(output.trajectories.len(), 2);
    bench.wait(1.0);
    assert!(!bench.filter.moves(bench.now));
}

#[test]
fn a_start_that_has_to_be_braked_first_is_said() {
    // Position and velocity of joint a at the start, and what is said of it.
    for (position, velocity, rule, asked) in [
        (0.0, 1.6, Rule::Velocity, 1.6),
        (2.1, 0.2, Rule::Position, 2.1),
        (-2.1, -0.2, Rule::Position, -2.1),
    ] {
        for (mode, action) in [(Mode::Clamp, Response::Scaled), (Mode::Reject, Response::Refused)] {
            let mut bench = Bench::new(FilterSettings { mode, ..FilterSettings::default() });
            bench.at[0] = position;
            let at = position.clamp(-2.0, 2.0);
            let mut input = bench.input(Some(smooth(&[at, 0.0, 0.0], 0.0, 20)));
            if let Some(state) = &mut input.state {
                state.velocities = vec![velocity, 0.0, 0.0];
            }
            let output = bench.step(&input);
            let event =
                output.events.iter().find(|event| event.rule == rule && event.action == action);
            let event = event.unwrap_or_else(|| panic!("{mode:?} {position}: {:?}", output.events));
            assert_eq!((event.joint.as_deref(), event.asked), (Some("a"), Some(asked)));
        }
    }
}
