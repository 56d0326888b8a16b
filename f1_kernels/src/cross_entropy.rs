//! Softmax and cross entropy of long rows with a gradient: the logits of a whole codebook. Candle's
//! own operations read and write such a row about thirty times for one loss.

use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::ops::{log_softmax, softmax_last_dim};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::simd::{arch, exp, map1, sum_map};
use crate::{is_fast, recomputed, rows_per_task, values, with_gradients};

/// Cross entropy `[n]` in f32 of logits `[n, vocabulary]` against ids `[n]` in u32. Differentiable
/// in the logits.
///
/// # Errors
/// Shapes that differ, an id outside the vocabulary, or an error of the device.
pub fn cross_entropy(logits: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let (rows, vocabulary) = logits.dims2()?;
    if ids.dims1()? != rows {
        bail!("{} ids for {rows} rows of logits", ids.elem_count())
    }
    if !is_fast(logits) {
        let plain = |[logits, ids]: [&Tensor; 2]| cross_entropy_plain(logits, ids);
        return recomputed([logits, ids], plain, plain);
    }
    let picked = ids.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    if let Some(id) = picked.iter().find(|id| **id as usize >= vocabulary) {
        bail!("id {id} of a vocabulary of {vocabulary}")
    }
    let of_backward = picked.clone();
    let forward = move |[logits]: [&Tensor; 1]| {
        let losses: Vec<f32> = values(logits, |logits| {
            Ok(logits
                .par_chunks_exact(vocabulary)
                .with_min_len(rows_per_task(vocabulary))
                .zip(&picked)
                .map(|(row, id)| arch().dispatch(LogSumExp(row)) - row[*id as usize])
                .collect())
        })?;
        Tensor::from_vec(losses, rows, logits.device())
    };
    with_gradients([logits], forward, move |[logits], grad| {
        let grad = grad.flatten_all()?.to_vec1::<f32>()?;
        let gradient = by_rows(logits, |index, row, out| {
            arch().dispatch(Weighted { row, scale: grad[index], out });
            out[of_backward[index] as usize] -= grad[index];
        })?;
        Ok([Some(gradient)])
    })
}

/// [`cross_entropy`] by candle's operations.
fn cross_entropy_plain(logits: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let log = log_softmax(&logits.to_dtype(DType::F32)?, D::Minus1)?;
    log.gather(&ids.unsqueeze(1)?, 1)?.neg()?.squeeze(1)
}

/// Softmax over the last dimension. Differentiable.
///
/// # Errors
/// The tensor operation fails.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if !x.track_op() {
        return softmax_last_dim(x);
    }
    if !is_fast(x) {
        return candle_nn::ops::softmax(x, D::Minus1);
    }
    let backward = |[x]: [&Tensor; 1], grad: &Tensor| {
        let gradient = values(grad, |grad| {
            by_rows(x, |index, row, out| {
                arch().dispatch(Weighted { row, scale: 1.0, out });
                let grad = &grad[index * row.len()..][..row.len()];
                arch().dispatch(SoftmaxGradient { grad, out });
            })
        })?;
        Ok([Some(gradient)])
    };
    with_gradients([&x.contiguous()?], |[x]| softmax_last_dim(x), backward)
}

/// A tensor like `x` whose rows `f` fills from their index and the rows of `x`.
fn by_rows(x: &Tensor, f: impl Fn(usize, &[f32], &mut [f32]) + Sync) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?.max(1);
    let out = values(x, |x| {
        let mut out = vec![0f32; x.len()];
        out.par_chunks_exact_mut(width)
            .zip(x.par_chunks_exact(width))
            .with_min_len(rows_per_task(width))
            .enumerate()
            .for_each(|(index, (out, row))| f(index, row, out));
        Ok(out)
    })?;
    Tensor::from_vec(out, x.shape(), x.device())
}

/// Logarithm of the sum of the exponentials of a row.
struct LogSumExp<'a>(&'a [f32]);

impl WithSimd for LogSumExp<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (body, tail) = S::as_simd_f32s(self.0);
        let mut top = simd.splat_f32s(f32::NEG_INFINITY);
        for &v in body {
            top = simd.max_f32s(top, v);
        }
        let top = tail.iter().fold(simd.reduce_max_f32s(top), |top, &v| top.max(v));
        let shift = simd.splat_f32s(top);
        let sum = sum_map(
            simd,
            self.0,
            #[inline(always)]
            |v| exp(simd, simd.sub_f32s(v, shift)),
        );
        top + sum.ln()
    }
}

/// The softmax of a row times `scale`.
struct Weighted<'a> {
    row: &'a [f32],
    scale: f32,
    out: &'a mut [f32],
}

impl WithSimd for Weighted<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let shift = simd.splat_f32s(LogSumExp(self.row).with_simd(simd));
        let scale = simd.splat_f32s(self.scale);
        map1(
            simd,
            self.row,
            self.out,
            #[inline(always)]
            |v| simd.mul_f32s(scale, exp(simd, simd.sub_f32s(v, shift))),
        );
    }
}

/// From a row's softmax in `out` and the gradient with respect to it, the gradient with respect to
/// what the softmax was taken of.
struct SoftmaxGradient<'a> {
    grad: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for SoftmaxGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (grads, grad_tail) = S::as_simd_f32s(self.grad);
        let (outs, out_tail) = S::as_mut_simd_f32s(self.out);
        let mut sums = simd.splat_f32s(0.0);
        for (&grad, &mut out) in grads.iter().zip(outs.iter_mut()) {
            sums = simd.mul_add_f32s(grad, out, sums);
        }
        let tail: f32 = grad_tail.iter().zip(out_tail.iter()).map(|(a, b)| a * b).sum();
        let mean = simd.reduce_sum_f32s(sums) + tail;
        let all = simd.splat_f32s(mean);
        for (out, &grad) in outs.iter_mut().zip(grads) {
            *out = simd.mul_f32s(*out, simd.sub_f32s(grad, all));
        }
        for (out, grad) in out_tail.iter_mut().zip(grad_tail) {
            *out *= grad - mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn logits(rows: usize, width: usize) -> Var {
        let values = (0..rows * width)
            .map(|i| ((i * 7919) % 1013) as f32 * 0.02 - 10.0 + ((i * 31) % 17) as f32 * 0.3)
            .collect::<Vec<_>>();
        Var::from_vec(values, (rows, width), &Device::Cpu).unwrap()
    }

    fn assert_close(a: &Tensor, b: &Tensor, bound: f32) {
        let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
        let largest = difference.max(0).unwrap().to_scalar::<f32>().unwrap();
        assert!(largest < bound, "{largest}");
    }

    #[test]
    fn cross_entropy_and_its_gradient_are_those_of_the_plain_operations() {
        for width in [1, 5, 64, 4099] {
            let logits = logits(6, width);
            let ids = (0..6).map(|i| (i * 37 % width) as u32).collect::<Vec<_>>();
            let ids = Tensor::new(ids, &Device::Cpu).unwrap();
            let weights = Tensor::new(&[0.5f32, 0.0, 2.0, -1.0, 3.0, 1.0], &Device::Cpu).unwrap();
            let fused = cross_entropy(&logits, &ids).unwrap();
            let plain = cross_entropy_plain(&logits, &ids).unwrap();
            assert_close(&fused, &plain, 2e-5);
            let gradient = |losses: &Tensor| {
                let loss = losses.mul(&weights).unwrap().sum_all().unwrap();
                loss.backward().unwrap().get(&logits).unwrap().clone()
            };
            assert_close(&gradient(&fused), &gradient(&plain), 1e-5);
        }
    }

    #[test]
    fn softmax_and_its_gradient_are_those_of_the_plain_operations() {
        for width in [1, 7, 96, 4099] {
            let x = logits(5, width);
            let weights = (logits(5, width).as_tensor() * 0.3).unwrap();
            let gradient = |y: &Tensor| {
                let loss = y.mul(&weights).unwrap().sum_all().unwrap();
                loss.backward().unwrap().get(&x).unwrap().clone()
            };
            let (fused, plain) =
                (softmax(&x).unwrap(), candle_nn::ops::softmax(x.as_tensor(), D::Minus1).unwrap());
            assert_close(&fused, &plain, 1e-6);
            assert_close(&gradient(&fused), &gradient(&plain), 1e-5);
        }
    }

    #[test]
    fn an_id_outside_the_vocabulary_is_refused() {
        let ids = Tensor::new(&[0u32, 5], &Device::Cpu).unwrap();
        let fault = cross_entropy(&logits(2, 5), &ids).unwrap_err().to_string();
        assert!(fault.contains("id 5 of a vocabulary of 5"), "{fault}");
    }
}
