//! Convolution as a matrix product, tile by tile.
//!
//! A tile of output pixels is gathered once (im2col) into cache-sized panels and multiplied with
//! the packed weights by the register microkernel. The im2col matrix of the whole image is never
//! built.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::geometry::{Conv2dGeometry, Sizes};
use super::rows::copy_row;
use crate::microkernel::{multiply, pack_rows, packed_rows_len, panel_columns};
use crate::simd::{AlignedBuffer, MICRO_ROWS, PANEL_VECTORS, arch};

/// Column panels in a tile: with [`DEPTH_BLOCK`] they fill less than half of a 1 MB second-level
/// cache.
const TILE_PANELS: usize = 4;
/// Depth (input channels times kernel taps) that is multiplied before the next part of the patch is
/// gathered.
const DEPTH_BLOCK: usize = 576;

/// One tile of output pixels of one image: where its rows go, one slice an output channel.
struct Tile<'a> {
    image: usize,
    first_pixel: usize,
    rows: Vec<&'a mut [f32]>,
}

/// The whole convolution on slices: `input` NCHW, `kernel` `[out, in, kh, kw]`, `out` NCHW.
pub(super) fn forward(
    sizes: &Sizes,
    input: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let depth = sizes.depth();
    let mut packed = AlignedBuffer::zeroed(packed_rows_len(sizes.out_channels, depth));
    pack_rows(kernel, sizes.out_channels, depth, depth, 1, 1.0, packed.as_mut_slice());
    let packed: &[f32] = packed.as_mut_slice();
    let zeros = vec![0f32; sizes.out_channels];
    let bias = bias.unwrap_or(&zeros);
    let pixels = sizes.pixels();
    let columns = arch().dispatch(PanelColumns);
    let tile_pixels = TILE_PANELS * columns;
    let image_len = sizes.out_channels * pixels;
    if image_len == 0 {
        return;
    }

    let tiles_per_image = pixels.div_ceil(tile_pixels);
    let mut tiles: Vec<Tile> = Vec::with_capacity(sizes.batch * tiles_per_image);
    for (image, out) in out.chunks_exact_mut(image_len).enumerate() {
        let first = tiles.len();
        for tile in 0..tiles_per_image {
            let rows = Vec::with_capacity(sizes.out_channels);
            tiles.push(Tile { image, first_pixel: tile * tile_pixels, rows });
        }
        for row in out.chunks_exact_mut(pixels) {
            for (tile, part) in tiles[first..].iter_mut().zip(row.chunks_mut(tile_pixels)) {
                tile.rows.push(part);
            }
        }
    }
    let scratch_len = tile_pixels * depth.min(DEPTH_BLOCK);
    tiles.par_iter_mut().for_each_init(
        || AlignedBuffer::zeroed(scratch_len),
        |scratch, tile| {
            let image_len = sizes.in_channels * sizes.height * sizes.width;
            let input = &input[tile.image * image_len..(tile.image + 1) * image_len];
            arch().dispatch(ConvolveTile {
                sizes,
                input,
                packed,
                bias,
                tile,
                scratch: scratch.as_mut_slice(),
            });
        },
    );
}

struct PanelColumns;

impl WithSimd for PanelColumns {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        panel_columns::<S>()
    }
}

struct ConvolveTile<'a, 'b> {
    sizes: &'a Sizes,
    input: &'a [f32],
    packed: &'a [f32],
    bias: &'a [f32],
    tile: &'a mut Tile<'b>,
    scratch: &'a mut [f32],
}

impl WithSimd for ConvolveTile<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, input, packed, bias, tile, scratch } = self;
        let depth = sizes.depth();
        let columns = panel_columns::<S>();
        let count = tile.rows.first().map_or(0, |row| row.len());
        let panels = count.div_ceil(columns);
        let mut start = 0;
        while start < depth {
            let block = (depth - start).min(DEPTH_BLOCK);
            let scratch = &mut scratch[..panels * block * columns];
            for (panel, out) in scratch.chunks_exact_mut(block * columns).enumerate() {
                let first = panel * columns;
                let used = columns.min(count - first);
                gather(sizes, input, tile.first_pixel + first, used, start, columns, out);
            }
            let (vectors, _) = S::as_simd_f32s(scratch);
            let (vectors, _) = vectors.as_chunks::<PANEL_VECTORS>();
            for (row_block, a) in packed.chunks_exact(MICRO_ROWS * depth).enumerate() {
                let a = &a[start * MICRO_ROWS..(start + block) * MICRO_ROWS];
                let (a, _) = a.as_chunks::<MICRO_ROWS>();
                let first_row = row_block * MICRO_ROWS;
                let last_row = (first_row + MICRO_ROWS).min(sizes.out_channels);
                let rows = &mut tile.rows[first_row..last_row];
                let bias = &bias[first_row..last_row];
                let bias = (start == 0).then_some(bias);
                for (panel, b) in vectors.chunks_exact(block).enumerate() {
                    let first = panel * columns;
                    let used = columns.min(count - first);
                    match used.div_ceil(S::F32_LANES) {
                        1 => block_product::<S, 1>(simd, a, b, bias, rows, first, used),
                        2 => block_product::<S, 2>(simd, a, b, bias, rows, first, used),
                        _ => block_product::<S, 3>(simd, a, b, bias, rows, first, used),
                    }
                }
            }
            start += block;
        }
    }
}

/// Multiplies one row block with one panel into columns `first..first + used` of `rows`. The first
/// depth block starts from the bias, later ones add to the result.
#[inline(always)]
fn block_product<S: Simd, const V: usize>(
    simd: S,
    a: &[[f32; MICRO_ROWS]],
    b: &[[S::f32s; PANEL_VECTORS]],
    bias: Option<&[f32]>,
    rows: &mut [&mut [f32]],
    first: usize,
    used: usize,
) {
    let acc = [[simd.splat_f32s(0.0); V]; MICRO_ROWS];
    let acc = multiply::<S, V>(simd, a, b, acc);
    for (r, (row, acc)) in rows.iter_mut().zip(acc).enumerate() {
        let row = &mut row[first..first + used];
        for (part, acc) in row.chunks_mut(S::F32_LANES).zip(acc) {
            let start = match bias {
                Some(bias) => simd.splat_f32s(bias[r]),
                None => simd.partial_load_f32s(part),
            };
            simd.partial_store_f32s(part, simd.add_f32s(acc, start));
        }
    }
}

/// Copies the input values that output pixels `first..first + used` need for depths `start..` into
/// one panel `[depth][columns]`, zeros where the kernel looks past the edge or past the last pixel.
#[inline(always)]
fn gather(
    sizes: &Sizes,
    input: &[f32],
    first: usize,
    used: usize,
    start: usize,
    columns: usize,
    out: &mut [f32],
) {
    let Conv2dGeometry { stride, top, left, .. } = sizes.geometry;
    let taps = sizes.kernel_height * sizes.kernel_width;
    let plane = sizes.height * sizes.width;
    for (k, out) in out.chunks_exact_mut(columns).enumerate() {
        let k = start + k;
        let (channel, tap) = (k / taps, k % taps);
        let (ky, kx) = (tap / sizes.kernel_width, tap % sizes.kernel_width);
        let source = &input[channel * plane..(channel + 1) * plane];
        let (mut y, mut x) = (first / sizes.out_width, first % sizes.out_width);
        let mut done = 0;
        while done < used {
            let len = (sizes.out_width - x).min(used - done);
            let out = &mut out[done..done + len];
            let row = (y * stride + ky).checked_sub(top).filter(|&row| row < sizes.height);
            match row {
                None => out.fill(0.0),
                Some(row) => {
                    let row = &source[row * sizes.width..(row + 1) * sizes.width];
                    copy_row(row, x * stride + kx, left, stride, out);
                }
            }
            done += len;
            x = 0;
            y += 1;
        }
        out[used..].fill(0.0);
    }
}
