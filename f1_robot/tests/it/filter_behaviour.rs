//! What the filter does, case by case.

use std::time::Duration;

use f1_robot::safety::{
    FilterInput, FilterOutput, FilterSettings, Locks, MeasuredState, Mode, Response, Rule,
    SafetyFilter, Verdict,
};
use f1_robot::{JointLimits, RawChunk};

use crate::checker::{Checker, tracks};
use crate::filter_any_input::{controllers, joint};

const RATE: f64 = 10.0;

/// Makes something of `T` that it should not be.
type Spoil<T> = Box<dyn Fn(&mut T)>;

/// Two joints and a gripper on a bench of their own, with the checker on its output.
pub struct Bench {
    pub joints: Vec<JointLimits>,
    pub filter: SafetyFilter,
    pub checker: Checker,
    pub now: i64,
    pub sequence: u64,
    /// Where the joints are if nothing was sent.
    pub at: Vec<f64>,
}

impl Bench {
    pub fn new(settings: FilterSettings) -> Self {
        let limits = |name: &str| joint(name.into(), -2.0, 2.0, 1.5, 6.0, 60.0);
        Self::with(vec![limits("a"), limits("b"), limits("grip")], settings)
    }

    pub fn with(joints: Vec<JointLimits>, settings: FilterSettings) -> Self {
        let at = vec![0.0; joints.len()];
        let filter = SafetyFilter::with_parts(
            joints.clone(),
            &["grip"],
            controllers(&[2, 1]),
            RATE,
            None,
            settings,
        );
        Self { joints, filter, checker: Checker::default(), now: 0, sequence: 0, at }
    }

    pub fn names(&self) -> Vec<String> {
        self.joints.iter().map(|joint| joint.name.clone()).collect()
    }

    /// The state as a robot that follows exactly measures it.
    pub fn state(&self) -> MeasuredState {
        let running = self.filter.running_at(self.now);
        let positions = match &running {
            Some(states) => states.iter().map(|state| state.position).collect(),
            None => self.at.clone(),
        };
        let velocities = running
            .map_or(vec![0.0; self.joints.len()], |s| s.iter().map(|s| s.velocity).collect());
        MeasuredState { stamp: self.now, names: self.names(), positions, velocities }
    }

    pub fn chunk(&mut self, rows: Vec<Vec<f64>>) -> RawChunk {
        self.sequence += 1;
        RawChunk {
            stamp: self.now,
            epoch: 0,
            sequence: self.sequence,
            joint_names: self.names(),
            rows,
            rate_hz: RATE,
        }
    }

    pub fn input(&mut self, rows: Option<Vec<Vec<f64>>>) -> FilterInput {
        let chunk = rows.map(|rows| self.chunk(rows));
        FilterInput { now: self.now, state: Some(self.state()), chunk, lock: false }
    }

    pub fn step(&mut self, input: &FilterInput) -> FilterOutput {
        let before = self.checker.before(self.now, input.state.as_ref(), &self.joints);
        let output = self.filter.step(input);
        self.checker.check(&before, &output, &self.joints, 1e-3).unwrap();
        output
    }

    pub fn send(&mut self, rows: Vec<Vec<f64>>) -> FilterOutput {
        let input = self.input(Some(rows));
        self.step(&input)
    }

    pub fn lock(&mut self) -> FilterOutput {
        let input = FilterInput { lock: true, ..self.input(None) };
        self.step(&input)
    }

    pub fn tick(&mut self) -> FilterOutput {
        let input = self.input(None);
        self.step(&input)
    }

    pub fn wait(&mut self, seconds: f64) {
        self.now += (seconds * 1e9) as i64;
    }
}

/// A smooth move of all joints by `way` in `n` rows.
pub fn smooth(from: &[f64], way: f64, n: usize) -> Vec<Vec<f64>> {
    (1..=n)
        .map(|i| {
            let u = i as f64 / n as f64;
            let s = u * u * u * (10.0 - 15.0 * u + 6.0 * u * u);
            from.iter().map(|p| p + way * s).collect()
        })
        .collect()
}

pub fn rules(output: &FilterOutput) -> Vec<Rule> {
    output.events.iter().map(|event| event.rule).collect()
}

#[test]
fn a_chunk_that_is_too_fast_keeps_its_path() {
    let mut bench = Bench::new(FilterSettings::default());
    let rows: Vec<Vec<f64>> = smooth(&[0.0], 1.5, 6)
        .iter()
        .map(|row| vec![row[0], -0.5 * row[0], 0.2 * row[0]])
        .collect();
    let output = bench.send(rows.clone());
    assert_eq!(output.verdict, Verdict::Modified);
    let scaled: Vec<_> =
        output.events.iter().filter(|event| event.action == Response::Scaled).collect();
    assert!(
        scaled.iter().all(|event| event.asked > event.limit
            && event.step.is_some()
            && event.joint.is_some())
    );
    let tracks = tracks(&bench.joints, &output.trajectories);
    for k in 0..400 {
        let t = k as f64 * 0.01;
        let (a, b, c) = (tracks[0].sample(t)[0], tracks[1].sample(t)[0], tracks[2].sample(t)[0]);
        assert!((b + 0.5 * a).abs() < 1e-9 && (c - 0.2 * a).abs() < 1e-9, "{t}: {a} {b} {c}");
    }
    assert!((tracks[0].sample(100.0)[0] - 1.5).abs() < 1e-9);
    // Not slower than it has to be: the peak uses most of some limit.
    let most = (0..4000)
        .map(|k| tracks[0].sample(f64::from(k) * 1e-3))
        .fold(0.0_f64, |most, [_, v, a, j]| {
            most.max(v.abs() / 1.5).max(a.abs() / 6.0).max(j.abs() / 60.0)
        });
    assert!(most > 0.85, "{most}");
}

#[test]
fn a_strict_filter_refuses_what_a_lenient_one_clamps() {
    for (mode, verdict, action) in [
        (Mode::Reject, Verdict::Rejected, Response::Refused),
        (Mode::Clamp, Verdict::Modified, Response::Clamped),
    ] {
        let mut bench = Bench::new(FilterSettings { mode, ..FilterSettings::default() });
        let mut rows = smooth(&[0.0; 3], 0.3, 20);
        rows[19][1] = 2.5;
        rows[18][1] = 2.2;
        let output = bench.send(rows);
        assert_eq!(output.verdict, verdict);
        let event = output.events.iter().find(|event| event.rule == Rule::Position).unwrap();
        assert_eq!((event.joint.as_deref(), event.step), (Some("b"), Some(19)));
        assert_eq!((event.asked, event.limit, event.action), (Some(2.5), Some(2.0), action));
        assert_eq!(output.trajectories.is_empty(), mode == Mode::Reject);
    }
}

#[test]
fn a_lock_stops_on_the_path_and_soon() {
    let mut bench = Bench::new(FilterSettings::default());
    bench.at = vec![0.0, 0.1, 0.2];
    let sent = bench.send(smooth(&[0.0, 0.1, 0.2], 1.0, 20));
    assert_eq!(sent.verdict, Verdict::Accepted);
    let path = tracks(&bench.joints, &sent.trajectories);
    bench.wait(1.0);
    let output = bench.lock();
    assert_eq!((output.verdict, rules(&output)), (Verdict::Stopped, vec![Rule::Lock]));
    let stop = tracks(&bench.joints, &output.trajectories);
    // Speed about 0.94 rad/s; the fastest stop takes 0.94/6 + 6/60 = 0.26 s.
    assert!(stop[0].end() < 0.6, "{}", stop[0].end());
    for k in 0..600 {
        let at = stop[0].sample(f64::from(k) * 1e-3)[0];
        assert!((stop[1].sample(f64::from(k) * 1e-3)[0] - at - 0.1).abs() < 1e-6);
    }
    assert!(stop[0].sample(1.0)[0] < path[0].sample(5.0)[0]);
    // Locked on: silence.
    bench.wait(0.1);
    assert!(bench.lock().trajectories.is_empty());
    // Unlocked, with a chunk: goes on from where it is.
    bench.wait(1.0);
    let at = bench.state().positions;
    assert_eq!(bench.send(smooth(&at, 0.2, 20)).verdict, Verdict::Accepted);
}

#[test]
fn a_lock_at_any_instant_of_any_motion_stops_harmlessly() {
    // Out and back along the bound: where a plain stop would overshoot it.
    let rows: Vec<Vec<f64>> = (1..=30)
        .map(|i| {
            let t = f64::from(i) / RATE;
            vec![1.0 - (3.0 * t).cos(), -1.0 + (3.0 * t).cos(), 0.3 * (1.0 - (2.0 * t).cos())]
        })
        .collect();
    for ms in (1..4000).step_by(37) {
        let mut bench = Bench::new(FilterSettings {
            inference_age: 10.0,
            observation_age: 10.0,
            ..FilterSettings::default()
        });
        assert_ne!(bench.send(rows.clone()).verdict, Verdict::Rejected);
        bench.now = i64::from(ms) * 1_000_000;
        let moving = bench.filter.moves(bench.now);
        let output = bench.lock();
        assert_eq!(output.verdict, Verdict::Stopped);
        assert_eq!(!output.trajectories.is_empty(), moving);
        if moving {
            let end = tracks(&bench.joints, &output.trajectories)
                .iter()
                .map(|t| t.end())
                .fold(0.0, f64::max);
            assert!(end < 1.2, "{ms}: {end}");
        }
    }
}

#[test]
fn chunks_that_are_not_what_they_should_be_are_refused_by_name() {
    let good = || smooth(&[0.0; 3], 0.1, 10);
    let cases: Vec<(Rule, Spoil<RawChunk>)> = vec![
        (Rule::Finite, Box::new(|chunk| chunk.rows[3][1] = f64::NAN)),
        (Rule::Finite, Box::new(|chunk| chunk.rows[3][1] = f64::INFINITY)),
        (Rule::Names, Box::new(|chunk| chunk.joint_names.swap(0, 1))),
        (Rule::Names, Box::new(|chunk| chunk.joint_names[2] = "other".into())),
        (Rule::Shape, Box::new(|chunk| chunk.rows.clear())),
        (Rule::Shape, Box::new(|chunk| chunk.rows[9].truncate(1))),
        (Rule::Shape, Box::new(|chunk| chunk.rate_hz = 20.0)),
        (Rule::Shape, Box::new(|chunk| chunk.rate_hz = f64::NAN)),
        (Rule::Age, Box::new(|chunk| chunk.stamp -= 1_100_000_000)),
        (Rule::Age, Box::new(|chunk| chunk.stamp += 200_000_000)),
        (Rule::Age, Box::new(|chunk| chunk.stamp = i64::MIN)),
        (Rule::Epoch, Box::new(|chunk| chunk.epoch = 3)),
        (Rule::Sequence, Box::new(|chunk| chunk.sequence = 1)),
    ];
    for (rule, spoil) in cases {
        let mut bench = Bench::new(FilterSettings::default());
        assert_eq!(bench.send(good()).verdict, Verdict::Accepted);
        bench.wait(0.2);
        let mut input = bench.input(Some(good()));
        spoil(input.chunk.as_mut().unwrap());
        let output = bench.step(&input);
        assert_eq!((output.verdict, rules(&output)), (Verdict::Rejected, vec![rule]));
        assert!(output.trajectories.is_empty());
        // The next one is taken.
        bench.wait(0.1);
        let at = bench.state().positions;
        assert_ne!(bench.send(smooth(&at, 0.05, 10)).verdict, Verdict::Rejected);
    }
}

#[test]
fn states_that_are_not_what_they_should_be_are_refused_and_the_watchdog_runs_on() {
    let cases: Vec<(Rule, Spoil<MeasuredState>)> = vec![
        (Rule::Finite, Box::new(|state| state.positions[1] = f64::NAN)),
        (Rule::Finite, Box::new(|state| state.velocities[0] = f64::INFINITY)),
        (Rule::Names, Box::new(|state| state.names[0] = "other".into())),
        (Rule::Names, Box::new(|state| state.names[0] = "b".into())),
        (Rule::State, Box::new(|state| state.positions.truncate(2))),
        (Rule::State, Box::new(|state| state.velocities.push(0.0))),
        (Rule::State, Box::new(|state| state.stamp += 1_000_000_000)),
    ];
    for (rule, spoil) in cases {
        let mut bench = Bench::new(FilterSettings::default());
        assert_eq!(bench.send(smooth(&[0.0; 3], 0.5, 30)).verdict, Verdict::Accepted);
        for k in 0..4 {
            bench.wait(0.1);
            let mut input = bench.input(None);
            spoil(input.state.as_mut().unwrap());
            let moves = bench.filter.moves(bench.now);
            let output = bench.step(&input);
            let stopped = moves && k >= 2;
            assert_eq!(output.verdict == Verdict::Stopped, stopped, "{k} {:?}", output.events);
            assert!(rules(&output).contains(&rule));
            assert_eq!(rules(&output).contains(&Rule::JointStateAge), stopped);
            assert!(stopped || k != 2);
        }
    }
}

#[test]
fn joints_are_taken_by_name() {
    let mut bench = Bench::new(FilterSettings::default());
    bench.at = vec![0.3, -0.4, 0.1];
    let mut input = bench.input(Some(smooth(&[0.3, -0.4, 0.1], 0.1, 20)));
    if let Some(state) = &mut input.state {
        state.names = vec!["grip".into(), "other".into(), "a".into(), "b".into()];
        (state.positions, state.velocities) = (vec![0.1, 9.0, 0.3, -0.4], vec![]);
    }
    assert_eq!(bench.step(&input).verdict, Verdict::Accepted);
}

#[test]
fn a_clock_that_jumps_back_forgets_everything_and_waits_for_fresh() {
    let mut bench = Bench::new(FilterSettings::default());
    bench.now = 10_000_000_000;
    assert_eq!(bench.send(smooth(&[0.0; 3], 0.5, 30)).verdict, Verdict::Accepted);
    bench.wait(1.0);
    let mut state = bench.state();
    bench.now = 5_000_000_000;
    state.stamp = bench.now;
    let chunk = bench.chunk(smooth(&[0.0; 3], 0.1, 10));
    let input =
        FilterInput { now: bench.now, state: Some(state.clone()), chunk: Some(chunk), lock: false };
    let output = bench.step(&input);
    assert_eq!(output.verdict, Verdict::Rejected);
    assert!(rules(&output).contains(&Rule::Clock));
    // The robot moved: it is brought to rest from where it was measured.
    assert_eq!(output.trajectories.len(), 2);
    bench.wait(1.0);
    let at = bench.state().positions;
    assert_eq!(bench.send(smooth(&at, 0.1, 20)).verdict, Verdict::Accepted);
}

#[test]
fn where_measured_and_running_disagree_the_measured_state_wins() {
    let mut bench = Bench::new(FilterSettings::default());
    bench.send(smooth(&[0.0; 3], 0.5, 30));
    bench.wait(0.5);
    let mut input = bench.input(Some(smooth(&[1.0, 0.0, 0.0], 0.1, 30)));
    if let Some(state) = &mut input.state {
        state.positions[0] = 1.0;
        state.velocities = vec![0.0; 3];
    }
    let output = bench.step(&input);
    let event = output.events.iter().find(|event| event.rule == Rule::Disagreement).unwrap();
    assert_eq!((event.joint.as_deref(), event.limit), (Some("a"), Some(0.1)));
    assert!((event.asked.unwrap() - 1.0).abs() < 0.1);
    let first = tracks(&bench.joints, &output.trajectories)[0].sample(0.0);
    assert_eq!(first[0], 1.0);
    // A gripper that holds something is no disagreement.
    let mut bench = Bench::new(FilterSettings::default());
    bench.send(smooth(&[0.0; 3], 0.5, 30));
    bench.wait(0.5);
    let mut input = bench.input(None);
    if let Some(state) = &mut input.state {
        state.positions[2] = 1.5;
    }
    assert_eq!(rules(&bench.step(&input)), vec![]);
}

#[test]
fn after_a_stop_the_robot_resumes_from_where_it_was_moved_to() {
    let mut bench = Bench::new(FilterSettings::default());
    bench.send(smooth(&[0.0; 3], 0.2, 30));
    bench.wait(0.5);
    bench.lock();
    bench.wait(2.0);
    let mut input = bench.input(None);
    if let Some(state) = &mut input.state {
        state.positions[1] += 0.02;
    }
    let there = input.state.as_ref().unwrap().positions.clone();
    input.chunk = Some(bench.chunk(smooth(&there, 0.1, 20)));
    let output = bench.step(&input);
    assert_eq!((output.verdict, rules(&output)), (Verdict::Accepted, vec![Rule::Resume]));
    assert_eq!(tracks(&bench.joints, &output.trajectories)[1].sample(0.0)[0], there[1]);
}

#[test]
fn repeated_interventions_latch_until_reset() {
    let settings =
        FilterSettings { latch_count: 3, latch_window: 5.0, ..FilterSettings::default() };
    let mut bench = Bench::new(settings);
    for k in 0..3 {
        let output = bench.send(vec![vec![f64::NAN; 3]; 4]);
        assert_eq!(output.verdict, if k < 2 { Verdict::Rejected } else { Verdict::Stopped });
        bench.wait(0.1);
    }
    assert_eq!(bench.send(smooth(&[0.0; 3], 0.1, 10)).verdict, Verdict::Stopped);
    bench.filter.reset();
    bench.wait(0.1);
    assert_eq!(bench.send(smooth(&[0.0; 3], 0.1, 10)).verdict, Verdict::Accepted);
}

#[test]
fn waypoints_on_a_bound_are_met_without_swinging_beyond_it() {
    let mut bench = Bench::new(FilterSettings::default());
    let upper = bench.joints[2].upper;
    // It trembles at its bound, as a policy's open gripper does.
    let there = |i: usize| upper - 1e-4 * ((i + 1) % 2) as f64;
    bench.at = vec![0.0, 0.0, there(0)];
    let rows = (1..20).map(|i| vec![0.0, 0.0, there(i)]).collect();
    let output = bench.send(rows);
    assert_eq!(
        (output.verdict, rules(&output)),
        (Verdict::Accepted, vec![]),
        "{:?}",
        output.events
    );
}

#[test]
fn chunks_that_come_too_late_do_not_latch() {
    let settings =
        FilterSettings { latch_count: 2, latch_window: 50.0, ..FilterSettings::default() };
    let mut bench = Bench::new(settings);
    for late in [true, true, true, false] {
        let mut input = bench.input(Some(smooth(&[0.0; 3], 0.1, 10)));
        if let Some(chunk) = &mut input.chunk {
            chunk.stamp -= if late { 60_000_000_000 } else { 0 };
            chunk.epoch += u64::from(!late);
        }
        let output = bench.step(&input);
        let rule = if late { Rule::Age } else { Rule::Epoch };
        assert_eq!((output.verdict, rules(&output)), (Verdict::Rejected, vec![rule]));
        bench.wait(0.1);
    }
    assert_eq!(bench.send(smooth(&[0.0; 3], 0.1, 10)).verdict, Verdict::Accepted);
    // From the future is another matter.
    for k in 0..2 {
        let mut input = bench.input(Some(smooth(&[0.0; 3], 0.1, 10)));
        if let Some(chunk) = &mut input.chunk {
            chunk.stamp += 60_000_000_000;
        }
        let verdict = bench.step(&input).verdict;
        assert_eq!(verdict, if k == 0 { Verdict::Rejected } else { Verdict::Stopped });
        bench.wait(0.1);
    }
}

#[test]
fn a_silent_lock_stops() {
    let mut locks = Locks::new(&["pendant".to_owned()], Duration::from_millis(300));
    let mut bench = Bench::new(FilterSettings::default());
    // The locks on a clock of their own, which the filter's need not agree with.
    let steady = |bench: &Bench| Duration::from_secs(77) + Duration::from_nanos(bench.now as u64);
    let step = |bench: &mut Bench, locks: &Locks, rows: Option<Vec<Vec<f64>>>| {
        let lock = !locks.engaged(steady(bench)).is_empty();
        let input = FilterInput { lock, ..bench.input(rows) };
        bench.step(&input)
    };
    let output = step(&mut bench, &locks, Some(smooth(&[0.0; 3], 0.1, 10)));
    assert_eq!(output.verdict, Verdict::Stopped);
    bench.wait(0.1);
    assert!(locks.receive("pendant", steady(&bench), false));
    let output = step(&mut bench, &locks, Some(smooth(&[0.0; 3], 0.3, 30)));
    assert_eq!(output.verdict, Verdict::Accepted);
    bench.wait(0.2);
    assert_eq!(step(&mut bench, &locks, None).verdict, Verdict::Accepted);
    bench.wait(0.2);
    let output = step(&mut bench, &locks, None);
    assert_eq!((output.verdict, rules(&output)), (Verdict::Stopped, vec![Rule::Lock]));
    assert!(!output.trajectories.is_empty());
}

#[test]
fn late_inference_brings_the_robot_to_rest() {
    let mut bench = Bench::new(FilterSettings::default());
    bench.send(smooth(&[0.0; 3], 1.0, 40));
    for _ in 0..15 {
        bench.wait(0.1);
        assert_eq!(bench.tick().verdict, Verdict::Accepted);
    }
    bench.wait(0.1);
    let output = bench.tick();
    assert_eq!((output.verdict, rules(&output)), (Verdict::Stopped, vec![Rule::InferenceAge]));
    assert_eq!(output.trajectories.len(), 2);
}

#[test]
fn limits_of_zero_hold_a_joint_still() {
    for which in 0..3 {
        let limits = |name: &str| joint(name.into(), -2.0, 2.0, 1.5, 6.0, 60.0);
        let mut joints = vec![limits("a"), limits("b"), limits("grip")];
        match which {
            0 => joints[1].velocity = 0.0,
            1 => joints[2].acceleration = 0.0,
            _ => joints[1].jerk = 0.0,
        }
        let held = [1, 2, 1][which];
        let mut bench = Bench::with(joints.clone(), FilterSettings::default());
        let output = bench.send(smooth(&[0.0; 3], 0.3, 20));
        assert_eq!(output.verdict, Verdict::Modified);
        let event = &output.events[0];
        assert_eq!(
            (event.action, event.limit, event.joint.as_deref()),
            (Response::Held, Some(0.0), Some(joints[held].name.as_str()))
        );
        let tracks = tracks(&bench.joints, &output.trajectories);
        assert!((0..2000).all(|k| tracks[held].sample(f64::from(k) * 1e-3)[0] == 0.0));
        assert!((tracks[0].sample(2.0)[0] - 0.3).abs() < 1e-9);
    }
}

#[test]
fn a_joint_that_moves_and_cannot_be_stopped_is_reported_and_nothing_is_sent() {
    let mut bench = Bench::with(
        vec![
            joint("a".into(), -1.0, 1.0, 1.0, 0.0, 60.0),
            joint("b".into(), -1.0, 1.0, 1.0, 5.0, 60.0),
            joint("grip".into(), -1.0, 1.0, 1.0, 5.0, 60.0),
        ],
        FilterSettings::default(),
    );
    let mut input = bench.input(None);
    if let Some(state) = &mut input.state {
        state.velocities[0] = 0.5;
    }
    input.lock = true;
    let output = bench.step(&input);
    assert_eq!(
        (output.verdict, rules(&output)),
        (Verdict::Stopped, vec![Rule::Lock, Rule::Unstoppable])
    );
    assert!(output.trajectories.is_empty());
}

#[test]
fn the_margin_is_left_but_not_entered() {
    let settings = FilterSettings { margin: 0.05, ..FilterSettings::default() };
    let mut bench = Bench::new(settings);
    bench.at = vec![1.9, 0.0, 0.0];
    // The margin is 0.2 rad wide; joint a stands in it and moves away, joint b moves into it.
    let rows =
        (1..=40).map(|i| vec![1.9 - 0.005 * f64::from(i), 0.0475 * f64::from(i), 0.0]).collect();
    let output = bench.send(rows);
    assert_eq!(rules(&output)[0], Rule::Margin);
    assert_eq!(output.events[0].joint.as_deref(), Some("b"));
    assert!((output.events[0].limit.unwrap() - 1.8).abs() < 1e-12);
    assert!(
        !output
            .events
            .iter()
            .any(|event| event.joint.as_deref() == Some("a") && event.rule == Rule::Margin)
    );
}

#[test]
fn a_robot_found_moving_fast_is_braked_first() {
    let mut bench = Bench::new(FilterSettings::default());
    let mut input = bench.input(Some(smooth(&[0.5; 3], 0.1, 20)));
    if let Some(state) = &mut input.state {
        state.velocities = vec![2.5, 0.0, -0.1];
    }
    let output = bench.step(&input);
    assert_eq!(output.verdict, Verdict::Modified, "{:?}", output.events);
    let end = tracks(&bench.joints, &output.trajectories);
    assert!((end[0].sample(100.0)[0] - 0.6).abs() < 1e-9);
}
