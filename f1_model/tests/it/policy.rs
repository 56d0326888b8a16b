//! `F1Policy`: deterministic, guided, with clear errors.

use candle_core::{Device, Tensor};
use f1_model::checkpoint::{self, LoadPrecision};
use f1_model::network::F1Network;
use f1_model::padding::Padding;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::{
    ActRequest, Config, F1Policy, LoadOptions, PolicyInput, Prompt, Quant, RtcGuidance,
};
use image::{Rgb, RgbImage};

use crate::support::{tiny, tiny_config};

fn image(seed: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let value = |k: u32| ((x * (3 + k) + y * (7 + seed) + seed * 31 * (k + 1)) % 256) as u8;
        Rgb([value(0), value(1), value(2)])
    })
}

fn input(policy: &F1Policy) -> PolicyInput {
    let cameras =
        (0..2).map(|k| Some(policy.prepare_camera(&image(k, 64, 48)).expect("prepared"))).collect();
    let history = if policy.config().generation.is_some() {
        (0..2).map(|k| policy.encode_frame(&image(k + 9, 80, 60)).expect("encoded")).collect()
    } else {
        Vec::new()
    };
    PolicyInput { cameras, prompt: Prompt::from_ids(vec![2, 17, 33, 108], 12), history }
}

fn load() -> F1Policy {
    F1Policy::load(&tiny(), &LoadOptions::default()).expect("the tiny model loads")
}

#[test]
fn the_same_observation_gives_the_same_chunk() {
    let policy = load();
    let input = input(&policy);
    let run = |seed| {
        let prefix = policy.perceive(&input, seed).expect("perceived");
        let request = ActRequest { seed, guidance: None };
        (prefix.tokens().to_vec(), policy.act(&prefix, &[0.1, -0.2], &request).expect("acted"))
    };
    let (tokens, actions) = run(5);
    assert_eq!((tokens.clone(), actions.clone()), run(5));
    assert_ne!(actions, run(6).1);
    assert_eq!(tokens.iter().map(Vec::len).collect::<Vec<_>>(), [1, 4, 9, 16]);
    assert_eq!((actions.len(), actions[0].len()), (6, 8));
}

#[test]
fn one_pass_over_the_scales_gives_tokens_and_their_vectors() {
    let policy = load();
    let frames = (0..3).map(|k| policy.prepare_frame(&image(k + 9, 80, 60)).expect("prepared"));
    let frames: Vec<_> = frames.map(|frame| frame.tensor().clone()).collect();
    let network = policy.network();
    let (tokens, vectors) =
        network.encode_frames(&Tensor::stack(&frames, 0).expect("a batch")).expect("encoded");
    let quantizer = network.foresight().expect("a generation expert").tokenizer.quantizer();
    let wanted = quantizer.next_scale_input(&tokens).expect("vectors");
    let bits =
        |tensor: &Tensor| tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
    assert_eq!((vectors.dims(), bits(&vectors)), (wanted.dims(), bits(&wanted)));
}

#[test]
fn joined_weights_and_keys_in_place_change_nothing() {
    joined_changes_nothing(&Device::Cpu, 1e-5);
}

/// Compares the forms that GPUs compute with (weights joined, keys and values written in place)
/// with those of a recorder (neither).
pub fn joined_changes_nothing(device: &Device, tolerance: f32) {
    let config = tiny_config();
    let (weights, _) =
        checkpoint::load(&tiny(), &config, LoadPrecision::default(), device).expect("loaded");
    let plain = &F1Network::new(&config, &weights, None).expect("a network");
    let mut joined = plain.clone();
    joined.join().expect("joined");
    let random = |shape: &[usize]| Tensor::rand(-1f32, 1f32, shape, device).expect("a tensor");
    let side = config.vision.image_size;
    let frame = plain.foresight().expect("a generation expert").config.frame_side();
    let (images, frames) =
        (random(&[2, 3, side, side]), random(&[config.run.history_frames, 3, frame, frame]));
    let (state, noise) = (
        random(&[1, config.max_state_dim]),
        random(&[1, config.chunk_size, config.max_action_dim]),
    );
    let run = |network: &F1Network,
               recorder: &mut Recorder|
     -> f1_model::Result<(Tensor, Tensor, Tensor)> {
        let seen = network.embed_images(&images, &mut Recorder::off())?;
        let seen = seen.reshape((1, (), seen.dim(2)?))?;
        let history = network.encode_frames(&frames)?.1.unsqueeze(0)?;
        let padding = Padding::none(1, seen.dim(1)?);
        let prefix = network.perceive(
            &seen,
            &padding,
            Some(&history),
            &mut TokenSource::Greedy,
            recorder,
        )?;
        let actions = network.act(&prefix, &state, &noise, None, recorder)?;
        let again = network.act(&prefix, &state, &noise, None, recorder)?;
        let (key, value) = prefix.cache.layers()?.pop().expect("a layer");
        assert_eq!(
            actions.flatten_all()?.to_vec1::<f32>()?,
            again.flatten_all()?.to_vec1::<f32>()?
        );
        Ok((actions, key, value))
    };
    let wanted = run(plain, &mut Recorder::on()).expect("recorded");
    for network in [plain, &joined] {
        let found = run(network, &mut Recorder::off()).expect("computed");
        for (found, wanted) in [(&found.0, &wanted.0), (&found.1, &wanted.1), (&found.2, &wanted.2)]
        {
            assert_eq!(found.dims(), wanted.dims());
            let off =
                (found - wanted).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>());
            assert!(off.expect("a number") < tolerance, "{:?}", found.dims());
        }
    }
}

#[test]
fn every_token_has_a_probability_and_the_foresight_an_image() {
    let policy = load();
    let prefix = policy.perceive(&input(&policy), 1).expect("perceived");
    assert_eq!(prefix.token_confidence().len(), 30);
    assert!(prefix.token_confidence().iter().all(|p| (0.0..=1.0).contains(p)));
    let image = policy.imagine(&prefix).expect("imagined");
    assert_eq!(image.dimensions(), (64, 64));
}

#[test]
fn a_short_history_repeats_its_first_frame() {
    let policy = load();
    let mut input = input(&policy);
    let short = policy.perceive(&input, 3).expect("perceived");
    let first = input.history[0].clone();
    input.history = vec![first.clone(), first.clone(), first, input.history[1].clone()];
    let full = policy.perceive(&input, 3).expect("perceived");
    assert_eq!(short.tokens(), full.tokens());
    input.history.clear();
    assert!(policy.perceive(&input, 3).is_err());
}

#[test]
fn frozen_steps_arrive_at_the_previous_chunk() {
    let policy = load();
    let prefix = policy.perceive(&input(&policy), 1).expect("perceived");
    let previous: Vec<Vec<f32>> = (0..6).map(|step| vec![0.1 * step as f32 - 0.2; 8]).collect();
    let weights = vec![1.0, 1.0, 0.5, 0.0, 0.0, 0.0];
    let guidance = RtcGuidance { previous: previous.clone(), weights };
    let free = policy.act(&prefix, &[], &ActRequest { seed: 2, guidance: None }).expect("acted");
    let guided = policy
        .act(&prefix, &[], &ActRequest { seed: 2, guidance: Some(guidance.clone()) })
        .expect("acted");
    let distance =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    for step in 0..2 {
        assert!(distance(&guided[step], &previous[step]) < 1e-4);
    }
    assert!(distance(&guided[2], &previous[2]) < distance(&free[2], &previous[2]));
    assert!(distance(&guided[5], &previous[5]) > 1e-3);
    let short = RtcGuidance { previous: previous[..3].to_vec(), weights: vec![1.0; 3] };
    assert!(policy.act(&prefix, &[], &ActRequest { seed: 2, guidance: Some(short) }).is_err());
    let wild = RtcGuidance { weights: vec![f32::NAN; 6], ..guidance };
    assert!(policy.act(&prefix, &[], &ActRequest { seed: 2, guidance: Some(wild) }).is_err());
}

#[test]
fn uga_understanding_does_not_depend_on_history() {
    let mut config = tiny_config();
    config.run.attention = f1_model::AttentionMode::Uga;
    let policy = F1Policy::random(&config, 1, &LoadOptions::default()).expect("random");
    let mut input = input(&policy);
    let understanding = 2 * 16 + 4;
    let keys = |input: &PolicyInput| {
        let prefix = policy.perceive(input, 0).expect("perceived");
        let layers = prefix.state().cache.layers().expect("layers");
        let (key, _) = layers.last().expect("a layer").clone();
        let rows =
            |from, len| key.narrow(1, from, len).and_then(|k| k.flatten_all()?.to_vec1::<f32>());
        (rows(0, understanding).expect("keys"), rows(understanding, 30).expect("keys"))
    };
    let before = keys(&input);
    input.history = vec![policy.encode_frame(&image(77, 64, 64)).expect("encoded")];
    let after = keys(&input);
    assert_eq!(before.0, after.0);
    assert_ne!(before.1, after.1);
}

#[test]
fn without_a_generation_expert_there_is_no_foresight() {
    let config = Config { generation: None, ..tiny_config() };
    let policy = F1Policy::random(&config, 1, &LoadOptions::default()).expect("random");
    let prefix = policy.perceive(&input(&policy), 0).expect("perceived");
    assert!(prefix.tokens().is_empty());
    assert!(policy.imagine(&prefix).is_err());
    assert!(policy.encode_frame(&image(0, 8, 8)).is_err());
    assert_eq!(policy.act(&prefix, &[0.0; 8], &ActRequest::default()).expect("acted").len(), 6);
}

#[test]
fn impossible_inputs_are_refused() {
    let policy = load();
    let message = policy.encode_prompt("pick the cube").expect_err("no tokenizer").to_string();
    assert!(message.contains("tokenizer.json"), "{message}");
    let prefix = policy.perceive(&input(&policy), 0).expect("perceived");
    assert!(policy.act(&prefix, &[0.0; 9], &ActRequest::default()).is_err());
    assert!(policy.act(&prefix, &[f32::NAN], &ActRequest::default()).is_err());
    let nothing =
        PolicyInput { cameras: vec![None], prompt: Prompt::from_ids(vec![], 12), history: vec![] };
    assert!(policy.perceive(&nothing, 0).is_err());
}

#[test]
fn the_prefix_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<f1_model::Prefix>();
    shared::<f1_model::HistoryFrame>();
    fn sent<T: Send + Sync>() {}
    sent::<F1Policy>();
}

#[test]
fn unquantised_layers_are_named() {
    let options = LoadOptions { quant: Some(Quant::Q4K), ..LoadOptions::default() };
    let policy = F1Policy::load(&tiny(), &options).expect("loads");
    // No width of the tiny model is a multiple of 256.
    assert!(
        policy
            .network()
            .unquantised()
            .iter()
            .any(|name| name.ends_with("layers.0.mlp.down_proj.weight"))
    );
    let options = LoadOptions { quant: Some(Quant::Q8_0), ..LoadOptions::default() };
    let policy = F1Policy::load(&tiny(), &options).expect("loads");
    assert!(policy.network().unquantised().is_empty(), "{:?}", policy.network().unquantised());
}

/// Resident memory in KiB.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_over_observations() {
    let cases: usize =
        std::env::var("F1_TEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let policy = load();
    let mut input = input(&policy);
    let mut observe = |index: u32| {
        input.history.push(policy.encode_frame(&image(index, 80, 60)).expect("encoded"));
        if input.history.len() > 4 {
            input.history.remove(0);
        }
        let prefix = policy.perceive(&input, u64::from(index)).expect("perceived");
        policy.act(&prefix, &[0.0; 8], &ActRequest::default()).expect("acted");
    };
    (0..30).for_each(&mut observe);
    let before = resident();
    (0..cases as u32).for_each(&mut observe);
    let after = resident();
    // Other tests run in this process; leaked tensors of the observations would be far more.
    assert!(
        after < before + 64 * 1024,
        "{before} KiB before, {after} KiB after {cases} observations"
    );
}
