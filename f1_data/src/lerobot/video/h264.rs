//! H.264 by OpenH264, which decodes 8 bits and 4:2:0. It does not report range and colour matrix;
//! these are read from the sequence parameter set.

use f1_image::yuv::{Chroma, Colour, Matrix, Planes};
use h264_reader::nal::sps::{ChromaFormat, FrameMbsFlags, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};
use image::RgbImage;
use openh264::decoder::{DecodeOptions, DecodedYUV, Flush};
use openh264::formats::YUVSource as _;
use re_mp4::Avc1Box;

use super::{Decoded, Packet};

/// Type of a unit that holds a sequence parameter set.
const SEQUENCE: u8 = 7;

/// The decoder's configuration in the container.
#[derive(Debug)]
pub(super) struct Container {
    /// Parameter sets that every decoder needs first.
    sets: Vec<Vec<u8>>,
    /// Bytes of the length before each unit.
    prefix: usize,
    colour: Option<Colour>,
}

impl Container {
    /// Reads the decoder's configuration; what the decoder cannot do is refused by name.
    pub fn read(entry: &Avc1Box) -> Result<Self, String> {
        let config = &entry.avcc.contents;
        let sets = config.sequence_parameter_sets.iter().chain(&config.picture_parameter_sets);
        let sets: Vec<Vec<u8>> = sets.map(|unit| unit.bytes.clone()).collect();
        let mut colour = None;
        for unit in &config.sequence_parameter_sets {
            if let Some(sequence) = sequence(&unit.bytes) {
                check(&sequence)?;
                colour = Some(colour_of(&sequence)?);
            }
        }
        Ok(Self { sets, prefix: usize::from(config.length_size_minus_one & 3) + 1, colour })
    }
}

/// A sequence parameter set, `None` where it cannot be read: the decoder will say why.
fn sequence(unit: &[u8]) -> Option<SeqParameterSet> {
    // The crate expects more than a head.
    if unit.len() < 4 {
        return None;
    }
    let bits = decode_nal(unit).ok()?;
    SeqParameterSet::from_bits(BitReader::new(&*bits)).ok()
}

fn check(sequence: &SeqParameterSet) -> Result<(), String> {
    let format = &sequence.chroma_info;
    let bits = 8 + format.bit_depth_luma_minus8.max(format.bit_depth_chroma_minus8);
    if bits != 8 {
        return Err(format!("H.264 with {bits} bits a sample; 8 are supported"));
    }
    let stored = match format.chroma_format {
        ChromaFormat::YUV420 => return interlaced(sequence),
        ChromaFormat::Monochrome => "grey",
        ChromaFormat::YUV422 => "4:2:2",
        ChromaFormat::YUV444 => "4:4:4",
        ChromaFormat::Invalid(_) => "of an unknown format",
    };
    Err(format!("H.264 whose chroma is {stored}; 4:2:0 is supported"))
}

fn interlaced(sequence: &SeqParameterSet) -> Result<(), String> {
    match sequence.frame_mbs_flags {
        FrameMbsFlags::Frames => Ok(()),
        FrameMbsFlags::Fields { .. } => Err("interlaced H.264; whole frames are supported".into()),
    }
}

/// ITU-T H.264, E.2.1, and H.273 for the numbers of matrices.
fn colour_of(sequence: &SeqParameterSet) -> Result<Colour, String> {
    let usability = sequence.vui_parameters.as_ref();
    let Some(signal) = usability.and_then(|usability| usability.video_signal_type.as_ref()) else {
        return Ok(Colour::default());
    };
    let matrix = match signal.colour_description.as_ref().map(|colour| colour.matrix_coefficients) {
        None | Some(2 | 5 | 6) => Matrix::Bt601,
        Some(1) => Matrix::Bt709,
        Some(4) => Matrix::Fcc,
        Some(7) => Matrix::Smpte240,
        Some(9) => Matrix::Bt2020,
        Some(other) => return Err(format!("H.264 with the colour matrix number {other}")),
    };
    Ok(Colour { full_range: signal.video_full_range_flag, matrix })
}

pub(super) fn decode(packets: &[Packet], container: &Container) -> Decoded {
    let fault = |error: openh264::Error| format!("H.264: {error}");
    let mut decoder = openh264::decoder::Decoder::new().map_err(fault)?;
    let mut images = Vec::new();
    let mut colour = container.colour.unwrap_or_default();
    for (index, packet) in packets.iter().enumerate() {
        let mut stream = Vec::with_capacity(packet.bytes.len() + 64);
        let sets = if index == 0 { container.sets.as_slice() } else { &[] };
        let own = units(&packet.bytes, container.prefix)?;
        // A stream that carries its parameter sets itself may have none in the container.
        let repeated = own.iter().rfind(|unit| unit.first().is_some_and(|b| b & 31 == SEQUENCE));
        if let Some(sequence) = repeated.and_then(|unit| sequence(unit)) {
            check(&sequence)?;
            colour = colour_of(&sequence)?;
        }
        for unit in sets.iter().map(Vec::as_slice).chain(own) {
            stream.extend_from_slice(&[0, 0, 0, 1]);
            stream.extend_from_slice(unit);
        }
        // Frames that others are shown before must stay inside until their turn.
        let waiting = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
        if let Some(frame) = decoder.decode_with_options(&stream, waiting).map_err(fault)? {
            images.push(to_rgb(&frame, colour)?);
        }
    }
    for frame in decoder.flush_remaining().map_err(fault)? {
        images.push(to_rgb(&frame, colour)?);
    }
    // Frames leave the decoder in the order they are shown.
    let mut times: Vec<i64> = packets.iter().map(|packet| packet.time).collect();
    times.sort_unstable();
    if images.len() != times.len() {
        return Err(format!("{} frames were decoded of {}", images.len(), times.len()));
    }
    Ok(times.into_iter().zip(images).collect())
}

fn to_rgb(frame: &DecodedYUV<'_>, colour: Colour) -> Result<RgbImage, String> {
    let (width, height) = frame.dimensions();
    let strides = frame.strides();
    let planes = Planes {
        size: (width as u32, height as u32),
        planes: [frame.y(), frame.u(), frame.v()],
        strides: [strides.0, strides.1, strides.2],
        chroma: Chroma::Quarter,
    };
    planes.to_rgb(colour).map_err(|fault| fault.to_string())
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
