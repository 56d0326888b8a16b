//! Coloured objects in an image of the bench, and how those of a foreseen image fit those that were
//! there.
//!
//! The same detector looks at true images, where the renderer knows what is visible: what it finds
//! there says how far its word on a foreseen image can be trusted.

use image::RgbImage;

use crate::bench::Visible;
use crate::objects::Colour;

/// Objects with fewer visible pixels do not count, and detections with fewer are no false objects;
/// of an image with [`SIDE`] pixels a side.
pub const LEAST_PIXELS: f64 = 12.0;
/// Detections with fewer pixels are noise.
const LEAST_DETECTED: f64 = 5.0;
/// A foreseen object is in its place within this distance, pixels of an image with [`SIDE`] pixels
/// a side.
pub const NEAR: f64 = 2.0;
/// Side of the image that the pixels above are of.
pub const SIDE: f64 = 64.0;

/// A blob of one object's colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Its colour.
    pub colour: Colour,
    /// Its pixels.
    pub pixels: u32,
    /// Mean place of its pixels' middles: right, down.
    pub centre: [f64; 2],
}

/// The object colour that a pixel has. The bounds lie between what the bench's lamp makes of
/// objects and of everything else (the arm's joints are a dull blue, the bin is purple).
#[must_use]
pub fn colour_of([red, green, blue]: [u8; 3]) -> Option<Colour> {
    let [r, g, b] = [red, green, blue].map(i32::from);
    if r.min(g) - b >= 55 && 10 * g >= 6 * r {
        Some(Colour::Yellow)
    } else if r - g.max(b) >= 60 {
        Some(Colour::Red)
    } else if g - r.max(b) >= 40 {
        Some(Colour::Green)
    } else if b - r >= 95 && b - g >= 60 {
        Some(Colour::Blue)
    } else {
        None
    }
}

/// Connected blobs (eight neighbours) of one object colour each.
#[must_use]
pub fn detect(image: &RgbImage) -> Vec<Detection> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut colours: Vec<Option<Colour>> = image.pixels().map(|pixel| colour_of(pixel.0)).collect();
    let least = LEAST_DETECTED * area_scale(image);
    let (mut found, mut open) = (Vec::new(), Vec::new());
    for start in 0..colours.len() {
        let Some(colour) = colours[start].take() else { continue };
        let (mut pixels, mut sum) = (0u32, [0.0, 0.0]);
        open.push(start);
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            pixels += 1;
            sum = [sum[0] + x as f64 + 0.5, sum[1] + y as f64 + 0.5];
            for ny in y.saturating_sub(1)..(y + 2).min(height) {
                for nx in x.saturating_sub(1)..(x + 2).min(width) {
                    let next = ny * width + nx;
                    if colours[next] == Some(colour) {
                        colours[next] = None;
                        open.push(next);
                    }
                }
            }
        }
        if f64::from(pixels) >= least {
            let centre = sum.map(|sum| sum / f64::from(pixels));
            found.push(Detection { colour, pixels, centre });
        }
    }
    found
}

/// Pixels of `image` for one of an image with [`SIDE`] pixels a side.
fn area_scale(image: &RgbImage) -> f64 {
    f64::from(image.width()) * f64::from(image.height()) / (SIDE * SIDE)
}

/// Objects detected in images against those that were visible, as sums that can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objects {
    /// Visible objects.
    pub visible: u64,
    /// Visible objects with a detection of their colour in their place.
    pub found: u64,
    /// Detections without a visible object in their colour and place.
    pub unmatched: u64,
    /// Images.
    pub images: u64,
}

impl Objects {
    /// Compares the detections in an image with what was visible, one to one, nearest pairs first.
    pub fn add(&mut self, image: &RgbImage, visible: &[Visible]) {
        let scale = area_scale(image);
        let near = NEAR * scale.sqrt();
        let visible: Vec<&Visible> =
            visible.iter().filter(|object| object.pixels >= LEAST_PIXELS * scale - 1e-9).collect();
        let found = detect(image);
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for (index, object) in visible.iter().enumerate() {
            for (other, detection) in found.iter().enumerate() {
                let [dx, dy] = [0, 1].map(|axis| object.centre[axis] - detection.centre[axis]);
                let distance = dx.hypot(dy);
                if detection.colour == object.kind.colour && distance <= near {
                    pairs.push((distance, index, other));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut of_object = vec![false; visible.len()];
        let mut of_detection = vec![false; found.len()];
        for (_, object, detection) in pairs {
            if !of_object[object] && !of_detection[detection] {
                (of_object[object], of_detection[detection]) = (true, true);
            }
        }
        self.images += 1;
        self.visible += visible.len() as u64;
        self.found += of_object.iter().filter(|matched| **matched).count() as u64;
        self.unmatched += found
            .iter()
            .zip(&of_detection)
            .filter(|(detection, matched)| {
                !**matched && f64::from(detection.pixels) >= LEAST_PIXELS * scale
            })
            .count() as u64;
    }

    /// Adds the sums of other images.
    pub fn merge(&mut self, other: &Objects) {
        self.visible += other.visible;
        self.found += other.found;
        self.unmatched += other.unmatched;
        self.images += other.images;
    }

    /// Share of visible objects in place and colour; `None` when none was visible.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.visible > 0).then(|| self.found as f64 / self.visible as f64)
    }

    /// False objects an image; `None` without images.
    #[must_use]
    pub fn false_per_image(&self) -> Option<f64> {
        (self.images > 0).then(|| self.unmatched as f64 / self.images as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Kind, Shape};

    fn square(image: &mut RgbImage, left: u32, top: u32, side: u32, colour: [u8; 3]) {
        for y in top..top + side {
            for x in left..left + side {
                image.put_pixel(x, y, image::Rgb(colour));
            }
        }
    }

    const RED: [u8; 3] = [200, 45, 50];
    const BLUE: [u8; 3] = [50, 80, 200];

    fn visible(colour: Colour, centre: [f64; 2]) -> Visible {
        Visible { kind: Kind { colour, shape: Shape::Cube }, pixels: 36.0, centre }
    }

    #[test]
    fn an_object_counts_in_its_colour_and_place_only() {
        let mut image = RgbImage::from_pixel(64, 64, image::Rgb([76, 78, 82]));
        square(&mut image, 10, 20, 6, RED);
        let score = |visible: &[Visible]| {
            let mut objects = Objects::default();
            objects.add(&image, visible);
            (objects.found, objects.unmatched)
        };
        assert_eq!(score(&[visible(Colour::Red, [13.0, 23.0])]), (1, 0));
        assert_eq!(score(&[visible(Colour::Red, [14.9, 23.0])]), (1, 0));
        assert_eq!(score(&[visible(Colour::Red, [15.1, 23.0])]), (0, 1));
        assert_eq!(score(&[visible(Colour::Blue, [13.0, 23.0])]), (0, 1));
        assert_eq!(score(&[]), (0, 1));
    }

    #[test]
    fn one_detection_is_not_two_objects() {
        let mut image = RgbImage::from_pixel(64, 64, image::Rgb([76, 78, 82]));
        square(&mut image, 10, 20, 6, BLUE);
        let mut objects = Objects::default();
        let both = [visible(Colour::Blue, [12.5, 23.0]), visible(Colour::Blue, [13.5, 23.0])];
        objects.add(&image, &both);
        assert_eq!((objects.visible, objects.found, objects.unmatched), (2, 1, 0));
    }

    #[test]
    fn small_blobs_are_no_false_objects() {
        let mut image = RgbImage::from_pixel(64, 64, image::Rgb([76, 78, 82]));
        square(&mut image, 10, 20, 3, RED);
        let mut objects = Objects::default();
        objects.add(&image, &[]);
        assert_eq!((detect(&image).len(), objects.unmatched), (1, 0));
    }

    #[test]
    fn the_arm_and_the_bin_are_no_objects() {
        for pixel in [[46, 78, 125], [36, 60, 98], [153, 120, 165], [165, 153, 137], [74, 76, 80]] {
            assert_eq!(colour_of(pixel), None, "{pixel:?}");
        }
    }
}
