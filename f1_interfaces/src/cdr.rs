//! CDR, the encoding of messages on the wire and in bags.
//!
//! A message is four bytes of encapsulation header (`00 00` big endian or `00 01` little endian,
//! then two bytes of options) and the fields, each aligned to its size counted from behind the
//! header.

use byteorder::{BigEndian, LittleEndian};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Length of the encapsulation header in bytes.
pub const HEADER_LENGTH: usize = 4;

/// The header that we write: plain CDR, little endian, no options.
pub const HEADER: [u8; HEADER_LENGTH] = [0, 1, 0, 0];

/// Why bytes are no message, or a message cannot become bytes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Shorter than the header.
    #[error("{0} bytes are too few for the encapsulation header")]
    NoHeader(usize),
    /// The header names an encoding other than plain CDR.
    #[error("encoding {0:#06x} is not plain CDR (0x0000 or 0x0001)")]
    Encoding(u16),
    /// The fields do not follow the type, or a bound is exceeded.
    #[error("{0}")]
    Content(#[from] cdr_encoding::Error),
}

/// Encodes with the header, little endian.
///
/// # Errors
/// A sequence or string longer than its bound.
pub fn to_bytes<T: Serialize>(message: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    write(&mut bytes, message)?;
    Ok(bytes)
}

/// As [`to_bytes`], into a buffer that is kept: what it held is lost, its memory is used again.
///
/// # Errors
/// As [`to_bytes`].
pub fn write<T: Serialize>(buffer: &mut Vec<u8>, message: &T) -> Result<(), Error> {
    buffer.clear();
    buffer.extend_from_slice(&HEADER);
    cdr_encoding::to_writer::<T, LittleEndian, _>(buffer, message)?;
    Ok(())
}

/// Encodes without the header, little endian: for carriers that write the header themselves.
///
/// # Errors
/// As [`to_bytes`].
pub fn to_bytes_without_header<T: Serialize>(message: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    cdr_encoding::to_writer::<T, LittleEndian, _>(&mut bytes, message)?;
    Ok(bytes)
}

/// Decodes bytes whose header a carrier has taken off already, in the byte order that it named.
///
/// # Errors
/// As [`from_bytes`], but for those of the header.
pub fn from_bytes_without_header<T: DeserializeOwned>(
    body: &[u8],
    big_endian: bool,
) -> Result<T, Error> {
    Ok(if big_endian {
        cdr_encoding::from_bytes::<T, BigEndian>(body)?.0
    } else {
        cdr_encoding::from_bytes::<T, LittleEndian>(body)?.0
    })
}

/// Decodes bytes with a header, of either byte order. Bytes behind the message (padding) are
/// ignored.
///
/// Never panics, and allocates no more than a small multiple of the buffer's length.
///
/// # Errors
/// No header, another encoding, an end too early, a boolean that is neither 0 nor 1, a string that
/// is not UTF-8, a bound exceeded.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let (header, body) =
        bytes.split_first_chunk::<HEADER_LENGTH>().ok_or(Error::NoHeader(bytes.len()))?;
    match [header[0], header[1]] {
        [0, 0] => Ok(cdr_encoding::from_bytes::<T, BigEndian>(body)?.0),
        [0, 1] => Ok(cdr_encoding::from_bytes::<T, LittleEndian>(body)?.0),
        other => Err(Error::Encoding(u16::from_be_bytes(other))),
    }
}
