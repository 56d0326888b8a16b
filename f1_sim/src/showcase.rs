//! What a demonstration run leaves behind: a sheet of foresights, an animated episode, a plot of
//! latencies.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, RgbImage, Rgba, RgbaImage};

use crate::episode::Foreseen;

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ShowcaseError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Image(#[from] image::ImageError),
}

/// Side of one image on the sheet, pixels.
const TILE: u32 = 192;
const GAP: u32 = 8;
const PAPER: [u8; 3] = [245, 245, 242];

fn enlarged(image: &RgbImage, side: u32) -> RgbImage {
    image::imageops::resize(image, side, side, image::imageops::FilterType::CatmullRom)
}

/// Peak signal-to-noise ratio of a foreseen image against the true one, dB; the larger is brought
/// to the smaller's size.
#[must_use]
pub fn psnr(foreseen: &RgbImage, came: &RgbImage) -> f64 {
    let (width, height) = foreseen.dimensions();
    let came = image::imageops::resize(came, width, height, image::imageops::FilterType::Lanczos3);
    let errors = foreseen
        .as_raw()
        .iter()
        .zip(came.as_raw())
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    let mean = errors.sum::<f64>() / foreseen.as_raw().len().max(1) as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

/// Writes a PNG with a column for each moment (at most six): what was seen, what was foreseen, what
/// came.
///
/// # Errors
/// The file cannot be written.
pub fn write_sheet(path: &Path, foreseen: &[Foreseen]) -> Result<(), ShowcaseError> {
    let whole: Vec<&Foreseen> =
        foreseen.iter().filter(|f| f.foreseen.is_some() && f.came.is_some()).collect();
    let columns = whole.len().clamp(1, 6);
    let every = whole.len().div_ceil(columns).max(1);
    let size = (columns as u32 * (TILE + GAP) + GAP, 3 * (TILE + GAP) + GAP);
    let mut sheet = RgbImage::from_pixel(size.0, size.1, image::Rgb(PAPER));
    for (column, moment) in whole.iter().step_by(every).enumerate() {
        let rows = [Some(&moment.now), moment.foreseen.as_ref(), moment.came.as_ref()];
        for (row, image) in rows.into_iter().enumerate() {
            let Some(image) = image else { continue };
            let (x, y) = (GAP + column as u32 * (TILE + GAP), GAP + row as u32 * (TILE + GAP));
            image::imageops::replace(
                &mut sheet,
                &enlarged(image, TILE),
                i64::from(x),
                i64::from(y),
            );
        }
    }
    sheet.save(path)?;
    Ok(())
}

/// Writes an animated GIF of what the history camera saw, with the foresight beside it where there
/// is one.
///
/// # Errors
/// The file cannot be written.
pub fn write_animation(
    path: &Path,
    foreseen: &[Foreseen],
    milliseconds: u32,
) -> Result<(), ShowcaseError> {
    let file = BufWriter::new(std::fs::File::create(path)?);
    let mut encoder = GifEncoder::new_with_speed(file, 10);
    encoder.set_repeat(Repeat::Infinite)?;
    for moment in foreseen {
        let mut canvas =
            RgbaImage::from_pixel(2 * TILE + GAP, TILE, Rgba([PAPER[0], PAPER[1], PAPER[2], 255]));
        for (index, image) in [Some(&moment.now), moment.foreseen.as_ref()].into_iter().enumerate()
        {
            let Some(image) = image else { continue };
            let large = image::DynamicImage::ImageRgb8(enlarged(image, TILE)).to_rgba8();
            image::imageops::replace(
                &mut canvas,
                &large,
                i64::from(index as u32 * (TILE + GAP)),
                0,
            );
        }
        encoder.encode_frame(Frame::from_parts(
            canvas,
            0,
            0,
            Delay::from_numer_denom_ms(milliseconds, 1),
        ))?;
    }
    Ok(())
}

/// The value below which `share` of the sorted `values` lie.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The Wilson interval of `successes` in `trials` at 95 %.
#[must_use]
pub fn wilson(successes: u64, trials: u64) -> [f64; 2] {
    if trials == 0 {
        return [0.0, 1.0];
    }
    let (n, z) = (trials as f64, 1.959_964);
    let p = successes as f64 / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// Writes an SVG: how many inferences took how long.
///
/// # Errors
/// The file cannot be written.
pub fn write_latency_plot(path: &Path, milliseconds: &[f64]) -> Result<(), ShowcaseError> {
    let mut sorted = milliseconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let top = quantile(&sorted, 0.995).max(1.0);
    let bins = 40;
    let mut counts = vec![0u32; bins];
    for value in &sorted {
        counts[((value / top * bins as f64) as usize).min(bins - 1)] += 1;
    }
    let most = f64::from(counts.iter().copied().max().unwrap_or(1).max(1));
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    writeln!(
        file,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="640" height="320" font-family="sans-serif" font-size="13">"#
    )?;
    writeln!(file, r##"<rect width="640" height="320" fill="#fff"/>"##)?;
    for (bin, count) in counts.iter().enumerate() {
        let height = 230.0 * f64::from(*count) / most;
        let x = 50.0 + 14.0 * bin as f64;
        writeln!(
            file,
            r##"<rect x="{x:.1}" y="{:.1}" width="12" height="{height:.1}" fill="#3b6ea5"/>"##,
            270.0 - height
        )?;
    }
    writeln!(file, r#"<text x="50" y="292">0</text><text x="590" y="292">{top:.0} ms</text>"#)?;
    writeln!(
        file,
        r#"<text x="50" y="24">inference latency of {} chunks: median {:.1} ms, 99 % below {:.1} ms</text></svg>"#,
        sorted.len(),
        quantile(&sorted, 0.5),
        quantile(&sorted, 0.99)
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_s_interval_matches_published_values() {
        // Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
        let [low, high] = wilson(81, 263);
        assert!((low - 0.2553).abs() < 5e-4 && (high - 0.3662).abs() < 5e-4, "{low} {high}");
        let [low, high] = wilson(0, 20);
        assert!(low.abs() < 1e-12 && (high - 0.1611).abs() < 5e-4, "{low} {high}");
    }

    #[test]
    fn psnr_of_a_constant_error_is_its_definition() {
        let a = RgbImage::from_pixel(8, 8, image::Rgb([100; 3]));
        let b = RgbImage::from_pixel(8, 8, image::Rgb([110; 3]));
        assert!((psnr(&a, &b) - 20.0 * (25.5f64).log10()).abs() < 1e-6);
    }
}
