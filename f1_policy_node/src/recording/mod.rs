//! Recording everything in and out as MCAP, and reading it back for replay.
//!
//! Files have the profile `ros2`, CDR messages and `ros2msg` schemas, so that Foxglove and `ros2
//! bag` (storage `mcap`) open them.

mod bag;
mod replay;
mod session;
pub(crate) mod tap;
mod writer;

pub use bag::{Bag, BagMessage};
pub use replay::{Instructions, Replay};
pub use session::RecordSession;
pub use writer::{Recorder, TopicRecorder};

/// Name of our metadata record, and its key for the ROS time at which the recording began, ns.
const METADATA: &str = "f1_policy";
const START: &str = "start_ns";

/// Why a recording cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be made, written or read.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The MCAP library refuses.
    #[error("{path}: no MCAP recording that can be read: {cause}")]
    Mcap {
        /// The file.
        path: String,
        /// What the library says; boxed, since it is large.
        cause: Box<mcap::McapError>,
    },
    /// The SQLite library refuses.
    #[error("{path}: no recording of ros2 bag that can be read: {cause}")]
    Sqlite {
        /// The file.
        path: String,
        /// What the library says; boxed, since it is large.
        cause: Box<rusqlite::Error>,
    },
    /// The file is of a format that is not read.
    #[error(
        "{path} is {what}: convert it with `ros2 bag convert -i {path} -o out.yaml`, where out.yaml \
         asks for `storage_id: mcap` (docs/troubleshooting.md shows the file)"
    )]
    Unsupported {
        /// The file or folder.
        path: String,
        /// What it is instead.
        what: String,
    },
    /// A message cannot be encoded.
    #[error("{topic}: {cause}")]
    Encoding {
        /// The topic.
        topic: String,
        /// What the encoder says.
        cause: f1_interfaces::cdr::Error,
    },
    /// A topic of the recording has another type than the one asked for.
    #[error("{topic} is a {found} in the recording, not a {expected}")]
    WrongType {
        /// The topic.
        topic: String,
        /// Type in the file.
        found: String,
        /// Type asked for.
        expected: &'static str,
    },
    /// The recording was already finished.
    #[error("{path}: the recording is finished")]
    Finished {
        /// The file.
        path: String,
    },
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use f1_interfaces::std_msgs::msg::{Bool, String as StringMessage};

    use super::*;

    #[test]
    fn what_was_recorded_is_read_back_in_order_of_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bag.mcap");
        let recorder = Arc::new(Recorder::create(&path).unwrap());
        recorder.begin(5).unwrap();
        let strings = recorder.topic::<StringMessage>("/f1/instruction").unwrap();
        let locks = recorder.topic::<Bool>("/f1/lock").unwrap();
        strings.write(20, &StringMessage { data: "second".into() }).unwrap();
        locks.write(10, &Bool { data: true }).unwrap();
        strings.write(30, &StringMessage { data: "third".into() }).unwrap();
        recorder.finish().unwrap();
        assert!(matches!(
            locks.write(40, &Bool { data: true }),
            Err(RecordingError::Finished { .. })
        ));

        let bag = Bag::open(&path).unwrap();
        let messages: Vec<BagMessage> = bag.messages().collect::<Result<_, _>>().unwrap();
        assert_eq!(bag.start_ns(), Some(5));
        let order: Vec<(i64, &str)> =
            messages.iter().map(|m| (m.stamp_ns, m.topic.as_str())).collect();
        assert_eq!(order, [(10, "/f1/lock"), (20, "/f1/instruction"), (30, "/f1/instruction")]);
        assert_eq!(messages[1].decode::<StringMessage>().unwrap().data, "second");
        assert!(matches!(messages[1].decode::<Bool>(), Err(RecordingError::WrongType { .. })));
        assert_eq!(messages[0].type_name, "std_msgs/msg/Bool");
    }

    #[test]
    fn a_truncated_recording_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bag.mcap");
        std::fs::write(&path, b"\x89MCAP0\r\nnot much of it").unwrap();
        let outcome = Bag::open(&path).map(|bag| bag.messages().collect::<Result<Vec<_>, _>>());
        let text = match outcome {
            Err(error) | Ok(Err(error)) => error.to_string(),
            Ok(Ok(messages)) => panic!("read {} messages", messages.len()),
        };
        assert!(text.contains("bag.mcap"), "{text}");
    }
}
