//! What demonstrations hold.

use f1_sim::demonstrations::{Mix, RecordSettings, demonstrate};
use f1_sim::expert::Disturbance;
use f1_sim::objects::HELD_OUT;

fn undisturbed() -> RecordSettings {
    RecordSettings {
        episodes: 0,
        seed: 0,
        mix: Mix::default(),
        asked: Vec::new(),
        beside: Vec::new(),
        picture: [32, 32],
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
