//! Fits a camera image into the understanding expert's size and keeps its aspect ratio: bilinear,
//! half-pixel centres, no antialiasing.

use image::RgbImage;

use crate::{Error, Result};

/// Planar floats, `[channels][height * width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Planes {
    /// Height.
    pub height: usize,
    /// Width.
    pub width: usize,
    /// One plane for each channel.
    pub planes: Vec<Vec<f32>>,
}

/// Fits planes into `width` x `height`, with `pad` at the left and the top.
///
/// # Errors
/// An image without pixels.
pub fn resize_with_pad(image: &Planes, width: usize, height: usize, pad: f32) -> Result<Planes> {
    let fit = Fit::new((image.width, image.height), (width, height))?;
    let planes = image.planes.iter().map(|plane| {
        let mut out = vec![pad; width * height];
        fit.plane(&mut out, |y, columns, out| {
            stretch(columns, out, |x| plane[y * image.width + x]);
        });
        out
    });
    Ok(Planes { height, width, planes: planes.collect() })
}

/// The image's planes, fitted: `[3][height * width]` in [-1, 1], the padding black.
///
/// # Errors
/// An image without pixels.
pub(super) fn fitted(image: &RgbImage, width: usize, height: usize) -> Result<Vec<f32>> {
    let (wide, high) = (image.width() as usize, image.height() as usize);
    let fit = Fit::new((wide, high), (width, height))?;
    let unit: Vec<f32> = (0..=u8::MAX).map(|value| f32::from(value) / 255.0).collect();
    let raw = image.as_raw();
    let mut out = vec![0f32; 3 * width * height];
    for (channel, plane) in out.chunks_exact_mut(width * height).enumerate() {
        fit.plane(plane, |y, columns, out| {
            let row = &raw[y * wide * 3..(y + 1) * wide * 3];
            stretch(columns, out, |x| unit[usize::from(row[x * 3 + channel])]);
        });
    }
    for value in &mut out {
        *value = *value * 2.0 - 1.0;
    }
    Ok(out)
}

/// The source pixels and weights of every target pixel.
pub(super) struct Fit {
    width: usize,
    /// Columns and rows of padding.
    pub(super) left: usize,
    pub(super) top: usize,
    /// Two source indices and the second's weight, for each that is not padding.
    pub(super) columns: Vec<(usize, usize, f32)>,
    pub(super) rows: Vec<(usize, usize, f32)>,
}

impl Fit {
    /// From (width, height) `source` into `target`.
    ///
    /// # Errors
    /// A size without pixels.
    pub(super) fn new(source: (usize, usize), target: (usize, usize)) -> Result<Self> {
        let (width, height) = target;
        if source.0 == 0 || source.1 == 0 || width == 0 || height == 0 {
            return Err(Error::input("an image without pixels"));
        }
        let ratio = (source.0 as f64 / width as f64).max(source.1 as f64 / height as f64);
        let new_width = ((source.0 as f64 / ratio) as usize).clamp(1, width);
        let new_height = ((source.1 as f64 / ratio) as usize).clamp(1, height);
        Ok(Self {
            width,
            left: width - new_width,
            top: height - new_height,
            columns: taps(source.0, new_width),
            rows: taps(source.1, new_height),
        })
    }

    /// Fills the target plane `out` outside its padding; `stretched` gives a source row stretched
    /// to the new columns.
    fn plane(
        &self,
        out: &mut [f32],
        stretched: impl Fn(usize, &[(usize, usize, f32)], &mut [f32]),
    ) {
        let mut upper = vec![0f32; self.columns.len()];
        let mut lower = vec![0f32; self.columns.len()];
        let mut held = (usize::MAX, usize::MAX);
        for (row, &(y0, y1, fy)) in out.chunks_exact_mut(self.width).skip(self.top).zip(&self.rows)
        {
            if held != (y0, y1) {
                if held.1 == y0 {
                    std::mem::swap(&mut upper, &mut lower);
                } else {
                    stretched(y0, &self.columns, &mut upper);
                }
                if y1 == y0 {
                    lower.copy_from_slice(&upper);
                } else {
                    stretched(y1, &self.columns, &mut lower);
                }
                held = (y0, y1);
            }
            for ((value, a), b) in row[self.left..].iter_mut().zip(&upper).zip(&lower) {
                *value = a * (1.0 - fy) + b * fy;
            }
        }
    }
}

/// One row stretched to new columns.
fn stretch(columns: &[(usize, usize, f32)], out: &mut [f32], value: impl Fn(usize) -> f32) {
    for (out, &(x0, x1, fx)) in out.iter_mut().zip(columns) {
        *out = value(x0) * (1.0 - fx) + value(x1) * fx;
    }
}

/// Two source indices and the second's weight for each target index, in f32 as the reference
/// computes them.
fn taps(source: usize, target: usize) -> Vec<(usize, usize, f32)> {
    let scale = source as f32 / target as f32;
    (0..target)
        .map(|index| {
            let centre = ((index as f32 + 0.5) * scale - 0.5).max(0.0);
            let first = (centre as usize).min(source - 1);
            (first, (first + 1).min(source - 1), centre - first as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_fitted_as_its_planes_are() {
        for (w, h, width, height) in [(20, 10, 8, 8), (7, 9, 16, 16), (8, 8, 8, 8), (1, 30, 5, 4)] {
            let image = RgbImage::from_fn(w, h, |x, y| {
                image::Rgb([(17 * x) as u8, (29 * y) as u8, (x * y * 5) as u8])
            });
            let plane = |channel: usize| {
                image.pixels().map(|pixel| f32::from(pixel.0[channel]) / 255.0).collect()
            };
            let planes = Planes {
                height: h as usize,
                width: w as usize,
                planes: (0..3).map(plane).collect(),
            };
            let wanted = resize_with_pad(&planes, width, height, 0.0).unwrap().planes.concat();
            let wanted: Vec<f32> = wanted.into_iter().map(|value| value * 2.0 - 1.0).collect();
            assert_eq!(fitted(&image, width, height).unwrap(), wanted);
        }
    }
}
