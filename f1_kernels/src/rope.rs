//! Rotary position embedding, half-split: the first half of a head is rotated with the second.

use super::{contiguous, is_fast, recomputed, rows_per_task, values};
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Rotates `x` `[batch, tokens, heads, width]` by `angles` `[2, batch or 1, tokens, width / 2]` in
/// f32: their cosines, then their sines. Differentiable in `x`.
///
/// # Errors
/// Shapes that do not fit, or an error of the device.
pub fn rope(x: &Tensor, angles: &Tensor) -> Result<Tensor> {
    check(x, angles)?;
    #[cfg(feature = "cuda")]
    if super::cuda::serves(x, &[angles], false) {
        return super::cuda::rope(x, angles);
    }
    if !is_fast(x) || angles.dtype() != DType::F32 {
        if x.track_op() {
            let of_backward = angles.detach();
            let plain = move |[x]: [&Tensor; 1]| rope_plain(x, &of_backward);
            return recomputed([x], |[x]| rope(x, angles), plain);
        }
        return rope_plain(x, angles);
    }
    let op = Rope {
        cos: angles.get(0)?.contiguous()?,
        sin: angles.get(1)?.contiguous()?,
        backwards: false,
    };
    x.contiguous()?.apply_op1(op)
}

/// Writes `x` `[batch, tokens, heads, width]`, rotated by `angles` if they are given, over the
/// tokens from `first` on of `cache` `[batch, capacity, heads, width]`. Not differentiable.
///
/// # Errors
/// Shapes that do not fit, or an error of the device.
pub fn write_rows(cache: &Tensor, first: usize, x: &Tensor, angles: Option<&Tensor>) -> Result<()> {
    if let Some(angles) = angles {
        check(x, angles)?;
    }
    #[cfg(feature = "cuda")]
    if super::cuda::serves(x, &[cache], true)
        && angles.is_none_or(|angles| super::cuda::serves(x, &[angles], false))
    {
        return super::cuda::write_rows(&cache.narrow(1, first, x.dim(1)?)?, x, angles);
    }
    match angles {
        Some(angles) => cache.slice_set(&rope(x, angles)?, 1, first),
        None => cache.slice_set(&x.contiguous()?, 1, first),
    }
}

/// Takes the queries, keys and values of one product, `all` `[batch, tokens, heads + 2 kv_heads,
/// width]`. Writes the keys, rotated by `angles`, and the values over the tokens from `first` on of
/// `cache` `[2, batch, capacity, kv_heads, width]`, and returns the rotated queries `[batch,
/// tokens, heads, width]`. Not differentiable.
///
/// # Errors
/// Shapes that do not fit, or an error of the device.
pub fn rope_joined(
    all: &Tensor,
    heads: usize,
    cache: &Tensor,
    first: usize,
    angles: &Tensor,
) -> Result<Tensor> {
    check(all, angles)?;
    #[cfg(feature = "cuda")]
    if super::cuda::serves(all, &[cache], true) && super::cuda::serves(all, &[angles], false) {
        return super::cuda::rope_joined(all, heads, &cache.narrow(2, first, all.dim(1)?)?, angles);
    }
    let kv_heads = cache.dim(3)?;
    let part = |from: usize, count: usize| all.narrow(2, from, count);
    write_rows(&cache.get(0)?, first, &part(heads, kv_heads)?, Some(angles))?;
    write_rows(&cache.get(1)?, first, &part(heads + kv_heads, kv_heads)?, None)?;
    rope(&part(0, heads)?, angles)
}

fn check(x: &Tensor, angles: &Tensor) -> Result<()> {
    let (batch, tokens, _, width) = x.dims4()?;
    match *angles.dims() {
        [2, rows, each, half]
            if (rows == 1 || rows == batch) && each == tokens && 2 * half == width =>
        {
            Ok(())
        }
        _ => bail!("rope: angles {:?} do not fit {:?}", angles.shape(), x.shape()),
    }
}

/// [`rope`] by candle's own operations; computed in f32, returned in the type of `x`.
///
/// # Errors
/// As [`rope`].
pub fn rope_plain(x: &Tensor, angles: &Tensor) -> Result<Tensor> {
    check(x, angles)?;
    let half = x.dim(3)? / 2;
    let wide = x.to_dtype(DType::F32)?;
    let (first, second) = (wide.narrow(3, 0, half)?, wide.narrow(3, half, half)?);
    let (cos, sin) = (angles.get(0)?.unsqueeze(2)?, angles.get(1)?.unsqueeze(2)?);
    let turned_first = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
    let turned_second = (second.broadcast_mul(&cos)? + first.broadcast_mul(&sin)?)?;
    Tensor::cat(&[turned_first, turned_second], 3)?.to_dtype(x.dtype())
}

struct Rope {
    cos: Tensor,
    sin: Tensor,
    /// The gradient is rotated by the opposite angles.
    backwards: bool,
}

impl CustomOp1 for Rope {
    fn name(&self) -> &'static str {
        "f1-rope"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, tokens, heads, width) = layout.shape().dims4()?;
        let x = contiguous(x, layout)?;
        let mut out = vec![0f32; x.len()];
        let half = width / 2;
        let row = heads * width;
        let shared = self.cos.dim(0)? == 1;
        let sign = if self.backwards { -1.0 } else { 1.0 };
        let rows = rows_per_task(row);
        if row == 0 {
            return Ok((CpuStorage::F32(out), layout.shape().clone()));
        }
        values(&self.cos, |cos| {
            values(&self.sin, |sin| {
                out.par_chunks_mut(rows * row).zip(x.par_chunks(rows * row)).enumerate().for_each(
                    |(task, (out, x))| {
                        for (i, (out, x)) in
                            out.chunks_exact_mut(row).zip(x.chunks_exact(row)).enumerate()
                        {
                            let token = task * rows + i;
                            let token = if shared { token % tokens } else { token };
                            let cos = &cos[token * half..(token + 1) * half];
                            let sin = &sin[token * half..(token + 1) * half];
                            for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                                turn(x, cos, sin, sign, out);
                            }
                        }
                    },
                );
                Ok(())
            })
        })?;
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let op = Self { cos: self.cos.clone(), sin: self.sin.clone(), backwards: !self.backwards };
        grad.contiguous()?.apply_op1_no_bwd(&op).map(Some)
    }
}

fn turn(x: &[f32], cos: &[f32], sin: &[f32], sign: f32, out: &mut [f32]) {
    let half = cos.len();
    let (first, second) = x.split_at(half);
    let (out_first, out_second) = out.split_at_mut(half);
    for i in 0..half
        .min(sin.len())
        .min(first.len())
        .min(second.len())
        .min(out_first.len())
        .min(out_second.len())
    {
        let (c, s) = (cos[i], sign * sin[i]);
        out_first[i] = first[i] * c - second[i] * s;
        out_second[i] = second[i] * c + first[i] * s;
    }
}
