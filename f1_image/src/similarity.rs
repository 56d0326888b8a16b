//! How similar two images of one size are.

use image::RgbImage;

/// Peak signal-to-noise ratio of two images of one size, dB; infinite when they are equal, `None`
/// when their sizes differ.
#[must_use]
pub fn psnr(left: &RgbImage, right: &RgbImage) -> Option<f64> {
    if left.dimensions() != right.dimensions() || left.is_empty() {
        return None;
    }
    let squared: u64 = left
        .as_raw()
        .iter()
        .zip(right.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    let mean = squared as f64 / left.as_raw().len() as f64;
    Some(if squared == 0 { f64::INFINITY } else { 10.0 * (255.0 * 255.0 / mean).log10() })
}

/// Mean absolute difference of the pixel values, 0..1; NaN when the sizes differ.
#[must_use]
pub fn mean_absolute_error(left: &RgbImage, right: &RgbImage) -> f64 {
    if left.dimensions() != right.dimensions() || left.is_empty() {
        return f64::NAN;
    }
    let sum: u64 =
        left.as_raw().iter().zip(right.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / left.as_raw().len() as f64 / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psnr_of_a_known_difference() {
        let black = RgbImage::new(4, 4);
        let grey = RgbImage::from_pixel(4, 4, image::Rgb([10, 10, 10]));
        // 10 log10(255^2 / 10^2), by hand.
        assert!((psnr(&black, &grey).unwrap() - 28.1308).abs() < 1e-3);
        assert_eq!(psnr(&black, &black), Some(f64::INFINITY));
        assert_eq!(psnr(&black, &RgbImage::new(3, 4)), None);
    }

    #[test]
    fn mean_absolute_error_of_a_known_difference() {
        let black = RgbImage::new(2, 1);
        let mut one = RgbImage::new(2, 1);
        one.put_pixel(0, 0, image::Rgb([255, 0, 0]));
        // One of six values differs by the whole range.
        assert!((mean_absolute_error(&black, &one) - 1.0 / 6.0).abs() < 1e-12);
        assert!(mean_absolute_error(&black, &RgbImage::new(3, 4)).is_nan());
    }
}
