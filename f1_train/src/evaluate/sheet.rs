//! One picture of foresight: each row the history, what was foreseen, what came.

use image::imageops::replace;
use image::{Rgb, RgbImage};

use super::Example;

const GAP: u32 = 4;
/// Around what was foreseen.
const FORESEEN: Rgb<u8> = Rgb([214, 120, 20]);
/// Around what came.
const CAME: Rgb<u8> = Rgb([40, 140, 60]);

/// Draws examples below one another: history frames, the foreseen one framed in orange, the true one in green.
#[must_use]
pub fn sheet(examples: &[Example]) -> RgbImage {
    let side = examples.iter().map(|example| example.foreseen.width()).max().unwrap_or(1);
    let columns = examples.iter().map(|example| example.history.len() + 2).max().unwrap_or(1) as u32;
    let step = side + GAP;
    let mut out =
        RgbImage::from_pixel(columns * step + GAP, examples.len() as u32 * step + GAP, Rgb([255, 255, 255]));
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
            replace(&mut out, image, left, top);
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
        let example =
            Example { task: "t".into(), history: vec![grey(1), grey(2)], foreseen: grey(3), came: grey(4) };
        let sheet = sheet(&[example.clone(), example]);
        assert_eq!(sheet.dimensions(), (4 * 12 + 4, 2 * 12 + 4));
        let centres: Vec<u8> = (0..4).map(|column| sheet.get_pixel(GAP + column * 12 + 4, 20).0[0]).collect();
        assert_eq!(centres, [1, 2, 3, 4]);
    }
}
