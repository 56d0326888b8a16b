//! `f1 bench`: time the stages of the policy on this machine.

mod measure;
mod report;

use std::path::PathBuf;

use anyhow::{Context, bail};
use f1_model::sampling::TokenSource;
use f1_model::{
    ActRequest, CameraInput, Config, DeviceChoice, Dtype, F1Policy, FrameInput, HistoryFrame,
    LoadOptions, PolicyInput, Prompt, Quant,
};
use image::RgbImage;
use rayon::prelude::*;

use crate::by_name;

use measure::{Clock, Cost, Stages};

/// Arguments of `f1 bench`.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("network").required(true).args(["model", "config"])))]
pub struct Args {
    /// Directory with config.json and weights.
    #[arg(long, value_name = "DIR", conflicts_with = "random_weights")]
    model: Option<PathBuf>,
    /// Configuration to fill with random weights: a file, or the name of a preset (released,
    /// released-2 .. released-10, pi0).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seed of the random weights.
    #[arg(long, value_name = "SEED", requires = "config")]
    random_weights: Option<u64>,
    /// Threads for kernels and matrix products (default: RAYON_NUM_THREADS, else all processors).
    #[arg(long)]
    threads: Option<usize>,
    /// Precision of the weights.
    #[arg(long, value_enum, default_value = "f32")]
    dtype: DtypeArg,
    /// Block quantisation of the experts' linear layers.
    #[arg(long, value_enum)]
    quant: Option<QuantArg>,
    /// Where the network runs.
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceArg,
    /// On a GPU, record each stage as one CUDA graph (generation then counts as prefix).
    /// `--cuda-graphs=false` starts the operations one by one.
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    cuda_graphs: bool,
    /// Cameras the observation has.
    #[arg(long, default_value_t = 3)]
    cameras: usize,
    /// Observations timed, cold and steady each, after one that warms up.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// A table of the reference network (timing_1threads.json) to print ratios of CPU time
    /// against.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// One JSON object on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DtypeArg {
    F32,
    Bf16,
}

/// Quantisation of the experts' linear layers.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum QuantArg {
    /// 8-bit blocks of 32.
    #[value(name = "q8_0")]
    Q8_0,
    /// 4-bit blocks of 256.
    #[value(name = "q4k")]
    Q4k,
    /// The understanding expert in 8-bit floats, for GPUs of compute capability 8.9 and up; a CPU
    /// only rounds.
    Fp8,
}

impl QuantArg {
    /// The value that loading takes.
    pub fn quant(self) -> Quant {
        match self {
            QuantArg::Q8_0 => Quant::Q8_0,
            QuantArg::Q4k => Quant::Q4K,
            QuantArg::Fp8 => Quant::Fp8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            QuantArg::Q8_0 => "q8_0",
            QuantArg::Q4k => "q4k",
            QuantArg::Fp8 => "fp8",
        }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum DeviceArg {
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU, in a build with the feature `cuda`.
    Cuda,
}

impl DeviceArg {
    /// The value that loading takes.
    pub fn choice(self) -> DeviceChoice {
        match self {
            DeviceArg::Cpu => DeviceChoice::Cpu,
            DeviceArg::Cuda => DeviceChoice::Cuda,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// What stops the command.
pub fn run(mut args: Args) -> anyhow::Result<()> {
    args.model = args.model.as_deref().map(by_name::model_path).transpose()?;
    let threads = apply_threads(args.threads)?;
    if args.runs == 0 {
        bail!("--runs must be at least 1");
    }
    let options = LoadOptions {
        device: args.device.choice(),
        dtype: match args.dtype {
            DtypeArg::F32 => Dtype::F32,
            DtypeArg::Bf16 => Dtype::Bf16,
        },
        quant: args.quant.map(QuantArg::quant),
        cuda_graphs: args.cuda_graphs,
        ..LoadOptions::default()
    };
    let clock = Clock::new(&options.device.open()?);
    let load = clock.start();
    let policy = match (&args.model, &args.config) {
        (Some(dir), _) => F1Policy::load(dir, &options)?,
        (None, Some(file)) => {
            F1Policy::random(&configuration(file)?, args.random_weights.unwrap_or(0), &options)?
        }
        (None, None) => bail!("give --model DIR, or --config FILE with --random-weights SEED"),
    };
    let load = clock.stop(load)?;
    let gemm = measure::gemm_rate(policy.network().device(), &clock)?;
    let scene = Scene::new(&policy, args.cameras)?;
    let outcome = scene.measure(&policy, &clock, args.runs)?;

    let reference = args.reference.as_deref().map(report::Reference::load).transpose()?;
    let summary = report::Summary {
        device: match args.device {
            DeviceArg::Cpu => "cpu",
            DeviceArg::Cuda => "cuda",
        },
        dtype: match args.dtype {
            DtypeArg::F32 => "f32",
            DtypeArg::Bf16 => "bf16",
        },
        quant: args.quant.map(QuantArg::name),
        cuda_graphs: policy.network().device().is_cuda().then_some(args.cuda_graphs),
        threads,
        runs: args.runs,
        cameras: args.cameras,
        load,
        gemm,
        outcome,
    };
    if args.json {
        println!("{}", summary.json());
    } else {
        print!("{}", summary.table(reference.as_ref()));
    }
    Ok(())
}

/// A configuration file, or a preset by its name.
fn configuration(path: &std::path::Path) -> anyhow::Result<Config> {
    match path.to_str() {
        Some(name) if !path.exists() && !name.contains(['/', '.']) => Ok(Config::preset(name)?),
        _ => Ok(Config::load(path)?),
    }
}

/// Both thread pools (rayon's and the matrix product's) take their size from `RAYON_NUM_THREADS`
/// when they start, so another number means starting this program again with it set.
fn apply_threads(wanted: Option<usize>) -> anyhow::Result<usize> {
    let current = rayon::current_num_threads();
    let Some(wanted) = wanted.filter(|&wanted| wanted != current) else { return Ok(current) };
    if wanted == 0 {
        bail!("--threads must be at least 1");
    }
    if std::env::var("RAYON_NUM_THREADS").is_ok_and(|value| value == wanted.to_string()) {
        bail!("RAYON_NUM_THREADS={wanted} is set, and yet the pool has {current} threads");
    }
    let program =
        std::env::current_exe().context("finding this program to start it with other threads")?;
    let status = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .env("RAYON_NUM_THREADS", wanted.to_string())
        .status()
        .context("starting this program again with other threads")?;
    std::process::exit(status.code().unwrap_or(1));
}

/// What is observed: the same in every run, so that only the machine varies.
struct Scene {
    cameras: Vec<RgbImage>,
    frames: Vec<RgbImage>,
    prompt: Prompt,
    state: Vec<f32>,
}

/// Everything that was measured.
struct Outcome {
    cold: Stages,
    steady: Stages,
    /// Resident memory after the first and after the last steady observation.
    resident_mb: [Option<f64>; 2],
    peak_rss_mb: Option<f64>,
    /// Of a GPU, after the last observation.
    device_memory_mb: Option<f64>,
    prefix_tokens: usize,
}

impl Scene {
    fn new(policy: &F1Policy, cameras: usize) -> anyhow::Result<Self> {
        let config = policy.config();
        let frames = if policy.network().has_foresight() { config.run.history_frames } else { 0 };
        let vocabulary = config.understanding.vocab_size.max(4) as u32;
        let ids = (0..config.prompt_length as u32).map(|i| 2 + i * 7 % (vocabulary - 3)).collect();
        Ok(Self {
            cameras: (0..cameras as u32).map(|i| image(640, 480, i)).collect(),
            frames: (0..frames as u32).map(|i| image(640, 480, 17 + i)).collect(),
            prompt: Prompt::from_ids(ids, config.prompt_length),
            state: vec![0.1; config.max_state_dim],
        })
    }

    fn measure(&self, policy: &F1Policy, clock: &Clock, runs: usize) -> anyhow::Result<Outcome> {
        let (mut cold, mut steady) = (Stages::default(), Stages::default());
        let mut history = Vec::new();
        let mut prefix_tokens = 0;
        // Run 0 of each kind warms caches and is not counted.
        for run in 0..=runs {
            history.clear();
            let costs =
                self.observe(policy, clock, run as u64, &mut history, &mut prefix_tokens)?;
            if run > 0 {
                cold.push(costs);
            }
        }
        let mut resident_mb = [None; 2];
        for run in 0..=runs {
            if !history.is_empty() {
                history.remove(0);
            }
            let costs =
                self.observe(policy, clock, run as u64, &mut history, &mut prefix_tokens)?;
            if run > 0 {
                steady.push(costs);
            }
            resident_mb[usize::from(run > 0)] = measure::memory_mb("VmRSS:");
        }
        let on_device = f1_kernels::device::memory_in_use(policy.network().device())?;
        Ok(Outcome {
            cold,
            steady,
            resident_mb,
            peak_rss_mb: measure::memory_mb("VmHWM:"),
            device_memory_mb: on_device.map(|bytes| bytes as f64 * 1e-6),
            prefix_tokens,
        })
    }

    /// One observation from images to actions and foresight image; frames that `history` lacks
    /// are encoded.
    fn observe(
        &self,
        policy: &F1Policy,
        clock: &Clock,
        seed: u64,
        history: &mut Vec<HistoryFrame>,
        prefix_tokens: &mut usize,
    ) -> anyhow::Result<[Cost; 7]> {
        let missing = &self.frames[history.len()..];
        let (prepared, image_process) =
            clock.time(|| -> anyhow::Result<(Vec<Option<CameraInput>>, Vec<FrameInput>)> {
                // Side by side, as the perception node has them.
                let camera = |image| Ok(Some(policy.prepare_camera(image)?));
                let frame = |image| Ok(policy.prepare_frame(image)?);
                let (cameras, frames) = rayon::join(
                    || self.cameras.par_iter().map(camera).collect::<anyhow::Result<_>>(),
                    || missing.par_iter().map(frame).collect::<anyhow::Result<_>>(),
                );
                Ok((cameras?, frames?))
            })?;
        let (cameras, frames) = prepared?;
        let (encoded, history_encode) = clock.time(|| policy.encode_prepared(&frames))?;
        history.extend(encoded?);
        let input = PolicyInput { cameras, prompt: self.prompt.clone(), history: history.clone() };
        let (embedded, image_encoder) = clock.time(|| policy.embed(&input))?;
        let embedded = embedded?;

        // The first scale's tokens come out of the first pass over the prefix; what follows is
        // generation.
        let run = &policy.config().run;
        let begin = clock.start();
        let (sender, first) = std::sync::mpsc::channel();
        let seen = move |taken: usize| {
            if taken == 0 {
                // That the reader of the output is gone is no fault of the network's.
                let _ = sender.send(begin.elapsed());
            }
        };
        let mut source = TokenSource::new(run.top_k, run.top_p, seed).observed(seen);
        let prefix = policy.perceive_embedded(&embedded, &input.history, &mut source)?;
        let both = clock.stop(begin)?;
        let first = first.try_recv().unwrap_or(both);
        *prefix_tokens = prefix.len();

        let request = ActRequest { seed, guidance: None };
        let (actions, action) = clock.time(|| policy.act(&prefix, &self.state, &request))?;
        actions?;
        let foresight_decode = if self.frames.is_empty() {
            Cost::default()
        } else {
            let (image, cost) = clock.time(|| policy.imagine(&prefix))?;
            image?;
            cost
        };
        // In the order of `Stage::ALL`.
        Ok([
            image_process,
            history_encode,
            image_encoder,
            first,
            both - first,
            action,
            foresight_decode,
        ])
    }
}

/// A smooth image with some texture, another for every `index`.
fn image(width: u32, height: u32, index: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = ((x * (3 + index % 5) + y * (7 + index % 3)) / 4 % 256) as u8;
        image::Rgb([wave, (x * 255 / width) as u8, (y * 255 / height) as u8 ^ (wave >> 3)])
    })
}
