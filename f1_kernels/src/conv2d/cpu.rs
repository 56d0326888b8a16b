//! Convolution of slices in f32.

use super::geometry::Sizes;
use super::{tiled, winograd};

/// `input` NCHW convolved with `kernel` `[out, in, kernel, kernel]` and `bias` `[out]`: NCHW.
pub(super) fn convolve(
    sizes: &Sizes,
    input: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let mut out = vec![0f32; sizes.batch * sizes.out_channels * sizes.pixels()];
    if winograd::pays(sizes) {
        winograd::forward(sizes, input, kernel, bias, &mut out);
    } else {
        tiled::forward(sizes, input, kernel, bias, &mut out);
    }
    out
}
