//! Foreseen images of an episode against what came: one measure for the demo, its summary and
//! every table of it.

use f1_model::image_measures::ForesightErrors;
use f1_model::image_prep::{centre, frame_size};
use image::RgbImage;
use serde::Serialize;

use crate::bench::Visible;
use crate::detector::Objects;

/// The detector counts when it finds at least this share of the visible objects in true images.
pub const TRUSTED: f64 = 0.99;

/// What the history camera saw at one instant, with what the renderer knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// The frame's stamp, ns.
    pub stamp_ns: i64,
    /// Objects in the camera's pixels.
    pub visible: Vec<Visible>,
    /// Width and height of the camera's image.
    pub size: [u32; 2],
    /// Whether a disturbance of this episode shows in the image.
    pub disturbed: bool,
}

impl Truth {
    /// The objects as they lie in the image that the network sees: the shorter side shrunk to
    /// `ratio * side`, the middle `side` pixels cut out.
    #[must_use]
    pub fn fitted(&self, side: usize, ratio: f64) -> Vec<Visible> {
        let [width, height] = self.size;
        let (wide, high) = frame_size(width, height, side, ratio);
        let scale =
            [f64::from(wide) / f64::from(width.max(1)), f64::from(high) / f64::from(height.max(1))];
        let offset = [f64::from(centre(wide, side)), f64::from(centre(high, side))];
        let inside = |centre: [f64; 2]| centre.iter().all(|at| (0.0..=side as f64).contains(at));
        self.visible
            .iter()
            .map(|object| Visible {
                kind: object.kind,
                pixels: object.pixels * scale[0] * scale[1],
                centre: [0, 1].map(|axis| object.centre[axis] * scale[axis] - offset[axis]),
            })
            .filter(|object| inside(object.centre))
            .collect()
    }
}

/// Sums over foreseen images whose moment came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    foreseen: ForesightErrors,
    repeated: ForesightErrors,
    objects: Objects,
    objects_repeat: Objects,
    objects_true: Objects,
    tokens: (f64, u64),
}

/// The numbers of a [`Score`]; the JSON object `foresight` of `f1 demo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Numbers {
    /// Mean PSNR over the whole image, dB.
    pub psnr: Option<f64>,
    /// That of the newest frame in the foreseen image's place.
    pub psnr_repeat: Option<f64>,
    /// PSNR over the pixels that changed, errors pooled over all images, dB.
    pub psnr_changed: Option<f64>,
    /// That of the newest frame.
    pub psnr_changed_repeat: Option<f64>,
    /// Mean SSIM.
    pub ssim: Option<f64>,
    /// That of the newest frame.
    pub ssim_repeat: Option<f64>,
    /// Share of visible objects foreseen in their place and colour.
    pub objects: Option<f64>,
    /// The same share for the newest frame.
    pub objects_repeat: Option<f64>,
    /// Foreseen objects that are none, an image.
    pub false_objects: Option<f64>,
    /// Mean share of equal tokens in the finest scale that was generated.
    pub token_accuracy: Option<f64>,
    /// Foreseen images whose moment came.
    pub frames: u64,
}

impl Score {
    /// Adds a foreseen image; the other two images are the camera's, prepared as the network sees
    /// them, and `visible` is what lies in `came`.
    pub fn add(
        &mut self,
        foreseen: &RgbImage,
        newest: &RgbImage,
        came: &RgbImage,
        visible: Option<&[Visible]>,
    ) {
        self.foreseen.add(foreseen, newest, came);
        self.repeated.add(newest, newest, came);
        if let Some(visible) = visible {
            self.objects.add(foreseen, visible);
            self.objects_repeat.add(newest, visible);
            self.objects_true.add(came, visible);
        }
    }

    /// Adds the share of equal tokens of one foreseen image; one that is not a number is left out.
    pub fn add_tokens(&mut self, share: f64) {
        if share.is_finite() {
            self.tokens = (self.tokens.0 + share, self.tokens.1 + 1);
        }
    }

    /// Adds the sums of other images.
    pub fn merge(&mut self, other: &Score) {
        self.foreseen.merge(&other.foreseen);
        self.repeated.merge(&other.repeated);
        self.objects.merge(&other.objects);
        self.objects_repeat.merge(&other.objects_repeat);
        self.objects_true.merge(&other.objects_true);
        self.tokens = (self.tokens.0 + other.tokens.0, self.tokens.1 + other.tokens.1);
    }

    /// Share of the visible objects that the detector finds in the true images: what its word on
    /// foreseen ones is worth.
    #[must_use]
    pub fn detector(&self) -> Option<f64> {
        self.objects_true.share()
    }

    /// Visible objects counted.
    #[must_use]
    pub fn visible(&self) -> u64 {
        self.objects.visible
    }

    /// The numbers.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        Numbers {
            psnr: self.foreseen.psnr(),
            psnr_repeat: self.repeated.psnr(),
            psnr_changed: self.foreseen.psnr_changed(),
            psnr_changed_repeat: self.repeated.psnr_changed(),
            ssim: self.foreseen.ssim(),
            ssim_repeat: self.repeated.ssim(),
            objects: self.objects.share(),
            objects_repeat: self.objects_repeat.share(),
            false_objects: self.objects.false_per_image(),
            token_accuracy: (self.tokens.1 > 0).then(|| self.tokens.0 / self.tokens.1 as f64),
            frames: self.foreseen.images,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{Colour, Kind, Shape};

    const BELT: [u8; 3] = [76, 78, 82];
    const RED: [u8; 3] = [200, 45, 50];
    const BLUE: [u8; 3] = [50, 80, 200];

    fn scene(side: u32, left: u32, colour: [u8; 3]) -> RgbImage {
        let mut image = RgbImage::from_pixel(side, side, image::Rgb(BELT));
        let (size, top) = (side * 6 / 64, side * 20 / 64);
        for y in top..top + size {
            for x in left..left + size {
                image.put_pixel(x, y, image::Rgb(colour));
            }
        }
        image
    }

    fn truth(size: u32, centre: [f64; 2], pixels: f64) -> Truth {
        let kind = Kind { colour: Colour::Red, shape: Shape::Cube };
        let visible = vec![Visible { kind, pixels, centre }];
        Truth { stamp_ns: 0, visible, size: [size; 2], disturbed: false }
    }

    #[test]
    fn a_right_foresight_scores_above_the_newest_frame() {
        let (newest, came) = (scene(64, 10, RED), scene(64, 22, RED));
        let visible = truth(64, [25.0, 23.0], 36.0).fitted(64, 1.0);
        let mut score = Score::default();
        score.add(&came, &newest, &came, Some(&visible));
        score.add_tokens(0.5);
        score.add_tokens(f64::NAN);
        let numbers = score.numbers();
        assert_eq!((numbers.objects, numbers.objects_repeat), (Some(1.0), Some(0.0)));
        assert_eq!((numbers.false_objects, numbers.frames), (Some(0.0), 1));
        assert!(numbers.psnr_changed > numbers.psnr_changed_repeat);
        assert_eq!((numbers.token_accuracy, score.detector()), (Some(0.5), Some(1.0)));
        // The wrong colour in the right place is neither the object nor harmless.
        let mut wrong = Score::default();
        wrong.add(&scene(64, 22, BLUE), &newest, &came, Some(&visible));
        assert_eq!(wrong.numbers().objects, Some(0.0));
        assert_eq!(wrong.numbers().false_objects, Some(1.0));
        wrong.merge(&score);
        assert_eq!((wrong.numbers().objects, wrong.visible()), (Some(0.5), 2));
    }

    #[test]
    fn the_renderer_s_truth_holds_for_foreseen_images_of_another_size() {
        // 12 pixels of 64x64 are enough, and 3 of 32x32 are the same.
        let came = scene(32, 11, RED);
        for (pixels, visible) in [(12.0, 1), (11.0, 0)] {
            let mut score = Score::default();
            let objects = truth(64, [25.0, 23.0], pixels).fitted(32, 1.0);
            score.add(&came, &came, &came, Some(&objects));
            assert_eq!(score.visible(), visible, "{pixels}");
        }
        // A crop moves the middle: 4 of 40 pixels are cut off on each side.
        let objects = truth(64, [32.0, 16.0], 36.0).fitted(32, 1.25);
        assert_eq!(objects[0].centre, [16.0, 6.0]);
        assert_eq!(truth(64, [1.0, 16.0], 36.0).fitted(32, 1.25), []);
    }
}
