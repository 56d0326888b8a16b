//! On a machine with a GPU, in a build with the feature `cuda`: optimisations do not change
//! results.

use f1_model::{ActRequest, DeviceChoice, F1Policy, LoadOptions, PolicyInput, Prompt};
use image::{Rgb, RgbImage};

use crate::support::tiny;

fn policy(cuda_graphs: bool) -> F1Policy {
    let options = LoadOptions { device: DeviceChoice::Cuda, cuda_graphs, ..LoadOptions::default() };
    F1Policy::load(&tiny(), &options).expect("the tiny model loads on a GPU")
}

/// Tokens, actions and foreseen image.
type Outcome = (Vec<Vec<u32>>, Vec<Vec<f32>>, RgbImage);

/// The outcome of an observation by two cameras, which `seed` determines.
fn observe(policy: &F1Policy, seed: u32) -> Outcome {
    observe_by(policy, seed, 2)
}

fn observe_by(policy: &F1Policy, seed: u32, cameras: u32) -> Outcome {
    let image = |of: u32| {
        RgbImage::from_fn(64, 48, |x, y| {
            Rgb([(x * 3 + of * 31) as u8, (y * 5 + seed * 17) as u8, (x ^ y) as u8])
        })
    };
    let cameras =
        (0..cameras).map(|of| Some(policy.prepare_camera(&image(of)).expect("prepared"))).collect();
    let history = (0..2).map(|of| policy.encode_frame(&image(of + 9)).expect("encoded")).collect();
    // The length of the instruction varies, so that several graphs are recorded.
    let prompt = Prompt::from_ids((0..3 + seed % 2).map(|id| 2 + id).collect(), 12);
    let prefix =
        policy.perceive(&PolicyInput { cameras, prompt, history }, seed.into()).expect("perceived");
    let state = [0.1 * seed as f32, -0.2];
    let request = ActRequest { seed: seed.into(), guidance: None };
    let actions = policy.act(&prefix, &state, &request).expect("acted");
    (prefix.tokens().to_vec(), actions, policy.imagine(&prefix).expect("imagined"))
}

fn same(found: &Outcome, wanted: &Outcome) {
    assert_eq!(found.0, wanted.0);
    for (found, wanted) in found.1.iter().flatten().zip(wanted.1.iter().flatten()) {
        assert!((found - wanted).abs() < 1e-3, "{found} {wanted}");
    }
    let off = found.2.iter().zip(wanted.2.iter()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(off <= Some(1), "{off:?}");
}

#[test]
fn joined_weights_and_keys_in_place_change_nothing() {
    crate::policy::joined_changes_nothing(&f1_kernels::device::cuda().expect("a GPU"), 1e-4);
}

#[test]
fn recorded_stages_equal_the_single_operations() {
    let (plain, recorded) = (policy(false), policy(true));
    for seed in [1, 2, 3, 4, 1] {
        same(&observe(&recorded, seed), &observe(&plain, seed));
    }
}

#[test]
fn a_graph_outlives_the_thread_that_recorded_it_and_shorter_tables_of_angles() {
    let (plain, recorded) = (policy(false), policy(true));
    let wanted = observe(&plain, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| same(&observe(&recorded, 1), &wanted));
    });
    // Many cameras need a longer table of angles.
    observe_by(&recorded, 1, 40);
    same(&observe(&recorded, 1), &wanted);
}

#[test]
fn frames_encoded_in_a_batch_equal_those_encoded_one_by_one() {
    for cuda_graphs in [false, true] {
        let policy = policy(cuda_graphs);
        let image = |of: u32| {
            RgbImage::from_fn(64, 48, |x, y| Rgb([(x * 3 + of * 31) as u8, (y * 5) as u8, x as u8]))
        };
        let frames: Vec<_> =
            (0..3).map(|of| policy.prepare_frame(&image(of)).expect("prepared")).collect();
        for _ in 0..2 {
            let at_once = policy.encode_prepared(&frames).expect("encoded");
            assert_eq!(at_once.len(), frames.len());
            for (found, frame) in at_once.iter().zip(&frames) {
                let wanted =
                    &policy.encode_prepared(std::slice::from_ref(frame)).expect("encoded")[0];
                // A product of more rows may round differently and change a token.
                let differ =
                    found.tokens().iter().zip(wanted.tokens()).filter(|(a, b)| a != b).count();
                assert!(differ * 10 <= wanted.tokens().len(), "{differ} tokens differ");
            }
        }
        assert!(policy.encode_prepared(&[]).expect("nothing").is_empty());
    }
}

#[test]
fn threads_share_the_device() {
    let policy = policy(true);
    let alone: Vec<_> = (0..4).map(|seed| observe(&policy, seed)).collect();
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (policy, alone) = (&policy, &alone);
            scope.spawn(move || {
                for _ in 0..5 {
                    same(&observe(policy, seed), &alone[seed as usize]);
                }
            });
        }
    });
}
