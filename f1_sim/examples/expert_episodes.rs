//! Plays the scripted expert and says how often it succeeds, how fast images are drawn, and
//! leaves images of one episode.
//!
//! `cargo run --release -p f1_sim --example expert_episodes -- ROBOT_FILE EPISODES [FOLDER]`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use f1_robot::Robot;
use f1_sim::expert::{self, Disturbance, Expert, STEP};
use f1_sim::{Bench, BenchSettings, CameraId, Split, Task};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let robot_file = args.next().ok_or("the first argument is a robot file")?;
    let episodes: u64 = args.next().unwrap_or_else(|| "20".to_owned()).parse()?;
    let folder = args.next().map(PathBuf::from);
    let robot = Arc::new(Robot::load(std::path::Path::new(&robot_file))?);
    for (task, disturbance) in [
        (Task::Static, Disturbance::NONE),
        (Task::Dynamic, Disturbance::NONE),
        (Task::Bin, Disturbance::NONE),
        (Task::Static, Disturbance::NOMINAL),
        (Task::Dynamic, Disturbance::NOMINAL),
        (Task::Bin, Disturbance::NOMINAL),
    ] {
        let begun = Instant::now();
        let (mut successes, mut steps, mut violations) = (0, 0u64, 0);
        let mut others = std::collections::BTreeMap::new();
        for seed in 0..episodes {
            let mut settings = BenchSettings::new(task, Split::Training, seed);
            settings.start = Some(expert::start(&robot, seed, disturbance));
            let mut bench = Bench::new(robot.clone(), settings)?;
            let mut expert = Expert::new(&bench, disturbance);
            while !bench.outcome().is_over() {
                if let Some(folder) = &folder
                    && seed == 1
                    && task != Task::Static
                    && steps.is_multiple_of(4)
                {
                    for camera in [CameraId::Fixed, CameraId::Wrist] {
                        let name = format!(
                            "{}_{}_{:04}_{camera:?}.png",
                            task.name(),
                            disturbance.push > 0.0,
                            steps
                        );
                        bench.render(camera).save(folder.join(name))?;
                    }
                }
                expert.step(&mut bench)?;
                bench.advance(STEP);
                steps += 1;
            }
            if bench.outcome() == f1_sim::Outcome::Success {
                successes += 1;
            } else {
                *others.entry(format!("{:?}", bench.outcome())).or_insert(0) += 1;
            }
            if bench.arm().violation_count() > 0 && violations == 0 {
                println!(
                    "{:?}",
                    &bench.arm().violations()[..bench.arm().violations().len().min(3)]
                );
            }
            violations += bench.arm().violation_count();
        }
        println!(
            "{:8} push {:.3}: {successes}/{episodes}, {:.1} steps an episode, {violations} violations, {:.2} s, {others:?}",
            task.name(),
            disturbance.push,
            steps as f64 / episodes as f64,
            begun.elapsed().as_secs_f64()
        );
    }
    for size in [64, 128] {
        let mut settings = BenchSettings::new(Task::Dynamic, Split::Training, 1);
        settings.image = [size, size];
        let bench = Bench::new(robot.clone(), settings)?;
        for camera in [CameraId::Fixed, CameraId::Wrist] {
            let begun = Instant::now();
            let count = 200;
            for _ in 0..count {
                std::hint::black_box(bench.render(camera));
            }
            println!(
                "{size}x{size} {camera:?}: {:.0} frames/s on one core",
                f64::from(count) / begun.elapsed().as_secs_f64()
            );
        }
    }
    Ok(())
}
