//! AV1 by `re_rav1d`.

use f1_image::yuv::{Chroma, Colour, Matrix, Planes};
use image::RgbImage;
use re_mp4::Av01Box;
use re_rav1d::dav1d::{self, PixelLayout, PlanarImageComponent as Plane};

use super::{Decoded, Packet};

/// Refuses what the decoder is not built for.
pub(super) fn check(config: &Av01Box) -> Result<(), String> {
    match config.av1c.bit_depth {
        8 => Ok(()),
        depth => Err(format!("AV1 with {depth} bits a sample; 8 are supported")),
    }
}

pub(super) fn decode(packets: Vec<Packet>) -> Decoded {
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
    loop {
        let image = match decoder.get_picture() {
            Ok(image) => image,
            Err(error) if error.is_again() => return Ok(()),
            Err(error) => return Err(format!("AV1: {error}")),
        };
        if image.bit_depth() != 8 {
            return Err(format!("{} bits a sample; 8 are supported", image.bit_depth()));
        }
        let chroma = match image.pixel_layout() {
            PixelLayout::I420 => Chroma::Quarter,
            PixelLayout::I422 => Chroma::Half,
            PixelLayout::I444 => Chroma::Full,
            PixelLayout::I400 => return Err("a grey video; colour is expected".into()),
        };
        let planes = [Plane::Y, Plane::U, Plane::V];
        let bytes = planes.map(|plane| image.plane(plane));
        let yuv = Planes {
            size: (image.width(), image.height()),
            planes: [&bytes[0], &bytes[1], &bytes[2]],
            strides: planes.map(|plane| image.stride(plane) as usize),
            chroma,
        };
        let colour = Colour {
            full_range: image.color_range() == dav1d::pixel::YUVRange::Full,
            matrix: matrix(image.matrix_coefficients())?,
        };
        let rgb = yuv.to_rgb(colour).map_err(|fault| fault.to_string())?;
        out.push((image.timestamp().unwrap_or(0), rgb));
    }
}

fn matrix(of_stream: dav1d::pixel::MatrixCoefficients) -> Result<Matrix, String> {
    use dav1d::pixel::MatrixCoefficients as Stream;
    Ok(match of_stream {
        Stream::BT709 => Matrix::Bt709,
        Stream::BT2020NonConstantLuminance => Matrix::Bt2020,
        Stream::ST240M => Matrix::Smpte240,
        Stream::BT470M => Matrix::Fcc,
        Stream::Unspecified | Stream::BT470BG | Stream::ST170M => Matrix::Bt601,
        other => return Err(format!("AV1 with the colour matrix {other:?}")),
    })
}
