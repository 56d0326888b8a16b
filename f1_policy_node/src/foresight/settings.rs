//! The parameters of the node `foresight`.

use f1_interfaces::f1_msgs::msg::ForesightError;
use std::path::PathBuf;
use std::time::Duration;

use f1_middleware::parameters::{Descriptor, ParameterError, Parameters};
use f1_model::{DeviceChoice, Dtype, LoadOptions, Quant};

use super::mode::{MODES, Mode};

/// The parameters of the node `foresight` that may change while it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ForesightSettings {
    /// Publish the raw image.
    pub publish_raw: bool,
    /// Publish the compressed image.
    pub publish_compressed: bool,
    /// Publish the comparison and the error.
    pub compare: bool,
    /// A foreseen image is compared with the frame nearest to its moment, if that is within this
    /// distance, ns.
    pub compare_slop_ns: i64,
    /// Below this PSNR the next observation is inferred at once, dB; 0 never.
    pub replan_psnr: f64,
    /// Over which pixels that PSNR is.
    pub replan_signal: Signal,
    /// Errors a second that are computed at least, Hz; 0: only with chunks.
    pub error_rate: f64,
    /// Which passes run for a chunk.
    pub mode: Mode,
    /// How long foresight is used again in the mode cached, ns.
    pub cache_ns: i64,
    /// How long inference appears to take on a virtual clock, s.
    pub virtual_latency: f64,
}

/// Over which pixels a foresight error decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signal {
    /// The whole image.
    #[default]
    Whole,
    /// Those that changed since the observation.
    Changed,
    /// The worst square with an eighth of the image's side.
    Worst,
}

/// Names of the signals, the default first.
pub const SIGNALS: [&str; 3] = ["whole", "changed", "worst"];

impl Signal {
    /// From its name; an unknown one is the default.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "changed" => Self::Changed,
            "worst" => Self::Worst,
            _ => Self::Whole,
        }
    }

    /// Its value in an error, dB; not a number when nothing changed.
    #[must_use]
    pub fn of(self, error: &ForesightError) -> f64 {
        match self {
            Self::Whole => error.psnr,
            Self::Changed => error.psnr_changed,
            Self::Worst => error.psnr_worst,
        }
    }
}

impl ForesightSettings {
    /// Declares the parameters with their ranges; values come from the command line and parameter
    /// files.
    ///
    /// # Errors
    /// A given value of another kind or outside its range.
    pub fn declare(parameters: &Parameters) -> Result<(), ParameterError> {
        let text = |name: &str, default: &str, description: &str| {
            parameters
                .declare(name, default.to_owned(), Descriptor::new(description).read_only())
                .map(|_| ())
        };
        text(
            "model",
            "",
            "Checkpoint folder: config.json, model.safetensors, tokenizer.json, stats.json; hf://OWNER/NAME; or a policy server, ws://HOST:PORT or wss://HOST:PORT.",
        )?;
        text(
            "tokenizer",
            "",
            "tokenizer.json, a folder with it, or hf://OWNER/NAME, where the checkpoint folder has none.",
        )?;
        text("robot_file", "", "The robot file.")?;
        let choice = |name: &str, default: &str, choices: &[&str], description: &str| {
            let descriptor =
                Descriptor::new(description).read_only().one_of(choices.iter().copied());
            parameters.declare(name, default.to_owned(), descriptor).map(|_| ())
        };
        choice("device", "cpu", &["cpu", "cuda"], "Where the network runs.")?;
        choice(
            "dtype",
            "",
            &["", "f32", "bf16"],
            "Type of weights and activations; empty: f32 on a CPU, bf16 on a GPU.",
        )?;
        choice(
            "quant",
            "",
            &["", "q8_0", "q4k", "fp8"],
            "Quantisation of the experts' linear layers at load (fp8: of the understanding expert, on a GPU); empty: none.",
        )?;
        parameters.declare(
            "cuda_graphs",
            true,
            Descriptor::new(
                "On a GPU, record each stage of the network once as a CUDA graph, compare what it computes with what was computed \
                 without it, and start it as one from then on.",
            )
            .read_only(),
        )?;
        let flag = |name: &str, default: bool, description: &str| {
            parameters.declare(name, default, Descriptor::new(description)).map(|_| ())
        };
        flag("publish_raw", true, "Publish foresight/image.")?;
        flag("publish_compressed", true, "Publish foresight/image/compressed (PNG).")?;
        flag(
            "compare",
            true,
            "Publish foresight/comparison and foresight/error when the foreseen moment has come.",
        )?;
        let double = |name: &str, default: f64, from: f64, to: f64, description: &str| {
            parameters
                .declare(name, default, Descriptor::new(description).doubles(from, to))
                .map(|_| ())
        };
        double(
            "compare_slop",
            0.1,
            0.001,
            5.0,
            "Largest distance of a frame from the foreseen moment to be compared with it, s.",
        )?;
        double(
            "replan_psnr",
            0.0,
            0.0,
            60.0,
            "A foreseen image that is worse than this shows that the scene departs from the foresight: infer anew at once, dB; 0: never.",
        )?;
        let named = |name: &str, choices: &[&str], description: &str| {
            let default = choices.first().copied().unwrap_or_default().to_owned();
            let descriptor = Descriptor::new(description).one_of(choices.iter().copied());
            parameters.declare(name, default, descriptor).map(|_| ())
        };
        named(
            "replan_signal",
            &SIGNALS,
            "Over which pixels replan_psnr judges: whole (the image), changed (those that differ from the observation's) or worst (the \
             worst square with an eighth of the image's side, where a single object shows).",
        )?;
        double(
            "error_rate",
            5.0,
            0.0,
            50.0,
            "Foresight errors a second: between two chunks images are foreseen for the error alone, while a pass takes at most a quarter \
             of the period and ends before the next chunk is due, in the mode on; 0: only with chunks, Hz.",
        )?;
        named(
            "mode",
            &MODES,
            "Which passes run for a chunk: on (understanding and foresight), cached (understanding with the foresight of an earlier \
             observation, until it is older than cache_time or its error calls for a new one by replan_psnr) or off (understanding alone, \
             for a model that was trained for it). Attention \"uga\" only, but for on; a policy server: on alone.",
        )?;
        double(
            "cache_time",
            1.5,
            0.05,
            60.0,
            "How long the mode cached uses the same foresight, s.",
        )?;
        text(
            "server_layout",
            "",
            "Where a policy server wants cameras, state and instruction: libero, droid, aloha, metaworld, bench, or a file; empty: as the server says.",
        )?;
        text(
            "server_key",
            "",
            "File that holds the API key of a policy server; empty: the environment variable F1_API_KEY, if it is set.",
        )?;
        text(
            "server_ca",
            "",
            "File of certificates (PEM) that are trusted for wss:// beside those of the web's authorities.",
        )?;
        let duration = |name: &str, default: f64, from: f64, to: f64, description: &str| {
            let descriptor = Descriptor::new(description).read_only().doubles(from, to);
            parameters.declare(name, default, descriptor).map(|_| ())
        };
        duration(
            "server_timeout",
            5.0,
            0.05,
            600.0,
            "How long the answer of a policy server is waited for, s; after it the request is lost and the connection is opened anew.",
        )?;
        duration(
            "server_wait",
            10.0,
            0.0,
            3600.0,
            "How long configuring waits until a policy server is reached, s.",
        )?;
        double(
            "virtual_latency",
            0.05,
            0.0,
            10.0,
            "How long foresight appears to take on a virtual clock, s; no effect in real time.",
        )?;
        Ok(())
    }

    /// The values as they stand.
    ///
    /// # Errors
    /// Parameters that were not declared.
    pub fn read(parameters: &Parameters) -> Result<Self, ParameterError> {
        Ok(Self {
            publish_raw: parameters.get("publish_raw")?,
            publish_compressed: parameters.get("publish_compressed")?,
            compare: parameters.get("compare")?,
            compare_slop_ns: (parameters.get::<f64>("compare_slop")? * 1e9) as i64,
            replan_psnr: parameters.get("replan_psnr")?,
            replan_signal: Signal::named(&parameters.get::<String>("replan_signal")?),
            error_rate: parameters.get("error_rate")?,
            mode: Mode::named(&parameters.get::<String>("mode")?),
            cache_ns: (parameters.get::<f64>("cache_time")? * 1e9) as i64,
            virtual_latency: parameters.get("virtual_latency")?,
        })
    }
}

/// How a policy server is used.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerOptions {
    /// Where the server wants an observation's parts: a shipped layout's name or a file; empty: as
    /// the server says.
    pub layout: String,
    /// The file of the API key; none: the environment variable.
    pub key_file: Option<PathBuf>,
    /// A file of certificates that are trusted beside the web's.
    pub authorities: Option<PathBuf>,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// How long configuring waits for the server.
    pub wait: Duration,
}

impl ServerOptions {
    /// The values of the node's parameters.
    ///
    /// # Errors
    /// Parameters that were not declared.
    pub fn read(parameters: &Parameters) -> Result<Self, ParameterError> {
        let file = |name: &str| -> Result<Option<PathBuf>, ParameterError> {
            let text = parameters.get::<String>(name)?;
            Ok((!text.is_empty()).then(|| text.into()))
        };
        let seconds = |name: &str| -> Result<Duration, ParameterError> {
            Ok(Duration::from_secs_f64(parameters.get(name)?))
        };
        Ok(Self {
            layout: parameters.get("server_layout")?,
            key_file: file("server_key")?,
            authorities: file("server_ca")?,
            timeout: seconds("server_timeout")?,
            wait: seconds("server_wait")?,
        })
    }
}

/// How the network is loaded, from the node's parameters.
///
/// # Errors
/// Parameters that were not declared.
pub fn load_options(parameters: &Parameters) -> Result<LoadOptions, ParameterError> {
    let device = match parameters.get::<String>("device")?.as_str() {
        "cuda" => DeviceChoice::Cuda,
        _ => DeviceChoice::Cpu,
    };
    let dtype = match parameters.get::<String>("dtype")?.as_str() {
        "f32" => Dtype::F32,
        "bf16" => Dtype::Bf16,
        _ if device == DeviceChoice::Cuda => Dtype::Bf16,
        _ => Dtype::F32,
    };
    let quant = match parameters.get::<String>("quant")?.as_str() {
        "q8_0" => Some(Quant::Q8_0),
        "q4k" => Some(Quant::Q4K),
        "fp8" => Some(Quant::Fp8),
        _ => None,
    };
    let cuda_graphs = parameters.get::<bool>("cuda_graphs")?;
    Ok(LoadOptions { device, dtype, quant, cuda_graphs, ..LoadOptions::default() })
}
