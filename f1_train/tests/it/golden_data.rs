//! The reference's numbers of what happens to actions before they are trained on.

use std::path::Path;

use candle_core::{Device, Tensor};
use f1_data::window::{Window, to_differences};

fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
    tensor.to_vec2().unwrap()
}

#[test]
fn differences_of_actions_are_the_references() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/utils/utils.safetensors");
    let golden = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let (actions, wanted) = (rows(&golden["delta.action"]), rows(&golden["delta.out"]));
    let state: Vec<f32> = golden["delta.state"].to_vec1().unwrap();
    let mut found = actions.clone();
    to_differences(&mut found, &state);
    assert_eq!(found, wanted);
    // As a chunk of an episode that begins there.
    let mut window = Window::new(1, 1, 1, actions.len()).unwrap();
    window.delta = true;
    let (chunk, padded) = window.chunk(0, &actions, &state);
    assert_eq!(chunk, wanted);
    assert!(padded.iter().all(|padded| !padded));
}
