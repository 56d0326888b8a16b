//! Multi-scale residual quantisation.

use candle_core::{D, DType, Tensor};

use super::blocks::Conv;
use super::resize::{area_matrix, bicubic_matrix, resize_map, square};
use crate::config::GenerationConfig;
use crate::parameters::phi_names;
use crate::recorder::Recorder;
use crate::weights::Weights;
use crate::{Error, Result};

/// Result of quantising with a gradient.
pub struct QuantizerLoss {
    /// Accumulated map `[batch, codes, side, side]`, straight-through to the features.
    pub f_hat: Tensor,
    /// Mean over scales of codebook loss plus weighted commitment loss, a scalar.
    pub loss: Tensor,
    /// Token ids of all scales `[batch, tokens]` in u32.
    pub tokens: Tensor,
}

/// A frame's tokens with some of its coarse ones disturbed, and the finer ones made to fit them.
pub struct Disturbed {
    /// What each scale's tokens should be after the disturbed ones before it, `[batch, tokens]` in
    /// u32.
    pub tokens: Tensor,
    /// The vectors that enter the transformer for scales 2 on, of the disturbed tokens: `[batch, L
    /// - 1, codes]`.
    pub vectors: Tensor,
    /// The disturbed map before the last scale, `[batch, codes, side, side]`.
    pub before_last: Tensor,
}

/// Codebook, shared `phi` convolutions and the scales.
#[derive(Clone)]
pub struct Quantizer {
    embedding: Tensor,
    /// Half the squared norm of each code, when the codebook is not being trained.
    half_square: Option<Tensor>,
    phi: Vec<Conv>,
    /// Which `phi` serves each scale.
    phi_of_scale: Vec<usize>,
    ratio: f64,
    scales: Vec<usize>,
    /// From each scale to the last, bicubic; none for a scale of the last's size.
    up: Vec<Option<Tensor>>,
    /// Whether vectors of a history frame end with its whole code map.
    full_map: bool,
    /// Whether that map is the features' and not the codes'.
    continuous: bool,
    /// From the last scale to each, area; none for a scale of the last's size.
    down: Vec<Option<Tensor>>,
}

impl Quantizer {
    /// Reads the quantiser below `weights`.
    ///
    /// # Errors
    /// A tensor is missing or mis-shaped.
    pub fn new(config: &GenerationConfig, weights: &Weights) -> Result<Self> {
        let (codes, vocabulary) = (config.tokenizer.z_channels, config.tokenizer.vocab_size);
        let embedding = weights.get((vocabulary, codes), "embedding.weight")?;
        let device = embedding.device();
        let last = config.last_side();
        let phi = phi_names(config.tokenizer.share_quant_resi, config.scales.len())
            .into_iter()
            .map(|name| Conv::new(codes, codes, 3, &weights.pp(name)))
            .collect::<Result<Vec<_>>>()?;
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for &side in &config.scales {
            let is_last = side == last;
            up.push(if is_last {
                None
            } else {
                Some(square(&bicubic_matrix(side, last), device)?)
            });
            down.push(if is_last { None } else { Some(square(&area_matrix(last, side), device)?) });
        }
        let half_square =
            if embedding.track_op() { None } else { Some(half_squared_norms(&embedding)?) };
        Ok(Self {
            embedding,
            half_square,
            phi_of_scale: phi_of_scale(phi.len(), config.scales.len()),
            phi,
            ratio: config.tokenizer.quant_resi,
            scales: config.scales.clone(),
            full_map: config.condition_full_map,
            continuous: config.continuous_map,
            up,
            down,
        })
    }

    /// The codebook `[vocabulary, codes]`.
    pub fn codebook(&self) -> &Tensor {
        &self.embedding
    }

    /// Side of each scale.
    pub fn scales(&self) -> &[usize] {
        &self.scales
    }

    /// An accumulated map of zeros.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn empty_map(&self, batch: usize) -> Result<Tensor> {
        let side = self.scales.last().copied().unwrap_or(1);
        let shape = (batch, self.embedding.dim(1)?, side, side);
        Ok(Tensor::zeros(shape, DType::F32, self.embedding.device())?)
    }

    /// Nearest code of each vector `[n, codes]`, in u32 `[n]`.
    fn nearest(&self, vectors: &Tensor) -> Result<Tensor> {
        let codebook = self.embedding.detach();
        let of_now;
        let half_square = match &self.half_square {
            Some(half_square) => half_square,
            None => {
                of_now = half_squared_norms(&codebook)?;
                &of_now
            }
        };
        // The vector's own square does not decide which code is nearest.
        let score = vectors.detach().matmul(&codebook.t()?)?.broadcast_sub(half_square)?;
        Ok(score.argmax(D::Minus1)?)
    }

    /// Code vectors of ids `[batch, tokens]` as a map `[batch, codes, side, side]`.
    ///
    /// # Errors
    /// The ids do not fill the scale.
    pub fn lookup(&self, ids: &Tensor, scale: usize) -> Result<Tensor> {
        let (batch, tokens) = ids.dims2()?;
        let side = self.side(scale)?;
        if tokens != side * side {
            return Err(Error::input(format!(
                "scale {scale} has {} tokens, {tokens} were given",
                side * side
            )));
        }
        let codes = self.embedding.dim(1)?;
        let rows = self.embedding.index_select(&ids.flatten_all()?, 0)?;
        Ok(rows
            .reshape((batch, tokens, codes))?
            .transpose(1, 2)?
            .reshape((batch, codes, side, side))?)
    }

    /// The vectors that codes are chosen for, those of all scales of all features one below
    /// another, `[n, codes]`: where a code must lie to be of use.
    ///
    /// # Errors
    /// The features have another size.
    pub fn wanted_codes(&self, features: &Tensor) -> Result<Tensor> {
        let codes = self.embedding.dim(1)?;
        let mut rest = features.detach();
        let mut wanted = Vec::with_capacity(self.scales.len());
        for scale in 0..self.scales.len() {
            wanted.push(self.reduce(&rest, scale)?.reshape(((), codes))?);
            let id = self.nearest_of(&rest, scale)?;
            rest = (rest - self.contribution(&self.lookup(&id, scale)?, scale)?.detach())?;
        }
        Ok(Tensor::cat(&wanted, 0)?)
    }

    /// What a scale's code map adds to the accumulated map.
    ///
    /// # Errors
    /// There is no such scale.
    pub fn contribution(&self, map: &Tensor, scale: usize) -> Result<Tensor> {
        let full = match self.up.get(scale) {
            Some(Some(matrix)) => resize_map(map, matrix)?,
            Some(None) => map.clone(),
            None => return Err(Error::input(format!("the tokenizer has no scale {scale}"))),
        };
        let phi = self.phi_of_scale.get(scale).and_then(|&index| self.phi.get(index));
        match phi {
            Some(phi) => Ok(((&full * (1.0 - self.ratio))? + (phi.forward(&full)? * self.ratio)?)?),
            None => Ok(full),
        }
    }

    /// The accumulated map reduced to a scale, as vectors `[batch, side^2, codes]`.
    ///
    /// # Errors
    /// There is no such scale.
    pub fn reduce(&self, f_hat: &Tensor, scale: usize) -> Result<Tensor> {
        vectors_of(&self.reduce_map(f_hat, scale)?)
    }

    /// The accumulated map reduced to a scale, `[batch, codes, side, side]`.
    ///
    /// # Errors
    /// There is no such scale.
    pub fn reduce_map(&self, f_hat: &Tensor, scale: usize) -> Result<Tensor> {
        match self.down.get(scale) {
            Some(Some(matrix)) => resize_map(f_hat, matrix),
            Some(None) => Ok(f_hat.clone()),
            None => Err(Error::input(format!("the tokenizer has no scale {scale}"))),
        }
    }

    /// Token ids of features `[batch, codes, side, side]`: `[batch, tokens of all scales]` in u32.
    ///
    /// # Errors
    /// The features have another size.
    pub fn tokens(&self, features: &Tensor, recorder: &mut Recorder) -> Result<Tensor> {
        self.quantised(features, recorder, |_, _| Ok(()))
    }

    /// As [`Quantizer::tokens`], with what [`Quantizer::history_vectors`] makes of them, in one
    /// pass over the scales.
    ///
    /// # Errors
    /// The features have another size.
    pub fn tokens_and_history_vectors(&self, features: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut parts = Vec::with_capacity(self.scales.len());
        let tokens = self.quantised(features, &mut Recorder::off(), |f_hat, next| {
            if next < self.scales.len() {
                parts.push(self.reduce(f_hat, next)?);
            } else if self.full_map {
                parts.push(vectors_of(if self.continuous { features } else { f_hat })?);
            }
            Ok(())
        })?;
        Ok((tokens, Tensor::cat(&parts, 1)?))
    }

    /// Token ids; `seen` is shown the accumulated map behind each scale, with the number of scales
    /// in it.
    fn quantised(
        &self,
        features: &Tensor,
        recorder: &mut Recorder,
        mut seen: impl FnMut(&Tensor, usize) -> Result<()>,
    ) -> Result<Tensor> {
        let batch = features.dim(0)?;
        let mut rest = features.detach();
        let mut f_hat = self.empty_map(batch)?;
        let mut ids = Vec::with_capacity(self.scales.len());
        for scale in 0..self.scales.len() {
            let id = self.nearest_of(&rest, scale)?;
            let added = self.contribution(&self.lookup(&id, scale)?, scale)?;
            // Nothing follows the last scale; its remainder only matters to somebody comparing it.
            let is_last = scale + 1 == self.scales.len();
            if !is_last || self.full_map || recorder.is_on() {
                f_hat = (f_hat + &added)?;
                seen(&f_hat, scale + 1)?;
            }
            if !is_last || recorder.is_on() {
                rest = (rest - &added)?;
            }
            recorder.keep(format_args!("idx.scale{scale}"), &id);
            recorder.keep(format_args!("f_hat.scale{scale}"), &f_hat);
            recorder.keep(format_args!("f_rest.scale{scale}"), &rest);
            ids.push(id);
        }
        Ok(Tensor::cat(&ids, 1)?)
    }

    fn nearest_of(&self, rest: &Tensor, scale: usize) -> Result<Tensor> {
        let batch = rest.dim(0)?;
        let reduced = self.reduce(rest, scale)?;
        let codes = self.embedding.dim(1)?;
        Ok(self.nearest(&reduced.reshape(((), codes))?)?.reshape((batch, ()))?)
    }

    /// The ids of one scale out of `[batch, tokens of all scales]`.
    ///
    /// # Errors
    /// There are too few tokens.
    pub fn scale_ids(&self, tokens: &Tensor, scale: usize) -> Result<Tensor> {
        let start: usize = self.scales.iter().take(scale).map(|side| side * side).sum();
        let side = self.side(scale)?;
        Ok(tokens.narrow(1, start, side * side)?.contiguous()?)
    }

    /// The vectors that enter the transformer for scales 2 on: `[batch, L - 1, codes]`.
    ///
    /// # Errors
    /// The tokens do not fill all scales but the last.
    pub fn next_scale_input(&self, tokens: &Tensor) -> Result<Tensor> {
        let mut f_hat = self.empty_map(tokens.dim(0)?)?;
        let mut parts = Vec::with_capacity(self.scales.len());
        for scale in 0..self.scales.len() - 1 {
            let map = self.lookup(&self.scale_ids(tokens, scale)?, scale)?;
            f_hat = (f_hat + self.contribution(&map, scale)?)?;
            parts.push(self.reduce(&f_hat, scale + 1)?);
        }
        Ok(Tensor::cat(&parts, 1)?)
    }

    /// What the condition takes of history frames: the vectors of [`Quantizer::next_scale_input`],
    /// and behind them the whole code map where the condition holds it: `[batch, L - 1, codes]` or
    /// `[batch, L - 1 + p_K^2, codes]`. `features` `[batch, p_K^2, codes]` are that map in models
    /// whose map is continuous, see [`Quantizer::feature_vectors`].
    ///
    /// # Errors
    /// The tokens do not fill the scales, or features are missing.
    pub fn history_vectors(&self, tokens: &Tensor, features: Option<&Tensor>) -> Result<Tensor> {
        if !self.full_map {
            return self.next_scale_input(tokens);
        }
        if self.continuous {
            let features = features.ok_or_else(|| {
                Error::input("a model with a continuous map needs the frames' features")
            })?;
            return Ok(Tensor::cat(&[&self.next_scale_input(tokens)?, features], 1)?);
        }
        let mut f_hat = self.empty_map(tokens.dim(0)?)?;
        let mut parts = Vec::with_capacity(self.scales.len());
        for scale in 0..self.scales.len() {
            let map = self.lookup(&self.scale_ids(tokens, scale)?, scale)?;
            f_hat = (f_hat + self.contribution(&map, scale)?)?;
            parts.push(match scale + 1 < self.scales.len() {
                true => self.reduce(&f_hat, scale + 1)?,
                false => vectors_of(&f_hat)?,
            });
        }
        Ok(Tensor::cat(&parts, 1)?)
    }

    /// Features `[batch, codes, side, side]` as the vectors `[batch, side^2, codes]` that
    /// [`Quantizer::history_vectors`] takes.
    ///
    /// # Errors
    /// The tensor operation fails.
    pub fn feature_vectors(&self, features: &Tensor) -> Result<Tensor> {
        vectors_of(features)
    }

    /// The map `[batch, codes, side, side]` of vectors `[batch, side^2, codes]` of the last scale.
    ///
    /// # Errors
    /// The vectors do not fill it.
    pub fn map_of_vectors(&self, vectors: &Tensor) -> Result<Tensor> {
        let (batch, _, codes) = vectors.dims3()?;
        let side = self.scales.last().copied().unwrap_or(1);
        Ok(vectors.transpose(1, 2)?.contiguous()?.reshape((batch, codes, side, side))?)
    }

    /// The accumulated map of the first `scales` scales of tokens `[batch, ..]`.
    ///
    /// # Errors
    /// There are too few tokens.
    pub fn accumulate(&self, tokens: &Tensor, scales: usize) -> Result<Tensor> {
        let mut f_hat = self.empty_map(tokens.dim(0)?)?;
        for scale in 0..scales {
            let map = self.lookup(&self.scale_ids(tokens, scale)?, scale)?;
            f_hat = (f_hat + self.contribution(&map, scale)?)?;
        }
        Ok(f_hat)
    }

    /// Quantises a map `[batch, codes, side, side]` again with noise on what each scale but the
    /// last is to say: the token taken is the nearest to the disturbed vector, the token to be
    /// foreseen the nearest to the true one, and what is left for the finer scales makes good
    /// the difference.
    ///
    /// `noise` `[batch, tokens of all scales but the last, codes]` is in units of each map's own
    /// deviation at that scale.
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn disturbed(&self, map: &Tensor, noise: &Tensor) -> Result<Disturbed> {
        let (batch, codes, _, _) = map.dims4()?;
        let mut rest = map.detach();
        let mut f_hat = self.empty_map(batch)?;
        let mut before_last = f_hat.clone();
        let (mut ids, mut vectors, mut offset) = (Vec::new(), Vec::new(), 0);
        for scale in 0..self.scales.len() {
            let reduced = self.reduce(&rest, scale)?;
            let nearest = |vectors: &Tensor| -> Result<Tensor> {
                self.nearest(&vectors.reshape(((), codes))?)?
                    .reshape((batch, ()))
                    .map_err(Error::from)
            };
            ids.push(nearest(&reduced)?);
            if scale + 1 == self.scales.len() {
                before_last = f_hat.clone();
                break;
            }
            let count = reduced.dim(1)?;
            let deviation = reduced.sqr()?.mean_keepdim((1, 2))?.sqrt()?;
            let of_scale = noise.narrow(1, offset, count)?.broadcast_mul(&deviation)?;
            let taken = nearest(&(reduced + of_scale)?)?;
            let added = self.contribution(&self.lookup(&taken, scale)?, scale)?.detach();
            f_hat = (f_hat + &added)?;
            rest = (rest - added)?;
            vectors.push(self.reduce(&f_hat, scale + 1)?);
            offset += count;
        }
        Ok(Disturbed {
            tokens: Tensor::cat(&ids, 1)?,
            vectors: Tensor::cat(&vectors, 1)?,
            before_last,
        })
    }

    /// The map that probabilities `[batch, side^2, vocabulary]` of a scale's tokens are expected to
    /// add: what it is on average, and so the best guess in squared error.
    ///
    /// # Errors
    /// The sizes do not fit.
    pub fn expected_contribution(&self, probabilities: &Tensor, scale: usize) -> Result<Tensor> {
        let (batch, tokens, vocabulary) = probabilities.dims3()?;
        let side = self.side(scale)?;
        let codes = self.embedding.dim(1)?;
        let rows = probabilities.reshape((batch * tokens, vocabulary))?.matmul(&self.embedding)?;
        let map = rows
            .reshape((batch, tokens, codes))?
            .transpose(1, 2)?
            .contiguous()?
            .reshape((batch, codes, side, side))?;
        self.contribution(&map, scale)
    }

    /// Quantises with a straight-through gradient; `commitment` weighs the pull of the features to
    /// the codes.
    ///
    /// # Errors
    /// The features have another size.
    pub fn quantise(&self, features: &Tensor, commitment: f64) -> Result<QuantizerLoss> {
        let batch = features.dim(0)?;
        let fixed = features.detach();
        let mut rest = fixed.clone();
        let mut f_hat = self.empty_map(batch)?;
        let mut loss = Tensor::zeros((), DType::F32, features.device())?;
        let mut ids = Vec::with_capacity(self.scales.len());
        for scale in 0..self.scales.len() {
            let id = self.nearest_of(&rest, scale)?;
            let added = self.contribution(&self.lookup(&id, scale)?, scale)?;
            rest = (rest - added.detach())?;
            f_hat = (f_hat + added)?;
            let commit = (f_hat.detach() - features)?.sqr()?.mean_all()?;
            let codebook = (&f_hat - &fixed)?.sqr()?.mean_all()?;
            loss = ((loss + (commit * commitment)?)? + codebook)?;
            ids.push(id);
        }
        let through = (features + (f_hat.detach() - &fixed)?)?;
        Ok(QuantizerLoss {
            f_hat: through,
            loss: (loss / self.scales.len() as f64)?,
            tokens: Tensor::cat(&ids, 1)?,
        })
    }

    fn side(&self, scale: usize) -> Result<usize> {
        self.scales.get(scale).copied().ok_or_else(|| {
            Error::input(format!(
                "the tokenizer has {} scales, not {}",
                self.scales.len(),
                scale + 1
            ))
        })
    }
}

/// A map `[batch, codes, s, s]` as vectors `[batch, s^2, codes]`.
fn vectors_of(map: &Tensor) -> Result<Tensor> {
    Ok(map.flatten_from(2)?.transpose(1, 2)?.contiguous()?)
}

/// Of each row of `codebook` `[vocabulary, codes]`.
fn half_squared_norms(codebook: &Tensor) -> Result<Tensor> {
    Ok((codebook.sqr()?.sum(D::Minus1)? * 0.5)?)
}

/// Which of `phis` shared convolutions serves each of `scales` scales: the one with the nearest
/// tick, the first on a tie. Two ties exist in real arithmetic for four of ten; f64 rounding
/// settles them as the reference does.
fn phi_of_scale(phis: usize, scales: usize) -> Vec<usize> {
    let count = phis as f64;
    let edge = if phis == 4 { 1.0 / 3.0 / count } else { 1.0 / 2.0 / count };
    let ticks = linspace(edge, 1.0 - edge, phis);
    (0..scales)
        .map(|scale| {
            let at = if scales > 1 { scale as f64 / (scales - 1) as f64 } else { 0.0 };
            let mut best = 0;
            for (index, tick) in ticks.iter().enumerate() {
                if (tick - at).abs() < (ticks[best] - at).abs() {
                    best = index;
                }
            }
            best
        })
        .collect()
}

/// Evenly spaced numbers with the rounding of numpy's `linspace`.
fn linspace(from: f64, to: f64, count: usize) -> Vec<f64> {
    if count < 2 {
        return vec![from; count];
    }
    let step = (to - from) / (count - 1) as f64;
    let mut values: Vec<f64> = (0..count).map(|index| index as f64 * step + from).collect();
    values[count - 1] = to;
    values
}

#[cfg(test)]
mod tests {
    use super::phi_of_scale;

    #[test]
    fn ties_of_four_over_ten_fall_as_published() {
        assert_eq!(phi_of_scale(4, 10), [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]);
    }

    #[test]
    fn one_phi_serves_all_scales() {
        assert_eq!(phi_of_scale(1, 5), [0; 5]);
    }
}
