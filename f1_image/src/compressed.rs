//! Compressed images, `sensor_msgs/CompressedImage`: JPEG and PNG.

use std::io::Cursor;

use f1_interfaces::sensor_msgs::msg::CompressedImage;
use f1_interfaces::std_msgs::msg::Header;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ImageEncoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::error::{ImageError, MAX_SIDE, check_size};

/// Memory that decoding one image may take: 16384 x 4096 pixels of 8-bit RGBA.
const MAX_MEMORY: u64 = 256 * 1024 * 1024;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The last chunk with its checksum.
const PNG_END: &[u8] = b"IEND\xaeB`\x82";

/// The end marker.
const JPEG_END: &[u8] = b"\xff\xd9";

/// The image in a message. The data decides between JPEG and PNG; the message's `format` may be
/// as short as `jpeg` or as long as image_transport's `bgr8; jpeg compressed bgr8`.
///
/// # Errors
/// Names what is wrong: another format, data that is cut off, a side above [`MAX_SIDE`], or the
/// decoder's reason.
pub fn decode_compressed(message: &CompressedImage) -> Result<RgbImage, ImageError> {
    // Depth images have a header of their own before the PNG; they are not colour images.
    if message.format.contains("compressedDepth") {
        return Err(ImageError::Format(message.format.clone()));
    }
    let data = message.data.as_slice();
    let (format, name) = if data.starts_with(&[0xff, 0xd8, 0xff]) {
        if !without_padding(data).ends_with(JPEG_END) {
            return Err(ImageError::Truncated("JPEG"));
        }
        (ImageFormat::Jpeg, "JPEG")
    } else if data.starts_with(PNG_SIGNATURE) {
        if !without_padding(data).ends_with(PNG_END) {
            return Err(ImageError::Truncated("PNG"));
        }
        (ImageFormat::Png, "PNG")
    } else {
        return Err(ImageError::Format(message.format.clone()));
    };
    let codec =
        |error: image::ImageError| ImageError::Codec { format: name, reason: error.to_string() };
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(data), format);
    reader.limits(limits);
    let image = reader.decode().map_err(codec)?.into_rgb8();
    check_size(image.width(), image.height())?;
    Ok(image)
}

/// The data without the zeros that some cameras append. Decoders fill a missing part with grey, so
/// that a truncated image would be accepted: the end of both formats is checked.
fn without_padding(data: &[u8]) -> &[u8] {
    &data[..data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

fn message(header: Header, format: &str, data: Vec<u8>) -> CompressedImage {
    CompressedImage { header, format: format.to_owned(), data }
}

/// An image as JPEG; `quality` is 1 to 100.
///
/// # Errors
/// If the encoder refuses.
pub fn encode_jpeg(
    image: &RgbImage,
    header: Header,
    quality: u8,
) -> Result<CompressedImage, ImageError> {
    check_size(image.width(), image.height())?;
    let mut data = Vec::new();
    JpegEncoder::new_with_quality(&mut data, quality.clamp(1, 100))
        .encode_image(image)
        .map_err(|error| ImageError::Codec { format: "JPEG", reason: error.to_string() })?;
    Ok(message(header, "rgb8; jpeg compressed rgb8", data))
}

/// An image as PNG, without loss; fast rather than small.
///
/// # Errors
/// If the encoder refuses.
pub fn encode_png(image: &RgbImage, header: Header) -> Result<CompressedImage, ImageError> {
    check_size(image.width(), image.height())?;
    let mut data = Vec::new();
    PngEncoder::new_with_quality(&mut data, CompressionType::Fast, FilterType::Adaptive)
        .write_image(image.as_raw(), image.width(), image.height(), image::ExtendedColorType::Rgb8)
        .map_err(|error| ImageError::Codec { format: "PNG", reason: error.to_string() })?;
    Ok(message(header, "rgb8; png compressed rgb8", data))
}
