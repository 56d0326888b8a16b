//! The training loop.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use f1_data::loader::{Batch as LoadedBatch, Loader, Share};
use f1_model::Config;
use f1_model::network::F1Network;
use f1_model::parameters::Group;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::training::{Batch, JointSettings, LossOutput, Stage1Settings, hidden_tokens};
use f1_robot::statistics::StatisticsFile;

use crate::batch::{Prepared, Preparer, encode_prompts, understanding_cameras};
use crate::checkpoint::{self, Contents, Progress};
use crate::codebook::CodebookWatch;
use crate::journal::{Journal, Line};
use crate::optimizer::{self, Gradients, Optimizer};
use crate::parallel::{Peers, Place};
use crate::parameters::Parameters;
use crate::run_file::{Crop, RunFile, Stage};
use crate::tokens::TokenCache;
use crate::{Result, TrainError, disturbance, setup};

/// What the journal shows of a loss: name and value.
type Shown = Vec<(&'static str, f64)>;

/// Updates without a finite gradient after which a run stops.
const BROKEN_LIMIT: u32 = 20;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All updates are made and the model is written.
    Finished,
    /// Somebody asked it to stop; a checkpoint is written.
    Interrupted,
}

/// A run, opened.
pub struct Trainer {
    run: RunFile,
    config: Config,
    device: Device,
    parameters: Parameters,
    optimizer: Optimizer,
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
    peers: Option<Peers>,
}

/// Means over the updates since the last line of the journal.
#[derive(Default)]
struct Window {
    sums: Vec<(&'static str, f64)>,
    /// Updates whose values are in the sums.
    counted: u64,
    updates: u64,
    waited: Duration,
    /// Forward and backward passes alone.
    computed: Duration,
    begun: Option<Instant>,
    samples: u64,
}

impl Window {
    fn add(&mut self, values: &[(&'static str, f64)]) {
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
    /// Opens everything a run names; `resume` continues from its newest checkpoint.
    ///
    /// # Errors
    /// Whatever cannot be opened, or a run that has checkpoints already and is not to be resumed.
    pub fn open(run: RunFile, resume: bool, say: &mut dyn FnMut(&str)) -> Result<Self> {
        Self::open_part(run, resume, None, say)
    }

    /// As [`Self::open`], as one of several processes that train together: each takes `batch`
    /// samples in every update, and process 0 writes.
    ///
    /// # Errors
    /// As [`Self::open`], or when the others do not come.
    pub fn open_part(
        run: RunFile,
        resume: bool,
        place: Option<Place>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        if place.is_some() && run.stage == Stage::Tokenizer {
            // It replaces dead codes by what its own images show, which is different in every
            // process.
            return Err(TrainError::Stopped(
                "the image tokenizer is trained by one process alone".to_owned(),
            ));
        }
        let device = setup::device(&run)?;
        let found = checkpoint::list(&run.output)?;
        let from = match (resume, found.last()) {
            (true, Some(newest)) => Some(newest.clone()),
            (false, Some(_)) => {
                return Err(TrainError::Stopped(format!(
                    "{} holds checkpoints of an earlier run: continue it with --resume or choose another output",
                    run.output.display()
                )));
            }
            (true, None) => {
                say("no checkpoint yet: starting from the beginning");
                None
            }
            (false, None) => None,
        };
        let mut config = setup::config(&run.model)?;
        let sources = setup::open_sources(&run, &mut config)?;
        let statistics = if run.stage == Stage::Tokenizer {
            StatisticsFile::default()
        } else {
            setup::statistics(&run, &sources)?
        };
        let normalisers = match run.stage {
            Stage::Tokenizer => sources.iter().map(unit_normalisers).collect::<Result<_>>()?,
            _ => setup::normalisers(&run, &sources, &statistics)?,
        };
        let cameras = sources.iter().map(|source| source.shown_cameras).max().unwrap_or(0);
        let cameras = understanding_cameras(&config, cameras);
        let reader = setup::reader(&run, sources);
        let (prompt_tokenizer, prompts) = match (run.stage, setup::prompt_tokenizer(&run)) {
            (Stage::Tokenizer, found) => (found.ok(), HashMap::new()),
            (_, found) => {
                let path = found?;
                let prompts = encode_prompts(&reader, &setup::prompt_encoder(&path, &config)?)?;
                (Some(path), prompts)
            }
        };
        let (weights, initialised) = setup::weights(&run, &config)?;
        if run.model.init.is_some() && !initialised.is_empty() {
            say(&format!(
                "initialised, because the checkpoint lacks them: {}",
                initialised.join(", ")
            ));
        }
        let (parameters, slots) = Parameters::new(&config, &weights, &run, &device)?;
        for (group, trained, all) in parameters.counts(&slots) {
            say(&format!("{:>13}: {trained} of {all} parameters trained", group.name()));
        }
        let mut optimizer = Optimizer::new(run.optimizer, slots);
        let mut averages = HashMap::new();
        if run.ema.is_some() {
            for slot in optimizer.slots() {
                averages.insert(slot.name.clone(), slot.value().detach().copy()?);
            }
        }
        let mut progress =
            Progress { seed: run.seed, run: fingerprint(&run), ..Progress::default() };
        if let Some(checkpoint) = &from {
            let saved = checkpoint::progress(checkpoint)?;
            if saved.run != progress.run {
                return Err(TrainError::Stopped(format!(
                    "the run file has changed in a way that changes the numbers since {} was written",
                    checkpoint.display()
                )));
            }
            checkpoint::restore(checkpoint, &mut optimizer, &mut averages, &device)?;
            optimizer.set_updates(saved.updates);
            progress = saved;
            say(&format!("continuing at update {} from {}", progress.step, checkpoint.display()));
        }
        let mut peers = match place {
            Some(place) => {
                say(&format!(
                    "process {} of {}: meeting the others at {}",
                    place.rank, place.world, place.meet
                ));
                Some(Peers::meet(place, &progress.run, progress.step)?)
            }
            None => None,
        };
        if let Some(peers) = &mut peers
            && peers.place().rank > 0
        {
            // Process 0 fills the cache of frame tokens, which the others then find full.
            peers.wait()?;
        }
        let tokens = if run.stage != Stage::Tokenizer
            && run.data.crop == Crop::Center
            && config.generation.is_some()
        {
            let folder = run.data.token_cache.clone().unwrap_or_else(|| run.output.join("tokens"));
            let weights = parameters.weights()?;
            let network = F1Network::new(&config, &weights, None)?;
            let mut told = 0;
            Some(TokenCache::build(&reader, &network, &weights, &folder, |done, all| {
                if done * 10 / all.max(1) > told {
                    told = done * 10 / all.max(1);
                    say(&format!("frame tokens: {done} of {all}"));
                }
            })?)
        } else {
            None
        };
        if let Some(peers) = &mut peers
            && peers.place().rank == 0
        {
            peers.wait()?;
        }
        let samples = reader.order(run.seed, f1_data::mixture::Position::default())?.samples();
        let total = run.steps.unwrap_or_else(|| {
            let processes = peers.as_ref().map_or(1, |peers| peers.place().world);
            let each = (run.batch * run.accumulate * processes) as f64;
            (run.epochs.unwrap_or(1.0) * samples as f64 / each).ceil() as u64
        });
        let preparer = Preparer {
            reader,
            normalisers,
            prompts,
            tokens,
            config: config.clone(),
            random_crop: run.data.crop == Crop::Random,
            augmentation: run.data.augmentation.clone(),
            seed: run.seed,
            flow_draws: run.loss.flow_draws.max(1),
            cameras,
            wants_cameras: run.stage != Stage::Tokenizer,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("train{index}"))
            .build()
            .map_err(|fault| TrainError::Stopped(format!("no threads to compute on: {fault}")))?;
        let mut codebook = CodebookWatch::new(&config, run.loss.revive_after, run.seed);
        codebook.set_uses(&progress.code_uses);
        Ok(Self {
            run,
            config,
            device,
            parameters,
            optimizer,
            averages,
            preparer: Arc::new(preparer),
            statistics,
            prompt_tokenizer,
            codebook,
            progress,
            total,
            pool,
            peers,
        })
    }

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

    /// Trains to the end, or until `stop` is set.
    ///
    /// # Errors
    /// When data cannot be read, a file cannot be written, or losses stay broken; the newest
    /// checkpoint is whole in any case.
    pub fn train(&mut self, stop: &AtomicBool) -> Result<Outcome> {
        let output = self.run.output.clone();
        let share = self.peers.as_ref().map_or(Share::WHOLE, |peers| peers.place().share());
        let journal = match share.rank {
            0 => output.clone(),
            rank => output.join(format!("process_{rank}")),
        };
        std::fs::create_dir_all(&journal).map_err(TrainError::io(&journal))?;
        let mut journal = Journal::open(&journal, self.progress.step, self.total)?;
        let order = self.preparer.reader.order(self.run.seed, self.progress.position.clone())?;
        let preparer = Arc::clone(&self.preparer);
        let loader: Loader<Prepared, TrainError> = Loader::start_part(
            order,
            share,
            self.run.batch,
            self.run.data.workers,
            self.run.data.ahead,
            move |drawn| preparer.prepare(drawn),
        )?;
        let (mut window, mut broken, mut stopped) = (Window::default(), 0u32, false);
        while self.progress.step < self.total {
            // Alone a run stops before its next update; together they must all have heard of it.
            if stopped || (self.peers.is_none() && stop.load(Ordering::Relaxed)) {
                let place = self.save()?;
                journal.say(&format!("stopped; continue with --resume from {}", place.display()));
                return Ok(Outcome::Interrupted);
            }
            window.begun.get_or_insert_with(Instant::now);
            let (values, norm) = self.update(&loader, &mut window, stop, &mut stopped)?;
            self.progress.step += 1;
            window.updates += 1;
            if norm.is_finite() {
                broken = 0;
            } else {
                broken += 1;
                journal.say(&format!(
                    "update {}: the loss or its gradient is not finite; nothing was changed ({broken} in a row)",
                    self.progress.step
                ));
                if broken >= BROKEN_LIMIT {
                    let place = self.save()?;
                    return Err(TrainError::Stopped(format!(
                        "{BROKEN_LIMIT} updates in a row had no finite gradient. The weights are those of the last good update, \
                         saved in {}. Lower learning_rate, or look at the data with `f1 stats`",
                        place.display()
                    )));
                }
            }
            if norm.is_finite() {
                window.add(&values);
                window.counted += 1;
            }
            self.report(&mut journal, &mut window)?;
            if self.run.keep > 0 && self.progress.step.is_multiple_of(self.run.save_every) {
                self.save()?;
            }
        }
        if self.run.keep > 0 {
            self.save()?;
        }
        if share.rank == 0 {
            checkpoint::write_model(&output.join("model"), &self.contents()?)?;
        }
        if let Some(peers) = &mut self.peers {
            peers.wait()?;
        }
        if let Some(bytes) = f1_model::device::memory_in_use(&self.device)? {
            journal.say(&format!(
                "GPU memory in use {:.1} GB; freed memory stays with a run, so it took no more",
                bytes as f64 * 1e-9
            ));
        }
        journal.finish();
        Ok(Outcome::Finished)
    }

    /// One update from `accumulate` batches: mean values and the gradients' norm.
    fn update(
        &mut self,
        loader: &Loader<Prepared, TrainError>,
        window: &mut Window,
        stop: &AtomicBool,
        stopped: &mut bool,
    ) -> Result<(Vec<(&'static str, f64)>, f64)> {
        let parts = self.run.accumulate;
        let mut gradients: Gradients = Vec::new();
        let mut sums: Vec<(&'static str, f64)> = Vec::new();
        let mut broken = false;
        for _ in 0..parts {
            let loaded = loader
                .next_batch()
                .ok_or_else(|| TrainError::Stopped("the loader has ended".to_owned()))??;
            window.waited += loaded.waited;
            window.samples += loaded.samples.len() as u64;
            self.progress.position = loaded.position.clone();
            if broken {
                continue;
            }
            let (loss, values, forward) = match self.loss(&loaded) {
                Ok(loss) => loss,
                // Sampling refuses broken logits before there is a loss to look at.
                Err(TrainError::Model(fault)) if fault.to_string().contains("not finite") => {
                    if self.peers.is_none() {
                        return Ok((Vec::new(), f64::NAN));
                    }
                    // The others wait for this process's word, and for it to take its part of the
                    // data.
                    broken = true;
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let loss = if parts > 1 { (loss / parts as f64)? } else { loss };
            let begun = Instant::now();
            let mut store = self.pool.install(|| loss.backward())?;
            window.computed += forward + begun.elapsed();
            optimizer::accumulate(&mut gradients, self.optimizer.collect(&mut store))?;
            if sums.is_empty() {
                sums = values;
            } else {
                for ((_, sum), (_, value)) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
        if broken {
            gradients.clear();
            sums.clear();
        }
        sums.iter_mut().for_each(|(_, sum)| *sum /= parts as f64);
        if let Some(peers) = &mut self.peers {
            let mut word = [f32::from(u8::from(stop.load(Ordering::Relaxed)))];
            peers.average(self.optimizer.slots(), &mut gradients, &mut word)?;
            *stopped = word[0] > 0.0;
        }
        let factor = self.run.schedule.factor(self.progress.step, self.total);
        let rates = self.run.learning_rate;
        // A loss that is not finite has gradients that are not: the norm tells both.
        let (pool, optimizer) = (&self.pool, &mut self.optimizer);
        let norm =
            pool.install(|| optimizer.update(&gradients, |group| rates.of(group) * factor))?;
        self.progress.updates = self.optimizer.updates();
        if norm.is_finite() {
            self.average()?;
            if self.run.stage == Stage::Tokenizer {
                self.codebook.revive(&mut self.optimizer, self.progress.step)?;
            }
        }
        sums.push(("gradient_norm", norm));
        Ok((sums, norm))
    }

    /// Loss, what the journal shows of it, and how long the forward pass took.
    fn loss(&mut self, loaded: &LoadedBatch<Prepared>) -> Result<(Tensor, Shown, Duration)> {
        // Built anew each time: some blocks rearrange their tensors when they are built.
        let network = F1Network::new(&self.config, &self.parameters.weights()?, None)?;
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
        }
        if let Some(loss) = &output.action_loss {
            values.push(("action_loss", scalar(loss)?));
        }
        Ok((output.loss, values, forward))
    }

    fn average(&mut self) -> Result<()> {
        let Some(decay) = self.run.ema else { return Ok(()) };
        for slot in self.optimizer.slots() {
            if let Some(average) = self.averages.get_mut(&slot.name) {
                // Without a history: an average that remembered how it came about would keep every
                // average before it.
                *average =
                    ((&*average * decay)? + (slot.value().detach() * (1.0 - decay))?)?.detach();
            }
        }
        Ok(())
    }

    fn report(&self, journal: &mut Journal, window: &mut Window) -> Result<()> {
        let step = self.progress.step;
        let last = step == self.total;
        if !step.is_multiple_of(self.run.log_every) && !last {
            return Ok(());
        }
        if window.counted == 0 {
            // Nothing but broken updates, which were reported one by one.
            *window = Window::default();
            return Ok(());
        }
        let seconds = window.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64()).max(1e-9);
        let updates = window.updates.max(1) as f64;
        let mut line: Line = window
            .sums
            .iter()
            .map(|(name, sum)| (*name, sum / window.counted.max(1) as f64))
            .collect();
        line.push((
            "learning_rate",
            self.run.learning_rate.default * self.run.schedule.factor(step - 1, self.total),
        ));
        line.push(("samples_per_second", window.samples as f64 / seconds));
        line.push(("seconds_per_update", seconds / updates));
        line.push(("compute_share", window.computed.as_secs_f64() / seconds));
        line.push(("loader_share", window.waited.as_secs_f64() / seconds));
        journal.write(step, &line)?;
        let of = |name: &str| {
            line.iter().find(|(of, _)| *of == name).map_or(f64::NAN, |(_, value)| *value)
        };
        let mut message = format!("loss {:.4}", of("loss"));
        for (name, short) in
            [("generation_loss", "gen"), ("action_loss", "act"), ("token_accuracy", "acc")]
        {
            if line.iter().any(|(of, _)| *of == name) {
                message.push_str(&format!(" {short} {:.4}", of(name)));
            }
        }
        message.push_str(&format!(
            " norm {:.2} {:.1} samples/s loader {:.0} %",
            of("gradient_norm"),
            of("samples_per_second"),
            100.0 * of("loader_share")
        ));
        if journal.is_hidden() {
            let left = Duration::from_secs_f64((self.total - step) as f64 * seconds / updates);
            journal.say(&format!("{step}/{} {message} left {} s", self.total, left.as_secs()));
        }
        journal.show(step, message);
        *window = Window::default();
        Ok(())
    }

    fn contents(&self) -> Result<Contents<'_>> {
        let values = self
            .optimizer
            .slots()
            .iter()
            .map(|slot| (slot.name.clone(), slot.value().clone()))
            .collect();
        Ok(Contents {
            config: &self.config,
            weights: self.parameters.to_save(&values)?,
            average: match self.averages.is_empty() {
                true => None,
                false => Some(self.parameters.to_save(&self.averages)?),
            },
            statistics: &self.statistics,
            prompt_tokenizer: self.prompt_tokenizer.as_deref(),
        })
    }

    fn save(&mut self) -> Result<PathBuf> {
        if self.peers.as_ref().is_some_and(|peers| peers.place().rank > 0) {
            return Ok(checkpoint::folder(&self.run.output));
        }
        self.progress.code_uses = match self.run.stage {
            Stage::Tokenizer => self.codebook.uses().to_vec(),
            _ => Vec::new(),
        };
        checkpoint::save(
            &self.run.output,
            &self.contents()?,
            &self.optimizer,
            &self.averages,
            &self.progress,
            self.run.keep.max(1),
        )
    }
}

/// The loss of stages I to III on a batch.
///
/// # Errors
/// When sizes do not fit.
pub fn stage_loss(
    network: &F1Network,
    batch: &Batch,
    samples: &[Prepared],
    run: &RunFile,
    step: u64,
) -> Result<LossOutput> {
    let mut recorder = Recorder::off();
    if run.stage == Stage::Stage1 {
        let (sample, token) = (run.loss.hide_sample as f32, run.loss.hide_token as f32);
        let hidden = if sample > 0.0 && token > 0.0 {
            let of_sample: Vec<f32> = samples.iter().map(|sample| sample.hiding.0).collect();
            let of_token: Vec<Vec<f32>> =
                samples.iter().map(|sample| sample.hiding.1.clone()).collect();
            Some(hidden_tokens(&of_sample, &of_token, sample, token, network.device())?)
        } else {
            None
        };
        let seed = run.seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (config, device) = (&network.foresight()?.config, network.device());
        let settings = Stage1Settings {
            hidden,
            disturbance: disturbance::noise(&run.loss, config, samples.len(), seed, device)?,
            change_weight: run.loss.change_weight,
            map_weight: run.loss.map_weight,
        };
        return Ok(network.stage1_loss_with(batch, &settings, &mut recorder)?);
    }
    let settings = &network.config().run;
    let seed = run.seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut joint = JointSettings {
        generation_weight: run.loss.generation_weight,
        reduction: run.loss.reduction.into(),
        source: TokenSource::new(settings.top_k, settings.top_p, seed),
        foresight_loss: run.trains(Group::Generation) || run.adapts(Group::Generation),
    };
    Ok(network.joint_loss(batch, &mut joint, &mut recorder)?)
}

fn unit_normalisers(
    source: &f1_data::loader::OpenSource,
) -> Result<(f1_robot::statistics::Normaliser, f1_robot::statistics::Normaliser)> {
    let (state, action) = setup::widths(source)?;
    let identity = |width: usize| f1_robot::statistics::Normaliser::identity(&vec![false; width]);
    Ok((identity(state), identity(action)))
}

/// Everything in the run file that changes the numbers; where it writes, how long it runs and how
/// often it reports do not.
fn fingerprint(run: &RunFile) -> String {
    let mut fixed = run.clone();
    fixed.output = PathBuf::new();
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

/// Whether a folder holds a run's checkpoints.
#[must_use]
pub fn has_checkpoints(output: &Path) -> bool {
    checkpoint::list(output).is_ok_and(|found| !found.is_empty())
}
