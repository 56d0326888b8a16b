//! What is harmless is left alone.

use f1_robot::RawChunk;
use f1_robot::safety::{FilterInput, FilterSettings, MeasuredState, SafetyFilter, Verdict};

use crate::checker::Checker;
use crate::filter_any_input::{controllers, joint};

#[test]
fn a_slow_wave_is_followed_exactly_from_chunk_to_chunk() {
    let joints: Vec<_> =
        (0..8).map(|i| joint(format!("j{i}"), -2.0, 2.0, 2.0, 8.0, 100.0)).collect();
    let names: Vec<String> = joints.iter().map(|joint| joint.name.clone()).collect();
    let mut filter = SafetyFilter::with_parts(
        joints.clone(),
        &[],
        controllers(&[7, 1]),
        10.0,
        None,
        FilterSettings::default(),
    );
    let mut checker = Checker::default();
    let wave = |t: f64, j: usize| 0.1 * j as f64 + 0.2 * (1.0 - (1.5 * t).cos());
    for k in 0..20 {
        let now = k * 300_000_000;
        let t = now as f64 / 1e9;
        let rows: Vec<Vec<f64>> = (0..16)
            .map(|i| (0..8).map(|j| wave(t + (i as f64 + 1.0) / 10.0, j)).collect())
            .collect();
        let at = filter.running_at(now);
        let state = MeasuredState {
            stamp: now,
            names: names.clone(),
            positions: (0..8)
                .map(|j| at.as_ref().map_or(wave(0.0, j), |at| at[j].position))
                .collect(),
            velocities: (0..8).map(|j| at.as_ref().map_or(0.0, |at| at[j].velocity)).collect(),
        };
        let chunk = RawChunk {
            stamp: now,
            epoch: 0,
            sequence: k as u64,
            joint_names: names.clone(),
            rows: rows.clone(),
            rate_hz: 10.0,
        };
        let input = FilterInput { now, state: Some(state), chunk: Some(chunk), lock: false };
        let before = checker.before(now, input.state.as_ref(), &joints);
        let output = filter.step(&input);
        assert_eq!(output.verdict, Verdict::Accepted, "{:?}", output.events);
        checker.check(&before, &output, &joints, 1e-3).unwrap();
        checker.meets(&joints, now, &rows, now, 10.0).unwrap();
    }
}
