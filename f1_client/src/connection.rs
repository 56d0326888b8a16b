//! A websocket to a policy server, kept open on a thread of its own.
//!
//! The thread runs tokio; others ask it and wait. It connects anew after every fault, with pauses
//! that grow, and says at once why it cannot answer meanwhile. A request whose time is over ends
//! the connection: what comes late can never be taken for the answer to the next request.

use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::{Duration, Instant};

use f1_serve::key::ApiKey;
use f1_serve::message::MAX_BYTES;
use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::{Condvar, Mutex};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error as SocketError;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

use crate::address::ServerAddress;
use crate::metadata::Metadata;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The first pause before connecting anew.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause before connecting anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Longest part of a server's sentence that is passed on, characters.
const SENTENCE: usize = 400;

/// How to reach a server.
#[derive(Clone)]
pub struct ConnectionSettings {
    /// Where it is.
    pub address: ServerAddress,
    /// The key that it asks for.
    pub key: Option<ApiKey>,
    /// Whose certificates are trusted; used for `wss://`.
    pub tls: Arc<rustls::ClientConfig>,
    /// How long connecting may take, the server's first message included.
    pub connecting: Duration,
}

/// An answer, as it came.
pub struct Reply {
    /// The message.
    pub bytes: Bytes,
    /// Counts connections: which one it came over.
    pub connection: u64,
    /// From sending the request to the whole answer.
    pub took: Duration,
}

struct Question {
    bytes: Vec<u8>,
    limit: Duration,
    reply: blocking::SyncSender<Result<Reply, String>>,
}

/// How the connection is at the moment.
#[derive(Clone, Debug)]
enum State {
    /// Not open; why, once that is known.
    Closed(Option<String>),
    /// Open, and what the server said first.
    Open(Arc<Metadata>),
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// What the server said when it was first reached; another policy is not taken in its place.
    first: Mutex<Option<Arc<Metadata>>>,
}

impl Shared {
    fn set(&self, state: State) {
        *self.state.lock() = state;
        self.changed.notify_all();
    }
}

/// A server, connected to or not. Dropping it ends its thread.
pub struct Connection {
    questions: mpsc::Sender<Question>,
    shared: Arc<Shared>,
}

impl Connection {
    /// Starts the thread, which begins to connect.
    ///
    /// # Errors
    /// The thread or its runtime cannot be started.
    pub fn start(settings: ConnectionSettings) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime for the connection: {error}"))?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::Closed(None)),
            changed: Condvar::new(),
            first: Mutex::new(None),
        });
        // One question at a time: the nodes have one observation under way.
        let (questions, receiver) = mpsc::channel(1);
        let of_thread = shared.clone();
        std::thread::Builder::new()
            .name("policy server".into())
            .spawn(move || runtime.block_on(keep_open(&settings, receiver, &of_thread)))
            .map_err(|error| format!("no thread for the connection: {error}"))?;
        Ok(Self { questions, shared })
    }

    /// Waits until the server was reached; what it said of itself.
    ///
    /// # Errors
    /// Why it was not reached within `limit`.
    pub fn wait_open(&self, limit: Duration) -> Result<Arc<Metadata>, String> {
        let end = Instant::now() + limit;
        let mut state = self.shared.state.lock();
        loop {
            match &*state {
                State::Open(metadata) => return Ok(metadata.clone()),
                State::Closed(fault) => {
                    let fault = fault.clone();
                    if self.shared.changed.wait_until(&mut state, end).timed_out() {
                        let seconds = limit.as_secs_f64();
                        let fault = fault.unwrap_or_else(|| "no answer".into());
                        return Err(format!("not reached within {seconds:.1} s: {fault}"));
                    }
                }
            }
        }
    }

    /// Sends a request and waits for its answer, for at most `limit`.
    ///
    /// # Errors
    /// Why there is no answer: no connection, a fault that the server reports, silence.
    pub fn ask(&self, bytes: Vec<u8>, limit: Duration) -> Result<Reply, String> {
        let (reply, answer) = blocking::sync_channel(1);
        let ended = || "the thread of the connection has ended".to_owned();
        self.questions.try_send(Question { bytes, limit, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => "another request is under way".to_owned(),
            mpsc::error::TrySendError::Closed(_) => ended(),
        })?;
        answer.recv().map_err(|_| ended())?
    }
}

/// Pauses between attempts: they grow until an answer comes.
struct Pauses(Duration);

impl Pauses {
    fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Connects, serves, and connects anew, until the policy that asks is gone.
async fn keep_open(
    settings: &ConnectionSettings,
    mut questions: mpsc::Receiver<Question>,
    shared: &Shared,
) {
    let mut pauses = Pauses::new();
    let mut number = 0;
    let mut noted = None;
    loop {
        let why = match &*shared.state.lock() {
            State::Closed(Some(fault)) => fault.clone(),
            _ => "the connection is being opened".into(),
        };
        let opening = tokio::time::timeout(settings.connecting, open(settings));
        let opened = match meanwhile(opening, &mut questions, &why).await {
            None => return,
            Some(Err(_)) => Err("it does not answer".to_owned()),
            Some(Ok(opened)) => opened,
        };
        let fault =
            match opened.and_then(|(socket, metadata)| Ok((socket, known(shared, metadata)?))) {
                Ok((mut socket, metadata)) => {
                    if noted.take().is_some() {
                        tracing::info!("policy server {}: connected", settings.address);
                    }
                    number += 1;
                    shared.set(State::Open(metadata));
                    let mut session = Session { socket: &mut socket, number, answered: false };
                    let ended = session.serve(&mut questions).await;
                    if session.answered {
                        pauses = Pauses::new();
                    }
                    match ended {
                        Some(fault) => fault,
                        None => {
                            // The other side learns that nothing follows; it need not answer.
                            let _ = socket.close(None).await;
                            return;
                        }
                    }
                }
                Err(fault) => fault,
            };
        if noted.as_ref() != Some(&fault) {
            tracing::warn!("policy server {}: {fault}", settings.address);
            noted = Some(fault.clone());
        }
        shared.set(State::Closed(Some(fault.clone())));
        let pause = tokio::time::sleep(pauses.next());
        if meanwhile(pause, &mut questions, &fault).await.is_none() {
            return;
        }
    }
}

/// Waits for `work` and answers questions with `why` meanwhile; `None` when no one can ask any
/// more.
async fn meanwhile<T>(
    work: impl Future<Output = T>,
    questions: &mut mpsc::Receiver<Question>,
    why: &str,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            question = questions.recv() => {
                // Who asked may have gone.
                let _ = question?.reply.send(Err(format!("not connected: {why}")));
            }
        }
    }
}

/// The metadata, unless the server serves another policy than before.
fn known(shared: &Shared, metadata: Metadata) -> Result<Arc<Metadata>, String> {
    let mut first = shared.first.lock();
    match &*first {
        Some(first) if **first == metadata => Ok(first.clone()),
        Some(_) => Err("it serves another policy than when the nodes were configured: clean them \
                        up and configure them again"
            .into()),
        None => Ok(first.insert(Arc::new(metadata)).clone()),
    }
}

async fn open(settings: &ConnectionSettings) -> Result<(Socket, Metadata), String> {
    let address = &settings.address;
    let mut request =
        address.uri().into_client_request().map_err(|error| format!("the address: {error}"))?;
    if let Some(key) = &settings.key {
        request.headers_mut().insert(AUTHORIZATION, key.authorization()?);
    }
    let stream = TcpStream::connect((address.host(), address.port()))
        .await
        .map_err(|error| error.to_string())?;
    // A request is one message: it must not wait for the acknowledgement of the last one.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_BYTES))
        .max_frame_size(Some(MAX_BYTES));
    let connector = if address.is_secure() {
        Connector::Rustls(settings.tls.clone())
    } else {
        Connector::Plain
    };
    let (mut socket, _) = tokio_tungstenite::client_async_tls_with_config(
        request,
        stream,
        Some(limits),
        Some(connector),
    )
    .await
    .map_err(|error| refusal(&error))?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => return Ok((socket, Metadata::read(&bytes)?)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Text(text))) => {
                return Err(format!("it speaks another protocol: {:?}", cut(&text)));
            }
            other => return Err(ending(other)),
        }
    }
}

/// Why a server refuses a connection, with the text of its answer.
fn refusal(error: &SocketError) -> String {
    let SocketError::Http(response) = error else { return error.to_string() };
    let said = response.body().as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
    let said = said.as_deref().map(str::trim).filter(|said| !said.is_empty());
    format!(
        "HTTP {}{}",
        response.status(),
        said.map_or(String::new(), |said| format!(": {}", cut(said)))
    )
}

/// Why a connection has ended.
fn ending(last: Option<Result<Message, SocketError>>) -> String {
    match last {
        Some(Ok(Message::Close(Some(frame)))) if !frame.reason.is_empty() => {
            format!("it closed the connection: {}", cut(&frame.reason))
        }
        Some(Ok(Message::Close(_))) | None => "it closed the connection".into(),
        Some(Ok(_)) => "it sent a message that nothing had asked for".into(),
        Some(Err(error)) => format!("the connection broke: {error}"),
    }
}

fn cut(text: &str) -> String {
    // Only the last line of a trace says what is wrong.
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = if text.starts_with("Traceback") { lines.next_back() } else { None };
    line.unwrap_or(text.trim()).chars().take(SENTENCE).collect()
}

/// One open connection.
struct Session<'a> {
    socket: &'a mut Socket,
    number: u64,
    /// Whether any request was answered.
    answered: bool,
}

/// Why a request has no answer.
enum Unanswered {
    /// The server says why; the connection may stay.
    Reported(String),
    /// The connection is over.
    Over(String),
}

impl Session<'_> {
    /// Answers questions until the connection ends, and why; `None` when no one can ask any more.
    async fn serve(&mut self, questions: &mut mpsc::Receiver<Question>) -> Option<String> {
        loop {
            let question = tokio::select! {
                question = questions.recv() => question?,
                // Between two requests only pings come, which the library answers.
                message = self.socket.next() => match message {
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    other => return Some(ending(other)),
                },
            };
            let Question { bytes, limit, reply } = question;
            let outcome = match tokio::time::timeout(limit, self.exchange(bytes)).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    Err(Unanswered::Over(format!("no answer for {:.2} s", limit.as_secs_f64())))
                }
            };
            let (outcome, over) = match outcome {
                Ok(answer) => (Ok(answer), None),
                Err(Unanswered::Reported(reason)) => (Err(reason), None),
                Err(Unanswered::Over(reason)) => (Err(reason.clone()), Some(reason)),
            };
            self.answered |= outcome.is_ok();
            // Who asked may have gone.
            let _ = reply.send(outcome);
            if over.is_some() {
                return over;
            }
        }
    }

    async fn exchange(&mut self, bytes: Vec<u8>) -> Result<Reply, Unanswered> {
        let begin = Instant::now();
        let broke = |error: SocketError| Unanswered::Over(format!("the connection broke: {error}"));
        self.socket.send(Message::Binary(bytes.into())).await.map_err(broke)?;
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let (connection, took) = (self.number, begin.elapsed());
                    return Ok(Reply { bytes, connection, took });
                }
                Some(Ok(Message::Text(text))) => {
                    return Err(Unanswered::Reported(format!("it reports: {}", cut(&text))));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                other => return Err(Unanswered::Over(ending(other))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut pauses = Pauses::new();
        let first: Vec<u128> = (0..8).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(first, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn of_a_trace_the_last_line_is_passed_on() {
        let trace = "Traceback (most recent call last):\n  File \"x.py\"\nKeyError: 'wrist'\n";
        assert_eq!(cut(trace), "KeyError: 'wrist'");
        assert_eq!(cut(" busy\n"), "busy");
    }
}
