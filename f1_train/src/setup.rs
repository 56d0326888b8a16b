//! From a run file to opened data, statistics and weights.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use f1_data::lerobot::{ColumnSlice, Columns, Dataset};
use f1_data::loader::{OpenSource, Reader};
use f1_data::mixture::Pick;
use f1_data::statistics::TurnJumps;
use f1_data::window::Window;
use f1_model::checkpoint::{self, LoadPrecision};
use f1_model::parameters::{Group, used_parameters};
use f1_model::weights::Weights;
use f1_model::{Config, PromptEncoder};
use f1_robot::statistics::{DatasetStatistics, Normaliser, StatisticsFile};
use f1_robot::{Circles, Robot, share};

use crate::ranks::Ranks;
use crate::run_file::{DeviceName, ModelSection, RunFile, SourceSection, Stage};
use crate::{Result, TrainError};

/// The device a run asks for.
///
/// # Errors
/// When this build or machine has none.
pub fn device(run: &RunFile) -> Result<Device> {
    Ok(match run.device {
        DeviceName::Cpu => Device::Cpu,
        DeviceName::Cuda => f1_kernels::device::cuda()?,
    })
}

/// The configuration with the run's changes.
///
/// # Errors
/// When it cannot be read or the changed one contradicts itself.
pub fn config(section: &ModelSection) -> Result<Config> {
    // A plain word that is no file or folder here names a preset.
    let word = section
        .config
        .to_str()
        .filter(|name| !name.contains(['/', '.']) && !section.config.exists());
    let mut config = match word {
        Some(name) => Config::preset(name)?,
        None => Config::load(&section.config)?,
    };
    if let Some(chunk) = section.chunk_size {
        config.chunk_size = chunk;
    }
    if let (Some(scales), Some(generation)) = (section.num_resolutions, config.generation.as_mut())
    {
        generation.num_resolutions = scales;
    }
    Ok(config)
}

/// Opens the data sets and writes what they decide (stride, frames, rate) into `config`.
///
/// # Errors
/// All that is wrong with one data set, or that they disagree.
pub fn open_sources(run: &RunFile, config: &mut Config) -> Result<Vec<OpenSource>> {
    let mut sources = Vec::new();
    for (name, section) in &run.data.sources {
        sources.push(open_source(name, section, run.stage, config)?);
    }
    let shape = |source: &OpenSource| (source.window.observed, source.window.predicted);
    if let Some(other) = sources.iter().find(|source| shape(source) != shape(&sources[0])) {
        return Err(TrainError::Stopped(format!(
            "`{}` and `{}` have different numbers of history or foresight frames",
            sources[0].name, other.name
        )));
    }
    if let Some(first) = sources.first() {
        config.run.history_frames = first.window.observed;
        config.run.obs_img_stride = first.window.stride;
        let rate = first.dataset.info().fps;
        let same = sources.iter().all(|source| source.dataset.info().fps == rate);
        config.run.dataset_rate_hz = same.then_some(rate);
    }
    config.validate("run file")?;
    Ok(sources)
}

fn open_source(
    name: &str,
    section: &SourceSection,
    stage: Stage,
    config: &Config,
) -> Result<OpenSource> {
    let dataset = Dataset::open(&section.path)?;
    let all = dataset.info().cameras();
    let mut cameras = section.cameras.clone().unwrap_or_else(|| all.clone());
    let history_camera = section.history_camera.clone().or_else(|| cameras.first().cloned());
    if config.generation.is_some() && history_camera.is_none() {
        return Err(TrainError::Stopped(format!(
            "`{name}` has no camera for history and foresight"
        )));
    }
    for camera in cameras.iter().chain(&history_camera) {
        if !all.contains(camera) {
            return Err(TrainError::Stopped(format!(
                "`{name}` has no camera `{camera}`; there are {}",
                all.join(", ")
            )));
        }
    }
    if stage == Stage::Tokenizer {
        cameras.clear();
    }
    let slices = |given: &Option<Vec<String>>, usual: &str| -> Result<Vec<ColumnSlice>> {
        let names = given.clone().unwrap_or_else(|| vec![usual.to_owned()]);
        Ok(names
            .iter()
            .map(|name| ColumnSlice::parse(name))
            .collect::<std::result::Result<_, _>>()?)
    };
    let mut columns = Columns {
        state: slices(&section.state, f1_data::lerobot::STATE)?,
        action: slices(&section.action, f1_data::lerobot::ACTION)?,
        cameras,
        circles: None,
    };
    let (state, action) = widths_of(&dataset, &columns)?;
    columns.circles = match &section.robot {
        Some(robot) => {
            let circles = circles(name, robot, (state, action))?;
            Some(if section.delta_actions { circles.of_set_points() } else { circles })
        }
        None => None,
    };
    let shown_cameras = columns.cameras.len();
    // Read with the episode, though not shown to the understanding expert.
    let extra = history_camera.iter().filter(|camera| !columns.cameras.contains(camera)).cloned();
    let hidden: Vec<String> = extra.collect();
    columns.cameras.extend(hidden);
    let mut window = Window::new(
        section.n_obs_img_steps,
        section.n_pred_img_steps,
        section.obs_img_stride,
        config.chunk_size,
    )?;
    window.action_shift = section.action_shift;
    window.delta = section.delta_actions;
    let pick = match (section.samples_per_episode, section.one_in) {
        (Some(count), _) if stage == Stage::Stage1 => Pick::PerEpisode(count),
        (_, Some(share)) => Pick::OneIn(share),
        _ => Pick::All,
    };
    let first_frame = if section.full_history { (window.observed - 1) * window.stride } else { 0 };
    Ok(OpenSource {
        name: name.to_owned(),
        dataset,
        columns,
        shown_cameras,
        history_camera,
        window,
        weight: section.weight,
        pick,
        first_frame,
        skip_episodes: section.skip_episodes.clone(),
        cut_task_at: section.cut_task_at,
    })
}

/// The angles of a robot's joints that turn without end, for vectors of these widths.
fn circles(name: &str, robot: &str, widths: (usize, usize)) -> Result<Circles> {
    let stopped = |fault: &dyn std::fmt::Display| {
        TrainError::Stopped(format!("`{name}`: the robot `{robot}`: {fault}"))
    };
    let file = share::robot_file(robot).map_err(|fault| stopped(&fault))?;
    let circles = Robot::load(&file).map_err(|fault| stopped(&fault))?.circles();
    let (state, action) = circles.widths();
    if widths != (state, action) {
        return Err(stopped(&format!(
            "its state has {state} entries and its action {action}, the data set {} and {}",
            widths.0, widths.1
        )));
    }
    Ok(circles)
}

/// Statistics of every source that does not use another's: read where the run names a file,
/// computed otherwise.
///
/// # Errors
/// When a file lacks an entry or holds unusable numbers.
pub fn statistics(run: &RunFile, sources: &[OpenSource]) -> Result<StatisticsFile> {
    let mut file = StatisticsFile::default();
    for source in sources {
        let section = &run.data.sources[&source.name];
        if section.statistics_of.is_some() {
            continue;
        }
        let mut entry = match &section.statistics {
            // A file with one entry is of the robot, whatever its data sets are called.
            Some(path) => {
                let given = StatisticsFile::load(path)?;
                let only = given.entries.values().next().filter(|_| given.entries.len() == 1);
                only.map_or_else(|| given.get(&source.name), Ok)?.clone()
            }
            None => of_source(source)?,
        };
        let (state, action) = widths(source)?;
        entry.check(state, action)?;
        // The checkpoint's statistics say what was left out: it runs on a robot as it was trained.
        entry.state.ignored.clone_from(&section.ignored_state);
        entry.action.ignored.clone_from(&section.ignored_action);
        file.entries.insert(source.name.clone(), entry);
    }
    Ok(file)
}

/// Exact statistics of a source as its samples are made: differences where actions are differences.
///
/// # Errors
/// When an episode cannot be read.
pub fn of_source(source: &OpenSource) -> Result<DatasetStatistics> {
    let columns = Columns { cameras: Vec::new(), ..source.columns.clone() };
    let (mut states, mut actions) = (Vec::new(), Vec::new());
    let mut jumps = TurnJumps::default();
    for episode in source.dataset.episodes() {
        if source.skip_episodes.contains(&episode.index) {
            continue;
        }
        let table = source.dataset.read_episode(episode.index, &columns)?;
        jumps.count(&table.state);
        if source.window.delta {
            for frame in 0..table.len() {
                let (rows, padded) = source.window.chunk(frame, &table.action, &table.state[frame]);
                actions.extend(
                    rows.into_iter().zip(padded).filter(|(_, padded)| !padded).map(|(row, _)| row),
                );
            }
        } else {
            actions.extend(table.action);
        }
        states.extend(table.state);
    }
    if let Some(warning) = jumps.warning().filter(|_| source.columns.circles.is_none()) {
        tracing::warn!("`{}`: {warning}; give the source's `robot`", source.name);
    }
    Ok(f1_data::statistics::of_dataset(&states, &actions))
}

/// Widths of a source's state and action.
///
/// # Errors
/// When a column is unknown.
pub fn widths(source: &OpenSource) -> Result<(usize, usize)> {
    widths_of(&source.dataset, &source.columns)
}

fn widths_of(dataset: &Dataset, columns: &Columns) -> Result<(usize, usize)> {
    let width = |slices: &[ColumnSlice]| -> Result<usize> {
        let mut sum = 0;
        for slice in slices {
            let feature = dataset.info().feature(dataset.root(), &slice.column)?;
            sum += slice.range.map_or(feature.width(), |(from, to)| to - from);
        }
        Ok(sum)
    };
    Ok((width(&columns.state)?, width(&columns.action)?))
}

/// Normalisers of state and action of every source.
///
/// # Errors
/// When a dimension's spread is too small to divide by; the message says which and what to do.
pub fn normalisers(
    run: &RunFile,
    sources: &[OpenSource],
    file: &StatisticsFile,
) -> Result<Vec<(Normaliser, Normaliser)>> {
    let mut out = Vec::new();
    for source in sources {
        let section = &run.data.sources[&source.name];
        let entry = file.get(section.statistics_of.as_ref().unwrap_or(&source.name))?;
        let (state, action) = widths(source)?;
        entry.check(state, action)?;
        let flags = |width: usize, ignored: &[usize]| -> Vec<bool> {
            (0..width).map(|dim| ignored.contains(&dim)).collect()
        };
        let hint = |fault: f1_robot::statistics::StatisticsError, key: &str| {
            TrainError::Stopped(format!(
                "`{}`: {fault}; list dimensions that never move in `{key}`",
                source.name
            ))
        };
        let kind = section.normalisation.into();
        let of_state =
            Normaliser::new(&entry.state, kind, &flags(state, &section.ignored_state), "state")
                .map_err(|fault| hint(fault, "ignored_state"))?;
        let of_action =
            Normaliser::new(&entry.action, kind, &flags(action, &section.ignored_action), "action")
                .map_err(|fault| hint(fault, "ignored_action"))?;
        out.push((of_state, of_action));
    }
    Ok(out)
}

/// The weights a run starts from, in f32 on the processor, and the names that were initialised.
///
/// # Errors
/// When a checkpoint does not fit.
pub fn weights(run: &RunFile, config: &Config) -> Result<(Weights, Vec<String>)> {
    let device = Device::Cpu;
    let (base, mut initialised) = match &run.model.init {
        Some(path) => {
            let precision =
                LoadPrecision { dtype: DType::F32, allow_missing: run.model.allow_missing };
            let (weights, report) = checkpoint::load(path, config, precision, &device)?;
            (weights, report.initialised)
        }
        None => {
            let names = used_parameters(config).into_iter().map(|spec| spec.name).collect();
            (checkpoint::random(config, run.seed, DType::F32, &device)?, names)
        }
    };
    let Some(path) = &run.model.image_tokenizer else { return Ok((base, initialised)) };
    let specs = used_parameters(config);
    let mut tensors: std::collections::HashMap<_, _> = specs
        .iter()
        .filter_map(|spec| Some((spec.name.clone(), base.tensor(&spec.name)?.clone())))
        .collect();
    if path.extension().is_some_and(|extension| extension == "pth") {
        tensors.extend(checkpoint::load_var_tokenizer(path, config, &device)?);
    } else {
        // The experts of the model that it was trained in may be of another size.
        let group = Group::Tokenizer;
        tensors.extend(checkpoint::load_group(path, config, group, DType::F32, &device)?);
    }
    initialised.retain(|name| !name.starts_with(f1_model::parameters::TOKENIZER));
    Ok((Weights::new(tensors), initialised))
}

/// As [`weights`], read or drawn by rank 0 and broadcast to all ranks.
///
/// # Errors
/// As [`weights`], or when another rank is gone.
pub fn weights_of_rank_0(
    run: &RunFile,
    config: &Config,
    ranks: &Ranks,
) -> Result<(Weights, Vec<String>)> {
    let (own, initialised) = match ranks.rank() {
        0 => weights(run, config).map(|(weights, names)| (Some(weights), names))?,
        _ => (None, Vec::new()),
    };
    let mut tensors = std::collections::HashMap::new();
    for spec in used_parameters(config) {
        let own = match &own {
            Some(weights) => weights.get(spec.shape.as_slice(), &spec.name)?,
            None => {
                let dtype = if spec.stored == DType::I64 { DType::I64 } else { DType::F32 };
                Tensor::zeros(spec.shape.as_slice(), dtype, &Device::Cpu)?
            }
        };
        tensors.insert(spec.name.clone(), ranks.broadcast(&own)?);
    }
    Ok((Weights::new(tensors), initialised))
}

/// Where the prompt's `tokenizer.json` is.
///
/// # Errors
/// When none is found; the message says where it was expected.
pub fn prompt_tokenizer(run: &RunFile) -> Result<PathBuf> {
    if let Some(path) = &run.model.prompt_tokenizer {
        return Ok(path.clone());
    }
    let beside = |path: &Path| -> PathBuf {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        folder.join("tokenizer.json")
    };
    let places: Vec<PathBuf> =
        run.model.init.iter().chain([&run.model.config]).map(|path| beside(path)).collect();
    places.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        TrainError::Stopped(format!(
            "no tokenizer.json for the instructions ({}): weights do not carry it; give model.prompt_tokenizer",
            places.join(", ")
        ))
    })
}

/// The prompt encoder.
///
/// # Errors
/// When the file is missing or does not fit the model.
pub fn prompt_encoder(path: &Path, config: &Config) -> Result<PromptEncoder> {
    Ok(PromptEncoder::load(path, config.prompt_length, config.understanding.vocab_size)?)
}

/// A reader over the sources with the run's memory.
#[must_use]
pub fn reader(run: &RunFile, sources: Vec<OpenSource>) -> Reader {
    Reader::new(sources, (run.data.cache_gb.max(0.0) * 1e9) as usize)
}
