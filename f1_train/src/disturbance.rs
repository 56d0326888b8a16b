//! Noise on the coarse tokens of stage I's target frames: in inference a scale is conditioned on
//! tokens that the model drew itself, which are not always right.

use candle_core::{Device, Tensor};
use f1_model::config::GenerationConfig;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::Result;
use crate::run_file::LossSection;

/// Noise `[batch, tokens of all scales but the last, codes]`, drawn from `seed`; `None` where the
/// run asks for none. A sample is chosen with probability `disturb_sample`; its deviation is
/// uniform up to `disturb_token`, in units of each map's own.
///
/// # Errors
/// When the device refuses the memory.
pub fn noise(
    settings: &LossSection,
    config: &GenerationConfig,
    batch: usize,
    seed: u64,
    device: &Device,
) -> Result<Option<Tensor>> {
    if settings.disturb_sample <= 0.0 || settings.disturb_token <= 0.0 {
        return Ok(None);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let tokens = config.total_tokens() - config.last_side().pow(2);
    let codes = config.tokenizer.z_channels;
    let mut values = Vec::with_capacity(batch * tokens * codes);
    for _ in 0..batch {
        let chosen = random.random::<f64>() < settings.disturb_sample;
        let deviation = (settings.disturb_token * random.random::<f64>()) as f32;
        values.extend((0..tokens * codes).map(|_| match chosen {
            true => deviation * random.sample::<f32, _>(StandardNormal),
            false => 0.0,
        }));
    }
    Ok(Some(Tensor::from_vec(values, (batch, tokens, codes), device)?))
}
