//! One image of a data set: encoded bytes, pixels, or a frame of a video that is decoded when it is
//! asked for.

use std::sync::Arc;

use image::RgbImage;

use super::video::VideoFile;
use super::{DataError, VideoSpan};

/// Up to this many frames are decoded to see one; beyond it an episode is decoded at once and kept
/// as pixels.
const LONGEST_RUN: usize = 8;

/// A stored image, cheap to clone.
#[derive(Debug, Clone)]
pub enum FrameImage {
    /// JPEG or PNG bytes.
    Encoded(Arc<[u8]>),
    /// A frame of a video, by its place in decoding order.
    Video(Arc<VideoFile>, usize),
    /// Pixels.
    Raw(Arc<RgbImage>),
}

impl FrameImage {
    /// The pixels.
    ///
    /// # Errors
    /// When the bytes are no JPEG or PNG, or the video is damaged there.
    pub fn decode(&self) -> Result<RgbImage, DataError> {
        match self {
            Self::Encoded(bytes) => image::load_from_memory(bytes)
                .map(image::DynamicImage::into_rgb8)
                .map_err(|source| DataError::Image { what: "image".into(), source }),
            Self::Video(file, index) => file.frame(*index),
            Self::Raw(image) => Ok(RgbImage::clone(image)),
        }
    }

    /// Bytes held in memory, for caches.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Encoded(bytes) => bytes.len() + 16,
            Self::Video(file, _) => 16 + file.bytes() / file.frames().max(1),
            Self::Raw(image) => image.len() + 64,
        }
    }
}

/// The images of an episode, one for each of its `timestamps` (seconds since the episode began):
/// the frame whose time is nearest, which must be within half a frame of it.
pub(super) fn from_video(
    span: &VideoSpan,
    timestamps: &[f64],
    fps: f64,
) -> Result<Vec<FrameImage>, DataError> {
    let file = VideoFile::open(&span.path)?;
    let chosen = file.choose(span.from_timestamp, timestamps, fps)?;
    if chosen.iter().map(|index| file.run_to(*index)).max().unwrap_or(0) <= LONGEST_RUN {
        let file = Arc::new(file);
        return Ok(chosen
            .into_iter()
            .map(|index| FrameImage::Video(Arc::clone(&file), index))
            .collect());
    }
    let images = file.decode(&chosen)?;
    Ok(images.into_iter().map(|image| FrameImage::Raw(Arc::new(image))).collect())
}
