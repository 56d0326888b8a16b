//! What demonstrations hold.

use f1_data::lerobot::ImageEncoding;
use f1_sim::demonstrations::{Mix, RecordSettings, demonstrate};
use f1_sim::expert::Disturbance;
use f1_sim::objects::{HELD_OUT, Scene};
use f1_sim::{BenchSettings, Split, Task};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

fn undisturbed() -> RecordSettings {
    RecordSettings {
        episodes: 0,
        seed: 0,
        mix: Mix::default(),
        asked: Vec::new(),
        beside: Vec::new(),
        anywhere: false,
        first: None,
        image: [32, 32],
        encoding: ImageEncoding::Png,
        disturbance: Disturbance::NONE,
        lead_in: 0.0,
    }
}

#[test]
fn what_is_asked_for_can_be_chosen() {
    let robot = super::robot();
    let how = RecordSettings { asked: vec!["blue cube".parse().unwrap()], ..undisturbed() };
    let shown = (0..4).filter_map(|seed| demonstrate(&robot, seed, &how).unwrap());
    let instructions: Vec<String> = shown.map(|shown| shown.instruction).collect();
    assert!(
        !instructions.is_empty() && instructions.iter().all(|text| text.contains("blue cube")),
        "{instructions:?}"
    );
}

#[test]
fn anywhere_gives_no_hint_by_place() {
    let (mut middle, mut rows) = (0, 0);
    for seed in 0..400 {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let settings = BenchSettings {
            anywhere: true,
            ..BenchSettings::new(Task::Static, Split::Training, seed)
        };
        let scene = Scene::draw(&settings, &mut generator);
        let mut ys: Vec<f64> = scene.objects.iter().map(|object| object.position.y).collect();
        let asked = ys[0];
        ys.sort_by(f64::total_cmp);
        assert!((0.5 * (ys[0] + ys[ys.len() - 1])).abs() <= 0.12 + 1e-12, "{ys:?}");
        assert!(ys.windows(2).all(|pair| pair[1] - pair[0] >= 0.1 - 1e-12), "{ys:?}");
        if ys.len() == 3 {
            rows += 1;
            middle += usize::from(ys[1] == asked);
        }
    }
    // A third of them; without it, all.
    assert!(rows > 100 && (rows / 4..rows / 2).contains(&middle), "{middle} of {rows}");
}

#[test]
fn only_the_first_seconds_can_be_kept() {
    let robot = super::robot();
    let whole = RecordSettings { lead_in: 0.5, ..undisturbed() };
    let part = RecordSettings { first: Some(1.0), ..whole.clone() };
    for seed in 0..3 {
        let (Some(whole), Some(part)) =
            (demonstrate(&robot, seed, &whole).unwrap(), demonstrate(&robot, seed, &part).unwrap())
        else {
            continue;
        };
        assert_eq!(part.frames.len(), 15, "half a second of lead-in, one of motion");
        for (part, whole) in part.frames.iter().zip(&whole.frames) {
            assert_eq!((&part.action, &part.state), (&whole.action, &whole.state));
        }
    }
}

#[test]
fn demonstrations_never_ask_for_a_held_out_pair_and_move_the_way_they_say() {
    let robot = super::robot();
    for seed in 0..12 {
        let Some(shown) = demonstrate(&robot, seed, &undisturbed()).unwrap() else {
            continue;
        };
        assert!(
            HELD_OUT.iter().all(|kind| !shown.instruction.contains(&kind.words())),
            "{}",
            shown.instruction
        );
        // Without pushes each action is where the arm is one step later, but for the joints' lag.
        for pair in shown.frames.windows(2) {
            for joint in 0..7 {
                let off = (pair[0].action[joint] - pair[1].state[joint]).abs();
                assert!(off < 0.2, "joint {joint}: {off}");
            }
        }
    }
}
