//! 3x3 convolutions at stride 1 by Winograd's F(4x4, 3x3): 36 products where the definition has 144
//! (Lavin and Gray 2015, "Fast algorithms for convolutional neural networks").
//!
//! A task is a band of output rows of one image. Its 6x6 input patches are transformed a vector of
//! patches at a time, multiplied in the transformed domain by the register microkernel, and
//! transformed back into 4x4 output patches; all of it stays in the second- and third-level cache.
//! Rounding grows to a few 1e-6 of the largest output.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::geometry::Sizes;
use super::rows::{copy_row, copy_short};
use crate::microkernel::{multiply, packed_rows_len};
use crate::simd::{AlignedBuffer, MICRO_ROWS, PANEL_VECTORS, arch};

/// Side of an output patch.
const OUT: usize = 4;
/// Side of an input patch, and of a transformed one.
const IN: usize = 6;
/// Numbers of a transformed patch.
const POINTS: usize = IN * IN;
/// Least number of patches in a task, so that panels are full.
const PATCHES_PER_TASK: usize = 48;
/// Additional floats between the planes of scratch: without them all 36 planes map to the same
/// cache sets.
const PAD: usize = 16;

/// Whether this form applies and is faster, its transforms included.
pub(super) fn pays(sizes: &Sizes) -> bool {
    let patches = sizes.batch * sizes.out_height.div_ceil(OUT) * sizes.out_width.div_ceil(OUT);
    sizes.kernel_height == 3
        && sizes.kernel_width == 3
        && sizes.geometry.stride == 1
        && sizes.in_channels >= 16
        && sizes.out_channels >= 16
        && patches >= 64
}

/// A band of whole output rows of one image, one slice an output channel.
struct Band<'a> {
    image: usize,
    first_row: usize,
    rows: Vec<&'a mut [f32]>,
}

/// The whole convolution on slices, as [`super::cpu::convolve`].
pub(super) fn forward(
    sizes: &Sizes,
    input: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let weights = transform_weights(sizes, kernel);
    let weights = weights.as_slice();
    let zeros = vec![0f32; sizes.out_channels];
    let bias = bias.unwrap_or(&zeros);
    let pixels = sizes.pixels();
    if sizes.out_channels * pixels == 0 {
        return;
    }
    let patches_across = sizes.out_width.div_ceil(OUT);
    let band_rows = OUT * PATCHES_PER_TASK.div_ceil(patches_across);
    let bands_per_image = sizes.out_height.div_ceil(band_rows);
    let mut bands: Vec<Band> = Vec::with_capacity(sizes.batch * bands_per_image);
    for (image, out) in out.chunks_exact_mut(sizes.out_channels * pixels).enumerate() {
        let first = bands.len();
        for band in 0..bands_per_image {
            let rows = Vec::with_capacity(sizes.out_channels);
            bands.push(Band { image, first_row: band * band_rows, rows });
        }
        for plane in out.chunks_exact_mut(pixels) {
            for (band, part) in
                bands[first..].iter_mut().zip(plane.chunks_mut(band_rows * sizes.out_width))
            {
                band.rows.push(part);
            }
        }
    }
    let scratch_len = arch().dispatch(ScratchLen(sizes));
    let image_len = sizes.in_channels * sizes.height * sizes.width;
    bands.par_iter_mut().for_each_init(
        || AlignedBuffer::zeroed(scratch_len),
        |scratch, band| {
            let input = &input[band.image * image_len..(band.image + 1) * image_len];
            arch().dispatch(ConvolveBand {
                sizes,
                input,
                weights,
                bias,
                band,
                scratch: scratch.as_mut_slice(),
            });
        },
    );
}

/// `G g G^T` of every kernel, packed `[point][block of output channels][input
/// channel][MICRO_ROWS]`.
fn transform_weights(sizes: &Sizes, kernel: &[f32]) -> AlignedBuffer {
    let (input, output) = (sizes.in_channels, sizes.out_channels);
    let plane = packed_rows_len(output, input);
    let mut packed = AlignedBuffer::zeroed(POINTS * plane);
    let out = packed.as_mut_slice();
    for block in 0..output.div_ceil(MICRO_ROWS) {
        for channel in 0..input {
            let mut taps = [[0f32; MICRO_ROWS]; 9];
            for r in 0..MICRO_ROWS.min(output - block * MICRO_ROWS) {
                let from = ((block * MICRO_ROWS + r) * input + channel) * 9;
                for (tap, &value) in taps.iter_mut().zip(&kernel[from..from + 9]) {
                    tap[r] = value;
                }
            }
            let mut half = [[[0f32; MICRO_ROWS]; 3]; IN];
            for x in 0..3 {
                let column = weight_points([taps[x], taps[3 + x], taps[6 + x]]);
                for (half, value) in half.iter_mut().zip(column) {
                    half[x] = value;
                }
            }
            for (y, half) in half.into_iter().enumerate() {
                for (x, value) in weight_points(half).into_iter().enumerate() {
                    let at = (y * IN + x) * plane + (block * input + channel) * MICRO_ROWS;
                    out[at..at + MICRO_ROWS].copy_from_slice(&value);
                }
            }
        }
    }
    packed
}

/// One dimension of `G g`.
fn weight_points(g: [[f32; MICRO_ROWS]; 3]) -> [[f32; MICRO_ROWS]; IN] {
    let mut points = [[0f32; MICRO_ROWS]; IN];
    for r in 0..MICRO_ROWS {
        let (a, b, c) = (g[0][r], g[1][r], g[2][r]);
        points[0][r] = a / 4.0;
        points[1][r] = (a + b + c) / -6.0;
        points[2][r] = (a - b + c) / -6.0;
        points[3][r] = a / 24.0 + b / 12.0 + c / 6.0;
        points[4][r] = a / 24.0 - b / 12.0 + c / 6.0;
        points[5][r] = c;
    }
    points
}

struct ScratchLen<'a>(&'a Sizes);

impl WithSimd for ScratchLen<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        POINTS
            * (plane_len::<S>(self.0.in_channels)
                + plane_len::<S>(padded_rows(self.0.out_channels)))
            + 3 * OUT * S::F32_LANES
    }
}

/// Output channels rounded up to whole microkernel blocks.
fn padded_rows(channels: usize) -> usize {
    channels.next_multiple_of(MICRO_ROWS)
}

/// Floats of one scratch plane: a panel row for each channel.
#[inline(always)]
const fn plane_len<S: Simd>(channels: usize) -> usize {
    channels * PANEL_VECTORS * S::F32_LANES + PAD
}

struct ConvolveBand<'a, 'b> {
    sizes: &'a Sizes,
    input: &'a [f32],
    weights: &'a [f32],
    bias: &'a [f32],
    band: &'a mut Band<'b>,
    scratch: &'a mut [f32],
}

impl WithSimd for ConvolveBand<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, input, weights, bias, band, scratch } = self;
        let lanes = S::F32_LANES;
        let columns = PANEL_VECTORS * lanes;
        let across = sizes.out_width.div_ceil(OUT);
        let height = band.rows.first().map_or(0, |row| row.len() / sizes.out_width);
        let patches = across * height.div_ceil(OUT);
        let (in_plane, out_plane) =
            (plane_len::<S>(sizes.in_channels), plane_len::<S>(padded_rows(sizes.out_channels)));
        let weight_plane = packed_rows_len(sizes.out_channels, sizes.in_channels);
        let (transformed, rest) = scratch.split_at_mut(POINTS * in_plane);
        let (products, lines) = rest.split_at_mut(POINTS * out_plane);
        let source_plane = sizes.height * sizes.width;

        // Panels of equal width where the band needs several: 2 + 2 vectors rather than 3 + 1.
        let vectors = patches.div_ceil(lanes);
        let width = vectors.div_ceil(vectors.div_ceil(PANEL_VECTORS).max(1)).max(1);
        for first in (0..patches).step_by(width * lanes) {
            let used = (width * lanes).min(patches - first);
            let used_vectors = used.div_ceil(lanes);
            for vector in 0..used_vectors {
                let group = Group {
                    first: first + vector * lanes,
                    count: lanes.min(used - vector * lanes),
                    across,
                };
                for (channel, source) in input.chunks_exact(source_plane).enumerate() {
                    let at = channel * columns + vector * lanes;
                    let out = &mut transformed[at..];
                    transform_input(
                        simd,
                        sizes,
                        source,
                        band.first_row,
                        group,
                        lines,
                        out,
                        in_plane,
                    );
                }
            }
            for point in 0..POINTS {
                let (b, _) = S::as_simd_f32s(
                    &transformed[point * in_plane..][..sizes.in_channels * columns],
                );
                let (b, _) = b.as_chunks::<PANEL_VECTORS>();
                let weights = &weights[point * weight_plane..(point + 1) * weight_plane];
                let products = &mut products[point * out_plane..(point + 1) * out_plane];
                for (a, out) in weights
                    .chunks_exact(MICRO_ROWS * sizes.in_channels)
                    .zip(products.chunks_exact_mut(MICRO_ROWS * columns))
                {
                    let (a, _) = a.as_chunks::<MICRO_ROWS>();
                    match used_vectors {
                        1 => product::<S, 1>(simd, a, b, out),
                        2 => product::<S, 2>(simd, a, b, out),
                        _ => product::<S, 3>(simd, a, b, out),
                    }
                }
            }
            for (channel, rows) in band.rows.iter_mut().enumerate() {
                for vector in 0..used_vectors {
                    let count = lanes.min(used - vector * lanes);
                    let group = Group { first: first + vector * lanes, count, across };
                    let at = channel * columns + vector * lanes;
                    transform_output(
                        simd,
                        &products[at..],
                        out_plane,
                        bias[channel],
                        group,
                        sizes,
                        lines,
                        rows,
                    );
                }
            }
        }
    }
}

#[inline(always)]
fn product<S: Simd, const V: usize>(
    simd: S,
    a: &[[f32; MICRO_ROWS]],
    b: &[[S::f32s; PANEL_VECTORS]],
    out: &mut [f32],
) {
    let acc = multiply::<S, V>(simd, a, b, [[simd.splat_f32s(0.0); V]; MICRO_ROWS]);
    for (out, acc) in out.chunks_exact_mut(PANEL_VECTORS * S::F32_LANES).zip(acc) {
        let (out, _) = S::as_mut_simd_f32s(out);
        for (out, acc) in out.iter_mut().zip(acc) {
            *out = acc;
        }
    }
}

/// Consecutive patches of a band, counted along its rows of patches; one lane each.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    count: usize,
    /// Patches in one row of patches.
    across: usize,
}

impl Group {
    /// Row of patches and first input column where all lanes are in one row of patches and, with
    /// the two columns that follow, inside the image's width. The row itself may be outside.
    #[inline(always)]
    fn whole_run(self, sizes: &Sizes, lanes: usize) -> Option<(usize, usize)> {
        let (row, column) = (self.first / self.across, self.first % self.across);
        let begin = (column * OUT).checked_sub(sizes.geometry.left)?;
        let inside = begin + OUT * (lanes + 1) <= sizes.width && column + lanes <= self.across;
        (self.count == lanes && inside).then_some((row, begin))
    }

    /// The runs of patches that share a row of patches: (lane of the first, row, column of the
    /// first, length).
    #[inline(always)]
    fn runs(self) -> impl Iterator<Item = (usize, usize, usize, usize)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            if done >= self.count {
                return None;
            }
            let (row, column) =
                ((self.first + done) / self.across, (self.first + done) % self.across);
            let len = (self.across - column).min(self.count - done);
            let run = (done, row, column, len);
            done += len;
            Some(run)
        })
    }
}

/// `B^T d B` for a vector of patches of one channel, written to `out[point * plane..]`.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "one inlined step of the band above")]
fn transform_input<S: Simd>(
    simd: S,
    sizes: &Sizes,
    source: &[f32],
    first_row: usize,
    group: Group,
    lines: &mut [f32],
    out: &mut [f32],
    plane: usize,
) {
    let lanes = S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    let mut half = [[zero; IN]; IN];
    let (line, next) = lines.split_at_mut(OUT * lanes);
    let next = &mut next[..OUT * lanes];
    let whole = group.whole_run(sizes, lanes);
    for (y, half) in half.iter_mut().enumerate() {
        // `columns` holds the first four columns of every patch, `following` the next four, of
        // which two are used.
        let mut columns = [zero; OUT];
        let mut following = [zero; OUT];
        let direct = whole.and_then(|(row, begin)| {
            let row = (first_row + row * OUT + y).checked_sub(sizes.geometry.top)?;
            source.get(row * sizes.width + begin..)?.get(..OUT * (lanes + 1))
        });
        match direct {
            Some(row) => {
                load(S::as_simd_f32s(row).0, &mut columns);
                load(S::as_simd_f32s(&row[OUT..]).0, &mut following);
            }
            None => {
                for (lane, row, column, len) in group.runs() {
                    let row = (first_row + row * OUT + y).checked_sub(sizes.geometry.top);
                    let row = row.filter(|&row| row < sizes.height);
                    let row = row.map_or(&[] as &[f32], |row| {
                        &source[row * sizes.width..(row + 1) * sizes.width]
                    });
                    let (from, to) = (lane * OUT, (lane + len) * OUT);
                    copy_line(row, column * OUT, sizes.geometry.left, &mut line[from..to]);
                    copy_line(row, (column + 1) * OUT, sizes.geometry.left, &mut next[from..to]);
                }
                load(S::as_simd_f32s(line).0, &mut columns);
                load(S::as_simd_f32s(next).0, &mut following);
            }
        }
        let columns = simd.deinterleave_shfl_f32s(columns);
        let following = simd.deinterleave_shfl_f32s(following);
        let [c0, c1, c2, c3] = columns;
        let [c4, c5, _, _] = following;
        *half = input_points(simd, [c0, c1, c2, c3, c4, c5]);
    }
    for x in 0..IN {
        let column = [half[0][x], half[1][x], half[2][x], half[3][x], half[4][x], half[5][x]];
        let points = input_points(simd, column);
        for (y, point) in points.iter().enumerate() {
            let (out, _) = S::as_mut_simd_f32s(&mut out[(y * IN + x) * plane..][..lanes]);
            out[0] = *point;
        }
    }
}

#[inline(always)]
fn load<V: Copy, const N: usize>(source: &[V], out: &mut [V; N]) {
    for (out, source) in out.iter_mut().zip(source) {
        *out = *source;
    }
}

/// One dimension of `B^T d`.
#[inline(always)]
fn input_points<S: Simd>(simd: S, d: [S::f32s; IN]) -> [S::f32s; IN] {
    let (two, four, five) = (simd.splat_f32s(2.0), simd.splat_f32s(4.0), simd.splat_f32s(5.0));
    let [d0, d1, d2, d3, d4, d5] = d;
    let even = simd.negate_mul_add_f32s(four, d2, d4);
    let odd = simd.negate_mul_add_f32s(four, d1, d3);
    let even_wide = simd.sub_f32s(d4, d2);
    let odd_wide = simd.mul_f32s(two, simd.sub_f32s(d3, d1));
    [
        simd.mul_add_f32s(four, d0, simd.negate_mul_add_f32s(five, d2, d4)),
        simd.add_f32s(even, odd),
        simd.sub_f32s(even, odd),
        simd.add_f32s(even_wide, odd_wide),
        simd.sub_f32s(even_wide, odd_wide),
        simd.mul_add_f32s(four, d1, simd.negate_mul_add_f32s(five, d3, d5)),
    ]
}

/// `A^T m A` for a vector of patches of one output channel, plus its bias, clipped to the band.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "one inlined step of the band above")]
fn transform_output<S: Simd>(
    simd: S,
    products: &[f32],
    plane: usize,
    bias: f32,
    group: Group,
    sizes: &Sizes,
    lines: &mut [f32],
    rows: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    let bias = simd.splat_f32s(bias);
    let mut half = [[zero; IN]; OUT];
    for x in 0..IN {
        let mut column = [zero; IN];
        for (y, value) in column.iter_mut().enumerate() {
            let (vector, _) = S::as_simd_f32s(&products[(y * IN + x) * plane..][..lanes]);
            *value = vector[0];
        }
        let points = output_points(simd, column);
        for (half, point) in half.iter_mut().zip(points) {
            half[x] = point;
        }
    }
    let line = &mut lines[..OUT * lanes];
    for (y, half) in half.into_iter().enumerate() {
        let mut values = output_points(simd, half);
        for value in &mut values {
            *value = simd.add_f32s(*value, bias);
        }
        let values = simd.interleave_shfl_f32s(values);
        let (vectors, _) = S::as_mut_simd_f32s(line);
        for (vector, value) in vectors.iter_mut().zip(values) {
            *vector = value;
        }
        for (lane, row, column, len) in group.runs() {
            let at = (row * OUT + y) * sizes.out_width;
            if at >= rows.len() {
                continue;
            }
            let row = &mut rows[at..at + sizes.out_width];
            let from = column * OUT;
            let to = ((column + len) * OUT).min(sizes.out_width);
            copy_short(&line[lane * OUT..lane * OUT + to - from], &mut row[from..to]);
        }
    }
}

/// One dimension of `A^T m`.
#[inline(always)]
fn output_points<S: Simd>(simd: S, m: [S::f32s; IN]) -> [S::f32s; OUT] {
    let (two, four, eight) = (simd.splat_f32s(2.0), simd.splat_f32s(4.0), simd.splat_f32s(8.0));
    let [m0, m1, m2, m3, m4, m5] = m;
    let (sum, difference) = (simd.add_f32s(m1, m2), simd.sub_f32s(m1, m2));
    let (sum_wide, difference_wide) = (simd.add_f32s(m3, m4), simd.sub_f32s(m3, m4));
    [
        simd.add_f32s(simd.add_f32s(m0, sum), sum_wide),
        simd.mul_add_f32s(two, difference_wide, difference),
        simd.mul_add_f32s(four, sum_wide, sum),
        simd.add_f32s(simd.mul_add_f32s(eight, difference_wide, difference), m5),
    ]
}

/// `out[i] = row[begin + i - left]`, zero outside the row.
#[inline(always)]
fn copy_line(row: &[f32], begin: usize, left: usize, out: &mut [f32]) {
    copy_row(row, begin, left, 1, out);
}
