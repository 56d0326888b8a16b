//! Luma and chroma (YUV) to RGB and back, by the definitions of ITU-T H.273.
//!
//! Camera messages and videos use this one converter. Crates that do the same with vector
//! instructions are up to two levels of 255 off the definition, which with ffmpeg's own error is
//! more than a reader of data sets should differ from ffmpeg.

use image::RgbImage;

use crate::ImageError;
use crate::error::check_size;

/// How often chroma is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma {
    /// Every second column of every second row (4:2:0).
    Quarter,
    /// Every second column (4:2:2).
    Half,
    /// Everywhere (4:4:4).
    Full,
}

/// Weights of red and blue in luma, by the standard that names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matrix {
    /// ITU-R BT.601: what streams without a flag are taken for, here and by ffmpeg.
    #[default]
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
    /// SMPTE 240M.
    Smpte240,
    /// FCC, title 47, 73.682.
    Fcc,
}

impl Matrix {
    /// The weights of red and of blue.
    pub fn weights(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
            Self::Smpte240 => (0.212, 0.087),
            Self::Fcc => (0.30, 0.11),
        }
    }
}

/// What the numbers of luma and chroma mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Colour {
    /// Luma is 0 to 255 instead of 16 to 235.
    pub full_range: bool,
    /// The weights.
    pub matrix: Matrix,
}

/// Which program's pixels are given; the two differ by one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// Rounded to nearest; luma below 16 of limited range counts as 16.
    OpenCv,
    /// Rounded down.
    Ffmpeg,
}

/// Fixed-point bits of the coefficients.
const SHIFT: i32 = 20;

/// Converts single pixels to RGB.
#[derive(Debug, Clone, Copy)]
pub struct ToRgb {
    black: i32,
    least: i32,
    luma: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
    round: i32,
}

impl ToRgb {
    /// A converter.
    pub fn new(colour: Colour, convention: Convention) -> Self {
        let (red, blue) = colour.matrix.weights();
        let green = 1.0 - red - blue;
        let (black, luma, chroma) = match colour.full_range {
            true => (0, 1.0, 1.0),
            false => (16, 255.0 / 219.0, 255.0 / 224.0),
        };
        let fixed = |value: f64| (value * f64::from(1 << SHIFT)).round() as i32;
        let (least, round) = match convention {
            Convention::OpenCv => (0, 1 << (SHIFT - 1)),
            Convention::Ffmpeg => (i32::MIN, 0),
        };
        Self {
            black,
            least,
            luma: fixed(luma),
            red_v: fixed(2.0 * (1.0 - red) * chroma),
            green_u: fixed(2.0 * blue * (1.0 - blue) / green * chroma),
            green_v: fixed(2.0 * red * (1.0 - red) / green * chroma),
            blue_u: fixed(2.0 * (1.0 - blue) * chroma),
            round,
        }
    }

    /// What chroma adds to red, green and blue.
    fn chroma(&self, u: u8, v: u8) -> [i32; 3] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        [self.red_v * v, -self.green_u * u - self.green_v * v, self.blue_u * u]
            .map(|sum| sum + self.round)
    }

    fn pixel(&self, y: u8, chroma: [i32; 3]) -> [u8; 3] {
        let luma = (i32::from(y) - self.black).max(self.least) * self.luma;
        chroma.map(|sum| ((luma + sum) >> SHIFT).clamp(0, 255) as u8)
    }

    /// One pixel.
    pub fn one(&self, [y, u, v]: [u8; 3]) -> [u8; 3] {
        self.pixel(y, self.chroma(u, v))
    }

    /// A row whose chroma samples serve `shared` pixels each.
    fn row(&self, y: &[u8], (u, v): (&[u8], &[u8]), shared: usize, out: &mut [u8]) {
        let groups = y.chunks(shared).zip(u.iter().zip(v)).zip(out.chunks_mut(3 * shared));
        for ((luma, (u, v)), out) in groups {
            let chroma = self.chroma(*u, *v);
            for (y, out) in luma.iter().zip(out.as_chunks_mut::<3>().0) {
                *out = self.pixel(*y, chroma);
            }
        }
    }
}

/// An image in luma and chroma planes of 8 bits.
#[derive(Debug, Clone, Copy)]
pub struct Planes<'a> {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Luma, then the two of chroma.
    pub planes: [&'a [u8]; 3],
    /// Bytes from one row of a plane to the next.
    pub strides: [usize; 3],
    /// How often chroma is stored.
    pub chroma: Chroma,
}

impl Planes<'_> {
    /// The pixels as ffmpeg's default conversion gives them: each chroma sample serves all pixels
    /// it covers.
    ///
    /// # Errors
    /// A size that is none, planes that are smaller than it.
    pub fn to_rgb(&self, colour: Colour) -> Result<RgbImage, ImageError> {
        let (width, height) = self.size;
        check_size(width, height)?;
        let columns = width as usize;
        let shared = if self.chroma == Chroma::Full { 1 } else { 2 };
        let rows_shared = if self.chroma == Chroma::Quarter { 2 } else { 1 };
        let row = |plane: usize, y: usize| {
            let (y, columns) = match plane {
                0 => (y, columns),
                _ => (y / rows_shared, columns.div_ceil(shared)),
            };
            let from = y * self.strides[plane];
            self.planes[plane].get(from..from + columns)
        };
        let convert = ToRgb::new(colour, Convention::Ffmpeg);
        let mut out = RgbImage::new(width, height);
        for (y, out) in out.chunks_exact_mut(3 * columns).enumerate() {
            let (Some(luma), Some(u), Some(v)) = (row(0, y), row(1, y), row(2, y)) else {
                return Err(ImageError::Planes { width, height });
            };
            convert.row(luma, (u, v), shared, out);
        }
        Ok(out)
    }
}

/// Converts RGB to luma and chroma of BT.601 in limited range: what is encoded.
#[derive(Debug, Clone, Copy)]
struct FromRgb {
    luma: [f32; 3],
    u: [f32; 3],
    v: [f32; 3],
}

impl FromRgb {
    fn bt601() -> Self {
        let (red, blue) = Matrix::Bt601.weights();
        let weights = [red, 1.0 - red - blue, blue];
        // Chroma is the difference to luma, over what makes its range one.
        let chroma = |channel: usize| {
            std::array::from_fn(|i| {
                let own = if i == channel { 1.0 } else { 0.0 };
                ((own - weights[i]) / (2.0 * (1.0 - weights[channel])) * 224.0 / 255.0) as f32
            })
        };
        Self {
            luma: weights.map(|weight| (weight * 219.0 / 255.0) as f32),
            u: chroma(2),
            v: chroma(0),
        }
    }

    fn luma(&self, rgb: [f32; 3]) -> u8 {
        level(16.0 + dot(self.luma, rgb))
    }

    fn chroma(&self, rgb: [f32; 3]) -> (u8, u8) {
        (level(128.0 + dot(self.u, rgb)), level(128.0 + dot(self.v, rgb)))
    }
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn level(value: f32) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}

fn mean<const N: usize>(pixels: [[f32; 3]; N]) -> [f32; 3] {
    std::array::from_fn(|i| pixels.iter().map(|pixel| pixel[i]).sum::<f32>() / N as f32)
}

/// An image as 4:2:0, BT.601, limited range, with rows without padding: what videos are encoded
/// from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planes420 {
    /// Luma, a byte a pixel.
    pub y: Vec<u8>,
    /// Chroma, a byte for each two columns of two rows: the mean of the four.
    pub u: Vec<u8>,
    /// As `u`.
    pub v: Vec<u8>,
}

impl Planes420 {
    /// Converts an image.
    ///
    /// # Errors
    /// [`ImageError::Shape`] for an odd width or height.
    pub fn from_rgb(image: &RgbImage) -> Result<Self, ImageError> {
        let (width, height) = image.dimensions();
        check_size(width, height)?;
        if width % 2 != 0 || height % 2 != 0 {
            let (encoding, what) = ("4:2:0", "an even width and height");
            return Err(ImageError::Shape { encoding, what, width, height });
        }
        let convert = FromRgb::bt601();
        let pixel = |pixel: &[u8; 3]| pixel.map(f32::from);
        let y = image.as_raw().as_chunks::<3>().0.iter().map(|rgb| convert.luma(pixel(rgb)));
        let y = y.collect();
        let mut chroma = Vec::with_capacity((width * height / 4) as usize);
        for rows in image.as_raw().chunks_exact(6 * width as usize) {
            let (upper, lower) = rows.split_at(3 * width as usize);
            let (upper, lower) = (upper.as_chunks::<3>().0, lower.as_chunks::<3>().0);
            let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            chroma.extend(pairs.map(|([a, b], [c, d])| {
                convert.chroma(mean([pixel(a), pixel(b), pixel(c), pixel(d)]))
            }));
        }
        let (u, v) = chroma.into_iter().unzip();
        Ok(Self { y, u, v })
    }
}

/// Appends one row of `yuv422_yuy2` (Y0 U Y1 V for each two pixels, BT.601, limited range) as RGB,
/// as OpenCV and `cv_bridge` convert it.
pub(crate) fn yuyv_to_rgb(rows: &[u8], out: &mut Vec<u8>) {
    let convert = ToRgb::new(Colour::default(), Convention::OpenCv);
    for [y0, u, y1, v] in rows.as_chunks::<4>().0 {
        let chroma = convert.chroma(*u, *v);
        out.extend_from_slice(&convert.pixel(*y0, chroma));
        out.extend_from_slice(&convert.pixel(*y1, chroma));
    }
}

/// All rows of an RGB image of even width as `yuv422_yuy2`; chroma is the mean of each pair.
pub(crate) fn rgb_to_yuyv(rgb: &[u8]) -> Vec<u8> {
    let convert = FromRgb::bt601();
    let mut out = Vec::with_capacity(rgb.len() / 3 * 2);
    for pair in rgb.as_chunks::<3>().0.as_chunks::<2>().0 {
        let [first, second] = pair.map(|pixel| pixel.map(f32::from));
        let (u, v) = convert.chroma(mean([first, second]));
        out.extend_from_slice(&[convert.luma(first), u, convert.luma(second), v]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRICES: [Matrix; 5] =
        [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240, Matrix::Fcc];

    /// ITU-T H.273, equations 38 to 43, in floating point.
    fn exact([y, u, v]: [u8; 3], colour: Colour) -> [f64; 3] {
        let [y, u, v] = [y, u, v].map(f64::from);
        let (red, blue) = colour.matrix.weights();
        let (luma, chroma) = match colour.full_range {
            true => (y, 1.0),
            false => ((y - 16.0) * 255.0 / 219.0, 255.0 / 224.0),
        };
        let (u, v) = ((u - 128.0) * chroma, (v - 128.0) * chroma);
        let (r, b) = (luma + 2.0 * (1.0 - red) * v, luma + 2.0 * (1.0 - blue) * u);
        let g = (luma - red * r - blue * b) / (1.0 - red - blue);
        [r, g, b].map(|value: f64| value.clamp(0.0, 255.0))
    }

    #[test]
    fn every_matrix_and_range_is_within_one_level_of_its_definition() {
        for matrix in MATRICES {
            for full_range in [false, true] {
                let colour = Colour { full_range, matrix };
                let [down, nearest] = [Convention::Ffmpeg, Convention::OpenCv]
                    .map(|convention| ToRgb::new(colour, convention));
                for y in 0..=255u8 {
                    for (u, v) in (0..=255u8)
                        .step_by(5)
                        .flat_map(|u| (0..=255u8).step_by(3).map(move |v| (u, v)))
                    {
                        let wanted = exact([y, u, v], colour);
                        let got = down.one([y, u, v]);
                        for (got, wanted) in got.iter().zip(wanted) {
                            let under = wanted - f64::from(*got);
                            assert!((-0.001..1.001).contains(&under), "{colour:?} {y} {u} {v}");
                        }
                        // Luma below black is treated otherwise.
                        if !full_range && y < 16 {
                            continue;
                        }
                        for (got, wanted) in nearest.one([y, u, v]).iter().zip(wanted) {
                            let off = (f64::from(*got) - wanted).abs();
                            assert!(off <= 0.501, "{colour:?} {y} {u} {v}");
                        }
                    }
                }
            }
        }
    }

    /// Odd sizes, rows with padding, every place of chroma.
    #[test]
    fn each_chroma_sample_serves_the_pixels_that_it_covers() {
        let (width, height) = (7u32, 5u32);
        for chroma in [Chroma::Quarter, Chroma::Half, Chroma::Full] {
            let columns = if chroma == Chroma::Full { width } else { width.div_ceil(2) } as usize;
            let rows = if chroma == Chroma::Quarter { height.div_ceil(2) } else { height };
            let strides = [width as usize + 3, columns + 1, columns + 2];
            let plane = |stride: usize, rows: u32, seed: usize| -> Vec<u8> {
                (0..stride * rows as usize).map(|i| (i * seed * 31 + seed) as u8).collect()
            };
            let y = plane(strides[0], height, 1);
            let (u, v) = (plane(strides[1], rows, 5), plane(strides[2], rows, 7));
            let colour = Colour { full_range: true, matrix: Matrix::Bt709 };
            let yuv = Planes { size: (width, height), planes: [&y, &u, &v], strides, chroma };
            let image = yuv.to_rgb(colour).unwrap();
            let convert = ToRgb::new(colour, Convention::Ffmpeg);
            for (px, py, pixel) in image.enumerate_pixels() {
                let (px, py) = (px as usize, py as usize);
                let cx = if chroma == Chroma::Full { px } else { px / 2 };
                let cy = if chroma == Chroma::Quarter { py / 2 } else { py };
                let stored =
                    [y[py * strides[0] + px], u[cy * strides[1] + cx], v[cy * strides[2] + cx]];
                assert_eq!(pixel.0, convert.one(stored), "{chroma:?} {px} {py}");
            }
            let short = Planes { planes: [&y, &u, &v[..v.len() - strides[2]]], ..yuv };
            assert_eq!(short.to_rgb(colour), Err(ImageError::Planes { width, height }));
        }
    }

    #[test]
    fn even_colours_come_back_within_two_levels() {
        for rgb in [[0, 0, 0], [255, 255, 255], [200, 30, 90], [1, 254, 128], [17, 17, 250]] {
            let image = RgbImage::from_pixel(6, 4, image::Rgb(rgb));
            let Planes420 { y, u, v } = Planes420::from_rgb(&image).unwrap();
            let planes: [&[u8]; 3] = [&y, &u, &v];
            let yuv = Planes { size: (6, 4), planes, strides: [6, 3, 3], chroma: Chroma::Quarter };
            let back = yuv.to_rgb(Colour::default()).unwrap();
            let off = |pixel: &image::Rgb<u8>| {
                pixel.0.iter().zip(rgb).map(|(a, b)| a.abs_diff(b)).max().unwrap()
            };
            assert!(
                back.pixels().all(|pixel| off(pixel) <= 2),
                "{rgb:?} {:?}",
                back.get_pixel(0, 0)
            );
        }
        let odd = RgbImage::new(5, 4);
        assert!(Planes420::from_rgb(&odd).unwrap_err().to_string().contains("even"));
    }
}
