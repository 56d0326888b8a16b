//! Videos: H.264 by OpenH264, in MP4 by `muxide`.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use f1_image::yuv::Planes420;
use image::RgbImage;
use muxide::api::{Muxer, MuxerBuilder, VideoCodec};
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, QpRange,
    RateControlMode, UsageType, VuiConfig,
};
use openh264::formats::YUVSlices;

use super::super::info::fill_template;
use super::super::{DataError, FormatVersion};
use super::{CHUNKS_SIZE, CameraFeature};

/// A v3.0 file is closed once it is this large, in bytes. The muxer holds a file in memory until
/// then, so this is smaller than LeRobot's own default of 200 MB.
pub(super) const FILE_BYTES: usize = 32 << 20;
/// Quantiser of all frames: no visible loss, about a twentieth of the size of PNG.
const QUANTISER: u8 = 18;
/// Every second frame stands alone, as LeRobot writes them: a frame is decoded from at most one
/// before it.
const FRAMES_TO_NEXT_START: u32 = 2;

/// Template of the files.
pub(super) fn template(version: FormatVersion) -> &'static str {
    match version {
        FormatVersion::V3_0 => {
            "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
        }
        _ => "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    }
}

/// Where an episode's images are.
#[derive(Debug, Clone, Copy)]
pub(super) struct VideoPlace {
    /// Number of the v3.0 file.
    pub file: usize,
    /// Seconds into the file.
    pub from_timestamp: f64,
    /// Seconds into the file.
    pub to_timestamp: f64,
}

/// The files of one camera.
pub(super) struct VideoTrack {
    camera: CameraFeature,
    fps: u32,
    version: FormatVersion,
    open: Option<OpenVideo>,
    /// Number of the v3.0 file.
    number: usize,
    /// Frames of the open file before the current episode.
    before: usize,
}

struct OpenVideo {
    path: PathBuf,
    encoder: Encoder,
    muxer: Muxer<BufWriter<File>>,
    frames: usize,
    bytes: usize,
}

impl VideoTrack {
    pub fn new(camera: &CameraFeature, fps: u32, version: FormatVersion) -> Self {
        Self { camera: camera.clone(), fps, version, open: None, number: 0, before: 0 }
    }

    /// Adds a frame of episode number `episode`.
    pub fn add(&mut self, root: &Path, episode: usize, image: &RgbImage) -> Result<(), DataError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create(root, episode)?,
        };
        open.add(image, self.fps)?;
        self.open = Some(open);
        Ok(())
    }

    fn create(&self, root: &Path, episode: usize) -> Result<OpenVideo, DataError> {
        let key = &self.camera.name;
        let path = root.join(match self.version {
            FormatVersion::V3_0 => {
                let (chunk, file) = (self.number / CHUNKS_SIZE, self.number % CHUNKS_SIZE);
                let values: [(&str, &dyn std::fmt::Display); 3] =
                    [("video_key", key), ("chunk_index", &chunk), ("file_index", &file)];
                fill_template(template(self.version), &values)
            }
            _ => {
                let chunk = episode / CHUNKS_SIZE;
                let values: [(&str, &dyn std::fmt::Display); 3] =
                    [("video_key", key), ("episode_chunk", &chunk), ("episode_index", &episode)];
                fill_template(template(self.version), &values)
            }
        });
        OpenVideo::create(path, &self.camera, self.fps)
    }

    /// Ends the episode; the file ends with it where it is the episode's own or large enough.
    pub fn finish_episode(&mut self) -> Result<VideoPlace, DataError> {
        let (frames, bytes) = self.open.as_ref().map_or((0, 0), |open| (open.frames, open.bytes));
        let seconds = |frames: usize| frames as f64 / f64::from(self.fps);
        let place = VideoPlace {
            file: self.number,
            from_timestamp: seconds(self.before),
            to_timestamp: seconds(frames),
        };
        self.before = frames;
        if self.version != FormatVersion::V3_0 || bytes >= FILE_BYTES {
            self.finish()?;
        }
        Ok(place)
    }

    /// Closes the open file.
    pub fn finish(&mut self) -> Result<(), DataError> {
        if let Some(open) = self.open.take() {
            open.finish()?;
            self.number += 1;
            self.before = 0;
        }
        Ok(())
    }
}

impl OpenVideo {
    fn create(path: PathBuf, camera: &CameraFeature, fps: u32) -> Result<Self, DataError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(DataError::io(parent))?;
        }
        // Beside its place: a reader never sees half a file.
        let partial = path.with_extension("partial");
        let file = BufWriter::new(File::create(&partial).map_err(DataError::io(&partial))?);
        let fault = |what: String| DataError::Video { path: path.clone(), what };
        let muxer = MuxerBuilder::new(file)
            .video(VideoCodec::H264, camera.width, camera.height, f64::from(fps))
            .build()
            .map_err(|error| fault(error.to_string()))?;
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .rate_control_mode(RateControlMode::Quality)
            .bitrate(BitRate::from_bps(100_000_000))
            .qp(QpRange::new(QUANTISER, QUANTISER))
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .max_frame_rate(FrameRate::from_hz(fps as f32))
            .intra_frame_period(IntraFramePeriod::from_num_frames(FRAMES_TO_NEXT_START))
            .num_threads(1)
            .vui(VuiConfig::bt601());
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| fault(error.to_string()))?;
        Ok(Self { path, encoder, muxer, frames: 0, bytes: 0 })
    }

    fn add(&mut self, image: &RgbImage, fps: u32) -> Result<(), DataError> {
        let path = &self.path;
        let fault = |what: String| DataError::Video { path: path.clone(), what };
        let planes = Planes420::from_rgb(image).map_err(|error| fault(error.to_string()))?;
        let size = (image.width() as usize, image.height() as usize);
        let source = YUVSlices::new(
            (&planes.y, &planes.u, &planes.v),
            size,
            (size.0, size.0 / 2, size.0 / 2),
        );
        let stream = self.encoder.encode(&source).map_err(|error| fault(error.to_string()))?;
        let alone = matches!(stream.frame_type(), FrameType::IDR);
        let bytes = stream.to_vec();
        let seconds = self.frames as f64 / f64::from(fps);
        self.muxer.write_video(seconds, &bytes, alone).map_err(|error| fault(error.to_string()))?;
        self.frames += 1;
        self.bytes += bytes.len();
        Ok(())
    }

    fn finish(mut self) -> Result<(), DataError> {
        let partial = self.path.with_extension("partial");
        self.muxer.finish_in_place().map_err(|error| DataError::Video {
            path: self.path.clone(),
            what: error.to_string(),
        })?;
        self.muxer.into_writer().flush().map_err(DataError::io(&partial))?;
        fs::rename(&partial, &self.path).map_err(DataError::io(&self.path))
    }
}
