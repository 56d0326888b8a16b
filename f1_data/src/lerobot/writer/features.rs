//! What a written data set holds.

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use serde_json::{Map, Value, json};

use super::super::info::default_features;
use super::super::{ACTION, DataError, STATE};

/// How a camera's images are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageEncoding {
    /// Lossless.
    Png,
    /// Lossy; quality 1..=100, 95 is a careful choice.
    Jpeg {
        /// 1..=100.
        quality: u8,
    },
    /// H.264 in MP4 files beside the tables; every second frame stands alone. Width and height
    /// must be even.
    Video,
}

/// One camera of a data set.
#[derive(Debug, Clone)]
pub struct CameraFeature {
    /// Column, `observation.images.front`.
    pub name: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// How images are stored.
    pub encoding: ImageEncoding,
}

/// What a data set holds.
#[derive(Debug, Clone)]
pub struct Features {
    /// Frames a second.
    pub fps: u32,
    /// Free text.
    pub robot_type: String,
    /// Cameras, in the order their images are given to [`super::Writer::add_frame`].
    pub cameras: Vec<CameraFeature>,
    /// Names of the state's dimensions.
    pub state: Vec<String>,
    /// Names of the action's dimensions.
    pub action: Vec<String>,
    /// The name of a column of booleans, as `intervention`, given by [`super::Writer::flag`].
    pub flag: Option<String>,
}

impl Features {
    /// Faults that no frame can put right.
    pub(super) fn check(&self) -> Result<(), DataError> {
        if self.state.is_empty() || self.action.is_empty() || self.fps == 0 {
            return Err(DataError::Usage("a data set needs a state, an action and a rate".into()));
        }
        let odd = |camera: &&CameraFeature| {
            !(camera.width.is_multiple_of(2) && camera.height.is_multiple_of(2))
        };
        match self.videos().find(odd) {
            Some(camera) => Err(DataError::Usage(format!(
                "camera `{}` has {}x{} pixels; a video needs an even width and \
                 height: let the camera send another size, or store images (without --video)",
                camera.name, camera.width, camera.height
            ))),
            None => Ok(()),
        }
    }

    /// Names of all cameras.
    pub(super) fn camera_names(&self) -> Vec<String> {
        self.cameras.iter().map(|camera| camera.name.clone()).collect()
    }

    /// Names of the cameras whose images stand in the tables.
    pub(super) fn stored_names(&self) -> Vec<String> {
        let stored = self.cameras.iter().filter(|camera| camera.encoding != ImageEncoding::Video);
        stored.map(|camera| camera.name.clone()).collect()
    }

    /// The cameras whose images are written as videos.
    pub(super) fn videos(&self) -> impl Iterator<Item = &CameraFeature> {
        self.cameras.iter().filter(|camera| camera.encoding == ImageEncoding::Video)
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut out = Map::new();
        for camera in &self.cameras {
            let shape = [camera.height, camera.width, 3];
            let names = ["height", "width", "channels"];
            let video = camera.encoding == ImageEncoding::Video;
            let dtype = if video { "video" } else { "image" };
            let mut feature = json!({"dtype": dtype, "shape": shape, "names": names});
            if video {
                feature["info"] = json!({
                    "video.height": camera.height,
                    "video.width": camera.width,
                    "video.codec": "h264",
                    "video.pix_fmt": "yuv420p",
                    "video.is_depth_map": false,
                    "video.fps": self.fps,
                    "video.channels": 3,
                    "has_audio": false,
                });
            }
            out.insert(camera.name.clone(), feature);
        }
        for (name, dimensions) in [(STATE, &self.state), (ACTION, &self.action)] {
            let shape = [dimensions.len()];
            out.insert(
                name.into(),
                json!({"dtype": "float32", "shape": shape, "names": dimensions}),
            );
        }
        if let Some(flag) = &self.flag {
            let column = json!({"dtype": "bool", "shape": [1], "names": null});
            out.insert(flag.clone(), column);
        }
        out.extend(default_features().map(|(name, feature)| (name.to_owned(), feature)));
        out
    }
}

/// Refuses an image of another size than the camera's.
pub(super) fn check_size(camera: &CameraFeature, image: &RgbImage) -> Result<(), DataError> {
    if image.dimensions() != (camera.width, camera.height) {
        return Err(DataError::Usage(format!(
            "camera `{}` gave {}x{}, the data set has {}x{}",
            camera.name,
            image.width(),
            image.height(),
            camera.width,
            camera.height
        )));
    }
    Ok(())
}

/// An image as it stands in a table; nothing for a video.
pub(super) fn encode(camera: &CameraFeature, image: &RgbImage) -> Result<Vec<u8>, DataError> {
    let mut out = Vec::new();
    let outcome = match camera.encoding {
        ImageEncoding::Png => image.write_with_encoder(PngEncoder::new_with_quality(
            &mut out,
            CompressionType::Fast,
            FilterType::Adaptive,
        )),
        ImageEncoding::Jpeg { quality } => {
            image.write_with_encoder(JpegEncoder::new_with_quality(&mut out, quality))
        }
        ImageEncoding::Video => Ok(()),
    };
    outcome.map_err(|source| DataError::Image { what: camera.name.clone(), source })?;
    Ok(out)
}
