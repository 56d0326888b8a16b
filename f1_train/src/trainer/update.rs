//! One update of the weights.

use std::time::{Duration, Instant};

use candle_core::Tensor;
use f1_data::loader::{Batch as LoadedBatch, Loader};
use f1_model::network::F1Network;
use f1_model::weights::Weights;

use super::report::Window;
use super::{Trainer, stage_loss};
use crate::batch::Prepared;
use crate::optimizer::{self, Gradients};
use crate::ranks::Exchange;
use crate::run_file::Stage;
use crate::{Result, TrainError};

/// What the journal shows of a loss: name and value.
type Values = Vec<(&'static str, f64)>;

/// What an update came to.
pub(super) struct Updated {
    /// Means over its batches and ranks. None where the update was left out.
    pub values: Values,
    /// Global norm of the gradients; where it is not finite, nothing was changed.
    pub norm: f64,
    /// Ranks whose loss was not finite.
    pub not_finite: Vec<usize>,
    /// Whether a rank was asked to stop.
    pub stopped: bool,
}

/// Sums over the batches of an update, on this rank.
#[derive(Default)]
struct Sums {
    gradients: Gradients,
    values: Values,
    /// Whether every loss was.
    finite: bool,
}

impl Trainer {
    /// One update from `accumulate` batches. `stop` is whether this rank was asked to stop.
    pub(super) fn update(
        &mut self,
        loader: &Loader<Prepared, TrainError>,
        window: &mut Window,
        stop: bool,
    ) -> Result<Updated> {
        let sums = self.passes(loader, window)?;
        let mut updated =
            Updated { values: sums.values, norm: f64::NAN, not_finite: Vec::new(), stopped: stop };
        let mut gradients = sums.gradients;
        if let Some(exchange) = &mut self.exchange {
            let stop = f64::from(u8::from(stop));
            let reduced = exchange.reduce(sums.finite, &[stop])?;
            updated.stopped = reduced.numbers.iter().any(|rank| rank[0] > 0.0);
            updated.norm = reduced.norm;
            updated.not_finite = reduced.not_finite;
            gradients = reduced.gradients;
            if updated.norm.is_finite() {
                mean_over_ranks(exchange, &mut updated.values)?;
            }
        } else if sums.finite {
            updated.norm = self.pool.install(|| optimizer::sum_of_squares(&gradients))?.sqrt();
        } else {
            updated.not_finite = vec![0];
        }
        updated.values.push(("gradient_norm", updated.norm));
        if updated.norm.is_finite() {
            self.apply(&gradients, updated.norm)?;
        }
        Ok(updated)
    }

    /// Forward and backward passes of an update.
    fn passes(
        &mut self,
        loader: &Loader<Prepared, TrainError>,
        window: &mut Window,
    ) -> Result<Sums> {
        let parts = self.run.accumulate;
        let mut sums = Sums { finite: true, ..Sums::default() };
        for part in 1..=parts {
            let loaded = loader
                .next_batch()
                .ok_or_else(|| TrainError::Stopped("the loader has ended".to_owned()))??;
            window.waited += loaded.waited;
            window.samples += loaded.samples.len() as u64;
            self.progress.position = loaded.position.clone();
            // The last backward pass of an update sends its gradients while it goes on.
            let sends = part == parts && self.exchange.is_some();
            if sends && let Some(exchange) = &mut self.exchange {
                exchange.begin(std::mem::take(&mut sums.gradients))?;
            }
            // The batches of an update that is left out are used up all the same: what an update
            // reads depends on its number alone.
            if sums.finite {
                self.pass(&loaded, sends, &mut sums, window)?;
            }
        }
        sums.values.iter_mut().for_each(|(_, sum)| *sum /= parts as f64);
        Ok(sums)
    }

    /// Forward and backward pass of one batch.
    fn pass(
        &mut self,
        loaded: &LoadedBatch<Prepared>,
        sends: bool,
        sums: &mut Sums,
        window: &mut Window,
    ) -> Result<()> {
        let weights = self.weights(sends)?;
        let (loss, values, forward) = match self.loss(loaded, &weights) {
            Ok(loss) => loss,
            // Sampling refuses such logits before there is a loss to look at.
            Err(TrainError::Model(f1_model::Error::NotFinite(_))) => {
                sums.finite = false;
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        sums.finite = values.iter().all(|(name, value)| *name != "loss" || value.is_finite());
        if !sums.finite {
            return Ok(());
        }
        let parts = self.run.accumulate;
        let loss = if parts > 1 { (loss / parts as f64)? } else { loss };
        let begun = Instant::now();
        let mut store = self.pool.install(|| loss.backward())?;
        window.computed += forward + begun.elapsed();
        if !sends {
            optimizer::accumulate(&mut sums.gradients, self.optimizer.collect(&mut store))?;
        }
        if sums.values.is_empty() {
            sums.values = values;
        } else {
            for ((_, sum), (_, value)) in sums.values.iter_mut().zip(values) {
                *sum += value;
            }
        }
        Ok(())
    }

    /// The weights as the network takes them, on the way through the exchange of gradients when
    /// the backward pass `sends` them.
    fn weights(&self, sends: bool) -> Result<Weights> {
        match &self.exchange {
            Some(exchange) if sends => {
                self.parameters.weights_through(|slot, tensor| exchange.pass(slot, tensor))
            }
            _ => self.parameters.weights(),
        }
    }

    /// Loss, what the journal shows of it, and how long the forward pass took.
    fn loss(
        &mut self,
        loaded: &LoadedBatch<Prepared>,
        weights: &Weights,
    ) -> Result<(Tensor, Values, Duration)> {
        // Built anew each time: some blocks rearrange their tensors when they are built.
        let network = F1Network::new(&self.config, weights, None)?;
        let begun = Instant::now();
        if self.run.stage == Stage::Tokenizer {
            let (pool, codebook) = (&self.pool, &mut self.codebook);
            let (loss, device, step) = (&self.run.loss, &self.device, self.progress.step);
            let (loss, values) =
                pool.install(|| codebook.loss(&network, &loaded.samples, loss, step, device))?;
            return Ok((loss, values, begun.elapsed()));
        }
        let batch = self
            .preparer
            .collate(&loaded.samples, &self.device, |frames| Ok(network.tokenize(frames)?))?;
        let begun = Instant::now();
        let (run, step) = (&self.run, self.progress.step);
        let output =
            self.pool.install(|| stage_loss(&network, &batch, &loaded.samples, run, step))?;
        let forward = begun.elapsed();
        let scalar = |tensor: &Tensor| -> Result<f64> { Ok(f64::from(tensor.to_scalar::<f32>()?)) };
        let mut values = vec![("loss", scalar(&output.loss)?)];
        if let Some(loss) = &output.generation_loss {
            values.push(("generation_loss", scalar(loss)?));
            values.push(("token_accuracy", output.token_accuracy.unwrap_or(f64::NAN)));
            values.extend(output.map_error.map(|error| ("map_error", error)));
        }
        if let Some(loss) = &output.action_loss {
            values.push(("action_loss", scalar(loss)?));
        }
        Ok((output.loss, values, forward))
    }

    /// Changes the weights by gradients of this finite global norm.
    fn apply(&mut self, gradients: &Gradients, norm: f64) -> Result<()> {
        let factor = self.run.schedule.factor(self.progress.step, self.total);
        let rates = self.run.learning_rate;
        let rate = |group| rates.of(group) * factor;
        let update = self.optimizer.begin_update(norm);
        let (optimizer, exchange) = (&mut self.optimizer, &mut self.exchange);
        self.pool.install(|| match exchange {
            Some(exchange) => exchange.update(optimizer, gradients, update, rate),
            None => optimizer.update_slots(0..gradients.len(), gradients, update, rate),
        })?;
        self.progress.updates = self.optimizer.updates();
        self.average()?;
        if self.run.stage == Stage::Tokenizer {
            let ranks = self.exchange.as_ref().map(Exchange::ranks);
            self.codebook.revive(&mut self.optimizer, self.progress.step, ranks)?;
        }
        Ok(())
    }

    /// Moves the averages of the weights toward their new values.
    fn average(&mut self) -> Result<()> {
        let Some(decay) = self.run.ema else { return Ok(()) };
        for slot in self.optimizer.slots() {
            if let Some(average) = self.averages.get_mut(&slot.name) {
                // Without a history: an average that remembered how it came about would keep every
                // average before it.
                let value = slot.owned_value()?.detach();
                *average = ((&*average * decay)? + (value * (1.0 - decay))?)?.detach();
            }
        }
        Ok(())
    }
}

/// Puts the mean over all ranks in the place of each value.
fn mean_over_ranks(exchange: &Exchange, values: &mut Values) -> Result<()> {
    let own: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    let all = exchange.ranks().gather(&own)?;
    for (place, (_, value)) in values.iter_mut().enumerate() {
        *value = all.iter().map(|rank| rank[place]).sum::<f64>() / all.len() as f64;
    }
    Ok(())
}
