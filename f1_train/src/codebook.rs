//! Training of the image tokenizer: reconstruction, codebook and commitment losses, and the
//! replacement of codes that are not used.

use candle_core::{DType, Device, Tensor};
use f1_model::Config;
use f1_model::network::F1Network;
use f1_model::parameters::TOKENIZER;
use f1_model::recorder::Recorder;
use f1_model::tokenizer::Reconstruction;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::batch::{Frames, Prepared};
use crate::optimizer::Optimizer;
use crate::ranks::Ranks;
use crate::run_file::LossSection;
use crate::{Result, TrainError};

/// Watches which codes are used.
#[derive(Debug)]
pub struct CodebookWatch {
    /// Uses of each code since the last look.
    uses: Vec<u64>,
    every: u64,
    seed: u64,
    /// Feature vectors of the newest batch, `[n, codes]`: what a dead code is replaced by.
    features: Option<Tensor>,
}

impl CodebookWatch {
    /// A watch over the codebook of `config` that looks every `every` updates; 0 never changes a
    /// code.
    #[must_use]
    pub fn new(config: &Config, every: u64, seed: u64) -> Self {
        let codes =
            config.generation.as_ref().map_or(0, |generation| generation.tokenizer.vocab_size);
        Self { uses: vec![0; codes], every, seed, features: None }
    }

    /// Puts the counts of a checkpoint back.
    pub fn set_uses(&mut self, uses: &[u64]) {
        if uses.len() == self.uses.len() {
            self.uses.copy_from_slice(uses);
        }
    }

    fn is_due(&self, step: u64) -> bool {
        self.every > 0 && (step + 1).is_multiple_of(self.every)
    }

    /// Reconstruction, codebook and commitment loss of a batch of frames, with what the journal
    /// shows.
    ///
    /// # Errors
    /// When the frames are not pixels or sizes do not fit.
    pub fn loss(
        &mut self,
        network: &F1Network,
        samples: &[Prepared],
        settings: &LossSection,
        step: u64,
        device: &Device,
    ) -> Result<(Tensor, Vec<(&'static str, f64)>)> {
        let mut frames = Vec::new();
        for sample in samples {
            match &sample.frames {
                // The frame now: every frame of the data set has its turn.
                Frames::Pixels(pixels) => frames.push(pixels.get(0)?),
                _ => return Err(TrainError::Stopped("the tokenizer is trained on pixels".into())),
            }
        }
        let images = Tensor::stack(&frames, 0)?.to_device(device)?;
        let tokenizer = &network.foresight()?.tokenizer;
        let noisy = match settings.input_noise {
            0.0 => images.clone(),
            deviation => self.with_noise(&images, deviation, step)?,
        };
        let from_features = match step < settings.unquantised {
            true => frames.len(),
            false => (settings.unquantised_share * frames.len() as f64).round() as usize,
        };
        let out = match step < settings.unquantised {
            true => Reconstruction {
                images: tokenizer.reconstruct_unquantised(&noisy)?,
                quantizer_loss: Tensor::zeros((), DType::F32, device)?,
                tokens: Tensor::zeros((1, 1), DType::U32, device)?,
            },
            false => tokenizer.reconstruct(&noisy, settings.commitment, from_features)?,
        };
        let difference = (&out.images - &images)?;
        let squared = difference.sqr()?.mean_all()?;
        let mut squares = difference.sqr()?;
        let mut sizes = difference.abs()?;
        if settings.chroma > 0.0 {
            // Pixels span 2, chroma is of a span of 1.
            let chroma = (images.max_keepdim(1)? - images.min_keepdim(1)?)?;
            let weight = chroma.affine(0.5 * settings.chroma, 1.0)?;
            squares = squares.broadcast_mul(&weight)?;
            sizes = sizes.broadcast_mul(&weight)?;
        }
        let absolute = (sizes.mean_all()? * settings.absolute)?;
        let loss = ((squares.mean_all()? + absolute)? + &out.quantizer_loss)?;
        let tokens: Vec<u32> = out.tokens.flatten_all()?.to_vec1()?;
        for token in &tokens {
            if let Some(uses) = self.uses.get_mut(*token as usize) {
                *uses += 1;
            }
        }
        if self.is_due(step) || step + 1 == settings.unquantised {
            // Codes that the unquantised steps left where they began are all dead.
            if step < settings.unquantised {
                self.uses.fill(0);
            }
            let features = tokenizer.features(&images.detach(), &mut Recorder::off())?;
            let wanted = tokenizer.quantizer().wanted_codes(&features)?;
            self.features = Some(wanted.detach());
        }
        let scalar = |tensor: &Tensor| -> Result<f64> { Ok(f64::from(tensor.to_scalar::<f32>()?)) };
        let mean_square = scalar(&squared)?;
        let used = self.uses.iter().filter(|uses| **uses > 0).count() as f64
            / self.uses.len().max(1) as f64;
        // Pixels span 2: from -1 to 1.
        let psnr = |mean_square: f64| 10.0 * (4.0 / mean_square.max(1e-12)).log10();
        let mut values = vec![
            ("loss", scalar(&loss)?),
            ("reconstruction_loss", mean_square),
            ("quantizer_loss", scalar(&out.quantizer_loss)?),
            ("psnr", psnr(mean_square)),
            ("codes_used", used),
        ];
        if settings.unquantised_share > 0.0 {
            let of = |from: usize, count: usize| -> Result<f64> {
                match count {
                    0 => Ok(f64::NAN),
                    _ => Ok(psnr(scalar(&difference.narrow(0, from, count)?.sqr()?.mean_all()?)?)),
                }
            };
            values[3].1 = of(from_features, frames.len() - from_features)?;
            values.push(("psnr_features", of(0, from_features)?));
        }
        Ok((loss, values))
    }

    /// The images with normal noise, drawn from the seed and the update alone.
    fn with_noise(&self, images: &Tensor, deviation: f64, step: u64) -> Result<Tensor> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        // Streams of their own beside those of [`CodebookWatch::revive`].
        random.set_stream((1 << 63) | step);
        let noise: Vec<f32> = (0..images.elem_count())
            .map(|_| deviation as f32 * random.sample::<f32, _>(StandardNormal))
            .collect();
        Ok((images + Tensor::from_vec(noise, images.shape(), images.device())?)?)
    }

    /// Replaces codes that were not used since the last look, on any rank, by feature vectors of
    /// rank 0's newest batch: every rank makes the same change.
    ///
    /// # Errors
    /// When a tensor operation fails, or another rank is gone.
    pub fn revive(
        &mut self,
        optimizer: &mut Optimizer,
        step: u64,
        ranks: Option<&Ranks>,
    ) -> Result<usize> {
        let Some(features) = self.features.take() else { return Ok(0) };
        let features = match ranks {
            Some(ranks) => ranks.broadcast(&features)?,
            None => features,
        };
        let features: Vec<Vec<f32>> = features.to_vec2()?;
        let uses = self.all_uses(ranks)?;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(step);
        let name = format!("{TOKENIZER}.quantize.embedding.weight");
        let mut revived = 0;
        for slot in optimizer.slots_mut().iter_mut().filter(|slot| slot.name == name) {
            let mut rows: Vec<Vec<f32>> = slot.value()?.to_vec2()?;
            let mut moments: Vec<Vec<f32>> = slot.moments.to_vec2()?;
            let width = rows.first().map_or(0, Vec::len);
            for (code, uses) in uses.iter().enumerate() {
                if *uses == 0 && !features.is_empty() {
                    // Small noise keeps two codes made of one feature apart.
                    let feature = &features[random.random_range(0..features.len())];
                    rows[code] =
                        feature.iter().map(|v| v * (0.9 + 0.2 * random.random::<f32>())).collect();
                    let owned = &slot.owned;
                    for element in code * width..(code + 1) * width {
                        if owned.contains(&element) {
                            moments.iter_mut().for_each(|row| row[element - owned.start] = 0.0);
                        }
                    }
                    revived += 1;
                }
            }
            if revived > 0 {
                let device = slot.variable.device().clone();
                slot.set_value(&Tensor::new(rows, &device)?)?;
                let shape = slot.moments.shape().clone();
                slot.moments = Tensor::from_vec(moments.concat(), shape, &device)?;
            }
        }
        self.uses.fill(0);
        Ok(revived)
    }

    /// Uses of each code since the last look, on all ranks together.
    ///
    /// # Errors
    /// When another rank is gone.
    pub fn all_uses(&self, ranks: Option<&Ranks>) -> Result<Vec<u64>> {
        let Some(ranks) = ranks else { return Ok(self.uses.clone()) };
        let own: Vec<f64> = self.uses.iter().map(|uses| *uses as f64).collect();
        let all = ranks.gather(&own)?;
        let of = |code: usize| all.iter().map(|rank| rank[code]).sum::<f64>() as u64;
        Ok((0..own.len()).map(of).collect())
    }
}
