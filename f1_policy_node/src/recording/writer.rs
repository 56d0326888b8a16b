//! The writing side: one channel a topic, written from any thread.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use f1_interfaces::{Message, cdr};
use mcap::records::MessageHeader;
use parking_lot::Mutex;

use super::RecordingError;

/// An MCAP file that is being written.
pub struct Recorder {
    path: String,
    writer: Mutex<Option<mcap::Writer<BufWriter<File>>>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recorder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Makes the file; an existing one is replaced.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub fn create(path: &Path) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        let file =
            File::create(path).map_err(|cause| RecordingError::Io { path: name.clone(), cause })?;
        let writer = mcap::WriteOptions::new()
            .profile("ros2")
            .library(concat!("f1_policy ", env!("CARGO_PKG_VERSION")))
            .create(BufWriter::new(file))
            .map_err(|cause| RecordingError::Mcap { path: name.clone(), cause: Box::new(cause) })?;
        Ok(Self { path: name, writer: Mutex::new(Some(writer)) })
    }

    /// Notes the ROS time at which the recording begins, ns: replay starts its clock there.
    ///
    /// # Errors
    /// A finished recording, or a file that cannot be written.
    pub fn begin(&self, now_ns: i64) -> Result<(), RecordingError> {
        let metadata = BTreeMap::from([(super::START.to_owned(), now_ns.to_string())]);
        let record = mcap::records::Metadata { name: super::METADATA.to_owned(), metadata };
        self.with(|writer| writer.write_metadata(&record))
    }

    /// Opens a channel for `topic`, with its schema.
    ///
    /// # Errors
    /// A finished recording, or a file that cannot be written.
    pub fn topic<T: Message>(
        self: &Arc<Self>,
        topic: &str,
    ) -> Result<TopicRecorder<T>, RecordingError> {
        let channel = self.with(|writer| {
            let schema = writer.add_schema(T::TYPE_NAME, "ros2msg", T::DEFINITION.as_bytes())?;
            let metadata =
                BTreeMap::from([("topic_type_hash".to_owned(), T::TYPE_HASH.to_owned())]);
            writer.add_channel(schema, topic, "cdr", &metadata)
        })?;
        Ok(TopicRecorder {
            recorder: self.clone(),
            channel,
            topic: topic.to_owned(),
            kind: PhantomData,
        })
    }

    /// Writes summary and footer; later messages are refused.
    ///
    /// # Errors
    /// A file that cannot be written, or was finished before.
    pub fn finish(&self) -> Result<(), RecordingError> {
        let mut writer = self
            .writer
            .lock()
            .take()
            .ok_or_else(|| RecordingError::Finished { path: self.path.clone() })?;
        writer.finish().map_err(|source| self.mcap(source))?;
        let mut buffered = writer.into_inner();
        std::io::Write::flush(&mut buffered)
            .map_err(|cause| RecordingError::Io { path: self.path.clone(), cause })
    }

    fn mcap(&self, cause: mcap::McapError) -> RecordingError {
        RecordingError::Mcap { path: self.path.clone(), cause: Box::new(cause) }
    }

    fn with<R>(
        &self,
        work: impl FnOnce(&mut mcap::Writer<BufWriter<File>>) -> mcap::McapResult<R>,
    ) -> Result<R, RecordingError> {
        let mut guard = self.writer.lock();
        let writer =
            guard.as_mut().ok_or_else(|| RecordingError::Finished { path: self.path.clone() })?;
        work(writer).map_err(|source| self.mcap(source))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // A recording that is dropped unfinished still gets its summary; a failure can only be
        // logged.
        if self.writer.lock().is_some()
            && let Err(error) = self.finish()
        {
            tracing::error!("the recording may be incomplete: {error}");
        }
    }
}

/// One topic of a recording.
#[derive(Debug)]
pub struct TopicRecorder<T> {
    recorder: Arc<Recorder>,
    channel: u16,
    topic: String,
    kind: PhantomData<fn(&T)>,
}

impl<T: Message> TopicRecorder<T> {
    /// Writes one message received at `stamp_ns` (ROS time, ns).
    ///
    /// # Errors
    /// A message that cannot be encoded, a full disk, a finished recording.
    pub fn write(&self, stamp_ns: i64, message: &T) -> Result<(), RecordingError> {
        let bytes = cdr::to_bytes(message)
            .map_err(|cause| RecordingError::Encoding { topic: self.topic.clone(), cause })?;
        let stamp = u64::try_from(stamp_ns).unwrap_or(0);
        let header = MessageHeader {
            channel_id: self.channel,
            sequence: 0,
            log_time: stamp,
            publish_time: stamp,
        };
        self.recorder.with(|writer| writer.write_to_known_channel(&header, &bytes))
    }
}
