//! Measures a policy on the bench: success, violations, latency, filter decisions.
//!
//! `cargo run --release -p f1_sim --example closed_loop -- ROBOT_FILE MODEL EPISODES [EVERY]
//! [LATENCY_S]`
//!
//! `expert` in place of MODEL plays the scripted expert through the same loop: what the loop itself
//! allows.

use std::path::Path;
use std::sync::Arc;

use f1_model::{F1Policy, LoadOptions};
use f1_robot::Robot;
use f1_robot::statistics::StatisticsFile;
use f1_sim::demonstrations::LEAD_IN;
use f1_sim::episode::{Driver, LoopSettings, play_expert};
use f1_sim::{BenchSettings, Outcome, Split, Task};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let robot = Arc::new(Robot::load(Path::new(&args[1]))?);
    let model = Path::new(&args[2]);
    let episodes: u64 = args[3].parse()?;
    let mut settings = LoopSettings::default();
    if let Some(every) = args.get(4) {
        settings.every = every.parse()?;
    }
    if let Some(latency) = args.get(5) {
        settings.latency = latency.parse()?;
    }
    let driver = if args[2] == "expert" {
        None
    } else {
        let policy = Arc::new(F1Policy::load(model, &LoadOptions::default())?);
        Some(Driver::new(robot.clone(), policy, &StatisticsFile::load(&model.join("stats.json"))?)?)
    };
    for (task, split) in [
        (Task::Static, Split::Training),
        (Task::Dynamic, Split::Training),
        (Task::Dynamic, Split::NewSpeeds),
        (Task::Dynamic, Split::NewPairs),
        (Task::Static, Split::NewPairs),
    ] {
        let begun = std::time::Instant::now();
        let (mut successes, mut violations, mut latency) = (0, 0, Vec::new());
        let mut verdicts = [0; 4];
        let mut ends = std::collections::BTreeMap::new();
        let mut rules = std::collections::BTreeMap::new();
        let mut accuracy = Vec::new();
        for seed in 0..episodes {
            let mut bench = BenchSettings::new(task, split, 1_000_000 + seed);
            bench.lead_in = LEAD_IN;
            let report = match &driver {
                Some(driver) => driver.play(bench, &settings)?,
                None => play_expert(&robot, bench, &settings, 8)?,
            };
            successes += u64::from(report.outcome == Outcome::Success);
            *ends.entry(format!("{:?}", report.outcome)).or_insert(0) += 1;
            violations += report.violations;
            for broken in &report.broken {
                println!("{broken:?}");
            }
            latency.extend(report.latency_ms);
            (0..4).for_each(|i| verdicts[i] += report.verdicts[i]);
            for event in report.events {
                if std::env::var("F1_EVENTS").is_ok() {
                    println!("{event:?}");
                }
                *rules.entry(format!("{:?}", event.rule)).or_insert(0) += 1;
            }
            accuracy.extend(report.foreseen.iter().filter_map(|f| f.token_accuracy));
        }
        latency.sort_by(f64::total_cmp);
        println!(
            "{} {split:?}: {successes}/{episodes} {ends:?} violations {violations} verdicts {verdicts:?} {rules:?} p50 {:.1} ms p99 {:.1} ms, tokens {:.3}, {:.2} s an episode",
            task.name(),
            latency.get(latency.len() / 2).copied().unwrap_or(f64::NAN),
            latency.get(latency.len() * 99 / 100).copied().unwrap_or(f64::NAN),
            accuracy.iter().sum::<f64>() / accuracy.len().max(1) as f64,
            begun.elapsed().as_secs_f64() / episodes as f64,
        );
    }
    Ok(())
}
