//! `f1 fetch` and the hub's names in other commands, against a stand-in of the hub on loopback.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use f1_data::lerobot::Dataset;
use f1_tests::hub::{Behaviour, COMMIT, StandIn};
use tempfile::TempDir;

const NAME: &str = "InternRobotics/F1-VLA";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every file below a folder, with its path from there.
fn files_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let inside = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push((inside, std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, folder, &mut files);
    files
}

fn weights() -> Vec<u8> {
    (0..3_500_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn released() -> Behaviour {
    Behaviour {
        repository: NAME.into(),
        licence: Some("cc-by-nc-sa-4.0".into()),
        files: vec![
            ("config.json".into(), b"{}".to_vec()),
            ("model.safetensors".into(), weights()),
        ],
        large: vec!["model.safetensors".into()],
        ..Behaviour::default()
    }
}

struct Place {
    hub: StandIn,
    cache: TempDir,
}

impl Place {
    fn new(behaviour: Behaviour) -> Self {
        Self { hub: StandIn::start(behaviour).unwrap(), cache: tempfile::tempdir().unwrap() }
    }

    /// A program that asks this hub.
    fn asking(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("HF_ENDPOINT", &self.hub.endpoint)
            .env("HF_HUB_CACHE", self.cache.path())
            .env("HF_HOME", self.cache.path().join("home"))
            .env_remove("HF_TOKEN")
            .env_remove("HF_HUB_OFFLINE")
            .env("F1_SHARE", root())
            .stdin(Stdio::null());
        command
    }

    fn f1(&self, arguments: &[&str]) -> Output {
        self.asking(env!("CARGO_BIN_EXE_f1")).args(arguments).output().unwrap()
    }

    fn snapshot(&self, folder: &str) -> PathBuf {
        self.cache.path().join(folder).join("snapshots").join(COMMIT)
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_fetched_model_says_its_licence_and_what_it_lacks() {
    let place = Place::new(released());
    let (said, errors) = texts(&place.f1(&["fetch", NAME]));
    assert_eq!(said, "");
    for part in ["cc-by-nc-sa-4.0", "not for commercial use", "--accept-licence"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    let output = place.f1(&["fetch", NAME, "--accept-licence"]);
    let (said, errors) = texts(&output);
    assert!(output.status.success(), "{errors}");
    let folder = place.snapshot("models--InternRobotics--F1-VLA");
    assert_eq!(said.trim_end(), folder.to_str().unwrap());
    assert!(std::fs::read(folder.join("model.safetensors")).unwrap() == weights());
    for part in ["hf://google/paligemma-3b-pt-224", "f1 stats DATASET"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    // The second time nothing is asked, and nothing comes.
    let before = place.hub.downloads().len();
    assert!(place.f1(&["fetch", NAME]).status.success());
    assert_eq!(place.hub.downloads().len(), before);
}

#[test]
fn a_full_disk_is_said_and_the_next_command_goes_on() {
    let place = Place::new(released());
    // Files of at most 2 MiB; a process that ignores the signal sees the limit as an error.
    let script = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" fetch \"$1\" --accept-licence";
    let mut limited = place.asking("bash");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_f1"), NAME]);
    let output = limited.output().unwrap();
    let (_, errors) = texts(&output);
    assert!(!output.status.success());
    assert!(errors.contains("the disk is full or the file too large"), "{errors}");
    let downloads = place.hub.downloads().len();
    let output = place.f1(&["fetch", NAME]);
    assert!(output.status.success(), "{}", texts(&output).1);
    // It goes on behind the last block that was written whole.
    let range = place.hub.downloads()[downloads].headers["range"].clone();
    let from = range.strip_prefix("bytes=").and_then(|rest| rest.strip_suffix('-'));
    let from: u64 = from.and_then(|from| from.parse().ok()).unwrap_or_else(|| panic!("{range}"));
    assert!((1 << 20..=2 << 20).contains(&from), "{range}");
    let folder = place.snapshot("models--InternRobotics--F1-VLA");
    assert!(std::fs::read(folder.join("model.safetensors")).unwrap() == weights());
}

#[test]
fn two_processes_at_once_fetch_each_file_once() {
    // No file comes before both have asked for the list.
    let place = Place::new(Behaviour { listings_first: 2, ..released() });
    let both: Vec<_> = (0..2)
        .map(|_| {
            place
                .asking(env!("CARGO_BIN_EXE_f1"))
                .args(["fetch", NAME, "--accept-licence"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", texts(&output).1);
    }
    let mut paths: Vec<String> = place.hub.downloads().into_iter().map(|one| one.path).collect();
    paths.sort();
    assert_eq!(paths.len(), 2, "{paths:?}");
    let folder = place.snapshot("models--InternRobotics--F1-VLA");
    assert!(std::fs::read(folder.join("model.safetensors")).unwrap() == weights());
}

#[test]
fn a_name_stands_where_a_folder_is_taken() {
    let files = files_of(&root().join("models/f1_bench"));
    let (tokenizers, files) =
        files.into_iter().partition::<Vec<_>, _>(|(path, _)| path == "tokenizer.json");
    let model = Behaviour { repository: "me/bench".into(), files, ..Behaviour::default() };
    let place = Place::new(model.clone());
    let (_, errors) = texts(&place.f1(&["inspect", "hf://me/bench"]));
    assert!(errors.contains("f1 fetch me/bench --accept-licence"), "{errors}");
    assert!(place.f1(&["fetch", "me/bench", "--accept-licence"]).status.success());
    let (said, errors) = texts(&place.f1(&["inspect", "hf://me/bench"]));
    assert!(errors.contains("hf://google/paligemma-3b-pt-224"), "{said}{errors}");

    // The tokenizer from another repository, in the same cache.
    let other = Behaviour { repository: "you/words".into(), files: tokenizers, ..model };
    let words = StandIn::start(other).unwrap();
    let mut fetch = place.asking(env!("CARGO_BIN_EXE_f1"));
    fetch.env("HF_ENDPOINT", &words.endpoint);
    assert!(fetch.args(["fetch", "you/words", "--accept-licence"]).status().unwrap().success());
    let mut serve = place.asking(env!("CARGO_BIN_EXE_f1"));
    serve.env("HF_HUB_OFFLINE", "1").args(["serve", "--layout", "bench", "--explain"]);
    serve.args(["--model", "hf://me/bench", "--tokenizer", "hf://you/words"]);
    let output = serve.output().unwrap();
    let (said, errors) = texts(&output);
    assert!(output.status.success(), "{errors}");
    assert!(said.contains("observation/front"), "{said}");
}

#[test]
fn a_run_file_names_data_sets_of_the_hub() {
    let place = Place::new(released());
    let run = root().join("config/train/bench_stage3.yaml");
    let mut train = place.asking(env!("CARGO_BIN_EXE_f1"));
    train.arg("train").arg(run).env("F1_BENCH_DATA", "hf://datasets/nowhere/nothing");
    for other in ["F1_BENCH_PAIR", "F1_BENCH_ROW", "F1_BENCH_BIN"] {
        train.env(other, place.cache.path());
    }
    let (_, errors) = texts(&train.current_dir(root()).output().unwrap());
    assert!(errors.contains("data.sources.bench_arm.path"), "{errors}");
    assert!(errors.contains("datasets/nowhere/nothing"), "{errors}");
    assert!(errors.contains("no such repository"), "{errors}");
}

#[test]
fn some_episodes_of_a_data_set_are_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let output = Command::new(env!("CARGO_BIN_EXE_f1"))
        .args(["demonstrate", path.to_str().unwrap(), "--episodes", "3", "--image", "48"])
        .args(["--lead-in", "0.3", "--first", "1", "--video"])
        .env("F1_SHARE", root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    let repository = "datasets/me/set".to_owned();
    let files = files_of(&path);
    let place = Place::new(Behaviour { repository, files: files.clone(), ..Behaviour::default() });
    let arguments = ["fetch", "datasets/me/set", "--accept-licence", "--episodes"];
    let output = place.f1(&[&arguments[..], &["0..1"]].concat());
    let (said, errors) = texts(&output);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("1 of 3 episodes"), "{errors}");
    let set = Dataset::open(said.trim_end()).unwrap();
    let (first, last) = (&set.episodes()[0], &set.episodes()[2]);
    let original = Dataset::open(&path).unwrap();
    let columns = f1_data::lerobot::Columns::usual(&set.info().cameras());
    let read = set.read_episode(first.index, &columns).unwrap();
    let wanted = original.read_episode(first.index, &columns).unwrap();
    assert_eq!(read.action, wanted.action);
    if last.data != first.data {
        assert!(!last.data.exists(), "the last episode was not asked for");
    }
    let (_, errors) = texts(&place.f1(&[&arguments[..], &["7..9"]].concat()));
    assert!(errors.contains("has episodes 0..3"), "{errors}");
    assert!(files.iter().any(|(path, _)| path.starts_with("meta/")));
}
