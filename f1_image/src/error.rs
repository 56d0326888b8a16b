//! Why an image is refused, and the size that is accepted.

/// The largest width or height that is accepted.
pub const MAX_SIDE: u32 = 16_384;

/// Why an image was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The encoding is none of those that we read.
    #[error("encoding {0:?} is not supported")]
    Encoding(String),
    /// No pixels, or more than [`MAX_SIDE`] on a side.
    #[error("{width}x{height} is not an image")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A row has fewer bytes than its pixels need.
    #[error("step is {step} bytes, a row of {width} {encoding} pixels needs {needed}")]
    Step {
        /// As given.
        step: u32,
        /// Width in pixels.
        width: u32,
        /// The encoding.
        encoding: &'static str,
        /// Bytes that a row needs.
        needed: usize,
    },
    /// The data is not `step` times `height`.
    #[error("{given} bytes of data, {height} rows of {step} bytes are {needed}")]
    Length {
        /// Bytes given.
        given: usize,
        /// Rows.
        height: u32,
        /// Bytes a row.
        step: u32,
        /// Bytes that are needed.
        needed: usize,
    },
    /// An encoding whose pixels come in pairs, with an odd width, or a mosaic of one row or column.
    #[error("{encoding} needs {what}, not {width}x{height}")]
    Shape {
        /// The encoding.
        encoding: &'static str,
        /// What it needs.
        what: &'static str,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A plane of luma or chroma is smaller than the image.
    #[error("the planes of luma and chroma are smaller than {width}x{height}")]
    Planes {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The compressed data is neither JPEG nor PNG, or its format says that it is no image.
    #[error("compressed format {0:?} is neither JPEG nor PNG")]
    Format(String),
    /// The compressed data ends too early.
    #[error("the {0} data is cut off")]
    Truncated(&'static str),
    /// The decoder or encoder refused.
    #[error("{format}: {reason}")]
    Codec {
        /// `JPEG` or `PNG`.
        format: &'static str,
        /// What it said.
        reason: String,
    },
}

/// Refuses an image without pixels or with a side above [`MAX_SIDE`].
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(ImageError::Size { width, height });
    }
    Ok(())
}
