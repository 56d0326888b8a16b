//! Cells of a table: what episodes they are of, and how they are played.

use anyhow::Result;
use f1_middleware::Backend;
use f1_sim::demonstrations::LEAD_IN;
use f1_sim::{BenchSettings, Disturb, Split, Task};

use crate::commands::demo::graph::{Played, Stage};
use crate::commands::demo::tally::Tally;

/// Episodes of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// As it is called in tables.
    pub name: &'static str,
    pub task: Task,
    pub split: Split,
    /// What happens in mid-episode.
    pub disturb: Option<Disturb>,
}

impl Cell {
    /// Undisturbed episodes.
    pub const fn quiet(name: &'static str, task: Task, split: Split) -> Self {
        Cell { name, task, split, disturb: None }
    }

    /// The episode number `number` after `seed`.
    pub fn episode(&self, seed: u64, number: u64) -> BenchSettings {
        let mut settings = BenchSettings::new(self.task, self.split, seed + number);
        settings.lead_in = LEAD_IN;
        settings.disturb = self.disturb;
        settings
    }

    /// Plays the cell's episodes; `each` gets what happened in each.
    ///
    /// # Errors
    /// The graph cannot be built.
    pub fn play(
        &self,
        stage: &Stage,
        seed: u64,
        episodes: u64,
        mut each: impl FnMut(&Played),
    ) -> Result<Tally> {
        let mut tally = Tally::default();
        for number in 0..episodes {
            let stage = Stage { backend: Backend::mem_virtual(), ..stage.clone() };
            let played = stage.play(&self.episode(seed, number), None, false)?;
            tally.add(&played);
            each(&played);
            eprint!("\r{}: {}/{episodes} ", self.name, number + 1);
        }
        eprintln!();
        Ok(tally)
    }
}

/// A stage whose foresight node has these parameters.
pub fn with(stage: &Stage, parameters: &[(&'static str, String)]) -> Stage {
    let parameters = parameters.iter().map(|(name, value)| ("foresight", *name, value.clone()));
    Stage { parameters: parameters.collect(), ..stage.clone() }
}

/// A line of a Markdown table.
pub fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Head and rule of a Markdown table.
pub fn head(columns: &[&str]) -> String {
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    format!("{}\n|{}", line(&names), "---|".repeat(columns.len()))
}
