//! The reading side, for replay and conversion.
//!
//! Opening a recording reads it once from end to end and keeps a table of its messages: time, topic
//! and place in the file. The messages themselves are read when they are asked for, so that memory
//! does not grow with the recording.

mod compressed;
mod folder;
mod mcap_file;
mod sqlite_file;

use std::path::{Path, PathBuf};

use f1_interfaces::{Message, cdr};

use super::RecordingError;

/// Where a message is stored in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// MCAP: offset of the chunk or of the record. SQLite: row.
    offset: u64,
    /// MCAP: number of the message in its chunk.
    number: u32,
}

/// A message as the scan of a file finds it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    stamp_ns: i64,
    /// Index into [`Bag::topics`].
    topic: u32,
    /// Index into [`Bag::files`].
    file: u32,
    place: Place,
}

/// What the scan of one file finds.
#[derive(Debug, Default)]
struct Scan {
    topics: Vec<Topic>,
    /// Time, index into `topics`, place.
    messages: Vec<(i64, u32, Place)>,
    start_ns: Option<i64>,
    cut: Option<String>,
}

/// A topic with its type, `sensor_msgs/msg/Image`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Topic {
    name: String,
    type_name: String,
}

/// A file of messages that are read by place.
trait Storage: Send {
    fn read(&mut self, place: Place) -> Result<Vec<u8>, RecordingError>;
}

/// A recording: one file, or a folder of `ros2 bag` with several.
pub struct Bag {
    topics: Vec<Topic>,
    entries: Vec<Entry>,
    files: Vec<parking_lot::Mutex<Box<dyn Storage>>>,
    start_ns: Option<i64>,
    cut: Option<String>,
}

impl std::fmt::Debug for Bag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Bag").field("messages", &self.entries.len()).finish_non_exhaustive()
    }
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
    /// Opens a recording: an MCAP or SQLite (`.db3`) file, either also compressed with zstd, or a
    /// folder of `ros2 bag` that holds such files. Of a file whose end is missing, because its
    /// writer was killed, it takes what is whole: see [`Bag::cut`].
    ///
    /// # Errors
    /// A file that cannot be read, is of another format, or holds not one whole message before a
    /// fault.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let mut bag = Self {
            topics: Vec::new(),
            entries: Vec::new(),
            files: Vec::new(),
            start_ns: None,
            cut: None,
        };
        for file in folder::files(path)? {
            bag.add_file(&file)?;
        }
        // Stable: equal times keep the order in which they were written.
        bag.entries.sort_by_key(|entry| entry.stamp_ns);
        Ok(bag)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), RecordingError> {
        let (scan, storage) = open_file(path)?;
        if let Some(cause) = scan.cut {
            let count = scan.messages.len();
            tracing::warn!(
                "{} is not whole ({cause}): {count} messages before the fault are used",
                path.display()
            );
            self.cut.get_or_insert(cause);
        }
        self.start_ns = self.start_ns.or(scan.start_ns);
        let topics: Vec<u32> = scan.topics.into_iter().map(|topic| self.topic(topic)).collect();
        let file = self.files.len() as u32;
        self.entries.extend(scan.messages.into_iter().map(|(stamp_ns, topic, place)| Entry {
            stamp_ns,
            topic: topics[topic as usize],
            file,
            place,
        }));
        self.files.push(parking_lot::Mutex::new(storage));
        Ok(())
    }

    fn topic(&mut self, topic: Topic) -> u32 {
        let known = self.topics.iter().position(|known| *known == topic);
        known.unwrap_or_else(|| {
            self.topics.push(topic);
            self.topics.len() - 1
        }) as u32
    }

    /// Why reading stopped before the end of a file; `None` for whole ones.
    #[must_use]
    pub fn cut(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    /// The ROS time at which the recording began, ns, where we wrote the file.
    #[must_use]
    pub fn start_ns(&self) -> Option<i64> {
        self.start_ns
    }

    /// Whether there is a message on this topic.
    #[must_use]
    pub fn holds(&self, topic: &str) -> bool {
        self.entries.iter().any(|entry| self.topics[entry.topic as usize].name == topic)
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the recording holds no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Message `number` in the order of time, read from its file.
    ///
    /// # Errors
    /// A file that cannot be read any more.
    pub fn message(&self, number: usize) -> Result<BagMessage, RecordingError> {
        let entry = &self.entries[number];
        let topic = &self.topics[entry.topic as usize];
        let mut data = self.files[entry.file as usize].lock().read(entry.place)?;
        if compressed::is_zstd(&data) {
            data = compressed::message(&topic.name, &data)?;
        }
        Ok(BagMessage {
            topic: topic.name.clone(),
            type_name: topic.type_name.clone(),
            stamp_ns: entry.stamp_ns,
            data,
        })
    }

    /// All messages by time; equal times keep the order in which they were written.
    pub fn messages(&self) -> impl Iterator<Item = Result<BagMessage, RecordingError>> {
        (0..self.len()).map(|number| self.message(number))
    }
}

/// First bytes of a SQLite file.
const SQLITE: &[u8] = b"SQLite format 3\0";
/// First bytes of an MCAP file.
const MCAP: &[u8] = b"\x89MCAP0\r\n";

/// Opens a file by its first bytes; names and endings are not looked at.
fn open_file(path: &Path) -> Result<(Scan, Box<dyn Storage>), RecordingError> {
    let begin = first_bytes(path)?;
    if begin.starts_with(MCAP) {
        return mcap_file::open(path, path, None);
    }
    if begin.starts_with(SQLITE) {
        return sqlite_file::open(path, path, None);
    }
    if compressed::is_zstd(&begin) {
        let plain = compressed::file(path)?;
        let begin = first_bytes(plain.path())?;
        let place = plain.path().to_path_buf();
        if begin.starts_with(MCAP) {
            return mcap_file::open(path, &place, Some(plain));
        }
        if begin.starts_with(SQLITE) {
            return sqlite_file::open(path, &place, Some(plain));
        }
    }
    let what = if begin.starts_with(b"#ROSBAG") {
        "a recording of ROS 1 (`rosbags-convert` of the Python package rosbags makes one of ROS 2)"
    } else if begin.is_empty() {
        "an empty file"
    } else {
        "neither MCAP nor SQLite, compressed with zstd or not"
    };
    Err(unsupported(path, what))
}

fn unsupported(path: &Path, what: impl Into<String>) -> RecordingError {
    RecordingError::Unsupported { path: path.display().to_string(), what: what.into() }
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> RecordingError {
    let path = path.display().to_string();
    move |cause| RecordingError::Io { path, cause }
}

/// At most the first 16 bytes of a file.
fn first_bytes(path: &Path) -> Result<Vec<u8>, RecordingError> {
    use std::io::Read as _;
    let mut begin = Vec::new();
    let file = std::fs::File::open(path).map_err(io_error(path))?;
    file.take(SQLITE.len() as u64).read_to_end(&mut begin).map_err(io_error(path))?;
    Ok(begin)
}

/// The plain copy of a compressed file, removed when its reader is dropped.
type Plain = Option<tempfile::NamedTempFile>;

/// Paths of a folder, sorted.
fn sorted_files(folder: &Path) -> Result<Vec<PathBuf>, RecordingError> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io_error(folder))? {
        out.push(entry.map_err(io_error(folder))?.path());
    }
    out.sort();
    Ok(out)
}
