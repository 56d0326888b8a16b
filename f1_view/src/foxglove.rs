//! Topics for viewers of robot data (Foxglove, Lichtblick), on Foxglove's websocket protocol.
//!
//! Written against the protocol's specification by Foxglove on the websockets that the page has
//! too: the crate `foxglove` offers `foxglove.sdk.v1` alone, which releases of Lichtblick do not
//! speak, and brings 40 crates. What is used here is the same in both versions of the protocol.
//! Viewers look; they can publish nothing and call nothing.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::running::Running;
use crate::{ViewError, access};

/// The port that viewers suggest.
pub const PORT: u16 = 8765;
/// The protocol's versions.
const PROTOCOLS: [&str; 2] = ["foxglove.sdk.v1", "foxglove.websocket.v1"];
/// Messages that may wait for one viewer, and their bytes; the oldest go first.
const BACKLOG: usize = 256;
const BACKLOG_BYTES: usize = 32 << 20;
/// Viewers at once.
const VIEWERS: usize = 16;
/// Longest message of a viewer, bytes.
const MESSAGE: usize = 1 << 20;
/// A viewer that takes nothing for so long is cut off.
const STALLED: Duration = Duration::from_secs(60);
/// First byte of a message with data.
const DATA: u8 = 1;

/// What is shared by topics and viewers.
#[derive(Default)]
struct Shared {
    /// As they are advertised; a topic's number is its place.
    channels: Mutex<Vec<Value>>,
    viewers: Mutex<BTreeMap<u64, Viewer>>,
    /// Newest messages of latched topics: what they need in front of a viewer's number.
    kept: Mutex<BTreeMap<u64, (u64, Vec<u8>)>>,
    opened: AtomicU64,
}

/// What one viewer asked for, and what waits for it.
#[derive(Default)]
struct Viewer {
    /// The viewer's own number of each topic that it asked for.
    asked: BTreeMap<u64, u32>,
    waiting: VecDeque<Bytes>,
    bytes: usize,
    ready: Arc<Notify>,
}

impl Viewer {
    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.waiting.push_back(frame);
        while self.waiting.len() > BACKLOG || self.bytes > BACKLOG_BYTES && self.waiting.len() > 1 {
            self.pop();
        }
        self.ready.notify_one();
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.waiting.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

/// No code panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The topics that viewers are offered.
#[derive(Clone, Default)]
pub struct Channels(Arc<Shared>);

impl Channels {
    /// Adds a topic of CDR messages: its absolute name, the type (`std_msgs/msg/String`), and the
    /// type's definition with those of its parts. Topics are added before viewers are served.
    #[must_use]
    pub fn add(&self, topic: &str, type_name: &str, definition: &str) -> Channel {
        let mut channels = lock(&self.0.channels);
        let id = channels.len() as u64;
        channels.push(json!({
            "id": id,
            "topic": topic,
            "encoding": "cdr",
            "schemaName": type_name,
            "schemaEncoding": "ros2msg",
            "schema": definition,
        }));
        Channel { id, shared: self.0.clone() }
    }
}

/// A topic that viewers may ask for.
pub struct Channel {
    id: u64,
    shared: Arc<Shared>,
}

impl Channel {
    /// Whether a viewer asks for it: what no viewer asks for needs no encoding.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        lock(&self.shared.viewers).values().any(|viewer| viewer.asked.contains_key(&self.id))
    }

    /// Hands a message to the viewers that ask for it; `stamp` is when it came, ns.
    pub fn send(&self, stamp: u64, message: &[u8]) {
        for viewer in lock(&self.shared.viewers).values_mut() {
            if let Some(number) = viewer.asked.get(&self.id) {
                let frame = framed(*number, stamp, message);
                viewer.push(frame);
            }
        }
    }

    /// The same for a latched topic: a viewer that asks for it later gets the newest message too.
    pub fn keep(&self, stamp: u64, message: Vec<u8>) {
        // Locked over both: who asks meanwhile gets this message, once or twice.
        let mut kept = lock(&self.shared.kept);
        self.send(stamp, &message);
        kept.insert(self.id, (stamp, message));
    }
}

/// A message with data: a viewer's number, the time in ns, the message.
fn framed(number: u32, stamp: u64, message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(13 + message.len());
    frame.push(DATA);
    frame.extend_from_slice(&number.to_le_bytes());
    frame.extend_from_slice(&stamp.to_le_bytes());
    frame.extend_from_slice(message);
    Bytes::from(frame)
}

/// Serves viewers until it is dropped.
pub struct Viewers(Running);

impl Viewers {
    /// Serves `channels` on this port of loopback from now on; port 0 takes a free one.
    ///
    /// # Errors
    /// A port that cannot be listened on.
    pub fn start(port: u16, channels: &Channels) -> Result<Self, ViewError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let state = Serving {
            shared: channels.0.clone(),
            hostname: access::hostname().into(),
            places: Arc::new(Semaphore::new(VIEWERS)),
        };
        let router = Router::new().route("/", get(open)).with_state(state);
        Running::start("foxglove", address, router).map(Self)
    }

    /// Where viewers connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

#[derive(Clone)]
struct Serving {
    shared: Arc<Shared>,
    hostname: Arc<str>,
    places: Arc<Semaphore>,
}

async fn open(
    State(serving): State<Serving>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Err(reason) = access::check_viewer(&headers, &serving.hostname) {
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade.protocols(PROTOCOLS),
        Err(rejection) => return rejection.into_response(),
    };
    if upgrade.selected_protocol().is_none() {
        let text = format!("a viewer speaks {}\n", PROTOCOLS.join(" or "));
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let Ok(place) = serving.places.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many viewers\n").into_response();
    };
    upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE).on_upgrade(move |socket| async move {
        let viewing = Viewing::new(serving.shared.clone());
        serve(socket, &viewing).await;
        drop((viewing, place));
    })
}

/// A viewer while it is connected.
struct Viewing {
    id: u64,
    shared: Arc<Shared>,
    ready: Arc<Notify>,
}

impl Viewing {
    fn new(shared: Arc<Shared>) -> Self {
        let id = shared.opened.fetch_add(1, Ordering::Relaxed);
        let viewer = Viewer::default();
        let ready = viewer.ready.clone();
        lock(&shared.viewers).insert(id, viewer);
        Self { id, shared, ready }
    }

    /// The next message for it.
    async fn next(&self) -> Bytes {
        loop {
            let frame = lock(&self.shared.viewers).get_mut(&self.id).and_then(Viewer::pop);
            if let Some(frame) = frame {
                return frame;
            }
            self.ready.notified().await;
        }
    }

    /// Does what the viewer says.
    fn hear(&self, said: Said) {
        let known = lock(&self.shared.channels).len() as u64;
        let kept = lock(&self.shared.kept);
        let mut viewers = lock(&self.shared.viewers);
        let Some(viewer) = viewers.get_mut(&self.id) else { return };
        match said {
            Said::Subscribe { subscriptions } => {
                for Subscription { id, channel } in subscriptions {
                    if channel >= known || viewer.asked.contains_key(&channel) {
                        continue;
                    }
                    viewer.asked.insert(channel, id);
                    if let Some((stamp, message)) = kept.get(&channel) {
                        viewer.push(framed(id, *stamp, message));
                    }
                }
            }
            Said::Unsubscribe { ids } => viewer.asked.retain(|_, number| !ids.contains(number)),
            Said::Other => {}
        }
    }
}

impl Drop for Viewing {
    fn drop(&mut self) {
        lock(&self.shared.viewers).remove(&self.id);
    }
}

/// What a viewer says.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase")]
enum Said {
    Subscribe {
        subscriptions: Vec<Subscription>,
    },
    Unsubscribe {
        #[serde(rename = "subscriptionIds")]
        ids: Vec<u32>,
    },
    /// What needs a capability that this server does not have.
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Subscription {
    id: u32,
    #[serde(rename = "channelId")]
    channel: u64,
}

/// One viewer, to its end.
async fn serve(socket: WebSocket, viewing: &Viewing) {
    let (mut sender, mut receiver) = socket.split();
    let channels = lock(&viewing.shared.channels).clone();
    let texts = [
        json!({"op": "serverInfo", "name": "f1_policy", "capabilities": []}),
        json!({"op": "advertise", "channels": channels}),
    ];
    for text in texts {
        let text = Utf8Bytes::from(text.to_string());
        if sender.send(Message::Text(text)).await.is_err() {
            return;
        }
    }
    loop {
        tokio::select! {
            said = receiver.next() => match said {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(said) => viewing.hear(said),
                    Err(_) => return,
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            frame = viewing.next() => {
                let sending = sender.send(Message::Binary(frame));
                match tokio::time::timeout(STALLED, sending).await {
                    Ok(Ok(())) => {}
                    _ => return,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_messages_of_a_slow_viewer_go_first() {
        let mut viewer = Viewer::default();
        for number in 0..1000u64 {
            viewer.push(framed(7, number, b"x"));
        }
        assert_eq!(viewer.waiting.len(), BACKLOG);
        assert_eq!(viewer.pop().unwrap(), framed(7, 1000 - BACKLOG as u64, b"x"));
        let large = vec![0; BACKLOG_BYTES];
        viewer.push(framed(7, 0, &large));
        assert_eq!(viewer.waiting.len(), 1, "the newest stays, however large it is");
        assert_eq!(viewer.pop().map(|frame| frame.len()), Some(13 + BACKLOG_BYTES));
        assert_eq!((viewer.bytes, viewer.pop()), (0, None));
    }

    #[test]
    fn what_a_viewer_says_is_read() {
        let read = |text: &str| serde_json::from_str::<Said>(text);
        let text = r#"{"op": "subscribe", "subscriptions": [{"id": 0, "channelId": 3}]}"#;
        assert!(
            matches!(read(text), Ok(Said::Subscribe { subscriptions }) if subscriptions[0].channel == 3)
        );
        let text = r#"{"op": "unsubscribe", "subscriptionIds": [0, 1]}"#;
        assert!(matches!(read(text), Ok(Said::Unsubscribe { ids }) if ids == [0, 1]));
        assert!(matches!(read(r#"{"op": "getParameters", "id": "a"}"#), Ok(Said::Other)));
        assert!(read("[]").is_err());
    }
}
