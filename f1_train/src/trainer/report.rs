//! Means over the updates between two lines of the journal.

use std::time::{Duration, Instant};

use super::Trainer;
use crate::Result;
use crate::journal::{Journal, Line};

/// Sums since the last line of the journal.
#[derive(Default)]
pub(super) struct Window {
    sums: Vec<(&'static str, f64)>,
    /// Updates whose values are in the sums.
    counted: u64,
    updates: u64,
    /// Time spent waiting for data.
    pub(super) waited: Duration,
    /// Time of forward and backward passes alone.
    pub(super) computed: Duration,
    begun: Option<Instant>,
    pub(super) samples: u64,
}

impl Window {
    /// An update begins.
    pub(super) fn begin(&mut self) {
        self.begun.get_or_insert_with(Instant::now);
    }

    /// An update has ended; `values` are what it showed, unless its gradient was not finite.
    pub(super) fn end(&mut self, values: Option<&[(&'static str, f64)]>) {
        self.updates += 1;
        let Some(values) = values else { return };
        self.counted += 1;
        if self.sums.is_empty() {
            self.sums = values.to_vec();
        } else {
            for ((_, sum), (_, value)) in self.sums.iter_mut().zip(values) {
                *sum += value;
            }
        }
    }
}

impl Trainer {
    /// Writes a line of the journal when one is due, and begins a new window.
    pub(super) fn report(&self, journal: &mut Option<Journal>, window: &mut Window) -> Result<()> {
        let step = self.progress.step;
        if !step.is_multiple_of(self.run.log_every) && step != self.total {
            return Ok(());
        }
        let window = std::mem::take(window);
        let Some(journal) = journal.as_mut().filter(|_| window.counted > 0) else {
            // Updates without a finite gradient were reported one by one.
            return Ok(());
        };
        let line = self.line(&window);
        journal.write(step, &line)?;
        let message = message(&line);
        if journal.is_hidden() {
            let left = (self.total - step) as f64 * value(&line, "seconds_per_update");
            journal.say(&format!("{step}/{} {message} left {left:.0} s", self.total));
        }
        journal.show(step, message);
        Ok(())
    }

    fn line(&self, window: &Window) -> Line {
        let seconds = window.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64()).max(1e-9);
        let factor = self.run.schedule.factor(self.progress.step - 1, self.total);
        let ranks = self.exchange.as_ref().map_or(1, |exchange| exchange.ranks().size());
        let samples = (window.samples * ranks as u64) as f64;
        let mut line: Line = window
            .sums
            .iter()
            .map(|(name, sum)| (*name, sum / window.counted.max(1) as f64))
            .collect();
        line.extend([
            ("learning_rate", self.run.learning_rate.default * factor),
            ("samples_per_second", samples / seconds),
            ("seconds_per_update", seconds / window.updates.max(1) as f64),
            ("compute_share", window.computed.as_secs_f64() / seconds),
            ("loader_share", window.waited.as_secs_f64() / seconds),
        ]);
        line
    }
}

/// The value of a name in a line.
fn value(line: &Line, name: &str) -> f64 {
    line.iter().find(|(of, _)| *of == name).map_or(f64::NAN, |(_, value)| *value)
}

/// What the progress bar shows of a line.
fn message(line: &Line) -> String {
    let mut message = format!("loss {:.4}", value(line, "loss"));
    for (name, short) in
        [("generation_loss", "gen"), ("action_loss", "act"), ("token_accuracy", "acc")]
    {
        let shown = value(line, name);
        if !shown.is_nan() {
            message.push_str(&format!(" {short} {shown:.4}"));
        }
    }
    message.push_str(&format!(
        " norm {:.2} {:.1} samples/s loader {:.0} %",
        value(line, "gradient_norm"),
        value(line, "samples_per_second"),
        100.0 * value(line, "loader_share")
    ));
    message
}
