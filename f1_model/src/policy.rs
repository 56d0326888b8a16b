//! The user's side of the network: load, perceive, act, imagine.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::checkpoint::{self, LoadPrecision, LoadReport};
use crate::config::Config;
use crate::device::{self, Held, Using};
use crate::experts::KvCache;
use crate::flow::RtcGuidance;
#[cfg(feature = "cuda")]
use crate::graphs::Turn;
use crate::graphs::{Graphs, Stage};
use crate::image_prep::{self, ImageUploader};
use crate::linear::Quant;
use crate::network::{F1Network, PrefixState};
use crate::padding::Padding;
use crate::parameters::TOKENIZER;
use crate::prompt::{Prompt, PromptEncoder};
use crate::recorder::Recorder;
use crate::sampling::TokenSource;
use crate::tokenizer::Painter;
use crate::weights::Weights;
use crate::{Error, Result};

/// Where the network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// This machine's processor.
    #[default]
    Cpu,
    /// The first CUDA device; needs a build with the feature `cuda`.
    Cuda,
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// There is none, or this build has no CUDA.
    pub fn open(self) -> Result<Device> {
        match self {
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Cuda if !candle_core::utils::cuda_is_available() => Err(Error::input(
                "this program was built without CUDA; build it with `--features cuda` (docs/gpu.md), or leave the \
                 device at cpu",
            )),
            DeviceChoice::Cuda => device::cuda().map_err(|error| {
                Error::input(format!(
                    "no CUDA device can be used: {error}; `nvidia-smi` says what the driver sees"
                ))
            }),
        }
    }
}

/// Precision of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit brain floats where the published files have them, 32-bit floats elsewhere.
    Bf16,
}

impl Dtype {
    fn candle(self) -> DType {
        match self {
            Dtype::F32 => DType::F32,
            Dtype::Bf16 => DType::BF16,
        }
    }
}

/// How to load a policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Device.
    pub device: DeviceChoice,
    /// Precision of the weights.
    pub dtype: Dtype,
    /// Quantisation of the experts' linear layers.
    pub quant: Option<Quant>,
    /// On a GPU, record each stage once for each number of cameras and length of the instruction
    /// and start it as one from then on. What the recording computes is compared with what was
    /// computed without it before it is used.
    pub cuda_graphs: bool,
    /// Initialise tensors the checkpoint lacks; they are listed in the report and the log.
    pub allow_missing: bool,
}

/// A camera image ready for the network, `[3, side, side]`; cheap to clone.
#[derive(Clone)]
pub struct CameraInput {
    tensor: Held<Tensor>,
}

impl CameraInput {
    /// The pixels, `[3, side, side]` in [-1, 1].
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}

/// A history frame ready for the tokenizer, `[3, side, side]`; cheap to clone.
#[derive(Clone)]
pub struct FrameInput {
    tensor: Held<Tensor>,
}

impl FrameInput {
    /// The pixels, `[3, side, side]` in [-1, 1].
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}

/// Understanding tokens of one observation, `[1, tokens, width]`; cheap to clone.
#[derive(Clone)]
pub struct Embedded {
    tokens: Held<Tensor>,
}

impl Embedded {
    /// `[1, tokens, width]`: those of each camera, then the prompt's.
    pub fn tensor(&self) -> &Tensor {
        &self.tokens
    }
}

/// A history frame, encoded once when it arrives; cheap to clone.
#[derive(Clone)]
pub struct HistoryFrame {
    /// `[L]` in u32.
    tokens: Arc<Vec<u32>>,
    /// `[L - 1, codes]`.
    vectors: Held<Tensor>,
}

impl HistoryFrame {
    /// Token ids of all scales, small to large.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }
}

/// One observation.
#[derive(Clone)]
pub struct PolicyInput {
    /// Cameras in the model's order; an absent one is left out.
    pub cameras: Vec<Option<CameraInput>>,
    /// The instruction.
    pub prompt: Prompt,
    /// Oldest first; when shorter than the model's history, the first frame is repeated.
    pub history: Vec<HistoryFrame>,
}

/// One request for actions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActRequest {
    /// Seed of the noise.
    pub seed: u64,
    /// Steering toward the chunk being executed.
    pub guidance: Option<RtcGuidance>,
}

/// What actions are generated from: understanding and foresight; shared, cheap to clone.
#[derive(Clone)]
pub struct Prefix {
    state: Arc<Held<PrefixState>>,
    /// The accumulated map, on the host.
    foreseen: Option<Tensor>,
    tokens: Arc<Vec<Vec<u32>>>,
    confidence: Arc<Vec<f32>>,
}

impl Prefix {
    /// Reads the foresight's tokens and their probabilities.
    fn read(state: PrefixState) -> Result<Self> {
        let (mut tokens, mut confidence) = (Vec::new(), Vec::new());
        if !state.tokens.is_empty() {
            // Of all scales at once: the host waits for the device here and nowhere before.
            let ids = Tensor::cat(&state.tokens, 1)?;
            let probabilities = crate::ops::softmax(&Tensor::cat(&state.logits, 1)?)?;
            confidence =
                probabilities.gather(&ids.unsqueeze(2)?, 2)?.flatten_all()?.to_vec1::<f32>()?;
            if confidence.iter().any(|probability| !probability.is_finite()) {
                return Err(Error::input("foresight logits are not finite"));
            }
            let mut ids = ids.flatten_all()?.to_vec1::<u32>()?.into_iter();
            for scale in &state.tokens {
                tokens.push(ids.by_ref().take(scale.elem_count()).collect());
            }
        }
        let foreseen =
            state.f_hat.as_ref().map(|f_hat| f_hat.to_device(&Device::Cpu)).transpose()?;
        let state = Arc::new(Held::new(state));
        Ok(Self { state, foreseen, tokens: Arc::new(tokens), confidence: Arc::new(confidence) })
    }

    /// Foresight token ids of each generated scale; empty in the pi0 layout.
    pub fn tokens(&self) -> &[Vec<u32>] {
        &self.tokens
    }

    /// Probability the network gave each foresight token, scale after scale.
    pub fn token_confidence(&self) -> &[f32] {
        &self.confidence
    }

    /// Tokens the action expert attends to.
    pub fn len(&self) -> usize {
        self.state.cache.len()
    }

    /// Whether there is nothing to attend to.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The network's side of it.
    pub fn state(&self) -> &PrefixState {
        &self.state
    }
}

/// A loaded policy: shared by `Arc`, every method takes `&self`. Dropped while another one records
/// a graph, it waits.
pub struct F1Policy {
    network: Held<Arc<F1Network>>,
    /// Makes the foresight image, on a GPU beside everything else; with the device it is on.
    painter: Option<(Held<Arc<Painter>>, Device)>,
    graphs: Held<Graphs>,
    images: Held<ImageUploader>,
    prompts: Option<PromptEncoder>,
    report: LoadReport,
}

impl F1Policy {
    /// Loads `config.json`, the weights and `tokenizer.json` from a directory.
    ///
    /// A directory without `tokenizer.json` loads; then [`F1Policy::encode_prompt`] says what is
    /// missing.
    ///
    /// # Errors
    /// The configuration or the checkpoint is faulty; every fault is listed.
    pub fn load(dir: &Path, options: &LoadOptions) -> Result<Self> {
        let config = Config::load(dir)?;
        Self::load_with_config(dir, &config, options)
    }

    /// As [`F1Policy::load`] with a configuration from elsewhere.
    ///
    /// # Errors
    /// The checkpoint is faulty; every fault is listed.
    pub fn load_with_config(dir: &Path, config: &Config, options: &LoadOptions) -> Result<Self> {
        let device = options.device.open()?;
        // Uploading would break a graph that another policy records meanwhile.
        let _using = device.is_cuda().then(device::using);
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
        let _using = device.is_cuda().then(device::using);
        let weights = checkpoint::random(config, seed, options.dtype.candle(), &device)?;
        Self::build(config, weights, options, None, LoadReport::default())
    }

    /// Held while work is given to the device or what it computed is read.
    fn using(&self) -> Option<Using> {
        self.network.device().is_cuda().then(device::using)
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
                let device = device::beside(network.device())?;
                let painter = if device.is_cuda() {
                    Painter::new(generation, &weights.pp(TOKENIZER).moved(&device)?)?
                } else {
                    foresight.tokenizer.painter().clone()
                };
                Some((Held::new(Arc::new(painter)), device))
            }
            _ => None,
        };
        // Before weights are joined, so that no layer's stay twice.
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
        let network = Held::new(Arc::new(network));
        let graphs = Held::new(Graphs::new(options.cuda_graphs));
        let images = Held::new(ImageUploader::default());
        Ok(Self { network, painter, graphs, images, prompts, report })
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

    /// The configuration.
    pub fn config(&self) -> &Config {
        self.network.config()
    }

    /// The network underneath.
    pub fn network(&self) -> &F1Network {
        &self.network
    }

    /// What loading found.
    pub fn report(&self) -> &LoadReport {
        &self.report
    }

    /// Fits a camera image for the understanding expert.
    ///
    /// # Errors
    /// An image without pixels.
    pub fn prepare_camera(&self, image: &RgbImage) -> Result<CameraInput> {
        let [width, height] = self.config().image_fit;
        let _using = self.using();
        let tensor = self.images.camera(image, [width, height], self.network.device())?;
        Ok(CameraInput { tensor: Held::new(tensor) })
    }

    /// Encodes a history frame, once when it arrives.
    ///
    /// # Errors
    /// An image without pixels, or a model that does not foresee.
    pub fn encode_frame(&self, image: &RgbImage) -> Result<HistoryFrame> {
        let [frame] = of_stage(self.encode_prepared(&[self.prepare_frame(image)?])?)?;
        Ok(frame)
    }

    /// Shrinks and crops a history frame for [`F1Policy::encode_prepared`].
    ///
    /// # Errors
    /// An image without pixels, or a model that does not foresee.
    pub fn prepare_frame(&self, image: &RgbImage) -> Result<FrameInput> {
        let side = self.network.foresight()?.config.frame_side();
        let _using = self.using();
        let ratio = self.config().run.crop_ratio;
        let tensor = self.images.frame(image, side, ratio, self.network.device())?;
        Ok(FrameInput { tensor: Held::new(tensor) })
    }

    /// As [`F1Policy::encode_frame`] from frames of [`F1Policy::prepare_frame`]: on a GPU all at
    /// once, on a CPU, which a single one keeps busy, one after another.
    ///
    /// # Errors
    /// A frame of another model, or a model that does not foresee.
    pub fn encode_prepared(&self, frames: &[FrameInput]) -> Result<Vec<HistoryFrame>> {
        let at_once = if self.network.device().is_cuda() { frames.len().max(1) } else { 1 };
        let encoded = frames.chunks(at_once).map(|frames| self.encode_batch(frames));
        Ok(encoded.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn encode_batch(&self, frames: &[FrameInput]) -> Result<Vec<HistoryFrame>> {
        let turn = self.graphs.turn(Stage::Frame);
        let using = self.using();
        let pixels: Vec<&Tensor> = frames.iter().map(FrameInput::tensor).collect();
        let inputs = vec![Tensor::stack(&pixels, 0)?];
        let network = Arc::clone(&self.network);
        let (outputs, _using) =
            turn.compute(self.network.device(), inputs, &[], using, move |inputs| {
                let (tokens, vectors) = network.encode_frames(&inputs[0])?;
                Ok(vec![tokens, vectors])
            })?;
        let [tokens, vectors] = of_stage(outputs)?;
        let frame = |(index, tokens): (usize, Vec<u32>)| -> Result<HistoryFrame> {
            Ok(HistoryFrame { tokens: Arc::new(tokens), vectors: Held::new(vectors.get(index)?) })
        };
        tokens.to_vec2()?.into_iter().enumerate().map(frame).collect()
    }

    /// Turns an instruction into tokens, once an instruction.
    ///
    /// # Errors
    /// No `tokenizer.json` was found beside the weights, or it fails.
    pub fn encode_prompt(&self, text: &str) -> Result<Prompt> {
        self.prompts
            .as_ref()
            .ok_or_else(|| {
                Error::Prompt(
                    "tokenizer.json is missing: the weights do not carry the language tokenizer; copy tokenizer.json \
                     of google/paligemma-3b-pt-224 beside them"
                        .to_string(),
                )
            })?
            .encode(text)
    }

    /// Understanding and foresight of one observation.
    ///
    /// The same input and seed give the same tokens.
    ///
    /// # Errors
    /// No camera and no prompt, or no history where the model needs it.
    pub fn perceive(&self, input: &PolicyInput, seed: u64) -> Result<Prefix> {
        let run = &self.config().run;
        let embedded = self.embed(input)?;
        let mut source = TokenSource::new(run.top_k, run.top_p, seed);
        self.perceive_embedded(&embedded, &input.history, &mut source)
    }

    /// As [`F1Policy::perceive`] with tokens from elsewhere.
    ///
    /// # Errors
    /// See [`F1Policy::perceive`].
    pub fn perceive_with(&self, input: &PolicyInput, source: &mut TokenSource) -> Result<Prefix> {
        let embedded = self.embed(input)?;
        self.perceive_embedded(&embedded, &input.history, source)
    }

    /// The understanding tokens of one observation: cameras that are there, then the prompt without
    /// its padding. Nothing padded is ever computed.
    ///
    /// # Errors
    /// More cameras than the model takes, or nothing at all.
    pub fn embed(&self, input: &PolicyInput) -> Result<Embedded> {
        let turn = self.graphs.turn(Stage::Images);
        let mut using = self.using();
        let mut parts = Vec::new();
        let cameras: Vec<&Tensor> =
            input.cameras.iter().flatten().map(CameraInput::tensor).collect();
        if !cameras.is_empty() {
            let images = Tensor::stack(&cameras, 0)?;
            let network = Arc::clone(&self.network);
            let (outputs, still) =
                turn.compute(self.network.device(), vec![images], &[], using, move |inputs| {
                    let tokens = network.embed_images(&inputs[0], &mut Recorder::off())?;
                    let (count, each, width) = tokens.dims3()?;
                    Ok(vec![tokens.reshape((1, count * each, width))?])
                })?;
            using = still;
            parts.extend(outputs);
        }
        if !input.prompt.ids().is_empty() {
            let ids = Tensor::new(input.prompt.ids(), self.network.device())?.unsqueeze(0)?;
            parts.push(self.network.embed_prompt(&ids)?);
        }
        if parts.is_empty() {
            return Err(Error::input("an observation without camera and prompt"));
        }
        let tokens = Held::new(Tensor::cat(&parts, 1)?);
        // What is freed is freed while the device may be used.
        drop((parts, using));
        Ok(Embedded { tokens })
    }

    /// As [`F1Policy::perceive_with`] from understanding tokens of [`F1Policy::embed`].
    ///
    /// # Errors
    /// No history where the model needs it.
    pub fn perceive_embedded(
        &self,
        embedded: &Embedded,
        frames: &[HistoryFrame],
        source: &mut TokenSource,
    ) -> Result<Prefix> {
        let embedded = embedded.tensor();
        let turn = self.graphs.turn(Stage::Prefix);
        let using = self.using();
        let history = if self.network.has_foresight() { Some(self.history(frames)?) } else { None };
        #[cfg(feature = "cuda")]
        if turn.is_recorded() {
            let (state, _using) = self.perceive_recorded(turn, embedded, history, source, using)?;
            return Prefix::read(state);
        }
        let _using = (turn, using);
        let padding = Padding::none(1, embedded.dim(1)?);
        let history = history.as_ref();
        Prefix::read(self.network.perceive(
            embedded,
            &padding,
            history,
            source,
            &mut Recorder::off(),
        )?)
    }

    /// Understanding and foresight as one graph, where the tokens' source lets the device draw.
    #[cfg(feature = "cuda")]
    fn perceive_recorded(
        &self,
        turn: Turn<'_>,
        embedded: &Tensor,
        history: Option<Tensor>,
        source: &mut TokenSource,
        using: Option<Using>,
    ) -> Result<(PrefixState, Option<Using>)> {
        let (network, device) = (&self.network, self.network.device());
        let padding = Padding::none(1, embedded.dim(1)?);
        let numbers = match network.foresight() {
            Ok(foresight) => {
                let vocabulary = foresight.config.tokenizer.vocab_size;
                source.numbers(foresight.config.generated_tokens(), vocabulary, device)?
            }
            Err(_) => Some((Tensor::zeros((1, 1), DType::F32, device)?, 1, 0.0)),
        };
        let Some((uniform, top_k, top_p)) = numbers else {
            let recorder = &mut Recorder::off();
            return Ok((
                network.perceive(embedded, &padding, history.as_ref(), source, recorder)?,
                using,
            ));
        };
        let mut inputs = vec![embedded.clone(), uniform];
        inputs.extend(history);
        let settings = [top_k, top_p.to_bits() as usize];
        let (network, of_prefix) = (Arc::clone(&self.network), padding.clone());
        let (outputs, using) = turn.compute(device, inputs, &settings, using, move |inputs| {
            let mut source = TokenSource::Numbers { uniform: inputs[1].clone(), top_k, top_p };
            let state = network.perceive(
                &inputs[0],
                &of_prefix,
                inputs.get(2),
                &mut source,
                &mut Recorder::off(),
            )?;
            let block =
                state.cache.block().ok_or_else(|| Error::input("weights that are trained"))?;
            let mut outputs = vec![block.clone()];
            outputs.extend(state.f_hat);
            outputs.extend(state.tokens.into_iter().chain(state.logits));
            Ok(outputs)
        })?;
        let mut outputs = outputs.into_iter();
        let block = outputs.next().ok_or_else(|| Error::input("a stage without results"))?;
        let keys = block.dim(2)?;
        let f_hat = outputs.next();
        let scales = outputs.len() / 2;
        let tokens = outputs.by_ref().take(scales).collect();
        let state = PrefixState {
            cache: KvCache::of_block(block, keys)?,
            following: keys - padding.tokens(),
            padding,
            f_hat,
            tokens,
            logits: outputs.collect(),
        };
        Ok((state, using))
    }

    /// `[1, frames, L - 1, codes]`, the first frame repeated where frames are missing.
    fn history(&self, frames: &[HistoryFrame]) -> Result<Tensor> {
        let wanted = self.config().run.history_frames;
        let first = frames
            .first()
            .ok_or_else(|| Error::input("this model needs at least one history frame"))?;
        if frames.len() > wanted {
            return Err(Error::input(format!(
                "{} history frames, the model takes {wanted}",
                frames.len()
            )));
        }
        let missing = std::iter::repeat_n(first, wanted - frames.len());
        let vectors: Vec<&Tensor> = missing.chain(frames).map(|frame| &*frame.vectors).collect();
        Ok(Tensor::stack(&vectors, 0)?.unsqueeze(0)?)
    }

    /// A chunk of actions, `[chunk][max_action_dim]`, normalised.
    ///
    /// The state may be shorter than `max_state_dim`; it is padded with zeros. The same prefix,
    /// state and request give the same chunk.
    ///
    /// # Errors
    /// A state or guidance of the wrong size, or values that are not finite, given or computed.
    pub fn act(
        &self,
        prefix: &Prefix,
        state: &[f32],
        request: &ActRequest,
    ) -> Result<Vec<Vec<f32>>> {
        let config = self.config();
        let (chunk, width) = (config.chunk_size, config.max_action_dim);
        let mut random = ChaCha8Rng::seed_from_u64(request.seed);
        let scale = config.run.noise_scale as f32;
        let noise: Vec<f32> =
            (0..chunk * width).map(|_| scale * random.sample::<f32, _>(StandardNormal)).collect();
        self.act_from(prefix, state, &noise, request.guidance.as_ref())
    }

    /// As [`F1Policy::act`] from given noise, `chunk * max_action_dim` values.
    ///
    /// # Errors
    /// See [`F1Policy::act`].
    pub fn act_from(
        &self,
        prefix: &Prefix,
        state: &[f32],
        noise: &[f32],
        guidance: Option<&RtcGuidance>,
    ) -> Result<Vec<Vec<f32>>> {
        let config = self.config();
        let (chunk, width) = (config.chunk_size, config.max_action_dim);
        let device = self.network.device();
        if state.len() > config.max_state_dim {
            return Err(Error::input(format!(
                "a state of {} values, the model takes {}",
                state.len(),
                config.max_state_dim
            )));
        }
        if state.iter().any(|value| !value.is_finite()) {
            return Err(Error::input("the state holds a value that is not finite"));
        }
        let mut padded = state.to_vec();
        padded.resize(config.max_state_dim, 0.0);
        let turn = self.graphs.turn(Stage::Flow);
        let using = self.using();
        let state = Tensor::from_vec(padded, (1, config.max_state_dim), device)?;
        let noise = Tensor::from_slice(noise, (1, chunk, width), device)?;
        let guidance =
            guidance.map(|guidance| guidance.tensors(chunk, width, device)).transpose()?;
        let cache = prefix.state.cache.with_room(1 + chunk)?;
        let block = cache.block().cloned().ok_or_else(|| Error::input("a cache without room"))?;
        drop(cache);
        let mut inputs = vec![block, state, noise];
        inputs.extend(guidance.into_iter().flat_map(|(previous, weights)| [previous, weights]));
        let (network, after) = (Arc::clone(&self.network), prefix.state.clone());
        let (outputs, _using) = turn.compute(device, inputs, &[], using, move |inputs| {
            let cache = KvCache::of_block(inputs[0].clone(), after.cache.len())?;
            let guidance = inputs.get(3).cloned().zip(inputs.get(4).cloned());
            let (state, noise, off) = (&inputs[1], &inputs[2], &mut Recorder::off());
            Ok(vec![network.act_after(&after, &cache, state, noise, guidance.as_ref(), off)?])
        })?;
        let [actions] = of_stage(outputs)?;
        let actions: Vec<Vec<f32>> = actions.squeeze(0)?.to_vec2()?;
        if actions.iter().flatten().any(|value| !value.is_finite()) {
            return Err(Error::input("the network computed an action that is not finite"));
        }
        Ok(actions)
    }

    /// The image that a history frame's tokens stand for: what the foresight image can be at best.
    ///
    /// # Errors
    /// The model does not foresee.
    pub fn reconstruct(&self, frame: &HistoryFrame) -> Result<RgbImage> {
        let tokenizer = &self.network.foresight()?.tokenizer;
        let _using = self.using();
        let tokens = Tensor::new(frame.tokens(), self.network.device())?.unsqueeze(0)?;
        let quantizer = tokenizer.quantizer();
        let map = quantizer.accumulate(&tokens, quantizer.scales().len())?;
        image_prep::to_image(&tokenizer.decode(&map)?.squeeze(0)?)
    }

    /// The foresight image.
    ///
    /// # Errors
    /// The model does not foresee.
    pub fn imagine(&self, prefix: &Prefix) -> Result<RgbImage> {
        let (Some(foreseen), Some((painter, device))) = (&prefix.foreseen, &self.painter) else {
            return Err(Error::input(
                "this model has no generation expert: there is no foresight image",
            ));
        };
        let turn = self.graphs.turn(Stage::Foresight);
        let using = self.using();
        let inputs = vec![foreseen.to_device(device)?];
        let painter = Arc::clone(painter);
        let (outputs, _using) = turn.compute(device, inputs, &[], using, move |inputs| {
            Ok(vec![painter.decode(&inputs[0])?.squeeze(0)?])
        })?;
        let [image] = of_stage(outputs)?;
        image_prep::to_image(&image)
    }
}

/// The results of a stage, as many as it has.
fn of_stage<T, const N: usize>(outputs: Vec<T>) -> Result<[T; N]> {
    outputs.try_into().map_err(|other: Vec<T>| {
        Error::input(format!("{} results of a stage that has {N}", other.len()))
    })
}
