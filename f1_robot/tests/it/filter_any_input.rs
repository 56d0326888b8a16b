//! Whatever comes in, what goes out is harmless. `F1_TEST_CASES` chunks (a few thousand by
//! default).

use std::f64::consts::TAU;

use f1_robot::robot_file::ControllerInterface;
use f1_robot::safety::{
    FilterInput, FilterSettings, MeasuredState, Mode, SafetyFilter, Splice, Verdict,
};
use f1_robot::{ControllerJoints, JointLimits, RawChunk};

use crate::checker::Checker;

/// SplitMix64: the same cases everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
    pub fn within(&mut self, a: f64, b: f64) -> f64 {
        a + (b - a) * self.unit()
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

pub fn joint(
    name: String,
    lower: f64,
    upper: f64,
    velocity: f64,
    acceleration: f64,
    jerk: f64,
) -> JointLimits {
    JointLimits {
        name,
        lower,
        upper,
        velocity,
        acceleration,
        jerk,
        continuous: false,
        prismatic: false,
    }
}

pub fn controllers(counts: &[usize]) -> Vec<ControllerJoints> {
    let mut next = 0;
    counts
        .iter()
        .enumerate()
        .map(|(i, count)| {
            let joints = (next..next + count).collect();
            next += count;
            ControllerJoints {
                name: format!("controller{i}"),
                namespace: String::new(),
                interface: ControllerInterface::JointTrajectory,
                rate: None,
                allow_nonzero_velocity_at_end: false,
                joints,
            }
        })
        .collect()
}

/// Two arms with grippers; now and then a limit of zero, a joint that turns without end, one of its
/// kind with bounds.
fn random_joints(random: &mut Random) -> (Vec<JointLimits>, Vec<ControllerJoints>) {
    let counts = [1 + random.below(7), 1, 1 + random.below(7), 1];
    let total: usize = counts.iter().sum();
    let joints = (0..total)
        .map(|i| {
            let lower = random.within(-3.0, 1.0);
            let mut zero = |x: f64| if random.one_in(40) { 0.0 } else { x };
            let (velocity, acceleration, jerk) = (zero(1.0), zero(1.0), zero(1.0));
            let bounded = joint(
                format!("joint{i}"),
                lower,
                lower + if random.one_in(30) { 0.0 } else { random.within(0.02, 5.0) },
                velocity * random.within(0.05, 4.0),
                acceleration * random.within(0.3, 20.0),
                jerk * random.within(3.0, 3000.0),
            );
            match random.below(12) {
                // A joint that turns without end, now and then with bounds of its own.
                0 | 1 => JointLimits {
                    lower: f64::NEG_INFINITY,
                    upper: f64::INFINITY,
                    continuous: true,
                    ..bounded
                },
                2 => JointLimits { continuous: true, ..bounded },
                _ => bounded,
            }
        })
        .collect();
    (joints, controllers(&counts))
}

struct Scene {
    joints: Vec<JointLimits>,
    rate: f64,
    filter: SafetyFilter,
    checker: Checker,
    now: i64,
    sequence: u64,
}

fn scene(random: &mut Random) -> Scene {
    let (joints, controllers) = random_joints(random);
    let rate = [5.0, 10.0, 15.0, 30.0, 50.0][random.below(5)];
    let settings = FilterSettings {
        mode: if random.one_in(4) { Mode::Reject } else { Mode::Clamp },
        splice: if random.one_in(4) { Splice::Ensemble } else { Splice::Replace },
        ensemble_decay: random.unit(),
        margin: if random.one_in(3) { random.within(0.0, 0.1) } else { 0.0 },
        lead: if random.one_in(4) { random.within(0.0, 0.05) } else { 0.0 },
        latch_count: if random.one_in(3) { 5 } else { 0 },
        latch_window: 1.0,
        ..FilterSettings::default()
    };
    assert!(settings.faults().is_empty());
    let filter = SafetyFilter::with_parts(joints.clone(), &[], controllers, rate, None, settings);
    Scene {
        joints,
        rate,
        filter,
        checker: Checker::default(),
        now: random.below(1 << 40) as i64,
        sequence: 0,
    }
}

/// A joint state near where the robot should be, or anywhere.
fn random_state(random: &mut Random, scene: &Scene) -> Option<MeasuredState> {
    if random.one_in(30) {
        return None;
    }
    let running = scene.filter.running_at(scene.now);
    let anywhere = running.is_none() || random.one_in(12);
    let (mut positions, mut velocities) = (Vec::new(), Vec::new());
    for (i, joint) in scene.joints.iter().enumerate() {
        let (p, v) = match &running {
            Some(running) if !anywhere => {
                (running[i].position + random.within(-1e-3, 1e-3), running[i].velocity)
            }
            _ => {
                let (lower, upper) = joint.range();
                let range = upper - lower;
                let p = random.within(lower, upper)
                    + if random.one_in(10) { random.within(-range, range) } else { 0.0 };
                (p, if random.one_in(4) { random.within(-1.5, 1.5) * joint.velocity } else { 0.0 })
            }
        };
        let p = p + turns(random, joint);
        positions.push(if random.one_in(2000) {
            [f64::NAN, f64::INFINITY, 1e300, -1e30][random.below(4)]
        } else {
            p
        });
        velocities.push(if random.one_in(2000) {
            [f64::NAN, f64::NEG_INFINITY, 1e200][random.below(3)]
        } else {
            v
        });
    }
    let mut names: Vec<String> = scene.joints.iter().map(|joint| joint.name.clone()).collect();
    if random.one_in(100) {
        names.pop();
    }
    if random.one_in(100) {
        velocities.truncate(random.below(names.len() + 1));
    }
    if random.one_in(100) {
        // Position-only hardware: not a number for some joints or for all.
        for velocity in &mut velocities {
            if random.one_in(2) {
                *velocity = f64::NAN;
            }
        }
    }
    if random.one_in(200) && !names.is_empty() {
        names[0] = "joint1".into();
    }
    let stamp = scene.now - if random.one_in(20) { random.below(1 << 30) as i64 } else { 0 };
    Some(MeasuredState { stamp, names, positions, velocities })
}

/// Whole turns that make no difference to where a joint is: none, unless it turns without end.
fn turns(random: &mut Random, joint: &JointLimits) -> f64 {
    if joint.continuous && random.one_in(3) { TAU * (random.below(7) as f64 - 3.0) } else { 0.0 }
}

fn random_chunk(random: &mut Random, scene: &mut Scene) -> Option<RawChunk> {
    if random.one_in(12) {
        return None;
    }
    let most = if random.one_in(4) { 60 } else { 12 };
    let n = if random.one_in(50) { 0 } else { 1 + random.below(most) };
    let start: Vec<f64> = match scene.filter.running_at(scene.now) {
        Some(running) => running.iter().map(|state| state.position).collect(),
        None => scene
            .joints
            .iter()
            .map(|joint| {
                let (lower, upper) = joint.range();
                random.within(lower, upper)
            })
            .collect(),
    };
    let kind = random.below(6);
    let mut rows = Vec::new();
    let (frequency, phase) = (random.within(0.1, 6.0), random.within(0.0, 6.3));
    let mut walk = start.clone();
    for i in 0..n {
        let t = (i as f64 + 1.0) / scene.rate;
        let row: Vec<f64> = scene
            .joints
            .iter()
            .enumerate()
            .map(|(j, joint)| {
                let (lower, upper) = joint.range();
                let range = upper - lower;
                let asked = match kind {
                    0 => start[j],
                    1 => start[j] + 0.2 * range * ((frequency * t + phase).sin() - phase.sin()),
                    2 => {
                        walk[j] += random.within(-1.0, 1.0) * joint.velocity / scene.rate;
                        walk[j]
                    }
                    3 => random.within(lower - range, upper + range),
                    4 => {
                        if i % 2 == 0 {
                            lower
                        } else {
                            upper
                        }
                    }
                    _ => start[j] + 0.02 * range * (1.0 - (frequency * t).cos()),
                };
                asked + turns(random, joint)
            })
            .collect();
        rows.push(row);
    }
    if random.one_in(20) && !rows.is_empty() {
        let (i, j) = (random.below(rows.len()), random.below(scene.joints.len()));
        rows[i][j] =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e15, 1e6][random.below(6)];
    }
    if random.one_in(60) && !rows.is_empty() {
        let i = random.below(rows.len());
        rows[i].push(0.0);
    }
    if random.one_in(60) && !rows.is_empty() {
        rows[0].pop();
    }
    let age = match random.below(12) {
        0 => random.within(-3.0, 3.0),
        1 => -0.5 / scene.rate,
        2..=4 => random.within(0.0, 0.3),
        _ => 0.0,
    };
    scene.sequence += if random.one_in(40) { 0 } else { 1 };
    let mut joint_names: Vec<String> =
        scene.joints.iter().map(|joint| joint.name.clone()).collect();
    if random.one_in(100) {
        joint_names.reverse();
    }
    Some(RawChunk {
        stamp: if random.one_in(300) {
            [i64::MIN, i64::MAX, 0][random.below(3)]
        } else {
            scene.now - (age * 1e9) as i64
        },
        epoch: u64::from(random.one_in(100)),
        sequence: scene.sequence,
        joint_names,
        rows,
        rate_hz: if random.one_in(100) {
            [f64::NAN, 0.0, -1.0][random.below(3)]
        } else {
            scene.rate
        },
    })
}

pub fn cases(default: usize) -> usize {
    std::env::var("F1_TEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn whatever_comes_in_what_goes_out_is_harmless() {
    let total = cases(3000);
    let seed = std::env::var("F1_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut random = Random(seed);
    let mut counts = [0_usize; 4];
    let (mut done, mut sent) = (0, 0);
    while done < total {
        let mut scene = scene(&mut random);
        for _ in 0..1 + random.below(25) {
            scene.now += match random.below(20) {
                0 => -(random.below(1 << 31) as i64),
                1 => random.below(1 << 34) as i64,
                2 => 0,
                _ => random.below(1 << 29) as i64,
            };
            let state = random_state(&mut random, &scene);
            let chunk = random_chunk(&mut random, &mut scene);
            let input = FilterInput { now: scene.now, state, chunk, lock: random.one_in(15) };
            let known = scene.filter.running_at(scene.now).is_some();
            let before = scene.checker.before(scene.now, input.state.as_ref(), &scene.joints);
            let output = scene.filter.step(&input);
            done += 1;
            sent += usize::from(!output.trajectories.is_empty());
            counts[output.verdict as usize] += 1;
            if let Err(fault) = scene.checker.check(&before, &output, &scene.joints, 1e-3) {
                panic!(
                    "case {done} (seed {seed}, known {known}): {fault}\n{:?}\n{:?}\n{:?}",
                    output.events, scene.joints, input
                );
            }
            if output.verdict == Verdict::Accepted
                && let Some(chunk) = &input.chunk
                && matches!(scene.filter.settings().splice, Splice::Replace)
            {
                let joints = scene.joints.clone();
                scene
                    .checker
                    .meets(&joints, scene.now, &chunk.rows, chunk.stamp, scene.rate)
                    .unwrap();
            }
            if scene.filter.running_at(scene.now).is_none() {
                scene.checker.sent = None;
            }
            assert!(output.verdict != Verdict::Stopped || !output.events.is_empty());
            if random.one_in(20) {
                scene.filter.reset();
            }
        }
    }
    println!(
        "{done} requests, {sent} answered with motion; accepted, modified, rejected, stopped: {counts:?}"
    );
    assert!(counts.iter().all(|count| *count > total / 100), "{counts:?}");
}
