//! The training loop.

mod loss;
mod open;
mod report;
mod save;
mod update;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Device, Tensor};
use f1_data::loader::{Loader, Share};
use f1_model::Config;
use f1_robot::statistics::StatisticsFile;

pub use self::loss::stage_loss;
use self::report::Window;
use crate::batch::{Prepared, Preparer};
use crate::checkpoint::Progress;
use crate::codebook::CodebookWatch;
use crate::journal::Journal;
use crate::optimizer::Optimizer;
use crate::parameters::Parameters;
use crate::ranks::Exchange;
use crate::run_file::RunFile;
use crate::{Result, TrainError};

/// Updates in a row without a finite gradient after which a run stops.
const NOT_FINITE_LIMIT: u32 = 20;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All updates are made and the model is written.
    Finished,
    /// It was asked to stop; a checkpoint is written.
    Interrupted,
}

/// A run, opened.
pub struct Trainer {
    run: RunFile,
    config: Config,
    device: Device,
    parameters: Parameters,
    optimizer: Optimizer,
    /// Of the owned elements of each slot, flat, by its name.
    averages: HashMap<String, Tensor>,
    preparer: Arc<Preparer>,
    statistics: StatisticsFile,
    prompt_tokenizer: Option<PathBuf>,
    codebook: CodebookWatch,
    progress: Progress,
    total: u64,
    /// Runs forward passes, backward passes and updates. Inside a pool, every parallel operation
    /// splits its work where it is; from outside, each of the thousands of a step is handed
    /// over and waited for, which on a busy machine costs more than the step itself. The
    /// loader stays outside, so that neither waits for the other.
    pool: rayon::ThreadPool,
    /// With the other ranks, where there are any.
    exchange: Option<Exchange>,
}

impl Trainer {
    /// Updates of the whole run.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The trained tensors.
    #[must_use]
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// The averages of the trained tensors by name, where the run keeps them.
    #[must_use]
    pub fn averages(&self) -> &HashMap<String, Tensor> {
        &self.averages
    }

    /// All tensors.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Trains to the end, or until `stop` is set; on several ranks, until it is set on one of
    /// them.
    ///
    /// # Errors
    /// When data cannot be read, a file cannot be written, another rank is gone, or gradients stay
    /// without finite values; the newest checkpoint is whole in any case.
    pub fn train(&mut self, stop: &AtomicBool) -> Result<Outcome> {
        // Rank 0 reports for all.
        let mut journal = match self.rank() {
            0 => Some(Journal::open(&self.run.output, self.progress.step, self.total)?),
            _ => None,
        };
        let loader = self.start_loader()?;
        let (mut window, mut left_out, mut stopped) = (Window::default(), 0, false);
        while self.progress.step < self.total {
            // Alone a run stops before its next update; together they must all know of it.
            if stopped || (self.exchange.is_none() && stop.load(Ordering::Relaxed)) {
                let saved = self.save()?;
                say(&journal, || {
                    format!("stopped; continue with --resume from {}", saved.display())
                });
                return Ok(Outcome::Interrupted);
            }
            window.begin();
            let updated = self.update(&loader, &mut window, stop.load(Ordering::Relaxed))?;
            stopped = updated.stopped;
            self.progress.step += 1;
            let finite = updated.norm.is_finite();
            window.end(finite.then_some(&updated.values));
            left_out = if finite { 0 } else { left_out + 1 };
            if left_out > 0 {
                self.left_out(left_out, &updated.not_finite, &journal)?;
            }
            self.report(&mut journal, &mut window)?;
            if self.run.keep > 0 && self.progress.step.is_multiple_of(self.run.save_every) {
                self.save()?;
            }
        }
        if self.run.keep > 0 {
            self.save()?;
        }
        self.write_model()?;
        if let Some(bytes) = f1_kernels::device::memory_in_use(&self.device)? {
            say(&journal, || {
                let gigabytes = bytes as f64 * 1e-9;
                format!(
                    "GPU memory in use {gigabytes:.1} GB; freed memory stays with a run, so it \
                     took no more"
                )
            });
        }
        if let Some(journal) = &journal {
            journal.finish();
        }
        Ok(Outcome::Finished)
    }

    fn start_loader(&self) -> Result<Loader<Prepared, TrainError>> {
        let order = self.preparer.reader.order(self.run.seed, self.progress.position.clone())?;
        let preparer = Arc::clone(&self.preparer);
        let share =
            self.exchange.as_ref().map_or(Share::WHOLE, |exchange| exchange.ranks().share());
        let data = &self.run.data;
        let prepare = move |drawn| preparer.prepare(drawn);
        Ok(Loader::start_part(order, share, self.run.batch, data.workers, data.ahead, prepare)?)
    }

    /// Reports an update that was left out because a gradient is not finite; `count`: how many in a
    /// row.
    ///
    /// # Errors
    /// When there were too many of them.
    fn left_out(&mut self, count: u32, ranks: &[usize], journal: &Option<Journal>) -> Result<()> {
        let of = match (&self.exchange, ranks) {
            (Some(_), [_, ..]) => format!(" on rank {}", join(ranks)),
            _ => String::new(),
        };
        say(journal, || {
            format!(
                "update {}: the loss or its gradient is not finite{of}; nothing was changed \
                 ({count} in a row)",
                self.progress.step
            )
        });
        if count < NOT_FINITE_LIMIT {
            return Ok(());
        }
        let saved = self.save()?;
        Err(TrainError::Stopped(format!(
            "{NOT_FINITE_LIMIT} updates in a row had no finite gradient{of}. The weights are those \
             of the last good update, saved in {}. Lower learning_rate, or look at the data with \
             `f1 stats`",
            saved.display()
        )))
    }
}

/// Says something where there is a journal.
fn say(journal: &Option<Journal>, text: impl FnOnce() -> String) {
    if let Some(journal) = journal {
        journal.say(&text());
    }
}

fn join(ranks: &[usize]) -> String {
    ranks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
