//! The checks of a chunk that need no planning, and how chunks are joined.

use super::SafetyFilter;
use crate::safety::bounds::GREATEST_ANGLE;
use crate::safety::settings::Splice;
use crate::safety::{Event, Response, Rule};
use crate::trajectory::{Stamp, State, seconds};
use crate::{RawChunk, splice};

impl SafetyFilter {
    /// The checks of a chunk that need no planning, in their order. Whether it passes.
    pub(super) fn check_chunk(
        &self,
        now: Stamp,
        chunk: &RawChunk,
        state_is_good: bool,
        events: &mut Vec<Event>,
    ) -> bool {
        let refused = |rule| Event::new(rule, Response::Refused);
        let before = events.len();
        let width = chunk.rows.first().map_or(0, Vec::len);
        for (step, row) in chunk.rows.iter().enumerate() {
            // Not-a-number is not at most anything.
            let most = |joint: usize| match self.joints.get(joint) {
                Some(limits) if limits.continuous => GREATEST_ANGLE,
                _ => f64::MAX,
            };
            let mut asked = row.iter().enumerate();
            if let Some((joint, _)) = asked.find(|(joint, asked)| !(asked.abs() <= most(*joint))) {
                let event = refused(Rule::Finite).step(step).numbers(row[joint], most(joint));
                events.push(match chunk.joint_names.get(joint) {
                    Some(name) => event.joint(name),
                    None => event,
                });
                return false;
            }
        }
        if chunk.joint_names != self.names {
            let wrong =
                chunk.joint_names.iter().zip(&self.names).find(|(got, wanted)| got != wanted);
            let event = refused(Rule::Names)
                .numbers(chunk.joint_names.len() as f64, self.names.len() as f64);
            events.push(match wrong {
                Some((got, _)) => event.joint(got),
                None => event,
            });
        } else if chunk.rows.is_empty() {
            events.push(refused(Rule::Shape).numbers(0.0, 1.0));
        } else if let Some(step) = chunk.rows.iter().position(|row| row.len() != self.names.len()) {
            let columns = chunk.rows[step].len() as f64;
            events.push(refused(Rule::Shape).step(step).numbers(columns, self.names.len() as f64));
        } else if !((chunk.rate_hz - self.rate_hz).abs() <= 1e-9 * self.rate_hz) || width == 0 {
            events.push(refused(Rule::Shape).numbers(chunk.rate_hz, self.rate_hz));
        }
        if events.len() > before {
            return false;
        }
        let age = seconds(now.saturating_sub(chunk.stamp));
        let ahead = 1.0 / self.rate_hz;
        let last_due = chunk.due(chunk.rows.len() - 1);
        if age > self.settings.chunk_age {
            events.push(refused(Rule::Age).numbers(age, self.settings.chunk_age));
        } else if -age > ahead + 1e-6 {
            events.push(refused(Rule::Age).numbers(age, -ahead));
        } else if last_due <= now {
            events.push(refused(Rule::Age).numbers(seconds(now.saturating_sub(last_due)), 0.0));
        } else if let Some(since) = self.fresh_after
            && chunk.stamp <= since
        {
            events.push(refused(Rule::Clock).numbers(seconds(chunk.stamp), seconds(since)));
        } else if chunk.epoch != self.epoch {
            events.push(refused(Rule::Epoch).numbers(chunk.epoch as f64, self.epoch as f64));
        } else if let Some(last) = self.last_sequence
            && chunk.sequence <= last
        {
            events.push(refused(Rule::Sequence).numbers(chunk.sequence as f64, last as f64));
        } else if let Some(last) = self.last_stamp
            && chunk.stamp <= last
        {
            events.push(refused(Rule::Sequence).numbers(seconds(chunk.stamp), seconds(last)));
        } else if !state_is_good {
            events.push(refused(Rule::State));
        }
        events.len() == before
    }

    /// Remembers a chunk that passed.
    pub(super) fn note(&mut self, now: Stamp, chunk: &RawChunk) {
        self.last_sequence = Some(chunk.sequence);
        self.last_stamp = Some(chunk.stamp);
        self.seen.observation = Some(chunk.stamp);
        self.seen.chunk = Some(now);
        self.fresh_after = None;
    }

    /// The chunk as it compares with a motion from `first`: each angle of a joint that turns
    /// without end is brought to the turn of the row before.
    pub(super) fn unwrapped(&self, chunk: &RawChunk, first: &[State]) -> RawChunk {
        let mut chunk = chunk.clone();
        for (joint, limits) in self.joints.iter().enumerate().filter(|(_, l)| l.continuous) {
            let mut before = first[joint].position;
            for row in &mut chunk.rows {
                row[joint] = limits.near(row[joint], before);
                before = row[joint];
            }
        }
        chunk
    }

    /// The chunk's rows, joined with those of the chunks before.
    pub(super) fn spliced(&mut self, chunk: RawChunk) -> Vec<Vec<f64>> {
        match self.settings.splice {
            Splice::Replace => chunk.rows,
            Splice::Ensemble => {
                let newest = chunk.stamp;
                self.history.push_back(chunk);
                self.history.retain(|old| old.due(old.rows.len().saturating_sub(1)) > newest);
                while self.history.len() > splice::LONGEST_HISTORY {
                    self.history.pop_front();
                }
                splice::ensemble(self.history.make_contiguous(), self.settings.ensemble_decay)
            }
        }
    }
}
