//! The reading side, for replay and conversion.

use std::path::Path;

use f1_interfaces::{Message, cdr};

use super::RecordingError;

/// A recording, read into memory.
#[derive(Debug)]
pub struct Bag {
    path: String,
    bytes: Vec<u8>,
    count: usize,
    start_ns: Option<i64>,
}

/// One message of a recording.
#[derive(Debug, Clone)]
pub struct BagMessage {
    /// The topic, absolute.
    pub topic: String,
    /// `sensor_msgs/msg/Image`.
    pub type_name: String,
    /// When it was received, ns of ROS time.
    pub stamp_ns: i64,
    /// CDR with its header.
    pub data: Vec<u8>,
}

impl BagMessage {
    /// Decodes the message.
    ///
    /// # Errors
    /// Another type in the file, or bytes that are no such message.
    pub fn decode<T: Message>(&self) -> Result<T, RecordingError> {
        if self.type_name != T::TYPE_NAME {
            return Err(RecordingError::WrongType {
                topic: self.topic.clone(),
                found: self.type_name.clone(),
                expected: T::TYPE_NAME,
            });
        }
        cdr::from_bytes(&self.data)
            .map_err(|source| RecordingError::Encoding { topic: self.topic.clone(), source })
    }
}

impl Bag {
    /// Reads the file and checks that it is whole.
    ///
    /// # Errors
    /// A file that cannot be read, or is no MCAP.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|source| RecordingError::Io { path: name.clone(), source })?;
        let mut start_ns = None;
        let records = mcap::read::LinearReader::new(&bytes)
            .map_err(|source| RecordingError::Mcap { path: name.clone(), source: Box::new(source) })?;
        for record in records {
            match record {
                Ok(mcap::records::Record::Metadata(metadata)) if metadata.name == super::METADATA => {
                    start_ns = metadata.metadata.get(super::START).and_then(|text| text.parse().ok());
                    break;
                }
                Ok(_) => {}
                // The reader gives the same error for ever; it is met again below, where it is told.
                Err(_) => break,
            }
        }
        let mut count = 0;
        let stream = mcap::MessageStream::new(&bytes)
            .map_err(|source| RecordingError::Mcap { path: name.clone(), source: Box::new(source) })?;
        for message in stream {
            message
                .map_err(|source| RecordingError::Mcap { path: name.clone(), source: Box::new(source) })?;
            count += 1;
        }
        Ok(Self { path: name, bytes, count, start_ns })
    }

    /// The ROS time at which the recording began, ns, where we wrote the file.
    #[must_use]
    pub fn start_ns(&self) -> Option<i64> {
        self.start_ns
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the recording holds no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All messages by time; equal times keep the order in which they were written.
    pub fn messages(&self) -> impl Iterator<Item = Result<BagMessage, RecordingError>> {
        let failed = |source| RecordingError::Mcap { path: self.path.clone(), source: Box::new(source) };
        let mut messages: Vec<Result<BagMessage, RecordingError>> =
            match mcap::MessageStream::new(&self.bytes) {
                Err(source) => vec![Err(failed(source))],
                Ok(stream) => stream
                    .map(|message| {
                        let message = message.map_err(failed)?;
                        let schema = message.channel.schema.as_ref();
                        Ok(BagMessage {
                            topic: message.channel.topic.clone(),
                            type_name: schema.map_or_else(String::new, |schema| schema.name.clone()),
                            stamp_ns: i64::try_from(message.log_time).unwrap_or(i64::MAX),
                            data: message.data.into_owned(),
                        })
                    })
                    .collect(),
            };
        messages.sort_by_key(|message| message.as_ref().map_or(i64::MIN, |message| message.stamp_ns));
        messages.into_iter()
    }
}
