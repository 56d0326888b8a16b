//! One image of foresight: each row the history, the foreseen image, the true one.

use image::imageops::{FilterType, replace, resize};
use image::{Rgb, RgbImage};

use crate::Example;

const GAP: u32 = 4;
/// Smaller images are enlarged to about this many pixels.
const LEAST: u32 = 128;
/// Around what was foreseen.
const FORESEEN: Rgb<u8> = Rgb([214, 120, 20]);
/// Around the true image.
const CAME: Rgb<u8> = Rgb([40, 140, 60]);

/// Draws examples below one another, small ones enlarged: history frames, the foreseen one framed
/// in orange, the true one in green.
#[must_use]
pub fn sheet(examples: &[Example]) -> RgbImage {
    let pixels = examples.iter().map(|example| example.foreseen.width()).max().unwrap_or(1);
    // Whole multiples: a small model's pixels are shown as they are, only larger.
    let scale = (LEAST / pixels.max(1)).max(1);
    let side = pixels * scale;
    let columns =
        examples.iter().map(|example| example.history.len() + 2).max().unwrap_or(1) as u32;
    let step = side + GAP;
    let mut out = RgbImage::from_pixel(
        columns * step + GAP,
        examples.len() as u32 * step + GAP,
        Rgb([255, 255, 255]),
    );
    for (row, example) in examples.iter().enumerate() {
        let top = i64::from(GAP + row as u32 * step);
        let framed = example
            .history
            .iter()
            .map(|image| (image, None))
            .chain([(&example.foreseen, Some(FORESEEN)), (&example.came, Some(CAME))]);
        for (column, (image, frame)) in framed.enumerate() {
            let left = i64::from(GAP + column as u32 * step);
            if let Some(colour) = frame {
                let border = RgbImage::from_pixel(side + GAP, side + GAP, colour);
                replace(&mut out, &border, left - i64::from(GAP / 2), top - i64::from(GAP / 2));
            }
            let shown =
                resize(image, image.width() * scale, image.height() * scale, FilterType::Nearest);
            replace(&mut out, &shown, left, top);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_history_foresight_and_truth() {
        let grey = |value: u8| RgbImage::from_pixel(8, 8, Rgb([value; 3]));
        let example = Example {
            task: "t".into(),
            history: vec![grey(1), grey(2)],
            foreseen: grey(3),
            came: grey(4),
        };
        let sheet = sheet(&[example.clone(), example]);
        let step = LEAST + GAP;
        assert_eq!(sheet.dimensions(), (4 * step + GAP, 2 * step + GAP));
        let centre = |column: u32| sheet.get_pixel(column * step + step / 2, step + step / 2).0[0];
        let centres: Vec<u8> = (0..4).map(centre).collect();
        assert_eq!(centres, [1, 2, 3, 4]);
    }
}
