//! One observation through a model folder, without ROS:
//!
//! ```console
//! cargo run --release -p f1_model --example infer -- models/f1_bench "pick up the red cube"
//! ```
//!
//! Further arguments are images of the cameras, in the model's order; without any a grey one is
//! used. Prints the normalised action chunk and writes the foresight image to `foresight.png`.

use std::error::Error;
use std::path::PathBuf;

use f1_model::{ActRequest, F1Policy, LoadOptions, PolicyInput};
use image::{Rgb, RgbImage};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: infer FOLDER INSTRUCTION [IMAGE ..]";
    let folder = PathBuf::from(arguments.next().ok_or(usage)?);
    let instruction = arguments.next().ok_or(usage)?;
    let mut images = Vec::new();
    for path in arguments {
        images.push(image::open(path)?.to_rgb8());
    }
    if images.is_empty() {
        images.push(RgbImage::from_pixel(320, 240, Rgb([128; 3])));
    }

    let policy = F1Policy::load(&folder, &LoadOptions::default())?;
    let config = policy.config();

    // The first camera's images are the history that the foresight continues. Here the robot has
    // just started: the policy repeats the only frame.
    let has_foresight = config.generation.is_some();
    let history = if has_foresight { vec![policy.encode_frame(&images[0])?] } else { Vec::new() };
    let cameras = images
        .iter()
        .map(|image| policy.prepare_camera(image).map(Some))
        .collect::<Result<Vec<_>, _>>()?;
    let input = PolicyInput { cameras, prompt: policy.encode_prompt(&instruction)?, history };

    let prefix = policy.perceive(&input, config.run.seed)?;
    let state = vec![0.0; config.max_state_dim];
    let request = ActRequest { seed: config.run.seed, guidance: None };
    let chunk = policy.act(&prefix, &state, &request)?;
    for (step, action) in chunk.iter().enumerate() {
        println!("{step:3} {action:7.3?}");
    }
    if has_foresight {
        policy.imagine(&prefix)?.save("foresight.png")?;
    }
    Ok(())
}
