//! What is written is read back.

use f1_data::lerobot::{
    CameraFeature, Columns, Dataset, Features, FormatVersion, ImageEncoding, Writer,
};
use image::{Rgb, RgbImage};

pub fn features(encoding: ImageEncoding) -> Features {
    let camera = |name: &str| CameraFeature { name: name.into(), width: 32, height: 24, encoding };
    Features {
        flag: None,
        fps: 10,
        robot_type: "bench_arm".into(),
        cameras: vec![camera("observation.images.front"), camera("observation.images.wrist")],
        state: (0..3).map(|i| format!("joint_{i}")).collect(),
        action: (0..2).map(|i| format!("target_{i}")).collect(),
    }
}

pub fn image(seed: usize) -> RgbImage {
    RgbImage::from_fn(32, 24, |x, y| {
        Rgb([(x as usize * 7 + seed) as u8, (y as usize * 5) as u8, seed as u8])
    })
}

pub fn write(dir: &std::path::Path, version: FormatVersion) {
    write_as(dir, version, ImageEncoding::Png);
}

pub fn write_as(dir: &std::path::Path, version: FormatVersion, encoding: ImageEncoding) {
    let mut writer = Writer::create(dir, features(encoding), version).unwrap();
    for episode in 0..3 {
        for frame in 0..5 + episode {
            let seed = episode * 50 + frame;
            let state: Vec<f32> = (0..3).map(|d| (seed * 3 + d) as f32 * 0.1).collect();
            let action: Vec<f32> = (0..2).map(|d| (seed * 2 + d) as f32 * -0.2).collect();
            let task = if episode == 1 { "pour the tea" } else { "pick the cube" };
            writer.add_frame(&[image(seed), image(seed + 9)], &state, &action, task).unwrap();
        }
        writer.finish_episode().unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn both_layouts_give_back_what_was_written() {
    for version in [FormatVersion::V2_1, FormatVersion::V3_0] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), version);
        let dataset = Dataset::open(dir.path()).unwrap();
        assert_eq!(dataset.version(), version);
        assert_eq!(dataset.frames(), 18);
        assert!(dataset.tasks().iter().eq(["pick the cube", "pour the tea"]));
        let columns = Columns::usual(&dataset.info().cameras());
        for episode in 0..3 {
            let table = dataset.read_episode(episode, &columns).unwrap();
            assert_eq!(table.len(), 5 + episode);
            for frame in 0..table.len() {
                let seed = episode * 50 + frame;
                assert_eq!(table.state[frame][2], (seed * 3 + 2) as f32 * 0.1);
                assert_eq!(table.action[frame][1], (seed * 2 + 1) as f32 * -0.2);
                assert!((table.timestamps[frame] - frame as f64 * 0.1).abs() < 1e-6);
                assert_eq!(table.task_index[frame], usize::from(episode == 1));
                let decoded = table.images["observation.images.wrist"][frame].decode().unwrap();
                assert_eq!(decoded, image(seed + 9));
            }
        }
        let carried = dataset.statistics().unwrap();
        let exact = dataset.compute_statistics(&columns, |_| true).unwrap();
        for dim in 0..3 {
            assert!((carried.state.mean[dim] - exact.state.mean[dim]).abs() < 1e-6);
            assert!((carried.state.std[dim] - exact.state.std[dim]).abs() < 1e-6);
        }
    }
}

#[test]
fn a_damaged_episode_is_named_with_the_way_to_leave_it_out() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), FormatVersion::V2_1);
    std::fs::write(dir.path().join("data/chunk-000/episode_000001.parquet"), b"PAR1 not a table")
        .unwrap();
    let dataset = Dataset::open(dir.path()).unwrap();
    assert!(dataset.read_episode(0, &Columns::usual(&[])).is_ok());
    let message = dataset.read_episode(1, &Columns::usual(&[])).unwrap_err().to_string();
    assert!(message.contains("episode 1") && message.contains("skip_episodes: [1]"), "{message}");
}

#[test]
fn a_second_data_set_is_not_written_over_the_first() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), FormatVersion::V2_1);
    let again = Writer::create(dir.path(), features(ImageEncoding::Png), FormatVersion::V2_1);
    assert!(again.err().unwrap().to_string().contains("already holds a data set"));
}

#[test]
fn frames_of_another_size_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer =
        Writer::create(dir.path(), features(ImageEncoding::Png), FormatVersion::V2_1).unwrap();
    let small = RgbImage::new(8, 8);
    assert!(writer.add_frame(&[small.clone(), small], &[0.0; 3], &[0.0; 2], "x").is_err());
    let images = [image(0), image(1)];
    assert!(writer.add_frame(&images, &[f32::NAN, 0.0, 0.0], &[0.0; 2], "x").is_err());
    assert!(writer.add_frame(&images, &[0.0; 2], &[0.0; 2], "x").is_err());
    writer.add_frame(&images, &[0.0; 3], &[0.0; 2], "x").unwrap();
    assert!(writer.finish().unwrap_err().to_string().contains("unfinished"));
}

/// Turns a v2.1 data set into the older layout: one `stats.json` instead of statistics of each
/// episode.
fn to_v2_0(root: &std::path::Path) {
    let info = root.join("meta/info.json");
    let text = std::fs::read_to_string(&info).unwrap().replace("\"v2.1\"", "\"v2.0\"");
    std::fs::write(info, text).unwrap();
    std::fs::remove_file(root.join("meta/episodes_stats.jsonl")).unwrap();
    let column = |mean: [f64; 2]| serde_json::json!({"mean": mean, "std": [1, 1], "min": [-9, -9], "max": [9, 9]});
    let stats =
        serde_json::json!({"observation.state": column([1.5, 2.5]), "action": column([0.5, -0.5])});
    std::fs::write(root.join("meta/stats.json"), stats.to_string()).unwrap();
}

#[test]
fn the_oldest_layout_is_read_with_its_statistics() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), FormatVersion::V2_1);
    to_v2_0(dir.path());
    let dataset = Dataset::open(dir.path()).unwrap();
    assert_eq!(dataset.version(), FormatVersion::V2_0);
    assert_eq!((dataset.episodes().len(), dataset.frames()), (3, 18));
    assert!(dataset.tasks().iter().eq(["pick the cube", "pour the tea"]));
    let table = dataset.read_episode(1, &Columns::usual(&dataset.info().cameras())).unwrap();
    assert_eq!(table.action[3], [106.0 * -0.2, 107.0 * -0.2]);
    assert_eq!(table.images["observation.images.front"][3].decode().unwrap(), image(53));
    assert_eq!(dataset.statistics().unwrap().state.mean, [1.5, 2.5]);
    assert_eq!(dataset.statistics().unwrap().action.max, [9.0, 9.0]);
    // The statistics are no condition for reading.
    std::fs::remove_file(dir.path().join("meta/stats.json")).unwrap();
    assert!(Dataset::open(dir.path()).unwrap().statistics().is_none());
    let writer =
        Writer::create(dir.path().join("new"), features(ImageEncoding::Png), FormatVersion::V2_0);
    assert!(writer.err().unwrap().to_string().contains("v2.0 is only read"));
}
