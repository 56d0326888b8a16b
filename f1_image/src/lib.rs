//! Images in ROS 2 messages: what `cv_bridge` does, on the crate `image`; and how similar two
//! images are.
//!
//! Everything becomes, and comes from, 8-bit RGB. Rows may be padded (`step`), 16-bit samples may
//! have either byte order. A malformed message is refused with an error that names the fault;
//! nothing is repaired.
//!
//! ```
//! use f1_interfaces::std_msgs::msg::Header;
//! use image::{Rgb, RgbImage};
//!
//! # fn main() -> Result<(), f1_image::ImageError> {
//! let grey = RgbImage::from_pixel(64, 48, Rgb([90, 90, 90]));
//! let message = f1_image::encode_as(&grey, Header::default(), f1_image::Encoding::Bgr8)?;
//! assert_eq!((message.encoding.as_str(), message.step), ("bgr8", 3 * 64));
//! let decoded = f1_image::decode(&message)?;
//! assert_eq!(f1_image::psnr(&grey, &decoded), Some(f64::INFINITY));
//! # Ok(())
//! # }
//! ```

mod bayer;
mod compressed;
mod encoding;
mod error;
mod raw;
pub mod similarity;
pub mod yuv;

pub use compressed::{decode_compressed, encode_jpeg, encode_png};
pub use encoding::{Encoding, Mosaic};
pub use error::{ImageError, MAX_SIDE};
pub use raw::{decode, encode, encode_as, into_rgb};
pub use similarity::{mean_absolute_error, psnr};
