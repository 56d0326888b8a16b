//! Row normalisations: RMSNorm of the decoder stacks, LayerNorm of the vision tower and the
//! generation head.

use super::simd::{arch, sum_map};
use super::{contiguous, is_fast, recomputed, rows_per_task, values};
use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail,
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// RMSNorm: `x / sqrt(mean(x^2) + eps) * scale` over the last dimension, computed in f32 for
/// every type of `x`. `x` `[.., width]`, `scale` `[width]` (one plus the stored weight).
/// Differentiable in both.
///
/// # Errors
/// Shapes that do not fit, or an error of the device.
pub fn rms_norm(x: &Tensor, scale: &Tensor, eps: f64) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if super::cuda::serves(x, &[scale], false) {
        return super::cuda::rms_norm(x, scale, eps);
    }
    if !is_fast(x) || scale.dtype() != DType::F32 {
        if x.track_op() || scale.track_op() {
            let plain = move |[x, scale]: [&Tensor; 2]| rms_norm_plain(x, scale, eps);
            return recomputed([x, scale], |[x, scale]| rms_norm(x, scale, eps), plain);
        }
        return rms_norm_plain(x, scale, eps);
    }
    x.contiguous()?.apply_op2(&scale.contiguous()?, RmsNorm(eps as f32))
}

/// `x + delta`, and [`rms_norm`] of that: the step between the parts of a decoder layer.
/// Differentiable.
///
/// # Errors
/// As [`rms_norm`].
pub fn add_rms_norm(
    x: &Tensor,
    delta: &Tensor,
    scale: &Tensor,
    eps: f64,
) -> Result<(Tensor, Tensor)> {
    #[cfg(feature = "cuda")]
    if super::cuda::serves(x, &[delta], true) && super::cuda::serves(x, &[scale], false) {
        return super::cuda::add_rms_norm(x, delta, scale, eps);
    }
    let sum = (x + delta)?;
    let normed = rms_norm(&sum, scale, eps)?;
    Ok((sum, normed))
}

/// [`rms_norm`] by candle's own operations.
///
/// # Errors
/// As [`rms_norm`].
pub fn rms_norm_plain(x: &Tensor, scale: &Tensor, eps: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let mean = wide.sqr()?.mean_keepdim(D::Minus1)?;
    let normal = wide.broadcast_div(&(mean + eps)?.sqrt()?)?;
    normal.broadcast_mul(&scale.to_dtype(DType::F32)?)?.to_dtype(x.dtype())
}

/// Weights and biases of a LayerNorm, `[width]` each.
#[derive(Clone)]
pub struct LayerNormWeights {
    weight: Tensor,
    bias: Tensor,
    /// `[2, width]` in f32, for the GPU kernels; none where they are trained and on a CPU.
    affine: Option<Tensor>,
}

impl LayerNormWeights {
    /// Weights and biases `[width]`.
    ///
    /// # Errors
    /// They differ in size, or an error of the device.
    pub fn new(weight: Tensor, bias: Tensor) -> Result<Self> {
        let fixed = weight.device().is_cuda() && !weight.track_op() && !bias.track_op();
        let affine = if fixed {
            Some(Tensor::stack(&[&weight.to_dtype(DType::F32)?, &bias.to_dtype(DType::F32)?], 0)?)
        } else {
            None
        };
        Ok(Self { weight, bias, affine })
    }
}

/// `x + delta`, and [`layer_norm`] of that. Differentiable.
///
/// # Errors
/// As [`layer_norm`].
pub fn add_layer_norm(
    x: &Tensor,
    delta: &Tensor,
    weights: &LayerNormWeights,
    eps: f64,
) -> Result<(Tensor, Tensor)> {
    #[cfg(feature = "cuda")]
    if let Some(affine) = &weights.affine
        && super::cuda::serves(x, &[delta], true)
    {
        return super::cuda::add_layer_norm(x, delta, affine, eps);
    }
    let sum = (x + delta)?;
    let normed = layer_norm(&sum, weights, eps)?;
    Ok((sum, normed))
}

/// LayerNorm over the last dimension `[.., width]` with scale and shift. Differentiable in all
/// three.
///
/// # Errors
/// Shapes that do not fit, or an error of the device.
pub fn layer_norm(x: &Tensor, weights: &LayerNormWeights, eps: f64) -> Result<Tensor> {
    let LayerNormWeights { weight, bias, affine } = weights;
    #[cfg(feature = "cuda")]
    if let Some(affine) = affine
        && super::cuda::serves(x, &[], false)
    {
        return super::cuda::layer_norm(x, affine, eps);
    }
    let _ = affine;
    if !is_fast(x) || weight.dtype() != DType::F32 || bias.dtype() != DType::F32 {
        let plain = move |[x, weight, bias]: [&Tensor; 3]| layer_norm_plain(x, weight, bias, eps);
        if [x, weight, bias].into_iter().any(Tensor::track_op) {
            let forward = |[x, weight, bias]: [&Tensor; 3]| {
                layer_norm(x, &LayerNormWeights::new(weight.clone(), bias.clone())?, eps)
            };
            return recomputed([x, weight, bias], forward, plain);
        }
        return plain([x, weight, bias]);
    }
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, LayerNorm(eps as f32))
}

/// [`layer_norm`] by candle's own operations; `weight` and `bias` `[width]`.
///
/// # Errors
/// As [`layer_norm`].
pub fn layer_norm_plain(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normal = centred.broadcast_div(&(variance + eps)?.sqrt()?)?;
    let y = normal
        .broadcast_mul(&weight.to_dtype(DType::F32)?)?
        .broadcast_add(&bias.to_dtype(DType::F32)?)?;
    y.to_dtype(x.dtype())
}

struct RmsNorm(f32);

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "f1-rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (contiguous(x, lx)?, contiguous(w, lw)?);
        let width = check_width(lx, weight.len())?;
        let mut out = vec![0f32; x.len()];
        let chunk = rows_per_task(width) * width;
        out.par_chunks_mut(chunk).zip(x.par_chunks(chunk)).for_each(|(out, x)| {
            arch().dispatch(Forward { x, weight, bias: None, eps: self.0, out });
        });
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dw, _) = backward(x, weight, grad, self.0, false)?;
        Ok((Some(dx), Some(dw)))
    }
}

struct LayerNorm(f32);

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "f1-layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight, bias) = (contiguous(x, lx)?, contiguous(w, lw)?, contiguous(b, lb)?);
        let width = check_width(lx, weight.len())?;
        if bias.len() != width {
            bail!("layer norm: {} biases for width {width}", bias.len())
        }
        let mut out = vec![0f32; x.len()];
        let chunk = rows_per_task(width) * width;
        out.par_chunks_mut(chunk).zip(x.par_chunks(chunk)).for_each(|(out, x)| {
            arch().dispatch(Forward { x, weight, bias: Some(bias), eps: self.0, out });
        });
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw, db) = backward(x, weight, grad, self.0, true)?;
        Ok((Some(dx), Some(dw), Some(db)))
    }
}

fn check_width(layout: &Layout, weights: usize) -> Result<usize> {
    match layout.dims().last() {
        Some(&width) if width == weights && width > 0 => Ok(width),
        _ => bail!("norm: {weights} weights for rows of {:?}", layout.shape()),
    }
}

/// Rows of `x` into rows of `out`; with a bias it is LayerNorm, without it RMSNorm.
struct Forward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    eps: f32,
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.weight.len();
        let (weight, weight_tail) = S::as_simd_f32s(self.weight);
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let (mean, inverse) = statistics(simd, x, self.eps, self.bias.is_some());
            let (mean, inverse) = (simd.splat_f32s(mean), simd.splat_f32s(inverse));
            let (x, x_tail) = S::as_simd_f32s(x);
            let (out, out_tail) = S::as_mut_simd_f32s(out);
            match self.bias {
                None => {
                    for ((out, &x), &w) in out.iter_mut().zip(x).zip(weight) {
                        *out = simd.mul_f32s(simd.mul_f32s(x, inverse), w);
                    }
                    if !out_tail.is_empty() {
                        let x = simd.partial_load_f32s(x_tail);
                        let w = simd.partial_load_f32s(weight_tail);
                        simd.partial_store_f32s(
                            out_tail,
                            simd.mul_f32s(simd.mul_f32s(x, inverse), w),
                        );
                    }
                }
                Some(bias) => {
                    let (bias, bias_tail) = S::as_simd_f32s(bias);
                    for (((out, &x), &w), &b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                        let normal = simd.mul_f32s(simd.sub_f32s(x, mean), inverse);
                        *out = simd.mul_add_f32s(normal, w, b);
                    }
                    if !out_tail.is_empty() {
                        let x = simd.partial_load_f32s(x_tail);
                        let normal = simd.mul_f32s(simd.sub_f32s(x, mean), inverse);
                        let w = simd.partial_load_f32s(weight_tail);
                        let b = simd.partial_load_f32s(bias_tail);
                        simd.partial_store_f32s(out_tail, simd.mul_add_f32s(normal, w, b));
                    }
                }
            }
        }
    }
}

/// Mean (zero for RMSNorm) and inverse root of the variance (of the mean square for RMSNorm) of one
/// row.
#[inline(always)]
fn statistics<S: Simd>(simd: S, x: &[f32], eps: f32, centred: bool) -> (f32, f32) {
    let width = x.len() as f32;
    let mean = if centred {
        sum_map(
            simd,
            x,
            #[inline(always)]
            |v| v,
        ) / width
    } else {
        0.0
    };
    let shift = simd.splat_f32s(mean);
    let square = sum_map(
        simd,
        x,
        #[inline(always)]
        |v| {
            let v = simd.sub_f32s(v, shift);
            simd.mul_f32s(v, v)
        },
    );
    (mean, 1.0 / (square / width + eps).sqrt())
}

/// Gradients of input, weight and bias. With n the normalised row, g the incoming gradient and h =
/// g * scale: dx = inverse * (h - [mean(h)] - n * mean(h * n)), dweight = sum g * n, dbias = sum g.
fn backward(
    x: &Tensor,
    weight: &Tensor,
    grad: &Tensor,
    eps: f32,
    centred: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let width = weight.elem_count();
    let rows = x.elem_count() / width.max(1);
    let mut dx = vec![0f32; x.elem_count()];
    let (dw, db) = values(x, |xs| {
        values(grad, |gs| {
            values(weight, |weight| {
                let chunk = rows_per_task(width).max(rows.div_ceil(64)) * width;
                let sums = dx
                    .par_chunks_mut(chunk)
                    .zip(xs.par_chunks(chunk))
                    .zip(gs.par_chunks(chunk))
                    .map(|((dx, x), g)| {
                        let mut sums = vec![0f32; 2 * width];
                        let (dw, db) = sums.split_at_mut(width);
                        arch().dispatch(Backward { x, g, scale: weight, eps, centred, dx, dw, db });
                        sums
                    })
                    .collect::<Vec<_>>();
                // Added in the order of the rows, so that the result does not depend on the order
                // of the threads.
                let mut total = vec![0f32; 2 * width];
                for part in sums {
                    total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
                }
                let db = total.split_off(width);
                Ok((total, db))
            })
        })
    })?;
    let device = x.device();
    Ok((
        Tensor::from_vec(dx, x.shape(), device)?,
        Tensor::from_vec(dw, width, device)?,
        Tensor::from_vec(db, width, device)?,
    ))
}

struct Backward<'a> {
    x: &'a [f32],
    g: &'a [f32],
    scale: &'a [f32],
    eps: f32,
    centred: bool,
    dx: &'a mut [f32],
    dw: &'a mut [f32],
    db: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, g, scale, eps, centred, dx, dw, db } = self;
        let width = scale.len();
        for ((x, g), dx) in
            x.chunks_exact(width).zip(g.chunks_exact(width)).zip(dx.chunks_exact_mut(width))
        {
            let (mean, inverse) = statistics(simd, x, eps, centred);
            // Lane-wise partial sums keep the loops free of a serial dependence and let the
            // compiler use vectors.
            let mut sum_h = [0f32; LANES];
            let mut sum_hn = [0f32; LANES];
            for at in (0..width).step_by(LANES) {
                for lane in 0..LANES.min(width - at) {
                    let i = at + lane;
                    let n = (x[i] - mean) * inverse;
                    let h = g[i] * scale[i];
                    sum_h[lane] += h;
                    sum_hn[lane] += h * n;
                    dw[i] += g[i] * n;
                    db[i] += g[i];
                }
            }
            let mean_h = if centred { sum_h.iter().sum::<f32>() / width as f32 } else { 0.0 };
            let mean_hn = sum_hn.iter().sum::<f32>() / width as f32;
            for i in 0..width {
                let n = (x[i] - mean) * inverse;
                dx[i] = inverse * (g[i] * scale[i] - mean_h - n * mean_hn);
            }
        }
    }
}

const LANES: usize = 16;
