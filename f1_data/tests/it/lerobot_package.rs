//! The `lerobot` package reads what we write, and we read what it writes.
//!
//! What it wrote is committed and read in every run. The package itself needs PyTorch, from PyPI
//! with CUDA: 7.6 GB on disk and several minutes to install. So it is installed (in a virtual
//! environment below the target folder) and asked only when `F1_TEST_LEROBOT=1`;
//! `F1_LEROBOT_PYTHON` names the Python (3.10 to 3.12) to make the environment with.

use std::path::{Path, PathBuf};
use std::process::Command;

use f1_data::lerobot::{Columns, Dataset, FormatVersion};
use serde_json::Value;

use crate::round_trip::{image, write};

/// Layouts with the version of the package that writes them, and of the tables' library that this
/// version goes with.
const VERSIONS: [(FormatVersion, &str, &str); 2] = [
    (FormatVersion::V2_1, "0.3.3", "datasets==3.6.0"),
    (FormatVersion::V3_0, "0.4.4", "datasets==4.1.1"),
];
/// What the package's data sets need of its dependencies: half of what pip would bring.
const NEEDED: [&str; 15] = [
    "torch<2.11",
    "torchvision<0.26",
    "datasets<4.2",
    "huggingface-hub<0.36",
    "av<16",
    "jsonlines",
    "packaging",
    "einops",
    "draccus==0.10.0",
    "deepdiff",
    "imageio",
    "pyserial",
    "opencv-python-headless",
    "gymnasium",
    "safetensors",
];

fn run(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A virtual environment with one folder a version of the package.
struct Package {
    root: PathBuf,
}

impl Package {
    fn install() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lerobot");
        let package = Self { root };
        let done = package.root.join("done");
        if !done.exists() {
            let python = std::env::var("F1_LEROBOT_PYTHON").unwrap_or_else(|_| "python3".into());
            run(Command::new(python).args(["-m", "venv"]).arg(&package.root));
            let pip = package.root.join("bin/pip");
            run(Command::new(&pip).args(["install", "-q"]).args(NEEDED));
            // Imported at the top of the package and not used by its data sets.
            run(Command::new(&pip).args(["install", "-q", "--no-deps", "accelerate", "psutil"]));
            for (_, version, tables) in VERSIONS {
                let place = package.root.join(version);
                let of = format!("lerobot=={version}");
                run(Command::new(&pip)
                    .args(["install", "-q", "--no-deps", "--target"])
                    .arg(place)
                    .arg(of)
                    .arg(tables));
            }
            std::fs::write(done, "").unwrap();
        }
        package
    }

    fn ask(&self, version: &str, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lerobot_package.py");
        run(Command::new(self.root.join("bin/python"))
            .arg(script)
            .args(arguments)
            .env("PYTHONPATH", self.root.join(version))
            .env("HF_HOME", self.root.join(format!("cache-{version}")))
            .env("HF_HUB_OFFLINE", "1"))
    }
}

#[test]
fn the_package_reads_ours_and_we_read_its_own_with_f1_test_lerobot_1_since_it_brings_gigabytes() {
    if std::env::var("F1_TEST_LEROBOT").as_deref() != Ok("1") {
        eprintln!("not run: F1_TEST_LEROBOT=1 installs the package (7.6 GB) and runs this");
        return;
    }
    let package = Package::install();
    for (layout, version, _) in VERSIONS {
        let dir = tempfile::tempdir().unwrap();
        let ours = dir.path().join("ours");
        write(&ours, layout);
        let text = package.ask(version, &["read", ours.to_str().unwrap()]);
        check_ours(
            &serde_json::from_str(text.lines().last().unwrap()).unwrap(),
            &Dataset::open(&ours).unwrap(),
        );
        for kind in ["images", "videos"] {
            let theirs = dir.path().join(kind);
            package.ask(version, &["write", theirs.to_str().unwrap(), kind]);
            check_theirs(&theirs, kind, layout);
        }
    }
}

/// What the package found in a data set of ours.
fn check_ours(found: &Value, dataset: &Dataset) {
    assert_eq!(found["frames"], 18);
    assert_eq!(found["episodes"], 3);
    assert_eq!(found["fps"], 10);
    let rows = found["rows"].as_array().unwrap();
    let mut index = 0;
    for episode in 0..3 {
        let table = dataset.read_episode(episode, &Columns::usual(&[])).unwrap();
        for frame in 0..table.len() {
            let row = &rows[index];
            assert_eq!(row["episode"], episode);
            assert_eq!(row["task"], dataset.tasks()[table.task_index[frame]].as_str());
            assert!((row["timestamp"].as_f64().unwrap() - table.timestamps[frame]).abs() < 1e-6);
            for (dim, value) in table.state[frame].iter().enumerate() {
                assert!((row["state"][dim].as_f64().unwrap() - f64::from(*value)).abs() < 1e-6);
            }
            for (dim, value) in table.action[frame].iter().enumerate() {
                assert!((row["action"][dim].as_f64().unwrap() - f64::from(*value)).abs() < 1e-6);
            }
            let image = image(episode * 50 + frame);
            let seen = &row["observation.images.front"];
            assert_eq!(seen[0], serde_json::json!([3, 24, 32]));
            let pixel = f64::from(image.get_pixel(7, 5).0[0]) / 255.0;
            assert!((seen[2].as_f64().unwrap() - pixel).abs() < 1e-5);
            index += 1;
        }
    }
    let mean = dataset.statistics().unwrap().state.mean.clone();
    for (dim, mean) in mean.iter().enumerate() {
        assert!((found["mean"][dim].as_f64().unwrap() - mean).abs() < 1e-5);
    }
}

#[test]
fn data_sets_that_the_package_wrote_are_read() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/lerobot");
    for (layout, ..) in VERSIONS {
        for kind in ["images", "videos"] {
            check_theirs(&goldens.join(layout.as_str()).join(kind), kind, layout);
        }
    }
}

fn check_theirs(folder: &Path, kind: &str, layout: FormatVersion) {
    let dataset = Dataset::open(folder).unwrap();
    assert_eq!(dataset.version(), layout);
    assert_eq!(dataset.frames(), 13);
    let columns = Columns::usual(&dataset.info().cameras());
    for episode in 0..2usize {
        let table = dataset.read_episode(episode, &columns).unwrap();
        assert_eq!(table.len(), 6 + episode);
        for frame in 0..table.len() {
            let seed = (episode * 8 + frame) as f32;
            assert_eq!(table.state[frame], [seed, seed * 0.5, 1.0]);
            assert_eq!(table.action[frame], [seed * 2.0, -seed]);
            assert_eq!(dataset.tasks()[table.task_index[frame]], format!("task {episode}"));
            let image = table.images["observation.images.front"][frame].decode().unwrap();
            let pixel = image.get_pixel(20, 24).0;
            // Lossless in images; in videos near enough to tell a frame from its neighbours, which
            // are 10 apart.
            let near = if kind == "images" { 0 } else { 4 };
            let wanted = 40 + 10 * seed as u8;
            assert!(
                pixel[0].abs_diff(wanted) <= near,
                "{layout:?} {kind} {episode} {frame}: {pixel:?}"
            );
        }
    }
    assert!(dataset.statistics().is_some());
}
