//! Videos that we write are read back.

use f1_data::lerobot::{Columns, Dataset, FormatVersion, FrameImage, ImageEncoding, Writer};
use image::{Rgb, RgbImage};

use crate::round_trip::{features, image, write_as};

/// Root of the mean squared difference.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let squares = a.iter().zip(b.iter()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    (squares.sum::<f64>() / a.len() as f64).sqrt()
}

/// The image with chroma at half the resolution, by the definition in floating point: all that a
/// video of 4:2:0 can hold. Where red jumps from 255 to 0 within two columns, that alone is 60
/// levels off.
fn halved_chroma(image: &RgbImage) -> RgbImage {
    let luma = |[r, g, b]: [f64; 3]| 0.299 * r + 0.587 * g + 0.114 * b;
    let at = |x: u32, y: u32| image.get_pixel(x, y).0.map(f64::from);
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let (left, top) = (x & !1, y & !1);
        let four = [at(left, top), at(left + 1, top), at(left, top + 1), at(left + 1, top + 1)];
        let mean: [f64; 3] = std::array::from_fn(|i| four.iter().map(|p| p[i]).sum::<f64>() / 4.0);
        let brighter = luma(at(x, y)) - luma(mean);
        Rgb(mean.map(|level| (level + brighter).round().clamp(0.0, 255.0) as u8))
    })
}

#[test]
fn videos_hold_the_frames_that_were_written_in_both_layouts() {
    for version in [FormatVersion::V2_1, FormatVersion::V3_0] {
        let dir = tempfile::tempdir().unwrap();
        write_as(dir.path(), version, ImageEncoding::Video);
        let dataset = Dataset::open(dir.path()).unwrap();
        let cameras = dataset.info().cameras();
        assert_eq!(cameras, ["observation.images.front", "observation.images.wrist"]);
        for episode in 0..3 {
            let table = dataset.read_episode(episode, &Columns::usual(&cameras)).unwrap();
            assert_eq!(table.len(), 5 + episode);
            for frame in 0..table.len() {
                let seed = episode * 50 + frame;
                for (camera, shift) in cameras.iter().zip([0, 9]) {
                    let stored = &table.images[camera][frame];
                    // Single frames are decoded when asked for: from at most one before them.
                    assert!(matches!(stored, FrameImage::Video(..)));
                    let decoded = stored.decode().unwrap();
                    let written = halved_chroma(&image(seed + shift));
                    let off = difference(&decoded, &written);
                    assert!(off < 3.0, "{version:?} {camera} {episode} {frame}: {off}");
                }
            }
        }
    }
}

/// Larger frames than a block of the codec, with motion, over more than one file of v3.0.
#[test]
fn frames_stay_apart_over_many_episodes() {
    let mut features = features(ImageEncoding::Video);
    features.cameras.truncate(1);
    (features.cameras[0].width, features.cameras[0].height) = (96, 64);
    let shown = |number: usize| {
        RgbImage::from_fn(96, 64, |x, y| {
            let inside = (x as i32 - (number * 3 % 90) as i32).abs() < 4;
            let level = (number % 20 * 10) as u8;
            if inside { Rgb([250, 250, 250]) } else { Rgb([level, (2 * x) as u8, (3 * y) as u8]) }
        })
    };
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), features, FormatVersion::V3_0).unwrap();
    for episode in 0..6 {
        for frame in 0..7 {
            let number = episode * 7 + frame;
            writer.add_frame(&[shown(number)], &[0.0; 3], &[0.0; 2], "x").unwrap();
        }
        writer.finish_episode().unwrap();
    }
    writer.finish().unwrap();
    let dataset = Dataset::open(dir.path()).unwrap();
    let cameras = dataset.info().cameras();
    for episode in 0..6 {
        let table = dataset.read_episode(episode, &Columns::usual(&cameras)).unwrap();
        for (frame, stored) in table.images[&cameras[0]].iter().enumerate() {
            let decoded = stored.decode().unwrap();
            let nearest = (0..42)
                .min_by(|a, b| {
                    difference(&decoded, &shown(*a)).total_cmp(&difference(&decoded, &shown(*b)))
                })
                .unwrap();
            assert_eq!(nearest, episode * 7 + frame);
        }
    }
}

#[test]
fn an_odd_size_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut features = features(ImageEncoding::Video);
    features.cameras[1].width = 31;
    let root = dir.path().join("new");
    let fault = Writer::create(&root, features, FormatVersion::V3_0).err().unwrap().to_string();
    assert!(fault.contains("observation.images.wrist") && fault.contains("even"), "{fault}");
    assert!(!root.exists());
}
