//! The weight gradient of a convolution with three columns a kernel and stride 1, without unfolding
//! the image: sums of products of gradient rows with shifted input rows, kept in registers.

use super::geometry::Sizes;
use crate::simd::arch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Output channels that one sweep over the image serves.
const OUTPUTS: usize = 4;
/// Columns of the kernel.
const COLUMNS: usize = 3;

/// Whether [`weight_gradient`] computes it.
pub(crate) fn applies(sizes: &Sizes) -> bool {
    sizes.geometry.stride == 1 && sizes.kernel_width == COLUMNS
}

/// `[out, in, rows, 3]` from the input `[batch, in, height, width]` and the output's gradient
/// `[batch, out, out_height, out_width]`.
pub(crate) fn weight_gradient(sizes: &Sizes, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let padded = padded(sizes, x);
    let taps = sizes.kernel_height * COLUMNS;
    let of_output = sizes.in_channels * taps;
    let mut out = vec![0f32; sizes.out_channels * of_output];
    out.par_chunks_mut((OUTPUTS * of_output).max(1)).enumerate().for_each(|(block, out)| {
        let part = Part { sizes, padded: &padded, grad, first: block * OUTPUTS, out };
        arch().dispatch(part);
    });
    out
}

/// Rows and columns of the input with its padding.
fn padded_size(sizes: &Sizes) -> (usize, usize) {
    (sizes.out_height + sizes.kernel_height - 1, sizes.out_width + COLUMNS - 1)
}

fn padded(sizes: &Sizes, x: &[f32]) -> Vec<f32> {
    let (rows, columns) = padded_size(sizes);
    let (top, left) = (sizes.geometry.top, sizes.geometry.left);
    let mut out = vec![0f32; sizes.batch * sizes.in_channels * rows * columns];
    let planes = out.chunks_exact_mut((rows * columns).max(1));
    for (plane, x) in planes.zip(x.chunks_exact((sizes.height * sizes.width).max(1))) {
        // Rows and columns that no output reaches are left out.
        let (high, wide) = (sizes.height.min(rows - top), sizes.width.min(columns - left));
        for y in 0..high {
            let at = (top + y) * columns + left;
            plane[at..at + wide].copy_from_slice(&x[y * sizes.width..y * sizes.width + wide]);
        }
    }
    out
}

/// The gradients of up to [`OUTPUTS`] output channels.
struct Part<'a> {
    sizes: &'a Sizes,
    padded: &'a [f32],
    grad: &'a [f32],
    first: usize,
    out: &'a mut [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { sizes, padded, grad, first, out } = self;
        let (rows, columns) = padded_size(sizes);
        let (high, wide) = (sizes.out_height, sizes.out_width);
        let taps = sizes.kernel_height * COLUMNS;
        let of_output = sizes.in_channels * taps;
        let outputs = out.len() / of_output.max(1);
        let lanes = S::F32_LANES;
        let body = wide / lanes * lanes;
        for image in 0..sizes.batch {
            let grads: [&[f32]; OUTPUTS] = std::array::from_fn(|index| {
                // A block that is not full repeats its last channel and drops the result.
                let channel = first + index.min(outputs - 1);
                let at = (image * sizes.out_channels + channel) * high * wide;
                &grad[at..at + high * wide]
            });
            for input in 0..sizes.in_channels {
                let at = (image * sizes.in_channels + input) * rows * columns;
                let plane = &padded[at..at + rows * columns];
                for ky in 0..sizes.kernel_height {
                    let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; OUTPUTS];
                    for y in 0..high {
                        let row = &plane[(y + ky) * columns..(y + ky + 1) * columns];
                        let of_row = grads.map(|grad| &grad[y * wide..(y + 1) * wide]);
                        for x in (0..body).step_by(lanes) {
                            let shifted: [S::f32s; COLUMNS] = std::array::from_fn(
                                #[inline(always)]
                                |kx| whole(simd, &row[x + kx..x + kx + lanes]),
                            );
                            for (sums, grad) in sums.iter_mut().zip(of_row) {
                                let grad = whole(simd, &grad[x..x + lanes]);
                                for (sum, &shifted) in sums.iter_mut().zip(&shifted) {
                                    *sum = simd.mul_add_f32s(grad, shifted, *sum);
                                }
                            }
                        }
                        if body < wide {
                            for (sums, grad) in sums.iter_mut().zip(of_row) {
                                let grad = simd.partial_load_f32s(&grad[body..]);
                                for (kx, sum) in sums.iter_mut().enumerate() {
                                    let shifted =
                                        simd.partial_load_f32s(&row[body + kx..wide + kx]);
                                    *sum = simd.mul_add_f32s(grad, shifted, *sum);
                                }
                            }
                        }
                    }
                    for (index, sums) in sums.iter().enumerate().take(outputs) {
                        for (kx, &sum) in sums.iter().enumerate() {
                            out[index * of_output + input * taps + ky * COLUMNS + kx] +=
                                simd.reduce_sum_f32s(sum);
                        }
                    }
                }
            }
        }
    }
}

/// A whole vector from anywhere.
#[inline(always)]
fn whole<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    match S::as_simd_f32s(values).0 {
        [vector, ..] => *vector,
        [] => simd.splat_f32s(0.0),
    }
}
