//! Shrinking with Pillow's Lanczos filter: separable, support widened by the scale, 22-bit weights,
//! 8 bits between the passes.

use f1_kernels::arch;
use image::RgbImage;
use rayon::prelude::*;

use crate::{Error, Result};

/// Fractional bits of the fixed-point weights.
const PRECISION: u32 = 22;
/// One half, which makes the shift round.
const ROUND: i32 = 1 << (PRECISION - 1);
/// Rows in a block of the horizontal pass: their pixels of one column are consecutive in memory, as
/// those of one row are in the vertical pass.
const ROWS: usize = 16;
/// Bytes of one column of a block.
const LANES: usize = 3 * ROWS;

/// First source index and fixed-point weights of each target index.
type Weights = Vec<(usize, Vec<i32>)>;

/// A rectangle of the shrunk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Columns before it.
    pub left: u32,
    /// Rows before it.
    pub top: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Window {
    /// All of a `width` x `height` image.
    #[must_use]
    pub fn whole(width: u32, height: u32) -> Self {
        Self { left: 0, top: 0, width, height }
    }
}

/// Shrinks images of one size and crops a window: only the window's pixels are computed.
#[derive(Debug, Clone)]
pub struct Shrink {
    source: (u32, u32),
    window: Window,
    pub(super) across: Weights,
    pub(super) down: Weights,
    /// First source row that the window needs, and one past the last.
    pub(super) rows: (usize, usize),
}

impl Shrink {
    /// From `source` (width, height) to `target`, of which `window` is kept.
    ///
    /// # Errors
    /// A size without pixels, or a window outside the target.
    pub fn new(source: (u32, u32), target: (u32, u32), window: Window) -> Result<Self> {
        if source.0 == 0 || source.1 == 0 || window.width == 0 || window.height == 0 {
            return Err(Error::input("an image without pixels"));
        }
        let Window { left, top, width, height } = window;
        let leaves = |from: u32, length: u32, size: u32| {
            from.checked_add(length).is_none_or(|end| end > size)
        };
        if leaves(left, width, target.0) || leaves(top, height, target.1) {
            return Err(Error::input(format!(
                "a {width}x{height} crop at {left},{top} leaves a {}x{} frame",
                target.0, target.1
            )));
        }
        let across = weights(source.0, target.0, left, width);
        let down = weights(source.1, target.1, top, height);
        let first = down.iter().map(|(start, _)| *start).min().unwrap_or(0);
        let end = down.iter().map(|(start, weights)| start + weights.len()).max().unwrap_or(0);
        Ok(Self { source, window, across, down, rows: (first, end) })
    }

    /// The window of the shrunk `image`, computed by this thread: for many images in parallel.
    ///
    /// # Errors
    /// The image has another size than `source`.
    pub fn apply(&self, image: &RgbImage) -> Result<RgbImage> {
        self.shrunk(image, false)
    }

    /// As [`Shrink::apply`], computed by rayon's threads: for a single image at low latency.
    ///
    /// # Errors
    /// As [`Shrink::apply`].
    pub fn apply_shared(&self, image: &RgbImage) -> Result<RgbImage> {
        self.shrunk(image, true)
    }

    fn shrunk(&self, image: &RgbImage, shared: bool) -> Result<RgbImage> {
        if image.dimensions() != self.source {
            let ((width, height), (wide, high)) = (image.dimensions(), self.source);
            return Err(Error::input(format!(
                "an image of {width}x{height}, not {wide}x{high} as the others"
            )));
        }
        let middle = self.pass_across(image.as_raw(), shared);
        let stride = self.across.len() * 3;
        let mut out = vec![0u8; stride * self.down.len()];
        let some_rows = |(down, out): (&[(usize, Vec<i32>)], &mut [u8])| {
            let mut sums = vec![0i32; stride];
            arch().dispatch(|| {
                for ((start, weights), out) in down.iter().zip(out.chunks_exact_mut(stride)) {
                    let rows = &middle[(start - self.rows.0) * stride..];
                    weighted_sum(weights, rows, stride, &mut sums, out);
                }
            });
        };
        if shared {
            self.down.par_chunks(ROWS).zip(out.par_chunks_mut(stride * ROWS)).for_each(some_rows);
        } else {
            some_rows((&self.down, &mut out));
        }
        let Window { width, height, .. } = self.window;
        RgbImage::from_raw(width, height, out).ok_or_else(|| Error::input("image size overflow"))
    }

    /// The needed rows, each shrunk to the window's columns.
    fn pass_across(&self, pixels: &[u8], shared: bool) -> Vec<u8> {
        let (source_stride, columns) = (self.source.0 as usize * 3, self.across.len());
        let (first, end) = self.rows;
        let needed = &pixels[first * source_stride..end * source_stride];
        let mut middle = vec![0u8; (end - first) * columns * 3];
        let some_rows = |block: &mut Vec<u8>, (source, target): (&[u8], &mut [u8])| {
            let mut sums = [0i32; LANES];
            let mut shrunk = [0u8; LANES];
            for (row, pixels) in source.chunks_exact(source_stride).enumerate() {
                for (column, pixel) in block.chunks_exact_mut(LANES).zip(pixels.chunks_exact(3)) {
                    column[row * 3..row * 3 + 3].copy_from_slice(pixel);
                }
            }
            arch().dispatch(|| {
                for (index, (start, weights)) in self.across.iter().enumerate() {
                    weighted_sum(weights, &block[start * LANES..], LANES, &mut sums, &mut shrunk);
                    for (row, pixel) in
                        target.chunks_exact_mut(columns * 3).zip(shrunk.chunks_exact(3))
                    {
                        row[index * 3..index * 3 + 3].copy_from_slice(pixel);
                    }
                }
            });
        };
        let scratch = || vec![0u8; self.source.0 as usize * LANES];
        let (source_rows, target_rows) = (source_stride * ROWS, columns * 3 * ROWS);
        if shared {
            let pairs = needed.par_chunks(source_rows).zip(middle.par_chunks_mut(target_rows));
            pairs.for_each_init(scratch, some_rows);
        } else {
            let mut block = scratch();
            let pairs = needed.chunks(source_rows).zip(middle.chunks_mut(target_rows));
            pairs.for_each(|pair| some_rows(&mut block, pair));
        }
        middle
    }
}

/// The weighted sum of rows of `stride` bytes, rounded to `out`; `sums` is scratch of that length.
#[inline(always)]
fn weighted_sum(weights: &[i32], rows: &[u8], stride: usize, sums: &mut [i32], out: &mut [u8]) {
    sums.fill(ROUND);
    for (weight, row) in weights.iter().zip(rows.chunks_exact(stride)) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += weight * i32::from(*value);
        }
    }
    for (value, sum) in out.iter_mut().zip(sums.iter()) {
        *value = (sum >> PRECISION).clamp(0, 255) as u8;
    }
}

/// The weights of the `count` target indices from `from` on.
fn weights(source: u32, target: u32, from: u32, count: u32) -> Weights {
    const SUPPORT: f64 = 3.0;
    let sinc = |x: f64| {
        if x == 0.0 { 1.0 } else { (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI) }
    };
    let scale = f64::from(source) / f64::from(target);
    let wide = scale.max(1.0);
    (from..from + count)
        .map(|index| {
            let centre = (f64::from(index) + 0.5) * scale;
            let from = (centre - SUPPORT * wide + 0.5).max(0.0) as usize;
            let to = ((centre + SUPPORT * wide + 0.5) as usize).min(source as usize);
            let weights: Vec<f64> = (from..to)
                .map(|x| {
                    let x = (x as f64 - centre + 0.5) / wide;
                    if x.abs() < SUPPORT { sinc(x) * sinc(x / SUPPORT) } else { 0.0 }
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            let one = f64::from(1u32 << PRECISION);
            (from, weights.into_iter().map(|weight| (weight / sum * one).round() as i32).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let value = |factor: u32| (factor * x * x + 31 * y * (x + 1)) as u8;
            image::Rgb([value(1), value(3), value(7)])
        })
    }

    /// The definition, one pixel after the other.
    fn plain(image: &RgbImage, width: u32, height: u32) -> RgbImage {
        let across = weights(image.width(), width, 0, width);
        let middle = RgbImage::from_fn(width, image.height(), |x, y| {
            let (start, weights) = &across[x as usize];
            sum(weights, |k| *image.get_pixel((start + k) as u32, y))
        });
        let down = weights(image.height(), height, 0, height);
        RgbImage::from_fn(width, height, |x, y| {
            let (start, weights) = &down[y as usize];
            sum(weights, |k| *middle.get_pixel(x, (start + k) as u32))
        })
    }

    fn sum(weights: &[i32], pixel: impl Fn(usize) -> image::Rgb<u8>) -> image::Rgb<u8> {
        let channel = |c: usize| {
            let sum: i32 = weights
                .iter()
                .enumerate()
                .map(|(k, weight)| weight * i32::from(pixel(k).0[c]))
                .sum();
            ((sum + ROUND) >> PRECISION).clamp(0, 255) as u8
        };
        image::Rgb([channel(0), channel(1), channel(2)])
    }

    #[test]
    fn every_window_is_a_part_of_the_image_shrunk_by_the_definition() {
        for ((w, h), (width, height)) in
            [((37, 50), (20, 27)), ((64, 48), (85, 64)), ((16, 33), (16, 33)), ((5, 3), (1, 1))]
        {
            let image = image(w, h);
            let whole = plain(&image, width, height);
            for (left, top) in [(0, 0), (width / 3, height / 2), (width - 1, height - 1)] {
                let window = Window { left, top, width: width - left, height: height - top };
                let shrunk =
                    Shrink::new((w, h), (width, height), window).unwrap().apply(&image).unwrap();
                let wanted =
                    image::imageops::crop_imm(&whole, left, top, window.width, window.height)
                        .to_image();
                assert!(shrunk == wanted, "{w}x{h} to {width}x{height} from {left},{top}");
                let shared = Shrink::new((w, h), (width, height), window)
                    .unwrap()
                    .apply_shared(&image)
                    .unwrap();
                assert!(shared == wanted, "{w}x{h} to {width}x{height} from {left},{top}, shared");
            }
        }
    }

    #[test]
    fn windows_outside_the_image_and_other_sizes_are_refused() {
        let whole = Window::whole(4, 4);
        let beyond = Window { left: 1, ..whole };
        let error = Shrink::new((8, 8), (4, 4), beyond).unwrap_err().to_string();
        assert!(error.contains("a 4x4 crop at 1,0 leaves a 4x4 frame"), "{error}");
        assert!(Shrink::new((0, 8), (4, 4), whole).is_err());
        assert!(Shrink::new((8, 8), (4, 4), whole).unwrap().apply(&image(8, 9)).is_err());
    }
}
