//! Recording a closed loop and replaying it through the whole graph: the same input, the same
//! output.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::PolicyStatus;
use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::std_msgs::msg::String as StringMessage;
use f1_interfaces::{Message, cdr};
use f1_middleware::{Backend, Context, ContextOptions, MemBus, NodeOptions, Qos};
use f1_model::LoadOptions;
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::recording::{Bag, BagMessage, Instructions, RecordSession, Recorder, Replay};
use f1_policy_node::resources::Resources;
use f1_robot::Robot;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::{BenchSettings, Split, Task};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn robot_file() -> PathBuf {
    root().join("config/robots/bench_arm.yaml")
}

fn compose(context: &Context) -> PolicyProcess {
    let load =
        || Resources::load(&robot_file(), &root().join("models/f1_bench"), &LoadOptions::default());
    PolicyProcess::compose(context, Box::new(move |_| Box::new(load)), &ProcessOptions::default())
        .unwrap()
}

/// How the instruction comes.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Topic,
    /// Before the recording begins.
    Parameter,
}

fn record(path: &Path, seconds: u64) {
    record_with(path, seconds, By::Topic);
}

/// The bench, the policy and a recorder for `seconds` of virtual time.
fn record_with(path: &Path, seconds: u64, by: By) {
    let context = Context::new(ContextOptions::new(Backend::mem_virtual())).unwrap();
    let robot = Arc::new(Robot::load(&robot_file()).unwrap());
    let settings = BenchSettings::new(Task::Static, Split::Training, 7);
    let sim = SimNode::start(&context, &robot, settings, &SimOptions::default()).unwrap();
    let process = compose(&context);
    if by == By::Parameter {
        let perception = process.nodes()[0].parameters();
        perception.set("instruction", sim.instruction()).unwrap();
    }
    let session = RecordSession::start(&context, &robot, "/f1", &process.locks(), path).unwrap();
    let node = context.create_node_with("operator", NodeOptions::in_namespace("/f1")).unwrap();
    let instruction =
        node.create_publisher::<StringMessage>("instruction", Qos::latched()).unwrap();
    // Between two ticks of everything: at one instant, what comes from outside after the timers
    // would be replayed before them.
    context.executor().spin_for(Duration::from_millis(503));
    if by == By::Topic {
        instruction.publish(StringMessage { data: sim.instruction() }).unwrap();
    }
    context.executor().spin_for(Duration::from_secs(seconds));
    assert!(session.finish().unwrap() > 100);
}

/// What `f1 run --bag` does.
fn replay(bag: &Bag, path: &Path) {
    let start = Replay::start_of(bag).unwrap();
    let backend = Backend::Mem { bus: MemBus::new(), virtual_start: Some(start) };
    let context = Context::new(ContextOptions::new(backend)).unwrap();
    let process = compose(&context);
    let robot = Robot::load(&robot_file()).unwrap();
    let session = RecordSession::start(&context, &robot, "/f1", &process.locks(), path).unwrap();
    context.executor().spin_once(Duration::ZERO);
    assert!(process.is_started(), "{:?}", process.status().state());
    let instructions = Instructions::Recorded;
    let replay =
        Replay::open(&context, &robot, "/f1", &process.locks(), bag, instructions).unwrap();
    assert!(!replay.is_empty() && replay.is_instructed());
    replay.play(&context, Duration::from_secs(1)).unwrap();
    session.finish().unwrap();
}

/// The messages by topic, each with when it came; the times of stages, which are measured, are
/// taken out of `status`.
fn topics(path: &Path) -> BTreeMap<String, Vec<(i64, Vec<u8>)>> {
    let mut topics: BTreeMap<String, Vec<(i64, Vec<u8>)>> = BTreeMap::new();
    for message in Bag::open(path).unwrap().messages() {
        let message: BagMessage = message.unwrap();
        let bytes = match message.type_name.as_str() {
            "f1_msgs/msg/PolicyStatus" => {
                let status = PolicyStatus {
                    decode_time: 0.0,
                    resize_time: 0.0,
                    history_time: 0.0,
                    image_encoder_time: 0.0,
                    foresight_time: 0.0,
                    action_time: 0.0,
                    filter_time: 0.0,
                    ..message.decode::<PolicyStatus>().unwrap()
                };
                cdr::to_bytes(&status).unwrap()
            }
            _ => message.data,
        };
        topics.entry(message.topic).or_default().push((message.stamp_ns, bytes));
    }
    topics
}

/// Says where two runs part, not only that they do.
fn assert_same(what: &str, topic: &str, one: &[(i64, Vec<u8>)], other: &[(i64, Vec<u8>)]) {
    for (index, (a, b)) in one.iter().zip(other).enumerate() {
        assert!(
            a == b,
            "{what}: {topic} differs from message {index} on, at {} and {} ns",
            a.0,
            b.0
        );
    }
    assert_eq!(one.len(), other.len(), "{what}: messages on {topic}");
}

const OUTPUTS: [&str; 6] = [
    "/f1/action/chunk",
    "/f1/action/path",
    "/f1/arm_controller/joint_trajectory",
    "/f1/foresight/image",
    "/f1/foresight/error",
    "/f1/status",
];

#[test]
fn a_recording_replayed_gives_the_same_output_again() {
    let folder = tempfile::tempdir().unwrap();
    let (recorded, first, second) = (
        folder.path().join("run.mcap"),
        folder.path().join("1.mcap"),
        folder.path().join("2.mcap"),
    );
    record(&recorded, 3);
    let bag = Bag::open(&recorded).unwrap();
    replay(&bag, &first);
    replay(&bag, &second);
    let (recorded, first, second) = (topics(&recorded), topics(&first), topics(&second));
    assert!(recorded.keys().eq(first.keys()), "{:?} {:?}", recorded.keys(), first.keys());
    for topic in OUTPUTS {
        assert!(
            recorded.get(topic).is_some_and(|messages| messages.len() >= 4),
            "{topic} is hardly there"
        );
    }
    for (topic, messages) in &first {
        assert_same("two replays", topic, messages, &second[topic]);
    }
    // The live run was on a virtual clock too: it is what the replay gives, as far as it went.
    for (topic, messages) in &recorded {
        let again = &first[topic];
        assert!(again.len() >= messages.len(), "{topic}: {} of {}", again.len(), messages.len());
        assert_same("the replay and the run", topic, messages, &again[..messages.len()]);
    }
}

fn copy<T: Message>(recorder: &Arc<Recorder>, message: &BagMessage) {
    if let Ok(content) = message.decode::<T>() {
        let topic = recorder.topic::<T>(&message.topic).unwrap();
        topic.write(message.stamp_ns, &content).unwrap();
    }
}

/// Copies a recording's inputs and status without some of its topics.
fn copy_without(from: &Path, to: &Path, left_out: &[&str]) {
    let recorder = Arc::new(Recorder::create(to).unwrap());
    let bag = Bag::open(from).unwrap();
    recorder.begin(bag.start_ns().unwrap()).unwrap();
    for message in bag.messages() {
        let message: BagMessage = message.unwrap();
        if !left_out.contains(&message.topic.as_str()) {
            copy::<Image>(&recorder, &message);
            copy::<JointState>(&recorder, &message);
            copy::<StringMessage>(&recorder, &message);
            copy::<PolicyStatus>(&recorder, &message);
        }
    }
    recorder.finish().unwrap();
}

#[test]
fn an_instruction_that_came_as_a_parameter_is_recorded_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let path = file("run.mcap");
    record_with(&path, 3, By::Parameter);
    let (instruction, active) = ("/f1/instruction", "/f1/instruction/active");
    let recorded = topics(&path);
    assert!(!recorded.contains_key(instruction));
    assert_eq!(recorded[active].len(), 1, "what was in force when the recording began");
    for (name, left_out) in [("1.mcap", &[][..]), ("2.mcap", &[active][..])] {
        let (from, to) = (file(&format!("copy_{name}")), file(name));
        copy_without(&path, &from, left_out);
        replay(&Bag::open(&from).unwrap(), &to);
        let chunks = topics(&to).remove("/f1/action/chunk").map_or(0, |chunks| chunks.len());
        assert!(chunks > 3, "{name}: {chunks} chunks");
    }
    // A recording that says it nowhere has no instruction.
    let silent = file("silent.mcap");
    copy_without(&path, &silent, &[active, "/f1/status"]);
    let bag = Bag::open(&silent).unwrap();
    let context = Context::new(ContextOptions::new(Backend::mem_virtual())).unwrap();
    let robot = Robot::load(&robot_file()).unwrap();
    let open = |bag| Replay::open(&context, &robot, "/f1", &[], bag, Instructions::Recorded);
    assert!(!open(&bag).unwrap().is_instructed());
}

#[test]
fn of_a_recording_whose_writer_was_killed_the_whole_messages_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (path, broken) = (folder.path().join("run.mcap"), folder.path().join("broken.mcap"));
    record(&path, 3);
    let whole = Bag::open(&path).unwrap();
    assert_eq!(whole.cut(), None);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let bag = Bag::open(&broken).unwrap();
    assert!(bag.cut().is_some() && bag.start_ns() == whole.start_ns());
    assert!(
        bag.len() < whole.len() && bag.len() * 4 > whole.len(),
        "{} of {}",
        bag.len(),
        whole.len()
    );
    assert_eq!(bag.messages().map(Result::unwrap).count(), bag.len());
    // Nothing whole, or no recording at all, is refused.
    std::fs::write(&broken, &bytes[..60]).unwrap();
    assert!(Bag::open(&broken).is_err());
    std::fs::write(&broken, b"# no recording").unwrap();
    let message = Bag::open(&broken).unwrap_err().to_string();
    assert!(message.contains("broken.mcap") && message.contains("neither MCAP"), "{message}");
}

#[test]
fn an_independent_reader_decodes_every_message_by_the_stored_schemas() {
    let requirements = root().join("tests/mcap/requirements.txt");
    let python =
        f1_tests::environment::python("mcap-venv", &requirements, "F1_MCAP_PYTHON").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    record(&path, 1);
    let wanted: BTreeMap<String, usize> =
        topics(&path).into_iter().map(|(topic, messages)| (topic, messages.len())).collect();
    let script = root().join("tests/mcap/read_recording.py");
    let output = Command::new(python).arg(script).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["profile"], "ros2");
    assert_eq!(found["topics"], serde_json::to_value(&wanted).unwrap());
    // What the reader made of one message is what we wrote.
    let bag = Bag::open(&path).unwrap();
    let last =
        bag.messages().map(Result::unwrap).filter(|message| message.topic == "/f1/status").last();
    let last = last.unwrap();
    let status = last.decode::<PolicyStatus>().unwrap();
    assert_eq!(found["last_status"]["instruction"], status.instruction.as_str());
    assert_eq!(found["last_status"]["chunks"], status.chunks);
    assert_eq!(found["last_status"]["stamp"], status.header.stamp.nanoseconds());
}
