//! The server: one thread with its own runtime, the page's files, one websocket a page.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::SplitStream;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use crate::encoder::Encoder;
use crate::running::Running;
use crate::{Command, Settings, Source, access, page};

/// Shortest time between two updates of a page.
const PERIOD: Duration = Duration::from_millis(100);
/// Pages at once.
const PAGES: usize = 64;
/// Commands of one page that may wait for their answers; stop is not counted.
const COMMANDS: usize = 8;
/// Longest message of a page, bytes.
const MESSAGE: usize = 16 << 10;
/// How long a wrong token is answered after: guessing takes time.
const WRONG: Duration = Duration::from_secs(1);
/// A page that takes nothing for so long is closed.
const STALLED: Duration = Duration::from_secs(60);

/// Why a page, or viewers, cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Another address than loopback without a token.
    #[error(
        "{0} can be reached from other machines: give a token (--view-token FILE, or the environment \
         variable F1_VIEW_TOKEN); instruction and reset need it there"
    )]
    Exposed(SocketAddr),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A thread cannot be started.
    #[error("no thread for the server: {0}")]
    Thread(std::io::Error),
}

struct Shared {
    settings: Settings,
    source: Arc<dyn Source>,
    encoder: Encoder,
    hostname: String,
    places: Arc<Semaphore>,
    pages: AtomicUsize,
    latest: Mutex<Option<(Instant, Utf8Bytes)>>,
}

impl Shared {
    /// The state as the pages get it: made once for all that ask at the same time.
    fn state(&self) -> Utf8Bytes {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, text)) = &*latest
            && at.elapsed() < PERIOD / 2
        {
            return text.clone();
        }
        let mut state = self.source.state();
        state["needs_token"] = self.settings.is_exposed().into();
        let text = Utf8Bytes::from(json!({"state": state}).to_string());
        *latest = Some((Instant::now(), text.clone()));
        text
    }
}

/// The running server; it ends when it is dropped.
pub struct Server(Running);

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Server {
    /// Serves the page of `source` from now on.
    ///
    /// # Errors
    /// An address beyond this machine without a token, or one that cannot be listened on.
    pub fn start(settings: Settings, source: Arc<dyn Source>) -> Result<Self, ViewError> {
        if settings.is_exposed() && settings.token.is_none() {
            return Err(ViewError::Exposed(settings.address));
        }
        let address = settings.address;
        let encoder = Encoder::start(source.clone()).map_err(ViewError::Thread)?;
        let shared = Arc::new(Shared {
            settings,
            source,
            encoder,
            hostname: access::hostname(),
            places: Arc::new(Semaphore::new(PAGES)),
            pages: AtomicUsize::new(0),
            latest: Mutex::default(),
        });
        Running::start("view", address, router(shared)).map(Self)
    }

    /// Where the page is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(
            "/",
            get(|state, headers| send(state, headers, "text/html; charset=utf-8", page::HTML)),
        )
        .route("/style.css", get(|state, headers| send(state, headers, "text/css", page::STYLE)))
        .route(
            "/script.js",
            get(|state, headers| send(state, headers, "text/javascript", page::SCRIPT)),
        )
        .route("/socket", get(socket))
        .route("/counts", get(counts))
        .with_state(shared)
}

async fn send(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    kind: &'static str,
    text: &'static str,
) -> Response {
    match access::check(&headers, &shared.hostname) {
        Ok(()) => page::file(kind, text),
        Err(reason) => (StatusCode::FORBIDDEN, reason).into_response(),
    }
}

/// What the page costs, for measurements: open pages and encoded images.
async fn counts(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Err(reason) = access::check(&headers, &shared.hostname) {
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let pages = shared.pages.load(Ordering::Relaxed);
    format!("{}\n", json!({"pages": pages, "encoded": shared.encoder.encoded()})).into_response()
}

async fn socket(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Err(reason) = access::check(&headers, &shared.hostname) {
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let Ok(place) = shared.places.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n").into_response();
    };
    upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE).on_upgrade(move |socket| async move {
        let counted = Counted::new(shared.clone());
        serve(socket, &shared).await;
        drop((counted, place));
    })
}

/// Counts a page while it is open.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: Arc<Shared>) -> Self {
        let count = shared.pages.fetch_add(1, Ordering::SeqCst) + 1;
        shared.source.pages(count);
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let count = self.0.pages.fetch_sub(1, Ordering::SeqCst) - 1;
        self.0.source.pages(count);
    }
}

/// What a page says.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Do {
        #[serde(flatten)]
        command: Command,
        #[serde(default)]
        token: Option<String>,
        /// Comes back with the answer.
        #[serde(default)]
        id: u64,
    },
    Next {
        #[serde(rename = "next")]
        _next: bool,
    },
}

/// What is sent to a page beside updates.
enum Order {
    Update,
    Answer(String),
}

/// One page, to its end.
async fn serve(socket: WebSocket, shared: &Arc<Shared>) {
    let (mut sender, receiver) = socket.split();
    let (orders, mut ordered) = mpsc::channel::<Order>(16);
    let listening = tokio::spawn(listen(receiver, shared.clone(), orders));
    let mut shown: HashMap<String, u64> = HashMap::new();
    while let Some(order) = ordered.recv().await {
        let messages = match order {
            Order::Answer(text) => vec![Message::Text(Utf8Bytes::from(text))],
            Order::Update => update(shared, &mut shown).await,
        };
        for message in messages {
            // A page that takes nothing holds its own task only, and not for ever.
            match tokio::time::timeout(STALLED, sender.send(message)).await {
                Ok(Ok(())) => {}
                _ => {
                    listening.abort();
                    return;
                }
            }
        }
    }
    listening.abort();
}

/// Hears what a page says; it ends when the page does.
async fn listen(
    mut receiver: SplitStream<WebSocket>,
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
) {
    let mut last = tokio::time::Instant::now() - PERIOD;
    let commands = Arc::new(Semaphore::new(COMMANDS));
    // An update that is due is one update, however often it is asked for.
    let due_soon = Arc::new(AtomicBool::new(false));
    while let Some(Ok(message)) = receiver.next().await {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Close(_) => return,
            _ => continue,
        };
        match serde_json::from_str(text) {
            Ok(Said::Next { .. }) => {
                if due_soon.swap(true, Ordering::SeqCst) {
                    continue;
                }
                let (due, orders) = (last + PERIOD, orders.clone());
                last = due.max(tokio::time::Instant::now());
                let due_soon = due_soon.clone();
                // Beside the reading: a stop is received while an update waits for its time.
                tokio::spawn(async move {
                    tokio::time::sleep_until(due).await;
                    due_soon.store(false, Ordering::SeqCst);
                    let _ = orders.try_send(Order::Update);
                });
            }
            Ok(Said::Do { command, token, id }) => {
                let (shared, orders) = (shared.clone(), orders.clone());
                let place = match commands.clone().try_acquire_owned() {
                    Ok(place) => Some(place),
                    Err(_) if command.is_free() => None,
                    // Many tokens that are tried at once would be many guesses a second.
                    Err(_) => continue,
                };
                tokio::spawn(async move {
                    let _place = place;
                    let answer = obey(&shared, command, token.as_deref()).await;
                    let (good, text) = match answer {
                        Ok(text) => (true, text),
                        Err(text) => (false, text),
                    };
                    let answer = json!({"answer": {"id": id, "good": good, "text": text}});
                    let _ = orders.send(Order::Answer(answer.to_string())).await;
                });
            }
            Err(_) => return,
        }
    }
}

/// Does what a page asks for, if it may.
async fn obey(
    shared: &Arc<Shared>,
    command: Command,
    token: Option<&str>,
) -> Result<String, String> {
    if !shared.settings.allows(&command, token) {
        tokio::time::sleep(WRONG).await;
        return Err("this needs the token that the program was started with".into());
    }
    tracing::info!(?command, "asked for on the page");
    let source = shared.source.clone();
    // A command may take a lock of the robot's threads: the page's own thread goes on.
    let done = tokio::task::spawn_blocking(move || source.command(&command)).await;
    done.unwrap_or_else(|error| Err(error.to_string()))
}

/// The state, and the images that this page has not seen: each as `length of the name (one byte),
/// name, JPEG file`.
async fn update(shared: &Arc<Shared>, shown: &mut HashMap<String, u64>) -> Vec<Message> {
    let images = shared.source.images();
    shown.retain(|key, _| images.iter().any(|image| image.key == *key));
    let mut messages = Vec::new();
    for image in images {
        if shown.get(&image.key) == Some(&image.sequence) {
            continue;
        }
        let Some((sequence, file)) = shared.encoder.image(&image.key).await else { continue };
        let Some(message) = framed(&image.key, &file) else { continue };
        shown.insert(image.key, sequence);
        messages.push(Message::Binary(message));
    }
    // The state comes last: the page asks for the next update when it has it.
    messages.push(Message::Text(shared.state()));
    messages
}

fn framed(key: &str, file: &Bytes) -> Option<Bytes> {
    let length = u8::try_from(key.len()).ok()?;
    let mut message = Vec::with_capacity(1 + key.len() + file.len());
    message.push(length);
    message.extend_from_slice(key.as_bytes());
    message.extend_from_slice(file);
    Some(Bytes::from(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_says_is_read() {
        let read = |text: &str| serde_json::from_str::<Said>(text);
        assert!(matches!(read(r#"{"next": true}"#), Ok(Said::Next { .. })));
        let said = read(r#"{"do": "instruction", "text": "pick", "id": 3, "token": "x"}"#);
        let Ok(Said::Do { command, token, id }) = said else { panic!("not read") };
        assert_eq!(command, Command::Instruction { text: "pick".into() });
        assert_eq!((token.as_deref(), id), (Some("x"), 3));
        assert!(matches!(read(r#"{"do": "stop"}"#), Ok(Said::Do { command: Command::Stop, .. })));
        for text in ["", "{}", "[]", r#"{"do": "format"}"#, r#"{"do": "instruction"}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
