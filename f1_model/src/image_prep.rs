//! Image preparation: fitting camera images, shrinking and cropping history frames.

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::{Error, Result};

/// Planar floats, `[channels][height * width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Planes {
    /// Height.
    pub height: usize,
    /// Width.
    pub width: usize,
    /// One plane a channel.
    pub planes: Vec<Vec<f32>>,
}

/// Fits planes into `width` x `height` with the aspect kept: bilinear with half-pixel centres and no antialias,
/// `pad` at the left and the top.
///
/// # Errors
/// An image without pixels.
pub fn resize_with_pad(image: &Planes, width: usize, height: usize, pad: f32) -> Result<Planes> {
    if image.width == 0 || image.height == 0 || width == 0 || height == 0 {
        return Err(Error::input("an image without pixels"));
    }
    let ratio = (image.width as f64 / width as f64).max(image.height as f64 / height as f64);
    let new_width = ((image.width as f64 / ratio) as usize).clamp(1, width);
    let new_height = ((image.height as f64 / ratio) as usize).clamp(1, height);
    let (left, top) = (width - new_width, height - new_height);
    let columns = taps(image.width, new_width);
    let rows = taps(image.height, new_height);
    let planes = image
        .planes
        .iter()
        .map(|plane| {
            let mut out = vec![pad; width * height];
            let mut upper = vec![0f32; new_width];
            let mut lower = vec![0f32; new_width];
            let mut held = (usize::MAX, usize::MAX);
            for (y, &(y0, y1, fy)) in rows.iter().enumerate() {
                if held != (y0, y1) {
                    stretch(&plane[y0 * image.width..(y0 + 1) * image.width], &columns, &mut upper);
                    stretch(&plane[y1 * image.width..(y1 + 1) * image.width], &columns, &mut lower);
                    held = (y0, y1);
                }
                let row = &mut out[(top + y) * width + left..(top + y + 1) * width];
                for ((value, a), b) in row.iter_mut().zip(&upper).zip(&lower) {
                    *value = a * (1.0 - fy) + b * fy;
                }
            }
            out
        })
        .collect();
    Ok(Planes { height, width, planes })
}

/// One row stretched to new columns.
fn stretch(row: &[f32], columns: &[(usize, usize, f32)], out: &mut [f32]) {
    for (value, &(x0, x1, fx)) in out.iter_mut().zip(columns) {
        *value = row[x0] * (1.0 - fx) + row[x1] * fx;
    }
}

/// Two source indices and the second's weight for each target index, in f32 as the reference computes them.
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

/// A camera image for the understanding expert: `[3, height, width]` in [-1, 1].
///
/// # Errors
/// An image without pixels.
pub fn prepare_camera(image: &RgbImage, width: usize, height: usize, device: &Device) -> Result<Tensor> {
    let fitted = resize_with_pad(&unit_planes(image), width, height, 0.0)?;
    let values: Vec<f32> = fitted.planes.into_iter().flatten().map(|value| value * 2.0 - 1.0).collect();
    Ok(Tensor::from_vec(values, (3, height, width), device)?)
}

/// Planes of an image in [0, 1].
pub fn unit_planes(image: &RgbImage) -> Planes {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let plane = |channel: usize| {
        image.as_raw().iter().skip(channel).step_by(3).map(|value| f32::from(*value) / 255.0).collect()
    };
    let planes = (0..3).map(plane).collect();
    Planes { height, width, planes }
}

/// Size of a history frame before its crop: the shorter side becomes `round(ratio * side)`, the longer follows.
pub fn frame_size(width: u32, height: u32, side: usize, ratio: f64) -> (u32, u32) {
    let short = round_half_even(ratio * side as f64).max(1.0) as u32;
    let longer = |long: u32, shorter: u32| {
        ((f64::from(short) * f64::from(long) / f64::from(shorter.max(1))) as u32).max(short)
    };
    if width <= height { (short, longer(height, width)) } else { (longer(width, height), short) }
}

/// Rounds as Python does.
fn round_half_even(value: f64) -> f64 {
    let rounded = value.round();
    if (value - value.trunc()).abs() == 0.5 && rounded % 2.0 != 0.0 {
        rounded - value.signum()
    } else {
        rounded
    }
}

/// Shrinks a frame as Pillow's Lanczos does: separable, support widened by the scale, 8-bit between the passes.
///
/// # Errors
/// An image without pixels.
pub fn lanczos(image: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    if image.width() == 0 || image.height() == 0 || width == 0 || height == 0 {
        return Err(Error::input("an image without pixels"));
    }
    let (source_width, source_height) = (image.width() as usize, image.height() as usize);
    let (out_width, out_height) = (width as usize, height as usize);
    let pixels = image.as_raw();
    let across = kernels(source_width, out_width);
    let mut middle = vec![0u8; out_width * source_height * 3];
    for (row, out) in pixels.chunks_exact(source_width * 3).zip(middle.chunks_exact_mut(out_width * 3)) {
        for ((start, weights), out) in across.iter().zip(out.chunks_exact_mut(3)) {
            let mut sums = [ROUND; 3];
            for (weight, pixel) in weights.iter().zip(row[start * 3..].chunks_exact(3)) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += weight * i32::from(*value);
                }
            }
            for (value, sum) in out.iter_mut().zip(sums) {
                *value = (sum >> PRECISION).clamp(0, 255) as u8;
            }
        }
    }
    let down = kernels(source_height, out_height);
    let stride = out_width * 3;
    let mut out = vec![0u8; stride * out_height];
    let mut sums = vec![0i32; stride];
    for ((start, weights), out) in down.iter().zip(out.chunks_exact_mut(stride)) {
        sums.fill(ROUND);
        for (weight, row) in weights.iter().zip(middle[start * stride..].chunks_exact(stride)) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * i32::from(*value);
            }
        }
        for (value, sum) in out.iter_mut().zip(&sums) {
            *value = (sum >> PRECISION).clamp(0, 255) as u8;
        }
    }
    RgbImage::from_raw(width, height, out).ok_or_else(|| Error::input("image size overflow"))
}

/// Fractional bits of the fixed-point weights.
const PRECISION: u32 = 22;
/// One half, so that the shift rounds.
const ROUND: i32 = 1 << (PRECISION - 1);

/// First source index and fixed-point weights of each target index.
fn kernels(source: usize, target: usize) -> Vec<(usize, Vec<i32>)> {
    const SUPPORT: f64 = 3.0;
    let sinc = |x: f64| {
        if x == 0.0 { 1.0 } else { (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI) }
    };
    let scale = source as f64 / target as f64;
    let wide = scale.max(1.0);
    (0..target)
        .map(|index| {
            let centre = (index as f64 + 0.5) * scale;
            let from = (centre - SUPPORT * wide + 0.5).max(0.0) as usize;
            let to = ((centre + SUPPORT * wide + 0.5) as usize).min(source);
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

/// Offset of a centre crop.
pub fn centre(length: u32, side: usize) -> u32 {
    round_half_even((f64::from(length) - side as f64).max(0.0) / 2.0) as u32
}

/// A history frame for the tokenizer: shrunk, cropped from the centre, `[3, side, side]` in [-1, 1].
///
/// # Errors
/// An image without pixels.
pub fn prepare_frame(image: &RgbImage, side: usize, ratio: f64, device: &Device) -> Result<Tensor> {
    let (width, height) = frame_size(image.width(), image.height(), side, ratio);
    let shrunk = lanczos(image, width, height)?;
    crop_frame(&shrunk, side, centre(width, side), centre(height, side), device)
}

/// Crops a shrunk frame at `left`, `top` to `[3, side, side]` in [-1, 1].
///
/// # Errors
/// The crop leaves the image.
pub fn crop_frame(shrunk: &RgbImage, side: usize, left: u32, top: u32, device: &Device) -> Result<Tensor> {
    let (left, top, stride) = (left as usize, top as usize, shrunk.width() as usize);
    if left + side > stride || top + side > shrunk.height() as usize {
        return Err(Error::input(format!(
            "a {side}x{side} crop at {left},{top} leaves a {}x{} frame",
            shrunk.width(),
            shrunk.height()
        )));
    }
    let raw = shrunk.as_raw();
    let mut values = Vec::with_capacity(3 * side * side);
    for channel in 0..3 {
        for y in top..top + side {
            for x in left..left + side {
                let value = f32::from(raw[(y * stride + x) * 3 + channel]) / 255.0;
                values.push(value + value - 1.0);
            }
        }
    }
    Ok(Tensor::from_vec(values, (3, side, side), device)?)
}

/// An image `[3, height, width]` in [-1, 1] as 8-bit pixels, rounded.
///
/// # Errors
/// The tensor has another layout.
pub fn to_image(tensor: &Tensor) -> Result<RgbImage> {
    let (channels, height, width) = tensor.dims3()?;
    if channels != 3 {
        return Err(Error::input(format!("an image has 3 channels, not {channels}")));
    }
    let planes: Vec<f32> = tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?;
    let area = height * width;
    let mut raw = Vec::with_capacity(3 * area);
    for pixel in 0..area {
        for channel in 0..3 {
            let value = planes[channel * area + pixel];
            raw.push(((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8);
        }
    }
    RgbImage::from_raw(width as u32, height as u32, raw).ok_or_else(|| Error::input("image size overflow"))
}
