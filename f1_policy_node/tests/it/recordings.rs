//! Recordings as `ros2 bag` leaves them: MCAP and SQLite, plain and compressed, one file or
//! several.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use f1_interfaces::cdr;
use f1_interfaces::std_msgs::msg::{Bool, String as StringMessage};
use f1_policy_node::recording::{Bag, Recorder, RecordingError};

/// What the tests record: time, topic and text; the order of time is not that of the list.
const SAID: [(i64, &str, &str); 5] = [
    (40, "/b", "fourth"),
    (10, "/a", "first"),
    (30, "/a", "third"),
    (20, "/b", "second"),
    (50, "/a", "fifth"),
];

/// How a recording is compressed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Compression {
    None,
    Message,
    File,
}

fn encoded(text: &str, compression: Compression) -> Vec<u8> {
    let message = StringMessage { data: text.into() };
    let bytes = cdr::to_bytes(&message).unwrap();
    if compression == Compression::Message { zstd::encode_all(&*bytes, 3).unwrap() } else { bytes }
}

/// A file of storage `sqlite3` with the tables that `ros2 bag` of Jazzy makes.
fn write_db3(path: &Path, said: &[(i64, &str, &str)], compression: Compression, encoding: &str) {
    // A file of an earlier case is replaced.
    let _ = std::fs::remove_file(path);
    let database = rusqlite::Connection::open(path).unwrap();
    database
        .execute_batch(
            "CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
             CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL,
               metadata TEXT NOT NULL);
             CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
               serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL,
               type_description_hash TEXT NOT NULL);
             CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,
               timestamp INTEGER NOT NULL, data BLOB NOT NULL);
             CREATE INDEX timestamp_idx ON messages (timestamp ASC);",
        )
        .unwrap();
    for (id, topic) in [(4, "/a"), (7, "/b")] {
        let type_name = "std_msgs/msg/String";
        database
            .execute(
                "INSERT INTO topics VALUES (?1, ?2, ?3, ?4, '', '')",
                rusqlite::params![id, topic, type_name, encoding],
            )
            .unwrap();
    }
    for (stamp, topic, text) in said {
        let id = if *topic == "/a" { 4 } else { 7 };
        database
            .execute(
                "INSERT INTO messages(topic_id, timestamp, data) VALUES (?1, ?2, ?3)",
                rusqlite::params![id, stamp, encoded(text, compression)],
            )
            .unwrap();
    }
}

fn write_mcap(path: &Path, said: &[(i64, &str, &str)], compression: Compression) {
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    // Small chunks, so that several are read.
    let options = mcap::WriteOptions::new().profile("ros2").chunk_size(Some(16));
    let mut writer = options.create(file).unwrap();
    let schema = writer.add_schema("std_msgs/msg/String", "ros2msg", b"string data").unwrap();
    for (stamp, topic, text) in said {
        let channel = writer.add_channel(schema, topic, "cdr", &Default::default()).unwrap();
        let head = mcap::records::MessageHeader {
            channel_id: channel,
            sequence: 0,
            log_time: *stamp as u64,
            publish_time: *stamp as u64,
        };
        writer.write_to_known_channel(&head, &encoded(text, compression)).unwrap();
    }
    writer.finish().unwrap();
}

/// Writes one file of a recording; compressed files get the ending `.zstd`, as `ros2 bag` does it.
fn write(
    folder: &Path,
    name: &str,
    said: &[(i64, &str, &str)],
    compression: Compression,
) -> PathBuf {
    let path = folder.join(name);
    match name.ends_with(".db3") {
        true => write_db3(&path, said, compression, "cdr"),
        false => write_mcap(&path, said, compression),
    }
    if compression != Compression::File {
        return path;
    }
    let packed = folder.join(format!("{name}.zstd"));
    std::fs::write(&packed, zstd::encode_all(&*std::fs::read(&path).unwrap(), 3).unwrap()).unwrap();
    std::fs::remove_file(path).unwrap();
    packed
}

fn list(folder: &Path, storage: &str, compression: &str, files: &[PathBuf]) {
    let mode = if compression.is_empty() { "" } else { "FILE" };
    let mut text = format!(
        "rosbag2_bagfile_information:\n  version: 9\n  storage_identifier: {storage}\n  \
         duration:\n    nanoseconds: 40\n  message_count: 5\n  \
         compression_format: \"{compression}\"\n  compression_mode: \"{mode}\"\n  \
         relative_file_paths:\n"
    );
    for file in files {
        text.push_str(&format!("    - {}\n", file.file_name().unwrap().to_str().unwrap()));
    }
    std::fs::write(folder.join("metadata.yaml"), text).unwrap();
}

fn assert_complete(path: &Path) {
    let bag = Bag::open(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    let read: Vec<(i64, String, String)> = bag
        .messages()
        .map(|message| {
            let message = message.unwrap();
            let text = message.decode::<StringMessage>().unwrap().data;
            (message.stamp_ns, message.topic, text)
        })
        .collect();
    let mut wanted: Vec<(i64, String, String)> =
        SAID.iter().map(|(at, topic, text)| (*at, (*topic).into(), (*text).into())).collect();
    wanted.sort();
    assert_eq!(read, wanted, "{}", path.display());
    assert_eq!((bag.len(), bag.cut()), (5, None));
    // Any order of reading gives the same messages.
    for number in [4, 0, 2, 0, 3, 1] {
        let message = bag.message(number).unwrap();
        assert_eq!(message.stamp_ns, wanted[number].0);
        assert_eq!(message.decode::<StringMessage>().unwrap().data, wanted[number].2);
    }
}

#[test]
fn every_storage_and_compression_of_ros2_bag_gives_the_same_messages() {
    for ending in ["mcap", "db3"] {
        for compression in [Compression::None, Compression::Message, Compression::File] {
            let folder = tempfile::tempdir().unwrap();
            let name = format!("bag_0.{ending}");
            let single = write(folder.path(), &name, &SAID, compression);
            assert_complete(&single);
            // The folder without its list, as a killed writer leaves it, and with it.
            assert_complete(folder.path());
            let storage = if ending == "mcap" { "mcap" } else { "sqlite3" };
            let zstd = if compression == Compression::None { "" } else { "zstd" };
            list(folder.path(), storage, zstd, &[single]);
            assert_complete(folder.path());
        }
    }
}

#[test]
fn several_files_of_a_folder_are_one_recording() {
    for (ending, storage) in [("mcap", "mcap"), ("db3", "sqlite3")] {
        for compression in [Compression::None, Compression::Message, Compression::File] {
            let folder = tempfile::tempdir().unwrap();
            let files: Vec<PathBuf> = [&SAID[..2], &SAID[2..4], &SAID[4..]]
                .iter()
                .enumerate()
                .map(|(number, said)| {
                    write(folder.path(), &format!("bag_{number}.{ending}"), said, compression)
                })
                .collect();
            assert_complete(folder.path());
            list(folder.path(), storage, "zstd", &files);
            assert_complete(folder.path());
            // A file that is listed and not there is named.
            std::fs::remove_file(&files[1]).unwrap();
            let message = Bag::open(folder.path()).unwrap_err().to_string();
            assert!(message.contains(&format!("bag_1.{ending}")), "{message}");
        }
    }
}

#[test]
fn other_formats_are_named_with_the_command_that_converts_them() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path| {
        let fault = Bag::open(path).unwrap_err();
        assert!(matches!(fault, RecordingError::Unsupported { .. }), "{fault}");
        let message = fault.to_string();
        assert!(message.contains("ros2 bag convert"), "{message}");
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        message
    };
    let path = folder.path().join("old.bag");
    std::fs::write(&path, b"#ROSBAG V2.0\n\x45\0\0\0op=\x03").unwrap();
    assert!(refused(&path).contains("ROS 1"));
    std::fs::write(&path, b"").unwrap();
    assert!(refused(&path).contains("empty"));
    std::fs::write(&path, zstd::encode_all(&b"a text, compressed"[..], 3).unwrap()).unwrap();
    assert!(refused(&path).contains("neither MCAP nor SQLite"));
    // A folder with nothing to read, another storage, another compression, another encoding.
    let bag = folder.path().join("bag");
    std::fs::create_dir(&bag).unwrap();
    assert!(refused(&bag).contains("without metadata.yaml"));
    let file = write(&bag, "bag_0.db3", &SAID, Compression::None);
    list(&bag, "leveldb", "", std::slice::from_ref(&file));
    assert!(refused(&bag).contains("stored as `leveldb`"));
    list(&bag, "sqlite3", "lz4", std::slice::from_ref(&file));
    assert!(refused(&bag).contains("compressed with `lz4`"));
    let other = folder.path().join("protobuf.db3");
    write_db3(&other, &SAID, Compression::None, "protobuf");
    assert!(refused(&other).contains("encoded as protobuf"));
}

#[test]
fn what_is_damaged_is_named_and_never_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["bag.mcap", "bag.db3"] {
        for compression in [Compression::None, Compression::File] {
            let path = write(folder.path(), name, &SAID, compression);
            let bytes = std::fs::read(&path).unwrap();
            for cut in (0..bytes.len()).step_by(bytes.len() / 37 + 1) {
                std::fs::write(&path, &bytes[..cut]).unwrap();
                read_all(&path);
            }
            for place in (0..bytes.len()).step_by(bytes.len() / 97 + 1) {
                let mut noisy = bytes.clone();
                noisy[place] ^= 0x55;
                std::fs::write(&path, &noisy).unwrap();
                read_all(&path);
            }
        }
    }
}

fn read_all(path: &Path) {
    let outcome = Bag::open(path).and_then(|bag| {
        bag.messages().try_for_each(|message| message.map(|message| drop(message.decode::<Bool>())))
    });
    if let Err(fault) = outcome {
        let (message, name) = (fault.to_string(), path.file_name().unwrap().to_str().unwrap());
        assert!(message.contains(name) || message.contains("a message of /"), "{message}");
    }
}

/// Memory does not grow with the recording: what is kept of a file is a table and a few chunks.
#[test]
fn messages_that_are_read_twice_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let recorder = Arc::new(Recorder::create(&path).unwrap());
    let topic = recorder.topic::<StringMessage>("/a").unwrap();
    for number in 0..300 {
        topic.write(number, &StringMessage { data: format!("{number} ").repeat(4000) }).unwrap();
    }
    recorder.finish().unwrap();
    let bag = Bag::open(&path).unwrap();
    for number in [0, 299, 150, 7, 298, 0] {
        let text = bag.message(number).unwrap().decode::<StringMessage>().unwrap().data;
        assert!(text.starts_with(&format!("{number} ")) && text.len() >= 8000);
    }
}
