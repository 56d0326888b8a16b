//! The commands of docs/own_robot.md, as they stand there, on the bench: another process plays the
//! robot, and the shipped policy is the one who demonstrates.

use std::collections::HashMap;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use f1_model::parameters::{Group, used_parameters};
use serde_json::Value;

use crate::process::{PATIENCE, REST, Running, domain, policy, root, speed};

/// The blocks of shell commands of the page, in order.
fn blocks() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/own_robot.md")).unwrap();
    let pieces = page.split("```");
    pieces.filter_map(|piece| piece.strip_prefix("bash\n")).map(str::to_owned).collect()
}

/// A folder to work in, as a checkout: models and robot files are there.
struct Place {
    folder: tempfile::TempDir,
    /// What the first block sets.
    bring: String,
}

impl Place {
    fn new(bring: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["models", "config", "urdf"] {
            std::os::unix::fs::symlink(root().join(name), folder.path().join(name)).unwrap();
        }
        std::fs::create_dir(folder.path().join("own")).unwrap();
        Self { folder, bring: bring.to_owned() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A shell that runs a block, in a process group of its own.
    fn shell(&self, block: &str) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_f1")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command.args(["-euc", &format!("{}\n{block}", self.bring)]);
        command.current_dir(self.folder.path());
        command.env("PATH", format!("{}:{path}", programs.display()));
        command.env("ROS_DOMAIN_ID", domain()).env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
        command.env_remove("F1_SHARE").process_group(0);
        command
    }

    /// What a block that ends by itself says.
    fn run(&self, block: &str) -> String {
        let output = self.shell(block).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{block}\n{said}");
        said
    }
}

/// A block that goes on until Ctrl-C.
struct UntilCtrlC(Child);

impl UntilCtrlC {
    fn ctrl_c(&mut self) {
        let group = format!("-{}", self.0.id());
        assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(status.success(), "{status:?}");
                return;
            }
            assert!(Instant::now() < end, "the process does not end");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for UntilCtrlC {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = self.0.wait();
        }
    }
}

/// Records until the arm has moved and the gripper opened and closed; an action that never changes
/// cannot be normalised.
fn record(place: &Place, block: &str) {
    let robot = Running::part("robot /f1");
    robot.wait("joint states", |line| speed(line).is_some());
    let mut demonstrator = policy("/f1");
    robot.wait("motion", |line| speed(line) > Some(5.0 * REST));
    let mut recording = UntilCtrlC(place.shell(block).spawn().unwrap());
    let (mut opened, mut closed, mut first) = (false, false, None);
    robot.until("enough of a demonstration", |line| {
        let Some(gripper) = line["gripper"].as_f64() else { return false };
        let at = line["at"].as_f64().unwrap();
        let since = at - *first.get_or_insert(at);
        (opened, closed) = (opened || gripper > 0.04, closed || gripper < 0.03);
        opened && closed && since > 12.0
    });
    recording.ctrl_c();
    demonstrator.signal("-INT");
    demonstrator.ended();
}

/// Runs the policy until it moves the robot.
fn drive(place: &Place, block: &str) {
    let robot = Running::part("robot /f1");
    robot.wait("joint states", |line| speed(line).is_some());
    let mut policy = UntilCtrlC(place.shell(block).spawn().unwrap());
    robot.wait("status: running", |line| line["state"] == 3);
    robot.wait("a trajectory", |line| line["trajectory"].as_u64().is_some());
    policy.ctrl_c();
    robot.rest();
    let after = robot.wait("joint states after the end", |line| speed(line).is_some());
    assert!(speed(&after) < Some(REST), "{after}");
}

/// The shipped model as a checkpoint of the pi0 layout: no generation expert, no image tokenizer.
fn pi0_layout(folder: &Path) {
    let shipped = root().join("models/f1_bench");
    let config = f1_model::Config::load(&shipped).unwrap();
    let tensors = candle_core::safetensors::load(
        shipped.join("model.safetensors"),
        &candle_core::Device::Cpu,
    )
    .unwrap();
    let other: Vec<String> = used_parameters(&config)
        .into_iter()
        .filter(|spec| matches!(spec.group, Group::Generation | Group::Tokenizer))
        .map(|spec| spec.name)
        .collect();
    let kept: HashMap<_, _> = tensors
        .into_iter()
        .filter(|(name, _)| !other.contains(name) && !name.contains(".vae."))
        .map(|(name, tensor)| (name.trim_start_matches("model.").to_owned(), tensor))
        .collect();
    std::fs::create_dir_all(folder).unwrap();
    candle_core::safetensors::save(&kept, folder.join("model.safetensors")).unwrap();
    for name in ["config.json", "tokenizer.json"] {
        std::fs::copy(root().join("models/f1_bench_pi0").join(name), folder.join(name)).unwrap();
    }
}

#[test]
fn the_commands_of_the_page_lead_from_a_recording_to_motion() {
    let blocks = blocks();
    let [bring, check, recording, convert, stats, train, measure, run] = &blocks[..] else {
        panic!("{} blocks", blocks.len());
    };
    let place = Place::new(bring);
    let said = place.run(check);
    assert!(said.contains("\"joints\"") && said.contains("robot file"), "{said}");
    record(&place, recording);
    let said = place.run(convert);
    assert!(said.contains("episode 0"), "{said}");
    let said = place.run(stats);
    assert!(said.contains("observation.state") && place.path("own/stats.json").is_file(), "{said}");
    place.run(train);
    let metrics = std::fs::read_to_string(place.path("own/run/metrics.csv")).unwrap();
    assert!(metrics.lines().count() > 1, "{metrics}");
    let stats = std::fs::read_to_string(place.path("own/run/model/stats.json")).unwrap();
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert!(stats["bench_arm"]["action"]["std"].is_array(), "{stats}");
    let said = place.run(measure);
    assert!(said.contains("action"), "{said}");
    // The same from a checkpoint of the pi0 layout.
    pi0_layout(&place.path("pi0"));
    let pi0 = "export PRETRAINED=pi0 CONFIG=models/f1_bench_pi0";
    place.run(&format!("{pi0}\n{} --set output=own/pi0", train.trim_end()));
    place.run(&format!("{pi0}\n{}", measure.replace("own/run/model", "own/pi0/model")));
    let [doctor, run] = run.trim_end().split_once('\n').map(|(a, b)| [a, b]).unwrap();
    place.run(&doctor.replace("own/run/model", "own/pi0/model"));
    let said = place.run(doctor);
    assert!(said.contains("policy"), "{said}");
    drive(&place, run);
}
