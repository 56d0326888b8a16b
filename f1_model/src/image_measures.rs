//! How like two images are: PSNR, SSIM, and errors over the pixels that change.

use image::RgbImage;

/// Mean squared error of the pixel values, of 255; `None` when the sizes differ or there are no
/// pixels.
#[must_use]
pub fn mean_squared_error(left: &RgbImage, right: &RgbImage) -> Option<f64> {
    if left.dimensions() != right.dimensions() || left.is_empty() {
        return None;
    }
    let values = left.as_raw().iter().zip(right.as_raw());
    let sum: u64 = values.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    Some(sum as f64 / left.as_raw().len() as f64)
}

/// The peak signal-to-noise ratio of a mean squared error of values up to 255, dB; infinite for
/// none.
#[must_use]
pub fn decibels(mean_squared_error: f64) -> f64 {
    10.0 * (255.0 * 255.0 / mean_squared_error).log10()
}

/// Taps of the window of [`ssim`].
const TAPS: usize = 11;
/// Its standard deviation, pixels.
const DEVIATION: f64 = 1.5;

/// Structural similarity of the images' luma, mean over the places where a Gaussian window of 11
/// pixels (deviation 1.5) fits; K1 0.01, K2 0.03 (Wang et al., "Image quality assessment", 2004).
/// `None` when the sizes differ or are smaller than the window.
#[must_use]
pub fn ssim(left: &RgbImage, right: &RgbImage) -> Option<f64> {
    let (width, height) = (left.width() as usize, left.height() as usize);
    if left.dimensions() != right.dimensions() || width < TAPS || height < TAPS {
        return None;
    }
    let luma = |image: &RgbImage| -> Vec<f64> {
        // ITU-R BT.601.
        image
            .pixels()
            .map(|p| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]))
            .collect()
    };
    let (a, b) = (luma(left), luma(right));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<_>>();
    let smooth = |values: &[f64]| windowed(values, width, height);
    let (mean_a, mean_b) = (smooth(&a), smooth(&b));
    let (aa, bb, ab) =
        (smooth(&product(&a, &a)), smooth(&product(&b, &b)), smooth(&product(&a, &b)));
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let mut sum = 0.0;
    for at in 0..mean_a.len() {
        let (ma, mb) = (mean_a[at], mean_b[at]);
        let (va, vb, cov) = (aa[at] - ma * ma, bb[at] - mb * mb, ab[at] - ma * mb);
        sum +=
            (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
    }
    Some(sum / mean_a.len() as f64)
}

/// The Gaussian window's mean at every place where it fits.
fn windowed(values: &[f64], width: usize, height: usize) -> Vec<f64> {
    let middle = (TAPS / 2) as f64;
    let mut taps: Vec<f64> = (0..TAPS)
        .map(|tap| (-(tap as f64 - middle).powi(2) / (2.0 * DEVIATION * DEVIATION)).exp())
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    let (wide, high) = (width - TAPS + 1, height - TAPS + 1);
    let mut rows = Vec::with_capacity(wide * height);
    for row in values.chunks_exact(width) {
        rows.extend(
            row.windows(TAPS)
                .map(|part| part.iter().zip(&taps).map(|(value, tap)| value * tap).sum::<f64>()),
        );
    }
    let mut out = vec![0.0; wide * high];
    for (y, line) in out.chunks_exact_mut(wide).enumerate() {
        for (tap, weight) in taps.iter().enumerate() {
            let row = &rows[(y + tap) * wide..(y + tap + 1) * wide];
            line.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
        }
    }
    out
}

/// Squares of [`worst_square`] have this part of the image's side.
const SQUARES: u32 = 8;

/// Mean squared error over the worst of all squares with an eighth of the image's side, half a
/// square apart; `None` when the sizes differ or there is no square.
#[must_use]
pub fn worst_square(left: &RgbImage, right: &RgbImage) -> Option<f64> {
    let (width, height) = left.dimensions();
    let side = width.min(height) / SQUARES;
    if left.dimensions() != right.dimensions() || side == 0 {
        return None;
    }
    let step = (side / 2).max(1) as usize;
    let mut worst = 0u64;
    for top in (0..=height - side).step_by(step) {
        for left_edge in (0..=width - side).step_by(step) {
            let mut sum = 0;
            for y in top..top + side {
                for x in left_edge..left_edge + side {
                    let (a, b) = (left.get_pixel(x, y), right.get_pixel(x, y));
                    sum +=
                        a.0.iter()
                            .zip(b.0)
                            .map(|(a, b)| u64::from(a.abs_diff(b)).pow(2))
                            .sum::<u64>();
                }
            }
            worst = worst.max(sum);
        }
    }
    Some(worst as f64 / f64::from(3 * side * side))
}

/// A pixel has changed when a channel differs by more than this, of 255.
pub const CHANGED: u8 = 16;

/// Errors of foreseen images against the true ones, as sums that can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ForesightErrors {
    /// Images.
    pub images: u64,
    psnr: f64,
    ssim: f64,
    ssim_images: u64,
    changed_square: f64,
    changed_values: f64,
}

impl ForesightErrors {
    /// Adds an image that was foreseen when `newest` was the newest frame, and `came`; images of
    /// other sizes than `came` are left out.
    pub fn add(&mut self, foreseen: &RgbImage, newest: &RgbImage, came: &RgbImage) {
        let Some(error) = mean_squared_error(foreseen, came) else { return };
        if newest.dimensions() != came.dimensions() {
            return;
        }
        self.images += 1;
        // Equal images have no PSNR: they count as what an error of a hundredth would give.
        self.psnr += decibels(error.max(1e-4));
        // Images smaller than the window have none.
        if let Some(ssim) = ssim(foreseen, came) {
            self.ssim += ssim;
            self.ssim_images += 1;
        }
        for ((foreseen, newest), came) in foreseen.pixels().zip(newest.pixels()).zip(came.pixels())
        {
            if newest.0.iter().zip(came.0).any(|(a, b)| a.abs_diff(b) > CHANGED) {
                for (a, b) in foreseen.0.iter().zip(came.0) {
                    self.changed_square += f64::from(a.abs_diff(b)).powi(2);
                    self.changed_values += 1.0;
                }
            }
        }
    }

    /// Adds the sums of other images.
    pub fn merge(&mut self, other: &Self) {
        self.images += other.images;
        self.psnr += other.psnr;
        self.ssim += other.ssim;
        self.ssim_images += other.ssim_images;
        self.changed_square += other.changed_square;
        self.changed_values += other.changed_values;
    }

    /// Mean PSNR over the whole image, dB; `None` without images.
    #[must_use]
    pub fn psnr(&self) -> Option<f64> {
        (self.images > 0).then(|| self.psnr / self.images as f64)
    }

    /// Mean SSIM; `None` without images that are large enough.
    #[must_use]
    pub fn ssim(&self) -> Option<f64> {
        (self.ssim_images > 0).then(|| self.ssim / self.ssim_images as f64)
    }

    /// PSNR over the changed pixels, their errors pooled over all images, dB; `None` when nothing
    /// changed.
    #[must_use]
    pub fn psnr_changed(&self) -> Option<f64> {
        (self.changed_values > 0.0)
            .then(|| decibels((self.changed_square / self.changed_values).max(1e-4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(value: u8) -> RgbImage {
        RgbImage::from_pixel(16, 16, image::Rgb([value; 3]))
    }

    #[test]
    fn psnr_follows_its_definition() {
        // 10 log10(255^2 / 10^2), by hand.
        assert!(
            (decibels(mean_squared_error(&grey(0), &grey(10)).unwrap()) - 28.1308).abs() < 1e-3
        );
        assert_eq!(decibels(mean_squared_error(&grey(3), &grey(3)).unwrap()), f64::INFINITY);
        assert_eq!(mean_squared_error(&grey(3), &RgbImage::new(3, 3)), None);
    }

    #[test]
    fn ssim_of_flat_images_is_its_luminance_term() {
        assert!((ssim(&grey(80), &grey(80)).unwrap() - 1.0).abs() < 1e-12);
        // (2 * 100 * 120 + 6.5025) / (100^2 + 120^2 + 6.5025), by hand.
        let luminance = (24_000.0 + 6.5025) / (24_400.0 + 6.5025);
        assert!((ssim(&grey(100), &grey(120)).unwrap() - luminance).abs() < 1e-9);
        assert_eq!(ssim(&RgbImage::new(8, 8), &RgbImage::new(8, 8)), None);
    }

    #[test]
    fn ssim_falls_when_structure_is_lost() {
        let checks = RgbImage::from_fn(32, 32, |x, y| {
            image::Rgb([if (x / 4 + y / 4) % 2 == 0 { 60 } else { 190 }; 3])
        });
        let flat = RgbImage::from_pixel(32, 32, image::Rgb([125; 3]));
        assert!(ssim(&checks, &flat).unwrap() < 0.1);
    }

    #[test]
    fn the_worst_square_is_that_of_an_object() {
        let mut other = grey(100);
        // A square of two pixels of 16 that is off by 30, and one pixel that is off by 10.
        for (x, y) in [(6, 8), (7, 8), (6, 9), (7, 9)] {
            other.put_pixel(x, y, image::Rgb([130; 3]));
        }
        other.put_pixel(1, 1, image::Rgb([110; 3]));
        assert_eq!(worst_square(&grey(100), &other), Some(900.0));
        assert_eq!(worst_square(&grey(100), &grey(100)), Some(0.0));
        assert_eq!(worst_square(&grey(100), &RgbImage::new(4, 4)), None);
    }

    #[test]
    fn changed_pixels_are_pooled_over_images() {
        let mut errors = ForesightErrors::default();
        let mut came = grey(100);
        came.put_pixel(3, 4, image::Rgb([100, 117, 100]));
        came.put_pixel(5, 4, image::Rgb([100, 116, 100]));
        // One pixel changed by more than 16; foreseen as it was, its error is 17 in one channel of
        // three.
        errors.add(&grey(100), &grey(100), &came);
        let expected = 10.0 * (255.0f64.powi(2) / (17.0f64.powi(2) / 3.0)).log10();
        assert!((errors.psnr_changed().unwrap() - expected).abs() < 1e-9);
        assert_eq!(errors.images, 1);
        errors.add(&grey(100), &grey(100), &grey(100));
        assert!((errors.psnr_changed().unwrap() - expected).abs() < 1e-9);
    }
}
