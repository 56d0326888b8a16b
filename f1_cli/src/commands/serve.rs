//! `f1 serve`: the network behind the sockets of openpi's and vla-eval's clients.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use f1_model::{DeviceChoice, Dtype, LoadOptions, Quant};
use f1_robot::share;
use f1_serve::key::ApiKey;
use f1_serve::layout::Layout;
use f1_serve::model::Model;
use f1_serve::server::{Served, Settings};

use crate::by_name;
use crate::live::ViewArgs;

/// Arguments of `f1 serve`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A shipped model's name, or a checkpoint folder.
    #[arg(long)]
    model: String,
    /// tokenizer.json, a folder with it, or hf://OWNER/NAME, where the model has none.
    #[arg(long, value_name = "PATH_OR_NAME")]
    tokenizer: Option<String>,
    /// Where the client puts cameras, state and instruction: libero, droid, aloha, metaworld,
    /// bench, or a file.
    #[arg(long)]
    layout: String,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on: openpi at /, vla-eval at /vla-eval; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// A file that holds the key which clients must send; the environment variable F1_API_KEY may
    /// hold the key itself.
    #[arg(long, value_name = "FILE")]
    api_key: Option<PathBuf>,
    /// Serve other machines without a key.
    #[arg(long, conflicts_with = "api_key")]
    insecure: bool,
    /// Refuse requests until a connection has shown a whole history, where the model was trained on
    /// whole histories only; otherwise its first frame is repeated.
    #[arg(long)]
    full_history: bool,
    /// A connection's history starts anew after a pause longer than this, in seconds.
    #[arg(long, value_name = "SECONDS")]
    idle_reset: Option<f64>,
    /// Actions of a chunk that vla-eval's clients get before the next chunk is computed; without
    /// it, all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    chunk_steps: Option<u16>,
    /// Waiting requests that are computed together at most; 1: one by one.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch: u16,
    /// Connections at once.
    #[arg(long, default_value_t = 64)]
    max_connections: usize,
    /// Seed of requests that name none.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the network runs: cpu or cuda.
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Precision of the weights: f32 or bf16; without it f32 on a CPU and bf16 on a GPU.
    #[arg(long)]
    dtype: Option<Precision>,
    /// Quantisation of the linear layers: q8_0 or q4k.
    #[arg(long)]
    quant: Option<Quantisation>,
    #[command(flatten)]
    view: ViewArgs,
    /// Print what the layout expects beside what the checkpoint was trained on, and end.
    #[arg(long)]
    explain: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Device {
    Cpu,
    Cuda,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Precision {
    F32,
    Bf16,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Quantisation {
    #[value(name = "q8_0")]
    Q8,
    #[value(name = "q4k")]
    Q4k,
}

/// Runs the command until SIGINT or SIGTERM.
///
/// # Errors
/// What stops the command.
pub fn run(args: Args) -> Result<()> {
    let layout = Layout::load(&args.layout, &share::root().join("config/layouts"))?;
    let folder = by_name::model(&args.model)?;
    let tokenizer = args.tokenizer.as_deref().map(by_name::tokenizer).transpose()?;
    let options = LoadOptions {
        device: match args.device {
            Device::Cpu => DeviceChoice::Cpu,
            Device::Cuda => DeviceChoice::Cuda,
        },
        dtype: match (args.dtype, args.device) {
            (Some(Precision::F32), _) | (None, Device::Cpu) => Dtype::F32,
            (Some(Precision::Bf16), _) | (None, Device::Cuda) => Dtype::Bf16,
        },
        quant: args.quant.map(|quant| match quant {
            Quantisation::Q8 => Quant::Q8_0,
            Quantisation::Q4k => Quant::Q4K,
        }),
        ..LoadOptions::default()
    };
    let model = Model::load_with(&folder, tokenizer.as_deref(), &layout, &options)?;
    if args.explain {
        print!("{}", f1_serve::explain::explain(&layout, &model));
        return Ok(());
    }
    let settings = Settings {
        api_key: ApiKey::read(args.api_key.as_deref()).map_err(anyhow::Error::msg)?,
        insecure: args.insecure,
        full_history: args.full_history,
        idle_reset: args
            .idle_reset
            .map(Duration::try_from_secs_f64)
            .transpose()
            .context("--idle-reset takes seconds from 0 up")?,
        chunk_steps: args.chunk_steps.map(usize::from),
        batch: usize::from(args.batch),
        max_connections: args.max_connections,
        seed: args.seed,
        ..Settings::new(SocketAddr::new(args.host, args.port))
    };
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let served = Arc::new(Served::new(name, model, layout, settings)?);
    let view = args.view.settings()?;
    let _page =
        view.map(|view| f1_view::Server::start(view, served.watching.clone())).transpose()?;
    if let Some(page) = &_page {
        eprintln!("live page at http://{}", page.address());
    }
    let ready = |address: SocketAddr| {
        eprintln!("openpi at ws://{address}, vla-eval at ws://{address}/vla-eval; Ctrl-C ends it");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(f1_serve::server::run(served, ready, stop_signal()?))?;
    Ok(())
}

/// Ends at SIGINT or SIGTERM.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            let _ = sender.send(());
        }
        // A second signal does not wait for the clients.
        if signals.next().is_some() {
            std::process::exit(130);
        }
    })?;
    Ok(async {
        let _ = receiver.await;
    })
}
