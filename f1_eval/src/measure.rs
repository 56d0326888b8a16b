//! Measuring a checkpoint, batch by batch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{D, DType, Device, Tensor};
use f1_data::mixture::{Drawn, Position};
use f1_model::checkpoint::{self, LoadPrecision};
use f1_model::network::F1Network;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::training::FrameTokens;
use f1_model::{Config, image_prep};
use f1_train::batch::{Frames, Prepared, Preparer, encode_prompts, understanding_cameras};
use f1_train::run_file::{NormalisationName, RunFile, SourceSection};
use f1_train::setup;
use image::RgbImage;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde_json::json;

use crate::report::{Accuracy, Measures, Report, TAUS};
use crate::{EvalError, Result};

/// What to measure.
#[derive(Debug, Clone)]
pub struct EvalSettings {
    /// Folder of the data set.
    pub dataset: PathBuf,
    /// Checkpoint folder with `stats.json` and `tokenizer.json`.
    pub model: PathBuf,
    /// Entry of `stats.json`; the only one without it.
    pub entry: Option<String>,
    /// Normalisation the model was trained with.
    pub normalisation: NormalisationName,
    /// Cameras of the understanding expert; all of them without it.
    pub cameras: Option<Vec<String>>,
    /// Camera of history and foresight; the first without it.
    pub history_camera: Option<String>,
    /// Actions as differences, the first against the state: as the model was trained.
    pub delta_actions: bool,
    /// How the run that trained the model read its data: columns, differences, shifts,
    /// normalisation. With it, of the settings above only cameras count, where given.
    pub source: Option<SourceSection>,
    /// Samples measured.
    pub samples: usize,
    /// Samples a batch.
    pub batch: usize,
    /// Seed of the choice of samples and of the noise.
    pub seed: u64,
    /// Examples kept as images.
    pub examples: usize,
}

/// Foresight of one sample as images.
#[derive(Debug, Clone)]
pub struct Example {
    /// Instruction.
    pub task: String,
    /// History, oldest first.
    pub history: Vec<RgbImage>,
    /// What the model foresaw.
    pub foreseen: RgbImage,
    /// The true image.
    pub came: RgbImage,
}

/// A checkpoint and a data set, opened.
pub struct Evaluator {
    settings: EvalSettings,
    config: Config,
    network: F1Network,
    preparer: Preparer,
    action_dim: usize,
}

impl Evaluator {
    /// Opens both.
    ///
    /// # Errors
    /// When one cannot be opened or they do not fit each other.
    pub fn open(settings: EvalSettings) -> Result<Self> {
        let stats = settings.model.join("stats.json");
        if !stats.is_file() {
            return Err(EvalError::NoStatistics { stats, dataset: settings.dataset });
        }
        let file = f1_robot::statistics::StatisticsFile::load(&stats)?;
        let entry = match (&settings.entry, file.entries.keys().next()) {
            (Some(entry), _) => entry.clone(),
            (None, Some(only)) if file.entries.len() == 1 => only.clone(),
            _ => {
                let entries = file.entries.keys().cloned().collect();
                return Err(EvalError::SeveralEntries { stats, entries });
            }
        };
        let run = run_of(&settings, &entry, &stats)?;
        let mut config = setup::config(&run.model)?;
        let sources = setup::open_sources(&run, &mut config)?;
        let action_dim = setup::widths(&sources[0])?.1;
        let statistics = setup::statistics(&run, &sources)?;
        let normalisers = setup::normalisers(&run, &sources, &statistics)?;
        let cameras = understanding_cameras(&config, sources[0].shown_cameras);
        let reader = setup::reader(&run, sources);
        let encoder = setup::prompt_encoder(&setup::prompt_tokenizer(&run)?, &config)?;
        let prompts = encode_prompts(&reader, &encoder)?;
        let precision = LoadPrecision { dtype: DType::F32, allow_missing: false };
        let (weights, _) = checkpoint::load(&settings.model, &config, precision, &Device::Cpu)?;
        let network = F1Network::new(&config, &weights, None)?;
        let preparer = Preparer {
            reader,
            normalisers,
            prompts,
            tokens: None,
            config: config.clone(),
            random_crop: false,
            augmentation: None,
            seed: settings.seed,
            flow_draws: 1,
            cameras,
            wants_cameras: true,
        };
        Ok(Self { settings, config, network, preparer, action_dim })
    }

    /// Measures; `progress` gets samples done and of all.
    ///
    /// # Errors
    /// When a sample cannot be read.
    pub fn run(&self, mut progress: impl FnMut(usize, usize)) -> Result<(Report, Vec<Example>)> {
        let mut order = self.preparer.reader.order(self.settings.seed, Position::default())?;
        let all = self.settings.samples.min(order.samples());
        let drawn: Vec<Drawn> = (0..all).map(|_| order.draw()).collect();
        let mut tasks: BTreeMap<String, Measures> = BTreeMap::new();
        let mut examples = Vec::new();
        for (index, part) in drawn.chunks(self.settings.batch.max(1)).enumerate() {
            let samples: Vec<Prepared> = part
                .to_vec()
                .into_par_iter()
                .map(|drawn| self.preparer.prepare(drawn))
                .collect::<f1_train::Result<_>>()?;
            self.measure(&samples, &mut tasks, &mut examples)?;
            progress((index * self.settings.batch + part.len()).min(all), all);
        }
        let name = |path: &Path| path.display().to_string();
        Ok((
            Report::new(name(&self.settings.model), name(&self.settings.dataset), &tasks),
            examples,
        ))
    }

    fn measure(
        &self,
        samples: &[Prepared],
        tasks: &mut BTreeMap<String, Measures>,
        examples: &mut Vec<Example>,
    ) -> Result<()> {
        let device = self.network.device();
        let batch = self
            .preparer
            .collate(samples, device, |frames| Ok(self.network.tokenize(frames)?))?;
        let mut measures: Vec<Measures> =
            samples.iter().map(|_| Measures { samples: 1, ..Measures::default() }).collect();
        let mut recorder = Recorder::off();
        let mut source = TokenSource::Greedy;
        let prefix = self.network.perceive_batch(&batch, &mut source, &mut recorder)?;
        if self.network.has_foresight() {
            let output = self.network.stage1_loss(&batch, None, &mut recorder)?;
            if let (Some(logits), Some(targets)) = (&output.logits, &output.targets) {
                let likeliest: Vec<Vec<u32>> = logits.argmax(D::Minus1)?.to_vec2()?;
                let targets: Vec<Vec<u32>> = targets.to_vec2()?;
                self.by_scale(&likeliest, &targets, &mut measures, |measures| &mut measures.forced);
                let own: Vec<Vec<u32>> = Tensor::cat(&prefix.tokens, 1)?.to_vec2()?;
                self.by_scale(&own, &targets, &mut measures, |measures| &mut measures.own);
            }
            if let (Some(f_hat), Some(tokens)) = (&prefix.f_hat, &batch.frame_tokens) {
                self.images(samples, f_hat, tokens, &mut measures, examples)?;
            }
        }
        let actions = self.network.act(&prefix, &batch.state, &batch.noise, None, &mut recorder)?;
        let found: Vec<Vec<Vec<f32>>> = actions.to_vec3()?;
        let truth: Vec<Vec<Vec<f32>>> = batch.actions.to_vec3()?;
        for (index, measures) in measures.iter_mut().enumerate() {
            for (step, padded) in samples[index].padded.iter().enumerate() {
                if !padded {
                    let (found, truth) = (&found[index][step], &truth[index][step]);
                    compare(&found[..self.action_dim], &truth[..self.action_dim], measures);
                }
            }
        }
        for (sample, measures) in samples.iter().zip(&measures) {
            tasks.entry(self.task_of(sample)?).or_default().merge(measures);
        }
        Ok(())
    }

    fn task_of(&self, sample: &Prepared) -> Result<String> {
        Ok(self.preparer.reader.sample(sample.drawn)?.task)
    }

    fn by_scale(
        &self,
        found: &[Vec<u32>],
        truth: &[Vec<u32>],
        measures: &mut [Measures],
        pick: fn(&mut Measures) -> &mut Vec<Accuracy>,
    ) {
        let sides =
            self.config.generation.as_ref().map_or(&[][..], |generation| &generation.scales);
        for ((found, truth), measures) in found.iter().zip(truth).zip(measures) {
            let scales = pick(measures);
            let mut start = 0;
            for side in sides {
                let end = start + side * side;
                if end > found.len() {
                    break;
                }
                let mut accuracy = Accuracy::default();
                (start..end).for_each(|place| accuracy.add(found[place] == truth[place]));
                scales.push(accuracy);
                start = end;
            }
        }
    }

    fn images(
        &self,
        samples: &[Prepared],
        f_hat: &Tensor,
        tokens: &FrameTokens,
        measures: &mut [Measures],
        examples: &mut Vec<Example>,
    ) -> Result<()> {
        let tokenizer = &self.network.foresight()?.tokenizer;
        let observed = self.config.run.history_frames;
        let scales = tokenizer.quantizer().scales().len();
        let foreseen = tokenizer.decode(f_hat)?;
        let target = tokens.narrow(observed, 1)?;
        let best = match &target.features {
            Some(features) => tokenizer.quantizer().map_of_vectors(&features.squeeze(1)?)?,
            None => tokenizer.quantizer().accumulate(&target.ids.squeeze(1)?, scales)?,
        };
        let best = tokenizer.decode(&best)?;
        for (index, sample) in samples.iter().enumerate() {
            let Frames::Pixels(frames) = &sample.frames else { continue };
            let came = image_prep::to_image(&frames.get(observed)?)?;
            let newest = image_prep::to_image(&frames.get(observed - 1)?)?;
            let foreseen = image_prep::to_image(&foreseen.get(index)?)?;
            let best = image_prep::to_image(&best.get(index)?)?;
            let measures = &mut measures[index];
            for (errors, image) in [
                (&mut measures.foreseen, &foreseen),
                (&mut measures.repeated, &newest),
                (&mut measures.tokenizer, &best),
            ] {
                errors.add(image, &newest, &came);
            }
            if examples.len() < self.settings.examples {
                let history: Vec<RgbImage> = (0..observed)
                    .map(|frame| Ok(image_prep::to_image(&frames.get(frame)?)?))
                    .collect::<Result<_>>()?;
                examples.push(Example { task: self.task_of(sample)?, history, foreseen, came });
            }
        }
        Ok(())
    }
}

fn compare(found: &[f32], truth: &[f32], measures: &mut Measures) {
    let mut square = 0.0;
    for (found, truth) in found.iter().zip(truth) {
        let difference = f64::from(found - truth);
        square += difference * difference;
        for (index, tau) in TAUS.iter().enumerate() {
            measures.dimension[index].add(difference.abs() < *tau);
        }
    }
    for (index, tau) in TAUS.iter().enumerate() {
        measures.action[index].add(square.sqrt() < *tau);
    }
    measures.action_square.0 += square;
    measures.action_square.1 += found.len() as f64;
}

/// A run file that opens the data as the model needs it.
fn run_of(settings: &EvalSettings, entry: &str, stats: &Path) -> Result<RunFile> {
    let config = Config::load(&settings.model)?;
    let stride = config.run.obs_img_stride;
    let mut source = json!({
        "path": settings.dataset,
        "cameras": settings.cameras,
        "history_camera": settings.history_camera,
        "n_obs_img_steps": config.run.history_frames * stride,
        "n_pred_img_steps": stride,
        "obs_img_stride": stride,
        "normalisation": settings.normalisation,
        "delta_actions": settings.delta_actions,
        "statistics": stats,
    });
    if let Some(trained) = &settings.source {
        // Windows are the model's, and every sample of the data set counts alike.
        let trained = SourceSection {
            path: settings.dataset.clone(),
            cameras: settings.cameras.clone().or_else(|| trained.cameras.clone()),
            history_camera: settings
                .history_camera
                .clone()
                .or_else(|| trained.history_camera.clone()),
            n_obs_img_steps: config.run.history_frames * stride,
            n_pred_img_steps: stride,
            obs_img_stride: stride,
            statistics: Some(stats.to_path_buf()),
            weight: 1.0,
            samples_per_episode: None,
            one_in: None,
            skip_episodes: Vec::new(),
            ..trained.clone()
        };
        source = serde_json::to_value(trained)?;
    }
    let run = json!({
        "stage": "stage3",
        "output": "",
        "model": {"config": settings.model, "init": settings.model},
        "data": {"sources": {entry: source}},
        "batch": settings.batch,
        "steps": 1,
        "learning_rate": {"default": 0.0},
        "schedule": {"shape": "constant"},
    });
    Ok(serde_json::from_value(run)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_right_when_its_whole_vector_is_near() {
        let mut measures = Measures::default();
        // Each dimension is 0.04 off: near on its own, 0.0566 off together.
        compare(&[0.54, 0.04], &[0.5, 0.0], &mut measures);
        assert_eq!(measures.dimension[2].share(), Some(1.0));
        assert_eq!(measures.action[2].share(), Some(0.0));
        compare(&[0.505, 0.0], &[0.5, 0.0], &mut measures);
        assert_eq!(measures.action.map(|accuracy| accuracy.right), [1.0, 1.0, 1.0]);
    }
}
