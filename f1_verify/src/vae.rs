//! Every block of the tokenizer for one frame.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use f1_model::Result;
use f1_model::network::F1Network;
use f1_model::recorder::Recorder;

use super::compare::{Comparison, IMAGE, Rule};
use super::files::{GoldenDir, load};

pub(super) fn run(
    dir: &Path,
    directories: &[PathBuf],
    device: &Device,
    comparison: &mut Comparison,
) -> Result<()> {
    let expected = load(&dir.join("activations.safetensors"))?;
    let Some(input) = expected.get("input").map(|input| input.to_device(device)).transpose()?
    else {
        expected.keys().for_each(|name| comparison.leave(&format!("vae_debug.{name}")));
        return Ok(());
    };
    for path in directories {
        let golden = GoldenDir::open(path, device)?;
        if golden.config.generation.is_none() || golden.config.frame_side() != input.dim(2).ok() {
            continue;
        }
        let network = F1Network::new(&golden.config, &golden.weights, None)?;
        let tokenizer = &network.foresight()?.tokenizer;
        // Of several models of one size, the one whose input was this frame.
        let first = golden.history()?.get(0)?.narrow(0, 0, 1)?;
        if (first - &input)?.abs()?.max_all()?.to_scalar::<f32>()? > 0.0 {
            continue;
        }
        let mut recorder = Recorder::on();
        recorder.keep("input", &input);
        let features = tokenizer.features(&input, &mut recorder)?;
        let tokens = tokenizer.quantizer().tokens(&features, &mut recorder)?;
        let f_hat =
            tokenizer.quantizer().accumulate(&tokens, tokenizer.quantizer().scales().len())?;
        let image = tokenizer.decode_unclamped(&f_hat, &mut recorder)?;
        recorder.keep("image", &image.clamp(-1f32, 1f32)?);
        let mut found = recorder.into_tensors();
        let cut: BTreeMap<String, Tensor> = found
            .iter()
            .filter(|(_, tensor)| {
                tensor.rank() == 4 && tensor.dim(1).is_ok_and(|channels| channels >= 4)
            })
            .map(|(name, tensor)| Ok((format!("{name}.first4ch"), tensor.narrow(1, 0, 4)?)))
            .collect::<Result<_>>()?;
        found.extend(cut);
        let rule =
            |name: &str| if name.starts_with("idx") { Rule::Equal } else { Rule::Absolute(IMAGE) };
        comparison.set_group("vae_debug.".to_string());
        comparison.all("", &expected, &found, rule, |_| None, |_| false)?;
        comparison.set_group(String::new());
        return Ok(());
    }
    expected.keys().for_each(|name| comparison.leave(&format!("vae_debug.{name}")));
    Ok(())
}
