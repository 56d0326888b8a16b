//! Opening a run: data, weights, the checkpoint to continue from, the other ranks.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use f1_data::loader::{OpenSource, Reader};
use f1_data::mixture::Position;
use f1_model::network::F1Network;
use f1_model::parameters::used_parameters;
use f1_model::{AttentionMode, Config};
use f1_robot::statistics::{Normaliser, StatisticsFile};

use super::Trainer;
use super::save::{check_update_size, fingerprint, samples_per_update};
use crate::batch::{Preparer, encode_prompts, understanding_cameras};
use crate::checkpoint::{self, Progress};
use crate::codebook::CodebookWatch;
use crate::optimizer::Optimizer;
use crate::parameters::{Parameters, is_adaptable};
use crate::ranks::{Exchange, Layout, Ranks};
use crate::run_file::{Crop, RunFile, Stage};
use crate::tokens::TokenCache;
use crate::{Result, TrainError, setup};

/// Where a run says what it does while it opens.
type Say<'a> = &'a mut dyn FnMut(&str);

/// The data of a run, opened.
struct OpenData {
    reader: Reader,
    statistics: StatisticsFile,
    /// Of state and action, one pair a source.
    normalisers: Vec<(Normaliser, Normaliser)>,
    /// Cameras of the understanding expert, of the source with the most.
    cameras: usize,
}

/// The trained tensors of a run, opened.
struct OpenModel {
    parameters: Parameters,
    optimizer: Optimizer,
    averages: HashMap<String, Tensor>,
    layout: Layout,
}

impl Trainer {
    /// Opens everything a run names; `resume` continues from its newest checkpoint.
    ///
    /// # Errors
    /// Whatever cannot be opened, or a run that has checkpoints already and is not to be resumed.
    pub fn open(run: RunFile, resume: bool, say: &mut dyn FnMut(&str)) -> Result<Self> {
        Self::open_on(run, resume, None, say)
    }

    /// As [`Self::open`], as one of several ranks that train together: each takes `batch` samples
    /// in every batch, and rank 0 writes.
    ///
    /// # Errors
    /// As [`Self::open`], or when another rank is gone.
    pub fn open_on(
        run: RunFile,
        resume: bool,
        ranks: Option<Ranks>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let device = setup::device(&run)?;
        let size = ranks.as_ref().map_or(1, Ranks::size);
        let from = starting_point(&run, resume, say)?;
        let mut config = setup::config(&run.model)?;
        if run.loss.hide_foresight > 0.0 && run.stage != Stage::Stage1 {
            if config.run.attention != AttentionMode::Uga {
                return Err(TrainError::Stopped(
                    "loss.hide_foresight: with attention \"released\" understanding sees the \
                     condition, so that foresight cannot be hidden"
                        .into(),
                ));
            }
            // The checkpoint says that its foresight may be left out.
            config.run.optional_foresight = true;
        }
        let data = open_data(&run, &mut config)?;
        let (prompt_tokenizer, prompts) = open_prompts(&run, &config, &data.reader)?;
        let mut model = open_model(&run, &config, &device, ranks.as_ref(), say)?;
        let mut progress = Progress {
            seed: run.seed,
            run: fingerprint(&run),
            samples_per_update: samples_per_update(&run, size),
            ..Progress::default()
        };
        if let Some(checkpoint) = &from {
            progress = restore(checkpoint, &run, size, &mut model)?;
            say(&format!("continuing at update {} from {}", progress.step, checkpoint.display()));
        }
        if let Some(ranks) = &ranks {
            same_start(ranks, &progress)?;
            say(&format!(
                "{size} ranks, {} samples an update, optimizer state {:.2} GB a rank",
                progress.samples_per_update,
                model.layout.state_bytes(&sizes(&model.optimizer)) as f64 * 1e-9
            ));
        }
        let (reader, parameters) = (&data.reader, &model.parameters);
        let tokens = tokens_in_turn(&run, &config, reader, parameters, ranks.as_ref(), say)?;
        let samples = data.reader.order(run.seed, Position::default())?.samples();
        let total = total_updates(&run, samples, size);
        let preparer = Preparer {
            reader: data.reader,
            normalisers: data.normalisers,
            prompts,
            tokens,
            config: config.clone(),
            random_crop: run.data.crop == Crop::Random,
            augmentation: run.data.augmentation.clone(),
            seed: run.seed,
            flow_draws: run.loss.flow_draws.max(1),
            cameras: data.cameras,
            wants_cameras: run.stage != Stage::Tokenizer,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("train{index}"))
            .build()
            .map_err(|fault| TrainError::Stopped(format!("no threads to compute on: {fault}")))?;
        let mut codebook = CodebookWatch::new(&config, run.loss.revive_after, run.seed);
        if ranks.as_ref().is_none_or(|ranks| ranks.rank() == 0) {
            // The counts of a checkpoint are those of all ranks.
            codebook.set_uses(&progress.code_uses);
        }
        let exchange = ranks.map(|ranks| Exchange::new(ranks, model.layout, &device));
        Ok(Self {
            run,
            config,
            device,
            parameters: model.parameters,
            optimizer: model.optimizer,
            averages: model.averages,
            preparer: Arc::new(preparer),
            statistics: data.statistics,
            prompt_tokenizer,
            codebook,
            progress,
            total,
            pool,
            exchange,
        })
    }
}

/// The checkpoint to continue from.
fn starting_point(run: &RunFile, resume: bool, say: Say<'_>) -> Result<Option<PathBuf>> {
    let newest = checkpoint::list(&run.output)?.pop();
    if !resume && newest.is_some() {
        return Err(TrainError::Stopped(format!(
            "{} holds checkpoints of an earlier run: continue it with --resume or choose another \
             output",
            run.output.display()
        )));
    }
    if resume && newest.is_none() {
        say("no checkpoint yet: starting from the beginning");
    }
    Ok(newest)
}

fn open_data(run: &RunFile, config: &mut Config) -> Result<OpenData> {
    let sources = setup::open_sources(run, config)?;
    let (statistics, normalisers) = if run.stage == Stage::Tokenizer {
        // It sees images alone.
        let normalisers = sources.iter().map(identities).collect::<Result<_>>()?;
        (StatisticsFile::default(), normalisers)
    } else {
        let statistics = setup::statistics(run, &sources)?;
        let normalisers = setup::normalisers(run, &sources, &statistics)?;
        (statistics, normalisers)
    };
    let cameras = sources.iter().map(|source| source.shown_cameras).max().unwrap_or(0);
    let cameras = understanding_cameras(config, cameras);
    Ok(OpenData { reader: setup::reader(run, sources), statistics, normalisers, cameras })
}

fn identities(source: &OpenSource) -> Result<(Normaliser, Normaliser)> {
    let (state, action) = setup::widths(source)?;
    let identity = |width: usize| Normaliser::identity(&vec![false; width]);
    Ok((identity(state), identity(action)))
}

/// `tokenizer.json`, which tokenizer training needs only to copy it, and the ids of every
/// instruction.
type Prompts = (Option<PathBuf>, HashMap<String, Arc<Vec<u32>>>);

fn open_prompts(run: &RunFile, config: &Config, reader: &Reader) -> Result<Prompts> {
    let found = setup::prompt_tokenizer(run);
    if run.stage == Stage::Tokenizer {
        return Ok((found.ok(), HashMap::new()));
    }
    let path = found?;
    let prompts = encode_prompts(reader, &setup::prompt_encoder(&path, config)?)?;
    Ok((Some(path), prompts))
}

fn open_model(
    run: &RunFile,
    config: &Config,
    device: &Device,
    ranks: Option<&Ranks>,
    say: Say<'_>,
) -> Result<OpenModel> {
    let (weights, initialised) = match ranks {
        Some(ranks) => setup::weights_of_rank_0(run, config, ranks)?,
        None => setup::weights(run, config)?,
    };
    if run.model.init.is_some() && !initialised.is_empty() {
        say(&format!("initialised, because the checkpoint lacks them: {}", initialised.join(", ")));
        refuse_adapters_of_nothing(run, config, &initialised)?;
    }
    let (rank, size) = ranks.map_or((0, 1), |ranks| (ranks.rank(), ranks.size()));
    let bytes = ranks.map_or(usize::MAX, Ranks::bucket_bytes);
    let (parameters, slots, layout) =
        Parameters::shared(config, &weights, run, device, rank, size, bytes)?;
    for (group, trained, all) in parameters.counts(&slots) {
        say(&format!("{:>13}: {trained} of {all} parameters trained", group.name()));
    }
    let optimizer = Optimizer::new(run.optimizer, slots);
    let mut averages = HashMap::new();
    if run.ema.is_some() {
        for slot in optimizer.slots() {
            averages.insert(slot.name.clone(), slot.owned_value()?.copy()?);
        }
    }
    Ok(OpenModel { parameters, optimizer, averages, layout })
}

/// Refuses adapters on weights that the checkpoint does not have: they would stay random under
/// them.
fn refuse_adapters_of_nothing(
    run: &RunFile,
    config: &Config,
    initialised: &[String],
) -> Result<()> {
    let specs = used_parameters(config).into_iter();
    let random = specs.filter(|spec| {
        run.adapts(spec.group) && is_adaptable(spec) && initialised.contains(&spec.name)
    });
    let groups: BTreeSet<&str> = random.map(|spec| spec.group.name()).collect();
    if groups.is_empty() {
        return Ok(());
    }
    let groups = groups.into_iter().collect::<Vec<_>>().join(", ");
    Err(TrainError::Stopped(format!(
        "lora.groups names {groups}, whose weights the checkpoint lacks: adapters would leave them \
         random; take {groups} out of lora.groups, and it is trained as a whole"
    )))
}

/// Elements and number type of every trained tensor.
fn sizes(optimizer: &Optimizer) -> Vec<(usize, DType)> {
    let slots = optimizer.slots().iter();
    slots.map(|slot| (slot.variable.elem_count(), slot.variable.dtype())).collect()
}

/// Puts the state of a checkpoint back, if it is one of this run.
fn restore(
    checkpoint: &Path,
    run: &RunFile,
    ranks: usize,
    model: &mut OpenModel,
) -> Result<Progress> {
    let saved = checkpoint::progress(checkpoint)?;
    if saved.run != fingerprint(run) {
        return Err(TrainError::Stopped(format!(
            "the run file has changed in a way that changes the numbers since {} was written",
            checkpoint.display()
        )));
    }
    check_update_size(run, ranks, saved.samples_per_update)?;
    checkpoint::restore(checkpoint, &mut model.optimizer, &mut model.averages)?;
    model.optimizer.set_updates(saved.updates);
    Ok(saved)
}

/// Refuses ranks that would start from another run or another update than rank 0.
fn same_start(ranks: &Ranks, progress: &Progress) -> Result<()> {
    let run = u64::from_str_radix(&progress.run, 16).unwrap_or_default();
    // Halves, so that f64 holds every digit.
    let own = [progress.step as f64, (run >> 32) as f64, (run & 0xffff_ffff) as f64];
    let all = ranks.gather(&own)?;
    match all.iter().position(|of| *of != all[0]) {
        None => Ok(()),
        Some(rank) => Err(TrainError::Stopped(format!(
            "rank {rank} starts with another run file, or from another checkpoint, than rank 0: \
             all ranks must read the same files, and the same output folder"
        ))),
    }
}

/// Frame tokens where the run keeps them. Rank 0 fills the cache, from which the others then read.
fn tokens_in_turn(
    run: &RunFile,
    config: &Config,
    reader: &Reader,
    parameters: &Parameters,
    ranks: Option<&Ranks>,
    say: Say<'_>,
) -> Result<Option<TokenCache>> {
    let keeps = run.stage != Stage::Tokenizer && run.data.crop == Crop::Center;
    if !keeps || config.generation.is_none() {
        return Ok(None);
    }
    let Some(ranks) = ranks else {
        return Ok(Some(frame_tokens(run, config, reader, parameters, say)?));
    };
    if ranks.rank() > 0 {
        ranks.barrier()?;
    }
    let tokens = frame_tokens(run, config, reader, parameters, say)?;
    if ranks.rank() == 0 {
        ranks.barrier()?;
    }
    Ok(Some(tokens))
}

fn frame_tokens(
    run: &RunFile,
    config: &Config,
    reader: &Reader,
    parameters: &Parameters,
    say: Say<'_>,
) -> Result<TokenCache> {
    let folder = run.data.token_cache.clone().unwrap_or_else(|| run.output.join("tokens"));
    let weights = parameters.weights()?;
    let network = F1Network::new(config, &weights, None)?;
    let mut tenths = 0;
    TokenCache::build(reader, &network, &weights, &folder, |done, all| {
        if done * 10 / all.max(1) > tenths {
            tenths = done * 10 / all.max(1);
            say(&format!("frame tokens: {done} of {all}"));
        }
    })
}

/// Updates of the whole run.
fn total_updates(run: &RunFile, samples: usize, ranks: usize) -> u64 {
    run.steps.unwrap_or_else(|| {
        let each = samples_per_update(run, ranks) as f64;
        (run.epochs.unwrap_or(1.0) * samples as f64 / each).ceil() as u64
    })
}
