//! Frames that were encoded once are those that a batch would encode again.

use candle_core::{DType, Device, Tensor};
use f1_data::loader::Reader;
use f1_data::mixture::Position;
use f1_model::network::F1Network;
use f1_model::{Config, checkpoint};
use f1_train::batch::Preparer;
use f1_train::tokens::TokenCache;
use f1_train::{RunFile, setup};

use crate::fixture::Fixture;

fn continuous(run: &RunFile) -> Config {
    let mut config = setup::config(&run.model).unwrap();
    let generation = config.generation.as_mut().unwrap();
    generation.condition_full_map = true;
    generation.continuous_map = true;
    config
}

fn preparer(
    run: &RunFile,
    config: &Config,
    keep: impl Fn(&Reader) -> Option<TokenCache>,
) -> Preparer {
    let mut config = config.clone();
    let sources = setup::open_sources(run, &mut config).unwrap();
    let statistics = setup::statistics(run, &sources).unwrap();
    let normalisers = setup::normalisers(run, &sources, &statistics).unwrap();
    let reader = setup::reader(run, sources);
    let encoder = setup::prompt_encoder(&setup::prompt_tokenizer(run).unwrap(), &config).unwrap();
    let prompts = f1_train::batch::encode_prompts(&reader, &encoder).unwrap();
    Preparer {
        tokens: keep(&reader),
        reader,
        normalisers,
        prompts,
        config,
        random_crop: false,
        augmentation: None,
        seed: 1,
        flow_draws: 1,
        cameras: 2,
        wants_cameras: false,
    }
}

#[test]
fn kept_tokens_and_features_are_those_of_the_frames() {
    let fixture = Fixture::new();
    let run = fixture.run("stage1", "none", "batch: 4\nsteps: 1");
    let config = continuous(&run);
    let weights = checkpoint::random(&config, 5, DType::F32, &Device::Cpu).unwrap();
    let network = F1Network::new(&config, &weights, None).unwrap();
    let build = |reader: &Reader| {
        TokenCache::build(reader, &network, &weights, &fixture.path("kept"), |_, _| {}).unwrap()
    };
    let fresh = preparer(&run, &config, |_| None);
    let encoded = preparer(&run, &config, |reader| Some(build(reader)));
    // The second time from the file.
    let read = preparer(&run, &config, |reader| Some(build(reader)));
    let mut order = fresh.reader.order(1, Position::default()).unwrap();
    let drawn: Vec<_> = (0..4).map(|_| order.draw()).collect();
    let frames = |preparer: &Preparer| {
        let samples: Vec<_> = drawn.iter().map(|drawn| preparer.prepare(*drawn).unwrap()).collect();
        let encode = |frames: &Tensor| Ok(network.tokenize(frames)?);
        let batch = preparer.collate(&samples, &Device::Cpu, encode).unwrap();
        let tokens = batch.frame_tokens.unwrap();
        let ids: Vec<u32> = tokens.ids.flatten_all().unwrap().to_vec1().unwrap();
        let features = tokens.features.unwrap();
        (ids, features.dims().to_vec(), features.flatten_all().unwrap().to_vec1::<f32>().unwrap())
    };
    let (ids, shape, features) = frames(&fresh);
    let largest = features.iter().fold(0f32, |top, value| top.max(value.abs()));
    assert!(largest > 0.0);
    for kept in [frames(&encoded), frames(&read)] {
        assert_eq!((&kept.0, &kept.1), (&ids, &shape));
        let error = kept.2.iter().zip(&features).fold(0f32, |top, (a, b)| top.max((a - b).abs()));
        // Kept as f16.
        assert!(error < 1e-3 * largest, "{error} of {largest}");
    }
}
