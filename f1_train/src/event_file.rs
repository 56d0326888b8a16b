//! TensorBoard event files.
//!
//! A file is a sequence of TFRecord frames (length, masked CRC-32C of the length, payload, masked
//! CRC-32C of the payload), each payload an `Event` protocol buffer with a wall time, a step and
//! scalar values. That is small enough to write out here: the crates for it bring an old protobuf
//! and image stack.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::{Result, TrainError};

/// Writes scalars that TensorBoard shows.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
}

impl EventFile {
    /// Starts a file of its own in `folder`; `seconds` is the wall time since 1970. TensorBoard
    /// joins the files of a folder, so a resumed run simply starts another.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(folder: &Path, seconds: f64) -> Result<Self> {
        let name = format!("events.out.tfevents.{:010}.f1.{}", seconds as u64, std::process::id());
        let path = folder.join(name);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(TrainError::io(&path))?;
        let mut events = Self { file, path };
        let mut first = Vec::new();
        put_double(&mut first, 1, seconds);
        put_bytes(&mut first, 3, b"brain.Event:2");
        events.write(&first)?;
        Ok(events)
    }

    /// Adds one value for each name at a step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalars(&mut self, step: u64, seconds: f64, values: &[(&str, f64)]) -> Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut entry = Vec::new();
            put_bytes(&mut entry, 1, tag.as_bytes());
            put_key(&mut entry, 2, 5);
            entry.extend_from_slice(&(*value as f32).to_le_bytes());
            put_bytes(&mut summary, 1, &entry);
        }
        let mut event = Vec::new();
        put_double(&mut event, 1, seconds);
        put_key(&mut event, 2, 0);
        put_varint(&mut event, step);
        put_bytes(&mut event, 5, &summary);
        self.write(&event)
    }

    fn write(&mut self, payload: &[u8]) -> Result<()> {
        self.file.write_all(&frame(payload)).map_err(TrainError::io(&self.path))
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend_from_slice(&masked_crc(&length).to_le_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&masked_crc(payload).to_le_bytes());
    out
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_key(out: &mut Vec<u8>, field: u64, wire: u64) {
    put_varint(out, field << 3 | wire);
}

fn put_double(out: &mut Vec<u8>, field: u64, value: f64) {
    put_key(out, field, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// CRC-32C (Castagnoli), bit by bit: event files are a few kilobytes.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // Check value of CRC-32C in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_file_is_frames_of_events() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(folder.path(), 1.5).unwrap();
        events.scalars(300, 2.0, &[("loss", 0.25)]).unwrap();
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(path).unwrap();
        let first = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        assert_eq!(&bytes[12..12 + first][11..], b"brain.Event:2");
        let second = &bytes[16 + first..];
        let length = u64::from_le_bytes(second[..8].try_into().unwrap()) as usize;
        let payload = &second[12..12 + length];
        assert_eq!(payload[9..12], [0x10, 0xac, 0x02]);
        assert!(payload.ends_with(&0.25f32.to_le_bytes()));
        assert_eq!(second[12 + length..], masked_crc(payload).to_le_bytes());
    }
}
