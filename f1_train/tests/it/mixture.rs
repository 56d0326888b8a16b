//! Several data sets in one run: shares by weight, one sample in three, other widths, an order that
//! resumes anywhere.

use std::sync::Arc;

use f1_data::lerobot::{CameraFeature, Features, FormatVersion, ImageEncoding, Writer};
use f1_data::loader::{Loader, Reader};
use f1_data::mixture::{Drawn, Position};
use f1_robot::statistics::StatisticsFile;
use f1_train::{RunFile, TrainError, setup};
use image::{Rgb, RgbImage};

use crate::fixture::{Fixture, train};

/// A data set of another robot: three numbers of state and action, other episodes, an instruction
/// to be cut.
fn write_other(fixture: &Fixture) {
    let camera = CameraFeature {
        name: "observation.images.head".into(),
        width: 40,
        height: 36,
        encoding: ImageEncoding::Jpeg { quality: 90 },
    };
    let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
    let features = Features {
        flag: None,
        fps: 10,
        robot_type: "other".into(),
        cameras: vec![camera],
        state: names.clone(),
        action: names,
    };
    let mut writer = Writer::create(fixture.path("other"), features, FormatVersion::V3_0).unwrap();
    for episode in 0..5u32 {
        for frame in 0..12u32 {
            let row = [
                frame as f32 * 0.3,
                episode as f32 - 2.0,
                (frame * episode) as f32 * 0.1 + frame as f32,
            ];
            let image =
                RgbImage::from_pixel(40, 36, Rgb([frame as u8 * 20, episode as u8 * 40, 90]));
            writer.add_frame(&[image], &row, &row, "fold the shorts | with both hands").unwrap();
        }
        writer.finish_episode().unwrap();
    }
    writer.finish().unwrap();
}

fn run(fixture: &Fixture, stage: &str, output: &str) -> RunFile {
    let root = fixture.folder.path().display();
    let windows = "n_obs_img_steps: 4, n_pred_img_steps: 1, obs_img_stride: 1";
    let text = format!(
        "stage: {stage}\noutput: {root}/{output}\nmodel: {{config: {root}/model}}\n\
         data:\n  crop: random\n  workers: 2\n  sources:\n    \
         tiny: {{path: {root}/data, weight: 1, samples_per_episode: 4, {windows}}}\n    \
         other: {{path: {root}/other, weight: 3, one_in: 3, action_shift: 1, cut_task_at: '|', {windows}}}\n\
         batch: 4\nsteps: 6\nsave_every: 3\nlearning_rate: {{default: 1.0e-3}}\nschedule: {{shape: constant}}\nlog_every: 1\n"
    );
    RunFile::parse(&text, "test", &[]).unwrap()
}

fn reader(run: &RunFile) -> Reader {
    let mut config = setup::config(&run.model).unwrap();
    setup::reader(run, setup::open_sources(run, &mut config).unwrap())
}

#[test]
fn samples_are_picked_and_mixed_as_the_run_says() {
    let fixture = Fixture::new();
    write_other(&fixture);
    // `other` has 5 episodes of 12 frames, of which one in three: 20 samples of weight 3. `tiny`
    // has 4 of 8: in stage I four samples each, else all 32, of weight 1.
    for (stage, tiny) in [("stage1", 16), ("stage2", 32)] {
        let run = run(&fixture, stage, "out");
        let reader = reader(&run);
        let names: Vec<&str> = reader.sources().iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["other", "tiny"]);
        let mut order = reader.order(1, Position::default()).unwrap();
        assert_eq!(order.samples(), 20 + tiny, "{stage}");
        let whole = 60 + tiny;
        let drawn: Vec<Drawn> = (0..10 * whole).map(|_| order.draw()).collect();
        let of_other: Vec<&Drawn> = drawn.iter().filter(|drawn| drawn.source == 0).collect();
        assert_eq!(of_other.len(), 600, "{stage}: shares are weight times samples");
        let mut frames: Vec<usize> = of_other.iter().map(|drawn| drawn.frame).collect();
        frames.sort_unstable();
        frames.dedup();
        assert_eq!(frames, [0, 3, 7, 11], "{stage}: one in three, evenly spread");
        // What comes of one: its own width, actions one step later, the instruction's first part.
        let sample =
            reader.sample(**of_other.iter().find(|drawn| drawn.frame == 7).unwrap()).unwrap();
        assert_eq!(sample.task, "fold the shorts");
        assert_eq!(sample.state.len(), 3);
        assert!((sample.actions[0][0] - 8.0 * 0.3).abs() < 1e-6, "{:?}", sample.actions);
        assert_eq!(sample.padded, [false; 4]);
        assert_eq!(sample.history_frames, [4, 5, 6, 7, 8]);
    }
}

#[test]
fn a_mixture_resumes_in_the_middle_of_a_pass() {
    let fixture = Fixture::new();
    write_other(&fixture);
    let run = run(&fixture, "stage2", "out");
    let load = |position: Position, batches: usize| -> (Vec<(Drawn, Vec<f32>)>, Position) {
        let reader = Arc::new(reader(&run));
        let order = reader.order(5, position).unwrap();
        let loader: Loader<(Drawn, Vec<f32>), TrainError> =
            Loader::start(order, 4, 2, 2, move |drawn| {
                let sample = reader.sample(drawn)?;
                Ok((drawn, sample.state))
            })
            .unwrap();
        let (mut samples, mut position) = (Vec::new(), Position::default());
        for _ in 0..batches {
            let batch = loader.next_batch().unwrap().unwrap();
            samples.extend(batch.samples);
            position = batch.position;
        }
        (samples, position)
    };
    let (whole, _) = load(Position::default(), 20);
    let (mut parts, position) = load(Position::default(), 7);
    // A position is what was handed out, not what the loader has read ahead; a pass has 92 samples.
    assert_eq!(position.drawn, 28);
    let saved = serde_json::to_string(&position).unwrap();
    parts.extend(load(serde_json::from_str(&saved).unwrap(), 13).0);
    assert_eq!(whole, parts);
}

#[test]
fn a_run_on_a_mixture_is_trained_in_every_stage() {
    let fixture = Fixture::new();
    write_other(&fixture);
    for stage in ["stage1", "stage2"] {
        let trainer = train(run(&fixture, stage, stage), false);
        assert_eq!(trainer.total(), 6);
        let statistics =
            std::fs::read_to_string(fixture.path(stage).join("model/stats.json")).unwrap();
        assert!(statistics.contains("\"tiny\"") && statistics.contains("\"other\""));
    }
}

#[test]
fn a_statistics_file_with_one_entry_serves_sources_of_any_name() {
    let fixture = Fixture::new();
    write_other(&fixture);
    let mut run = run(&fixture, "stage2", "out");
    let mut config = setup::config(&run.model).unwrap();
    let sources = setup::open_sources(&run, &mut config).unwrap();
    let own = setup::statistics(&run, &sources).unwrap();
    let write = |names: &[&str]| {
        let mut file = StatisticsFile::default();
        names.iter().for_each(|name| {
            file.entries.insert((*name).into(), own.entries["tiny"].clone());
        });
        std::fs::write(fixture.path("stats.json"), serde_json::to_string(&file).unwrap()).unwrap();
    };
    run.data.sources.retain(|name, _| name == "tiny");
    let sources: Vec<_> = sources.into_iter().filter(|source| source.name == "tiny").collect();
    run.data.sources.get_mut("tiny").unwrap().statistics = Some(fixture.path("stats.json"));
    write(&["somebody"]);
    let written = StatisticsFile::load(&fixture.path("stats.json")).unwrap();
    assert_eq!(
        setup::statistics(&run, &sources).unwrap().entries["tiny"],
        written.entries["somebody"]
    );
    write(&["somebody", "another"]);
    let fault = setup::statistics(&run, &sources).unwrap_err().to_string();
    assert!(fault.contains("tiny") && fault.contains("another, somebody"), "{fault}");
}

#[test]
fn two_data_sets_of_one_robot_share_statistics() {
    let fixture = Fixture::new();
    let mut run = run(&fixture, "stage2", "out");
    let mut twin = run.data.sources["tiny"].clone();
    twin.statistics_of = Some("tiny".into());
    run.data.sources.insert("other".into(), twin);
    let mut config = setup::config(&run.model).unwrap();
    let sources = setup::open_sources(&run, &mut config).unwrap();
    let statistics = setup::statistics(&run, &sources).unwrap();
    assert_eq!(statistics.entries.keys().collect::<Vec<_>>(), ["tiny"]);
    let normalisers = setup::normalisers(&run, &sources, &statistics).unwrap();
    let of = |index: usize| format!("{:?}", normalisers[index]);
    assert_eq!(of(0), of(1));
}
