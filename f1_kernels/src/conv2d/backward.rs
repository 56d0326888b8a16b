//! The gradients of a convolution. With respect to the input: a convolution of the gradient (stride
//! 1), or a product and a scatter. With respect to the weights: a product over all pixels.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::cpu::convolve;
use super::geometry::{Conv2dGeometry, Sizes};
use super::weight_gradient;
use crate::values;

/// Numbers of an unfolded image held at once.
const UNFOLDED_LIMIT: usize = 1 << 22;

/// Gradients of the input and of the weight, given the gradient of the output.
pub(super) fn backward(
    x: &Tensor,
    weight: &Tensor,
    grad: &Tensor,
    geometry: Conv2dGeometry,
) -> Result<(Tensor, Tensor)> {
    let (x, weight, grad) = (x.detach(), weight.detach(), grad.detach().contiguous()?);
    let sizes = Sizes::new(x.shape(), weight.shape(), geometry)?;
    Ok((input_gradient(&sizes, &weight, &grad)?, weight_gradient(&sizes, &x, &grad)?))
}

fn input_gradient(sizes: &Sizes, weight: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let Conv2dGeometry { stride, top, left, .. } = sizes.geometry;
    let (kh, kw) = (sizes.kernel_height, sizes.kernel_width);
    if stride == 1 && top < kh && left < kw {
        // The transpose of a stride-1 convolution is a convolution with the turned kernel. Rows or
        // columns of padding that no output reached do not exist at stride 1.
        let turned = weight.transpose(0, 1)?.contiguous()?;
        let turned = flip_taps(&turned, kh * kw)?;
        let transposed = Conv2dGeometry {
            stride: 1,
            top: kh - 1 - top,
            left: kw - 1 - left,
            bottom: sizes.height + top - sizes.out_height,
            right: sizes.width + left - sizes.out_width,
        };
        let sizes = Sizes::new(grad.shape(), turned.shape(), transposed)?;
        let dx = values(grad, |grad| {
            values(&turned, |turned| Ok(convolve(&sizes, grad, turned, None)))
        })?;
        return Tensor::from_vec(dx, sizes.out_shape(), grad.device());
    }
    let transposed = weight.reshape((sizes.out_channels, sizes.depth()))?.t()?.contiguous()?;
    let mut dx = vec![0f32; sizes.batch * sizes.in_channels * sizes.height * sizes.width];
    let image_len = sizes.in_channels * sizes.height * sizes.width;
    let rows_at_once = rows_at_once(sizes);
    for (image, dx) in dx.chunks_exact_mut(image_len.max(1)).enumerate() {
        let grad = grad.get(image)?;
        let mut first = 0;
        while first < sizes.out_height {
            let rows = rows_at_once.min(sizes.out_height - first);
            let part = grad.narrow(1, first, rows)?.contiguous()?.flatten_from(1)?;
            let unfolded = transposed.matmul(&part)?.flatten_all()?.to_vec1::<f32>()?;
            fold(sizes, &unfolded, first, rows, dx);
            first += rows;
        }
    }
    Tensor::from_vec(dx, (sizes.batch, sizes.in_channels, sizes.height, sizes.width), grad.device())
}

fn weight_gradient(sizes: &Sizes, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let depth = sizes.depth();
    let x = x.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
    if weight_gradient::applies(sizes) {
        let grads = grad.flatten_all()?.to_vec1::<f32>()?;
        let sums = weight_gradient::weight_gradient(sizes, &x, &grads);
        let (rows, columns) = (sizes.kernel_height, sizes.kernel_width);
        let shape = (sizes.out_channels, sizes.in_channels, rows, columns);
        return Tensor::from_vec(sums, shape, grad.device());
    }
    let image_len = sizes.in_channels * sizes.height * sizes.width;
    let rows_at_once = rows_at_once(sizes);
    let mut total: Option<Tensor> = None;
    for (image, x) in x.chunks_exact(image_len.max(1)).enumerate() {
        let grad_image = grad.get(image)?;
        let mut first = 0;
        while first < sizes.out_height {
            let rows = rows_at_once.min(sizes.out_height - first);
            let unfolded = unfold(sizes, x, first, rows);
            let unfolded =
                Tensor::from_vec(unfolded, (depth, rows * sizes.out_width), grad.device())?;
            let part = grad_image.narrow(1, first, rows)?.contiguous()?.flatten_from(1)?;
            let product = part.matmul(&unfolded.t()?)?;
            total = Some(match total {
                Some(total) => (total + product)?,
                None => product,
            });
            first += rows;
        }
    }
    let shape = (sizes.out_channels, sizes.in_channels, sizes.kernel_height, sizes.kernel_width);
    match total {
        Some(total) => total.reshape(shape),
        None => Tensor::zeros(shape, grad.dtype(), grad.device()),
    }
}

fn rows_at_once(sizes: &Sizes) -> usize {
    (UNFOLDED_LIMIT / (sizes.depth() * sizes.out_width).max(1)).clamp(1, sizes.out_height.max(1))
}

/// Reverses the taps of every kernel.
fn flip_taps(weight: &Tensor, taps: usize) -> Result<Tensor> {
    if taps == 1 {
        return Ok(weight.clone());
    }
    let mut values = weight.flatten_all()?.to_vec1::<f32>()?;
    values.chunks_exact_mut(taps).for_each(<[f32]>::reverse);
    Tensor::from_vec(values, weight.shape(), weight.device())
}

/// im2col of output rows `first..first + rows` of one image: `[depth, rows * out_width]`.
fn unfold(sizes: &Sizes, x: &[f32], first: usize, rows: usize) -> Vec<f32> {
    let width = sizes.out_width;
    let mut out = vec![0f32; sizes.depth() * rows * width];
    let plane = sizes.height * sizes.width;
    out.par_chunks_exact_mut((rows * width).max(1)).enumerate().for_each(|(k, out)| {
        let (channel, ky, kx) = split_depth(sizes, k);
        let source = &x[channel * plane..(channel + 1) * plane];
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            let Some(row) = input_row(sizes, first + y, ky) else { continue };
            let row = &source[row * sizes.width..(row + 1) * sizes.width];
            for_each_column(sizes, kx, |ox, ix| out[ox] = row[ix]);
        }
    });
    out
}

/// The transpose of [`unfold`]: adds every number back to the pixel it came from.
fn fold(sizes: &Sizes, unfolded: &[f32], first: usize, rows: usize, dx: &mut [f32]) {
    let width = sizes.out_width;
    let taps = sizes.kernel_height * sizes.kernel_width;
    let plane = sizes.height * sizes.width;
    dx.par_chunks_exact_mut(plane.max(1))
        .zip(unfolded.par_chunks_exact((taps * rows * width).max(1)))
        .for_each(|(dx, unfolded)| {
            for (tap, values) in unfolded.chunks_exact(rows * width).enumerate() {
                let (_, ky, kx) = split_depth(sizes, tap);
                for (y, values) in values.chunks_exact(width).enumerate() {
                    let Some(row) = input_row(sizes, first + y, ky) else { continue };
                    let row = &mut dx[row * sizes.width..(row + 1) * sizes.width];
                    for_each_column(sizes, kx, |ox, ix| row[ix] += values[ox]);
                }
            }
        });
}

fn split_depth(sizes: &Sizes, k: usize) -> (usize, usize, usize) {
    let taps = sizes.kernel_height * sizes.kernel_width;
    let tap = k % taps;
    (k / taps, tap / sizes.kernel_width, tap % sizes.kernel_width)
}

fn input_row(sizes: &Sizes, out_row: usize, ky: usize) -> Option<usize> {
    (out_row * sizes.geometry.stride + ky)
        .checked_sub(sizes.geometry.top)
        .filter(|&row| row < sizes.height)
}

/// Calls `f(output column, input column)` for every output column whose input column exists.
#[inline(always)]
fn for_each_column(sizes: &Sizes, kx: usize, mut f: impl FnMut(usize, usize)) {
    let Conv2dGeometry { stride, left, .. } = sizes.geometry;
    let low = left.saturating_sub(kx).div_ceil(stride);
    let high = (sizes.width + left).saturating_sub(kx).div_ceil(stride).min(sizes.out_width);
    for ox in low..high {
        f(ox, ox * stride + kx - left);
    }
}
