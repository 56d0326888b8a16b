//! The reading side, for replay and conversion.

use std::path::Path;

use f1_interfaces::{Message, cdr};

use super::RecordingError;

/// A file whose writer never came to its end is read all the same.
const UNFINISHED: mcap::read::Options = mcap::read::Options::IgnoreEndMagic;

/// A recording, read into memory.
#[derive(Debug)]
pub struct Bag {
    path: String,
    bytes: Vec<u8>,
    count: usize,
    start_ns: Option<i64>,
    cut: Option<String>,
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
            .map_err(|cause| RecordingError::Encoding { topic: self.topic.clone(), cause })
    }
}

impl Bag {
    /// Reads the file. Of one whose end is missing, because its writer was killed, it takes what is
    /// whole: see [`Bag::cut`].
    ///
    /// # Errors
    /// A file that cannot be read, is no MCAP, or holds not one whole message before a fault.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|cause| RecordingError::Io { path: name.clone(), cause })?;
        let failed = |cause| RecordingError::Mcap { path: name.clone(), cause: Box::new(cause) };
        let mut start_ns = None;
        let records = mcap::read::LinearReader::new_with_options(&bytes, UNFINISHED.into())
            .map_err(failed)?;
        for record in records {
            match record {
                Ok(mcap::records::Record::Metadata(metadata))
                    if metadata.name == super::METADATA =>
                {
                    start_ns =
                        metadata.metadata.get(super::START).and_then(|text| text.parse().ok());
                    break;
                }
                Ok(_) => {}
                // The reader gives the same error for ever; it is met again below, where it is
                // reported.
                Err(_) => break,
            }
        }
        let mut count = 0;
        let mut cut = None;
        for message in
            mcap::MessageStream::new_with_options(&bytes, UNFINISHED.into()).map_err(failed)?
        {
            match message {
                Ok(_) => count += 1,
                Err(cause) if count == 0 => return Err(failed(cause)),
                Err(cause) => {
                    tracing::warn!(
                        "{name} is not whole ({cause}): {count} messages before the fault are used"
                    );
                    cut = Some(cause.to_string());
                    break;
                }
            }
        }
        Ok(Self { path: name, bytes, count, start_ns, cut })
    }

    /// Why reading stopped before the end of the file; `None` for a whole one.
    #[must_use]
    pub fn cut(&self) -> Option<&str> {
        self.cut.as_deref()
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
        let failed =
            |cause| RecordingError::Mcap { path: self.path.clone(), cause: Box::new(cause) };
        let mut messages: Vec<Result<BagMessage, RecordingError>> =
            match mcap::MessageStream::new_with_options(&self.bytes, UNFINISHED.into()) {
                Err(cause) => vec![Err(failed(cause))],
                Ok(stream) => stream
                    .take(self.count)
                    .map(|message| {
                        let message = message.map_err(failed)?;
                        let schema = message.channel.schema.as_ref();
                        Ok(BagMessage {
                            topic: message.channel.topic.clone(),
                            type_name: schema
                                .map_or_else(String::new, |schema| schema.name.clone()),
                            stamp_ns: i64::try_from(message.log_time).unwrap_or(i64::MAX),
                            data: message.data.into_owned(),
                        })
                    })
                    .collect(),
            };
        messages
            .sort_by_key(|message| message.as_ref().map_or(i64::MIN, |message| message.stamp_ns));
        messages.into_iter()
    }
}
