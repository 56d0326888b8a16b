//! What the foresight error notices: a threshold from undisturbed episodes, how often and how soon
//! disturbances cross it, and what inferring anew at it is worth.

use anyhow::Result;
use f1_interfaces::f1_msgs::msg::ForesightError;
use f1_policy_node::foresight::{SIGNALS, Signal};
use f1_sim::disturb::KINDS;
use f1_sim::{Split, Task};
use serde_json::{Value, json};

use super::Args;
use super::grid::{Cell, head, line, with};
use super::tables::success;
use crate::commands::demo::graph::{Played, Stage};

/// A disturbance counts as noticed within this of being visible, s.
const SOON: f64 = 0.5;

/// Foresight errors of one episode, of every signal.
struct Trace {
    /// ROS time of the frame that came, ns, and the errors in the order of [`SIGNALS`], dB.
    errors: Vec<(i64, [f64; SIGNALS.len()])>,
    /// From the first error to the last, s.
    seconds: f64,
    /// Stamp of the first image in which a disturbance shows, ns.
    shows_ns: Option<i64>,
}

impl Trace {
    fn of(played: &Played) -> Self {
        let values = |error: &ForesightError| SIGNALS.map(|name| Signal::named(name).of(error));
        let errors: Vec<_> = played
            .errors
            .iter()
            .map(|error| (error.header.stamp.nanoseconds(), values(error)))
            .collect();
        let seconds = match (errors.first(), errors.last()) {
            (Some((first, _)), Some((last, _))) => (last - first) as f64 * 1e-9,
            _ => 0.0,
        };
        let shown = played.shows.iter().find(|(_, shows)| *shows);
        Trace { errors, seconds, shows_ns: shown.map(|(stamp, _)| *stamp) }
    }

    /// Crossings of the threshold: errors below it after one that was not.
    fn alarms(&self, signal: usize, threshold: f64) -> u64 {
        let mut below = false;
        let mut alarms = 0;
        for (_, values) in &self.errors {
            let crosses = values[signal] < threshold;
            alarms += u64::from(crosses && !below);
            below = crosses;
        }
        alarms
    }

    /// Seconds from the first image that shows the disturbance to the first error below the
    /// threshold; none if it was never crossed, or nothing was shown.
    fn noticed(&self, signal: usize, threshold: f64) -> Option<f64> {
        let shows = self.shows_ns?;
        let crossing = self
            .errors
            .iter()
            .find(|(stamp, values)| *stamp >= shows && values[signal] < threshold)?;
        Some((crossing.0 - shows) as f64 * 1e-9)
    }
}

/// Alarms a minute of undisturbed episodes.
fn alarms_a_minute(traces: &[Trace], signal: usize, threshold: f64) -> f64 {
    let alarms: u64 = traces.iter().map(|trace| trace.alarms(signal, threshold)).sum();
    let minutes: f64 = traces.iter().map(|trace| trace.seconds).sum::<f64>() / 60.0;
    if minutes > 0.0 { alarms as f64 / minutes } else { 0.0 }
}

/// The highest threshold that undisturbed episodes cross at most so often a minute, dB; 0 without
/// errors.
fn calibrate(traces: &[Trace], signal: usize, most: f64) -> f64 {
    let mut values: Vec<f64> = traces
        .iter()
        .flat_map(|trace| trace.errors.iter().map(|(_, values)| values[signal]))
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    // Crossings become fewer again when nearly all errors lie below: the search is from below.
    let mut threshold = values.first().copied().unwrap_or(0.0);
    for value in values {
        if alarms_a_minute(traces, signal, value) > most {
            break;
        }
        threshold = value;
    }
    threshold
}

/// Errors a second over all traces, Hz.
fn rate(traces: &[Trace]) -> f64 {
    let errors: usize = traces.iter().map(|trace| trace.errors.len().saturating_sub(1)).sum();
    let seconds: f64 = traces.iter().map(|trace| trace.seconds).sum();
    if seconds > 0.0 { errors as f64 / seconds } else { 0.0 }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f1_sim::showcase::quantile(&values, 0.5)
}

/// What a signal noticed of the disturbances of one kind.
struct Noticed {
    /// Episodes in which a disturbance showed while errors came.
    shown: usize,
    /// Share noticed soon enough.
    share: f64,
    /// Median delay of what was noticed at all, s.
    delay: f64,
}

impl Noticed {
    fn of(traces: &[Trace], signal: usize, threshold: f64) -> Self {
        // A disturbance that shows after the last error of the episode cannot be noticed.
        let could = |trace: &&Trace| {
            let last = trace.errors.last().map_or(i64::MIN, |(stamp, _)| *stamp);
            trace.shows_ns.is_some_and(|shows| (last - shows) as f64 * 1e-9 >= SOON)
        };
        let shown: Vec<&Trace> = traces.iter().filter(could).collect();
        let delays: Vec<f64> =
            shown.iter().filter_map(|trace| trace.noticed(signal, threshold)).collect();
        let soon = delays.iter().filter(|delay| **delay <= SOON).count();
        Noticed {
            shown: shown.len(),
            share: soon as f64 / shown.len().max(1) as f64,
            delay: median(delays),
        }
    }
}

/// Fills the tables.
///
/// # Errors
/// The graph cannot be built.
pub fn study(stage: &Stage, args: &Args) -> Result<Value> {
    let quiet = Cell::quiet("undisturbed", args.task, Split::NewSpeeds);
    let traces_of = |cell: &Cell, stage: &Stage, seed, episodes| {
        let mut traces = Vec::new();
        let tally = cell.play(stage, seed, episodes, |played| traces.push(Trace::of(played)))?;
        Ok::<_, anyhow::Error>((tally, traces))
    };
    let (_, calibration) = traces_of(&quiet, stage, args.calibration_seed, args.calibration)?;
    let (_, fresh) = traces_of(&quiet, stage, args.seed, args.episodes)?;
    let thresholds: Vec<f64> = (0..SIGNALS.len())
        .map(|signal| calibrate(&calibration, signal, args.false_alarms))
        .collect();
    println!(
        "threshold from {} undisturbed episodes ({:.1} errors a second), false alarms on {} others\n",
        args.calibration,
        rate(&calibration),
        args.episodes
    );
    let kinds: Vec<_> = KINDS
        .into_iter()
        .filter(|kind| *kind != f1_sim::Disturb::Speed || args.task == Task::Dynamic)
        .collect();
    let mut disturbed = Vec::new();
    for kind in &kinds {
        let cell = Cell { name: kind.name(), disturb: Some(*kind), ..quiet };
        disturbed.push((cell, traces_of(&cell, stage, args.seed, args.episodes)?));
    }
    println!(
        "{}",
        head(&[
            "signal",
            "threshold dB",
            "false alarms a minute",
            "disturbance",
            "shown",
            "noticed in 0.5 s",
            "median delay s"
        ])
    );
    let mut signals = Vec::new();
    let mut best = (0, -1.0);
    for (signal, (name, threshold)) in SIGNALS.iter().zip(&thresholds).enumerate() {
        let alarms = alarms_a_minute(&fresh, signal, *threshold);
        let mut sum = 0.0;
        for (cell, (_, traces)) in &disturbed {
            let noticed = Noticed::of(traces, signal, *threshold);
            sum += noticed.share;
            println!(
                "{}",
                line(&[
                    (*name).into(),
                    format!("{threshold:.2}"),
                    format!("{alarms:.2}"),
                    cell.name.into(),
                    noticed.shown.to_string(),
                    format!("{:.2}", noticed.share),
                    format!("{:.2}", noticed.delay),
                ])
            );
            signals.push(json!({
                "signal": name, "threshold": threshold, "false_alarms_a_minute": alarms,
                "disturbance": cell.name, "shown": noticed.shown, "noticed": noticed.share,
                "median_delay": noticed.delay,
            }));
        }
        if sum > best.1 {
            best = (signal, sum);
        }
    }
    let (signal, threshold) = (SIGNALS[best.0], thresholds[best.0]);
    println!(
        "\nwith replanning by the signal that notices most, {signal} below {threshold:.2} dB\n"
    );
    println!("{}", head(&["disturbance", "without replanning", "with it", "disturbed"]));
    let replanning = with(
        stage,
        &[
            ("replan_psnr", format!("{:?}", threshold.clamp(0.0, 60.0))),
            ("replan_signal", format!("\"{signal}\"")),
        ],
    );
    let mut worth = Vec::new();
    for (cell, (without, _)) in &disturbed {
        let (tally, _) = traces_of(cell, &replanning, args.seed, args.episodes)?;
        println!(
            "{}",
            line(&[
                cell.name.into(),
                success(without),
                success(&tally),
                without.disturbed.to_string(),
            ])
        );
        worth.push(json!({
            "disturbance": cell.name, "without": without.summary(), "with": tally.summary(),
        }));
    }
    Ok(json!({
        "errors_a_second": rate(&calibration), "signals": signals, "chosen": signal,
        "threshold": threshold, "replanning": worth,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// A trace with an error every fifth of a second, the same for every signal.
    fn trace(values: &[f64], shows_ns: Option<i64>) -> Trace {
        let errors = values.iter().enumerate();
        let errors: Vec<_> =
            errors.map(|(at, value)| (at as i64 * SECOND / 5, [*value; SIGNALS.len()])).collect();
        Trace { seconds: (values.len() - 1) as f64 / 5.0, errors, shows_ns }
    }

    #[test]
    fn an_alarm_is_a_crossing_and_lasts() {
        let trace = trace(&[30.0, 20.0, 19.0, 30.0, 18.0, f64::NAN, 31.0], None);
        assert_eq!(trace.alarms(0, 25.0), 2);
        assert_eq!(trace.alarms(0, 10.0), 0);
        assert_eq!(trace.noticed(0, 25.0), None);
    }

    #[test]
    fn a_disturbance_is_noticed_after_it_shows() {
        let trace = trace(&[20.0, 30.0, 30.0, 30.0, 20.0, 20.0], Some(SECOND / 2));
        // The crossing before it shows is not of it; the one at 0.8 s is.
        assert!((trace.noticed(0, 25.0).unwrap() - 0.3).abs() < 1e-9);
        let noticed = Noticed::of(&[trace], 0, 25.0);
        assert_eq!((noticed.shown, noticed.share), (1, 1.0));
    }

    #[test]
    fn the_threshold_keeps_to_its_false_alarms() {
        // Sixty seconds with five lows, each lower than the one before.
        let mut values = vec![30.0; 301];
        for (index, low) in [20.0, 19.0, 18.0, 17.0, 16.0].into_iter().enumerate() {
            values[50 * index + 10] = low;
        }
        let traces = [trace(&values, None)];
        for (most, alarms) in [(0.5, 0.0), (2.0, 2.0), (4.5, 4.0)] {
            let threshold = calibrate(&traces, 0, most);
            assert_eq!(alarms_a_minute(&traces, 0, threshold), alarms, "{most}: {threshold}");
        }
    }
}
