//! The commands that make, check and convert data.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use f1_data::lerobot::{Columns, Dataset};
use f1_interfaces::builtin_interfaces::msg::Time;
use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::std_msgs::msg::{Header, String as StringMessage};
use f1_policy_node::recording::Recorder;
use f1_robot::Robot;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_f1"));
    command.args(arguments).env("F1_SHARE", root());
    command
}

fn f1(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Standard output of a command that succeeds.
fn said(arguments: &[&str]) -> String {
    let output = f1(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a command that fails.
fn refused(arguments: &[&str]) -> String {
    let output = f1(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn demonstrations_are_written_as_images_and_as_videos_of_the_same_motion() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["images", "videos"].map(|name| folder.path().join(name));
    let [images, videos] = [&paths[0], &paths[1]].map(|path| path.to_str().unwrap());
    let options = ["--episodes", "2", "--lead-in", "0.3", "--first", "1", "--seed", "4"];
    let written = said(&[&["demonstrate", images, "--picture", "48"][..], &options].concat());
    assert!(written.contains("episodes,"), "{written}");
    said(&[&["demonstrate", videos, "--image", "48", "--video"][..], &options].concat());
    let [images, videos] = [images, videos].map(|path| Dataset::open(path).unwrap());
    let columns = Columns::usual(&images.info().cameras());
    for episode in images.episodes() {
        let (a, b) = (
            images.read_episode(episode.index, &columns).unwrap(),
            videos.read_episode(episode.index, &columns).unwrap(),
        );
        assert_eq!((&a.state, &a.action), (&b.state, &b.action));
        for camera in &columns.cameras {
            for (exact, coded) in a.images[camera].iter().zip(&b.images[camera]) {
                let (exact, coded) = (exact.decode().unwrap(), coded.decode().unwrap());
                assert_eq!(exact.dimensions(), (48, 48));
                let off: f64 = exact
                    .iter()
                    .zip(coded.iter())
                    .map(|(a, b)| f64::from(a.abs_diff(*b)))
                    .sum::<f64>()
                    / exact.len() as f64;
                assert!(off < 5.0, "{off}");
            }
        }
    }
}

#[test]
fn the_old_option_of_the_demo_is_answered_with_the_new_command() {
    for line in [
        &["demo", "--write-demonstrations", "data/row", "--standing", "0.8"][..],
        &["demo", "--standing", "0.8", "--write-demonstrations=data/row"],
    ] {
        let message = refused(line);
        assert!(message.contains("f1 demonstrate FOLDER"), "{message}");
    }
}

#[test]
fn stats_says_which_episodes_are_missing_and_which_instructions_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let path = path.to_str().unwrap();
    said(&["demonstrate", path, "--episodes", "1", "--image", "32", "--first", "0.5"]);
    let output = said(&["stats", path, "--model", "f1_bench"]);
    assert!(output.contains("0 of 1 instructions are longer than the model reads"), "{output}");
    assert!(!output.contains("no episode"), "{output}");
    // A longer instruction and another number, as an edit by hand leaves them.
    let long =
        write_set(&folder.path().join("long"), &["push ", "push "].map(|text| text.repeat(90)));
    let output = said(&["stats", &long, "--model", "f1_bench"]);
    assert!(output.contains("1 of 1 instructions are longer than the model reads"), "{output}");
    assert!(output.contains("push push"), "{output}");
    let tasks = ["left", "right"].map(|side| format!("{}{side}", "push ".repeat(90)));
    let equal = write_set(&folder.path().join("equal"), &tasks);
    let message = refused(&["stats", &equal, "--model", "f1_bench"]);
    assert!(message.contains("are equal within the"), "{message}");
    assert!(message.contains("left") && message.contains("right"), "{message}");
    let gap = folder.path().join("long/meta/episodes.jsonl");
    let text = std::fs::read_to_string(&gap)
        .unwrap()
        .replace("\"episode_index\":1", "\"episode_index\":3");
    std::fs::write(&gap, text).unwrap();
    let data = folder.path().join("long/data/chunk-000");
    std::fs::rename(data.join("episode_000001.parquet"), data.join("episode_000003.parquet"))
        .unwrap();
    let output = said(&["stats", &long]);
    assert!(output.contains("no episode 1 to 2: the others keep their numbers"), "{output}");
}

/// A data set of layout v2.1 with an episode for each instruction.
fn write_set(root: &Path, tasks: &[String]) -> String {
    use f1_data::lerobot::{Features, FormatVersion, Writer};
    let features = Features {
        flag: None,
        fps: 10,
        robot_type: "arm".into(),
        cameras: Vec::new(),
        state: vec!["a".into()],
        action: vec!["b".into()],
    };
    let mut writer = Writer::create(root, features, FormatVersion::V2_1).unwrap();
    for task in tasks {
        for frame in 0..3 {
            writer.add_frame(&[], &[frame as f32], &[frame as f32], task).unwrap();
        }
        writer.finish_episode().unwrap();
    }
    writer.finish().unwrap();
    root.to_str().unwrap().to_owned()
}

#[test]
fn inspect_names_what_a_folder_lacks_beside_its_weights() {
    let shipped = root().join("models/f1_bench");
    said(&["inspect", shipped.to_str().unwrap()]);
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(shipped.join(file), folder.path().join(file)).unwrap();
    }
    let inspect = ["inspect", folder.path().to_str().unwrap()];
    let message = refused(&inspect);
    assert!(message.contains("tokenizer.json") && message.contains("stats.json"), "{message}");
    let json = f1(&[&inspect[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["pass"], false);
    assert_eq!(json["companions"].as_array().unwrap().len(), 2);
    // One that is there and cannot be used counts as well.
    std::fs::copy(shipped.join("stats.json"), folder.path().join("stats.json")).unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), "not JSON").unwrap();
    let message = refused(&inspect);
    assert!(message.contains("tokenizer.json") && !message.contains("stats.json"), "{message}");
    std::fs::copy(shipped.join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    said(&inspect);
    // The weights alone are inspected as weights alone.
    said(&["inspect", shipped.join("model.safetensors").to_str().unwrap()]);
}

/// Largest memory of a command in MB, looked up while it runs.
#[cfg(target_os = "linux")]
fn peak_mb(arguments: &[&str]) -> f64 {
    let mut child = command(arguments).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        peak = kilobytes.map_or(peak, |kilobytes| kilobytes / 1e3);
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success());
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// 220 MB of images: the recording, or its one long episode, held in memory would show.
#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_convert_does_not_grow_with_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("long.mcap");
    let robot = Robot::load(&root().join("config/robots/bench_arm.yaml")).unwrap();
    let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let recorder = Arc::new(Recorder::create(&recording).unwrap());
    let cameras = ["/f1/front/image_raw", "/f1/wrist/image_raw"]
        .map(|topic| recorder.topic::<Image>(topic).unwrap());
    let joints = recorder.topic::<JointState>("/f1/joint_states").unwrap();
    let instruction = recorder.topic::<StringMessage>("/f1/instruction").unwrap();
    let mut noise = 1u32;
    for frame in 0..120 {
        let stamp = 1_000_000_000 + frame * 100_000_000;
        let header = Header { stamp: Time::from_nanoseconds(stamp).unwrap(), ..Header::default() };
        if frame == 0 {
            instruction.write(stamp, &StringMessage { data: "go".into() }).unwrap();
        }
        for camera in &cameras {
            let mut data = vec![0; 640 * 480 * 3];
            // A little noise, which compression cannot remove.
            for (index, value) in data.iter_mut().enumerate() {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = (index % 1920 / 10) as u8 + (noise >> 29) as u8;
            }
            let image = Image {
                header: header.clone(),
                width: 640,
                height: 480,
                encoding: "rgb8".into(),
                step: 640 * 3,
                data,
                ..Image::default()
            };
            camera.write(stamp, &image).unwrap();
        }
        let position = robot.home().to_vec();
        let name = names.clone();
        let state = JointState { header, name, position, ..JointState::default() };
        joints.write(stamp, &state).unwrap();
    }
    recorder.finish().unwrap();
    let size = std::fs::metadata(&recording).unwrap().len();
    assert!(size > 50_000_000, "{size}");
    let from = recording.to_str().unwrap();
    for storage in ["--gap=0.5", "--video"] {
        let output = folder.path().join(storage);
        let arguments = [
            "convert",
            "--from",
            from,
            output.to_str().unwrap(),
            "--robot",
            "bench_arm",
            "--commands",
            "measured",
            storage,
        ];
        let peak = peak_mb(&arguments);
        println!("{storage}: {peak:.0} MB at the peak for a recording of {} MB", size / 1_000_000);
        let dataset = Dataset::open(&output).unwrap();
        assert_eq!(dataset.episodes().len(), 1);
        assert!(dataset.frames() >= 118, "{}", dataset.frames());
        assert!(peak < 200.0, "{peak} MB");
    }
}
