//! Two-dimensional convolution for the tokenizer, which is nothing else: candle's own CPU
//! convolution leaves three quarters of the machine idle at 160 channels and 256 x 256 pixels.
//!
//! A tile of output pixels is gathered once (im2col) into cache-sized panels and multiplied with
//! the packed weights by the register microkernel; no im2col matrix of the whole image ever exists.

use super::microkernel::{multiply, pack_rows, packed_rows_len, panel_columns};
use super::simd::{AlignedBuffer, MICRO_ROWS, PANEL_VECTORS, arch};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Column panels in a tile: with [`DEPTH_BLOCK`] they fill less than half of a 1 MB second-level
/// cache.
const TILE_PANELS: usize = 4;
/// Depth (input channels times kernel taps) that is multiplied before the next part of the patch is
/// gathered.
const DEPTH_BLOCK: usize = 576;

/// Stride and zero padding of a convolution, side by side because the tokenizer pads right and
/// bottom alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dGeometry {
    /// Step in both directions.
    pub stride: usize,
    /// Rows of zeros above.
    pub top: usize,
    /// Columns of zeros to the left.
    pub left: usize,
    /// Rows of zeros below.
    pub bottom: usize,
    /// Columns of zeros to the right.
    pub right: usize,
}

impl Conv2dGeometry {
    /// Stride 1 and the same padding on all four sides.
    pub const fn same(padding: usize) -> Self {
        Self { stride: 1, top: padding, left: padding, bottom: padding, right: padding }
    }

    /// The tokenizer's downsampling: stride 2, one row and column of zeros at the bottom and the
    /// right.
    pub const fn halving() -> Self {
        Self { stride: 2, top: 0, left: 0, bottom: 1, right: 1 }
    }

    /// The output's height and width for an input and a kernel; `None` when the kernel does not
    /// fit.
    pub fn output(
        &self,
        height: usize,
        width: usize,
        kernel: (usize, usize),
    ) -> Option<(usize, usize)> {
        let h = (height + self.top + self.bottom).checked_sub(kernel.0)?;
        let w = (width + self.left + self.right).checked_sub(kernel.1)?;
        Some((h / self.stride + 1, w / self.stride + 1))
    }
}

/// All sizes of one convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub batch: usize,
    pub in_channels: usize,
    pub height: usize,
    pub width: usize,
    pub out_channels: usize,
    pub kernel_height: usize,
    pub kernel_width: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub geometry: Conv2dGeometry,
}

impl Sizes {
    pub(crate) fn new(x: &Shape, weight: &Shape, geometry: Conv2dGeometry) -> Result<Self> {
        let (batch, in_channels, height, width) = x.dims4()?;
        let (out_channels, weight_in, kernel_height, kernel_width) = weight.dims4()?;
        if weight_in != in_channels || geometry.stride == 0 {
            bail!("conv2d: input {x:?} does not fit weight {weight:?} with {geometry:?}")
        }
        let Some((out_height, out_width)) =
            geometry.output(height, width, (kernel_height, kernel_width))
        else {
            bail!("conv2d: kernel {weight:?} is larger than the padded input {x:?}")
        };
        Ok(Self {
            batch,
            in_channels,
            height,
            width,
            out_channels,
            kernel_height,
            kernel_width,
            out_height,
            out_width,
            geometry,
        })
    }

    pub(crate) fn depth(&self) -> usize {
        self.in_channels * self.kernel_height * self.kernel_width
    }

    pub(crate) fn pixels(&self) -> usize {
        self.out_height * self.out_width
    }

    fn out_shape(&self) -> Shape {
        Shape::from((self.batch, self.out_channels, self.out_height, self.out_width))
    }
}

/// Convolution of `x` `[batch, in, height, width]` with `weight` `[out, in, kernel, kernel]` and
/// `bias` `[out]`, zero padded as `geometry` says. Differentiable in all three. f32 on a CPU runs
/// the tiled kernel; on a GPU, without a gradient, patches of channels-last memory are multiplied
/// (and the result's channels lie together in memory); everything else is candle's.
///
/// # Errors
/// Shapes that do not fit, or whatever the back end reports.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Conv2dGeometry,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let Some(bias) = bias
        && convolves(x, weight, bias)
    {
        return super::cuda::conv2d(x, weight, bias, geometry, 1, None, false);
    }
    if !super::is_fast(x) || weight.dtype() != DType::F32 {
        return conv2d_plain(x, weight, bias, geometry);
    }
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, Conv2d(geometry)),
        None => x.apply_op2(&weight, Conv2d(geometry)),
    }
}

/// Whether the convolution for GPUs serves. A build with cuDNN leaves it to that.
#[cfg(feature = "cuda")]
fn convolves(x: &Tensor, weight: &Tensor, bias: &Tensor) -> bool {
    cfg!(not(feature = "cudnn")) && super::cuda::serves(x, &[weight, bias], true)
}

/// Weight and bias of a convolution, kept as the device likes them best.
#[derive(Clone, Debug)]
pub struct Conv2dWeights {
    weight: Tensor,
    bias: Tensor,
    #[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "processors have no TF32"))]
    tf32: bool,
}

impl Conv2dWeights {
    /// Of `weight` `[out, in, kernel, kernel]` and `bias` `[out]`. On a GPU weights that are not to
    /// be trained get the channels of a tap together in memory, and `tf32` lets products round
    /// their factors to ten bits after the point.
    ///
    /// # Errors
    /// The device refuses the memory.
    pub fn new(weight: Tensor, bias: Tensor, tf32: bool) -> Result<Self> {
        #[cfg(feature = "cuda")]
        if convolves(&weight, &weight, &bias) {
            let weight = super::cuda::pixels_first(&weight)?.permute((0, 3, 1, 2))?;
            return Ok(Self { weight, bias, tf32 });
        }
        Ok(Self { weight, bias, tf32 })
    }

    /// [`conv2d`] of `x`.
    ///
    /// # Errors
    /// As [`conv2d`].
    pub fn forward(&self, x: &Tensor, geometry: Conv2dGeometry) -> Result<Tensor> {
        self.enlarged(x, 1, geometry)
    }

    /// `onto`, which has the shape of the result, plus [`conv2d`] of `x`.
    ///
    /// # Errors
    /// As [`conv2d`].
    pub fn add_to(&self, onto: &Tensor, x: &Tensor, geometry: Conv2dGeometry) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if convolves(x, &self.weight, &self.bias) && onto.dtype() == x.dtype() && !onto.track_op() {
            return super::cuda::conv2d(
                x,
                &self.weight,
                &self.bias,
                geometry,
                1,
                Some(onto),
                self.tf32,
            );
        }
        onto + self.forward(x, geometry)?
    }

    /// [`conv2d`] of `x` made `times` as large by repeating pixels.
    ///
    /// # Errors
    /// As [`conv2d`].
    pub fn enlarged(&self, x: &Tensor, times: usize, geometry: Conv2dGeometry) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if convolves(x, &self.weight, &self.bias) {
            return super::cuda::conv2d(
                x,
                &self.weight,
                &self.bias,
                geometry,
                times,
                None,
                self.tf32,
            );
        }
        if times == 1 {
            return conv2d(x, &self.weight, Some(&self.bias), geometry);
        }
        let (batch, channels, height, width) = x.dims4()?;
        // By broadcasting: its backward pass is a sum, where the nearest-neighbour operation's is a
        // grouped convolution.
        let large = x
            .reshape((batch, channels, height, 1, width, 1))?
            .broadcast_as((batch, channels, height, times, width, times))?
            .reshape((batch, channels, times * height, times * width))?;
        conv2d(&large, &self.weight, Some(&self.bias), geometry)
    }
}

/// The same by candle's own operations: other devices and types, and the reference in tests.
///
/// # Errors
/// As [`conv2d`].
pub fn conv2d_plain(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Conv2dGeometry,
) -> Result<Tensor> {
    let Conv2dGeometry { stride, top, left, bottom, right } = geometry;
    let y = if top == left && top == bottom && top == right {
        x.conv2d(weight, top, stride, 1, 1)?
    } else {
        let padded = x.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)?;
        padded.conv2d(weight, 0, stride, 1, 1)?
    };
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

struct Conv2d(Conv2dGeometry);

impl Conv2d {
    fn run(
        &self,
        x: (&CpuStorage, &Layout),
        weight: (&CpuStorage, &Layout),
        bias: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = Sizes::new(x.1.shape(), weight.1.shape(), self.0)?;
        let input = super::contiguous(x.0, x.1)?;
        let kernel = super::contiguous(weight.0, weight.1)?;
        let bias = bias.map(|(storage, layout)| super::contiguous(storage, layout)).transpose()?;
        if bias.is_some_and(|bias| bias.len() != sizes.out_channels) {
            bail!("conv2d: bias does not have {} numbers", sizes.out_channels)
        }
        let mut out = vec![0f32; sizes.batch * sizes.out_channels * sizes.pixels()];
        if super::winograd::pays(&sizes) {
            super::winograd::forward(&sizes, input, kernel, bias, &mut out);
        } else {
            forward(&sizes, input, kernel, bias, &mut out);
        }
        Ok((CpuStorage::F32(out), sizes.out_shape()))
    }
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "f1-conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((x, lx), (w, lw), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        super::conv2d_backward::backward(x, w, grad, self.0).map(|(dx, dw)| (Some(dx), Some(dw)))
    }
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "f1-conv2d"
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
        self.run((x, lx), (w, lw), Some((b, lb)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = super::conv2d_backward::backward(x, w, grad, self.0)?;
        Ok((Some(dx), Some(dw), Some(super::channel_sums(grad)?)))
    }
}

/// One tile of output pixels of one image: where its rows go, one slice an output channel.
struct Tile<'a> {
    image: usize,
    first_pixel: usize,
    rows: Vec<&'a mut [f32]>,
}

/// The whole convolution on slices: `input` NCHW, `kernel` `[out, in, kh, kw]`, `out` NCHW.
pub(crate) fn forward(
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

/// Multiplies one row block with one panel into columns `first..first + used` of `rows`; the first
/// depth block starts from the bias, later ones add to what is there.
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

/// `out[i] = row[begin + i * stride - left]`, zero outside the row.
#[inline(always)]
pub(crate) fn copy_row(row: &[f32], begin: usize, left: usize, stride: usize, out: &mut [f32]) {
    if stride == 1 {
        // Output columns [low, high) lie inside the row.
        let low = left.saturating_sub(begin).min(out.len());
        let high = (row.len() + left).saturating_sub(begin).min(out.len()).max(low);
        out[..low].fill(0.0);
        out[high..].fill(0.0);
        if high > low {
            let from = begin + low - left;
            copy_short(&row[from..from + high - low], &mut out[low..high]);
        }
        return;
    }
    // The output columns [low, high) lie inside the row.
    let low = left.saturating_sub(begin).div_ceil(stride).min(out.len());
    let high = (row.len() + left).saturating_sub(begin).div_ceil(stride).min(out.len()).max(low);
    out[..low].fill(0.0);
    out[high..].fill(0.0);
    let Some(source) = (begin + low * stride).checked_sub(left).and_then(|from| row.get(from..))
    else {
        return;
    };
    let out = &mut out[low..high];
    if stride == 2 {
        let (pairs, rest) = source.as_chunks::<2>();
        for (out, pair) in out.iter_mut().zip(pairs) {
            *out = pair[0];
        }
        // The last pair may be half a pair at the row's end.
        if let (Some(out), [last]) = (out.get_mut(pairs.len()), rest) {
            *out = *last;
        }
    } else {
        for (out, &value) in out.iter_mut().zip(source.iter().step_by(stride)) {
            *out = value;
        }
    }
}

/// `copy_from_slice` without the call to `memcpy`, which costs more than these few vectors.
#[inline(always)]
pub(crate) fn copy_short(source: &[f32], out: &mut [f32]) {
    let (source, source_tail) = source.as_chunks::<16>();
    let (out, out_tail) = out.as_chunks_mut::<16>();
    for (out, source) in out.iter_mut().zip(source) {
        *out = *source;
    }
    for (out, source) in out_tail.iter_mut().zip(source_tail) {
        *out = *source;
    }
}
