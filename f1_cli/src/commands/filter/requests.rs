//! The filter as `f1 filter` runs it: one JSON request a line in, one JSON answer a line out, state
//! carried over.
//!
//! Request: `now` (s), `joint_names`, `position`, `velocity` (may be empty: unknown, taken as
//! zero), `chunk` (rows of positions, or null), `chunk_stamp` (s), `lock` (true: stop), and
//! optionally `reset` (true: clear a latched stop). `NaN`, `Infinity` and `-Infinity`, which JSON
//! does not know but Python writes, are read as what they mean. Answer: `verdict`, `events`,
//! `trajectories`; to a line that is no request, `error`.

use std::borrow::Cow;
use std::io::{BufRead, Error, Read as _, Write};
use std::sync::Arc;

use f1_robot::safety::{
    CheckedTrajectory, Event, FilterInput, FilterSettings, MeasuredState, SafetyFilter, Verdict,
};
use f1_robot::trajectory::{Stamp, nanoseconds};
use f1_robot::{RawChunk, Robot};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

/// Lines longer than this are no requests, bytes.
const LONGEST_LINE: u64 = 64 << 20;

/// A number that may be missing: JSON's null is not-a-number.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<f64>::deserialize(deserializer).map(|number| Self(number.unwrap_or(f64::NAN)))
    }
}

fn numbers(list: &[Number]) -> Vec<f64> {
    list.iter().map(|number| number.0).collect()
}

#[derive(Debug, Deserialize)]
struct Request {
    now: Number,
    joint_names: Vec<String>,
    position: Vec<Number>,
    #[serde(default)]
    velocity: Option<Vec<Number>>,
    #[serde(default)]
    chunk: Option<Vec<Vec<Number>>>,
    #[serde(default)]
    chunk_stamp: Option<Number>,
    lock: bool,
    #[serde(default)]
    reset: bool,
}

#[derive(Serialize)]
struct Answer {
    verdict: Verdict,
    events: Vec<Event>,
    trajectories: Vec<CheckedTrajectory>,
}

/// How many lines were answered how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Lines read.
    pub requests: usize,
    /// Chunks accepted (and requests without a chunk that changed nothing).
    pub accepted: usize,
    /// Chunks modified.
    pub modified: usize,
    /// Chunks rejected.
    pub rejected: usize,
    /// Requests answered by a stop.
    pub stopped: usize,
    /// Lines that were no requests.
    pub errors: usize,
}

/// A filter behind lines of JSON.
#[derive(Debug)]
pub struct Server {
    filter: SafetyFilter,
    rate_hz: f64,
    sequence: u64,
    summary: Summary,
}

impl Server {
    /// The server of a robot.
    pub fn new(robot: Arc<Robot>, settings: FilterSettings) -> Self {
        let rate_hz = robot.rate_hz();
        Self::with_filter(SafetyFilter::new(robot, settings), rate_hz)
    }

    /// The server of a filter whose chunks have `rate_hz` rows a second.
    pub fn with_filter(filter: SafetyFilter, rate_hz: f64) -> Self {
        Self { filter, rate_hz, sequence: 0, summary: Summary::default() }
    }

    /// The answer to one line, without a line end.
    pub fn answer(&mut self, line: &str) -> String {
        self.summary.requests += 1;
        let answer = self.request(line).and_then(|answer| {
            let counted = match answer.verdict {
                Verdict::Accepted => &mut self.summary.accepted,
                Verdict::Modified => &mut self.summary.modified,
                Verdict::Rejected => &mut self.summary.rejected,
                Verdict::Stopped => &mut self.summary.stopped,
            };
            *counted += 1;
            serde_json::to_string(&answer).map_err(|error| error.to_string())
        });
        answer.unwrap_or_else(|error| self.error(&error))
    }

    /// The answer to a line that cannot even be read.
    fn refused(&mut self, error: String) -> String {
        self.summary.requests += 1;
        self.error(&error)
    }

    fn error(&mut self, error: &str) -> String {
        self.summary.errors += 1;
        json!({ "error": error }).to_string()
    }

    fn request(&mut self, line: &str) -> Result<Answer, String> {
        let request: Request =
            serde_json::from_str(&plain(line)).map_err(|error| error.to_string())?;
        let now = stamp(exact(line, request.now.0)).ok_or("now: not a time that can be used")?;
        let velocities = numbers(&request.velocity.unwrap_or_default());
        let state = MeasuredState {
            stamp: now,
            names: request.joint_names.clone(),
            positions: numbers(&request.position),
            velocities,
        };
        let chunk = request.chunk.map(|rows| {
            self.sequence += 1;
            RawChunk {
                // A stamp that is no time is older than any chunk may be.
                stamp: request
                    .chunk_stamp
                    .and_then(|number| stamp(exact(line, number.0)))
                    .unwrap_or(Stamp::MIN),
                epoch: 0,
                sequence: self.sequence,
                joint_names: self.columns(request.joint_names),
                rows: rows.iter().map(|row| numbers(row)).collect(),
                rate_hz: self.rate_hz,
            }
        });
        if request.reset {
            self.filter.reset();
        }
        let output =
            self.filter.step(&FilterInput { now, state: Some(state), chunk, lock: request.lock });
        Ok(Answer {
            verdict: output.verdict,
            events: output.events,
            trajectories: output.trajectories,
        })
    }

    /// The chunk's columns: those of the joints among `joint_names`; more joints may be measured
    /// than are moved.
    fn columns(&self, joint_names: Vec<String>) -> Vec<String> {
        let moved = |name: &String| self.filter.joints().iter().any(|joint| &joint.name == name);
        if joint_names.len() == self.filter.joints().len() {
            return joint_names;
        }
        joint_names.into_iter().filter(moved).collect()
    }

    /// Answers every line until the end, and says how many were answered how.
    ///
    /// # Errors
    /// Reading or writing failed.
    pub fn serve(
        &mut self,
        input: impl BufRead,
        mut output: impl Write,
    ) -> std::io::Result<Summary> {
        let mut input = input;
        let named = |what: &str, error: Error| Error::new(error.kind(), format!("{what}: {error}"));
        let unread = |error| named("requests cannot be read", error);
        let unsaid = |error| named("answers cannot be written", error);
        loop {
            let mut line = Vec::new();
            let read =
                (&mut input).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(unread)?;
            if read == 0 {
                break;
            }
            let answer = if line.last() != Some(&b'\n') && read as u64 == LONGEST_LINE {
                skip_line(&mut input).map_err(unread)?;
                self.refused(format!("longer than {LONGEST_LINE} bytes"))
            } else {
                match std::str::from_utf8(&line).map(str::trim) {
                    Ok("") => self.refused("an empty line".into()),
                    Ok(text) => self.answer(text),
                    Err(error) => self.refused(format!("not UTF-8: {error}")),
                }
            };
            writeln!(output, "{answer}").map_err(unsaid)?;
        }
        output.flush().map_err(unsaid)?;
        Ok(self.summary)
    }
}

/// Reads to the end of a line that is too long to keep.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let (used, done) = {
            let buffer = input.fill_buf()?;
            match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            }
        };
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// The number that a line says. `serde_json` reads numbers of 17 digits to the nearest but one,
/// which at times of today is a quarter of a microsecond; the right one is the one whose shortest
/// text stands there.
fn exact(line: &str, read: f64) -> f64 {
    let goes_on =
        |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E'));
    let said = |x: &f64| {
        let text = x.to_string();
        line.match_indices(&text).any(|(at, _)| !goes_on(&line[at + text.len()..]))
    };
    [read, read.next_up(), read.next_down()].into_iter().find(said).unwrap_or(read)
}

/// Seconds as an instant, if they are within 250 years of zero.
fn stamp(seconds: f64) -> Option<Stamp> {
    (seconds.abs() <= 8e9).then(|| nanoseconds(seconds))
}

/// JSON from what Python writes: `NaN`, `Infinity` and `-Infinity` outside strings become null.
fn plain(line: &str) -> Cow<'_, str> {
    if !line.contains("NaN") && !line.contains("Infinity") {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    let (mut rest, mut quoted) = (line, false);
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"]
            .into_iter()
            .find(|word| !quoted && rest.starts_with(word));
        let taken = match word {
            Some(word) => {
                text.push_str("null");
                word.len()
            }
            None if quoted && c == '\\' => {
                let taken: usize = rest.chars().take(2).map(char::len_utf8).sum();
                text.push_str(&rest[..taken]);
                taken
            }
            None => {
                quoted ^= c == '"';
                text.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_numbers_become_null_outside_strings_only() {
        let line = r#"{"a": [NaN, -Infinity, Infinity, 1], "NaN \" NaN": "Infinity"}"#;
        assert_eq!(plain(line), r#"{"a": [null, null, null, 1], "NaN \" NaN": "Infinity"}"#);
        assert_eq!(plain("{}"), "{}");
        assert_eq!(plain("\"\\"), "\"\\");
    }

    #[test]
    fn times_of_today_are_taken_to_the_nanosecond() {
        // Neighbouring numbers of this size are 238 nanoseconds apart; their distance has to
        // survive.
        let (a, b) = (1.7e9_f64, f64::from_bits(1.7e9_f64.to_bits() + 12_345));
        assert_eq!(
            stamp(b).zip(stamp(a)).map(|(b, a)| b - a),
            Some(((b - a) * 1e9).round() as i64)
        );
    }

    #[test]
    fn times_of_today_are_read_as_they_were_written() {
        for i in 0..20_000 {
            let time = 1.7e9 + f64::from(i) * 0.123_456_7;
            let line = format!("{{\"now\": {time}}}");
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(exact(&line, value["now"].as_f64().unwrap()), time);
        }
        assert!(exact("{}", f64::NAN).is_nan());
        assert_eq!(exact("{\"now\": 1e3}", 1e3), 1e3);
    }

    #[test]
    fn times_that_cannot_be_are_none() {
        for (seconds, expected) in [
            (0.5, Some(500_000_000)),
            (1.7e9 + 0.25, Some(1_700_000_000_250_000_000)),
            (-0.5, Some(-500_000_000)),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (1e300, None),
        ] {
            assert_eq!(stamp(seconds), expected);
        }
    }
}
