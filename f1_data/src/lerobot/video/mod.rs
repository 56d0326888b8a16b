//! Frames of video files: MP4 with AV1 or H.264, the two codecs LeRobot writes.
//!
//! `re_mp4` reads the container, `re_rav1d` decodes AV1 and `openh264` H.264: each is maintained
//! (Rerun's viewer, Cisco) and built by cargo alone, so that neither ffmpeg nor an assembler has to
//! be installed.
//!
//! A frame is decoded when it is asked for, from the last frame before it that stands alone.
//! LeRobot writes every second frame so, and an episode of pixels would take a hundred times the
//! memory of the episode itself.

mod av1;
mod h264;

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::RgbImage;
use re_mp4::{Mp4, Sample, StsdBoxContent, Track, TrackKind};

use super::DataError;

/// The index of one video file: everything needed to decode any of its frames.
#[derive(Debug)]
pub struct VideoFile {
    path: PathBuf,
    samples: Vec<Sample>,
    codec: Codec,
}

#[derive(Debug)]
enum Codec {
    Av1,
    H264(h264::Container),
}

struct Packet {
    /// When it is shown, in the track's units.
    time: i64,
    bytes: Vec<u8>,
}

/// Decoded frames with the times at which they are shown, or the decoder's fault.
type Decoded = Result<Vec<(i64, RgbImage)>, String>;

impl VideoFile {
    /// Reads the index of a file.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let fault = |what: String| DataError::Video { path: path.to_path_buf(), what };
        let file = File::open(path).map_err(DataError::io(path))?;
        let size = file.metadata().map_err(DataError::io(path))?.len();
        // The reader takes tables at their word and panics over those of a damaged file.
        let mp4 = catch_unwind(AssertUnwindSafe(|| Mp4::read(BufReader::new(file), size)))
            .map_err(|_| fault("the index of the file is damaged".into()))?
            .map_err(|error| fault(format!("no MP4 video: {error}")))?;
        let tracks = || mp4.tracks().values();
        // The reader knows the kind of a track by its codec, and not that of unknown ones.
        let track = tracks().find(|track| track.kind == Some(TrackKind::Video)).or_else(|| {
            tracks().find(|track| track.trak(&mp4).mdia.hdlr.handler_type.value == *b"vide")
        });
        let track: &Track = track.ok_or_else(|| fault("no video track".into()))?;
        let unsupported = |what| DataError::UnsupportedVideo { path: path.to_path_buf(), what };
        let codec = match &track.trak(&mp4).mdia.minf.stbl.stsd.contents {
            StsdBoxContent::Av01(config) => {
                av1::check(config).map_err(unsupported)?;
                Codec::Av1
            }
            StsdBoxContent::Avc1(config) => {
                Codec::H264(h264::Container::read(config).map_err(unsupported)?)
            }
            other => {
                let name = match other {
                    StsdBoxContent::Unknown(code) => code.to_string(),
                    known => known.codec_string().unwrap_or_default(),
                };
                return Err(unsupported(format!("the codec {name} is neither AV1 nor H.264")));
            }
        };
        Ok(Self { path: path.to_path_buf(), samples: track.samples.clone(), codec })
    }

    fn fault(&self, what: String) -> DataError {
        DataError::Video { path: self.path.clone(), what }
    }

    /// Index, in decoding order, of the frame for each timestamp: the nearest one, which must be
    /// within half a frame.
    pub(super) fn choose(
        &self,
        from: f64,
        timestamps: &[f64],
        fps: f64,
    ) -> Result<Vec<usize>, DataError> {
        let seconds =
            |sample: &Sample| sample.composition_timestamp as f64 / sample.timescale.max(1) as f64;
        let mut times: Vec<(f64, usize)> = self
            .samples
            .iter()
            .enumerate()
            .map(|(index, sample)| (seconds(sample), index))
            .collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let tolerance = 0.5 / fps.max(1e-6);
        let nearest = |timestamp: &f64| {
            let wanted = from + timestamp;
            let after = times.partition_point(|(time, _)| *time < wanted);
            let near = times[after.saturating_sub(1)..(after + 1).min(times.len())]
                .iter()
                .min_by(|a, b| (a.0 - wanted).abs().total_cmp(&(b.0 - wanted).abs()));
            match near {
                Some((time, index)) if (time - wanted).abs() < tolerance => Ok(*index),
                _ => Err(self.fault(format!(
                    "no frame within {tolerance:.4} s of {wanted:.4} s; the file holds {} frames \
                     up to {:.4} s",
                    times.len(),
                    times.last().map_or(0.0, |(time, _)| *time)
                ))),
            }
        };
        timestamps.iter().map(nearest).collect()
    }

    /// Where decoding of a frame begins: the last one before it that stands alone.
    fn start(&self, index: usize) -> usize {
        (0..=index).rev().find(|before| self.samples[*before].is_sync).unwrap_or(0)
    }

    /// Frames that are decoded to see one.
    pub(super) fn run_to(&self, index: usize) -> usize {
        index + 1 - self.start(index)
    }

    /// Frames in the file.
    pub(super) fn frames(&self) -> usize {
        self.samples.len()
    }

    /// Bytes of this index in memory.
    pub(super) fn bytes(&self) -> usize {
        std::mem::size_of_val(self.samples.as_slice())
    }

    /// One frame, by its place in decoding order.
    pub(super) fn frame(&self, index: usize) -> Result<RgbImage, DataError> {
        let mut images = self.decode(&[index])?;
        images.pop().ok_or_else(|| self.fault(format!("no frame {index}")))
    }

    /// Frames by their places in decoding order.
    pub(super) fn decode(&self, chosen: &[usize]) -> Result<Vec<RgbImage>, DataError> {
        let (Some(first), Some(last)) = (chosen.iter().min(), chosen.iter().max()) else {
            return Ok(Vec::new());
        };
        let mut file = File::open(&self.path).map_err(DataError::io(&self.path))?;
        let mut packets = Vec::with_capacity(last + 1);
        for sample in &self.samples[self.start(*first)..=*last] {
            packets.push(Packet {
                time: sample.composition_timestamp,
                bytes: self.read(&mut file, sample)?,
            });
        }
        let decoded = match &self.codec {
            Codec::Av1 => av1::decode(packets),
            Codec::H264(container) => h264::decode(&packets, container),
        };
        let decoded = decoded.map_err(|what| self.fault(what))?;
        let image = |index: &usize| {
            let time = self.samples[*index].composition_timestamp;
            let found = decoded.iter().find(|(of, _)| *of == time);
            found.map(|(_, image)| image.clone())
        };
        chosen
            .iter()
            .map(|index| {
                image(index).ok_or_else(|| self.fault(format!("frame {index} was not decoded")))
            })
            .collect()
    }

    fn read(&self, file: &mut File, sample: &Sample) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(sample.offset)).map_err(DataError::io(&self.path))?;
        file.take(sample.size).read_to_end(&mut bytes).map_err(DataError::io(&self.path))?;
        if bytes.len() as u64 != sample.size {
            return Err(self.fault("the file ends within a frame".into()));
        }
        Ok(bytes)
    }
}
