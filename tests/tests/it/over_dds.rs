//! Over the ROS 2 wire protocol, with a robot that shares no code with ours: the Python peer sends
//! three cameras and the joints, the four nodes answer with foresight and motion, and the chunk
//! that arrives is the network's own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use f1_interfaces::f1_msgs::msg::ActionChunk;
use f1_interfaces::sensor_msgs::msg::{CompressedImage, Image, JointState};
use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_interfaces::trajectory_msgs::msg::JointTrajectory;
use f1_interfaces::{Message, cdr};
use f1_middleware::{Backend, Context, ContextOptions, RosArgs};
use f1_model::{ActRequest, F1Policy, PolicyInput};
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;
use f1_policy_node::seed::seed_from_stamp;
use f1_robot::decode::ChunkStamp;
use f1_tests::peer::Peer;
use image::RgbImage;
use serde_json::json;

use crate::kit;

/// How long everything together may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
const INSTRUCTION: &str = "put the red cube into the bin";
const CAMERAS: [&str; 3] = ["front", "side", "wrist"];
const SIZE: (u32, u32) = (320, 240);
/// Bytes at the start of each image that the peer fills with a value that follows from the stamp.
const MARKED: usize = (SIZE.0 * SIZE.1 * 3 / 2) as usize;

/// The image that a camera sends at a stamp: its own pattern below, the stamp's value above.
fn image(camera: usize, stamp_ns: i64) -> RgbImage {
    let mut image = RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let value = |factor: u32| (factor * x + (factor + 2) * y + 40 * camera as u32) as u8;
        image::Rgb([value(1), value(3), value(5)])
    });
    let value = (stamp_ns / 1_000_000 % 251) as u8;
    let bytes: &mut [u8] = &mut image;
    bytes[..MARKED].fill(value);
    image
}

/// The robot: a peer in our namespace.
struct Robot {
    peer: Peer,
    namespace: String,
}

impl Robot {
    fn publisher<T: Message>(&mut self, topic: &str, reliable: bool) {
        self.peer
            .request(json!({
                "op": "publisher", "name": topic, "topic": format!("{}/{topic}", self.namespace), "type": T::TYPE_NAME,
                "qos": { "reliable": reliable, "transient_local": topic == "instruction", "depth": 5 },
            }))
            .unwrap();
    }

    fn stream<T: Message>(
        &mut self,
        topic: &str,
        message: &T,
        rate: f64,
        mark: Option<(usize, usize)>,
    ) {
        self.publisher::<T>(topic, false);
        let bytes = cdr::to_bytes(message).unwrap();
        let count = (PATIENCE.as_secs_f64() * rate) as u64;
        let mut request = json!({ "op": "stream", "name": topic, "cdr": hex(&bytes), "rate": rate, "count": count });
        if let Some((from_end, length)) = mark {
            request["mark"] = json!([bytes.len() - from_end, length]);
        }
        self.peer.ask(request).unwrap();
    }

    fn subscribe<T: Message>(&mut self, topic: &str, reliable: bool) {
        self.peer
            .request(json!({
                "op": "subscribe", "name": topic, "topic": format!("{}/{topic}", self.namespace),
                "type": T::TYPE_NAME, "mode": "each", "qos": { "reliable": reliable, "depth": 20 },
            }))
            .unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn read<T: Message>(bytes: &[u8]) -> T {
    cdr::from_bytes(bytes).unwrap()
}

/// What the network alone computes for the observation that a chunk names: normalised rows and
/// joint positions.
fn alone(
    policy: &F1Policy,
    resources: &Resources,
    chunk: &ActionChunk,
    joints: &JointState,
) -> (Vec<f32>, Vec<f64>) {
    let stamp_ns = chunk.header.stamp.nanoseconds();
    assert_eq!(chunk.camera_names, CAMERAS);
    let cameras = chunk.camera_stamps.iter().enumerate();
    let cameras = cameras
        .map(|(camera, stamp)| {
            Some(policy.prepare_camera(&image(camera, stamp.nanoseconds())).unwrap())
        })
        .collect();
    let history = chunk.history_stamps.iter();
    let history = history.map(|stamp| policy.encode_frame(&image(0, stamp.nanoseconds())).unwrap());
    let prompt = policy.encode_prompt(&chunk.instruction).unwrap();
    let seed = seed_from_stamp(stamp_ns);
    let input = PolicyInput { cameras, prompt, history: history.collect() };
    let prefix = policy.perceive(&input, seed).unwrap();
    let state = resources.encoder.encode(&joints.name, &joints.position).unwrap();
    let normalised = policy.act(&prefix, &state, &ActRequest { seed, guidance: None }).unwrap();
    let measured = resources.robot.joint_vector(&joints.name, &joints.position).unwrap();
    let stamp = ChunkStamp { stamp: stamp_ns, sequence: 0, epoch: 0 };
    let decoded = resources.decoder.decode(&normalised, &measured, stamp).unwrap();
    (normalised.concat(), decoded.chunk.rows.concat())
}

#[test]
fn a_foreign_robot_gets_foresight_and_trajectories_and_the_networks_own_chunk() {
    let description = kit::three_cameras();
    let namespace = format!("/over_dds_{}", std::process::id());
    let args =
        ["nodes", "--ros-args", "-r", &format!("__ns:={namespace}")].map(String::from).to_vec();
    let (args, _) = RosArgs::parse(args).unwrap();
    let context = Context::new(ContextOptions { backend: Backend::Dds, args }).unwrap();
    let loaded = description.clone();
    let load = kit::loading(move || kit::resources(&loaded, 0.002, false));
    let process = PolicyProcess::compose(&context, load, &ProcessOptions::default()).unwrap();
    let spinning = context.clone();
    let spinner = std::thread::spawn(move || spinning.spin());

    let domain =
        std::env::var("ROS_DOMAIN_ID").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut robot = Robot { peer: Peer::session(domain).unwrap(), namespace };
    robot.subscribe::<ActionChunk>("action/chunk", true);
    robot.subscribe::<Image>("foresight/image", false);
    robot.subscribe::<CompressedImage>("foresight/image/compressed", true);
    robot.subscribe::<JointTrajectory>("arm_controller/joint_trajectory", true);
    robot.subscribe::<JointTrajectory>("gripper_controller/joint_trajectory", true);
    let joints = JointState {
        name: description.joints().iter().map(|joint| joint.name.clone()).collect(),
        position: description.home().to_vec(),
        velocity: vec![0.0; description.dof()],
        ..JointState::default()
    };
    robot.stream("joint_states", &joints, 100.0, None);
    for (camera, name) in CAMERAS.iter().enumerate() {
        let image = f1_image::encode(&image(camera, 0), Default::default());
        let length = image.data.len();
        robot.stream(&format!("{name}/image_raw"), &image, 30.0, Some((length, MARKED)));
    }
    robot.publisher::<StringMessage>("instruction", true);
    let instruction = cdr::to_bytes(&StringMessage { data: INSTRUCTION.into() }).unwrap();
    robot
        .peer
        .request(json!({ "op": "publish", "name": "instruction", "cdr": hex(&instruction) }))
        .unwrap();

    let wanted = BTreeMap::from([
        ("action/chunk", 3),
        ("foresight/image", 1),
        ("foresight/image/compressed", 1),
        ("arm_controller/joint_trajectory", 2),
        ("gripper_controller/joint_trajectory", 2),
    ]);
    let mut got: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let end = Instant::now() + PATIENCE;
    while wanted.iter().any(|(topic, count)| got.get(*topic).map_or(0, Vec::len) < *count) {
        let left = end.saturating_duration_since(Instant::now());
        let counts: Vec<_> = got.iter().map(|(topic, messages)| (topic, messages.len())).collect();
        let event = robot.peer.event("message", left);
        let event =
            event.unwrap_or_else(|error| panic!("{error}; {counts:?}; {:?}", process.status()));
        let bytes = unhex(event["cdr"].as_str().unwrap());
        got.entry(event["name"].as_str().unwrap().to_owned()).or_default().push(bytes);
    }

    let resources = kit::resources(&description, 0.002, false);
    let network = kit::random_policy(3, false);
    for bytes in &got["action/chunk"] {
        let chunk: ActionChunk = read(bytes);
        assert_eq!(chunk.instruction, INSTRUCTION);
        let (normalised, positions) = alone(&network, &resources, &chunk, &joints);
        assert_eq!(chunk.normalised.len(), normalised.len());
        let worst = chunk.normalised.iter().zip(&normalised).map(|(a, b)| f64::from((a - b).abs()));
        let worst = worst.chain(chunk.positions.iter().zip(&positions).map(|(a, b)| (a - b).abs()));
        let worst = worst.fold(0.0, f64::max);
        println!(
            "chunk {} of epoch {}: {worst:.1e} from the network alone",
            chunk.sequence, chunk.epoch
        );
        assert!(worst < 1e-5, "chunk {}: {worst}", chunk.sequence);
        // Random weights still give an output: a row of zeros would be a lost chunk.
        assert!(chunk.normalised.iter().any(|value| value.abs() > 0.1));
    }
    let image: Image = read(&got["foresight/image"][0]);
    let raw = f1_image::decode(&image).unwrap();
    let compressed: CompressedImage = read(&got["foresight/image/compressed"][0]);
    let compressed = f1_image::decode_compressed(&compressed).unwrap();
    assert_eq!(raw.dimensions(), compressed.dimensions());
    let controllers = [("arm_controller", 7), ("gripper_controller", 1)];
    let stamps = controllers.map(|(controller, joints)| {
        let messages = &got[&format!("{controller}/joint_trajectory")];
        let trajectories: Vec<JointTrajectory> = messages.iter().map(|bytes| read(bytes)).collect();
        for trajectory in &trajectories {
            assert_eq!(trajectory.joint_names.len(), joints);
            assert!(!trajectory.points.is_empty());
            assert!(trajectory.points.iter().all(|point| point.velocities.len() == joints));
        }
        trajectories.iter().map(|trajectory| trajectory.header.stamp).collect::<Vec<_>>()
    });
    assert!(stamps[0].iter().any(|stamp| stamps[1].contains(stamp)), "no common stamp: {stamps:?}");

    context.shutdown();
    spinner.join().unwrap();
    context.join();
}
