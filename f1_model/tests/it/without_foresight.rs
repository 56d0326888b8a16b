//! Chunks with the foresight of an earlier observation, and without any.

use candle_core::{Device, Tensor};
use f1_model::config::AttentionMode;
use f1_model::padding::Padding;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::{ActRequest, Config, F1Policy, LoadOptions, PolicyInput, Prefix, Prompt};
use image::{Rgb, RgbImage};

use crate::support::tiny_config;

fn config(attention: AttentionMode) -> Config {
    let mut config = tiny_config();
    config.run.attention = attention;
    config
}

fn policy(attention: AttentionMode) -> F1Policy {
    F1Policy::random(&config(attention), 5, &LoadOptions::default()).expect("a policy")
}

fn image(seed: u32) -> RgbImage {
    RgbImage::from_fn(64, 48, |x, y| {
        let value = |k: u32| ((x * (3 + k) + y * (7 + seed) + seed * 31 * (k + 1)) % 256) as u8;
        Rgb([value(0), value(1), value(2)])
    })
}

fn input(policy: &F1Policy, seed: u32, words: &[u32]) -> PolicyInput {
    let cameras =
        (0..2).map(|k| Some(policy.prepare_camera(&image(seed + k)).expect("prepared"))).collect();
    let history =
        (0..2).map(|k| policy.encode_frame(&image(seed + 9 + k)).expect("encoded")).collect();
    PolicyInput { cameras, prompt: Prompt::from_ids(words.to_vec(), 12), history }
}

fn act(policy: &F1Policy, prefix: &Prefix) -> Vec<f32> {
    let chunk = policy.act(prefix, &[0.1, -0.2], &ActRequest::default()).expect("acted");
    chunk.concat()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

const WORDS: [u32; 4] = [2, 17, 33, 108];

#[test]
fn kept_foresight_behind_the_same_understanding_is_the_whole_prefix() {
    let policy = policy(AttentionMode::Uga);
    let (now, later) = (input(&policy, 0, &WORDS), input(&policy, 40, &WORDS));
    let whole = policy.perceive(&now, 1).expect("perceived");
    assert_eq!(policy.generation_passes(), 1);
    let embedded = policy.embed(&now).expect("embedded");
    let renewed = policy.renew(&embedded, &whole).expect("renewed");
    assert_eq!((renewed.tokens(), renewed.len()), (whole.tokens(), whole.len()));
    let (a, b) = (act(&policy, &whole), act(&policy, &renewed));
    assert!(distance(&a, &b) < 1e-5, "{}", distance(&a, &b));
    // A later observation changes understanding, and with it the chunk.
    let embedded = policy.embed(&later).expect("embedded");
    let renewed = policy.renew(&embedded, &whole).expect("renewed");
    assert!(distance(&a, &act(&policy, &renewed)) > 1e-4);
    // None of it passed through the generation expert.
    assert_eq!(policy.generation_passes(), 1);
    let other = input(&policy, 0, &WORDS[..3]);
    let embedded = policy.embed(&other).expect("embedded");
    let error = policy.renew(&embedded, &whole).err().expect("another number of tokens");
    assert!(error.to_string().contains("do not fit"), "{error}");
}

#[test]
fn without_foresight_no_pass_of_the_generation_expert_runs() {
    let policy = policy(AttentionMode::Uga);
    let now = input(&policy, 0, &WORDS);
    let embedded = policy.embed(&now).expect("embedded");
    let prefix = policy.understand(&embedded).expect("understood");
    assert_eq!((policy.generation_passes(), prefix.tokens().len()), (0, 0));
    assert!(act(&policy, &prefix).iter().all(|value| value.is_finite()));
    assert!(policy.imagine(&prefix).is_err());
}

#[test]
fn understanding_that_sees_the_condition_cannot_do_without() {
    let policy = policy(AttentionMode::Released);
    let now = input(&policy, 0, &WORDS);
    let embedded = policy.embed(&now).expect("embedded");
    let whole = policy.perceive(&now, 1).expect("perceived");
    for outcome in [policy.understand(&embedded), policy.renew(&embedded, &whole)] {
        assert!(outcome.err().expect("refused").to_string().contains("released"));
    }
}

#[test]
fn hidden_foresight_in_training_is_none_on_the_robot() {
    let policy = policy(AttentionMode::Uga);
    let (network, config) = (policy.network(), policy.config());
    let now = input(&policy, 0, &WORDS);
    let embedded = policy.embed(&now).expect("embedded");
    let understanding = embedded.tensor();
    let tokens = understanding.dim(1).expect("tokens");
    let padding = Padding::none(1, tokens);
    let off = &mut Recorder::off();
    let numbers = |scale: f32, shape: &[usize]| {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * scale).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
    };
    let side = network.foresight().expect("foresees").config.frame_side();
    let frames = numbers(0.03, &[config.run.history_frames, 3, side, side]);
    let history = network.encode_frames(&frames).expect("encoded").1.unsqueeze(0).expect("a batch");
    let mut source = TokenSource::Greedy;
    let mut prefix = network
        .perceive(understanding, &padding, Some(&history), &mut source, off)
        .expect("perceived");
    let bare = network.perceive_without_foresight(understanding, &padding, off).expect("bare");
    let state = numbers(0.7, &[1, config.max_state_dim]);
    let noisy = numbers(0.2, &[1, config.chunk_size, config.max_action_dim]);
    let mut velocity = |prefix: &f1_model::network::PrefixState| -> Vec<f32> {
        let velocity = network.velocity(prefix, &state, &noisy, &[0.4], off).expect("a velocity");
        velocity.flatten_all().and_then(|v| v.to_vec1()).expect("numbers")
    };
    let (seen, none) = (velocity(&prefix), velocity(&bare));
    prefix.padding =
        prefix.padding.hiding(&[true], tokens..tokens + prefix.following).expect("hidden");
    let hidden = velocity(&prefix);
    assert!(distance(&hidden, &none) < 1e-5, "{}", distance(&hidden, &none));
    assert!(distance(&seen, &none) > 1e-4, "foresight must matter for the test to mean anything");
}
