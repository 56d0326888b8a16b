//! A server of openpi's protocol that answers as a test tells it, and observations for it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use f1_model::ActRequest;
use f1_policy_node::foresight::ServerOptions;
use f1_policy_node::observation::{CameraFrame, Instruction, JointSample, Observation};
use f1_policy_node::policy::{PastFrame, PerceiveRequest, Perceived, PolicyError};
use f1_policy_node::resources::{ResourceError, Resources};
use f1_policy_node::stages::StageTimes;
use f1_robot::Robot;
use f1_serve::array::{Array, Dialect};
use f1_serve::message;
use futures_util::{SinkExt as _, StreamExt as _};
use image::RgbImage;
use parking_lot::Mutex;
use rmpv::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// A request, taken apart.
pub type Map = Vec<(Value, Value)>;

/// What the stand-in does with a request.
pub enum Reply {
    /// A binary message.
    Bytes(Vec<u8>),
    /// A text message, and the end of the connection.
    Text(&'static str),
    /// Nothing.
    Silence,
    /// The end of the connection.
    Close,
}

type Behaviour = dyn Fn(usize, &Map) -> Reply + Send + Sync;

/// What a stand-in is started with.
#[derive(Clone)]
pub struct Setup {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The server's first message.
    pub metadata: Value,
    /// The key that it asks for.
    pub key: Option<&'static str>,
    /// Its certificate, for `wss://`.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Gets the request's number and the request.
    pub behaviour: Arc<Behaviour>,
}

impl Setup {
    pub fn new(behaviour: impl Fn(usize, &Map) -> Reply + Send + Sync + 'static) -> Self {
        let metadata = Value::Map(Vec::new());
        Self { port: 0, metadata, key: None, tls: None, behaviour: Arc::new(behaviour) }
    }
}

/// A running stand-in; it and its connections end when it is dropped.
pub struct StandIn {
    pub address: SocketAddr,
    /// All requests, as they came.
    pub requests: Arc<Mutex<Vec<Map>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl StandIn {
    pub fn start(setup: Setup) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", setup.port))).unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Map>>> = Arc::default();
        let kept = requests.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (setup, kept) = (setup.clone(), kept.clone());
                tokio::spawn(async move {
                    match setup.tls.clone() {
                        None => serve(stream, &setup, &kept).await,
                        Some(config) => {
                            let acceptor = tokio_rustls::TlsAcceptor::from(config);
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &setup, &kept).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, requests, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

#[allow(clippy::result_large_err, reason = "the library's callback has this type")]
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    setup: &Setup,
    kept: &Mutex<Vec<Map>>,
) {
    let admit = |request: &Request, response: Response| match setup.key {
        Some(key) => {
            let sent = request.headers().get("authorization").and_then(|value| value.to_str().ok());
            if sent == Some(&format!("Api-Key {key}")) {
                Ok(response)
            } else {
                let mut refusal = ErrorResponse::new(Some("another API key".into()));
                *refusal.status_mut() =
                    tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
                Err(refusal)
            }
        }
        None => Ok(response),
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, admit).await else { return };
    let hello = message::write(&setup.metadata);
    if socket.send(Message::Binary(hello.into())).await.is_err() {
        return;
    }
    while let Some(Ok(received)) = socket.next().await {
        let Message::Binary(bytes) = received else { continue };
        let map = message::read(&bytes).unwrap();
        let number = {
            let mut kept = kept.lock();
            kept.push(map.clone());
            kept.len() - 1
        };
        let sent = match (setup.behaviour)(number, &map) {
            Reply::Bytes(bytes) => socket.send(Message::Binary(bytes.into())).await,
            Reply::Text(text) => {
                let _ = socket.send(Message::Text(text.into())).await;
                socket.close(None).await
            }
            Reply::Silence => continue,
            Reply::Close => socket.close(None).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// An answer of `rows` equal rows.
pub fn chunk(rows: usize, row: &[f32]) -> Reply {
    let numbers: Vec<f32> = std::iter::repeat_n(row, rows).flatten().copied().collect();
    let actions = Array::from_f32(vec![rows, row.len()], &numbers).unwrap();
    let timing = message::map([("infer_ms", Value::from(1.0))]);
    Reply::Bytes(message::write(&message::map([
        ("actions", actions.write(Dialect::Openpi)),
        ("server_timing", timing),
    ])))
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

pub fn options() -> ServerOptions {
    ServerOptions {
        layout: "bench".into(),
        key_file: None,
        authorities: None,
        timeout: Duration::from_secs(60),
        wait: Duration::from_secs(60),
    }
}

/// The bench's arm with its policy behind a socket.
pub fn connect(url: &str, options: &ServerOptions) -> Result<Resources, ResourceError> {
    let robot = root().join("config/robots/bench_arm.yaml");
    f1_client::connect(&robot, url, options, &root().join("config/layouts"))
}

/// An observation of the bench's arm at home, stamped `stamp_ns`.
pub fn observation(resources: &Resources, stamp_ns: i64) -> Arc<Observation> {
    let robot: &Robot = &resources.robot;
    let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let positions: Vec<f64> = names.iter().map(|name| robot.file().home[name]).collect();
    let frame = |value: u8| CameraFrame {
        stamp_ns,
        frame_id: "camera".into(),
        image: Arc::new(RgbImage::from_fn(6, 4, |x, y| image::Rgb([value, x as u8, y as u8]))),
        decode: Duration::ZERO,
        arrived: Duration::ZERO,
    };
    let front = frame(1);
    Arc::new(Observation {
        stamp_ns,
        history: vec![(stamp_ns, PastFrame::Image(front.image.clone()))],
        past: Vec::new(),
        cameras: vec![Some(front), Some(frame(2))],
        joints: JointSample {
            stamp_ns,
            state: resources.encoder.encode(&names, &positions).unwrap(),
            positions,
            arrived: Duration::ZERO,
        },
        instruction: Instruction { text: "pick up the red cube".into(), epoch: 1 },
        arrived: Duration::ZERO,
        times: StageTimes::default(),
    })
}

/// Takes an observation in.
pub fn perceive(resources: &Resources, stamp_ns: i64, show: bool) -> Arc<dyn Perceived> {
    let observation = &observation(resources, stamp_ns);
    let request = PerceiveRequest { observation, seed: u64::MAX - 1, show };
    resources.policy.perceive(&request, &mut StageTimes::default()).unwrap()
}

/// The chunk for an observation stamped `stamp_ns`.
pub fn act(resources: &Resources, stamp_ns: i64) -> Result<Vec<Vec<f32>>, PolicyError> {
    let request = ActRequest::default();
    perceive(resources, stamp_ns, false).act(&request, &mut StageTimes::default())
}

/// Asks until there is a chunk: the client connects anew by itself.
pub fn act_again(resources: &Resources) -> Vec<Vec<f32>> {
    let mut last = String::new();
    for _ in 0..3000 {
        match act(resources, 0) {
            Ok(rows) => return rows,
            Err(error) => last = error.to_string(),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no answer any more: {last}");
}
