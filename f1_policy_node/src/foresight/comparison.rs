//! The foreseen image against the one that came: token agreement, and an image that shows both.

use image::{RgbImage, imageops};

/// Share of equal tokens, 0..1; `None` when there are none or their numbers differ.
#[must_use]
pub fn token_agreement(foreseen: &[u32], came: &[u32]) -> Option<f64> {
    if foreseen.is_empty() || foreseen.len() != came.len() {
        return None;
    }
    let equal = foreseen.iter().zip(came).filter(|(a, b)| a == b).count();
    Some(equal as f64 / foreseen.len() as f64)
}

/// Now, foreseen and true image side by side, a bar above each foreseen pair for its error
/// (`psnr_db`, full at 40 dB, red below 15 dB).
#[must_use]
pub fn comparison(now: &RgbImage, foreseen: &RgbImage, came: &RgbImage, psnr_db: f64) -> RgbImage {
    let (width, height) = foreseen.dimensions();
    let (gap, bar) = (4, 6);
    let mut sheet =
        RgbImage::from_pixel(3 * width + 2 * gap, height + bar, image::Rgb([24, 24, 24]));
    for (column, image) in [now, foreseen, came].into_iter().enumerate() {
        let fitted;
        let image = if image.dimensions() == (width, height) {
            image
        } else {
            fitted = imageops::resize(image, width, height, imageops::FilterType::Triangle);
            &fitted
        };
        imageops::replace(&mut sheet, image, (column as u32 * (width + gap)).into(), bar.into());
    }
    let full = 3 * width + 2 * gap;
    let share = (psnr_db / 40.0).clamp(0.0, 1.0);
    let colour = if psnr_db < 15.0 { image::Rgb([220, 60, 50]) } else { image::Rgb([70, 180, 90]) };
    for x in 0..(f64::from(full) * share) as u32 {
        for y in 0..bar - 2 {
            sheet.put_pixel(x, y, colour);
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_agree_by_share() {
        assert_eq!(token_agreement(&[1, 2, 3, 4], &[1, 2, 0, 4]), Some(0.75));
        assert_eq!(token_agreement(&[1], &[1, 2]), None);
    }

    #[test]
    fn the_comparison_holds_three_images_of_the_foreseen_size() {
        let sheet =
            comparison(&RgbImage::new(8, 8), &RgbImage::new(4, 4), &RgbImage::new(4, 4), 20.0);
        assert_eq!(sheet.dimensions(), (20, 10));
    }
}
