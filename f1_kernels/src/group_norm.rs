//! GroupNorm of the tokenizer together with the SiLU that follows it: one pass over memory instead
//! of five.

use super::activation::silu_slope;
use super::simd::{arch, map1, sigmoid, sum_map};
use super::{contiguous, is_fast, values};
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// GroupNorm of `x` `[batch, channels, height, width]` with `weight` and `bias` `[channels]`, then
/// SiLU when `silu` is set. Differentiable in all three.
///
/// # Errors
/// Channels that do not divide into `groups`, or an error of the device.
pub fn group_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
    silu: bool,
) -> Result<Tensor> {
    let channels = x.dim(1)?;
    if groups == 0
        || channels % groups != 0
        || weight.dims() != [channels]
        || bias.dims() != [channels]
    {
        bail!(
            "group norm: {channels} channels, {groups} groups, weight {:?}, bias {:?}",
            weight.shape(),
            bias.shape()
        )
    }
    #[cfg(feature = "cuda")]
    if super::cuda::serves(x, &[weight, bias], false) {
        return super::cuda::group_norm(x, weight, bias, groups, eps, silu);
    }
    if !is_fast(x) || weight.dtype() != DType::F32 || bias.dtype() != DType::F32 {
        return group_norm_plain(x, weight, bias, groups, eps, silu);
    }
    let op = GroupNorm { groups, eps: eps as f32, silu };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

/// [`group_norm`] by candle's own operations.
///
/// # Errors
/// As [`group_norm`].
pub fn group_norm_plain(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
    silu: bool,
) -> Result<Tensor> {
    let (batch, channels) = (x.dim(0)?, x.dim(1)?);
    let rows = x.to_dtype(DType::F32)?.reshape((batch, groups, ()))?;
    let centred = rows.broadcast_sub(&rows.mean_keepdim(2)?)?;
    let variance = centred.sqr()?.mean_keepdim(2)?;
    let normal = centred.broadcast_div(&(variance + eps)?.sqrt()?)?.reshape(x.shape())?;
    let mut shape = vec![1; x.rank()];
    shape[1] = channels;
    let weight = weight.to_dtype(DType::F32)?.reshape(shape.as_slice())?;
    let bias = bias.to_dtype(DType::F32)?.reshape(shape.as_slice())?;
    let y = normal.broadcast_mul(&weight)?.broadcast_add(&bias)?;
    let y = if silu { y.silu()? } else { y };
    y.to_dtype(x.dtype())
}

struct GroupNorm {
    groups: usize,
    eps: f32,
    silu: bool,
}

impl CustomOp3 for GroupNorm {
    fn name(&self) -> &'static str {
        "f1-group-norm"
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
        let channels = weight.len() / self.groups;
        let mut out = vec![0f32; x.len()];
        let group_len = group_len(lx.dims(), self.groups);
        if group_len == 0 {
            return Ok((CpuStorage::F32(out), lx.shape().clone()));
        }
        out.par_chunks_exact_mut(group_len)
            .zip(x.par_chunks_exact(group_len))
            .enumerate()
            .for_each(|(i, (out, x))| {
                let first = (i % self.groups) * channels;
                let (weight, bias) =
                    (&weight[first..first + channels], &bias[first..first + channels]);
                arch().dispatch(Forward { x, weight, bias, eps: self.eps, silu: self.silu, out });
            });
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let all_channels = weight.elem_count();
        let channels = all_channels / self.groups;
        let group_len = group_len(x.dims(), self.groups);
        let mut dx = vec![0f32; x.elem_count()];
        let mut dw = vec![0f32; all_channels];
        let mut db = vec![0f32; all_channels];
        let (weights, biases) = (weight.to_vec1::<f32>()?, bias.to_vec1::<f32>()?);
        values(x, |x| {
            values(grad, |grad| {
                let sums = dx
                    .par_chunks_exact_mut(group_len.max(1))
                    .zip(x.par_chunks_exact(group_len.max(1)))
                    .zip(grad.par_chunks_exact(group_len.max(1)))
                    .enumerate()
                    .map(|(i, ((dx, x), g))| {
                        let first = (i % self.groups) * channels;
                        let mut sums = vec![0f32; 2 * channels];
                        let (dw, db) = sums.split_at_mut(channels);
                        let weight = &weights[first..first + channels];
                        let bias = &biases[first..first + channels];
                        let part = Backward {
                            x,
                            g,
                            weight,
                            bias,
                            eps: self.eps,
                            silu: self.silu,
                            dx,
                            dw,
                            db,
                        };
                        arch().dispatch(part);
                        (first, sums)
                    })
                    .collect::<Vec<_>>();
                for (first, sums) in sums {
                    for c in 0..channels {
                        dw[first + c] += sums[c];
                        db[first + c] += sums[channels + c];
                    }
                }
                Ok(())
            })
        })?;
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_vec(dw, all_channels, device)?),
            Some(Tensor::from_vec(db, all_channels, device)?),
        ))
    }
}

/// Numbers in one group of one image.
fn group_len(dims: &[usize], groups: usize) -> usize {
    dims.iter().skip(1).product::<usize>() / groups
}

/// Mean and inverse root of the variance.
#[inline(always)]
fn statistics<S: Simd>(simd: S, x: &[f32], eps: f32) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = sum_map(
        simd,
        x,
        #[inline(always)]
        |v| v,
    ) / count;
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
    (mean, 1.0 / (square / count + eps).sqrt())
}

struct Forward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    silu: bool,
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (mean, inverse) = statistics(simd, self.x, self.eps);
        let plane = self.x.len() / self.weight.len();
        for (c, (x, out)) in
            self.x.chunks_exact(plane).zip(self.out.chunks_exact_mut(plane)).enumerate()
        {
            let scale = inverse * self.weight[c];
            let shift = simd.splat_f32s(self.bias[c] - mean * scale);
            let scale = simd.splat_f32s(scale);
            if self.silu {
                map1(
                    simd,
                    x,
                    out,
                    #[inline(always)]
                    |x| {
                        let z = simd.mul_add_f32s(x, scale, shift);
                        simd.mul_f32s(z, sigmoid(simd, z))
                    },
                );
            } else {
                map1(
                    simd,
                    x,
                    out,
                    #[inline(always)]
                    |x| simd.mul_add_f32s(x, scale, shift),
                );
            }
        }
    }
}

struct Backward<'a> {
    x: &'a [f32],
    g: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    silu: bool,
    dx: &'a mut [f32],
    dw: &'a mut [f32],
    db: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    /// With n the normalised input, z = n w + b and q the gradient at z: dw = sum q n, db = sum q,
    /// and dx = inverse * (q w - mean(q w) - n mean(q w n)), the means over the group.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, g, weight, bias, eps, silu, dx, dw, db } = self;
        let (mean, inverse) = statistics(simd, x, eps);
        let plane = x.len() / weight.len();
        let (mut mean_h, mut mean_hn) = (0f32, 0f32);
        for c in 0..weight.len() {
            let range = c * plane..(c + 1) * plane;
            let (x, g, q) = (&x[range.clone()], &g[range.clone()], &mut dx[range]);
            let scale = simd.splat_f32s(inverse * weight[c]);
            let shift = simd.splat_f32s(bias[c] - mean * inverse * weight[c]);
            if silu {
                super::simd::map2(
                    simd,
                    x,
                    g,
                    q,
                    #[inline(always)]
                    |x, g| simd.mul_f32s(g, silu_slope(simd, simd.mul_add_f32s(x, scale, shift))),
                );
            } else {
                q.copy_from_slice(g);
            }
            let total = sum_map(
                simd,
                q,
                #[inline(always)]
                |v| v,
            );
            let mut lanes = [0f32; LANES];
            for (x, q) in x.chunks(LANES).zip(q.chunks(LANES)) {
                for ((lane, x), q) in lanes.iter_mut().zip(x).zip(q) {
                    *lane += (x - mean) * q;
                }
            }
            let product = lanes.iter().sum::<f32>() * inverse;
            db[c] += total;
            dw[c] += product;
            mean_h += total * weight[c];
            mean_hn += product * weight[c];
        }
        mean_h /= x.len() as f32;
        mean_hn /= x.len() as f32;
        for ((dx, x), &w) in dx.chunks_exact_mut(plane).zip(x.chunks_exact(plane)).zip(weight) {
            for (dx, x) in dx.iter_mut().zip(x) {
                let n = (x - mean) * inverse;
                *dx = inverse * (*dx * w - mean_h - n * mean_hn);
            }
        }
    }
}

const LANES: usize = 16;
