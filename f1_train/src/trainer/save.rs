//! What a run writes: its checkpoints, and the fingerprint by which it knows them again.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Tensor};

use super::Trainer;
use crate::checkpoint::{self, Contents};
use crate::optimizer::Slot;
use crate::ranks::Exchange;
use crate::run_file::{RunFile, Stage};
use crate::{Result, TrainError};

/// Whole tensors by the name of their slot, in f32.
type ByName = HashMap<String, Tensor>;

impl Trainer {
    /// Writes a checkpoint; its folder. Every rank comes here, rank 0 writes.
    ///
    /// # Errors
    /// When the disk refuses, or another rank is gone.
    pub(super) fn save(&mut self) -> Result<PathBuf> {
        let ranks = self.exchange.as_ref().map(Exchange::ranks).cloned();
        self.progress.code_uses = match self.run.stage {
            Stage::Tokenizer => self.codebook.all_uses(ranks.as_ref())?,
            _ => Vec::new(),
        };
        let values = self.values()?;
        let averages = self.whole_averages()?;
        let first = self.whole(|slot| Ok(slot.moments.get(0)?))?;
        let second = self.whole(|slot| Ok(slot.moments.get(1)?))?;
        let mut folder = checkpoint::folder(&self.run.output);
        if self.rank() == 0 {
            let mut state = HashMap::new();
            for slot in self.optimizer.slots() {
                let name = &slot.name;
                let [first, second] = [&first[name], &second[name]].map(Tensor::flatten_all);
                state.insert(format!("moments.{name}"), Tensor::stack(&[first?, second?], 0)?);
                state.insert(format!("value.{name}"), values[name].clone());
                if let Some(average) = averages.get(name) {
                    state.insert(format!("average.{name}"), average.clone());
                }
            }
            let contents = self.contents(&values, &averages)?;
            let keep = self.run.keep.max(1);
            folder = checkpoint::save(&self.run.output, &contents, &state, &self.progress, keep)?;
        }
        // No rank goes on before the checkpoint is whole.
        ranks.map_or(Ok(()), |ranks| ranks.barrier())?;
        Ok(folder)
    }

    /// Writes the trained model. Every rank comes here, rank 0 writes.
    ///
    /// # Errors
    /// When the disk refuses, or another rank is gone.
    pub(super) fn write_model(&self) -> Result<()> {
        let (values, averages) = (self.values()?, self.whole_averages()?);
        if self.rank() == 0 {
            let contents = self.contents(&values, &averages)?;
            checkpoint::write_model(&self.run.output.join("model"), &contents)?;
        }
        self.exchange.as_ref().map_or(Ok(()), |exchange| exchange.ranks().barrier())
    }

    fn contents(&self, values: &ByName, averages: &ByName) -> Result<Contents<'_>> {
        Ok(Contents {
            config: &self.config,
            weights: self.parameters.to_save(values)?,
            average: match averages.is_empty() {
                true => None,
                false => Some(self.parameters.to_save(averages)?),
            },
            statistics: &self.statistics,
            prompt_tokenizer: self.prompt_tokenizer.as_deref(),
        })
    }

    /// The trained tensors.
    fn values(&self) -> Result<ByName> {
        // Weights in f32 are whole on every rank.
        if self.optimizer.slots().iter().any(|slot| slot.master.is_some()) {
            return self.whole(Slot::owned_value);
        }
        let value = |slot: &Slot| Ok((slot.name.clone(), slot.value()?));
        self.optimizer.slots().iter().map(value).collect()
    }

    fn whole_averages(&self) -> Result<ByName> {
        if self.averages.is_empty() {
            return Ok(ByName::new());
        }
        self.whole(|slot| Ok(self.averages[&slot.name].clone()))
    }

    /// Whole tensors from the ranks' parts; `part` gives a slot's owned elements in f32.
    fn whole(&self, part: impl Fn(&Slot) -> Result<Tensor>) -> Result<ByName> {
        let slots = self.optimizer.slots();
        let flat: Vec<Tensor> = match &self.exchange {
            Some(exchange) => {
                exchange.ranks().collect(exchange.layout(), |slot| part(&slots[slot]))?
            }
            None => slots.iter().map(part).collect::<Result<_>>()?,
        };
        let shaped = |(slot, flat): (&Slot, Tensor)| {
            let value = flat.to_dtype(DType::F32)?.reshape(slot.variable.shape())?;
            Ok((slot.name.clone(), value))
        };
        slots.iter().zip(flat).map(shaped).collect()
    }

    /// This process among those that train together.
    pub(super) fn rank(&self) -> usize {
        self.exchange.as_ref().map_or(0, |exchange| exchange.ranks().rank())
    }
}

/// A hash of everything in the run file that changes the numbers of an update. Where a run writes,
/// how many updates it makes and how often it reports do not count; nor does how a batch is
/// divided, of which a checkpoint keeps the whole.
pub(super) fn fingerprint(run: &RunFile) -> String {
    let mut fixed = run.clone();
    fixed.output = PathBuf::new();
    fixed.steps = None;
    fixed.epochs = None;
    fixed.batch = 1;
    fixed.accumulate = 1;
    fixed.log_every = 1;
    fixed.save_every = 1;
    fixed.keep = 1;
    fixed.data.workers = 1;
    fixed.data.ahead = 1;
    fixed.data.cache_gb = 0.0;
    fixed.data.token_cache = None;
    let text = serde_json::to_string(&fixed).unwrap_or_default();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Refuses to continue with updates of another size: they would make another run.
pub(super) fn check_update_size(run: &RunFile, ranks: usize, saved: u64) -> Result<()> {
    let now = samples_per_update(run, ranks);
    if now == saved {
        return Ok(());
    }
    let parts = (run.accumulate * ranks) as u64;
    let hint = match saved.is_multiple_of(parts) {
        true => format!("--set batch={} keeps its size", saved / parts),
        false => "choose batch and accumulate so that it keeps its size".to_owned(),
    };
    Err(TrainError::Stopped(format!(
        "an update of this run has {saved} samples, and would now have {now} (batch {}, accumulate \
         {}, ranks {ranks}): {hint}",
        run.batch, run.accumulate
    )))
}

/// Samples of an update, on all ranks together.
pub(super) fn samples_per_update(run: &RunFile, ranks: usize) -> u64 {
    (run.batch * run.accumulate * ranks) as u64
}
