//! Writes demonstrations of the scripted expert as a LeRobot data set.
//!
//! `cargo run --release -p f1_sim --example write_demonstrations -- ROBOT_FILE FOLDER EPISODES
//! SEED`

use std::sync::Arc;

use f1_robot::Robot;
use f1_sim::demonstrations::{LEAD_IN, Mix, RecordSettings, write_demonstrations};
use f1_sim::expert::Disturbance;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, robot, folder, episodes, seed] = args.as_slice() else {
        return Err("ROBOT_FILE FOLDER EPISODES SEED".into());
    };
    let robot = Arc::new(Robot::load(std::path::Path::new(robot))?);
    let settings = RecordSettings {
        episodes: episodes.parse()?,
        seed: seed.parse()?,
        mix: Mix::default(),
        asked: Vec::new(),
        beside: Vec::new(),
        anywhere: false,
        first: None,
        image: [64, 64],
        disturbance: Disturbance::NOMINAL,
        lead_in: LEAD_IN,
    };
    let written = write_demonstrations(&robot, std::path::Path::new(folder), &settings, |_, _| {})?;
    println!("{} episodes, {} frames, {} failed", written.episodes, written.frames, written.failed);
    Ok(())
}
