//! What a run writes down as it goes: a CSV table, TensorBoard events, and the progress bar.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};

use crate::event_file::EventFile;
use crate::{Result, TrainError};

/// One line of the journal: a value for each name, the same names in every line.
pub type Line = Vec<(&'static str, f64)>;

/// Writes lines to `metrics.csv`, to an event file, and to the terminal.
#[derive(Debug)]
pub struct Journal {
    csv: File,
    path: PathBuf,
    events: EventFile,
    bar: ProgressBar,
    header: bool,
}

impl Journal {
    /// Opens the journal in `folder`. Lines of a run that is resumed at `step` are kept up to that
    /// step; later ones will be written again.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn open(folder: &Path, step: u64, total: u64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
        let path = folder.join("metrics.csv");
        let kept = keep_until(&path, step)?;
        let csv = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(TrainError::io(&path))?;
        let bar = ProgressBar::new(total).with_position(step);
        let style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} [{elapsed} left {eta}] {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.reset_eta();
        Ok(Self { csv, path, events: EventFile::create(folder, now())?, bar, header: kept })
    }

    /// Writes one line.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&mut self, step: u64, line: &Line) -> Result<()> {
        let mut text = String::new();
        if !self.header {
            text.push_str("step");
            line.iter().for_each(|(name, _)| text.push_str(&format!(",{name}")));
            text.push('\n');
            self.header = true;
        }
        text.push_str(&step.to_string());
        line.iter().for_each(|(_, value)| text.push_str(&format!(",{value:e}")));
        text.push('\n');
        self.csv.write_all(text.as_bytes()).map_err(TrainError::io(&self.path))?;
        self.events.scalars(step, now(), line)
    }

    /// Moves the bar; `message` says the newest losses.
    pub fn show(&self, step: u64, message: String) {
        self.bar.set_position(step);
        self.bar.set_message(message);
    }

    /// Says something above the bar; also where there is no terminal.
    pub fn say(&self, text: &str) {
        if self.bar.is_hidden() {
            // Where stderr is closed there is no other place, and training goes on.
            let _ = writeln!(std::io::stderr(), "{text}");
        } else {
            self.bar.println(text);
        }
    }

    /// Whether the bar is hidden.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.bar.is_hidden()
    }

    /// Ends the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Cuts a table after `step`; whether a header is left.
fn keep_until(path: &Path, step: u64) -> Result<bool> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(false) };
    let kept: Vec<&str> = text
        .split_inclusive('\n')
        .enumerate()
        .filter(|(index, line)| {
            let of_line = line.split(',').next().and_then(|field| field.parse::<u64>().ok());
            line.ends_with('\n') && (*index == 0 || of_line.is_some_and(|of_line| of_line <= step))
        })
        .map(|(_, line)| line)
        .collect();
    let kept = if step == 0 { Vec::new() } else { kept };
    fs::write(path, kept.concat()).map_err(TrainError::io(path))?;
    Ok(!kept.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_table_has_every_step_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), 0, 10).unwrap();
        for step in 1..=5 {
            journal.write(step, &vec![("loss", step as f64)]).unwrap();
        }
        let mut journal = Journal::open(folder.path(), 3, 10).unwrap();
        for step in 4..=6 {
            journal.write(step, &vec![("loss", step as f64)]).unwrap();
        }
        let text = fs::read_to_string(folder.path().join("metrics.csv")).unwrap();
        let steps: Vec<&str> = text.lines().map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(steps, ["step", "1", "2", "3", "4", "5", "6"]);
    }
}
