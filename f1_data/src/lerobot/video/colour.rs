//! Luma and chroma planes to RGB, by the crate `yuv`.

use image::RgbImage;
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPlanarImage, YuvPlanarImageMut, YuvRange,
    YuvStandardMatrix,
};

/// How often chroma is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chroma {
    /// Every second column of every second row (4:2:0).
    Quarter,
    /// Every second column (4:2:2).
    Half,
    /// Everywhere (4:4:4).
    Full,
}

/// Weights of red and blue in luma, by the standard that names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Matrix {
    /// What streams without a flag are taken for, here and by ffmpeg.
    #[default]
    Bt601,
    Bt709,
    Bt2020,
    Smpte240,
    Fcc,
}

/// What the numbers in a stream mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Colour {
    /// Luma is 0 to 255 instead of 16 to 235.
    pub full_range: bool,
    pub matrix: Matrix,
}

/// An image in luma and chroma planes of 8 bits.
pub(super) struct Planes<'a> {
    pub size: (u32, u32),
    pub planes: [&'a [u8]; 3],
    /// Bytes from one row of a plane to the next.
    pub strides: [usize; 3],
    pub chroma: Chroma,
}

impl Planes<'_> {
    /// The pixels; each chroma sample serves all pixels it covers, as ffmpeg's default conversion
    /// does.
    pub fn to_rgb(&self, colour: Colour) -> Result<RgbImage, String> {
        let (width, height) = self.size;
        let [y_plane, u_plane, v_plane] = self.planes;
        let [y_stride, u_stride, v_stride] = self.strides.map(|stride| stride as u32);
        let planar = YuvPlanarImage {
            y_plane,
            y_stride,
            u_plane,
            u_stride,
            v_plane,
            v_stride,
            width,
            height,
        };
        let range = if colour.full_range { YuvRange::Full } else { YuvRange::Limited };
        let matrix = match colour.matrix {
            Matrix::Bt601 => YuvStandardMatrix::Bt601,
            Matrix::Bt709 => YuvStandardMatrix::Bt709,
            Matrix::Bt2020 => YuvStandardMatrix::Bt2020,
            // The crate's own matrix of this name is up to 11 levels off its definition.
            Matrix::Smpte240 => YuvStandardMatrix::Custom(0.212, 0.087),
            Matrix::Fcc => YuvStandardMatrix::Fcc,
        };
        let convert = match self.chroma {
            Chroma::Quarter => yuv::yuv420_to_rgb,
            Chroma::Half => yuv::yuv422_to_rgb,
            Chroma::Full => yuv::yuv444_to_rgb,
        };
        let mut out = RgbImage::new(width, height);
        convert(&planar, &mut out, width * 3, range, matrix).map_err(|fault| fault.to_string())?;
        Ok(out)
    }
}

/// An image as 4:2:0, BT.601, limited range, with rows without padding: what is encoded. Width and
/// height are even.
pub(in super::super) struct Planes420 {
    pub y: Vec<u8>,
    pub u: Vec<u8>,
    pub v: Vec<u8>,
}

impl Planes420 {
    pub fn from_rgb(image: &RgbImage) -> Result<Self, String> {
        let (width, height) = image.dimensions();
        let size = width as usize * height as usize;
        let (mut y, mut u, mut v) = (vec![0; size], vec![0; size / 4], vec![0; size / 4]);
        let mut planar = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(&mut y),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(&mut u),
            u_stride: width / 2,
            v_plane: BufferStoreMut::Borrowed(&mut v),
            v_stride: width / 2,
            width,
            height,
        };
        yuv::rgb_to_yuv420(
            &mut planar,
            image,
            width * 3,
            YuvRange::Limited,
            YuvStandardMatrix::Bt601,
            YuvConversionMode::Balanced,
        )
        .map_err(|fault| fault.to_string())?;
        Ok(Self { y, u, v })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRICES: [(Matrix, f64, f64); 5] = [
        (Matrix::Bt601, 0.299, 0.114),
        (Matrix::Bt709, 0.2126, 0.0722),
        (Matrix::Bt2020, 0.2627, 0.0593),
        (Matrix::Smpte240, 0.212, 0.087),
        (Matrix::Fcc, 0.30, 0.11),
    ];

    /// ITU-T H.273, equations 38 to 43, in floating point.
    fn exact([y, u, v]: [u8; 3], full_range: bool, red: f64, blue: f64) -> [f64; 3] {
        let [y, u, v] = [y, u, v].map(f64::from);
        let (luma, chroma) = match full_range {
            true => (y, 1.0),
            false => ((y - 16.0) * 255.0 / 219.0, 255.0 / 224.0),
        };
        let (u, v) = ((u - 128.0) * chroma, (v - 128.0) * chroma);
        let (r, b) = (luma + 2.0 * (1.0 - red) * v, luma + 2.0 * (1.0 - blue) * u);
        let g = (luma - red * r - blue * b) / (1.0 - red - blue);
        [r, g, b]
    }

    /// Every value of luma beside many of chroma, in images wide enough for vector instructions and
    /// of odd sizes.
    #[test]
    fn every_matrix_and_range_is_within_two_of_its_definition() {
        let (width, height) = (259u32, 77u32);
        for chroma in [Chroma::Quarter, Chroma::Half, Chroma::Full] {
            let columns = if chroma == Chroma::Full { width } else { width.div_ceil(2) };
            let rows = if chroma == Chroma::Quarter { height.div_ceil(2) } else { height };
            let luma: Vec<u8> =
                (0..height).flat_map(|y| (0..width).map(move |x| (x * 7 + y * 31) as u8)).collect();
            let plane = |seed: u32| -> Vec<u8> {
                (0..rows)
                    .flat_map(|y| (0..columns).map(move |x| (x * (seed + 3) + y * 13 * seed) as u8))
                    .collect()
            };
            let (us, vs) = (plane(2), plane(5));
            for full_range in [false, true] {
                for (matrix, red, blue) in MATRICES {
                    let planes = Planes {
                        size: (width, height),
                        planes: [&luma, &us, &vs],
                        strides: [width as usize, columns as usize, columns as usize],
                        chroma,
                    };
                    let image = planes.to_rgb(Colour { full_range, matrix }).unwrap();
                    for (x, y, pixel) in image.enumerate_pixels() {
                        let at = (if chroma == Chroma::Quarter { y / 2 } else { y }) * columns
                            + if chroma == Chroma::Full { x } else { x / 2 };
                        let stored =
                            [luma[(y * width + x) as usize], us[at as usize], vs[at as usize]];
                        // Outside the nominal range clamping differs.
                        let nominal = (16..=235).contains(&stored[0])
                            && stored[1..].iter().all(|value| (16..=240).contains(value));
                        if !full_range && !nominal {
                            continue;
                        }
                        let wanted = exact(stored, full_range, red, blue);
                        if wanted.iter().any(|value| !(0.0..=255.0).contains(value)) {
                            continue;
                        }
                        let near = pixel
                            .0
                            .iter()
                            .zip(wanted)
                            .all(|(a, b)| (f64::from(*a) - b).abs() <= 2.0);
                        assert!(
                            near,
                            "{matrix:?} {full_range} {chroma:?} {stored:?}: {pixel:?}, {wanted:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn planes_that_are_too_small_are_refused() {
        let planes: [&[u8]; 3] = [&[0; 8], &[0; 4], &[0; 4]];
        let yuv = Planes { size: (3, 3), planes, strides: [3, 2, 2], chroma: Chroma::Quarter };
        assert!(yuv.to_rgb(Colour::default()).is_err());
    }
}
