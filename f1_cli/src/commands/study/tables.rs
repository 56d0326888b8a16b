//! Tables of success, foresight and cost over cells.

use crate::assembly;
use anyhow::Result;
use f1_policy_node::foresight::{MODES, Mode};
use f1_sim::score::TRUSTED;
use f1_sim::showcase::wilson;
use f1_sim::{Disturb, Split, Task};
use serde_json::{Map, Value, json};

use super::Args;
use super::grid::{Cell, head, line, with};
use crate::commands::demo::graph::Stage;
use crate::commands::demo::tally::Tally;

/// Every task, at speeds and with pairs that training never showed.
const CELLS: [Cell; 6] = [
    Cell::quiet("dynamic, held-out speeds", Task::Dynamic, Split::NewSpeeds),
    Cell::quiet("dynamic, pairs never shown", Task::Dynamic, Split::NewPairs),
    Cell::quiet("static", Task::Static, Split::NewSpeeds),
    Cell::quiet("static, pairs never shown", Task::Static, Split::NewPairs),
    Cell::quiet("bin", Task::Bin, Split::NewSpeeds),
    Cell::quiet("bin, pairs never shown", Task::Bin, Split::NewPairs),
];

/// "57 of 60 (0.86 to 0.98)".
pub fn success(tally: &Tally) -> String {
    let [low, high] = wilson(tally.successes, tally.episodes);
    format!("{} of {} ({low:.2} to {high:.2})", tally.successes, tally.episodes)
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.digits$}"))
}

/// Foreseen images beside the newest frame repeated, a line a cell.
///
/// # Errors
/// The graph cannot be built.
pub fn foresight(stage: &Stage, args: &Args) -> Result<Value> {
    let columns = [
        "episodes",
        "success",
        "images",
        "PSNR dB (repeated)",
        "changed pixels dB (repeated)",
        "SSIM (repeated)",
        "objects (repeated)",
        "false an image",
        "tokens",
        "detector",
    ];
    println!("{}", head(&columns));
    let mut all = Map::new();
    for cell in CELLS {
        let tally = cell.play(stage, args.seed, args.episodes, |_| {})?;
        let numbers = tally.score.numbers();
        let beside = |foreseen, repeated, digits| {
            format!("{} ({})", number(foreseen, digits), number(repeated, digits))
        };
        println!(
            "{}",
            line(&[
                cell.name.into(),
                success(&tally),
                numbers.frames.to_string(),
                beside(numbers.psnr, numbers.psnr_repeat, 2),
                beside(numbers.psnr_changed, numbers.psnr_changed_repeat, 2),
                beside(numbers.ssim, numbers.ssim_repeat, 3),
                beside(numbers.objects, numbers.objects_repeat, 3),
                number(numbers.false_objects, 3),
                number(numbers.token_accuracy, 3),
                number(tally.score.detector(), 4),
            ])
        );
        if tally.score.detector().is_some_and(|share| share < TRUSTED) {
            eprintln!(
                "{}: the detector finds less than {:.0} % of the objects in true images; what it says of foreseen ones does not count",
                cell.name,
                100.0 * TRUSTED
            );
        }
        all.insert(cell.name.into(), tally.summary());
    }
    Ok(Value::Object(all))
}

/// Success and processor time of each mode that the model can be run in.
///
/// # Errors
/// The graph cannot be built.
pub fn modes(stage: &Stage, args: &Args) -> Result<Value> {
    let loaded = assembly::load(&stage.robot_file, &stage.model, &stage.options, &stage.server)?;
    println!(
        "{}",
        head(&[
            "mode",
            "cell",
            "success",
            "processor time a chunk, ms",
            "generation passes a chunk",
            "latency p50, ms",
        ])
    );
    let mut all = Map::new();
    for mode in MODES {
        if let Err(reason) = Mode::named(mode).check(&loaded.policy.info().passes) {
            eprintln!("not measured: {reason}");
            continue;
        }
        let stage = with(
            stage,
            &[
                ("mode", format!("\"{mode}\"")),
                ("replan_psnr", format!("{:?}", args.replan_psnr)),
                ("replan_signal", format!("\"{}\"", args.replan_signal)),
            ],
        );
        for cell in [CELLS[0], CELLS[2], CELLS[4]] {
            let tally = cell.play(&stage, args.seed, args.episodes, |_| {})?;
            let passes = tally.generations as f64 / (tally.latency_ms.len().max(1)) as f64;
            let summary = tally.summary();
            println!(
                "{}",
                line(&[
                    mode.into(),
                    cell.name.into(),
                    success(&tally),
                    number(tally.cpu_ms(), 1),
                    format!("{passes:.2}"),
                    number(summary["latency_ms"]["p50"].as_f64(), 1),
                ])
            );
            all.insert(format!("{mode}, {}", cell.name), summary);
        }
    }
    Ok(Value::Object(all))
}

/// What foresight is worth: models beside each other on moving, standing and disturbed belts.
///
/// # Errors
/// The graph cannot be built.
pub fn worth(models: &[(String, Stage)], args: &Args) -> Result<Value> {
    let disturbed = |name, kind| Cell {
        disturb: Some(kind),
        ..Cell::quiet(name, Task::Dynamic, Split::NewSpeeds)
    };
    let cells = [
        CELLS[0],
        Cell::quiet("dynamic, training speeds", Task::Dynamic, Split::Training),
        CELLS[2],
        disturbed("disturbed, speed", Disturb::Speed),
        disturbed("disturbed, swap", Disturb::Swap),
        disturbed("disturbed, push", Disturb::Push),
    ];
    let mut columns = vec!["model"];
    columns.extend(cells.iter().map(|cell| cell.name));
    println!("{}", head(&columns));
    let mut all = Map::new();
    for (model, stage) in models {
        let mut row = vec![model.clone()];
        let mut numbers = Map::new();
        for cell in &cells {
            let tally = cell.play(stage, args.seed, args.episodes, |_| {})?;
            row.push(success(&tally));
            numbers.insert(cell.name.into(), tally.summary());
        }
        println!("{}", line(&row));
        all.insert(model.clone(), json!(numbers));
    }
    Ok(Value::Object(all))
}
