//! Augmentation of the understanding expert's images.
//!
//! Brightness, contrast and saturation are the reference's (torchvision's definitions and ranges);
//! the random crop and the small rotation, which its configuration names without giving, are ours
//! and off unless a run gives ranges.

use image::{Rgb, RgbImage};
use rand::Rng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

/// Ranges of the random changes; a change without a range is not made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Factor on all values.
    #[serde(default)]
    pub brightness: Option<[f32; 2]>,
    /// Factor on the distance to the mean grey.
    #[serde(default)]
    pub contrast: Option<[f32; 2]>,
    /// Factor on the distance to each pixel's own grey.
    #[serde(default)]
    pub saturation: Option<[f32; 2]>,
    /// Side of a random crop over the side of the image, resized back.
    #[serde(default)]
    pub crop: Option<[f32; 2]>,
    /// Degrees.
    #[serde(default)]
    pub rotation: Option<[f32; 2]>,
    /// How many of the changes one image gets, chosen at random, in random order.
    #[serde(default = "default_max")]
    pub max_transforms: usize,
}

fn default_max() -> usize {
    3
}

impl Augmentation {
    /// The reference's ranges.
    #[must_use]
    pub fn released() -> Self {
        Self {
            brightness: Some([0.8, 1.2]),
            contrast: Some([0.8, 1.2]),
            saturation: Some([0.5, 1.5]),
            crop: None,
            rotation: None,
            max_transforms: 3,
        }
    }

    /// Changes one image.
    #[must_use]
    pub fn apply(&self, image: RgbImage, random: &mut impl Rng) -> RgbImage {
        let all = [
            (Change::Brightness, self.brightness),
            (Change::Contrast, self.contrast),
            (Change::Saturation, self.saturation),
            (Change::Crop, self.crop),
            (Change::Rotation, self.rotation),
        ];
        let mut changes: Vec<(Change, [f32; 2])> =
            all.into_iter().filter_map(|(change, range)| Some((change, range?))).collect();
        changes.shuffle(random);
        changes.truncate(self.max_transforms);
        changes.into_iter().fold(image, |image, (change, [low, high])| {
            let amount = low + (high - low) * random.random::<f32>();
            match change {
                Change::Brightness => brightness(image, amount),
                Change::Contrast => contrast(image, amount),
                Change::Saturation => saturation(image, amount),
                Change::Crop => {
                    let (x, y) = (random.random::<f32>(), random.random::<f32>());
                    let (width, height) = (image.width() as f32, image.height() as f32);
                    let (left, top) = (x * (1.0 - amount) * width, y * (1.0 - amount) * height);
                    warp(&image, |u, v| (left + u * amount, top + v * amount))
                }
                Change::Rotation => {
                    let (sine, cosine) = amount.to_radians().sin_cos();
                    let (cx, cy) = (image.width() as f32 / 2.0, image.height() as f32 / 2.0);
                    warp(&image, |u, v| {
                        let (x, y) = (u - cx, v - cy);
                        (cx + cosine * x + sine * y, cy - sine * x + cosine * y)
                    })
                }
            }
        })
    }
}

#[derive(Clone, Copy)]
enum Change {
    Brightness,
    Contrast,
    Saturation,
    Crop,
    Rotation,
}

fn grey(pixel: &Rgb<u8>) -> f32 {
    0.2989 * f32::from(pixel.0[0]) + 0.587 * f32::from(pixel.0[1]) + 0.114 * f32::from(pixel.0[2])
}

fn to_byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// Multiplies every value.
#[must_use]
pub fn brightness(mut image: RgbImage, factor: f32) -> RgbImage {
    image
        .pixels_mut()
        .for_each(|pixel| pixel.0 = pixel.0.map(|value| to_byte(f32::from(value) * factor)));
    image
}

/// Blends with the image's mean grey.
#[must_use]
pub fn contrast(mut image: RgbImage, factor: f32) -> RgbImage {
    let count = (image.width() * image.height()).max(1);
    let mean =
        (image.pixels().map(|pixel| f64::from(grey(pixel))).sum::<f64>() / f64::from(count)) as f32;
    let blend = |value: u8| to_byte(f32::from(value) * factor + mean * (1.0 - factor));
    image.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(blend));
    image
}

/// Blends each pixel with its own grey.
#[must_use]
pub fn saturation(mut image: RgbImage, factor: f32) -> RgbImage {
    for pixel in image.pixels_mut() {
        let own = grey(pixel);
        pixel.0 = pixel.0.map(|value| to_byte(f32::from(value) * factor + own * (1.0 - factor)));
    }
    image
}

/// Draws an image whose pixel centre `(u, v)` comes from `source(u, v)`, bilinear, black outside.
fn warp(image: &RgbImage, source: impl Fn(f32, f32) -> (f32, f32)) -> RgbImage {
    let (width, height) = (image.width() as i64, image.height() as i64);
    let at = |x: i64, y: i64| match x >= 0 && y >= 0 && x < width && y < height {
        true => image.get_pixel(x as u32, y as u32).0.map(f32::from),
        false => [0.0; 3],
    };
    RgbImage::from_fn(image.width(), image.height(), |u, v| {
        let (x, y) = source(u as f32 + 0.5, v as f32 + 0.5);
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (dx, dy) = (x - left, y - top);
        let (left, top) = (left as i64, top as i64);
        let corners = [at(left, top), at(left + 1, top), at(left, top + 1), at(left + 1, top + 1)];
        Rgb(std::array::from_fn(|c| {
            let upper = corners[0][c] * (1.0 - dx) + corners[1][c] * dx;
            let lower = corners[2][c] * (1.0 - dx) + corners[3][c] * dx;
            to_byte(upper * (1.0 - dy) + lower * dy)
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn image() -> RgbImage {
        RgbImage::from_fn(8, 6, |x, y| Rgb([x as u8 * 30, y as u8 * 40, 100]))
    }

    #[test]
    fn a_factor_of_one_changes_nothing() {
        assert_eq!(brightness(image(), 1.0), image());
        assert_eq!(contrast(image(), 1.0), image());
        assert_eq!(saturation(image(), 1.0), image());
        assert_eq!(warp(&image(), |u, v| (u, v)), image());
    }

    #[test]
    fn without_saturation_the_channels_agree() {
        let grey = saturation(image(), 0.0);
        assert!(grey.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]));
    }

    #[test]
    fn the_same_seed_gives_the_same_image() {
        let apply = |seed| {
            let mut augmentation = Augmentation::released();
            augmentation.crop = Some([0.8, 1.0]);
            augmentation.rotation = Some([-5.0, 5.0]);
            augmentation.max_transforms = 5;
            augmentation.apply(image(), &mut ChaCha8Rng::seed_from_u64(seed))
        };
        assert_eq!(apply(1), apply(1));
        assert_ne!(apply(1), apply(2));
    }
}
