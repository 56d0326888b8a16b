//! Frames of AV1 and H.264 files, picked by time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use f1_data::lerobot::{Columns, Dataset, FormatVersion, FrameImage, Writer};
use image::{Rgb, RgbImage};

const CAMERA: &str = "observation.images.front";
/// Two of them have a frame that stands alone every second or sixth frame, one has frames shown
/// before their turn.
const CODECS: [&str; 3] = ["av1", "h264", "h264_b_frames"];
/// Frames of each golden video, at 10 Hz.
const FRAMES: usize = 12;

/// What the golden videos show at frame `i`.
fn shown(i: usize) -> RgbImage {
    RgbImage::from_fn(64, 48, |x, y| {
        let (x, y) = (x as i32, y as i32);
        let inside = (x - (4 + 5 * i as i32)).abs() < 5 && (y - 24).abs() < 8;
        if inside {
            Rgb([240, 240, 30])
        } else {
            Rgb([40 + 15 * i as u8, (x * 3) as u8, (y * 4) as u8])
        }
    })
}

fn distance(a: &RgbImage, b: &RgbImage) -> f64 {
    let sum: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / a.as_raw().len() as f64
}

/// Fails unless the image is frame `frame` of the golden video, nearer to it than to any other.
fn assert_shows(image: &FrameImage, frame: usize, what: &str) {
    let image = image.decode().unwrap();
    let (width, height) = image.dimensions();
    assert!(width >= 62 && height >= 46, "{what}: {width}x{height}");
    let off = |i: usize| {
        let same = image::imageops::crop_imm(&shown(i), 0, 0, width, height).to_image();
        distance(&image, &same)
    };
    assert!(off(frame) < 5.0, "{what}, frame {frame}: {} from what it should show", off(frame));
    let nearest = (0..FRAMES).min_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap();
    assert_eq!(nearest, frame, "{what}");
}

fn golden(codec: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/goldens/video/{codec}.mp4"))
}

/// A data set without cameras, whose `info.json` is then given one.
fn write(root: &Path, version: FormatVersion, lengths: [usize; 2], video_path: &str) {
    let mut features = crate::round_trip::features(f1_data::lerobot::ImageEncoding::Png);
    features.cameras.clear();
    let mut writer = Writer::create(root, features, version).unwrap();
    for length in lengths {
        for _ in 0..length {
            writer.add_frame(&[], &[0.0; 3], &[0.0; 2], "x").unwrap();
        }
        writer.finish_episode().unwrap();
    }
    writer.finish().unwrap();
    let path = root.join("meta/info.json");
    let mut info: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    info["video_path"] = video_path.into();
    info["features"][CAMERA] = serde_json::json!({"dtype": "video", "shape": [48, 64, 3]});
    std::fs::write(&path, info.to_string()).unwrap();
}

/// v3.0: both episodes in one file; the second begins at `starts[1]` seconds.
fn packed(codec: &str, starts: [f64; 2]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let template = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4";
    write(dir.path(), FormatVersion::V3_0, [7, 5], template);
    let place = dir.path().join(format!("videos/{CAMERA}/chunk-000"));
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(golden(codec), place.join("file-000.mp4")).unwrap();
    list_videos(dir.path(), starts);
    dir
}

/// Puts a video's columns into the list of episodes of a v3.0 data set.
fn list_videos(root: &Path, starts: [f64; 2]) {
    let path = root.join("meta/episodes/chunk-000/file-000.parquet");
    let file = std::fs::File::open(&path).unwrap();
    let builder =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batch = builder.build().unwrap().next().unwrap().unwrap();
    let schema = batch.schema();
    let mut columns: Vec<(String, ArrayRef)> = (schema.fields().iter().zip(batch.columns()))
        .map(|(field, column)| (field.name().clone(), Arc::clone(column)))
        .collect();
    let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; 2]));
    columns.push((format!("videos/{CAMERA}/chunk_index"), Arc::clone(&zeros)));
    columns.push((format!("videos/{CAMERA}/file_index"), zeros));
    columns.push((
        format!("videos/{CAMERA}/from_timestamp"),
        Arc::new(Float64Array::from(starts.to_vec())),
    ));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn columns() -> Columns {
    Columns::usual(&[CAMERA.to_owned()])
}

#[test]
fn every_frame_of_a_packed_file_is_the_one_of_its_time() {
    for codec in CODECS {
        let dir = packed(codec, [0.0, 0.7]);
        let dataset = Dataset::open(dir.path()).unwrap();
        for (episode, start) in [(0, 0), (1, 7)] {
            let table = dataset.read_episode(episode, &columns()).unwrap();
            assert_eq!(table.images[CAMERA].len(), [7, 5][episode]);
            for (frame, image) in table.images[CAMERA].iter().enumerate() {
                assert_shows(image, start + frame, codec);
            }
        }
    }
}

#[test]
fn a_time_between_two_frames_takes_the_nearer_one() {
    for codec in CODECS {
        for (start, frame) in [(0.36, 4), (0.44, 4), (0.7499, 7)] {
            let dir = packed(codec, [0.0, start]);
            let table = Dataset::open(dir.path()).unwrap().read_episode(1, &columns()).unwrap();
            for (step, image) in table.images[CAMERA].iter().enumerate() {
                assert_shows(image, frame + step, codec);
            }
        }
    }
}

#[test]
fn a_file_an_episode_is_read_in_the_older_layouts() {
    for older in ["v2.1", "v2.0"] {
        let dir = tempfile::tempdir().unwrap();
        let template =
            "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4";
        write(dir.path(), FormatVersion::V2_1, [12, 6], template);
        let info = dir.path().join("meta/info.json");
        let text = std::fs::read_to_string(&info).unwrap().replace("v2.1", older);
        std::fs::write(&info, text).unwrap();
        let place = dir.path().join(format!("videos/chunk-000/{CAMERA}"));
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(golden("h264"), place.join("episode_000000.mp4")).unwrap();
        std::fs::copy(golden("av1"), place.join("episode_000001.mp4")).unwrap();
        let dataset = Dataset::open(dir.path()).unwrap();
        assert_eq!(dataset.version().as_str(), older);
        for (episode, length) in [(0, 12), (1, 6)] {
            let table = dataset.read_episode(episode, &columns()).unwrap();
            assert_eq!(table.images[CAMERA].len(), length);
            for (frame, image) in table.images[CAMERA].iter().enumerate() {
                assert_shows(image, frame, older);
            }
        }
    }
}

/// A recording whose frames hang together over longer stretches is decoded at once: the test above
/// sees its pixels, this one that single frames are not decoded again and again, and that the
/// others do not sit in memory as pixels.
#[test]
fn frames_are_decoded_when_asked_for_where_that_is_cheap() {
    for codec in CODECS {
        let dir = packed(codec, [0.0, 0.7]);
        let table = Dataset::open(dir.path()).unwrap().read_episode(0, &columns()).unwrap();
        assert!(matches!(table.images[CAMERA][0], FrameImage::Video(..)), "{codec}");
        assert!(table.bytes() < 3000, "{codec}: {} bytes", table.bytes());
    }
    let dir = packed("h264_long", [0.0, 0.7]);
    let table = Dataset::open(dir.path()).unwrap().read_episode(1, &columns()).unwrap();
    assert!(table.bytes() > 5 * 64 * 48 * 3);
    for (frame, image) in table.images[CAMERA].iter().enumerate() {
        assert!(matches!(image, FrameImage::Raw(_)));
        assert_shows(image, 7 + frame, "h264_long");
    }
}

#[test]
fn a_time_without_a_frame_a_missing_and_a_damaged_file_are_named() {
    let refused = |dir: &Path, episode: usize| -> Option<String> {
        let dataset = Dataset::open(dir).unwrap();
        let table = match dataset.read_episode(episode, &columns()) {
            Ok(table) => table,
            Err(fault) => return Some(fault.to_string()),
        };
        table.images[CAMERA]
            .iter()
            .find_map(|image| image.decode().err())
            .map(|fault| fault.to_string())
    };
    for codec in CODECS {
        let dir = packed(codec, [0.0, 9.0]);
        assert_eq!(refused(dir.path(), 0), None);
        let message = refused(dir.path(), 1).unwrap();
        assert!(message.contains("no frame within 0.0500 s of 9.0000 s"), "{message}");
        let file = dir.path().join(format!("videos/{CAMERA}/chunk-000/file-000.mp4"));
        let bytes = std::fs::read(&file).unwrap();
        for cut in [0, 10, bytes.len() / 3, bytes.len() - 40] {
            std::fs::write(&file, &bytes[..cut]).unwrap();
            let message =
                refused(dir.path(), 0).unwrap_or_else(|| panic!("{codec} cut at {cut} was read"));
            assert!(message.contains("file-000.mp4"), "{message}");
        }
        // Noise anywhere is either noticed or harmless; it never ends the program.
        for place in (0..bytes.len()).step_by(bytes.len() / 61) {
            let mut noisy = bytes.clone();
            noisy[place] ^= 0x55;
            std::fs::write(&file, &noisy).unwrap();
            refused(dir.path(), 0);
        }
        std::fs::remove_file(&file).unwrap();
        assert!(refused(dir.path(), 0).unwrap().contains("file-000.mp4"));
    }
}

/// The frames of a file, decoded one by one.
fn frames_of(name: &str) -> Vec<RgbImage> {
    let dir = packed(name, [0.0, 0.7]);
    let dataset = Dataset::open(dir.path()).unwrap();
    let decoded = |episode| {
        let table = dataset.read_episode(episode, &columns()).unwrap();
        table.images[CAMERA].iter().map(|image| image.decode().unwrap()).collect::<Vec<_>>()
    };
    [decoded(0), decoded(1)].concat()
}

/// Largest difference of two images, over all pixels and channels.
fn difference(a: &RgbImage, b: &RgbImage) -> u8 {
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn colour_flags_of_h264_give_the_pixels_that_ffmpeg_gives() {
    for name in ["h264_full_range", "h264_bt709", "h264_bt709_full_range"] {
        let reference = golden(name).with_extension("png");
        let reference = image::open(reference).unwrap().into_rgb8();
        let frames = frames_of(name);
        let largest = difference(&frames[5], &reference);
        assert!(largest <= 2, "{name}: {largest}");
        for (index, frame) in frames.iter().enumerate() {
            assert!(distance(frame, &shown(index)) < 4.0, "{name} frame {index}");
        }
    }
}

/// Kinds of video that are not decoded, and what their messages say.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("h264_10bit", "10 bits"),
    ("h264_422", "4:2:2"),
    ("h264_444", "4:4:4"),
    // 63x47 pixels, which 4:2:0 does not have.
    ("h264_444_odd", "4:4:4"),
    ("h264_interlaced", "interlaced"),
    ("hevc", "hev1"),
    ("vp9", "vp09"),
    ("mp4v", "neither AV1 nor H.264"),
    ("av1_10bit", "10 bits"),
];

/// The command in a message.
fn command(message: &str) -> &str {
    let (_, advice) = message.split_once("; convert").unwrap();
    let (_, command) = advice.split_once(": ").unwrap();
    command.split("; or leave").next().unwrap()
}

#[test]
fn the_advice_for_an_unsupported_video_is_a_command_that_works() {
    let ffmpeg = std::process::Command::new("ffmpeg").arg("-version").output().is_ok();
    if !ffmpeg {
        eprintln!("the commands are not run: no ffmpeg on the path; messages are checked");
    }
    for (kind, what) in UNSUPPORTED {
        let name = format!("unsupported_{kind}");
        // All videos of the data set are of this kind.
        let dir = packed(&name, [0.0, 0.7]);
        let refused = |dir: &Path, episode| {
            Dataset::open(dir).unwrap().read_episode(episode, &columns()).unwrap_err().to_string()
        };
        let message = refused(dir.path(), 1);
        assert!(message.contains(what) && message.contains("episode 1"), "{kind}: {message}");
        assert!(message.contains("convert all videos of the data set: find"), "{message}");
        assert!(!message.contains("skip_episodes"), "{message}");
        if ffmpeg {
            paste(command(&message));
            let dataset = Dataset::open(dir.path()).unwrap();
            for (episode, start) in [(0, 0), (1, 7)] {
                let table = dataset.read_episode(episode, &columns()).unwrap();
                for (frame, image) in table.images[CAMERA].iter().enumerate() {
                    assert_shows(image, start + frame, &name);
                }
            }
        }
        // Only one of two is, in a folder whose name needs quotes.
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("it's a set");
        let template =
            "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4";
        write(&root, FormatVersion::V2_1, [12, 6], template);
        let place = root.join(format!("videos/chunk-000/{CAMERA}"));
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(golden("h264"), place.join("episode_000000.mp4")).unwrap();
        std::fs::copy(golden(&name), place.join("episode_000001.mp4")).unwrap();
        let message = refused(&root, 1);
        assert!(message.contains("convert it: ffmpeg"), "{message}");
        assert!(message.contains("skip_episodes: [1]"), "{message}");
        if ffmpeg {
            paste(command(&message));
            let table = Dataset::open(&root).unwrap().read_episode(1, &columns()).unwrap();
            for (frame, image) in table.images[CAMERA].iter().enumerate() {
                assert_shows(image, frame, &name);
            }
        }
    }
}

fn paste(command: &str) {
    let shell = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
    let said = String::from_utf8_lossy(&shell.stderr);
    assert!(shell.status.success(), "{command}: {said}");
}
