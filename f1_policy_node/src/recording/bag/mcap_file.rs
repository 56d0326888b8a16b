//! MCAP files, read chunk by chunk.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use mcap::records::{Record, op};
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};

use super::{Place, Plain, RecordingError, Scan, Storage, Topic, io_error};

/// Chunks are kept, once decompressed, up to this many bytes: cameras take turns, and the newest
/// image of one is often in the chunk before.
const KEPT_BYTES: usize = 32 << 20;

struct McapFile {
    /// As the user named it.
    name: String,
    file: File,
    length: u64,
    /// The newest chunks that were read, oldest first.
    kept: VecDeque<Chunk>,
    _plain: Plain,
}

/// The messages of a chunk, or one message that is in none.
struct Chunk {
    offset: u64,
    messages: Vec<Vec<u8>>,
}

/// Scans the file at `path`, which the user knows as `name`.
pub(super) fn open(
    name: &Path,
    path: &Path,
    plain: Plain,
) -> Result<(Scan, Box<dyn Storage>), RecordingError> {
    let file = File::open(path).map_err(io_error(name))?;
    let length = file.metadata().map_err(io_error(name))?.len();
    let mut storage = McapFile {
        name: name.display().to_string(),
        file,
        length,
        kept: VecDeque::new(),
        _plain: plain,
    };
    let scan = storage.scan()?;
    Ok((scan, Box::new(storage)))
}

impl Storage for McapFile {
    fn read(&mut self, place: Place) -> Result<Vec<u8>, RecordingError> {
        let wanted = place.number as usize;
        if let Some(chunk) = self.kept.iter().find(|chunk| chunk.offset == place.offset)
            && let Some(data) = chunk.messages.get(wanted)
        {
            return Ok(data.clone());
        }
        let mut messages = Vec::new();
        // The end of a file may be missing; the scan saw the messages before the fault.
        let outcome = self.records_at(place.offset, |record| {
            if let Record::Message { data, .. } = record {
                messages.push(data.into_owned());
            }
        });
        let Some(data) = messages.get(wanted) else {
            let cause = outcome.err().unwrap_or(mcap::McapError::UnexpectedEof);
            return Err(self.fault(cause));
        };
        let data = data.clone();
        self.keep(Chunk { offset: place.offset, messages });
        Ok(data)
    }
}

impl McapFile {
    fn fault(&self, cause: mcap::McapError) -> RecordingError {
        RecordingError::Mcap { path: self.name.clone(), cause: Box::new(cause) }
    }

    fn keep(&mut self, chunk: Chunk) {
        let bytes = |chunk: &Chunk| chunk.messages.iter().map(Vec::len).sum::<usize>();
        let mut sum: usize = self.kept.iter().map(bytes).sum::<usize>() + bytes(&chunk);
        while sum > KEPT_BYTES
            && let Some(oldest) = self.kept.pop_front()
        {
            sum -= bytes(&oldest);
        }
        self.kept.push_back(chunk);
    }

    fn scan(&mut self) -> Result<Scan, RecordingError> {
        let mut scan = Scan::default();
        let mut channels = Channels::default();
        let mut offset = super::MCAP.len() as u64;
        let outcome = loop {
            let (opcode, length) = match self.record_head(offset) {
                Ok(Some((opcode, _))) if opcode == op::DATA_END => break Ok(()),
                Ok(Some(head)) => head,
                // Without an end, but with nothing broken off either.
                Ok(None) => break Ok(()),
                Err(cause) => break Err(cause),
            };
            let mut number = 0;
            let mut read = Ok(());
            if [op::SCHEMA, op::CHANNEL, op::MESSAGE, op::CHUNK, op::METADATA].contains(&opcode) {
                let place = |number| Place { offset, number };
                let mut unknown = None;
                read = self.records_at(offset, |record| match record {
                    Record::Message { header, .. } => {
                        match channels.topic(header.channel_id, &mut scan.topics) {
                            Some(topic) => {
                                let stamp_ns = i64::try_from(header.log_time).unwrap_or(i64::MAX);
                                scan.messages.push((stamp_ns, topic, place(number)));
                            }
                            None => {
                                unknown.get_or_insert((header.sequence, header.channel_id));
                            }
                        }
                        number += 1;
                    }
                    Record::Metadata(metadata) if metadata.name == super::super::METADATA => {
                        let start = metadata.metadata.get(super::super::START);
                        scan.start_ns = start.and_then(|text| text.parse().ok());
                    }
                    record => channels.add(record),
                });
                if let (Ok(()), Some((sequence, channel))) = (&read, unknown) {
                    read = Err(mcap::McapError::UnknownChannel(sequence, channel));
                }
            }
            if read.is_err() {
                break read;
            }
            offset = offset.saturating_add(RECORD_HEAD as u64).saturating_add(length);
        };
        match outcome {
            Ok(()) => {}
            Err(cause) if scan.messages.is_empty() => return Err(self.fault(cause)),
            Err(cause) => scan.cut = Some(cause.to_string()),
        }
        Ok(scan)
    }

    /// Operation code and length of the record at an offset; `None` at the end of the file.
    fn record_head(&mut self, offset: u64) -> mcap::McapResult<Option<(u8, u64)>> {
        if offset >= self.length {
            return match offset == self.length {
                true => Ok(None),
                false => Err(mcap::McapError::UnexpectedEof),
            };
        }
        let mut head = [0; RECORD_HEAD];
        self.file.seek(SeekFrom::Start(offset))?;
        match self.file.read_exact(&mut head) {
            Ok(()) => {}
            Err(fault) if fault.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(mcap::McapError::UnexpectedEof);
            }
            Err(fault) => return Err(fault.into()),
        }
        let [opcode, length @ ..] = head;
        Ok(Some((opcode, u64::from_le_bytes(length))))
    }

    /// Passes on the record at an offset, or those of the chunk there, up to the first fault.
    fn records_at(
        &mut self,
        offset: u64,
        mut on_record: impl FnMut(Record<'_>),
    ) -> mcap::McapResult<()> {
        let Some((_, length)) = self.record_head(offset)? else { return Ok(()) };
        self.file.seek(SeekFrom::Start(offset))?;
        let left = self.length - offset;
        let mut bytes =
            BufReader::new((&self.file).take(length.saturating_add(RECORD_HEAD as u64)));
        let options = LinearReaderOptions::default()
            .with_skip_start_magic(true)
            .with_skip_end_magic(true)
            .with_record_length_limit(usize::try_from(left).unwrap_or(usize::MAX).max(LEAST_LIMIT));
        let mut reader = LinearReader::new_with_options(options);
        while let Some(event) = reader.next_event() {
            match event? {
                LinearReadEvent::ReadRequest(need) => {
                    let need = need.min(READ_BYTES);
                    let read = bytes.read(reader.insert(need))?;
                    reader.notify_read(read);
                }
                LinearReadEvent::Record { opcode, data } => {
                    on_record(mcap::parse_record(opcode, data)?);
                }
            }
        }
        Ok(())
    }
}

/// Operation code and length of a record, bytes.
const RECORD_HEAD: usize = 9;
/// Largest single read: a damaged length must not become an allocation.
const READ_BYTES: usize = 1 << 20;
/// Records of a compressed chunk may be larger than the file; this much is always allowed.
const LEAST_LIMIT: usize = 256 << 20;

/// Schemas and channels that were seen so far.
#[derive(Default)]
struct Channels {
    schemas: HashMap<u16, String>,
    /// Topic and schema of each channel.
    channels: HashMap<u16, (String, u16)>,
    /// Index of each channel's topic.
    topics: HashMap<u16, u32>,
}

impl Channels {
    fn add(&mut self, record: Record<'_>) {
        match record {
            Record::Schema { header, .. } => {
                self.schemas.insert(header.id, header.name);
            }
            Record::Channel(channel) => {
                self.channels.insert(channel.id, (channel.topic, channel.schema_id));
            }
            _ => {}
        }
    }

    /// Index of the channel's topic, which is added where it is new.
    fn topic(&mut self, channel: u16, topics: &mut Vec<Topic>) -> Option<u32> {
        if let Some(known) = self.topics.get(&channel) {
            return Some(*known);
        }
        let (name, schema) = self.channels.get(&channel)?;
        let type_name = self.schemas.get(schema).cloned().unwrap_or_default();
        topics.push(Topic { name: name.clone(), type_name });
        let index = (topics.len() - 1) as u32;
        self.topics.insert(channel, index);
        Some(index)
    }
}
