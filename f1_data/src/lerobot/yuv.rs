//! Luma and chroma planes to RGB.

use image::RgbImage;

/// An image in luma and chroma planes of 8 bits.
pub(super) struct Yuv<'a> {
    pub size: (u32, u32),
    pub planes: [&'a [u8]; 3],
    /// Bytes from one row of a plane to the next.
    pub strides: [usize; 3],
    /// Whether chroma has half the columns and half the rows.
    pub halved: (bool, bool),
    pub full_range: bool,
    /// BT.709 instead of BT.601.
    pub high_definition: bool,
}

/// Fractional bits of the coefficients: with 8-bit samples everything stays far inside 32 bits.
const BITS: u32 = 14;

impl Yuv<'_> {
    /// The pixels; each chroma sample serves all pixels it covers, as ffmpeg's default conversion
    /// does.
    pub fn to_rgb(&self) -> Result<RgbImage, String> {
        let (red, blue) = if self.high_definition { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let green = 1.0 - red - blue;
        let (scale, offset, chroma) =
            if self.full_range { (1.0, 0, 1.0) } else { (255.0 / 219.0, 16, 255.0 / 224.0) };
        let fixed = |value: f64| (value * f64::from(1 << BITS)).round() as i32;
        let luma = fixed(scale);
        let red_of_v = fixed(2.0 * (1.0 - red) * chroma);
        let blue_of_u = fixed(2.0 * (1.0 - blue) * chroma);
        let green_of_u = fixed(-2.0 * (1.0 - blue) * chroma * blue / green);
        let green_of_v = fixed(-2.0 * (1.0 - red) * chroma * red / green);
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let covered =
            |length: usize, halved: bool| if halved { length.div_ceil(2) } else { length };
        let mut out = vec![0u8; width * height * 3];
        for (y, line) in out.chunks_exact_mut((width * 3).max(1)).enumerate() {
            let lower = if self.halved.1 { y / 2 } else { y };
            let row = |plane: usize, y: usize, width: usize| {
                self.planes[plane].get(y * self.strides[plane]..y * self.strides[plane] + width)
            };
            let small = covered(width, self.halved.0);
            let (Some(ys), Some(us), Some(vs)) =
                (row(0, y, width), row(1, lower, small), row(2, lower, small))
            else {
                return Err(format!("a plane is smaller than {width}x{height}"));
            };
            for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
                let at = if self.halved.0 { x / 2 } else { x };
                let base = luma * (i32::from(ys[x]) - offset) + (1 << (BITS - 1));
                let (u, v) = (i32::from(us[at]) - 128, i32::from(vs[at]) - 128);
                let rgb = [
                    base + red_of_v * v,
                    base + green_of_u * u + green_of_v * v,
                    base + blue_of_u * u,
                ];
                pixel.copy_from_slice(&rgb.map(|value| (value >> BITS).clamp(0, 255) as u8));
            }
        }
        RgbImage::from_raw(self.size.0, self.size.1, out)
            .ok_or_else(|| "an image without pixels".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(luma: u8, u: u8, v: u8, full_range: bool, high_definition: bool) -> [u8; 3] {
        let planes: [&[u8]; 3] = [&[luma; 9], &[u; 4], &[v; 4]];
        let yuv = Yuv {
            size: (3, 3),
            planes,
            strides: [3, 2, 2],
            halved: (true, true),
            full_range,
            high_definition,
        };
        yuv.to_rgb().unwrap().get_pixel(2, 2).0
    }

    #[test]
    fn primary_colours_come_back_from_their_definition() {
        let near = |seen: [u8; 3], wanted: [u8; 3]| {
            assert!(
                seen.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 2),
                "{seen:?}, not {wanted:?}"
            );
        };
        // Limited range, BT.601 and BT.709: black, white, red, blue.
        for high_definition in [false, true] {
            near(pixel(16, 128, 128, false, high_definition), [0; 3]);
            near(pixel(235, 128, 128, false, high_definition), [255; 3]);
        }
        near(pixel(81, 90, 240, false, false), [255, 0, 0]);
        near(pixel(63, 102, 240, false, true), [255, 0, 0]);
        near(pixel(41, 240, 110, false, false), [0, 0, 255]);
        // Full range: grey is grey.
        near(pixel(77, 128, 128, true, false), [77; 3]);
    }

    #[test]
    fn planes_that_are_too_small_are_refused() {
        let planes: [&[u8]; 3] = [&[0; 8], &[0; 4], &[0; 4]];
        let yuv = Yuv {
            size: (3, 3),
            planes,
            strides: [3, 2, 2],
            halved: (true, true),
            full_range: false,
            high_definition: false,
        };
        assert!(yuv.to_rgb().is_err());
    }
}
