//! Images in messages: every encoding both ways, and every malformed input is refused.

use f1_image::{
    Encoding, ImageError, Mosaic, decode, decode_compressed, encode, encode_as, encode_jpeg,
    encode_png, into_rgb,
};
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image};
use f1_interfaces::std_msgs::msg::Header;
use image::{Rgb, RgbImage};

/// A smooth image, so that the error of lossy encodings is bounded.
fn image(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(40 + x * 2) as u8, (200 - y * 2) as u8, (60 + x + y) as u8])
    })
}

fn largest_difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// Appends `padding` arbitrary bytes to every row.
fn padded(message: &Image, padding: u32) -> Image {
    let data = message
        .data
        .chunks(message.step as usize)
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0xee, padding as usize)))
        .collect();
    Image { step: message.step + padding, data, ..message.clone() }
}

const MOSAICS: [Mosaic; 4] = [Mosaic::Rggb, Mosaic::Bggr, Mosaic::Gbrg, Mosaic::Grbg];

#[test]
fn lossless_encodings_give_back_the_same_image_whatever_the_step() {
    let image = image(38, 21);
    for encoding in [Encoding::Rgb8, Encoding::Bgr8, Encoding::Rgba8, Encoding::Bgra8] {
        let message = encode_as(&image, Header::default(), encoding).unwrap();
        assert_eq!(message.encoding, encoding.name());
        for padding in [0, 1, 10] {
            let message = padded(&message, padding);
            assert_eq!(decode(&message).unwrap(), image, "{encoding:?} padded by {padding}");
            assert_eq!(into_rgb(message).unwrap(), image);
        }
    }
}

#[test]
fn grey_is_the_luma_in_all_three_colours() {
    let image = RgbImage::from_pixel(4, 2, Rgb([255, 0, 0]));
    for encoding in [Encoding::Mono8, Encoding::Mono16] {
        let message = encode_as(&image, Header::default(), encoding).unwrap();
        assert!(decode(&message).unwrap().pixels().all(|pixel| pixel.0 == [76; 3]), "{encoding:?}");
    }
}

#[test]
fn sixteen_bits_are_read_in_the_byte_order_that_the_message_names() {
    let image = image(16, 8);
    for encoding in [Encoding::Mono16, Encoding::Bayer16(Mosaic::Grbg)] {
        let little = encode_as(&image, Header::default(), encoding).unwrap();
        let mut big = Image { is_bigendian: 1, ..little.clone() };
        big.data.chunks_exact_mut(2).for_each(|sample| sample.swap(0, 1));
        assert_eq!(decode(&padded(&little, 2)).unwrap(), decode(&big).unwrap(), "{encoding:?}");
        assert_ne!(
            decode(&little).unwrap(),
            decode(&Image { is_bigendian: 1, ..little.clone() }).unwrap()
        );
    }
}

#[test]
fn yuv_is_limited_range_bt601() {
    // Black, white and the three primaries as ITU-R BT.601 gives them in 8 bits.
    for (yuv, rgb) in [
        ([16, 128, 16, 128], [0, 0, 0]),
        ([235, 128, 235, 128], [255, 255, 255]),
        ([81, 90, 81, 240], [254, 0, 0]),
        ([145, 54, 145, 34], [0, 255, 1]),
        ([41, 240, 41, 110], [0, 0, 255]),
    ] {
        let message = Image {
            width: 2,
            height: 1,
            step: 4,
            encoding: "yuv422_yuy2".into(),
            data: yuv.to_vec(),
            ..Image::default()
        };
        let decoded = decode(&message).unwrap();
        for pixel in decoded.pixels() {
            assert!(
                pixel.0.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 1),
                "{yuv:?}: {:?}",
                pixel.0
            );
        }
    }
    let image = image(40, 20);
    let message = encode_as(&image, Header::default(), Encoding::Yuyv).unwrap();
    assert!(largest_difference(&decode(&padded(&message, 3)).unwrap(), &image) <= 4);
}

#[test]
fn a_mosaic_gives_back_a_smooth_image() {
    let image = image(40, 20);
    for mosaic in MOSAICS {
        for encoding in [Encoding::Bayer8(mosaic), Encoding::Bayer16(mosaic)] {
            let message = encode_as(&image, Header::default(), encoding).unwrap();
            let back = decode(&padded(&message, 2)).unwrap();
            assert!(largest_difference(&back, &image) <= 4, "{encoding:?}");
        }
        let flat = RgbImage::from_pixel(3, 3, Rgb([200, 100, 50]));
        let message = encode_as(&flat, Header::default(), Encoding::Bayer8(mosaic)).unwrap();
        assert_eq!(decode(&message).unwrap(), flat, "{mosaic:?}");
    }
}

#[test]
fn png_is_exact_and_jpeg_is_close() {
    let image = image(64, 48);
    let png = encode_png(&image, Header::default()).unwrap();
    assert_eq!(decode_compressed(&png).unwrap(), image);
    let jpeg = encode_jpeg(&image, Header::default(), 95).unwrap();
    assert!(largest_difference(&decode_compressed(&jpeg).unwrap(), &image) <= 12);
    // The data decides, whatever the format says; some cameras pad with zeros.
    let mut padded = CompressedImage { format: "jpeg".into(), ..jpeg.clone() };
    padded.data.extend([0; 100]);
    assert!(decode_compressed(&padded).is_ok());
}

#[test]
fn wrong_sizes_are_refused_with_the_fault() {
    let good = encode(&image(8, 4), Header::default());
    let refused = |change: &dyn Fn(&mut Image)| {
        let mut message = good.clone();
        change(&mut message);
        let error = decode(&message).unwrap_err();
        assert_eq!(into_rgb(message).unwrap_err(), error);
        error
    };
    assert_eq!(refused(&|m| m.encoding = "rgb9".into()), ImageError::Encoding("rgb9".into()));
    assert!(matches!(refused(&|m| m.width = 0), ImageError::Size { .. }));
    assert!(matches!(refused(&|m| m.height = u32::MAX), ImageError::Size { .. }));
    assert!(matches!(refused(&|m| m.step = 23), ImageError::Step { needed: 24, .. }));
    assert!(matches!(refused(&|m| m.step = u32::MAX), ImageError::Length { .. }));
    assert!(matches!(refused(&|m| m.data.truncate(95)), ImageError::Length { given: 95, .. }));
    assert!(matches!(refused(&|m| m.data.push(0)), ImageError::Length { .. }));
    assert!(matches!(
        refused(&|m| {
            m.encoding = "yuv422_yuy2".into();
            m.width = 7;
        }),
        ImageError::Shape { .. }
    ));
    let thin = Image {
        width: 1,
        height: 4,
        step: 1,
        data: vec![0; 4],
        encoding: "bayer_rggb8".into(),
        ..good
    };
    assert!(matches!(decode(&thin), Err(ImageError::Shape { .. })));
}

#[test]
fn compressed_data_cut_anywhere_is_refused() {
    let image = image(64, 48);
    for message in [
        encode_png(&image, Header::default()).unwrap(),
        encode_jpeg(&image, Header::default(), 80).unwrap(),
    ] {
        for length in (0..message.data.len()).step_by(37).chain([message.data.len() - 1]) {
            let cut = CompressedImage { data: message.data[..length].to_vec(), ..message.clone() };
            assert!(decode_compressed(&cut).is_err(), "{} cut to {length}", message.format);
        }
    }
    let not_an_image =
        CompressedImage { format: "jpeg".into(), data: vec![7; 100], ..Default::default() };
    assert_eq!(decode_compressed(&not_an_image), Err(ImageError::Format("jpeg".into())));
    let depth = CompressedImage { format: "16UC1; compressedDepth".into(), ..Default::default() };
    assert!(matches!(decode_compressed(&depth), Err(ImageError::Format(_))));
}

#[test]
fn an_image_larger_than_allowed_is_not_decoded() {
    // A PNG header that claims 60000 x 60000 pixels.
    let mut data = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    data.extend(60_000_u32.to_be_bytes());
    data.extend(60_000_u32.to_be_bytes());
    data.extend([8, 2, 0, 0, 0]);
    data.extend([0; 4]);
    data.extend(b"\0\0\0\0IEND\xaeB`\x82");
    let message = CompressedImage { format: "png".into(), data, ..Default::default() };
    assert!(matches!(decode_compressed(&message), Err(ImageError::Codec { .. })));
}
