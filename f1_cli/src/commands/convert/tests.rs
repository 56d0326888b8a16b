//! The bench recorded on the in-process back end, moved by trajectories that are known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use f1_data::lerobot::{Columns, Dataset};
use f1_interfaces::builtin_interfaces::msg::{Duration as WireDuration, Time as WireTime};
use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::std_msgs::msg::{Header, String as StringMessage};
use f1_interfaces::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use f1_middleware::{Backend, Context, ContextOptions, NodeOptions, Qos};
use f1_policy_node::recording::{RecordSession, Recorder};
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::{BenchSettings, Split, Task};

use super::*;

mod rules;

fn bench_arm() -> Arc<Robot> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Arc::new(Robot::load(&root.join("config/robots/bench_arm.yaml")).unwrap())
}

fn args(from: &Path, output: &Path) -> Args {
    Args {
        from: from.to_path_buf(),
        output: output.to_path_buf(),
        robot: "bench_arm".into(),
        namespace: "f1".into(),
        layout: "v3.0".into(),
        fps: None,
        commands: Source::Trajectories,
        action: Form::Layout,
        task: None,
        jpeg: false,
        gap: 0.5,
        sync_slop: 0.05,
        joint_age: 0.25,
        stamps: Stamps::Header,
        min_frames: 10,
    }
}

/// Where joint 1 is sent at a time since the start of the motion, s: out and back, slowly.
fn joint1(seconds: f64) -> f64 {
    0.15 * (1.0 - (seconds * 0.8).cos())
}

/// Two instructions with a pause between them; joint 1 is moved by a trajectory a tenth of a second
/// throughout.
fn record(path: &Path) {
    let robot = bench_arm();
    let context = Context::new(ContextOptions::new(Backend::mem_virtual())).unwrap();
    let mut settings = BenchSettings::new(Task::Static, Split::Training, 7);
    settings.image = [40, 30];
    let _sim = SimNode::start(&context, &robot, settings, &SimOptions::default()).unwrap();
    let session = RecordSession::start(&context, &robot, "f1", &[], path).unwrap();
    let node = context.create_node_with("operator", NodeOptions::in_namespace("/f1")).unwrap();
    let instruction =
        node.create_publisher::<StringMessage>("instruction", Qos::latched()).unwrap();
    let sent = node
        .create_publisher::<JointTrajectory>("arm_controller/joint_trajectory", Qos::reliable())
        .unwrap();
    let executor = context.executor();
    let instruct = |text: &str| instruction.publish(StringMessage { data: text.into() }).unwrap();
    executor.spin_for(Duration::from_millis(500));
    let home = robot.home()[..7].to_vec();
    let points = |steps: std::ops::RangeInclusive<u32>, began: f64| -> Vec<JointTrajectoryPoint> {
        let point = |step: u32| {
            let after = 0.05 * f64::from(step);
            let mut positions = home.clone();
            positions[0] = joint1(began + after);
            JointTrajectoryPoint {
                positions,
                time_from_start: WireDuration::from_seconds(after),
                ..JointTrajectoryPoint::default()
            }
        };
        steps.map(point).collect()
    };
    for step in 0..44 {
        match step {
            0 => instruct("push the cube"),
            20 => instruct(""),
            26 => instruct("pull the cube"),
            _ => {}
        }
        let header = Header {
            stamp: WireTime::saturating_from_nanoseconds(node.now().nanoseconds()),
            frame_id: String::new(),
        };
        let joint_names = (1..=7).map(|number| format!("joint{number}")).collect();
        let points = points(1..=5, f64::from(step) * 0.1);
        sent.publish(JointTrajectory { header, joint_names, points }).unwrap();
        executor.spin_for(Duration::from_millis(100));
    }
    session.finish().unwrap();
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn a_recording_becomes_a_data_set_in_both_layouts() {
    let folder = Folder::new();
    let from = folder.path("run.mcap");
    record(&from);
    let robot = bench_arm();
    let bag = Bag::open(&from).unwrap();
    let messages: Vec<_> = bag.messages().collect::<Result<_, _>>().unwrap();
    // What the camera showed, straight from the file: the newest image before a time.
    let shown = |time_ns: i64| {
        let of_camera = messages.iter().filter(|message| message.topic == "/f1/front/image_raw");
        let mut images = of_camera.map(|message| message.decode::<Image>().unwrap());
        let image = images.rfind(|image| image.header.stamp.nanoseconds() <= time_ns).unwrap();
        f1_image::into_rgb(image).unwrap()
    };
    let began =
        messages.iter().find(|message| message.topic == "/f1/instruction").unwrap().stamp_ns;
    for layout in ["v2.1", "v3.0"] {
        let output = folder.path(layout);
        let summary =
            convert(&Args { layout: layout.into(), ..args(&from, &output) }, &robot).unwrap();
        let tasks: Vec<&str> = summary.episodes.iter().map(|(_, task)| task.as_str()).collect();
        assert_eq!(tasks, ["push the cube", "pull the cube"]);
        let dataset = Dataset::open(&output).unwrap();
        assert_eq!(dataset.version().as_str(), layout);
        assert_eq!(dataset.info().fps, 10.0);
        assert_eq!(
            dataset.info().cameras(),
            ["observation.images.front", "observation.images.wrist"]
        );
        let lengths: Vec<usize> = dataset.episodes().iter().map(|episode| episode.length).collect();
        assert!(lengths[0].abs_diff(20) <= 1 && lengths[1].abs_diff(18) <= 1, "{lengths:?}");
        let columns = Columns::usual(&dataset.info().cameras());
        for (episode, begins) in [(0, 0.0), (1, 2.6)] {
            let table = dataset.read_episode(episode, &columns).unwrap();
            for frame in 0..table.len() {
                let seconds = begins + 0.1 * frame as f64;
                // The set-point one step later, of the trajectory that was in force then; the other
                // joints stay.
                let action = &table.action[frame];
                assert!(
                    (f64::from(action[0]) - joint1(seconds + 0.1)).abs() < 2e-3,
                    "frame {frame}: {action:?}"
                );
                assert!((f64::from(action[3]) - robot.home()[3]).abs() < 1e-6);
                // The gripper was sent nowhere and stays open.
                assert!((action[7] - 0.05).abs() < 2e-3, "{action:?}");
                // The arm follows, a little behind.
                let state = &table.state[frame];
                assert!(
                    (f64::from(state[0]) - joint1(seconds)).abs() < 0.03,
                    "frame {frame}: {state:?}"
                );
                assert_eq!(dataset.tasks()[table.task_index[frame]], tasks[episode]);
                let time_ns = began + (seconds * 1e9).round() as i64;
                let image = table.images["observation.images.front"][frame].decode().unwrap();
                assert_eq!(image.dimensions(), (40, 30));
                assert!(image == shown(time_ns), "image of episode {episode}, frame {frame}");
            }
        }
        // A second conversion never mixes with the first.
        let again =
            convert(&Args { layout: layout.into(), ..args(&from, &output) }, &robot).unwrap_err();
        assert!(format!("{again:#}").contains("already holds a data set"), "{again:#}");
    }

    // The joints as measured instead, at twice the rate, under one instruction.
    let task = Some("look around".to_owned());
    let output = folder.path("measured");
    let settings = Args {
        commands: Source::Measured,
        fps: Some(20),
        task,
        jpeg: true,
        ..args(&from, &output)
    };
    let summary = convert(&settings, &robot).unwrap();
    assert_eq!(summary.episodes.len(), 1);
    let dataset = Dataset::open(&output).unwrap();
    let table = dataset.read_episode(0, &Columns::usual(&[])).unwrap();
    assert!(table.len().abs_diff(96) <= 3, "{}", table.len());
    for frame in 0..table.len() - 1 {
        assert!((table.action[frame][0] - table.state[frame + 1][0]).abs() < 1e-6, "frame {frame}");
    }
}

#[test]
fn what_a_recording_lacks_is_named() {
    let folder = Folder::new();
    let robot = bench_arm();
    let refused = |from: &Path, change: &dyn Fn(&mut Args)| {
        let mut args = args(from, &folder.path("out"));
        change(&mut args);
        format!("{:#}", convert(&args, &robot).unwrap_err())
    };
    let nothing = |_: &mut Args| {};
    let message = refused(&folder.path("none.mcap"), &nothing);
    assert!(message.contains("none.mcap"), "{message}");
    std::fs::write(folder.path("text.mcap"), "not a recording").unwrap();
    let message = refused(&folder.path("text.mcap"), &nothing);
    assert!(message.contains("text.mcap"), "{message}");

    // Topics are added one by one; each time the next one that is missing is named.
    let path = folder.path("part.mcap");
    let header = |stamp_ns| Header {
        stamp: WireTime::saturating_from_nanoseconds(stamp_ns),
        frame_id: String::new(),
    };
    let image = |stamp_ns| Image {
        header: header(stamp_ns),
        width: 2,
        height: 1,
        encoding: "rgb8".into(),
        step: 6,
        data: vec![9; 6],
        ..Image::default()
    };
    let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let write = |cameras: &[&str], joints: usize, instruction: bool, frames: i64| {
        let recorder = Arc::new(Recorder::create(&path).unwrap());
        for frame in 0..frames {
            let stamp_ns = 1_000_000_000 + frame * 50_000_000;
            for camera in cameras {
                let topic = recorder.topic::<Image>(&format!("/f1/{camera}/image_raw")).unwrap();
                topic.write(stamp_ns, &image(stamp_ns)).unwrap();
            }
            if joints > 0 {
                let topic = recorder.topic::<JointState>("/f1/joint_states").unwrap();
                let state = JointState {
                    header: header(stamp_ns),
                    name: names[..joints].to_vec(),
                    position: robot.home()[..joints].to_vec(),
                    ..JointState::default()
                };
                topic.write(stamp_ns, &state).unwrap();
            }
            if instruction && frame == 0 {
                let topic = recorder.topic::<StringMessage>("/f1/instruction").unwrap();
                topic.write(stamp_ns, &StringMessage { data: "go".into() }).unwrap();
            }
        }
        recorder.finish().unwrap();
    };
    let both = ["front", "wrist"];
    write(&[], 0, false, 0);
    assert!(refused(&path, &nothing).contains("holds no message"));
    write(&["front"], 8, true, 40);
    let message = refused(&path, &nothing);
    assert!(message.contains("no image of camera `wrist` on /f1/wrist/image_raw"), "{message}");
    assert!(message.contains("/f1/front/image_raw (40)"), "{message}");
    write(&both, 0, true, 40);
    assert!(refused(&path, &nothing).contains("no joint states on /f1/joint_states"));
    write(&both, 7, true, 40);
    let message = refused(&path, &nothing);
    assert!(
        message.contains("/f1/joint_states") && message.contains("missing: gripper_joint"),
        "{message}"
    );
    write(&both, 8, false, 40);
    assert!(refused(&path, &nothing).contains("--task"));
    write(&both, 8, true, 40);
    let message = refused(&path, &nothing);
    assert!(message.contains("no trajectory on /f1/arm_controller/joint_trajectory"), "{message}");
    assert!(refused(&path, &|args| args.commands = Source::Chunks).contains("no chunk"));
    let message = refused(&path, &|args| args.namespace = "other".into());
    assert!(
        message.contains("/other/front/image_raw") && message.contains("/f1/front/image_raw"),
        "{message}"
    );
    let measured = |args: &mut Args| args.commands = Source::Measured;
    write(&both, 8, true, 10);
    let message = refused(&path, &measured);
    assert!(message.contains("no episode of 10 frames at 10 Hz; the longest has 5"), "{message}");
    assert!(refused(&path, &|args| args.layout = "v2.0".into()).contains("v2.0"));
    // And with everything there it works.
    write(&both, 8, true, 40);
    let mut args = args(&path, &folder.path("out"));
    measured(&mut args);
    assert_eq!(convert(&args, &robot).unwrap().episodes, [(20, "go".to_owned())]);
}

/// What the decoder of chunks makes of an action is what the action was made from.
#[test]
fn actions_of_every_shipped_robot_lead_where_the_set_points_were() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/robots");
    let mut robots = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let robot = Robot::load(&path).unwrap();
        let Ok(layout) = commands::Layout::new(&robot, Form::Layout) else { continue };
        let now = robot.home().to_vec();
        let next: Vec<f64> = now.iter().map(|position| position + 0.004).collect();
        let action = layout.action(&now, &next);
        assert_eq!(action.len(), robot.file().action_dim(), "{}", path.display());
        assert_eq!(layout.names().len(), action.len());
        assert_eq!(commands::state_names(&robot).len(), robot.file().state_dim());
        assert!(action.iter().all(|value| value.is_finite()));
        let mut column = 0;
        for part in &robot.file().action.parts {
            if let f1_robot::robot_file::ActionPart::EndEffectorDelta(part) = part {
                let arm = robot.kinematics().arm(&part.arm).unwrap();
                let (from, to) = (
                    robot.kinematics().end_effector(arm, &now),
                    robot.kinematics().end_effector(arm, &next),
                );
                let moved: f64 =
                    (0..3).map(|axis| f64::from(action[column + axis]).powi(2)).sum::<f64>().sqrt();
                let length = (to.translation.vector - from.translation.vector).norm();
                assert!((moved * part.position_scale - length).abs() < 1e-6);
                let turned: f64 =
                    (3..6).map(|axis| f64::from(action[column + axis]).powi(2)).sum::<f64>().sqrt();
                let angle = from.rotation.angle_to(&to.rotation);
                assert!((turned * part.rotation_scale - angle).abs() < 1e-3, "{turned} {angle}");
            }
            column += part.width();
        }
        robots += 1;
    }
    assert!(robots >= 4, "{robots}");
}
