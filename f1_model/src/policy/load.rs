//! Loading a policy.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use f1_kernels::device;
use f1_kernels::stream::{self, OnDevice};

use super::{Dtype, F1Policy, LoadOptions, Stages};
use crate::Result;
use crate::checkpoint::{self, LoadPrecision, LoadReport};
use crate::config::Config;
use crate::image_prep::ImageUploader;
use crate::network::F1Network;
use crate::parameters::TOKENIZER;
use crate::prompt::PromptEncoder;
use crate::tokenizer::Painter;
use crate::weights::Weights;

impl F1Policy {
    /// Loads `config.json`, the weights and `tokenizer.json` from a directory.
    ///
    /// A directory without `tokenizer.json` can be loaded; then [`F1Policy::encode_prompt`] fails
    /// and names the file.
    ///
    /// # Errors
    /// The configuration or the checkpoint is faulty; every fault is listed.
    pub fn load(dir: &Path, options: &LoadOptions) -> Result<Self> {
        let config = Config::load(dir)?;
        Self::load_with_config(dir, &config, options)
    }

    /// As [`F1Policy::load`] with another configuration than the directory's.
    ///
    /// # Errors
    /// The checkpoint is faulty; every fault is listed.
    pub fn load_with_config(dir: &Path, config: &Config, options: &LoadOptions) -> Result<Self> {
        let device = options.device.open()?;
        // An upload would break a graph that another policy is recording.
        let _lock = device.is_cuda().then(stream::read_lock);
        let precision =
            LoadPrecision { dtype: options.dtype.candle(), allow_missing: options.allow_missing };
        let (weights, report) = checkpoint::load(dir, config, precision, &device)?;
        for name in &report.initialised {
            tracing::warn!(tensor = name, "missing in the checkpoint, initialised");
        }
        let tokenizer = dir.join("tokenizer.json");
        let prompts = if tokenizer.is_file() {
            Some(PromptEncoder::load(
                &tokenizer,
                config.prompt_length,
                config.understanding.vocab_size,
            )?)
        } else {
            None
        };
        Self::build(config, weights, options, prompts, report)
    }

    /// A policy with random weights: for timing and tests.
    ///
    /// # Errors
    /// The configuration is faulty.
    pub fn random(config: &Config, seed: u64, options: &LoadOptions) -> Result<Self> {
        config.validate("random policy")?;
        let device = options.device.open()?;
        let _lock = device.is_cuda().then(stream::read_lock);
        let weights = checkpoint::random(config, seed, options.dtype.candle(), &device)?;
        Self::build(config, weights, options, None, LoadReport::default())
    }

    fn build(
        config: &Config,
        weights: Weights,
        options: &LoadOptions,
        prompts: Option<PromptEncoder>,
        report: LoadReport,
    ) -> Result<Self> {
        let weights = match options.dtype {
            Dtype::Bf16 => weights.allowing_tf32(),
            Dtype::F32 => weights,
        };
        let mut network = F1Network::new(config, &weights, options.quant)?;
        let painter = match (&config.generation, network.foresight()) {
            (Some(generation), Ok(foresight)) => {
                let device = device::second_stream(network.device())?;
                let painter = if device.is_cuda() {
                    Painter::new(generation, &weights.pp(TOKENIZER).moved(&device)?)?
                } else {
                    foresight.tokenizer.painter().clone()
                };
                Some((OnDevice::new(Arc::new(painter)), device))
            }
            _ => None,
        };
        // Before weights are joined, so that none is in memory twice.
        drop(weights);
        if network.device().is_cuda() {
            network.join()?;
            device::release_freed_memory(network.device())?;
        }
        for name in network.unquantised() {
            tracing::warn!(
                layer = name,
                "its width is not a multiple of the block; it stays unquantised"
            );
        }
        let network = OnDevice::new(Arc::new(network));
        let stages = OnDevice::new(Stages::new(options.cuda_graphs));
        let images = OnDevice::new(ImageUploader::default());
        let generations = AtomicU64::new(0);
        Ok(Self { network, painter, stages, images, prompts, report, generations })
    }

    /// Adds a prompt encoder, for a directory that keeps `tokenizer.json` elsewhere.
    ///
    /// # Errors
    /// The file is missing or damaged.
    pub fn set_tokenizer(&mut self, path: &Path) -> Result<()> {
        let config = self.network.config();
        self.prompts =
            Some(PromptEncoder::load(path, config.prompt_length, config.understanding.vocab_size)?);
        Ok(())
    }
}
