//! Recordings as drivers make them: clocks that are off, drivers that stop, damaged images. Offline
//! follows the rules of the live policy, and reports what it left out.

use f1_interfaces::Message;
use f1_interfaces::sensor_msgs::msg::CompressedImage;
use f1_interfaces::std_msgs::msg::Bool;

use super::*;

const MS: i64 = 1_000_000;
/// Receipt of the first message, ms.
const START: i64 = 1_000_000;

/// A recording of the bench arm's topics: two cameras at 20 Hz, the arm's driver at 100 Hz, the
/// gripper's at 50 Hz, a trajectory every 100 ms.
struct Scene {
    seconds: i64,
    /// Added to the stamps of `front` and `wrist`, ms.
    camera_clocks: [i64; 2],
    /// Added to every stamp, ms: another clock than the recorder's.
    all_clocks: i64,
    /// When the cameras stop, ms after the start.
    cameras_stop: [i64; 2],
    /// When the gripper's driver stops and starts again, ms after the start.
    gripper_stops: (i64, i64),
    /// Frames of `front` that are cut short.
    truncated: Vec<i64>,
    /// Velocities in the joint states.
    velocities: fn(usize) -> Vec<f64>,
    /// The point of a trajectory, given its position.
    point: fn(Vec<f64>) -> JointTrajectoryPoint,
    /// Joints that trajectories name beside the arm's.
    strangers: usize,
    /// When a person has the robot, ms after the start: no trajectory is sent then.
    taken: Option<(i64, i64)>,
}

impl Default for Scene {
    fn default() -> Self {
        let never = i64::MAX;
        Self {
            seconds: 6,
            camera_clocks: [0, 0],
            all_clocks: 0,
            cameras_stop: [never, never],
            gripper_stops: (never, never),
            truncated: Vec::new(),
            velocities: |count| vec![0.0; count],
            point: |positions| JointTrajectoryPoint {
                positions,
                time_from_start: WireDuration::from_seconds(0.1),
                ..JointTrajectoryPoint::default()
            },
            strangers: 0,
            taken: None,
        }
    }
}

fn stamp(ms: i64) -> WireTime {
    WireTime::saturating_from_nanoseconds(ms * MS)
}

/// A JPEG that differs from frame to frame.
fn jpeg(frame: i64) -> Vec<u8> {
    let image = image::RgbImage::from_fn(32, 24, |x, y| {
        image::Rgb([(8 * x + frame as u32) as u8, (10 * y) as u8, (frame * 3) as u8])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

impl Scene {
    fn write(&self, path: &Path) {
        let robot = bench_arm();
        let recorder = Arc::new(Recorder::create(path).unwrap());
        fn put<T: Message>(recorder: &Arc<Recorder>, topic: &str, ms: i64, message: &T) {
            recorder.topic::<T>(topic).unwrap().write(ms * MS, message).unwrap();
        }
        let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
        let (arm, gripper) = names.split_at(7);
        let home = robot.home();
        let text = StringMessage { data: "push the cube".into() };
        put(&recorder, "/f1/instruction", START, &text);
        let joints = |names: &[String], position: Vec<f64>, ms: i64| JointState {
            header: Header { stamp: stamp(START + ms + self.all_clocks), frame_id: String::new() },
            name: names.to_vec(),
            velocity: (self.velocities)(names.len()),
            effort: (self.velocities)(names.len()),
            position,
        };
        let place = |ms: i64| {
            let mut place = home[..7].to_vec();
            place[0] += 0.2 * (ms as f64 * 1e-3).sin();
            place
        };
        if let Some((from, until)) = self.taken {
            for (ms, data) in [(0, false), (from, true), (until, false)] {
                put(&recorder, "/f1/takeover/active", START + ms, &Bool { data });
            }
        }
        for ms in (0..self.seconds * 1000).step_by(10) {
            put(&recorder, "/f1/joint_states", START + ms, &joints(arm, place(ms), ms));
            let stopped = (self.gripper_stops.0..self.gripper_stops.1).contains(&ms);
            if ms % 20 == 0 && !stopped {
                let position = vec![0.02 + 0.01 * (ms as f64 * 1e-3).cos()];
                put(&recorder, "/f1/joint_states", START + ms, &joints(gripper, position, ms));
            }
            for (camera, name) in ["front", "wrist"].into_iter().enumerate() {
                if ms % 50 != 0 || ms >= self.cameras_stop[camera] {
                    continue;
                }
                let frame = ms / 50;
                let mut data = jpeg(frame);
                if camera == 0 && self.truncated.contains(&frame) {
                    data.truncate(data.len() / 2);
                }
                let ms_of_camera = START + ms + self.all_clocks + self.camera_clocks[camera];
                let header = Header { stamp: stamp(ms_of_camera), frame_id: String::new() };
                let image = CompressedImage { header, format: "jpeg".into(), data };
                put(&recorder, &format!("/f1/{name}/image_raw"), START + ms, &image);
            }
            let taken = self.taken.is_some_and(|(from, until)| (from..until).contains(&ms));
            if ms % 100 == 0 && !taken {
                let mut joint_names = arm.to_vec();
                let mut target = place(ms + 100);
                for number in 0..self.strangers {
                    joint_names.push(format!("finger{number}"));
                    target.push(0.5);
                }
                let header =
                    Header { stamp: stamp(START + ms + self.all_clocks), frame_id: String::new() };
                let points = vec![(self.point)(target)];
                let message = JointTrajectory { header, joint_names, points };
                put(&recorder, "/f1/arm_controller/joint_trajectory", START + ms, &message);
            }
        }
        recorder.finish().unwrap();
    }

    /// Converts the recording; `change` sets options.
    fn convert(&self, change: impl FnOnce(&mut Args)) -> (Folder, Result<Summary>) {
        let folder = Folder::new();
        let from = folder.path("run.mcap");
        self.write(&from);
        let mut args = args(&from, &folder.path("out"));
        change(&mut args);
        let summary = convert(&args, &bench_arm());
        (folder, summary)
    }

    /// The frames of each episode, and the notes.
    fn frames(&self) -> (Vec<usize>, Vec<String>) {
        let (_folder, summary) = self.convert(|_| {});
        let summary = summary.unwrap();
        (summary.episodes.iter().map(|(frames, _)| *frames).collect(), summary.notes)
    }
}

fn has(notes: &[String], words: &[&str]) -> bool {
    notes.iter().any(|note| words.iter().all(|word| note.contains(word)))
}

#[test]
fn a_recording_without_faults_is_used_whole_and_nothing_is_reported() {
    let (frames, notes) = Scene::default().frames();
    assert_eq!((frames, notes), (vec![60], Vec::new()));
}

#[test]
fn a_camera_whose_clock_is_off_is_refused_with_the_measured_offset_as_live() {
    for (camera, offset, side) in
        [(1, -3_000, "before"), (0, 3_000, "after"), (1, 150, "after"), (0, -40_000, "before")]
    {
        let mut scene = Scene::default();
        scene.camera_clocks[camera] = offset;
        let (folder, refused) = scene.convert(|_| {});
        let text = format!("{:#}", refused.unwrap_err());
        let name = ["front", "wrist"][camera];
        let seconds = format!("{:.3} s {side}", offset.abs() as f64 * 1e-3);
        assert!(text.contains(name) && text.contains(&seconds), "{offset}: {text}");
        assert!(text.contains("--stamps receipt"), "{text}");
        assert!(!folder.path("out").exists());
        // The way out that the message names.
        let (_folder, summary) = scene.convert(|args| args.stamps = Stamps::Receipt);
        assert_eq!(summary.unwrap().episodes[0].0, 60, "{offset}");
    }
}

#[test]
fn stamps_that_never_fit_together_are_refused_though_each_is_recent() {
    let scene = Scene { camera_clocks: [0, -950], ..Scene::default() };
    let (_folder, refused) = scene.convert(|_| {});
    let text = format!("{:#}", refused.unwrap_err());
    assert!(text.contains("sync_slop") && text.contains("camera `wrist`"), "{text}");
    assert!(text.contains("0.950 s before"), "{text}");
}

#[test]
fn a_constant_offset_that_the_policy_takes_is_used_and_reported() {
    for (offset, text) in [(-30, "0.030 s before"), (-400, "0.400 s before"), (40, "0.040 s after")]
    {
        let (frames, notes) = Scene { camera_clocks: [0, offset], ..Scene::default() }.frames();
        assert!(frames.len() == 1 && frames[0] >= 52, "{offset}: {frames:?}");
        assert!(has(&notes, &["camera `wrist`", text]), "{notes:?}");
        assert!(!has(&notes, &["front"]), "{notes:?}");
    }
}

#[test]
fn a_clock_of_all_sensors_that_is_not_the_recorders_is_no_fault() {
    for offset in [-900_000, 700_000] {
        let (frames, notes) = Scene { all_clocks: offset, ..Scene::default() }.frames();
        assert!(frames == [60] || frames == [59], "{frames:?}");
        assert!(has(&notes, &["another", "clock"]), "{notes:?}");
    }
}

#[test]
fn a_driver_that_stops_ends_the_episode_there_and_is_named() {
    let stop = 3_000;
    for (scene, name) in [
        (Scene { gripper_stops: (stop, i64::MAX), ..Scene::default() }, "gripper_joint"),
        (Scene { cameras_stop: [stop, i64::MAX], ..Scene::default() }, "camera `front`"),
        (Scene { cameras_stop: [i64::MAX, stop], ..Scene::default() }, "camera `wrist`"),
    ] {
        let (folder, summary) = scene.convert(|_| {});
        let summary = summary.unwrap();
        let frames: Vec<usize> = summary.episodes.iter().map(|(frames, _)| *frames).collect();
        // 30 frames until the driver stops, and what its newest measurement may be too old.
        assert!(frames.len() == 1 && (30..=34).contains(&frames[0]), "{name}: {frames:?}");
        let (notes, all) = (&summary.notes, frames[0] == 60);
        assert!(!all && has(notes, &["ends early", name]), "{name}: {notes:?}");
        drop(folder);
    }
}

#[test]
fn a_driver_that_comes_back_begins_another_episode() {
    let (frames, notes) = Scene { gripper_stops: (2_000, 4_000), ..Scene::default() }.frames();
    assert!(frames.len() == 2, "{frames:?}");
    assert!((20..=24).contains(&frames[0]) && (18..=21).contains(&frames[1]), "{frames:?}");
    assert!(has(&notes, &["episode 0 ends early", "gripper_joint"]), "{notes:?}");
}

#[test]
fn images_that_cannot_be_decoded_are_dropped_and_counted() {
    for truncated in [vec![60], vec![0], vec![119], vec![20, 21, 40]] {
        let count = truncated.len();
        let (folder, summary) = Scene { truncated, ..Scene::default() }.convert(|_| {});
        let summary = summary.unwrap();
        assert!(summary.episodes[0].0 >= 58, "{:?}", summary.episodes);
        let counted = format!("{count} messages");
        let notes = &summary.notes;
        assert!(has(notes, &["camera `front`", "cannot be decoded", &counted]), "{notes:?}");
        let dataset = Dataset::open(folder.path("out")).unwrap();
        assert_eq!(dataset.episodes().len(), 1);
    }
}

#[test]
fn where_every_image_is_damaged_nothing_half_written_is_left() {
    let (folder, refused) =
        Scene { truncated: (0..120).collect(), ..Scene::default() }.convert(|_| {});
    let text = format!("{:#}", refused.unwrap_err());
    assert!(text.contains("camera `front`") && text.contains("cannot be decoded"), "{text}");
    let left: Vec<_> = std::fs::read_dir(folder.path("")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn velocities_that_are_not_measured_change_nothing() {
    let table = |velocities: fn(usize) -> Vec<f64>| {
        let (folder, summary) = Scene { velocities, ..Scene::default() }.convert(|_| {});
        assert_eq!(summary.unwrap().notes, Vec::<String>::new());
        let dataset = Dataset::open(folder.path("out")).unwrap();
        let table = dataset.read_episode(0, &Columns::usual(&[])).unwrap();
        (table.state, table.action)
    };
    let measured = table(|count| vec![0.0; count]);
    let unmeasured: [fn(usize) -> Vec<f64>; 4] = [
        |_| Vec::new(),
        |count| vec![f64::NAN; count],
        |count| vec![0.0; count / 2],
        |count| (0..count).map(|i| if i % 2 == 0 { 0.0 } else { f64::NAN }).collect(),
    ];
    for velocities in unmeasured {
        assert!(table(velocities) == measured);
    }
}

#[test]
fn joints_that_the_robot_does_not_know_are_named_and_the_others_used() {
    for strangers in [1, 2] {
        let (folder, summary) = Scene { strangers, ..Scene::default() }.convert(|_| {});
        let summary = summary.unwrap();
        for number in 0..strangers {
            let name = format!("`finger{number}`");
            assert!(has(&summary.notes, &["60 trajectories", &name]), "{:?}", summary.notes);
        }
        let dataset = Dataset::open(folder.path("out")).unwrap();
        let table = dataset.read_episode(0, &Columns::usual(&[])).unwrap();
        let home = f64::from(table.state[0][0]);
        let moved = table.action.iter().map(|row| (f64::from(row[0]) - home).abs());
        assert!(moved.fold(0.0, f64::max) > 0.1);
    }
}

#[test]
fn trajectories_of_velocities_alone_are_named() {
    let scene = Scene {
        point: |positions| JointTrajectoryPoint {
            velocities: positions,
            time_from_start: WireDuration::from_seconds(0.1),
            ..JointTrajectoryPoint::default()
        },
        ..Scene::default()
    };
    let (_folder, refused) = scene.convert(|_| {});
    let text = format!("{:#}", refused.unwrap_err());
    assert!(text.contains("none of 60 trajectories"), "{text}");
    assert!(text.contains("velocities only") && text.contains("--commands"), "{text}");
}

#[test]
fn what_a_person_did_is_marked_and_its_action_is_what_the_robot_did() {
    let scene = Scene { taken: Some((2000, 4000)), ..Scene::default() };
    let (folder, summary) = scene.convert(|args| args.layout = "v2.1".into());
    let frames = summary.unwrap().episodes[0].0;
    let output = folder.path("out");
    let read = |name: &str| std::fs::read_to_string(output.join("meta").join(name)).unwrap();
    let info: serde_json::Value = serde_json::from_str(&read("info.json")).unwrap();
    assert_eq!(info["features"]["intervention"]["dtype"], "bool");
    let stats = read("episodes_stats.jsonl");
    let stats: serde_json::Value = serde_json::from_str(stats.lines().next().unwrap()).unwrap();
    let share = stats["stats"]["intervention"]["mean"][0].as_f64().unwrap();
    assert!((share * frames as f64 - 20.0).abs() <= 1.0, "{share} of {frames}");
    let dataset = Dataset::open(&output).unwrap();
    let table = dataset.read_episode(0, &Columns::usual(&[])).unwrap();
    // No trajectory was sent meanwhile: the action is where the joints came to one step later, not
    // where the last trajectory had ended.
    for frame in 22..38 {
        let (action, next) = (table.action[frame][0], table.state[frame + 1][0]);
        assert!((action - next).abs() < 2e-3, "frame {frame}: {action} and {next}");
    }
    // A recording that says nothing of takeovers has no such column.
    let (folder, summary) = Scene::default().convert(|_| {});
    summary.unwrap();
    let info = std::fs::read_to_string(folder.path("out").join("meta/info.json")).unwrap();
    assert!(!info.contains("intervention"));
}
