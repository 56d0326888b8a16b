//! Image preparation: fitting camera images, shrinking and cropping history frames.

use candle_core::{Device, Tensor};
use image::RgbImage;

pub use self::fit::{Planes, resize_with_pad};
pub(crate) use self::images::ImageUploader;
pub use self::lanczos::{Shrink, Window};
use crate::{Error, Result};

mod fit;
mod images;
mod lanczos;

/// A camera image for the understanding expert: `[3, height, width]` in [-1, 1].
///
/// # Errors
/// An image without pixels.
pub fn prepare_camera(
    image: &RgbImage,
    width: usize,
    height: usize,
    device: &Device,
) -> Result<Tensor> {
    Ok(Tensor::from_vec(fit::fitted(image, width, height)?, (3, height, width), device)?)
}

/// Size of a history frame before its crop: the shorter side becomes `round(ratio * side)`, the
/// longer follows.
pub fn frame_size(width: u32, height: u32, side: usize, ratio: f64) -> (u32, u32) {
    let short = round_half_even(ratio * side as f64).max(1.0) as u32;
    let longer = |long: u32, shorter: u32| {
        ((f64::from(short) * f64::from(long) / f64::from(shorter.max(1))) as u32).max(short)
    };
    if width <= height { (short, longer(height, width)) } else { (longer(width, height), short) }
}

/// Rounds half to even, as Python does.
fn round_half_even(value: f64) -> f64 {
    let rounded = value.round();
    if (value - value.trunc()).abs() == 0.5 && rounded % 2.0 != 0.0 {
        rounded - value.signum()
    } else {
        rounded
    }
}

/// Offset of a centre crop.
pub fn centre(length: u32, side: usize) -> u32 {
    round_half_even((f64::from(length) - side as f64).max(0.0) / 2.0) as u32
}

/// A history frame for the tokenizer: shrunk, cropped from the centre, `[3, side, side]` in [-1,
/// 1].
///
/// # Errors
/// An image without pixels.
pub fn prepare_frame(image: &RgbImage, side: usize, ratio: f64, device: &Device) -> Result<Tensor> {
    let (width, height) = frame_size(image.width(), image.height(), side, ratio);
    let window = square(side, centre(width, side), centre(height, side));
    frames_tensor(
        &[Shrink::new(image.dimensions(), (width, height), window)?.apply_shared(image)?],
        device,
    )?
    .squeeze(0)
    .map_err(Error::from)
}

/// The square window of a shrunk frame that the tokenizer encodes.
pub fn square(side: usize, left: u32, top: u32) -> Window {
    Window { left, top, width: side as u32, height: side as u32 }
}

/// Images of one size as the tokenizer takes them: `[images, 3, height, width]` in [-1, 1].
///
/// # Errors
/// No images, or images of different sizes.
pub fn frames_tensor(images: &[RgbImage], device: &Device) -> Result<Tensor> {
    let Some((width, height)) = images.first().map(RgbImage::dimensions) else {
        return Err(Error::input("no images"));
    };
    if let Some(other) = images.iter().find(|image| image.dimensions() != (width, height)) {
        let (wide, high) = other.dimensions();
        return Err(Error::input(format!(
            "an image of {wide}x{high} among some of {width}x{height}"
        )));
    }
    let area = width as usize * height as usize;
    let signed: Vec<f32> = (0..=u8::MAX)
        .map(|value| {
            let unit = f32::from(value) / 255.0;
            unit + unit - 1.0
        })
        .collect();
    let mut values = vec![0f32; images.len() * 3 * area];
    for (image, planes) in images.iter().zip(values.chunks_exact_mut(3 * area)) {
        let (red, rest) = planes.split_at_mut(area);
        let (green, blue) = rest.split_at_mut(area);
        let targets = red.iter_mut().zip(green).zip(blue);
        for (pixel, ((red, green), blue)) in image.as_raw().chunks_exact(3).zip(targets) {
            (*red, *green, *blue) = (
                signed[usize::from(pixel[0])],
                signed[usize::from(pixel[1])],
                signed[usize::from(pixel[2])],
            );
        }
    }
    Ok(Tensor::from_vec(values, (images.len(), 3, height as usize, width as usize), device)?)
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
    RgbImage::from_raw(width as u32, height as u32, raw)
        .ok_or_else(|| Error::input("image size overflow"))
}
