//! Uncompressed images, `sensor_msgs/Image`.

use f1_interfaces::sensor_msgs::msg::Image;
use f1_interfaces::std_msgs::msg::Header;
use image::RgbImage;

use crate::encoding::Encoding;
use crate::error::{ImageError, check_size};
use crate::{bayer, yuv};

/// Checks the sizes that a message claims; returns the encoding and the bytes of a row without
/// padding.
fn check(message: &Image) -> Result<(Encoding, usize), ImageError> {
    let encoding = Encoding::from_name(&message.encoding)?;
    let (width, height, step) = (message.width, message.height, message.step);
    check_size(width, height)?;
    let needed = width as usize * encoding.bytes_per_pixel();
    if (step as usize) < needed {
        return Err(ImageError::Step { step, width, encoding: encoding.name(), needed });
    }
    let total = step as usize * height as usize;
    if message.data.len() != total {
        return Err(ImageError::Length { given: message.data.len(), height, step, needed: total });
    }
    let shape = |what| Err(ImageError::Shape { encoding: encoding.name(), what, width, height });
    match encoding {
        Encoding::Yuyv if width % 2 != 0 => shape("an even width"),
        Encoding::Bayer8(_) | Encoding::Bayer16(_) if width < 2 || height < 2 => {
            shape("at least two rows and columns")
        }
        _ => Ok((encoding, needed)),
    }
}

/// The image in a message, as RGB.
///
/// # Errors
/// Names what is wrong with the message.
pub fn decode(message: &Image) -> Result<RgbImage, ImageError> {
    let (encoding, row) = check(message)?;
    let rows = || message.data.chunks_exact(message.step as usize).map(|padded| &padded[..row]);
    let (width, height) = (message.width as usize, message.height as usize);
    let mut out = Vec::with_capacity(width * height * 3);
    match encoding {
        Encoding::Rgb8 => rows().for_each(|row| out.extend_from_slice(row)),
        Encoding::Bgr8 => {
            for row in rows() {
                out.extend(row.as_chunks::<3>().0.iter().flat_map(|[b, g, r]| [*r, *g, *b]));
            }
        }
        Encoding::Rgba8 => {
            for row in rows() {
                out.extend(row.as_chunks::<4>().0.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]));
            }
        }
        Encoding::Bgra8 => {
            for row in rows() {
                out.extend(row.as_chunks::<4>().0.iter().flat_map(|[b, g, r, _]| [*r, *g, *b]));
            }
        }
        Encoding::Mono8 => {
            rows().for_each(|row| out.extend(row.iter().flat_map(|grey| [*grey; 3])))
        }
        Encoding::Mono16 => {
            let upper = upper(message);
            for row in rows() {
                out.extend(row.as_chunks::<2>().0.iter().flat_map(|sample| [sample[upper]; 3]));
            }
        }
        Encoding::Yuyv => rows().for_each(|row| yuv::yuyv_to_rgb(row, &mut out)),
        Encoding::Bayer8(mosaic) => {
            let plane: Vec<u8> = rows().flatten().copied().collect();
            bayer::to_rgb(&plane, width, height, mosaic, &mut out);
        }
        Encoding::Bayer16(mosaic) => {
            let upper = upper(message);
            let plane: Vec<u8> = rows()
                .flat_map(|row| row.as_chunks::<2>().0.iter().map(|sample| sample[upper]))
                .collect();
            bayer::to_rgb(&plane, width, height, mosaic, &mut out);
        }
    }
    let size = ImageError::Size { width: message.width, height: message.height };
    RgbImage::from_raw(message.width, message.height, out).ok_or(size)
}

/// Which byte of a 16-bit sample is the upper one.
fn upper(message: &Image) -> usize {
    usize::from(message.is_bigendian == 0)
}

/// As [`decode`], without a copy if the message is unpadded `rgb8`.
///
/// # Errors
/// As [`decode`].
pub fn into_rgb(message: Image) -> Result<RgbImage, ImageError> {
    match check(&message)? {
        (Encoding::Rgb8, row) if row == message.step as usize => {
            let size = ImageError::Size { width: message.width, height: message.height };
            RgbImage::from_raw(message.width, message.height, message.data).ok_or(size)
        }
        _ => decode(&message),
    }
}

/// An image as an `rgb8` message.
pub fn encode(image: &RgbImage, header: Header) -> Image {
    message(image, header, Encoding::Rgb8, image.as_raw().clone())
}

fn message(image: &RgbImage, header: Header, encoding: Encoding, data: Vec<u8>) -> Image {
    Image {
        header,
        height: image.height(),
        width: image.width(),
        encoding: encoding.name().to_owned(),
        is_bigendian: 0,
        step: image.width() * encoding.bytes_per_pixel() as u32,
        data,
    }
}

/// An image as a message of the given encoding, unpadded, little endian. Alpha is 255; a mosaic
/// keeps one colour a pixel; grey is the luma of ITU-R BT.601.
///
/// # Errors
/// [`ImageError::Shape`] for an odd width in `yuv422_yuy2` or a mosaic of one row or column.
pub fn encode_as(
    image: &RgbImage,
    header: Header,
    encoding: Encoding,
) -> Result<Image, ImageError> {
    let (width, height) = image.dimensions();
    check_size(width, height)?;
    let shape = |what| Err(ImageError::Shape { encoding: encoding.name(), what, width, height });
    let pixels = || image.pixels().map(|pixel| pixel.0);
    let wide = |bytes: Vec<u8>| bytes.into_iter().flat_map(|value| [0, value]).collect();
    let data = match encoding {
        Encoding::Rgb8 => image.as_raw().clone(),
        Encoding::Bgr8 => pixels().flat_map(|[r, g, b]| [b, g, r]).collect(),
        Encoding::Rgba8 => pixels().flat_map(|[r, g, b]| [r, g, b, 255]).collect(),
        Encoding::Bgra8 => pixels().flat_map(|[r, g, b]| [b, g, r, 255]).collect(),
        Encoding::Mono8 => pixels().map(luma).collect(),
        Encoding::Mono16 => wide(pixels().map(luma).collect()),
        Encoding::Yuyv if width % 2 != 0 => return shape("an even width"),
        Encoding::Yuyv => yuv::rgb_to_yuyv(image.as_raw()),
        Encoding::Bayer8(_) | Encoding::Bayer16(_) if width < 2 || height < 2 => {
            return shape("at least two rows and columns");
        }
        Encoding::Bayer8(mosaic) => bayer::from_rgb(image, mosaic),
        Encoding::Bayer16(mosaic) => wide(bayer::from_rgb(image, mosaic)),
    };
    Ok(message(image, header, encoding, data))
}

fn luma([r, g, b]: [u8; 3]) -> u8 {
    // 0.299, 0.587, 0.114 in 16-bit fixed point, rounded; they sum to one.
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 32_768) >> 16) as u8
}
