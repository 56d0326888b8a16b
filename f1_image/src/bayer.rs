//! Colour mosaics: each pixel has one colour, the other two are means of the nearest pixels that
//! have them.

use image::RgbImage;

use crate::encoding::Mosaic;

impl Mosaic {
    /// The colour (0 red, 1 green, 2 blue) that a pixel of the mosaic has.
    fn colour(self, x: usize, y: usize) -> usize {
        let corner = match self {
            Mosaic::Rggb => [0, 1, 1, 2],
            Mosaic::Bggr => [2, 1, 1, 0],
            Mosaic::Gbrg => [1, 2, 0, 1],
            Mosaic::Grbg => [1, 0, 2, 1],
        };
        corner[(y % 2) * 2 + x % 2]
    }
}

/// Appends the image; `plane` is `width * height` samples, both at least two.
pub(crate) fn to_rgb(plane: &[u8], width: usize, height: usize, mosaic: Mosaic, out: &mut Vec<u8>) {
    for y in 0..height {
        for x in 0..width {
            let (mut sum, mut count) = ([0_u32; 3], [0_u32; 3]);
            let own = mosaic.colour(x, y);
            // At the border the window is smaller; it always holds at least one pixel of each
            // colour.
            for near_y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for near_x in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let colour = mosaic.colour(near_x, near_y);
                    sum[colour] += u32::from(plane[near_y * width + near_x]);
                    count[colour] += 1;
                }
            }
            let mut pixel = [0; 3];
            for colour in 0..3 {
                pixel[colour] = if colour == own {
                    plane[y * width + x]
                } else {
                    ((sum[colour] + count[colour] / 2) / count[colour].max(1)) as u8
                };
            }
            out.extend_from_slice(&pixel);
        }
    }
}

/// Keeps the one colour that the mosaic has at each pixel.
pub(crate) fn from_rgb(image: &RgbImage, mosaic: Mosaic) -> Vec<u8> {
    image
        .enumerate_pixels()
        .map(|(x, y, pixel)| pixel.0[mosaic.colour(x as usize, y as usize)])
        .collect()
}
