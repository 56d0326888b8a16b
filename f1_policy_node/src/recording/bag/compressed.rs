//! zstd, as `ros2 bag` compresses single messages or whole files with it.

use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::{RecordingError, io_error};

/// First bytes of a zstd frame. A message in CDR begins with 0, so it cannot be mistaken for one.
const FRAME: &[u8] = b"\x28\xb5\x2f\xfd";
/// The largest message that is accepted, bytes: an image of 16384 x 4096 pixels.
const LARGEST_MESSAGE: u64 = 256 << 20;

pub(super) fn is_zstd(bytes: &[u8]) -> bool {
    bytes.starts_with(FRAME)
}

/// Decompresses one message of `topic`.
pub(super) fn message(topic: &str, bytes: &[u8]) -> Result<Vec<u8>, RecordingError> {
    let fault = |cause| RecordingError::Io { path: format!("a message of {topic}"), cause };
    let mut out = Vec::new();
    let decoder = zstd::Decoder::with_buffer(bytes).map_err(fault)?;
    decoder.take(LARGEST_MESSAGE + 1).read_to_end(&mut out).map_err(fault)?;
    if out.len() as u64 > LARGEST_MESSAGE {
        return Err(fault(std::io::Error::other(format!(
            "it is larger than {LARGEST_MESSAGE} bytes"
        ))));
    }
    Ok(out)
}

/// Decompresses a file into a temporary one (in `TMPDIR`).
pub(super) fn file(path: &Path) -> Result<NamedTempFile, RecordingError> {
    let file = File::open(path).map_err(io_error(path))?;
    let mut decoder = zstd::Decoder::new(BufReader::new(file)).map_err(io_error(path))?;
    let mut plain = NamedTempFile::new().map_err(io_error(&std::env::temp_dir()))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(plain),
            Ok(count) => {
                plain.write_all(&buffer[..count]).map_err(io_error(plain.path()))?;
            }
            Err(cause) => return Err(io_error(path)(cause)),
        }
    }
}
