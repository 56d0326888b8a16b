//! What demonstrations hold.

use f1_sim::demonstrations::{Mix, demonstrate};
use f1_sim::expert::Disturbance;
use f1_sim::objects::HELD_OUT;

#[test]
fn demonstrations_never_ask_for_a_held_out_pair_and_move_the_way_they_say() {
    let robot = super::robot();
    for seed in 0..12 {
        let Some(shown) =
            demonstrate(&robot, seed, Mix::default(), [32, 32], Disturbance::NONE, 0.0).unwrap()
        else {
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
