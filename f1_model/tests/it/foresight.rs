//! What training of the foresight is made of: disturbed targets, expected maps.

use candle_core::{DType, Device, Tensor};
use f1_model::network::F1Network;
use f1_model::{Config, checkpoint};

use crate::support::{tiny, tiny_config};

fn network() -> (Config, F1Network) {
    let config = tiny_config();
    let precision = checkpoint::LoadPrecision::default();
    let (weights, _) = checkpoint::load(&tiny(), &config, precision, &Device::Cpu).expect("loads");
    let network = F1Network::new(&config, &weights, None).expect("builds");
    (config, network)
}

/// Tokens of two images.
fn tokens(network: &F1Network) -> Tensor {
    let side = network.foresight().expect("foresees").config.frame_side();
    let pixels: Vec<f32> = (0..2 * 3 * side * side).map(|i| (i as f32 * 0.013).sin()).collect();
    let pixels = Tensor::from_vec(pixels, (2, 1, 3, side, side), &Device::Cpu).expect("pixels");
    network.tokenize(&pixels).and_then(|t| Ok(t.ids.squeeze(1)?)).expect("tokens")
}

fn number(tensor: &Tensor) -> f32 {
    tensor.to_scalar().expect("a number")
}

#[test]
fn finer_scales_make_good_what_coarse_ones_were_disturbed_by() {
    let (config, network) = network();
    let generation = config.generation.as_ref().expect("foresees");
    let quantizer = network.foresight().expect("foresees").tokenizer.quantizer();
    let scales = generation.scales.len();
    let ids = tokens(&network);
    let map = quantizer.accumulate(&ids, scales).expect("a map");
    let coarse = generation.total_tokens() - generation.last_side().pow(2);
    let codes = generation.tokenizer.z_channels;
    let noise: Vec<f32> = (0..2 * coarse * codes).map(|i| 3.0 * (i as f32 * 1.7).sin()).collect();
    let noise = Tensor::from_vec(noise, (2, coarse, codes), &Device::Cpu).expect("noise");
    let disturbed = quantizer.disturbed(&map, &noise).expect("disturbed");
    let quiet = quantizer.disturbed(&map, &noise.zeros_like().expect("zeros")).expect("quiet");
    // After the disturbed tokens the last scale's are the nearest codes to what is left; the
    // frame's own tokens are not.
    let left = (&map - &disturbed.before_last).expect("what is left");
    let distance = |ids: &Tensor| -> f32 {
        let last = quantizer.scale_ids(ids, scales - 1).expect("ids");
        let error = (&left - quantizer.lookup(&last, scales - 1).expect("codes")).expect("errors");
        number(&error.sqr().and_then(|e| e.mean_all()).expect("an error"))
    };
    let (own, fitted) = (distance(&quiet.tokens), distance(&disturbed.tokens));
    assert!(fitted < own, "{fitted} {own}");
    // Without noise the vectors are those of the tokens.
    let wanted = quantizer.next_scale_input(&quiet.tokens).expect("vectors");
    let error = (&quiet.vectors - &wanted).and_then(|d| d.abs()?.max_all()).expect("a distance");
    assert!(number(&error) < 1e-5);
}

#[test]
fn a_certain_token_is_expected_to_add_its_code() {
    let (config, network) = network();
    let generation = config.generation.as_ref().expect("foresees");
    let quantizer = network.foresight().expect("foresees").tokenizer.quantizer();
    let last = generation.scales.len() - 1;
    let ids = quantizer.scale_ids(&tokens(&network), last).expect("ids");
    let flat: Vec<u32> = ids.flatten_all().and_then(|ids| ids.to_vec1()).expect("ids");
    let vocabulary = generation.tokenizer.vocab_size;
    let mut certain = vec![0f32; flat.len() * vocabulary];
    for (row, id) in flat.iter().enumerate() {
        certain[row * vocabulary + *id as usize] = 1.0;
    }
    let shape = (ids.dim(0).expect("batch"), ids.dim(1).expect("tokens"), vocabulary);
    let certain = Tensor::from_vec(certain, shape, &Device::Cpu).expect("probabilities");
    let expected = quantizer.expected_contribution(&certain, last).expect("a map");
    let codes = quantizer.lookup(&ids, last).expect("codes");
    let drawn = quantizer.contribution(&codes, last).expect("a map");
    let error = (expected - drawn).and_then(|d| d.abs()?.max_all()).expect("a distance");
    assert!(number(&error) < 1e-5);
}

#[test]
fn a_group_is_read_out_of_a_checkpoint_of_another_width() {
    let (mut config, _) = network();
    let generation = config.generation.as_mut().expect("foresees");
    generation.expert.hidden_size = 48;
    let group = f1_model::parameters::Group::Tokenizer;
    let read = checkpoint::load_group(&tiny(), &config, group, DType::F32, &Device::Cpu);
    let read = read.expect("the tokenizer is whole");
    assert!(read.iter().any(|(name, _)| name.ends_with("quantize.embedding.weight")));
    assert!(read.iter().all(|(name, _)| name.starts_with(f1_model::parameters::TOKENIZER)));
    config.generation.as_mut().expect("foresees").tokenizer.vocab_size += 1;
    let fault = checkpoint::load_group(&tiny(), &config, group, DType::F32, &Device::Cpu);
    let fault = fault.expect_err("another codebook").to_string();
    assert!(fault.contains("quantize.embedding.weight"), "{fault}");
}
