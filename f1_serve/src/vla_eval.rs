//! The protocol of the harness `vla-eval`: envelopes with type, payload, sequence number and time,
//! text keys throughout. The client sends `hello` first and is answered with what the policy needs
//! to see; each observation, one a control step, is answered by one action from the connection's
//! buffer of the last chunk, which `episode_start` clears. Errors are messages; the connection
//! stays.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::ws::{Message, WebSocket};
use rmpv::Value;

use crate::RequestError;
use crate::array::{Array, Dialect};
use crate::layout::Layout;
use crate::message;
use crate::observation::Observation;
use crate::server::{Connection, Served};

/// The protocol's version that this speaks.
const PROTOCOL_VERSION: u64 = 1;

/// An envelope, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// What it is: `hello`, `observation`, ...
    pub kind: String,
    /// What it holds.
    pub payload: Vec<(Value, Value)>,
    /// Its number, which the answer repeats.
    pub seq: Value,
}

impl Envelope {
    /// Reads a message.
    ///
    /// # Errors
    /// [`RequestError::Malformed`] with what is missing or wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, RequestError> {
        let mut map = message::read(bytes)?;
        let mut missing = Vec::new();
        for name in ["type", "payload", "seq", "timestamp"] {
            if message::get(&map, name).is_none() {
                missing.push(name);
            }
        }
        if !missing.is_empty() {
            return Err(RequestError::Malformed(format!(
                "the message lacks {}; its keys: {}",
                missing.join(", "),
                message::keys(&map).join(", ")
            )));
        }
        let kind = message::get(&map, "type").and_then(Value::as_str).unwrap_or("").to_owned();
        let seq = message::get(&map, "seq").cloned().unwrap_or(Value::Nil);
        let at = map.iter().position(|(key, _)| key.as_str() == Some("payload"));
        let payload = match at.map(|at| map.swap_remove(at).1) {
            Some(Value::Map(payload)) => payload,
            Some(Value::Nil) | None => Vec::new(),
            Some(other) => {
                return Err(RequestError::Malformed(format!(
                    "payload: {}, a map belongs there",
                    message::kind(&other)
                )));
            }
        };
        Ok(Self { kind, payload, seq })
    }
}

fn envelope(kind: &str, payload: Value, seq: Value) -> Message {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let value = message::map([
        ("type", Value::from(kind)),
        ("payload", payload),
        ("seq", seq),
        ("timestamp", Value::from(now.as_secs_f64())),
    ]);
    Message::Binary(message::write(&value).into())
}

/// The answer to `hello`: what the policy wants to see, and the conventions of both sides.
#[must_use]
pub fn hello(served: &Served) -> Value {
    let layout = &served.layout;
    let spec = |name: &str, dims: usize, format: &str| {
        message::map([
            ("name", Value::from(name)),
            ("dims", Value::from(dims as u64)),
            ("format", Value::from(format)),
        ])
    };
    let wrist = layout.cameras.iter().any(|camera| camera.name.contains("wrist"));
    let mut parameters = Vec::new();
    if wrist {
        parameters.push((Value::from("send_wrist_image"), Value::from(true)));
    }
    if !layout.state.is_empty() {
        parameters.push((Value::from("send_state"), Value::from(true)));
    }
    let mut observation = vec![(Value::from("image"), spec("image", 0, "rgb_hwc_uint8"))];
    if !layout.state.is_empty() {
        observation.push((Value::from("state"), spec("state", layout.state_width(), "raw")));
    }
    observation.push((Value::from("language"), spec("language", 0, "language")));
    let action = message::map([("actions", spec("actions", layout.action.width, "raw"))]);
    message::map([
        ("harness_version", Value::from(concat!("f1_serve ", env!("CARGO_PKG_VERSION")))),
        ("protocol_version", Value::from(PROTOCOL_VERSION)),
        ("model_server", Value::from("f1_serve")),
        ("capabilities", Value::Map(Vec::new())),
        ("observation_params", Value::Map(parameters)),
        ("action_spec", action),
        ("observation_spec", Value::Map(observation)),
    ])
}

/// Serves one connection until it closes or is silent for too long.
pub async fn serve(mut socket: WebSocket, served: Arc<Served>) {
    let mut connection = Connection::new(&served, "vla-eval");
    let mut buffer: VecDeque<Vec<f64>> = VecDeque::new();
    let mut episode_began = false;
    while let Some(received) = served.receive(&mut socket).await {
        let bytes = match received {
            Message::Binary(bytes) => bytes,
            Message::Text(_) => {
                let reason = "a text message: envelopes are msgpack in binary messages";
                let error = RequestError::Malformed(reason.into());
                if !served.send(&mut socket, failure(&error, Value::from(0))).await {
                    return;
                }
                continue;
            }
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
        };
        let reply = match Envelope::read(&bytes) {
            Err(error) => Some(failure(&error, Value::from(0))),
            Ok(received) => match received.kind.as_str() {
                "hello" => Some(envelope("hello", hello(&served), received.seq)),
                "episode_start" => {
                    buffer.clear();
                    episode_began = true;
                    None
                }
                "episode_end" => {
                    buffer.clear();
                    None
                }
                "observation" => {
                    let began = std::mem::take(&mut episode_began);
                    let step = next_action(
                        &served,
                        &mut connection,
                        &mut buffer,
                        &received.payload,
                        began,
                    );
                    Some(match step.await {
                        Ok(action) => envelope("action", action, received.seq),
                        Err(error) => failure(&error, received.seq),
                    })
                }
                "error" => {
                    tracing::warn!("vla-eval: the client reports an error");
                    None
                }
                other => {
                    let error = RequestError::Malformed(format!(
                        "type {:?}: hello, observation, episode_start, episode_end or error",
                        other.chars().take(40).collect::<String>()
                    ));
                    Some(failure(&error, received.seq))
                }
            },
        };
        if let Some(reply) = reply
            && !served.send(&mut socket, reply).await
        {
            return;
        }
    }
}

fn failure(error: &RequestError, seq: Value) -> Message {
    tracing::warn!("vla-eval: {error}");
    envelope("error", message::map([("error", Value::from(error.to_string()))]), seq)
}

/// The action for one step: the next of the buffer, or the first of a new chunk. The history sees
/// every step.
async fn next_action(
    served: &Served,
    connection: &mut Connection,
    buffer: &mut VecDeque<Vec<f64>>,
    payload: &[(Value, Value)],
    began: bool,
) -> Result<Value, RequestError> {
    let mut observation = Observation::read(payload, &served.layout, Dialect::VlaEval)?;
    observation.extras.reset |= began;
    if connection.begin(served, &observation, 1) {
        buffer.clear();
    }
    if buffer.is_empty() {
        let answered = connection.infer(served, observation).await?;
        let steps = served.settings.chunk_steps.unwrap_or(answered.actions.len()).max(1);
        buffer.extend(answered.actions.into_iter().take(steps));
    }
    let row = buffer
        .pop_front()
        .ok_or_else(|| RequestError::Inference("the network gave no action".into()))?;
    action(row, &served.layout).map_err(RequestError::Inference)
}

fn action(mut row: Vec<f64>, layout: &Layout) -> Result<Value, String> {
    layout.action.to_client(&mut row);
    let numbers: Vec<f32> = row.iter().map(|value| *value as f32).collect();
    let array = Array::from_f32(vec![numbers.len()], &numbers)?;
    Ok(message::map([("actions", array.write(Dialect::VlaEval))]))
}
