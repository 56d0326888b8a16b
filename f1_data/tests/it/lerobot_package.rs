//! The `lerobot` package reads what we write and appends to it, and we read what it writes.
//!
//! What it wrote is committed and read in every run. The package itself needs PyTorch, from PyPI
//! with CUDA: 7.6 GB on disk and several minutes to install. So it is asked only when
//! `F1_LEROBOT_PYTHON` names a Python of version 3.12 or newer: where that has the package in the
//! version of [`VERSION`] it is used as it is, else the package is installed into a virtual
//! environment below the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use f1_data::lerobot::{Columns, Dataset, FormatVersion, ImageEncoding};
use serde_json::Value;

use crate::round_trip::{image, write_as};

/// The version that the live test asks.
const VERSION: &str = "0.6.1";
/// Folders of committed data sets: layout and version of the package that wrote them.
const WRITTEN: [(FormatVersion, &str); 3] = [
    (FormatVersion::V2_1, "v2.1-0.3.3"),
    (FormatVersion::V3_0, "v3.0-0.4.4"),
    (FormatVersion::V3_0, "v3.0-0.6.1"),
];

fn run(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A Python that has the package.
struct Package {
    python: PathBuf,
    cache: tempfile::TempDir,
}

impl Package {
    fn find(python: &str) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let ask = "import importlib.metadata as m; print(m.version('lerobot'))";
        let there = Command::new(python).args(["-c", ask]).output();
        if there.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).trim() == VERSION) {
            return Self { python: python.into(), cache };
        }
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lerobot-{VERSION}"));
        let done = root.join("done");
        if !done.exists() {
            run(Command::new(python).args(["-m", "venv"]).arg(&root));
            let package = format!("lerobot[dataset]=={VERSION}");
            run(Command::new(root.join("bin/pip")).args(["install", "-q"]).arg(package));
            std::fs::write(done, "").unwrap();
        }
        Self { python: root.join("bin/python"), cache }
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lerobot_package.py");
        run(Command::new(&self.python)
            .arg(script)
            .args(arguments)
            .env("HF_HOME", self.cache.path())
            .env("HF_HUB_OFFLINE", "1"))
    }

    fn read(&self, folder: &Path) -> Value {
        let text = self.ask(&["read", folder.to_str().unwrap()]);
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }
}

#[test]
fn the_package_reads_and_extends_ours_and_we_read_its_own_where_f1_lerobot_python_is_set() {
    let Ok(python) = std::env::var("F1_LEROBOT_PYTHON") else {
        eprintln!("not run: F1_LEROBOT_PYTHON names a Python (3.12 or newer) to ask the package");
        return;
    };
    let package = Package::find(&python);
    let dir = tempfile::tempdir().unwrap();
    for encoding in [ImageEncoding::Png, ImageEncoding::Jpeg { quality: 95 }, ImageEncoding::Video]
    {
        let ours = dir.path().join(format!("{encoding:?}").replace([' ', '{', '}', ':'], "_"));
        write_as(&ours, FormatVersion::V3_0, encoding);
        check_ours(&package.read(&ours), &Dataset::open(&ours).unwrap(), encoding);
        // Its own videos are AV1: it joins them with ours only where both are of one codec.
        if encoding == ImageEncoding::Video {
            continue;
        }
        package.ask(&["append", ours.to_str().unwrap()]);
        let longer = Dataset::open(&ours).unwrap();
        assert_eq!((longer.episodes().len(), longer.frames()), (4, 22));
        let table = longer.read_episode(3, &Columns::usual(&longer.info().cameras())).unwrap();
        assert_eq!(table.state[3], [3.0; 3]);
        assert_eq!(longer.tasks().get(table.task_index[0]), Some("an appended task"));
        let pixel = table.images["observation.images.front"][2].decode().unwrap();
        assert_eq!(pixel.get_pixel(5, 5).0, [32; 3]);
        assert_eq!(package.read(&ours)["episodes"], 4);
    }
    for kind in ["images", "videos"] {
        let theirs = dir.path().join(kind);
        package.ask(&["write", theirs.to_str().unwrap(), kind]);
        check_theirs(&theirs, kind, FormatVersion::V3_0);
    }
}

/// What the package found in a data set of ours.
fn check_ours(found: &Value, dataset: &Dataset, encoding: ImageEncoding) {
    // Videos and JPEG are lossy.
    let near = if encoding == ImageEncoding::Png { 1e-5 } else { 0.03 };
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
            assert_eq!(row["task"].as_str(), dataset.tasks().get(table.task_index[frame]));
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
            assert!((seen[2].as_f64().unwrap() - pixel).abs() < near, "{encoding:?} {seen}");
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
    for (layout, folder) in WRITTEN {
        for kind in ["images", "videos"] {
            check_theirs(&goldens.join(folder).join(kind), kind, layout);
        }
    }
}

/// Columns of a v3.0 list of episodes that hold statistics.
fn statistics_columns(root: &Path) -> Vec<String> {
    let file = root.join("meta/episodes/chunk-000/file-000.parquet");
    let file = std::fs::File::open(file).unwrap();
    let builder =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names = builder.schema().fields().iter().map(|field| field.name().clone());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("stats/")).collect();
    names.sort();
    names
}

/// The package refuses to append where the names differ.
#[test]
fn statistics_have_the_names_that_the_package_writes() {
    let theirs =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/lerobot/v3.0-0.6.1/images");
    let dir = tempfile::tempdir().unwrap();
    write_as(dir.path(), FormatVersion::V3_0, ImageEncoding::Png);
    let names = |root: &Path| -> Vec<String> {
        // Ours has a second camera.
        let names = statistics_columns(root).into_iter();
        names.filter(|name| !name.contains("wrist")).collect()
    };
    assert_eq!(names(dir.path()), names(&theirs));
    let keys = |root: &Path| -> Vec<(String, Vec<String>)> {
        let text = std::fs::read_to_string(root.join("meta/stats.json")).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let keys = |value: &Value| {
            let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        let columns = keys(&value).into_iter().filter(|name| !name.contains("wrist"));
        columns.map(|name| (name.clone(), keys(&value[&name]))).collect()
    };
    assert_eq!(keys(dir.path()), keys(&theirs));
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
            let task = format!("task {episode}");
            assert_eq!(dataset.tasks().get(table.task_index[frame]), Some(task.as_str()));
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
