//! Frames of video files: MP4 with AV1 or H.264, the two codecs LeRobot writes.
//!
//! `re_mp4` reads the container, `re_rav1d` decodes AV1 and `openh264` H.264: each is maintained
//! (Rerun's viewer, Cisco) and built by cargo alone, so that neither ffmpeg nor an assembler has to
//! be installed.
//!
//! A frame is decoded when it is asked for, from the last frame before it that stands alone.
//! LeRobot writes every second frame so, and an episode of pixels would take a hundred times the
//! memory of the episode itself. Files whose frames hang together over longer stretches are decoded
//! an episode at a time instead.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;
use openh264::decoder::{DecodeOptions, DecodedYUV, Flush};
use openh264::formats::YUVSource as _;
use re_mp4::{Mp4, Sample, StsdBoxContent, Track, TrackKind};
use re_rav1d::dav1d;

use super::dataset::FrameImage;
use super::yuv::Yuv;
use super::{DataError, VideoSpan};

/// Up to this many frames are decoded to see one; beyond it an episode is decoded at once and kept
/// as pixels.
const LONGEST_RUN: usize = 8;

/// The index of one video file: everything needed to decode any of its frames.
#[derive(Debug)]
pub struct Film {
    path: PathBuf,
    samples: Vec<Sample>,
    codec: Codec,
}

#[derive(Debug)]
enum Codec {
    Av1,
    /// The parameter sets that the container keeps, and the bytes of a unit's length.
    H264(Vec<Vec<u8>>, usize),
}

/// The images of an episode, one for each of its `timestamps` (seconds since the episode began):
/// the frame whose time is nearest, which must be within half a frame of it.
pub(super) fn images(
    span: &VideoSpan,
    timestamps: &[f64],
    fps: f64,
) -> Result<Vec<FrameImage>, DataError> {
    let film = Film::open(&span.path)?;
    let chosen =
        film.choose(span.from_timestamp, timestamps, fps).map_err(|what| film.fault(what))?;
    let run = |index: &usize| index + 1 - film.start(*index);
    if chosen.iter().map(run).max().unwrap_or(0) <= LONGEST_RUN {
        let film = Arc::new(film);
        return Ok(chosen
            .into_iter()
            .map(|index| FrameImage::Filmed(Arc::clone(&film), index))
            .collect());
    }
    let images = film.decode(&chosen)?;
    Ok(images.into_iter().map(|image| FrameImage::Raw(Arc::new(image))).collect())
}

impl Film {
    fn open(path: &Path) -> Result<Self, DataError> {
        let fault = |what: String| DataError::Video { path: path.to_path_buf(), what };
        let file = File::open(path).map_err(DataError::io(path))?;
        let size = file.metadata().map_err(DataError::io(path))?.len();
        // The reader takes tables at their word and falls over those of a damaged file.
        let mp4 = catch_unwind(AssertUnwindSafe(|| Mp4::read(BufReader::new(file), size)))
            .map_err(|_| fault("the index of the file is damaged".into()))?
            .map_err(|error| fault(format!("no MP4 video: {error}")))?;
        let track = mp4.tracks().values().find(|track| track.kind == Some(TrackKind::Video));
        let track: &Track = track.ok_or_else(|| fault("no video track".into()))?;
        let codec = match &track.trak(&mp4).mdia.minf.stbl.stsd.contents {
            StsdBoxContent::Av01(_) => Codec::Av1,
            StsdBoxContent::Avc1(config) => {
                let config = &config.avcc.contents;
                let sets =
                    config.sequence_parameter_sets.iter().chain(&config.picture_parameter_sets);
                let sets = sets.map(|unit| unit.bytes.clone()).collect();
                Codec::H264(sets, usize::from(config.length_size_minus_one & 3) + 1)
            }
            other => {
                let name = other.codec_string().unwrap_or_else(|| "unknown".into());
                return Err(fault(format!(
                    "codec {name} is neither AV1 nor H.264; convert it: ffmpeg -i FILE -c:v libx264 -g 2 NEW.mp4"
                )));
            }
        };
        Ok(Self { path: path.to_path_buf(), samples: track.samples.clone(), codec })
    }

    fn fault(&self, what: String) -> DataError {
        DataError::Video { path: self.path.clone(), what }
    }

    /// Index, in decoding order, of the frame for each timestamp.
    fn choose(&self, from: f64, timestamps: &[f64], fps: f64) -> Result<Vec<usize>, String> {
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
                _ => Err(format!(
                    "no frame within {tolerance:.4} s of {wanted:.4} s; the file holds {} frames up to {:.4} s",
                    times.len(),
                    times.last().map_or(0.0, |(time, _)| *time)
                )),
            }
        };
        timestamps.iter().map(nearest).collect()
    }

    /// Where decoding of a frame begins: the last one before it that stands alone.
    fn start(&self, index: usize) -> usize {
        (0..=index).rev().find(|before| self.samples[*before].is_sync).unwrap_or(0)
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
    fn decode(&self, chosen: &[usize]) -> Result<Vec<RgbImage>, DataError> {
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
            Codec::Av1 => av1(packets),
            Codec::H264(sets, prefix) => h264(&packets, sets, *prefix),
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

struct Packet {
    /// When it is shown, in the track's units.
    time: i64,
    bytes: Vec<u8>,
}

type Decoded = Result<Vec<(i64, RgbImage)>, String>;

fn av1(packets: Vec<Packet>) -> Decoded {
    let mut settings = dav1d::Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    let mut decoder =
        dav1d::Decoder::with_settings(&settings).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    for packet in packets {
        let mut sent = decoder.send_data(packet.bytes, None, Some(packet.time), None);
        loop {
            drain(&mut decoder, &mut out)?;
            match sent {
                Ok(()) => break,
                Err(error) if error.is_again() => sent = decoder.send_pending_data(),
                Err(error) => return Err(format!("AV1: {error}")),
            }
        }
    }
    drain(&mut decoder, &mut out)?;
    Ok(out)
}

fn drain(decoder: &mut dav1d::Decoder, out: &mut Vec<(i64, RgbImage)>) -> Result<(), String> {
    use dav1d::{PixelLayout, PlanarImageComponent as Plane};
    loop {
        let image = match decoder.get_picture() {
            Ok(image) => image,
            Err(error) if error.is_again() => return Ok(()),
            Err(error) => return Err(format!("AV1: {error}")),
        };
        if image.bit_depth() != 8 {
            return Err(format!("{} bits a sample; 8 are supported", image.bit_depth()));
        }
        let halved = match image.pixel_layout() {
            PixelLayout::I420 => (true, true),
            PixelLayout::I422 => (true, false),
            PixelLayout::I444 => (false, false),
            PixelLayout::I400 => return Err("a grey video; colour is expected".into()),
        };
        let planes = [Plane::Y, Plane::U, Plane::V];
        let bytes = planes.map(|plane| image.plane(plane));
        let yuv = Yuv {
            size: (image.width(), image.height()),
            planes: [&bytes[0], &bytes[1], &bytes[2]],
            strides: planes.map(|plane| image.stride(plane) as usize),
            halved,
            full_range: image.color_range() == dav1d::pixel::YUVRange::Full,
            high_definition: image.matrix_coefficients() == dav1d::pixel::MatrixCoefficients::BT709,
        };
        out.push((image.timestamp().unwrap_or(0), yuv.to_rgb()?));
    }
}

/// `sets` are the parameter sets of the container, `prefix` the bytes of a unit's length.
fn h264(packets: &[Packet], sets: &[Vec<u8>], prefix: usize) -> Decoded {
    let fault = |error: openh264::Error| format!("H.264: {error}");
    let mut decoder = openh264::decoder::Decoder::new().map_err(fault)?;
    let mut images = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let mut stream = Vec::with_capacity(packet.bytes.len() + 64);
        let of_container = if index == 0 { sets } else { &[] };
        for unit in of_container.iter().map(Vec::as_slice).chain(units(&packet.bytes, prefix)?) {
            stream.extend_from_slice(&[0, 0, 0, 1]);
            stream.extend_from_slice(unit);
        }
        // Frames that others are shown before must stay inside until their turn.
        let waiting = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
        if let Some(frame) = decoder.decode_with_options(&stream, waiting).map_err(fault)? {
            images.push(rgb_of_h264(&frame)?);
        }
    }
    for frame in decoder.flush_remaining().map_err(fault)? {
        images.push(rgb_of_h264(&frame)?);
    }
    // Frames leave the decoder in the order they are shown.
    let mut times: Vec<i64> = packets.iter().map(|packet| packet.time).collect();
    times.sort_unstable();
    if images.len() != times.len() {
        return Err(format!("{} frames were decoded of {}", images.len(), times.len()));
    }
    Ok(times.into_iter().zip(images).collect())
}

fn rgb_of_h264(frame: &DecodedYUV<'_>) -> Result<RgbImage, String> {
    let (width, height) = frame.dimensions();
    let strides = frame.strides();
    let yuv = Yuv {
        size: (width as u32, height as u32),
        planes: [frame.y(), frame.u(), frame.v()],
        strides: [strides.0, strides.1, strides.2],
        halved: (true, true),
        // What encoders assume of RGB images when nobody says otherwise; the decoder does not
        // tell.
        full_range: false,
        high_definition: false,
    };
    yuv.to_rgb()
}

/// Splits a packet into units, each led by its length.
fn units(mut bytes: &[u8], prefix: usize) -> Result<Vec<&[u8]>, String> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let whole = bytes.split_at_checked(prefix).and_then(|(length, rest)| {
            let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
            rest.split_at_checked(length)
        });
        let (unit, rest) = whole.ok_or("a unit is longer than its packet")?;
        out.push(unit);
        bytes = rest;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_longer_than_its_packet_is_refused() {
        assert_eq!(units(&[0, 2, 7, 8, 0, 1, 9], 2).unwrap(), [&[7u8, 8][..], &[9]]);
        assert!(units(&[0, 9, 1], 2).is_err());
        assert!(units(&[0], 2).is_err());
    }
}
