//! Draws tokens: greedy, top-k, top-p, from a seeded generator.

use candle_core::{D, DType, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Error, Result};

/// Probabilities of one row of logits after both filters.
///
/// `top_k` keeps the k largest, ties at the k-th included (0, or more than there are, keeps all).
/// `top_p` then removes the least likely tokens while their sum stays within `1 - top_p` (0 keeps
/// all), but never the likeliest.
pub fn filtered_probabilities(logits: &[f32], top_k: usize, top_p: f64) -> Vec<f32> {
    let mut kept: Vec<f32> = logits.to_vec();
    if top_k > 0 && top_k < kept.len() {
        let mut sorted = kept.clone();
        let (_, threshold, _) = sorted.select_nth_unstable_by(top_k - 1, |a, b| b.total_cmp(a));
        let threshold = *threshold;
        for value in &mut kept {
            if *value < threshold {
                *value = f32::NEG_INFINITY;
            }
        }
    }
    if top_p > 0.0 {
        let mut order: Vec<usize> = (0..kept.len()).collect();
        // Adding zero makes -0 and 0 equal.
        order.sort_by(|&a, &b| (kept[a] + 0.0).total_cmp(&(kept[b] + 0.0)));
        let largest = order.last().map_or(0.0, |&index| f64::from(kept[index]));
        let exponent = |value: f32| (f64::from(value) - largest).exp();
        let total: f64 = kept.iter().map(|value| exponent(*value)).sum();
        // In f64: where equal logits lie on both sides of the bound, f32 sums would depend on their
        // order.
        let mut sum = 0f64;
        let bound = 1.0 - top_p;
        let keep_last = order.len().saturating_sub(1);
        for &index in &order[..keep_last] {
            sum += exponent(kept[index]) / total;
            if sum <= bound {
                kept[index] = f32::NEG_INFINITY;
            } else {
                break;
            }
        }
    }
    softmax(&kept)
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponents: Vec<f32> = logits.iter().map(|value| (value - largest).exp()).collect();
    let sum: f32 = exponents.iter().sum();
    exponents.into_iter().map(|value| value / sum).collect()
}

/// The source of the generated scales' tokens.
pub enum TokenSource {
    /// The likeliest token.
    Greedy,
    /// Drawn after top-k and top-p.
    Sampled {
        /// Tokens kept by rank.
        top_k: usize,
        /// Probability mass kept.
        top_p: f64,
        /// Seeded generator.
        random: Box<ChaCha8Rng>,
    },
    /// Given tokens, `[batch, tokens]` in u32, scale after scale: the same foresight in other
    /// arithmetic.
    Fixed(Tensor),
    /// Drawn on the device after top-k and top-p, with uniform numbers in [0, 1) that are on it,
    /// `[1, tokens]` scale after scale.
    #[cfg(feature = "cuda")]
    Numbers {
        /// The uniform numbers.
        uniform: Tensor,
        /// Tokens kept by rank.
        top_k: usize,
        /// Probability mass kept.
        top_p: f64,
    },
    /// One source for each sample of a batch.
    Each(Vec<TokenSource>),
    /// Another source with a callback, to measure the time of each scale.
    Observed {
        /// The source of the tokens.
        source: Box<TokenSource>,
        /// Called after each scale's tokens are drawn, with the number of tokens drawn before.
        seen: Box<dyn FnMut(usize) + Send>,
    },
}

impl TokenSource {
    /// Greedy for `top_k` 1, otherwise drawn with this seed.
    pub fn new(top_k: usize, top_p: f64, seed: u64) -> Self {
        if top_k == 1 {
            Self::Greedy
        } else {
            Self::Sampled { top_k, top_p, random: Box::new(ChaCha8Rng::seed_from_u64(seed)) }
        }
    }

    /// This source, with `seen` called after each scale's tokens are drawn.
    pub fn observed(self, seen: impl FnMut(usize) + Send + 'static) -> Self {
        Self::Observed { source: Box::new(self), seen: Box::new(seen) }
    }

    /// The uniform numbers `[1, tokens]` on the device with which this source draws `tokens` tokens
    /// of one observation, with its top-k and top-p; none where the host draws each token. Greedy
    /// ignores its numbers.
    #[cfg(feature = "cuda")]
    pub(crate) fn numbers(
        &mut self,
        tokens: usize,
        vocabulary: usize,
        device: &candle_core::Device,
    ) -> Result<Option<(Tensor, usize, f64)>> {
        match self {
            Self::Greedy => Ok(Some((Tensor::zeros((1, tokens), DType::F32, device)?, 1, 0.0))),
            Self::Observed { source, .. } => source.numbers(tokens, vocabulary, device),
            Self::Sampled { top_k, top_p, random } if vocabulary <= f1_kernels::LONGEST_ROW => {
                let uniform: Vec<f32> = (0..tokens).map(|_| random.random()).collect();
                Ok(Some((Tensor::from_vec(uniform, (1, tokens), device)?, *top_k, *top_p)))
            }
            _ => Ok(None),
        }
    }

    /// Ids `[batch, rows]` in u32 for logits `[batch, rows, vocabulary]`, after `offset` tokens
    /// drawn before.
    ///
    /// # Errors
    /// Logits are not finite, or there are fewer fixed tokens.
    pub fn take(&mut self, logits: &Tensor, offset: usize) -> Result<Tensor> {
        let (batch, rows, _) = logits.dims3()?;
        match self {
            Self::Greedy => Ok(logits.detach().argmax(D::Minus1)?),
            Self::Observed { source, seen } => {
                let ids = source.take(logits, offset)?;
                seen(offset);
                Ok(ids)
            }
            Self::Each(sources) => {
                if sources.len() != batch {
                    return Err(Error::input(format!(
                        "{} token sources for a batch of {batch}",
                        sources.len()
                    )));
                }
                let each = sources.iter_mut().enumerate();
                let ids =
                    each.map(|(index, source)| source.take(&logits.narrow(0, index, 1)?, offset));
                Ok(Tensor::cat(&ids.collect::<Result<Vec<_>>>()?, 0)?)
            }
            Self::Fixed(tokens) => Ok(tokens.narrow(1, offset, rows)?.contiguous()?),
            #[cfg(feature = "cuda")]
            Self::Numbers { uniform, top_k, top_p } => {
                let logits = logits.detach().to_dtype(DType::F32)?;
                Ok(f1_kernels::draw(&logits, &uniform.narrow(1, offset, rows)?, *top_k, *top_p)?)
            }
            #[cfg(feature = "cuda")]
            Self::Sampled { top_k, top_p, random }
                if logits.device().is_cuda()
                    && logits.dim(D::Minus1)? <= f1_kernels::LONGEST_ROW =>
            {
                let uniform: Vec<f32> = (0..batch * rows).map(|_| random.random()).collect();
                let uniform = Tensor::from_vec(uniform, (batch, rows), logits.device())?;
                let logits = logits.detach().to_dtype(DType::F32)?;
                Ok(f1_kernels::draw(&logits, &uniform, *top_k, *top_p)?)
            }
            Self::Sampled { top_k, top_p, random } => {
                let values: Vec<Vec<f32>> =
                    logits.detach().to_dtype(DType::F32)?.flatten(0, 1)?.to_vec2()?;
                let mut ids = Vec::with_capacity(values.len());
                for row in &values {
                    if row.iter().any(|value| !value.is_finite()) {
                        return Err(Error::NotFinite("foresight logits"));
                    }
                    ids.push(draw(
                        &filtered_probabilities(row, *top_k, *top_p),
                        random.random::<f32>(),
                    ));
                }
                Ok(Tensor::from_vec(ids, (batch, rows), logits.device())?)
            }
        }
    }
}

/// The index at which the running sum passes `uniform`.
fn draw(probabilities: &[f32], uniform: f32) -> u32 {
    let mut sum = 0f32;
    let mut last = 0;
    for (index, probability) in probabilities.iter().enumerate() {
        if *probability > 0.0 {
            sum += probability;
            last = index;
            if uniform < sum {
                break;
            }
        }
    }
    last as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_at_the_kth_value_are_kept() {
        let kept = filtered_probabilities(&[3.0, 1.0, 2.0, 2.0, 0.0], 2, 0.0);
        assert_eq!(kept.iter().filter(|p| **p > 0.0).count(), 3);
    }

    #[test]
    fn the_likeliest_survives_any_top_p() {
        let kept = filtered_probabilities(&[0.0, 5.0, 0.0], 0, 1e-6);
        assert!(kept[1] > 0.999);
    }

    #[test]
    fn more_than_the_codebook_means_all() {
        let kept = filtered_probabilities(&[0.0, 1.0], 900, 0.0);
        assert!(kept.iter().all(|p| *p > 0.0));
    }

    #[test]
    fn draws_follow_the_probabilities() {
        assert_eq!(draw(&[0.25, 0.0, 0.75], 0.1), 0);
        assert_eq!(draw(&[0.25, 0.0, 0.75], 0.3), 2);
        assert_eq!(draw(&[0.25, 0.0, 0.75], 1.0), 2);
    }

    #[test]
    #[cfg(feature = "cuda")]
    fn tokens_drawn_on_a_gpu_are_those_drawn_on_the_host() {
        let device = f1_kernels::device::cuda().expect("a GPU");
        for vocabulary in [5, 64, 1000, 4096] {
            let logits =
                Tensor::randn(0f32, 3.0, (2, 40, vocabulary), &candle_core::Device::Cpu).unwrap();
            for (top_k, top_p) in [(0, 0.0), (3, 0.0), (0, 0.9), (900, 0.95), (50, 0.5), (0, 1e-6)]
            {
                let ids = |logits: &Tensor| {
                    let taken = TokenSource::new(top_k, top_p, 7).take(logits, 0).unwrap();
                    taken.flatten_all().unwrap().to_vec1::<u32>().unwrap()
                };
                let (here, there) = (ids(&logits), ids(&logits.to_device(&device).unwrap()));
                // Sums in another order may rarely change the result of a draw.
                let other = here.iter().zip(&there).filter(|(a, b)| a != b).count();
                assert!(other <= 1, "{vocabulary} {top_k} {top_p}: {other} of {}", here.len());
            }
        }
    }
}
