//! How the pixels of `sensor_msgs/Image` are laid out.

use crate::error::ImageError;

/// The corner of a colour mosaic: the colours of its first two rows, left to right, top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mosaic {
    /// Red, green; green, blue.
    Rggb,
    /// Blue, green; green, red.
    Bggr,
    /// Green, blue; red, green.
    Gbrg,
    /// Green, red; blue, green.
    Grbg,
}

/// How pixels are laid out (`sensor_msgs/image_encodings.hpp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Red, green, blue.
    Rgb8,
    /// Blue, green, red.
    Bgr8,
    /// Red, green, blue, alpha; alpha is dropped.
    Rgba8,
    /// Blue, green, red, alpha; alpha is dropped.
    Bgra8,
    /// Grey.
    Mono8,
    /// Grey, 16 bits; the upper eight are taken.
    Mono16,
    /// Luma and chroma, two pixels in four bytes: Y0 U Y1 V.
    Yuyv,
    /// A colour mosaic, 8 bits.
    Bayer8(Mosaic),
    /// A colour mosaic, 16 bits; the upper eight are taken.
    Bayer16(Mosaic),
}

impl Encoding {
    /// From the name in a message.
    ///
    /// # Errors
    /// [`ImageError::Encoding`].
    pub fn from_name(name: &str) -> Result<Encoding, ImageError> {
        Ok(match name {
            "rgb8" => Encoding::Rgb8,
            "bgr8" => Encoding::Bgr8,
            "rgba8" => Encoding::Rgba8,
            "bgra8" => Encoding::Bgra8,
            "mono8" => Encoding::Mono8,
            "mono16" => Encoding::Mono16,
            "yuv422_yuy2" => Encoding::Yuyv,
            "bayer_rggb8" => Encoding::Bayer8(Mosaic::Rggb),
            "bayer_bggr8" => Encoding::Bayer8(Mosaic::Bggr),
            "bayer_gbrg8" => Encoding::Bayer8(Mosaic::Gbrg),
            "bayer_grbg8" => Encoding::Bayer8(Mosaic::Grbg),
            "bayer_rggb16" => Encoding::Bayer16(Mosaic::Rggb),
            "bayer_bggr16" => Encoding::Bayer16(Mosaic::Bggr),
            "bayer_gbrg16" => Encoding::Bayer16(Mosaic::Gbrg),
            "bayer_grbg16" => Encoding::Bayer16(Mosaic::Grbg),
            other => return Err(ImageError::Encoding(other.to_owned())),
        })
    }

    /// The name in a message.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Rgb8 => "rgb8",
            Encoding::Bgr8 => "bgr8",
            Encoding::Rgba8 => "rgba8",
            Encoding::Bgra8 => "bgra8",
            Encoding::Mono8 => "mono8",
            Encoding::Mono16 => "mono16",
            Encoding::Yuyv => "yuv422_yuy2",
            Encoding::Bayer8(Mosaic::Rggb) => "bayer_rggb8",
            Encoding::Bayer8(Mosaic::Bggr) => "bayer_bggr8",
            Encoding::Bayer8(Mosaic::Gbrg) => "bayer_gbrg8",
            Encoding::Bayer8(Mosaic::Grbg) => "bayer_grbg8",
            Encoding::Bayer16(Mosaic::Rggb) => "bayer_rggb16",
            Encoding::Bayer16(Mosaic::Bggr) => "bayer_bggr16",
            Encoding::Bayer16(Mosaic::Gbrg) => "bayer_gbrg16",
            Encoding::Bayer16(Mosaic::Grbg) => "bayer_grbg16",
        }
    }

    /// Bytes that a pixel takes (on average, for pairs).
    pub fn bytes_per_pixel(self) -> usize {
        match self {
            Encoding::Rgb8 | Encoding::Bgr8 => 3,
            Encoding::Rgba8 | Encoding::Bgra8 => 4,
            Encoding::Mono8 | Encoding::Bayer8(_) => 1,
            Encoding::Mono16 | Encoding::Yuyv | Encoding::Bayer16(_) => 2,
        }
    }
}
