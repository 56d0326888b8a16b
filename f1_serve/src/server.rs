//! The server: sockets, keys, limits; and what each connection does with the engine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use image::RgbImage;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::engine::Engine;
use crate::key::ApiKey;
use crate::layout::Layout;
use crate::model::{Frame, Job, Model};
use crate::observation::Observation;
use crate::session::Session;
use crate::view::{Watched, Watching};
use crate::{RequestError, ServeError, message, openpi, vla_eval};

/// WebSocket's code for an end that goes away.
const GOING_AWAY: u16 = 1001;
/// How long an ending server waits for its connections.
const FAREWELL: Duration = Duration::from_secs(10);

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub address: SocketAddr,
    /// The key that clients must send; without one every client that reaches the address is served.
    pub api_key: Option<ApiKey>,
    /// Serve other machines without a key.
    pub insecure: bool,
    /// Refuse a request until the connection has shown a whole history, where the model was
    /// trained on whole ones only; otherwise its first frame is repeated.
    pub full_history: bool,
    /// A pause between two requests after which the history starts anew.
    pub idle_reset: Option<Duration>,
    /// Steps of a chunk that vla-eval's clients are given before a new one is computed; the whole
    /// chunk without it.
    pub chunk_steps: Option<usize>,
    /// Requests that are computed together at most; 1: one by one.
    pub batch: usize,
    /// Connections at once.
    pub max_connections: usize,
    /// A connection that sends nothing for longer is closed.
    pub idle_timeout: Duration,
    /// A connection that does not take a message for longer is closed.
    pub write_timeout: Duration,
    /// Seed of tokens and noise for requests without one.
    pub seed: u64,
}

impl Settings {
    /// Listens on `address`, without a key.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            api_key: None,
            insecure: false,
            full_history: false,
            idle_reset: None,
            chunk_steps: None,
            batch: 8,
            max_connections: 64,
            idle_timeout: Duration::from_secs(600),
            write_timeout: Duration::from_secs(30),
            seed: 0,
        }
    }
}

/// What all connections share.
pub struct Served {
    /// The checkpoint's name, for the metadata.
    pub model_name: String,
    /// Keys and units.
    pub layout: Layout,
    /// The network.
    pub model: Arc<Model>,
    /// Its thread.
    pub engine: Engine,
    /// Settings.
    pub settings: Settings,
    /// What a live page shows.
    pub watching: Arc<Watching>,
    places: Arc<Semaphore>,
    requests: AtomicU64,
    /// Whether the server ends.
    stopping: watch::Sender<bool>,
}

impl Served {
    /// A model with its layout, ready to be served.
    ///
    /// # Errors
    /// The thread for inference cannot be started.
    pub fn new(
        model_name: String,
        model: Model,
        layout: Layout,
        settings: Settings,
    ) -> Result<Self, ServeError> {
        let model = Arc::new(model);
        let engine = Engine::start(model.clone(), settings.batch)?;
        let places = Arc::new(Semaphore::new(settings.max_connections));
        let watching = Watching::new(model_name.clone());
        Ok(Self {
            watching,
            model_name,
            layout,
            model,
            engine,
            settings,
            places,
            requests: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
        })
    }

    /// The next message of a connection; `None` when it has closed, fails, is silent for longer
    /// than `idle_timeout`, or when the server ends.
    pub async fn receive(&self, socket: &mut WebSocket) -> Option<Message> {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as `self`.
        let stopping = async move { stopping.wait_for(|stopping| *stopping).await.is_ok() };
        let received = tokio::select! {
            received = tokio::time::timeout(self.settings.idle_timeout, socket.recv()) => received,
            _ = stopping => {
                let frame = CloseFrame { code: GOING_AWAY, reason: "the server ends".into() };
                self.send(socket, Message::Close(Some(frame))).await;
                return None;
            }
        };
        match received {
            Ok(Some(Ok(message))) => Some(message),
            Ok(Some(Err(error))) => {
                tracing::warn!("a connection failed: {error}");
                None
            }
            Ok(None) => None,
            Err(_) => {
                tracing::info!("a connection was silent for too long and is closed");
                None
            }
        }
    }

    /// Sends a message; `false` when the connection has failed, or does not take the message within
    /// `write_timeout`.
    pub async fn send(&self, socket: &mut WebSocket, message: Message) -> bool {
        match tokio::time::timeout(self.settings.write_timeout, socket.send(message)).await {
            Ok(sent) => sent.is_ok(),
            Err(_) => {
                tracing::warn!("a connection does not take its answer and is closed");
                false
            }
        }
    }
}

/// What a connection got for one request.
pub struct Answered {
    /// `[horizon][width]`, in the data set's units.
    pub actions: Vec<Vec<f64>>,
    /// The foreseen image, where it was asked for.
    pub foreseen: Option<RgbImage>,
    /// The image foreseen one stride ago against the true one, PSNR in dB; where it was asked for.
    pub psnr: Option<f64>,
    /// Time of the computation.
    pub infer: Duration,
}

/// One connection's side of the engine.
pub struct Connection {
    session: Session<Frame>,
    watched: Watched,
    history_camera: Option<usize>,
}

impl Connection {
    /// A connection that has shown nothing.
    #[must_use]
    pub fn new(served: &Served, protocol: &'static str) -> Self {
        let watched = served.watching.connect(protocol);
        let history_camera = served.layout.history_camera().filter(|_| served.model.foresees());
        let session = Session::new(served.model.history(), served.settings.idle_reset);
        Self { session, watched, history_camera }
    }

    /// Takes an observation into the history, `steps` control steps after the last one. Whether a
    /// history began anew with it.
    pub fn begin(&mut self, served: &Served, observation: &Observation, steps: usize) -> bool {
        let reset = observation.extras.reset;
        let anew = self.session.begin(&observation.prompt, reset, steps, Instant::now());
        if let Some(Some(image)) = self.history_camera.map(|index| &observation.images[index]) {
            self.session.keep(Frame::new(image.clone()));
        }
        served.requests.fetch_add(1, Ordering::Relaxed);
        anew
    }

    /// Computes the chunk for the observation that [`Self::begin`] took.
    ///
    /// # Errors
    /// A history that is not full where it must be, a busy server, what the network refuses.
    pub async fn infer(
        &mut self,
        served: &Served,
        observation: Observation,
    ) -> Result<Answered, RequestError> {
        let run = &served.model.policy().config().run;
        let history = match observation.extras.history {
            Some(frames) => frames.into_iter().map(Frame::new).collect(),
            None if self.history_camera.is_none() => Vec::new(),
            None => {
                let must_be_full = served.settings.full_history && run.full_history;
                if must_be_full && !self.session.is_full() {
                    let wanted = run.history_frames;
                    return Err(RequestError::History { found: self.session.shown(), wanted });
                }
                self.session.history()
            }
        };
        let named = served.layout.cameras.iter().zip(&observation.images);
        let named =
            named.filter_map(|(camera, image)| Some((camera.name.as_str(), image.as_ref()?)));
        let (mut shown, asked) = (self.watched.images(named), Instant::now());
        let prompt = observation.prompt.clone();
        let cameras = served.layout.cameras.iter().zip(observation.images);
        let cameras = cameras.filter(|(camera, _)| camera.understanding).map(|(_, image)| image);
        let mut frozen = observation.extras.frozen;
        for row in &mut frozen {
            served.layout.action.to_data_set(row);
        }
        let foresight = observation.extras.foresight;
        let job = Job {
            cameras: cameras.collect(),
            prompt: observation.prompt,
            state: observation.state,
            history,
            seed: observation
                .extras
                .seed
                .unwrap_or_else(|| served.settings.seed.wrapping_add(self.session.requests())),
            frozen,
            foresight,
        };
        let answer = served.engine.infer(job).await?;
        let foreseen = answer.foreseen.iter().map(|image| ("foreseen", image));
        shown.extend(self.watched.images(foreseen));
        let waited = asked.elapsed().saturating_sub(answer.infer);
        self.watched.answered(&prompt, (answer.infer, waited), shown);
        let psnr = match (self.session.came(), &answer.view) {
            (Some(foreseen), Some(view)) => f1_image::psnr(&foreseen, view),
            _ => None,
        };
        if let Some(image) = &answer.foreseen {
            self.session.foresaw(image.clone());
        }
        let (actions, foreseen, infer) = (answer.actions, answer.foreseen, answer.infer);
        Ok(Answered { actions, foreseen, psnr, infer })
    }
}

/// The server's routes: openpi at `/`, vla-eval at `/vla-eval`, health and configuration beside
/// them.
pub fn router(served: Arc<Served>) -> Router {
    let ok = || async { "ok\n" };
    let health =
        || async { ([(header::CONTENT_TYPE, "application/json")], "{\"status\": \"ok\"}\n") };
    Router::new()
        .route("/", get(openpi_socket))
        .route("/vla-eval", get(vla_eval_socket))
        .route("/healthz", get(ok))
        .route("/health", get(health))
        .route("/config", get(config))
        .with_state(served)
}

/// Listens; `ready` receives the address (its port, where 0 was asked for). Ends when `stop` does.
///
/// # Errors
/// An address beyond this machine without a key, or one that cannot be listened on.
pub async fn run(
    served: Arc<Served>,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let address = served.settings.address;
    check_exposure(&served.settings)?;
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    ready(listener.local_addr().map_err(failed)?);
    let (of_all, places) = (served.settings.max_connections, served.places.clone());
    let ending = served.clone();
    let stop = async move {
        stop.await;
        ending.stopping.send_replace(true);
    };
    axum::serve(listener, router(served)).with_graceful_shutdown(stop).await.map_err(failed)?;
    // Requests that are computed are answered, and every client gets a close message.
    let all = u32::try_from(of_all).unwrap_or(u32::MAX);
    if tokio::time::timeout(FAREWELL, places.acquire_many(all)).await.is_err() {
        tracing::warn!("connections are still open at the end");
    }
    Ok(())
}

/// Refuses to serve other machines without a key, unless that is what was asked for.
fn check_exposure(settings: &Settings) -> Result<(), ServeError> {
    let open = settings.api_key.is_none() && !settings.insecure;
    if open && !settings.address.ip().is_loopback() {
        return Err(ServeError::Exposed(settings.address));
    }
    Ok(())
}

async fn openpi_socket(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    accept(served, &headers, upgrade, openpi::serve)
}

async fn vla_eval_socket(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    accept(served, &headers, upgrade, vla_eval::serve)
}

fn accept<F>(
    served: Arc<Served>,
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    handler: impl FnOnce(WebSocket, Arc<Served>) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    if let Err((status, reason)) = admit(&served.settings, headers) {
        return (status, reason).into_response();
    }
    let Ok(upgrade) = upgrade else {
        let text = "a policy server: connect with openpi-client here, with vla-eval at /vla-eval\n";
        return (StatusCode::UPGRADE_REQUIRED, text).into_response();
    };
    let Ok(place) = served.places.clone().try_acquire_owned() else {
        let text = format!("{} connections are open already\n", served.settings.max_connections);
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    upgrade.max_message_size(message::MAX_BYTES).max_frame_size(message::MAX_BYTES).on_upgrade(
        move |socket| async move {
            handler(socket, served).await;
            drop(place);
        },
    )
}

/// Whether a request may connect. Browsers name their page's origin, robots and harnesses do not:
/// a page that a person happens to visit must not drive the policy.
fn admit(settings: &Settings, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    if headers.contains_key(header::ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "web pages may not connect\n"));
    }
    let Some(key) = &settings.api_key else { return Ok(()) };
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match sent.and_then(|sent| key.admits(sent)) {
        Some(true) => Ok(()),
        Some(false) => Err((StatusCode::UNAUTHORIZED, "another API key\n")),
        None => Err((StatusCode::UNAUTHORIZED, "send the header Authorization: Api-Key KEY\n")),
    }
}

async fn config(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    if let Err((status, reason)) = admit(&served.settings, &headers) {
        return (status, reason).into_response();
    }
    let (batches, jobs) = served.engine.computed();
    let body = serde_json::json!({
        "config": {
            "model": served.model_name,
            "layout": served.layout.name,
            "max_connections": served.settings.max_connections,
            "chunk_steps": served.settings.chunk_steps,
            "batch": served.settings.batch,
        },
        "connections": served.settings.max_connections - served.places.available_permits(),
        "requests": served.requests.load(Ordering::Relaxed),
        "waiting": served.engine.waiting(),
        "computed": {"batches": batches, "requests": jobs},
    });
    ([(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(address: &str) -> Settings {
        Settings::new(address.parse().unwrap())
    }

    #[test]
    fn other_machines_are_served_with_a_key_or_on_purpose_only() {
        for loopback in ["127.0.0.1:0", "127.8.8.8:0", "[::1]:0"] {
            assert!(check_exposure(&settings(loopback)).is_ok());
        }
        for address in ["0.0.0.0:0", "192.168.1.2:8000", "[::]:0"] {
            let open = settings(address);
            assert!(matches!(check_exposure(&open), Err(ServeError::Exposed(_))));
            let keyed = Settings { api_key: ApiKey::new("k").ok(), ..open.clone() };
            assert!(check_exposure(&keyed).is_ok());
            assert!(check_exposure(&Settings { insecure: true, ..open }).is_ok());
        }
    }

    #[test]
    fn a_key_is_asked_for_and_web_pages_are_not_let_in() {
        let mut settings = settings("127.0.0.1:0");
        let mut headers = HeaderMap::new();
        assert!(admit(&settings, &headers).is_ok());
        settings.api_key = Some(ApiKey::new(" secret\n").unwrap());
        for value in ["secret", "Bearer secret", "Api-Key other", "Api-Key secretly", "Api-Key "] {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert!(admit(&settings, &headers).is_err(), "{value}");
        }
        headers.insert(header::AUTHORIZATION, "Api-Key secret".parse().unwrap());
        assert!(admit(&settings, &headers).is_ok());
        headers.insert(header::ORIGIN, "http://example.org".parse().unwrap());
        assert_eq!(admit(&settings, &headers).unwrap_err().0, StatusCode::FORBIDDEN);
    }

    #[test]
    fn a_key_is_never_printed() {
        let mut settings = settings("127.0.0.1:0");
        settings.api_key = Some(ApiKey::new("hidden").unwrap());
        assert!(!format!("{settings:?}").contains("hidden"));
        assert!(ApiKey::new(" \n").is_err());
    }
}
